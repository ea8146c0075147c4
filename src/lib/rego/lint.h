/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Checks of names in source trees, before anything is resolved. */
#include "rego/compile.h"

/* Declared twice, used before, unused, shadowing; reports to the diagnostics and goes on. */
void lint_modules(struct rego_compiler *c);
/* Imports that nothing used, once all is resolved: strict mode. */
void lint_unused_imports(struct rego_compiler *c);
/* The text of an import, as messages show it. */
void lint_import_text(char *dst, size_t size, const struct import *imp);
