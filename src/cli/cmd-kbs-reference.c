/* SPDX-License-Identifier: Apache-2.0 */
/* husk kbs reference: what good evidence looks like, where it comes from, and roll-outs. */
#include "base/parse.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/kbs_admin.h"
#include "fmt/json.h"

#define FILE_MAX ((size_t)1 << 20)

/* The values of `reference set`: strings unless an option says otherwise, a list unless --single.
 */
static int build_value(const struct cli *cli, json_t **ret, struct err *reterr)
{
	cleanup(json_decref) json_t *list = json_array();
	const char *text;

	for (size_t i = 2; (text = cli_arg(cli, i)) != NULL; i++) {
		int64_t number;
		bool flag;
		json_t *v = NULL;
		if (cli_flag(cli, "as-integer")) {
			if (parse_i64(slice_str(text), INT64_MIN, INT64_MAX, &number) < 0)
				return err_set(reterr, -EINVAL, "\"%s\" is not an integer", text);
			v = json_integer(number);
		} else if (cli_flag(cli, "as-bool")) {
			if (parse_bool(slice_str(text), &flag) < 0)
				return err_set(
					reterr, -EINVAL, "\"%s\" is neither true nor false", text);
			v = json_boolean(flag);
		} else {
			v = json_string(text);
		}
		if (json_array_append_new(list, v) < 0)
			return -ENOMEM;
	}
	if (json_array_size(list) == 0)
		return err_set(reterr, -EINVAL, "at least one value is needed");
	if (!cli_flag(cli, "single")) {
		*ret = steal_ptr(list);
		return 0;
	}
	if (json_array_size(list) != 1)
		return err_set(reterr, -EINVAL, "--single takes one value");
	*ret = json_incref(json_array_get(list, 0));
	return 0;
}

static int send_values(struct cli *cli, const char *type, struct slice payload, const char *done)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	struct err e = {0};
	int code;

	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_send_values(
		a, type, payload, cli_opt(cli, "expires"), cli_flag(cli, "stage"), &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot change reference values");
	cli_note(cli, "%s", done);
	return CLI_OK;
}

static int send_json(struct cli *cli, const char *type, const json_t *values, const char *done)
{
	cleanup_with(buf_done) struct buf payload = buf_init(0);
	int r = json_write(values, &payload);

	return r < 0 ? cli_fail(cli, r, NULL, NULL)
		     : send_values(cli, type, buf_slice(&payload), done);
}

static int reference_set(struct cli *cli, const char *name)
{
	cleanup(json_decref) json_t *values = json_object();
	json_t *value = NULL;
	struct err e = {0};

	int r = build_value(cli, &value, &e);
	if (r == 0)
		r = json_set_take(values, name, value);
	return r < 0 ? cli_fail(cli, r, &e, NULL)
		     : send_json(cli, "sample", values,
			       cli_flag(cli, "stage") ? "staged" : "registered");
}

static int reference_import(struct cli *cli)
{
	cleanup_with(buf_done) struct buf text = buf_init(FILE_MAX);
	const char *type = cli_opt(cli, "type");
	int code;

	if (kbs_read_option_file(cli, &text, &code) < 0)
		return code;
	return send_values(cli, type ? type : "sample", buf_slice(&text),
		cli_flag(cli, "stage") ? "staged" : "registered");
}

/* Ends a roll-out. */
static int reference_choose(struct cli *cli, const char *action)
{
	cleanup(json_decref) json_t *names = json_array();
	const char *name;

	for (size_t i = 1; (name = cli_arg(cli, i)) != NULL; i++)
		json_array_append_new(names, json_string(name));
	return send_json(cli, action, names,
		streq(action, "promote") ? "the new values count alone"
					 : "the old values count alone");
}

/* Who vouches for a value: the signer of its manifest, else the admin. */
static void show_source(json_t *record)
{
	const json_t *p = json_object_get(record, "provenance");
	const char *type = json_string_value(json_object_get(p, "type"));
	const char *signer = json_string_value(json_object_get(p, "signer"));
	const char *by = json_string_value(json_object_get(p, "by"));
	cleanup_with(buf_done) struct buf text = buf_init(0);
	json_t *staged = json_object_get(json_object_get(record, "staged"), "value");

	buf_printf(&text, "%s%s%s", type ? type : "-",
		signer && *signer ? ", signed by " : (by ? " by " : ""),
		signer && *signer ? signer : (by ? by : ""));
	json_object_set_new(record, "source", json_string(buf_str(&text)));
	if (staged)
		json_object_set(record, "staged", staged);
	else
		json_object_set_new(record, "staged", json_string("-"));
}

static int reference_list(struct cli *cli)
{
	static const char *const columns[] = {
		"name", "expiration", "source", "value", "staged", NULL};
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup(json_decref) json_t *rows = NULL;
	struct err e = {0};
	json_t *row;
	size_t i;
	int code;

	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_json(a, "admin/reference-values", &rows, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read reference values");
	if (cli->json)
		return cli_print_json(rows);
	json_array_foreach (rows, i, row) {
		show_source(row);
	}
	kbs_print_table(rows, columns);
	return CLI_OK;
}

static int reference_get(struct cli *cli, const char *name)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf path = buf_init(8192);
	cleanup(json_decref) json_t *value = NULL;
	struct err e = {0};
	int code;

	buf_put_str(&path, "reference-value/");
	kbs_path_part(&path, name);
	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_json(a, buf_str(&path), &value, &e);
	return r < 0 ? cli_fail(cli, r, &e, "cannot read reference value %s", name)
		     : cli_print_json(value);
}

int kbs_run_reference(struct cli *cli)
{
	const char *action = cli_arg(cli, 0), *name = cli_arg(cli, 1);

	if (streq(action, "list"))
		return reference_list(cli);
	if (streq(action, "import"))
		return reference_import(cli);
	if (!name)
		return kbs_usage(cli, "the name of a reference value is needed");
	if (streq(action, "promote") || streq(action, "withdraw"))
		return reference_choose(cli, action);
	if (streq(action, "get"))
		return reference_get(cli, name);
	if (streq(action, "set"))
		return reference_set(cli, name);
	if (streq(action, "delete"))
		return kbs_one_call(cli, "DELETE", "admin/reference-values/", name, NULL,
			SLICE_EMPTY, "deleted");
	return kbs_usage(
		cli, "the action must be list, get, set, import, promote, withdraw or delete");
}
