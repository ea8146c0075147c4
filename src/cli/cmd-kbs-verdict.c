/* SPDX-License-Identifier: Apache-2.0 */
/* husk kbs verdict: what a verdict rests on; husk kbs policy dry-run: what another policy would say. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/kbs_admin.h"
#include "fmt/json.h"

#define FILE_MAX ((size_t)1 << 20)
#define DEPTH_MAX 32
#define NAME_MAX_ 512
#define LAST_MAX 100

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static void put_value(const json_t *v)
{
	cleanup(free_ptr) char *text = NULL;

	if (json_is_string(v)) {
		cli_put_text(stdout, json_string_value(v));
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	cli_put_text(stdout, text ? text : "?");
}

/* One line a value, with the path to it. */
static void put_tree(const char *path, const json_t *v, int depth)
{
	char deeper[NAME_MAX_];
	const char *name;
	const json_t *item;
	json_t *member;
	size_t i;

	if (depth < DEPTH_MAX && json_object_size(v) > 0) {
		json_object_foreach ((json_t *)(uintptr_t)v, name, member) {
			snprintf(deeper, sizeof(deeper), "%s%s%s", path, path[0] ? "." : "", name);
			put_tree(deeper, member, depth + 1);
		}
		return;
	}
	if (depth < DEPTH_MAX && json_array_size(v) > 0) {
		json_array_foreach (v, i, item) {
			snprintf(deeper, sizeof(deeper), "%s[%zu]", path, i);
			put_tree(deeper, item, depth + 1);
		}
		return;
	}
	fputs("  ", stdout);
	cli_put_text(stdout, path);
	fputs("  ", stdout);
	put_value(v);
	putchar('\n');
}

static void put_cut(const json_t *cut)
{
	size_t i;
	const json_t *item;

	json_array_foreach (cut, i, item) {
		fputs("  left out: ", stdout);
		cli_put_text(stdout, text_of(item, "path"));
		printf(" (%lld bytes)\n",
			(long long)json_integer_value(json_object_get(item, "bytes")));
	}
}

static void put_claims(const json_t *claims)
{
	const json_t *piece;
	size_t i;

	if (!claims) {
		puts("claims     none are kept");
		return;
	}
	json_array_foreach (json_object_get(claims, "pieces"), i, piece) {
		fputs("claims of ", stdout);
		cli_put_text(stdout, text_of(piece, "name"));
		fputs(", policy ", stdout);
		cli_put_text(stdout, text_of(piece, "policy"));
		fputs(", ", stdout);
		cli_put_text(stdout, text_of(piece, "status"));
		putchar('\n');
		put_tree("", json_object_get(piece, "input"), 0);
	}
	if (json_object_get(claims, "token")) {
		puts("token");
		put_tree("", json_object_get(claims, "token"), 0);
		puts("data");
		put_tree("", json_object_get(claims, "data"), 0);
	}
	put_cut(json_object_get(claims, "cut"));
}

int kbs_run_verdict(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf path = buf_init(8192);
	cleanup(json_decref) json_t *record = NULL;
	struct err e = {0};
	int code;

	if (!streq(cli_arg(cli, 0), "show"))
		return kbs_usage(cli, "the action must be show");
	buf_put_str(&path, "admin/verdicts/");
	kbs_path_part(&path, cli_arg(cli, 1));
	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_json(a, buf_str(&path), &record, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read the verdict %s", cli_arg(cli, 1));
	if (cli->json)
		return cli_print_json(record);
	explain_print(stdout, record);
	put_claims(json_object_get(record, "claims"));
	if (json_object_get(record, "evidence"))
		puts("evidence   is kept: --json has it, base64");
	return CLI_OK;
}

/* --- dry runs --- */

static int put_optional(const struct cli *cli, json_t *message, const char *option)
{
	const char *value = cli_opt(cli, option);

	return value ? json_set_str(message, option, value) : 0;
}

/* Return: 0, or negative errno with the exit code in @ret_code. */
static int make_question(struct cli *cli, const char *id, struct buf *body, int *ret_code)
{
	cleanup_with(buf_done) struct buf text = buf_init(FILE_MAX);
	cleanup(json_decref) json_t *message = json_object();
	uint32_t last = 0;

	int r = kbs_read_option_file(cli, &text, ret_code);
	if (r < 0)
		return r;
	if (cli_opt(cli, "last") &&
		parse_u32(slice_str(cli_opt(cli, "last")), 1, LAST_MAX, &last) < 0) {
		*ret_code = kbs_usage(cli, "--last takes a number from 1 to 100");
		return -EINVAL;
	}
	r = json_set_str(message, "policy_id", id);
	if (r == 0)
		r = json_set_b64(message, "policy", buf_slice(&text), B64_URL);
	if (r == 0)
		r = put_optional(cli, message, "verdict");
	if (r == 0)
		r = put_optional(cli, message, "resource");
	if (r == 0 && last)
		r = json_set_int(message, "limit", last);
	if (r == 0)
		r = json_write(message, body);
	if (r < 0)
		*ret_code = cli_fail(cli, r, NULL, "cannot send the policy");
	return r;
}

static void put_side(const char *name, const json_t *side)
{
	const json_t *f;
	size_t i;

	if (!side)
		return;
	printf("    %-10s ", name);
	cli_put_text(stdout,
		json_object_get(side, "error") ? text_of(side, "error") : text_of(side, "status"));
	putchar('\n');
	json_array_foreach (json_object_get(side, "findings"), i, f) {
		fputs("      ", stdout);
		cli_put_text(stdout, text_of(f, "rule"));
		fputs(": ", stdout);
		cli_put_text(stdout, text_of(f, "expression"));
		if (json_object_get(f, "actual")) {
			fputs(", but it is ", stdout);
			put_value(json_object_get(f, "actual"));
		}
		putchar('\n');
	}
}

static void put_differences(const json_t *list)
{
	const json_t *d;
	size_t i;

	json_array_foreach (list, i, d) {
		fputs("    ", stdout);
		cli_put_text(stdout, text_of(d, "claim"));
		fputs(" ", stdout);
		put_value(json_object_get(d, "current") ?: json_null());
		fputs(" -> ", stdout);
		put_value(json_object_get(d, "candidate") ?: json_null());
		putchar('\n');
	}
}

static void put_pair(const char *name, const json_t *pair)
{
	if (!json_is_true(json_object_get(pair, "changed"))) {
		fputs("  ", stdout);
		cli_put_text(stdout, name);
		fputs(": the same, ", stdout);
		cli_put_text(stdout, text_of(json_object_get(pair, "candidate"), "status"));
		putchar('\n');
		return;
	}
	fputs("  ", stdout);
	cli_put_text(stdout, name);
	fputs(": CHANGES\n", stdout);
	put_differences(json_object_get(pair, "differences"));
	put_side("now", json_object_get(pair, "current"));
	put_side("then", json_object_get(pair, "candidate"));
}

static void put_result(const json_t *row)
{
	const json_t *pieces = json_object_get(row, "pieces"), *piece;
	char when[RFC3339_SIZE];
	size_t i;

	printf("%s  ",
		rfc3339_format((int64_t)json_integer_value(json_object_get(row, "time")), when));
	cli_put_text(stdout, text_of(row, "id"));
	fputs("  ", stdout);
	cli_put_text(stdout, text_of(row, "tee"));
	fputs("  recorded: ", stdout);
	cli_put_text(stdout, text_of(row, "status"));
	putchar('\n');
	json_array_foreach (pieces, i, piece) {
		put_pair(text_of(piece, "name"), piece);
	}
	if (json_object_get(row, "error")) {
		fputs("  failed: ", stdout);
		cli_put_text(stdout, text_of(row, "error"));
		putchar('\n');
	} else if (!pieces) {
		put_pair("resource", row);
	}
	put_cut(json_object_get(row, "cut"));
}

static int put_answer(const json_t *answer)
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(answer, "results"), i, row) {
		put_result(row);
	}
	printf("%lld of %lld verdicts would change, %lld have nothing that this policy is about%s\n",
		(long long)json_integer_value(json_object_get(answer, "changed")),
		(long long)json_integer_value(json_object_get(answer, "tried")),
		(long long)json_integer_value(json_object_get(answer, "skipped")),
		json_is_true(json_object_get(answer, "stopped"))
			? "; the time was used up before all were tried"
			: "");
	return CLI_OK;
}

int kbs_policy_dry_run(struct cli *cli, const char *id)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf body = buf_init(0), text = buf_init((size_t)64 << 20);
	cleanup(json_decref) json_t *answer = NULL;
	struct err e = {0};
	int code;

	if (make_question(cli, id, &body, &code) < 0 || kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_call(
		a, "POST", "admin/dry-run", "application/json", buf_slice(&body), &text, &e);
	if (r == 0)
		r = json_parse(buf_slice(&text), text.size, &answer, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "policy %s", id);
	return cli->json ? cli_print_json(answer) : put_answer(answer);
}
