/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Metadata: a comment block that begins with "# METADATA" and goes on as YAML, above a package or a
 * rule. It is read where the compiler has a yaml.unmarshal (a built-in of the embedder), and is
 * what rego.metadata.rule() and rego.metadata.chain() stand for.
 *
 * Spec: OPA policy language, "Metadata".
 */
#include "rego/compile.h"

enum annotation_scope { SCOPE_RULE, SCOPE_DOCUMENT, SCOPE_PACKAGE, SCOPE_SUBPACKAGES };

struct annotation {
	struct annotation *next;
	struct module *module;
	const struct rule *rule; /* NULL: of the package */
	enum annotation_scope scope;
	uint32_t row;
	rv value;
};

/* Read and check the blocks of all modules; errors go to the diagnostics. */
void annotate_modules(struct rego_compiler *c);
/* The value of rego.metadata.rule() and .chain() in @rule. */
rv annotation_rule(struct rego_compiler *c, const struct rule *rule);
rv annotation_chain(struct rego_compiler *c, const struct rule *rule, const struct cgroup *group);
