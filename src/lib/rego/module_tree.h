/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A parsed module as rego.parse_module returns it. */
#include "rego/ast.h"

rv module_tree(struct mem *m, const struct module *module);
