/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/guest_files.h"

#include <unistd.h>

#include "host/vmm/vmm.h"

static int get(
	const struct cli *cli, const char *option, const char *name, char *dst, struct err *reterr)
{
	const char *file = cli_opt(cli, option), *dir = cli_opt_or(cli, "guest", HUSK_GUEST_DIR);
	int n = file ? snprintf(dst, PATH_MAX, "%s", file)
		     : snprintf(dst, PATH_MAX, "%s/%s", dir, name);
	if (n < 0 || n >= PATH_MAX)
		return err_at(reterr, -ENAMETOOLONG, ERR_NO_OFFSET, option, "the path is too long");
	if (access(dst, R_OK) == 0)
		return 0;
	int r = -errno;
	return err_at(reterr, r, ERR_NO_OFFSET, option, "cannot read the %s %s; set --%s%s", option,
		dst, option, file ? "" : " or --guest");
}

int guest_files_get(const struct cli *cli, struct guest_files *ret, struct err *reterr)
{
	int r = get(cli, "firmware", "husk-fw.bin", ret->firmware, reterr);
	if (r == 0)
		r = get(cli, "kernel", "vmlinuz", ret->kernel, reterr);
	if (r == 0)
		r = get(cli, "initrd", "initrd.cpio", ret->initrd, reterr);
	ret->append = cli_opt_or(cli, "append", VMM_CMDLINE);
	return r;
}
