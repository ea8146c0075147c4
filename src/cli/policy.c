/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_internal.h"

#include <dirent.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "regoext/regoext.h"

#define DEPTH_MAX 64

void policy_files_done(struct policy_files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->item[i].path);
		free(f->item[i].prefix);
		buf_done(&f->item[i].text);
	}
	free(f->item);
	*f = (struct policy_files){0};
}

static bool is_yaml(const char *path)
{
	return str_ends(path, ".yaml") || str_ends(path, ".yml");
}

int policy_new_file(struct policy_files *f, const char *path, const char *prefix,
	struct policy_file **ret, struct err *reterr)
{
	if (f->count >= POLICY_FILES_MAX)
		return err_set(reterr, -E2BIG, "more than %u files", POLICY_FILES_MAX);
	if (f->count == f->capacity) {
		size_t capacity = f->capacity ? f->capacity * 2 : 16;
		struct policy_file *more = realloc(f->item, capacity * sizeof(*more));
		if (!more)
			return -ENOMEM;
		f->item = more;
		f->capacity = capacity;
	}
	struct policy_file *p = &f->item[f->count++];
	*p = (struct policy_file){.path = strdup(path),
		.prefix = strdup(prefix),
		.text = buf_init(POLICY_FILE_MAX),
		.is_module = str_ends(path, ".rego"),
		.is_yaml = is_yaml(path)};
	*ret = p;
	return p->path && p->prefix ? 0 : -ENOMEM;
}

static int add_file(
	struct policy_files *f, const char *path, const char *prefix, struct err *reterr)
{
	struct policy_file *p = NULL;
	int r = policy_new_file(f, path, prefix, &p, reterr);
	return r < 0 ? r : file_read(path, POLICY_FILE_MAX, &p->text, reterr);
}

/* Whether the roots of a bundle's manifest allow a document at @prefix. */
static bool in_roots(const json_t *roots, const char *prefix)
{
	size_t i;
	json_t *root;
	if (!roots)
		return true;
	json_array_foreach (roots, i, root) {
		const char *r = json_string_value(root);
		size_t n = r ? strlen(r) : 0;
		if (r && (n == 0 || (str_starts(prefix, r) && (!prefix[n] || prefix[n] == '/'))))
			return true;
	}
	return false;
}

bool policy_ignored(const struct policy_files *f, const char *name)
{
	for (size_t i = 0; f->ignore && f->ignore[i]; i++)
		if (fnmatch(f->ignore[i], name, 0) == 0)
			return true;
	return false;
}

bool policy_wanted(const char *name, enum policy_kind kind)
{
	if (str_ends(name, ".rego"))
		return true;
	if (kind == POLICY_BUNDLE)
		return streq(name, "data.json") || streq(name, "data.yaml");
	return kind == POLICY_DATA && (str_ends(name, ".json") || is_yaml(name));
}

struct walk {
	struct policy_files *f;
	enum policy_kind kind;
	const json_t *roots;
	struct err *reterr;
};

static int walk_folder(struct walk *w, const char *path, const char *prefix, unsigned depth);

static int walk_entry(
	struct walk *w, const char *folder, const char *prefix, const char *name, unsigned depth)
{
	char path[4096], below[4096];
	struct stat st;
	if (streq(name, ".") || streq(name, "..") || policy_ignored(w->f, name))
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
		snprintf(below, sizeof(below), "%s%s%s", prefix, *prefix ? "/" : "", name) >=
			(int)sizeof(below))
		return err_set(
			w->reterr, -ENAMETOOLONG, "%s/%s: the path is too long", folder, name);
	if (stat(path, &st) != 0)
		return err_set(w->reterr, -errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return walk_folder(w, path, below, depth + 1);
	if (!S_ISREG(st.st_mode) || !policy_wanted(name, w->kind))
		return 0;
	if (!str_ends(name, ".rego") && !in_roots(w->roots, prefix))
		return err_set(w->reterr, -EBADMSG,
			"%s: the manifest of the bundle has no root for this document", path);
	return add_file(w->f, path, prefix, w->reterr);
}

static int walk_folder(struct walk *w, const char *path, const char *prefix, unsigned depth)
{
	struct dirent **names;
	if (depth > DEPTH_MAX)
		return err_set(w->reterr, -ELOOP, "%s: folders are nested too deeply", path);
	int n = scandir(path, &names, NULL, alphasort), r = 0;
	if (n < 0)
		return err_set(w->reterr, -errno, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = walk_entry(w, path, prefix, names[i]->d_name, depth);
		free(names[i]);
	}
	free(names);
	return r;
}

/* @ret_roots is NULL when the manifest names none. */
static int read_manifest(struct slice text, const char *name, json_t **ret,
	const json_t **ret_roots, struct err *reterr)
{
	json_error_t e;
	*ret = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(*ret))
		return err_set(reterr, -EBADMSG, "%s: not a JSON object", name);
	*ret_roots = json_object_get(*ret, "roots");
	if (*ret_roots && !json_is_array(*ret_roots))
		return err_set(reterr, -EBADMSG, "%s: \"roots\" is no array", name);
	return 0;
}

int policy_check_roots(const struct policy_files *f, size_t first, const char *name,
	struct slice manifest, struct err *reterr)
{
	char path[4200];
	cleanup(json_decref) json_t *json = NULL;
	const json_t *roots = NULL;
	snprintf(path, sizeof(path), "%s/.manifest", name);
	int r = read_manifest(manifest, path, &json, &roots, reterr);
	for (size_t i = first; r == 0 && i < f->count; i++)
		if (!f->item[i].is_module && !in_roots(roots, f->item[i].prefix))
			r = err_set(reterr, -EBADMSG,
				"%s: the manifest of the bundle has no root for this document",
				f->item[i].path);
	return r;
}

static int load_bundle(struct policy_files *f, const char *path, struct err *reterr)
{
	char name[4096];
	cleanup_with(buf_done) struct buf text = buf_init(POLICY_FILE_MAX);
	cleanup(json_decref) json_t *manifest = NULL;
	struct walk w = {f, POLICY_BUNDLE, NULL, reterr};
	snprintf(name, sizeof(name), "%s/.manifest", path);
	int r = file_read(name, POLICY_FILE_MAX, &text, NULL);
	if (r < 0 && r != -ENOENT)
		return err_set(reterr, r, "cannot read %s", name);
	if (r == 0)
		r = read_manifest(buf_slice(&text), name, &manifest, &w.roots, reterr);
	return r < 0 && r != -ENOENT ? r : walk_folder(&w, path, "", 0);
}

int policy_load(struct policy_files *f, const char *path, enum policy_kind kind, struct err *reterr)
{
	char prefix[1024] = "";
	struct stat st;
	const char *colon = strchr(path, ':');
	if (kind == POLICY_DATA && colon && strncmp(path, "file:", 5) != 0 &&
		stat(path, &st) != 0) {
		/* a.b:FILE */
		if (colon - path >= (ptrdiff_t)sizeof(prefix))
			return err_set(
				reterr, -ENAMETOOLONG, "%.40s...: the prefix is too long", path);
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(colon - path), path);
		for (char *p = prefix; *p; p++)
			*p = *p == '.' ? '/' : *p;
		if (str_starts(prefix, "data/"))
			memmove(prefix, prefix + 5, strlen(prefix + 5) + 1);
		path = colon + 1;
	}
	if (str_starts(path, "file://"))
		path += 7;
	if (stat(path, &st) != 0)
		return err_set(reterr, -errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		struct walk w = {f, kind, NULL, reterr};
		return kind == POLICY_BUNDLE ? load_bundle(f, path, reterr)
					     : walk_folder(&w, path, prefix, 0);
	}
	if (kind == POLICY_BUNDLE)
		return policy_load_archive(f, path, reterr);
	if (str_ends(path, ".rego") ||
		(kind == POLICY_DATA && (str_ends(path, ".json") || is_yaml(path))))
		return add_file(f, path, prefix, reterr);
	return err_set(reterr, -EBADMSG, "%s: unrecognized file", path);
}

int policy_add_modules(const struct policy_files *f, struct rego_compiler *c, struct err *reterr)
{
	int first = 0;
	for (size_t i = 0; i < f->count; i++) {
		struct err e = {0};
		if (!f->item[i].is_module)
			continue;
		int r = rego_compiler_module(c, f->item[i].path, buf_slice(&f->item[i].text), &e);
		if (r < 0 && first == 0) {
			first = r;
			if (reterr)
				*reterr = e;
		}
	}
	return first;
}

/* --- documents --- */

/* By the built-in that policies have for it. */
static int yaml_to_json(struct slice text, struct buf *out, struct err *reterr)
{
	struct rego_eval_options o = {.strict_errors = true, .max_memory = (size_t)1 << 30};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	enum rego_outcome outcome = REGO_UNDEFINED;
	const struct rego_value *v = NULL;
	int r = c ? regoext_register(c) : -ENOMEM;
	if (r == 0)
		r = rego_compiler_module(c, "yaml",
			SLICE_LIT("package yaml_document\n\nv := yaml.unmarshal(input)"), reterr);
	if (r == 0)
		r = rego_compiler_finish(c, &p, reterr);
	if (r < 0)
		return r;
	cleanup(rego_eval_free) struct rego_eval *e = rego_eval_new(p, &o);
	if (!e)
		return -ENOMEM;
	rego_eval_input(e, rego_make_string(e, text));
	r = rego_eval_path(e, "data.yaml_document.v", &outcome, &v, reterr);
	if (r == REGO_ERR_BUILTIN || (r == 0 && outcome != REGO_VALUE))
		return r < 0 ? -EBADMSG : err_set(reterr, -EBADMSG, "not YAML");
	if (r == 0) {
		rego_json(out, v);
		r = buf_error(out);
	}
	return r;
}

int policy_parse(struct rego_eval *e, struct slice text, bool yaml, const struct rego_value **ret,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf json = buf_init((size_t)1 << 30);
	if (!yaml)
		return rego_make_json(e, text, ret, reterr);
	int r = yaml_to_json(text, &json, reterr);
	return r < 0 ? r : rego_make_json(e, buf_slice(&json), ret, reterr);
}

/* Both or one of two documents; objects are joined, anything else does not fit. */
static int join(struct rego_eval *e, const struct rego_value *a, const struct rego_value *b,
	const struct rego_value **ret, unsigned depth)
{
	if (rego_type(a) != REGO_OBJECT || rego_type(b) != REGO_OBJECT || depth > DEPTH_MAX * 2)
		return -EEXIST;
	size_t n = rego_count(a), m = rego_count(b), k = 0;
	const struct rego_value **pair = calloc((n + m) * 2 + 1, sizeof(*pair));
	int r = pair ? 0 : -ENOMEM;
	for (size_t i = 0, j = 0; r == 0 && (i < n || j < m);) {
		int order = i == n ? 1 : j == m ? -1 : rego_compare(rego_key(a, i), rego_key(b, j));
		pair[k] = order <= 0 ? rego_key(a, i) : rego_key(b, j);
		if (order == 0)
			r = join(e, rego_item(a, i), rego_item(b, j), &pair[k + 1], depth + 1);
		else
			pair[k + 1] = order < 0 ? rego_item(a, i) : rego_item(b, j);
		i += order <= 0;
		j += order >= 0;
		k += 2;
	}
	if (r == 0) {
		*ret = rego_make_object(e, pair, k / 2);
		r = *ret ? 0 : REGO_ERR_MEMORY;
	}
	free(pair);
	return r;
}

/* @v below the names of @prefix. */
static const struct rego_value *nest(
	struct rego_eval *e, const char *prefix, const struct rego_value *v)
{
	for (size_t end = strlen(prefix); v && end > 0;) {
		size_t from = end;
		while (from > 0 && prefix[from - 1] != '/')
			from--;
		const struct rego_value *pair[] = {
			rego_make_string(e, slice_of(prefix + from, end - from)), v};
		v = pair[0] ? rego_make_object(e, pair, 1) : NULL;
		end = from ? from - 1 : 0;
	}
	return v;
}

int policy_documents(const struct policy_files *f, struct rego_eval *e,
	const struct rego_value **ret, struct err *reterr)
{
	const struct rego_value *all = rego_make_object(e, NULL, 0);
	for (size_t i = 0; all && i < f->count; i++) {
		const struct policy_file *p = &f->item[i];
		const struct rego_value *v = NULL;
		if (p->is_module)
			continue;
		int r = policy_parse(e, buf_slice(&p->text), p->is_yaml, &v, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "%s", p->path);
		v = nest(e, p->prefix, v);
		r = v ? join(e, all, v, &all, 0) : REGO_ERR_MEMORY;
		if (r == -EEXIST)
			return err_set(reterr, -EBADMSG,
				"%s: does not fit together with the documents before it", p->path);
		if (r < 0)
			return r;
	}
	if (!all)
		return REGO_ERR_MEMORY;
	if (ret)
		*ret = all;
	return rego_eval_data(e, all);
}

/* --- output --- */

void policy_put_string(struct buf *out, const char *text)
{
	buf_put_u8(out, '"');
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_put_str(out, "\\n");
		else if (c < 0x20)
			buf_printf(out, "\\u%04x", c);
		else
			buf_put_u8(out, c);
	}
	buf_put_u8(out, '"');
}

static void line(struct buf *out, unsigned indent)
{
	buf_printf(out, "\n%*s", (int)indent, "");
}

void policy_json(struct buf *out, const struct rego_value *v, unsigned indent)
{
	bool object = rego_type(v) == REGO_OBJECT;
	size_t n = rego_count(v);
	if (rego_type(v) < REGO_ARRAY || n == 0) {
		rego_json(out, v);
		return;
	}
	buf_put_u8(out, object ? '{' : '[');
	for (size_t i = 0; i < n; i++) {
		buf_put_str(out, i ? "," : "");
		line(out, indent + 2);
		if (object && rego_type(rego_key(v, i)) == REGO_STRING) {
			rego_json(out, rego_key(v, i));
		} else if (object) {
			struct buf key = buf_init(0);
			rego_json(&key, rego_key(v, i));
			policy_put_string(out, buf_str(&key));
			buf_done(&key);
		}
		buf_put_str(out, object ? ": " : "");
		policy_json(out, rego_item(v, i), indent + 2);
	}
	line(out, indent);
	buf_put_u8(out, object ? '}' : ']');
}
