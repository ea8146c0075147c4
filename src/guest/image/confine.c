/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/image/image.h"
#include "net/sandbox.h"

/* What unpacking needs: files of any owner and mode, with set-user-ID bits and capabilities. */
static const unsigned g_kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP};

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keep = false;
		for (size_t i = 0; i < ARRAY_COUNT(g_kept); i++)
			keep |= g_kept[i] == (unsigned)cap;
		if (keep) {
			data[cap / 32].effective |= 1u << (cap % 32);
			data[cap / 32].permitted |= 1u << (cap % 32);
		} else if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL) {
			return -errno; /* EINVAL: this kernel does not know so many */
		}
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int image_confine(const char *root, struct err *reterr)
{
	static const char *const read[] = {"/etc", "/dev/urandom"}; /* resolver, random numbers */
	struct sandbox_path paths[1 + ARRAY_COUNT(read)] = {{root, SANDBOX_TREE}};
	size_t count = 1;

	for (size_t i = 0; i < ARRAY_COUNT(read); i++)
		if (access(read[i], F_OK) == 0)
			paths[count++] = (struct sandbox_path){read[i], SANDBOX_READ};
	int r = drop_capabilities();
	if (r < 0)
		return err_set(reterr, r, "cannot drop capabilities");
	r = sandbox_basic(reterr);
	if (r < 0)
		return r;
	r = sandbox_files(paths, count, reterr);
	/* Without Landlock the other two and the guest's small initrd are what is left. */
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	return sandbox_calls(
		SANDBOX_EVENTS | SANDBOX_SOCKETS | SANDBOX_CONNECT | SANDBOX_FILES | SANDBOX_TREES,
		reterr);
}
