/* SPDX-License-Identifier: Apache-2.0 */
/* husk kbs tenant, backup, get: the rest of the admin side, and reading as a guest. */
#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/kbs_admin.h"
#include "cli/kbs_backup.h"
#include "crypto/jose.h"
#include "fmt/json.h"

#define FILE_MAX ((size_t)64 << 20)
#define KEY_MAX ((size_t)64 << 10)

static int fail(const struct cli *cli, int r, const struct err *e)
{
	return cli_fail(cli, r, e, "%s %s", cli->command->name, cli_arg(cli, 0));
}

static int wrong(const struct cli *cli, const char *what)
{
	struct err e = {0};

	(void)err_set(&e, -EINVAL, "%s (see husk kbs %s --help)", what, cli->command->name);
	return cli_fail(cli, -EINVAL, &e, NULL);
}

static int read_quota(const struct cli *cli, json_t *quota, struct err *reterr)
{
	static const char *const names[][2] = {{"resources", "resources"}, {"bytes", "bytes"},
		{"policies", "policies"}, {"reference-values", "reference_values"}};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		const char *text = cli_opt(cli, names[i][0]);
		uint64_t n = 0;

		if (text && parse_size(slice_str(text), 0, INT64_MAX, &n) < 0)
			return err_set(reterr, -EINVAL, "--%s takes a number", names[i][0]);
		int r = json_set_int(quota, names[i][1], (int64_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int tenant_list(struct cli *cli)
{
	static const char *const columns[] = {"name", "created", "quota", "used", NULL};

	return kbs_show_list(cli, "admin/tenants", columns);
}

static int run_tenant(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup(json_decref) json_t *quota = json_object();
	cleanup_with(buf_done) struct buf path = buf_init(1024), body = buf_init(0);
	const char *action = cli_arg(cli, 0), *name = cli_arg(cli, 1);
	struct err e = {0};

	if (streq(action, "list"))
		return tenant_list(cli);
	bool set = streq(action, "set");
	if (!set && !streq(action, "delete"))
		return wrong(cli, "the action must be list, set or delete");
	if (!name)
		return wrong(cli, "the name of a tenant is needed");
	buf_put_str(&path, "admin/tenants/");
	kbs_path_part(&path, name);
	int r = read_quota(cli, quota, &e);
	if (r == 0)
		r = json_write(quota, &body);
	if (r == 0)
		r = kbs_admin_new(cli, &a, &e);
	if (r == 0)
		r = kbs_admin_call(a, set ? "PUT" : "DELETE", buf_str(&path),
			set ? "application/json" : NULL, buf_slice(&body), NULL, &e);
	if (r < 0)
		return fail(cli, r, &e);
	cli_note(cli, "%s tenant %s", set ? "set" : "deleted", name);
	return CLI_OK;
}

static int run_backup(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf pem = buf_init(KEY_MAX), jwe = buf_init(FILE_MAX);
	struct err e = {0};

	int r = file_read(cli_opt(cli, "recipient"), KEY_MAX, &pem, &e);
	if (r == 0)
		r = kbs_admin_new(cli, &a, &e);
	if (r == 0)
		r = kbs_backup_fetch(a, buf_str(&pem), &jwe, &e);
	if (r == 0)
		r = file_write_atomic(cli_arg(cli, 0), buf_slice(&jwe), 0600, &e);
	if (r < 0)
		return fail(cli, r, &e);
	cli_note(cli, "wrote %s (%zu bytes); restore with husk-kbs restore", cli_arg(cli, 0),
		jwe.size);
	return CLI_OK;
}

static int read_key(const char *file, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(KEY_MAX);
	int r = file_read(file, KEY_MAX, &pem, reterr);

	return r < 0 ? r : pkey_from_pem(buf_slice(&pem), ret, reterr);
}

/* kbs:///PATH, kbs+PLUGIN:///PATH?QUERY, or a resource's path alone. */
static int put_target(struct buf *out, const char *uri, struct err *reterr)
{
	static const char scheme[] = "kbs+", slashes[] = ":///";
	const char *plugin = "resource", *path = uri, *end = NULL;
	size_t plugin_size = strlen(plugin);
	cleanup_with(buf_done) struct buf part = buf_init(8192);

	if (str_starts(uri, scheme)) {
		plugin = uri + strlen(scheme);
		plugin_size = strcspn(plugin, ":/?");
		path = plugin + plugin_size;
		if (plugin_size == 0 || !str_starts(path, slashes))
			return err_set(reterr, -EINVAL, "%s: a URI is kbs+PLUGIN:///PATH", uri);
		path += strlen(slashes);
	} else if (str_starts(uri, "kbs:///")) {
		path += strlen("kbs:///");
	}
	end = strchr(path, '?');
	buf_put(&part, path, end ? (size_t)(end - path) : strlen(path));
	buf_printf(out, "%.*s/", (int)plugin_size, plugin);
	kbs_path_part(out, buf_str(&part));
	if (end)
		buf_put_str(out, end);
	return buf_error(out);
}

static int fetch_resource(struct cli *cli, const char *path, struct secret *ret, struct err *reterr)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(json_decref) json_t *jwe = NULL;
	cleanup_with(buf_done) struct buf token = buf_init_secret(FILE_MAX);
	cleanup_with(buf_done) struct buf where = buf_init(8192), answer = buf_init(FILE_MAX);
	cleanup_with(buf_done) struct buf body = buf_init(FILE_MAX);

	int r = put_target(&where, path, reterr);
	if (r == 0)
		r = read_key(cli_opt(cli, "tee-key-file"), &key, reterr);
	if (r == 0)
		r = file_read(cli_opt(cli, "attestation-token"), FILE_MAX, &token, reterr);
	if (r == 0)
		r = kbs_admin_new(cli, &a, reterr);
	if (r < 0)
		return r;
	while (token.size > 0 && strchr(" \t\r\n", token.data[token.size - 1]))
		token.data[--token.size] = 0;
	if (cli_opt(cli, "version"))
		buf_printf(&where, "%cversion=%s", strchr(path, '?') ? '&' : '?',
			cli_opt(cli, "version"));
	if (cli_opt(cli, "body"))
		r = file_read(cli_opt(cli, "body"), FILE_MAX, &body, reterr);
	if (r < 0)
		return r;
	const struct kbs_request q = {.method = "GET",
		.path = buf_str(&where),
		.bearer = buf_str(&token),
		.type = body.size ? "application/octet-stream" : NULL,
		.body = buf_slice(&body)};
	r = kbs_admin_send(a, &q, &answer, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&answer), FILE_MAX, &jwe, reterr);
	return r < 0 ? r : jwe_decrypt(key, jwe, ret, reterr);
}

/* As kbs-client: base64 on stdout. */
static int run_get(struct cli *cli)
{
	cleanup_with(secret_done) struct secret plain = {0};
	cleanup_with(buf_done) struct buf text = buf_init_secret(FILE_MAX);
	struct err e = {0};

	int r = fetch_resource(cli, cli_arg(cli, 0), &plain, &e);
	if (r < 0) {
		(void)fail(cli, r, &e);
		return r == -EACCES ? CLI_REFUSED : CLI_FAILURE;
	}
	if (cli_opt(cli, "out")) {
		r = file_write_atomic(cli_opt(cli, "out"), secret_slice(&plain), 0600, &e);
		return r < 0 ? fail(cli, r, &e) : CLI_OK;
	}
	b64_encode(&text, secret_slice(&plain), B64_STD);
	puts(buf_str(&text));
	return CLI_OK;
}

static const struct cli_option g_tenant[] = {
	KBS_OPTIONS,
	{"resources", .arg = "N", .help = "at most so many resources (default: no limit)"},
	{"bytes", .arg = "SIZE", .help = "at most so many bytes of content, e.g. 16M"},
	{"policies", .arg = "N", .help = "at most so many policies of its own"},
	{"reference-values", .arg = "N", .help = "at most so many reference values"},
	{NULL},
};
static const struct cli_option g_backup[] = {
	KBS_OPTIONS,
	{"recipient", .arg = "PUBLIC", .complete = CLI_COMPLETE_FILE, .required = true,
		.help = "public key, PEM, P-256, P-521 or RSA: only its owner can read the backup"},
	{NULL},
};
static const struct cli_option g_get[] = {
	KBS_OPTIONS,
	{"attestation-token", .arg = "FILE", .complete = CLI_COMPLETE_FILE, .required = true,
		.help = "the guest's attestation token"},
	{"tee-key-file", .arg = "FILE", .complete = CLI_COMPLETE_FILE, .required = true,
		.help = "private key, PEM, whose public half the token binds"},
	{"version", .arg = "N", .help = "an older version, if it is kept"},
	{"body", .arg = "FILE", .complete = CLI_COMPLETE_FILE,
		.help = "send this along, for plugins that want it"},
	{"out", .arg = "FILE", .complete = CLI_COMPLETE_FILE, .help = "write the bytes here"},
	{NULL},
};

const struct cli_command cmds_kbs_house[] = {
	{.group = "kbs",
		.name = "get",
		.summary = "Read a resource with an attestation token",
		.args = "PATH",
		.args_min = 1,
		.args_max = 1,
		.details =
			"What a guest does after its attestation: PATH is REPOSITORY/TYPE/TAG, a "
			"kbs:/// URI, or kbs+PLUGIN:///PATH for another plugin of the broker. The "
			"content is printed as base64, or written to --out.",
		.examples = "husk kbs get default/key/demo --attestation-token token "
			    "--tee-key-file tee.pem",
		.options = g_get,
		.run = run_get},
	{.group = "kbs",
		.name = "tenant",
		.summary = "List, make and delete tenants, and set their quotas",
		.args = "list | set NAME | delete NAME",
		.args_min = 1,
		.args_max = 2,
		.details = "A tenant has resources, policies and reference values of its own. Its "
			   "guests and admins have /tenants/NAME in the URL of the key broker; "
			   "other commands work within it with --tenant. set replaces the whole "
			   "quota. delete removes all the tenant has.",
		.examples =
			"husk kbs tenant set acme --resources 100 --bytes 1M\nhusk kbs resource "
			"list --tenant acme",
		.options = g_tenant,
		.run = run_tenant},
	{.group = "kbs",
		.name = "backup",
		.summary = "Save the whole store, encrypted, while it is in use",
		.args = "FILE",
		.args_min = 1,
		.args_max = 1,
		.details =
			"Resources, policies, reference values, tenants, verdicts and the audit log "
			"as of one moment. `husk-kbs restore` puts it into an empty store of "
			"either kind. The backup is recorded in the audit log.",
		.examples = "husk key generate backup.key --public backup.pub\nhusk kbs backup "
			    "kbs.backup --recipient backup.pub",
		.options = g_backup,
		.complete = CLI_COMPLETE_FILE,
		.run = run_backup},
	{NULL},
};
