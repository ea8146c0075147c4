/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/role.h"

#include <sys/socket.h>

#include "base/log.h"
#include "net/sandbox.h"

int role_confine(const struct kbs_config *c, const char *role, const struct sandbox_path *paths,
	size_t count, unsigned groups, struct err *reterr)
{
	int r = sandbox_basic(reterr);

	if (r < 0)
		return r;
	if (c->husk.insecure_no_sandbox) {
		log_warn("kbs.insecure", LOG_STR("option", "insecure_no_sandbox"),
			LOG_STR("role", role), LOG_STR("effect", "this process is not confined"));
		return 0;
	}
	r = sandbox_files(paths, count, reterr);
	if (r == -EOPNOTSUPP)
		/* The system-call filter still holds; only the vault may open files at all. */
		log_warn("kbs.sandbox", LOG_STR("role", role), LOG_STR("reason", reterr->text));
	else if (r < 0)
		return r;
	return sandbox_calls(groups, reterr);
}

int role_ready(void)
{
	const uint32_t tag = CONTROL_READY;

	return send(ROLE_FD_CONTROL, &tag, sizeof(tag), MSG_NOSIGNAL) == sizeof(tag) ? 0 : -errno;
}
