/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of Trustee before its key-value storage, as /opt/confidential-containers:
 *
 *   kbs/repository/REPOSITORY/TYPE/TAG                           resources
 *   kbs/policy.rego                                              resource policy
 *   attestation-service/opa/ID.rego                              attestation policies, and
 *   attestation-service/token/{simple,ear}/policies/opa/ID.rego  where they went later
 *   attestation-service/reference_values.json                    an array of reference values
 *
 * Reference values in a database (a folder of that name) are named and left.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/kbs_move.h"
#include "fmt/json.h"

#define REFERENCES "attestation-service/reference_values"
#define DEPTH 3 /* repository, type, tag */

static bool is_there(int root, const char *path)
{
	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool kbs_move_is_old(int root)
{
	return is_there(root, "kbs/repository") || is_there(root, "attestation-service");
}

/* Sorted, so that two runs do the same in the same order. @level: of the entries of @dir. */
static int walk(struct move *m, int dir, const char *prefix, int level, struct err *reterr)
{
	struct dirent **names = NULL;
	int count = scandirat(dir, ".", &names, NULL, alphasort);
	int r = count < 0 ? err_set(reterr, -errno, "%s: %m", prefix) : 0;

	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;
		cleanup_with(buf_done) struct buf key = buf_init(4096);
		if (r == 0 && name[0] != '.') {
			buf_printf(&key, "%s%s%s", prefix, prefix[0] ? "/" : "", name);
			r = buf_error(&key);
			cleanup_fd int sub =
				r < 0 || level == DEPTH
					? -1
					: openat(dir, name,
						  O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			if (sub >= 0)
				r = walk(m, sub, buf_str(&key), level + 1, reterr);
			else if (r == 0 && level == DEPTH)
				r = kbs_move_file(
					m, KBS_MOVE_RESOURCE, dir, name, buf_str(&key), reterr);
			else if (r == 0)
				r = err_set(reterr, -EBADMSG, "%s is no folder", buf_str(&key));
		}
		free(names[i]);
	}
	free(names);
	return r;
}

int kbs_move_old_resources(struct move *m, int dir, const char *repository, struct err *reterr)
{
	cleanup_fd int fd =
		openat(dir, repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? err_set(reterr, -errno, "%s: %m", repository)
		      : walk(m, fd, repository, 2, reterr);
}

static int policies(struct move *m, int root, const char *path, struct err *reterr)
{
	cleanup_fd int dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int count = dir < 0 ? 0 : scandirat(dir, ".", &names, NULL, alphasort);
	int r = count < 0 ? err_set(reterr, -errno, "%s: %m", path) : 0;

	for (int i = 0; i < count; i++) {
		if (r == 0 && str_ends(names[i]->d_name, ".rego"))
			r = kbs_move_file(m, KBS_MOVE_ATTESTATION, dir, names[i]->d_name,
				names[i]->d_name, reterr);
		free(names[i]);
	}
	free(names);
	return r;
}

/* The oldest form: "hash-value": [{"alg", "value"}]. */
static int modernize(json_t *record)
{
	const json_t *hashes = json_object_get(record, "hash-value"), *hash;
	json_t *values = json_array();
	size_t i;

	if (json_object_get(record, "value") || !hashes) {
		json_decref(values);
		return 0;
	}
	json_array_foreach (hashes, i, hash) {
		json_t *value = json_object_get(hash, "value");
		if (!json_is_string(value) || json_array_append(values, value) < 0) {
			json_decref(values);
			return -EBADMSG;
		}
	}
	return json_set_take(record, "value", values);
}

static int references(struct move *m, int root, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(KBS_MOVE_FILE_MAX);
	cleanup(json_decref) json_t *list = NULL;
	json_t *record;
	size_t i;

	int r = kbs_move_read(root, REFERENCES ".json", &text, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&text), KBS_MOVE_FILE_MAX, &list, reterr);
	if (r == 0 && !json_is_array(list))
		r = err_set(reterr, -EBADMSG, REFERENCES ".json is no array");
	json_array_foreach (list, i, record) {
		cleanup_with(buf_done) struct buf one = buf_init(KBS_MOVE_FILE_MAX);
		const char *name = json_string_value(json_object_get(record, "name"));
		if (r == 0)
			r = modernize(record);
		if (r == 0)
			r = json_write(record, &one);
		if (r == 0)
			r = kbs_move_entry(m, KBS_MOVE_REFERENCE, name ? name : "(no name)",
				buf_slice(&one), reterr);
	}
	return r;
}

int kbs_move_old(struct move *m, int root, struct err *reterr)
{
	static const char *const folders[] = {"attestation-service/opa",
		"attestation-service/token/simple/policies/opa",
		"attestation-service/token/ear/policies/opa"};
	cleanup_fd int repository =
		openat(root, "kbs/repository", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (repository >= 0)
		r = walk(m, repository, "", 1, reterr);
	if (r == 0 && is_there(root, "kbs/policy.rego"))
		r = kbs_move_file(
			m, KBS_MOVE_KBS, root, "kbs/policy.rego", "resource-policy.rego", reterr);
	for (size_t i = 0; i < ARRAY_COUNT(folders) && r == 0; i++)
		r = policies(m, root, folders[i], reterr);
	if (r == 0 && is_there(root, REFERENCES ".json"))
		r = references(m, root, reterr);
	if (r == 0 && is_there(root, REFERENCES))
		cli_note(m->cli, "warning: " REFERENCES " is not imported: it is a database");
	return r;
}
