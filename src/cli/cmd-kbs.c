/* SPDX-License-Identifier: Apache-2.0 */
/* husk kbs: the admin side of a key broker. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/kbs_admin.h"
#include "fmt/json.h"

#define FILE_MAX ((size_t)64 << 20)

int kbs_connect(const struct cli *cli, struct kbs_admin **ret, int *ret_code)
{
	struct err e = {0};
	int r = kbs_admin_new(cli, ret, &e);
	if (r < 0)
		*ret_code = cli_fail(cli, r, &e, "cannot use the key broker");
	return r;
}

int kbs_usage(const struct cli *cli, const char *what)
{
	struct err e = {0};
	err_set(&e, -EINVAL, "%s (see husk kbs %s --help)", what, cli->command->name);
	return cli_fail(cli, -EINVAL, &e, NULL);
}

/* A row per element, the members in @columns side by side; times are shown as text. */
void kbs_print_table(const json_t *rows, const char *const *columns)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		for (size_t c = 0; columns[c]; c++) {
			const json_t *v = json_object_get(json_array_get(rows, i), columns[c]);
			char when[RFC3339_SIZE];
			if (c > 0)
				fputs("  ", stdout);
			if (json_is_string(v)) {
				cli_put_text(stdout, json_string_value(v));
			} else if (json_is_integer(v) &&
				   (streq(columns[c], "time") || streq(columns[c], "created") ||
					   streq(columns[c], "modified"))) {
				fputs(rfc3339_format((int64_t)json_integer_value(v), when), stdout);
			} else if (v) {
				char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
				cli_put_text(stdout, text ? text : "?");
				free(text);
			}
		}
		putchar('\n');
	}
}

/* GET a list and show it. */
int kbs_show_list(struct cli *cli, const char *path, const char *const *columns)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup(json_decref) json_t *rows = NULL;
	struct err e = {0};
	int code;

	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_json(a, path, &rows, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read %s", path);
	if (cli->json)
		return cli_print_json(rows);
	kbs_print_table(rows, columns);
	return CLI_OK;
}

int kbs_one_call(struct cli *cli, const char *method, const char *prefix, const char *name,
	const char *type, struct slice body, const char *done)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf path = buf_init(8192);
	struct err e = {0};
	int code;

	buf_put_str(&path, prefix);
	if (name)
		kbs_path_part(&path, name);
	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_call(a, method, buf_str(&path), type, body, NULL, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "%s %s", cli->command->name, cli_arg(cli, 0));
	cli_note(cli, "%s%s%s", done, name ? " " : "", name ? name : "");
	return CLI_OK;
}

int kbs_read_option_file(const struct cli *cli, struct buf *out, int *ret_code)
{
	const char *file = cli_opt(cli, "file");
	struct err e = {0};
	if (!file) {
		*ret_code = kbs_usage(cli, "--file FILE is needed");
		return -EINVAL;
	}
	int r = file_read(file, FILE_MAX, out, &e);
	if (r < 0)
		*ret_code = cli_fail(cli, r, &e, NULL);
	return r;
}

/* GET of PREFIX followed by NAME, shown as a table. */
static int show_versions(
	struct cli *cli, const char *prefix, const char *name, const char *const *columns)
{
	cleanup_with(buf_done) struct buf path = buf_init(8192);

	buf_put_str(&path, prefix);
	kbs_path_part(&path, name);
	return kbs_show_list(cli, buf_str(&path), columns);
}

static int resource_list(struct cli *cli)
{
	static const char *const columns[] = {"path", "version", "size", "type", "modified", NULL};
	cleanup_with(buf_done) struct buf path = buf_init(8192);

	buf_put_str(&path, "admin/resources");
	if (cli_opt(cli, "prefix")) {
		buf_put_str(&path, "?prefix=");
		kbs_path_part(&path, cli_opt(cli, "prefix"));
	}
	return kbs_show_list(cli, buf_str(&path), columns);
}

/* set and delete, with what they may rest on. */
static int change_resource(struct cli *cli, const char *method, const char *path, const char *type,
	struct slice content)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf where = buf_init(8192), etag = buf_init(64);
	struct err e = {0};
	int code;

	buf_put_str(&where, "resource/");
	kbs_path_part(&where, path);
	if (cli_opt(cli, "if-version"))
		buf_printf(&etag, "\"%s\"", cli_opt(cli, "if-version"));
	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	const struct kbs_request q = {.method = method,
		.path = buf_str(&where),
		.type = type,
		.body = content,
		.if_match = etag.size ? buf_str(&etag) : NULL,
		.if_none_match = cli_flag(cli, "if-absent") ? "*" : NULL};
	int r = kbs_admin_send(a, &q, NULL, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "%s %s", cli->command->name, cli_arg(cli, 0));
	cli_note(cli, "%s %s", type ? "stored" : "deleted", path);
	return CLI_OK;
}

static int run_resource(struct cli *cli)
{
	static const char *const versions[] = {
		"version", "time", "actor", "size", "type", "kept", NULL};
	const char *action = cli_arg(cli, 0), *path = cli_arg(cli, 1);
	cleanup_with(buf_done) struct buf content = buf_init_secret(FILE_MAX);
	int code;

	if (streq(action, "list"))
		return path ? kbs_usage(cli, "list takes no path") : resource_list(cli);
	if (!path)
		return kbs_usage(cli, "a resource path REPOSITORY/TYPE/TAG is needed");
	if (str_starts(path, "kbs:///"))
		path += strlen("kbs:///");
	if (streq(action, "history"))
		return show_versions(cli, "admin/resource-versions/", path, versions);
	if (streq(action, "delete"))
		return change_resource(cli, "DELETE", path, NULL, SLICE_EMPTY);
	if (!streq(action, "set"))
		return kbs_usage(cli, "the action must be list, set, history or delete");
	if (kbs_read_option_file(cli, &content, &code) < 0)
		return code;
	return change_resource(cli, "POST", path,
		cli_opt_or(cli, "type", "application/octet-stream"), buf_slice(&content));
}

static int policy_get(struct cli *cli, const char *id)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf path = buf_init(8192);
	cleanup(json_decref) json_t *policy = NULL;
	const char *text = NULL;
	struct err e = {0};
	int code;

	buf_put_str(&path, "admin/policies/");
	kbs_path_part(&path, id);
	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_json(a, buf_str(&path), &policy, &e);
	if (r == 0)
		r = json_get_str(policy, "policy", &text, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read policy %s", id);
	if (cli->json)
		return cli_print_json(policy);
	fputs(text, stdout);
	return CLI_OK;
}

static int policy_set(struct cli *cli, const char *id)
{
	cleanup_with(buf_done) struct buf text = buf_init(FILE_MAX), body = buf_init(0);
	cleanup(json_decref) json_t *message = json_object();
	bool resource = streq(id, "resource-policy");
	char done[128];
	int code, r = 0;

	if (kbs_read_option_file(cli, &text, &code) < 0)
		return code;
	if (!resource)
		r = json_set_str(message, "policy_id", id);
	if (r == 0)
		r = json_set_b64(message, "policy", buf_slice(&text), B64_URL);
	if (r == 0)
		r = json_write(message, &body);
	if (r < 0)
		return cli_fail(cli, r, NULL, "cannot send the policy");
	snprintf(done, sizeof(done), "installed %.100s", id);
	return kbs_one_call(cli, "POST", resource ? "resource-policy" : "attestation-policy", NULL,
		"application/json", buf_slice(&body), done);
}

static int run_policy(struct cli *cli)
{
	static const char *const columns[] = {"id", "version", "size", "created", NULL};
	static const char *const history[] = {
		"version", "created", "actor", "size", "sha256", NULL};
	const char *action = cli_arg(cli, 0), *id = cli_arg(cli, 1);

	if (streq(action, "list"))
		return kbs_show_list(cli, "admin/policies", columns);
	if (!id)
		return kbs_usage(cli, "a policy id is needed, e.g. default_cpu or resource-policy");
	if (streq(action, "history"))
		return show_versions(cli, "admin/policy-versions/", id, history);
	if (streq(action, "get"))
		return policy_get(cli, id);
	if (streq(action, "set"))
		return policy_set(cli, id);
	if (streq(action, "dry-run"))
		return kbs_policy_dry_run(cli, id);
	return kbs_usage(cli, "the action must be list, get, set, history or dry-run");
}

static int read_verdict(struct kbs_admin *a, const char *id, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf path = buf_init(8192);
	buf_put_str(&path, "admin/why/");
	kbs_path_part(&path, id);
	return kbs_admin_json(a, buf_str(&path), ret, reterr);
}

/* A resource is mostly refused because of what the attestation found: show that verdict as well. */
static void add_appraisal(struct kbs_admin *a, json_t *record)
{
	const char *id = json_string_value(json_object_get(record, "attestation"));
	json_t *appraisal = NULL;
	if (id && read_verdict(a, id, &appraisal, NULL) == 0)
		json_object_set_new(record, "appraisal", appraisal);
}

static int run_why(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup(json_decref) json_t *record = NULL;
	struct err e = {0};
	int code;

	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = read_verdict(a, cli_arg(cli, 0), &record, &e);
	if (r == 0)
		add_appraisal(a, record);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read the verdict %s", cli_arg(cli, 0));
	if (cli->json)
		return cli_print_json(record);
	explain_print(stdout, record);
	return CLI_OK;
}

int kbs_limited_list(struct cli *cli, const char *path, const char *const *columns)
{
	char text[64];
	uint32_t limit;
	if (parse_u32(slice_str(cli_opt_or(cli, "limit", "100")), 1, 10000, &limit) < 0)
		return kbs_usage(cli, "--limit takes a number from 1 to 10000");
	snprintf(text, sizeof(text), "%s?limit=%u", path, limit);
	return kbs_show_list(cli, text, columns);
}

static int run_verdicts(struct cli *cli)
{
	static const char *const columns[] = {
		"time", "id", "kind", "tee", "status", "vector", NULL};
	return kbs_limited_list(cli, "admin/verdicts", columns);
}

static int run_health(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	struct err e = {0};
	int code;

	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_call(a, "GET", "/healthz", NULL, SLICE_EMPTY, NULL, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "the key broker is not healthy");
	cli_note(cli, "the key broker is healthy");
	return CLI_OK;
}

#define FILE_OPTION(text)                                                            \
	{                                                                            \
		"file", .arg = "FILE", .help = (text), .complete = CLI_COMPLETE_FILE \
	}
#define LIMIT_OPTION                                                                        \
	{                                                                                   \
		"limit", .arg = "N", .help = "how many at most (default 100), newest first" \
	}

static const struct cli_option g_plain[] = {KBS_OPTIONS, {NULL}};
static const struct cli_option g_limited[] = {KBS_OPTIONS, LIMIT_OPTION, {NULL}};
static const struct cli_option g_resource[] = {
	KBS_OPTIONS,
	FILE_OPTION("content of the resource, for set"),
	{"type", .arg = "TYPE", .help = "content type to keep with it, for set"},
	{"prefix", .arg = "PREFIX", .help = "only paths that start so, for list"},
	{"if-version", .arg = "N", .help = "only if this is the current version"},
	{"if-absent", .help = "only if there is none, for set"},
	{NULL},
};
static const struct cli_option g_policy[] = {
	KBS_OPTIONS,
	FILE_OPTION("the policy in Rego, for set and dry-run"),
	{"verdict", .arg = "ID", .help = "try it on this verdict, for dry-run"},
	{"last", .arg = "N", .help = "or on the newest, up to 100 (default 20)"},
	{"resource", .arg = "PATH",
		.help = "what attested guests ask for, for dry-run of resource-policy"},
	{NULL},
};
static const struct cli_option g_reference[] = {
	KBS_OPTIONS,
	FILE_OPTION("JSON object of name and value, or a manifest, for import"),
	{"type", .arg = "TYPE", .help = "what --file is, for import: sample, corim, swid, in-toto"},
	{"stage", .help = "beside the value that is there: both count until promote or withdraw"},
	{"single", .help = "store one value instead of a list, for policies that compare with =="},
	{"as-integer", .help = "the values are integers"},
	{"as-bool", .help = "the values are true or false"},
	{"expires", .arg = "TIME", .help = "until when they count, RFC 3339 (default: 12 months)"},
	{NULL},
};

const struct cli_command cmds_kbs[] = {
	{.group = "kbs",
		.name = "resource",
		.summary = "List, store and delete resources (keys and secrets)",
		.args = "list | set PATH | history PATH | delete PATH",
		.args_min = 1,
		.args_max = 2,
		.details = "PATH is REPOSITORY/TYPE/TAG, or a whole kbs:/// URI. The content of a "
			   "resource is never "
			   "shown: only an attested guest can read it.",
		.examples = "husk kbs resource set default/key/demo --file demo.key\nhusk kbs "
			    "resource list",
		.options = g_resource,
		.run = run_resource},
	{.group = "kbs",
		.name = "policy",
		.summary = "List, show and install policies",
		.args = "list | get ID | set ID | history ID | dry-run ID",
		.args_min = 1,
		.args_max = 2,
		.details = "The id resource-policy decides who may read resources; ids such as "
			   "default_cpu appraise "
			   "evidence. A policy that does not compile is refused. dry-run tries a "
			   "policy on what guests brought before, beside the one that is "
			   "installed, and changes nothing.",
		.examples =
			"husk kbs policy dry-run default_cpu --file new.rego --last 50\nhusk kbs "
			"policy set resource-policy --file release.rego",
		.options = g_policy,
		.run = run_policy},
	{.group = "kbs",
		.name = "reference",
		.summary = "List, show, register and delete reference values",
		.args = "list | get NAME | set NAME VALUE... | import | promote NAME... | "
			"withdraw NAME... | delete NAME",
		.args_min = 1,
		.args_max = CLI_ARGS_UNLIMITED,
		.details =
			"Values are stored as a list of strings unless options say otherwise. "
			"husk measure --json "
			"makes a file for import. For a roll-out, --stage the new values; policies "
			"then accept old and new. promote ends it with the new ones, withdraw with "
			"the old ones.",
		.examples = "husk kbs reference set svn 1 2\nhusk kbs reference import --file "
			    "values.json",
		.options = g_reference,
		.run = kbs_run_reference},
	{.group = "kbs",
		.name = "why",
		.summary = "Explain a verdict",
		.args = "ID",
		.args_min = 1,
		.args_max = 1,
		.details = "Shows which check, rule and claim decided, what was expected and what "
			   "came, the nearest "
			   "reference value, and what to do. The guest and the log name the id.",
		.options = g_plain,
		.run = run_why},
	{.group = "kbs",
		.name = "verdicts",
		.summary = "List recent verdicts",
		.options = g_limited,
		.run = run_verdicts},
	{.group = "kbs",
		.name = "verdict",
		.summary = "Show what a verdict rests on",
		.args = "show ID",
		.args_min = 2,
		.args_max = 2,
		.details = "The record of `husk kbs why` and the claims that the policies were "
			   "given, as long as the key broker keeps them.",
		.examples = "husk kbs verdict show 6f1c0f1fd2d2b9c7f2a3a5d8a1b0c9e8",
		.options = g_plain,
		.run = kbs_run_verdict},
	{.group = "kbs",
		.name = "health",
		.summary = "Ask whether the key broker is up",
		.options = g_plain,
		.run = run_health},
	{NULL},
};
