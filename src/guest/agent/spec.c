/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/spec.h"

#include "base/str.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CWD_MAX 4096u

void spec_done(struct spec *spec)
{
	free(spec->image);
	free(spec->digest);
	free(spec->rootfs);
	json_decref(spec->args);
	json_decref(spec->env);
	free(spec->cwd);
	free(spec->user);
	free(spec->hostname);
	*spec = (struct spec){0};
}

/* Append the strings of @from (null and absent are empty lists) to @to. */
static int append_list(json_t *to, json_t *from, const char *name, struct err *reterr)
{
	if (from == NULL || json_is_null(from))
		return 0;
	if (!json_is_array(from))
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s of the image is no list", name);
	for (size_t i = 0; i < json_array_size(from); i++) {
		json_t *item = json_array_get(from, i);
		if (!json_is_string(item))
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"%s of the image holds something that is no text", name);
		if (json_array_size(to) >= HOSTLINK_ARGS_MAX + HOSTLINK_ENV_MAX)
			return err_at(reterr, -E2BIG, ERR_NO_OFFSET, name,
				"%s has too many entries", name);
		if (json_array_append(to, item) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int merge_args(
	json_t *config, const struct hostlink_run *run, json_t *args, struct err *reterr)
{
	int r = append_list(args, json_object_get(config, "Entrypoint"), "Entrypoint", reterr);
	if (r < 0)
		return r;
	if (run->args_count == 0)
		r = append_list(args, json_object_get(config, "Cmd"), "Cmd", reterr);
	for (size_t i = 0; i < run->args_count && r == 0; i++) {
		if (json_array_append_new(args, json_string(run->args[i])) < 0)
			r = -ENOMEM;
	}
	if (r < 0)
		return r;
	const char *first = json_string_value(json_array_get(args, 0));
	if (first == NULL || first[0] == '\0')
		return err_set(reterr, -EINVAL,
			"the image names no command and none was given; add one after --");
	return 0;
}

static size_t env_name_size(const char *entry)
{
	return strcspn(entry, "=");
}

/* Index of the entry with the same name as @entry, or the count. */
static size_t env_find(json_t *env, const char *entry)
{
	size_t size = env_name_size(entry), i = 0;
	for (; i < json_array_size(env); i++) {
		const char *have = json_string_value(json_array_get(env, i));
		if (env_name_size(have) == size && strncmp(have, entry, size) == 0)
			break;
	}
	return i;
}

static int env_set(json_t *env, const char *entry, bool override)
{
	size_t i = env_find(env, entry);
	if (i == json_array_size(env))
		return json_array_append_new(env, json_string(entry)) < 0 ? -ENOMEM : 0;
	if (!override)
		return 0;
	return json_array_set_new(env, i, json_string(entry)) < 0 ? -ENOMEM : 0;
}

static int merge_env(json_t *config, const struct hostlink_run *run, const char *hostname,
	json_t *env, struct err *reterr)
{
	json_t *given = json_array();
	char text[128]; /* a host name is at most 64 bytes */
	if (given == NULL)
		return -ENOMEM;
	int r = append_list(given, json_object_get(config, "Env"), "Env", reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(given); i++)
		r = env_set(env, json_string_value(json_array_get(given, i)), true);
	json_decref(given);
	for (size_t i = 0; r == 0 && i < run->env_count; i++)
		r = env_set(env, run->env[i], true);
	snprintf(text, sizeof(text), "HOSTNAME=%s", hostname);
	if (r == 0)
		r = env_set(env, text, false);
	if (r == 0)
		r = env_set(env, DEFAULT_PATH, false);
	if (r == 0 && run->terminal)
		r = env_set(env, "TERM=xterm", false);
	return r;
}

/* A text member that may be absent or null; then @ret is a copy of @fallback. */
static int get_text(
	json_t *config, const char *name, const char *fallback, char **ret, struct err *reterr)
{
	json_t *v = json_object_get(config, name);
	if (v != NULL && !json_is_null(v) && !json_is_string(v))
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s of the image is no text", name);
	const char *s = json_string_value(v);
	*ret = strdup(s != NULL && s[0] != '\0' ? s : fallback);
	return *ret ? 0 : -ENOMEM;
}

static int merge(json_t *config, const char *digest, const struct hostlink_run *run,
	struct spec *spec, struct err *reterr)
{
	json_t *inner = json_object_get(config, "config");
	if (!json_is_object(config) ||
		(inner != NULL && !json_is_object(inner) && !json_is_null(inner)))
		return err_set(reterr, -EBADMSG, "the image configuration is no object");
	spec->image = strdup(run->image);
	spec->digest = strdup(digest);
	spec->hostname = strdup(run->hostname ? run->hostname : run->name ? run->name : "husk");
	spec->args = json_array();
	spec->env = json_array();
	if (!spec->image || !spec->digest || !spec->hostname || !spec->args || !spec->env)
		return -ENOMEM;
	int r = merge_args(inner, run, spec->args, reterr);
	if (r < 0)
		return r;
	r = merge_env(inner, run, spec->hostname, spec->env, reterr);
	if (r < 0)
		return r;
	r = get_text(inner, "User", "", &spec->user, reterr);
	if (r < 0)
		return r;
	r = get_text(inner, "WorkingDir", "/", &spec->cwd, reterr);
	if (r < 0)
		return r;
	if (spec->cwd[0] != '/' || strlen(spec->cwd) > CWD_MAX)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "WorkingDir",
			"WorkingDir of the image is not an absolute path");
	spec->terminal = run->terminal;
	spec->memory = run->memory;
	spec->cpu_millis = run->cpu_millis;
	return 0;
}

int spec_merge(json_t *config, const char *digest, const struct hostlink_run *run, struct spec *ret,
	struct err *reterr)
{
	cleanup_with(spec_done) struct spec spec = {0};
	int r = merge(config, digest, run, &spec, reterr);
	if (r < 0)
		return r;
	*ret = spec;
	spec = (struct spec){0};
	return 0;
}

json_t *spec_policy_input(const struct spec *spec)
{
	return json_pack("{s:s,s:s,s:{s:{s:O,s:O,s:s,s:b,s:{s:I,s:I}},s:s}}", "image", spec->image,
		"image_digest", spec->digest, "OCI", "Process", "Args", spec->args, "Env",
		spec->env, "Cwd", spec->cwd, "Terminal", (int)spec->terminal, "User", "UID",
		(json_int_t)spec->uid, "GID", (json_int_t)spec->gid, "Hostname", spec->hostname);
}
