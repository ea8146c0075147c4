/* SPDX-License-Identifier: Apache-2.0 */
/*
 * husk kbs import, export: to and from the files of Trustee's key-value storage.
 *
 *   local_fs    DIR/NAMESPACE/KEY, where '/' in a key is the four characters \x2F
 *   local_json  DIR/NAMESPACE: a JSON object of key and base64
 *
 * Namespaces: repository (resources), kbs (resource policy), attestation_service_policy,
 * reference_value. Sessions are not worth moving, other namespaces are named and left. Folders of
 * Trustee before it had that storage are read, too: see kbs_move_old.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/kbs_backup.h"
#include "cli/kbs_move.h"
#include "fmt/json.h"

#define FILE_MAX KBS_MOVE_FILE_MAX
#define KEY_SIZE 512
#define SLASH "\\x2F"

typedef int (*entry_fn)(struct move *m, const char *key, struct slice content, struct err *reterr);

static int import_resource(
	struct move *m, const char *key, struct slice content, struct err *reterr)
{
	cleanup_with(buf_done) struct buf path = buf_init(4096);

	buf_put_str(&path, "resource/");
	kbs_path_part(&path, key);
	return kbs_admin_call(m->admin, "POST", buf_str(&path), "application/octet-stream", content,
		NULL, reterr);
}

/* Trustee's keys of policies end in .rego. */
static int import_policy(struct move *m, const char *key, struct slice content, struct err *reterr)
{
	cleanup(json_decref) json_t *message = json_object();
	cleanup_with(buf_done) struct buf body = buf_init(0);
	char id[KEY_SIZE];
	bool resource;
	int r;

	(void)!str_copy(id, sizeof(id), key);
	if (str_ends(id, ".rego"))
		id[strlen(id) - strlen(".rego")] = '\0';
	resource = streq(id, "resource-policy");
	r = resource ? 0 : json_set_str(message, "policy_id", id);
	if (r == 0)
		r = json_set_b64(message, "policy", content, B64_URL);
	if (r == 0)
		r = json_write(message, &body);
	return r < 0 ? r
		     : kbs_admin_call(m->admin, "POST",
			       resource ? "resource-policy" : "attestation-policy",
			       "application/json", buf_slice(&body), NULL, reterr);
}

static int import_reference(
	struct move *m, const char *key, struct slice content, struct err *reterr)
{
	cleanup(json_decref) json_t *record = NULL, *values = json_object();
	const char *name = NULL, *expiration = NULL;
	int64_t when = 0;

	int r = json_parse(content, FILE_MAX, &record, reterr);
	if (r == 0)
		r = json_get_str(record, "name", &name, reterr);
	if (r == 0)
		r = json_get_str(record, "expiration", &expiration, reterr);
	if (r == 0 && rfc3339_parse(slice_str(expiration), &when) < 0)
		r = err_set(reterr, -EBADMSG, "its expiration is no time");
	if (r < 0)
		return r;
	if (when <= clock_unix_s()) {
		/* Trustee goes on using these; here a value that ran out does not count. */
		cli_note(m->cli, "warning: reference value %s expired at %s and is left out", name,
			expiration);
		m->skipped++;
		m->done--;
		return 0;
	}
	r = json_set_take(values, name, json_incref(json_object_get(record, "value")));
	return r < 0 ? r : kbs_admin_register(m->admin, values, expiration, reterr);
}

static const struct {
	const char *name;
	entry_fn import;
} g_namespaces[] = {
	[KBS_MOVE_RESOURCE] = {"repository", import_resource},
	[KBS_MOVE_REFERENCE] = {"reference_value", import_reference},
	[KBS_MOVE_ATTESTATION] = {"attestation_service_policy", import_policy},
	[KBS_MOVE_KBS] = {"kbs", import_policy},
};

int kbs_move_entry(struct move *m, enum kbs_move_space ns, const char *key, struct slice content,
	struct err *reterr)
{
	int r;

	m->done++;
	r = g_namespaces[ns].import(m, key, content, reterr);
	return r < 0 ? err_wrap(reterr, r, "%s: %s", g_namespaces[ns].name, key) : 0;
}

/* File name to key. Return: 0, -E2BIG. */
static int unescape(const char *name, char ret[KEY_SIZE])
{
	size_t n = 0;

	while (*name) {
		if (n + 1 >= KEY_SIZE)
			return -E2BIG;
		if (str_starts(name, SLASH)) {
			ret[n++] = '/';
			name += strlen(SLASH);
		} else {
			ret[n++] = *name++;
		}
	}
	ret[n] = '\0';
	return 0;
}

int kbs_move_read(int dir, const char *name, struct buf *out, struct err *reterr)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : fd_read_all(fd, out);

	return r < 0 ? err_set(reterr, r, "%s: %s", name, strerror(-r)) : 0;
}

int kbs_move_file(struct move *m, enum kbs_move_space ns, int dir, const char *name,
	const char *key, struct err *reterr)
{
	cleanup_with(buf_done) struct buf content = buf_init_secret(FILE_MAX);
	int r = kbs_move_read(dir, name, &content, reterr);

	return r < 0 ? r : kbs_move_entry(m, ns, key, buf_slice(&content), reterr);
}

static int import_item(
	struct move *m, enum kbs_move_space ns, int dir, const char *name, struct err *reterr)
{
	char key[KEY_SIZE];
	int r = unescape(name, key);

	if (r < 0)
		return r;
	return ns == KBS_MOVE_RESOURCE && !strchr(key, '/')
		       ? kbs_move_old_resources(m, dir, key, reterr)
		       : kbs_move_file(m, ns, dir, name, key, reterr);
}

/* Sorted, so that two runs do the same in the same order. */
static int import_folder(struct move *m, size_t ns, int dir, struct err *reterr)
{
	struct dirent **names = NULL;
	int count = scandirat(dir, ".", &names, NULL, alphasort);
	int r = count < 0 ? -errno : 0;

	for (int i = 0; i < count; i++) {
		if (r == 0 && names[i]->d_name[0] != '.')
			r = import_item(m, ns, dir, names[i]->d_name, reterr);
		free(names[i]);
	}
	free(names);
	return r;
}

static int import_json(struct move *m, size_t ns, int fd, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret((size_t)256 << 20);
	cleanup(json_decref) json_t *map = NULL;
	const char *key;
	json_t *value;

	int r = fd_read_all(fd, &text);
	if (r == 0 && text.size > 0)
		r = json_parse(buf_slice(&text), text.max, &map, reterr);
	json_object_foreach (map, key, value) {
		cleanup_with(buf_done) struct buf content = buf_init_secret(FILE_MAX);

		if (r == 0 &&
			(!json_is_string(value) ||
				b64_decode_any(&content, slice_str(json_string_value(value))) < 0))
			r = err_set(reterr, -EBADMSG, "%s is not base64", key);
		if (r == 0)
			r = kbs_move_entry(m, ns, key, buf_slice(&content), reterr);
	}
	return r;
}

static int import_namespace(struct move *m, int root, size_t ns, struct err *reterr)
{
	const char *name = g_namespaces[ns].name;
	cleanup_fd int fd = openat(root, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(reterr, -errno, "%s: %m", name);
	r = S_ISDIR(st.st_mode) ? import_folder(m, ns, fd, reterr) : import_json(m, ns, fd, reterr);
	return r < 0 ? err_wrap(reterr, r, "%s", name) : 0;
}

/* What is there that this command does not move is said, not passed over. */
static void name_others(const struct move *m, int root)
{
	static const char *const known[] = {"repository", "reference_value",
		"attestation_service_policy", "kbs", "kbs_protocol_session"};
	struct dirent **names = NULL;
	int count = scandirat(root, ".", &names, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		size_t k = 0;

		while (k < ARRAY_COUNT(known) && !streq(known[k], names[i]->d_name))
			k++;
		if (k == ARRAY_COUNT(known) && names[i]->d_name[0] != '.')
			cli_note(m->cli, "warning: %s is not imported", names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

static int run_import(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	const char *dir = cli_opt(cli, "from-trustee");
	cleanup_fd int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct move m = {.cli = cli};
	struct err e = {0};
	int r = root < 0 ? err_set(&e, -errno, "%s: %m", dir) : kbs_admin_new(cli, &a, &e);

	m.admin = a;
	bool old = r == 0 && kbs_move_is_old(root);
	if (old)
		r = kbs_move_old(&m, root, &e);
	for (size_t i = 0; i < ARRAY_COUNT(g_namespaces) && r == 0 && !old; i++)
		r = import_namespace(&m, root, i, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "import stopped after %u of them", m.done - 1);
	if (m.done + m.skipped == 0) {
		(void)err_set(&e, -ENOENT, "%s holds no namespace of Trustee's storage", dir);
		return cli_fail(cli, -ENOENT, &e, NULL);
	}
	if (!old)
		name_others(&m, root);
	cli_note(cli, "imported %u, left out %u", m.done, m.skipped);
	return CLI_OK;
}

/* Key to file name. Return: 0, -EINVAL (no name for a file). */
static int escape(const char *key, struct buf *out)
{
	if (key[0] == '.' || key[0] == '\0')
		return -EINVAL;
	for (; *key; key++) {
		if (*key == '/')
			buf_put_str(out, SLASH);
		else
			buf_put_u8(out, (uint8_t)*key);
	}
	return out->size > 255 ? -EINVAL : buf_error(out);
}

static int write_entry(struct move *m, const char *dir, const char *ns, const char *key,
	struct slice content, struct err *reterr)
{
	cleanup_with(buf_done) struct buf path = buf_init(8192), name = buf_init(1024);
	int r = escape(key, &name);

	if (r < 0)
		return err_set(reterr, r, "%s cannot be the name of a file", key);
	buf_printf(&path, "%s/%s", dir, ns);
	r = path_make_dirs(buf_str(&path), 0700);
	buf_printf(&path, "/%s", buf_str(&name));
	if (r == 0)
		r = file_write_atomic(buf_str(&path), content, 0600, reterr);
	m->done += r == 0;
	return r;
}

/* Rows of a backup: see the columns in the store's backup.c. */
static const char *cell(const json_t *row, size_t column)
{
	const char *s = json_string_value(json_array_get(row, column));

	return s ? s : "";
}

static json_int_t number(const json_t *row, size_t column)
{
	return json_integer_value(json_array_get(row, column));
}

static int export_resources(
	struct move *m, const char *dir, const json_t *tables, struct err *reterr)
{
	const json_t *current = json_object_get(tables, "resource"), *row;
	const json_t *versions = json_object_get(tables, "resource_version"), *v;
	size_t i, k;
	int r = 0;

	json_array_foreach (current, i, row) {
		if (cell(row, 0)[0])
			continue;
		json_array_foreach (versions, k, v) {
			cleanup_with(buf_done) struct buf content = buf_init_secret(FILE_MAX);

			if (r < 0 || cell(v, 0)[0] || !streq(cell(v, 1), cell(row, 1)) ||
				number(v, 2) != number(row, 2))
				continue;
			r = b64_decode_any(&content, slice_str(cell(v, 8)));
			if (r == 0)
				r = write_entry(m, dir, "repository", cell(row, 1),
					buf_slice(&content), reterr);
		}
	}
	return r;
}

static bool is_newest(const json_t *policies, const json_t *row)
{
	size_t i;
	const json_t *other;

	json_array_foreach (policies, i, other) {
		if (!cell(other, 0)[0] && streq(cell(other, 1), cell(row, 1)) &&
			number(other, 2) > number(row, 2))
			return false;
	}
	return true;
}

static int export_policies(
	struct move *m, const char *dir, const json_t *tables, struct err *reterr)
{
	const json_t *policies = json_object_get(tables, "policy"), *row;
	size_t i;
	int r = 0;

	json_array_foreach (policies, i, row) {
		char key[KEY_SIZE];

		if (r < 0 || cell(row, 0)[0] || !is_newest(policies, row))
			continue;
		snprintf(key, sizeof(key), "%.500s.rego", cell(row, 1));
		r = write_entry(m, dir,
			streq(cell(row, 1), "resource-policy") ? "kbs"
							       : "attestation_service_policy",
			key, slice_str(cell(row, 6)), reterr);
	}
	return r;
}

static int export_references(
	struct move *m, const char *dir, const json_t *tables, struct err *reterr)
{
	const json_t *row;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(tables, "reference_value"), i, row) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		cleanup(json_decref) json_t *record = json_object(), *value = NULL;
		char expiration[RFC3339_SIZE];

		if (r < 0 || cell(row, 0)[0])
			continue;
		value = json_loads(cell(row, 5), JSON_DECODE_ANY, NULL);
		r = json_set_str(record, "version", cell(row, 2));
		if (r == 0)
			r = json_set_str(record, "name", cell(row, 1));
		if (r == 0)
			r = json_set_str(record, "expiration",
				rfc3339_format((int64_t)number(row, 3), expiration));
		if (r == 0)
			r = json_set_take(record, "value", json_incref(value));
		if (r == 0)
			r = json_write(record, &text);
		if (r == 0)
			r = write_entry(
				m, dir, "reference_value", cell(row, 1), buf_slice(&text), reterr);
	}
	return r;
}

static int run_export(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup(json_decref) json_t *backup = NULL;
	const char *dir = cli_opt(cli, "to-trustee");
	const json_t *tables;
	struct move m = {.cli = cli};
	struct err e = {0};
	int r = kbs_admin_new(cli, &a, &e);

	if (r == 0)
		r = kbs_backup_read(a, &backup, &e);
	tables = json_object_get(backup, "tables");
	if (r == 0)
		r = export_resources(&m, dir, tables, &e);
	if (r == 0)
		r = export_policies(&m, dir, tables, &e);
	if (r == 0)
		r = export_references(&m, dir, tables, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot export to %s", dir);
	cli_note(cli, "wrote %u files below %s, secrets among them", m.done, dir);
	return CLI_OK;
}

static const struct cli_option g_import[] = {
	KBS_OPTIONS,
	{"from-trustee", .arg = "DIR", .complete = CLI_COMPLETE_DIR, .required = true,
		.help = "the folder of Trustee's local_fs or local_json storage"},
	{NULL},
};
static const struct cli_option g_export[] = {
	KBS_OPTIONS,
	{"to-trustee", .arg = "DIR", .complete = CLI_COMPLETE_DIR, .required = true,
		.help = "folder to write, in the layout of Trustee's local_fs storage"},
	{NULL},
};

const struct cli_command cmds_kbs_move[] = {
	{.group = "kbs",
		.name = "import",
		.summary = "Move from Trustee: policies, resources and reference values",
		.details = "Reads the files of Trustee's key-value storage and stores everything "
			   "through the admin interface: each policy is compiled, each change is "
			   "in the audit log. What exists already gets a new version. Reference "
			   "values that have expired are named and left out.",
		.examples = "husk kbs import --from-trustee "
			    "/opt/confidential-containers/storage/local_fs",
		.options = g_import,
		.run = run_import},
	{.group = "kbs",
		.name = "export",
		.summary = "Write everything in Trustee's layout",
		.details = "The reverse of import, for what is outside tenants. The content of "
			   "resources is written in the clear; the export is in the audit log as a "
			   "backup.",
		.examples = "husk kbs export --to-trustee storage",
		.options = g_export,
		.run = run_export},
	{NULL},
};
