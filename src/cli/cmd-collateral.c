/* SPDX-License-Identifier: Apache-2.0 */
/* husk collateral: what vendors publish, in a folder and in signed bundles. */
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/collateral_store.h"
#include "cli/commands.h"
#include "collateral/bundle.h"
#include "collateral/expiry.h"
#include "evidence/collateral_file.h"
#include "fmt/json.h"

#define PEM_MAX ((size_t)1 << 20)
#define KEYS_MAX 16
#define DAY_S 86400

int collateral_folder_read(const char *folder, struct collateral_store **ret, struct err *reterr)
{
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();
	struct stat st;

	int r = store ? 0 : -ENOMEM;
	if (r == 0 && stat(folder, &st) == 0)
		r = S_ISDIR(st.st_mode)
			    ? collateral_store_read(store, folder, reterr)
			    : err_set(reterr, -ENOTDIR, "%s is not a folder of collateral", folder);
	else if (r == 0 && errno != ENOENT)
		r = err_set(reterr, -errno, "%s cannot be read", folder);
	if (r == 0)
		*ret = steal_ptr(store);
	return r;
}

int collateral_within(const struct cli *cli, int64_t *ret, struct err *reterr)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'d', DAY_S}, {'h', 3600}, {'m', 60}, {'s', 1}};
	const char *text = cli_opt_or(cli, "within", "7d");
	size_t digits = strspn(text, "0123456789");
	uint32_t count;

	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		if (digits > 0 && text[digits] == units[i].unit && !text[digits + 1] &&
			parse_u32(slice_of(text, digits), 0, 1000000, &count) == 0) {
			*ret = count * units[i].seconds;
			return 0;
		}
	}
	return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "within",
		"--within takes a number with d, h, m or s, such as 7d");
}

/* --- list and expiry ---------------------------------------------------------------------- */

struct row {
	const char *key;
	size_t size;
	struct collateral_life life;
	bool malformed;
};

static int by_expiry(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return x->life.until < y->life.until ? -1 : x->life.until > y->life.until;
}

static size_t read_rows(const struct collateral_store *s, struct row **ret)
{
	struct slice item;
	size_t count = 0;

	while (collateral_store_at(s, count, NULL))
		count++;
	struct row *rows = calloc(count ? count : 1, sizeof(*rows));
	for (size_t i = 0; rows && i < count; i++) {
		rows[i].key = collateral_store_at(s, i, &item);
		rows[i].size = item.size;
		rows[i].malformed = collateral_life(item, &rows[i].life, NULL) < 0;
	}
	*ret = rows;
	return count;
}

static const char *state_of(const struct row *row, int64_t now, int64_t within)
{
	if (row->malformed)
		return "malformed";
	if (row->life.until <= now)
		return "expired";
	return row->life.until - now <= within ? "expires soon" : "good";
}

static json_t *row_json(const struct row *row, const char *state)
{
	char until[RFC3339_SIZE];
	json_t *o = json_object();

	int r = json_set_str(o, "key", row->key);
	if (r == 0)
		r = json_set_str(o, "kind", collateral_kind_name(row->life.kind));
	if (r == 0)
		r = json_set_int(o, "size", (int64_t)row->size);
	if (r == 0)
		r = json_set_str(o, "state", state);
	if (r == 0 && !row->malformed && row->life.until != INT64_MAX)
		r = json_set_str(o, "until", rfc3339_format(row->life.until, until));
	if (r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static void print_row(const struct row *row, const char *state)
{
	char until[RFC3339_SIZE];
	const char *when = row->malformed		  ? "-"
			   : row->life.until == INT64_MAX ? "-"
							  : rfc3339_format(row->life.until, until);

	printf("%-20s %-12s %-16s %8zu  %s\n", when, state,
		row->malformed ? "?" : collateral_kind_name(row->life.kind), row->size, row->key);
}

static int show(struct cli *cli, bool expiry)
{
	cleanup(collateral_store_free) struct collateral_store *store = NULL;
	cleanup(free_ptr) struct row *rows = NULL;
	cleanup(json_decref) json_t *list = json_array();
	int64_t now = clock_unix_s(), within = 0;
	struct err e = {0};
	int code = CLI_OK;

	int r = expiry ? collateral_within(cli, &within, &e) : 0;
	if (r == 0)
		r = collateral_folder_read(cli_arg(cli, 0), &store, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, NULL);
	size_t count = read_rows(store, &rows);
	if (!rows)
		return cli_fail(cli, -ENOMEM, NULL, NULL);
	if (expiry)
		qsort(rows, count, sizeof(*rows), by_expiry);
	for (size_t i = 0; i < count; i++) {
		const char *state = state_of(&rows[i], now, within);
		if (expiry && !streq(state, "good"))
			code = CLI_REFUSED;
		if (!cli->json)
			print_row(&rows[i], state);
		else if (json_array_append_new(list, row_json(&rows[i], state)) < 0)
			return cli_fail(cli, -ENOMEM, NULL, NULL);
	}
	if (cli->json && cli_print_json(list) != CLI_OK)
		return CLI_FAILURE;
	if (count == 0)
		cli_note(cli, "note: %s holds nothing", cli_arg(cli, 0));
	return code;
}

static int run_list(struct cli *cli)
{
	return show(cli, false);
}

static int run_expiry(struct cli *cli)
{
	return show(cli, true);
}

/* --- bundles ------------------------------------------------------------------------------ */

static int load_key(const char *path, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(PEM_MAX);

	int r = file_read(path, PEM_MAX, &pem, reterr);
	return r == 0 ? pkey_from_pem(buf_slice(&pem), ret, reterr) : r;
}

static int run_export(struct cli *cli)
{
	cleanup(collateral_store_free) struct collateral_store *store = NULL;
	cleanup_with(buf_done) struct buf text = buf_init(COLLATERAL_DOC_MAX);
	cleanup(json_decref) json_t *bundle = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	struct err e = {0};

	int r = load_key(cli_opt(cli, "key"), &key, &e);
	if (r == 0)
		r = collateral_folder_read(cli_arg(cli, 0), &store, &e);
	if (r == 0 && !collateral_store_at(store, 0, NULL))
		r = err_set(&e, -ENOENT, "%s holds nothing", cli_arg(cli, 0));
	if (r == 0)
		r = collateral_bundle_make(store, key, clock_unix_s(), &bundle, &e);
	if (r == 0)
		r = json_write(bundle, &text);
	if (r == 0)
		r = file_write_atomic(cli_arg(cli, 1), buf_slice(&text), 0644, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot make a bundle");
	cli_note(cli, "wrote %s: %zu items", cli_arg(cli, 1),
		json_object_size(json_object_get(bundle, "items")));
	return CLI_OK;
}

static int open_bundle(
	const struct cli *cli, struct collateral_store *s, int64_t *ret_made, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(COLLATERAL_DOC_MAX);
	cleanup(json_decref) json_t *bundle = NULL;
	struct pkey *keys[KEYS_MAX] = {0};
	const char *path;
	size_t count = 0;

	int r = file_read(cli_arg(cli, 0), COLLATERAL_DOC_MAX, &text, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&text), COLLATERAL_DOC_MAX, &bundle, reterr);
	for (; r == 0 && (path = cli_opt_at(cli, "key", count)) != NULL; count++)
		r = count < KEYS_MAX
			    ? load_key(path, &keys[count], reterr)
			    : err_set(reterr, -E2BIG, "there are more than %d keys", KEYS_MAX);
	if (r == 0)
		r = collateral_bundle_open(bundle, keys, count, s, ret_made, reterr);
	for (size_t i = 0; i < KEYS_MAX; i++)
		pkey_free(keys[i]);
	return r;
}

/* Everything is judged before the first file is written. */
static int import_items(const char *folder, const struct collateral_store *from,
	struct collateral_store *to, unsigned fates[4], struct err *reterr)
{
	struct slice item;
	const char *key;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && (key = collateral_store_at(from, i, &item)) != NULL; i++) {
		enum collateral_fate fate = COLLATERAL_KEPT;
		r = collateral_merge(to, key, item, &fate, reterr);
		fates[fate]++;
	}
	for (i = 0; r == 0 && (key = collateral_store_at(from, i, &item)) != NULL; i++) {
		struct slice now;
		if (collateral_get(collateral_store_provider(to), key, &now) == 0 &&
			slice_eq(now, item))
			r = collateral_item_write(folder, key, item, reterr);
	}
	return r;
}

static int run_import(struct cli *cli)
{
	cleanup(collateral_store_free) struct collateral_store *from = collateral_store_new();
	cleanup(collateral_store_free) struct collateral_store *to = NULL;
	unsigned fates[4] = {0};
	char when[RFC3339_SIZE];
	struct err e = {0};
	int64_t made = 0;

	int r = from ? open_bundle(cli, from, &made, &e) : -ENOMEM;
	if (r < 0)
		return cli_fail(cli, r, &e, "%s", cli_arg(cli, 0));
	r = collateral_folder_read(cli_arg(cli, 1), &to, &e);
	if (r == 0)
		r = import_items(cli_arg(cli, 1), from, to, fates, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot import into %s", cli_arg(cli, 1));
	cli_note(cli,
		"bundle of %s: %u items added, %u replaced, %u the same, %u kept because they are "
		"newer",
		rfc3339_format(made, when), fates[COLLATERAL_ADDED], fates[COLLATERAL_REPLACED],
		fates[COLLATERAL_SAME], fates[COLLATERAL_KEPT]);
	return CLI_OK;
}

static const struct cli_option g_expiry[] = {
	{"within", .arg = "TIME", .help = "what counts as soon (default 7d; d, h, m, s)"},
	{NULL},
};
static const struct cli_option g_export[] = {
	{"key", .arg = "FILE", .help = "private key that signs the bundle, PEM",
		.complete = CLI_COMPLETE_FILE, .required = true},
	{NULL},
};
static const struct cli_option g_import[] = {
	{"key", .arg = "FILE", .help = "public key of whom you trust to collect",
		.complete = CLI_COMPLETE_FILE, .many = true, .required = true},
	{NULL},
};

const struct cli_command cmds_collateral[] = {
	{.group = "collateral",
		.name = "fetch",
		.summary = "Fetch what is missing or expires soon into a folder",
		.args = "FOLDER [EVIDENCE...]",
		.args_min = 1,
		.args_max = CLI_ARGS_UNLIMITED,
		.complete = CLI_COMPLETE_FILE,
		.details = "For each file of evidence, what its verification needs is fetched from "
			   "the vendors. Items of the folder that expire within --within are "
			   "fetched anew.\n\nA key broker takes the folder as [husk] collateral, "
			   "husk verify as --collateral.",
		.examples = "husk collateral fetch /var/lib/husk/collateral quote.bin",
		.options = collateral_fetch_options,
		.run = collateral_run_fetch},
	{.group = "collateral",
		.name = "list",
		.summary = "List the items of a folder",
		.args = "FOLDER",
		.args_min = 1,
		.args_max = 1,
		.complete = CLI_COMPLETE_DIR,
		.run = run_list},
	{.group = "collateral",
		.name = "expiry",
		.summary = "List the items by when they expire",
		.args = "FOLDER",
		.args_min = 1,
		.args_max = 1,
		.complete = CLI_COMPLETE_DIR,
		.exits = "0 all are good\n1 the folder cannot be read\n2 wrong usage\n3 an item is "
			 "malformed, has expired or expires soon",
		.options = g_expiry,
		.run = run_expiry},
	{.group = "collateral",
		.name = "export",
		.summary = "Make a signed bundle of a folder",
		.args = "FOLDER BUNDLE",
		.args_min = 2,
		.args_max = 2,
		.complete = CLI_COMPLETE_FILE,
		.details = "A bundle is one file to carry into a site without a network.",
		.options = g_export,
		.run = run_export},
	{.group = "collateral",
		.name = "import",
		.summary = "Check a signed bundle and put it into a folder",
		.args = "BUNDLE FOLDER",
		.args_min = 2,
		.args_max = 2,
		.complete = CLI_COMPLETE_FILE,
		.details =
			"Nothing is written unless the whole bundle is what was signed. Items of "
			"the folder that are newer stay.",
		.exits = "0 done\n1 a file cannot be read or written\n2 wrong usage\n3 the bundle "
			 "is not signed by one of the keys",
		.options = g_import,
		.run = run_import},
	{NULL},
};
