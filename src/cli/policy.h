/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Policies and documents from files, as the commands of `husk policy` (and anything else that takes
 * them from a command line) load them.
 *
 * A folder given as data is read whole: *.rego are modules; each *.json is a document, found below
 * `data` under the names of the folders it lies in. A folder given as a bundle takes only data.json
 * for documents and honours the roots of its .manifest; so does one in an archive (.tar.gz, .tar). A single document stands at the root of
 * `data`. "a.b:FILE" puts it below data.a.b.
 */
#include "base/buf.h"
#include "cli/cli.h"
#include "rego/rego.h"

#define POLICY_FILE_MAX ((size_t)64 << 20)
#define POLICY_FILES_MAX 20000u

struct policy_file {
	char *path;   /* as shown in messages */
	char *prefix; /* where a document stands below data: names separated by '/' */
	struct buf text;
	bool is_module;
	bool is_yaml;
};

struct policy_files {
	struct policy_file *item;
	size_t count, capacity;
	const char *const *ignore; /* patterns of names to leave out; ends with NULL; may be NULL */
};

enum policy_kind {
	POLICY_DATA,
	POLICY_BUNDLE,
	POLICY_MODULES, /* only *.rego; a document is an error when named itself */
};

/**
 * policy_load() - add a file or a folder
 * Return: 0, -ENOENT and kin, -E2BIG, -EBADMSG (a file of no known kind, a bad manifest), -ENOMEM;
 * @reterr names the path.
 */
must_check int policy_load(
	struct policy_files *f, const char *path, enum policy_kind kind, struct err *reterr);
void policy_files_done(struct policy_files *f);

/**
 * policy_add_modules() - give all modules to a compiler
 * Return: 0, or the first error; all errors are in rego_compiler_diagnostics().
 */
must_check int policy_add_modules(
	const struct policy_files *f, struct rego_compiler *c, struct err *reterr);

/**
 * policy_documents() - parse all documents, join them and make them the base document of @e
 * @ret: the value, for later evaluations of @e; may be NULL
 * Return: 0, -EBADMSG (not JSON, or two documents that do not fit together; @reterr names the
 * file), REGO_ERR_MEMORY.
 */
must_check int policy_documents(const struct policy_files *f, struct rego_eval *e,
	const struct rego_value **ret, struct err *reterr);

/** policy_parse() - JSON, or YAML when @is_yaml; errors as rego_make_json() */
must_check int policy_parse(struct rego_eval *e, struct slice text, bool is_yaml,
	const struct rego_value **ret, struct err *reterr);

/** policy_json() - @v as JSON, indented by two blanks */
void policy_json(struct buf *out, const struct rego_value *v, unsigned indent);
/** policy_put_string() - a JSON string */
void policy_put_string(struct buf *out, const char *text);
