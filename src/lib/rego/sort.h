/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Stable merge sort in OPA's order: n log n comparisons whatever the input looks like. */
#include "rego/value.h"

void sort_values(struct mem *m, rv *item, size_t count);
void sort_pairs(struct mem *m, struct pair *pair, size_t count);
