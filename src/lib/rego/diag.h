/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The errors of one compilation. All are kept; what is reported first is decided at the end. */
#include "rego/ast.h"

#define DIAG_TEXT_SIZE 2048

/* Codes of errors that hide no others: "rego_compile_error" and "rego_type_error". */
extern const char diag_soft[], diag_soft_type[];
/* "rego_type_error", found when all else is right. */
extern const char diag_late_type[];

struct diags {
	struct rego_diagnostic *item;
	uint32_t count, capacity;
};

/* Keep an error; silently lost when there is no memory for it or @m collects none. */
void diag_add(struct mem *m, const char *file, struct loc loc, const char *code, const char *text);
void diag_addf(struct mem *m, const char *file, struct loc loc, const char *code, const char *fmt,
	...) format_printf(5, 6);
/*
 * Drop errors that only follow from others: OPA compiles in stages and stops after the first one
 * that fails. Then sort by place.
 */
void diag_finish(struct diags *d);
