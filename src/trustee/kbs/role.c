/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/role.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
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

void role_log(const struct kbs_config *c, const char *program)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	enum log_level level = LOG_LEVEL_INFO;

	for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
		if (c->husk.log_level && streq(levels[i], c->husk.log_level))
			level = (enum log_level)i;
	}
	log_setup(program, level, c->husk.log_json, 2);
}

int role_reload_read(int fd, struct reload *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(CONFIG_FILE_MAX * 8);
	cleanup_fd int owned = fd;
	int r = fd_read_all(owned, &text);

	*ret = (struct reload){.config = calloc(1, sizeof(*ret->config))};
	if (r == 0 && !ret->config)
		r = -ENOMEM;
	if (r == 0)
		r = json_parse(buf_slice(&text), CONFIG_FILE_MAX * 8, &ret->root, reterr);
	if (r == 0)
		r = kbs_config_from_json(json_object_get(ret->root, "config"), ret->config, reterr);
	if (r < 0) {
		role_reload_done(ret);
		return r;
	}
	ret->certificate = json_string_value(json_object_get(ret->root, "certificate"));
	ret->private_key = json_string_value(json_object_get(ret->root, "private_key"));
	return 0;
}

void role_reload_done(struct reload *r)
{
	if (r->config)
		kbs_config_done(r->config);
	free(r->config);
	json_decref(r->root);
	*r = (struct reload){0};
}
