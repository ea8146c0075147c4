/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": names that differ by few edits. */
#include "rego/gql_walk.h"

#define NAME_MAX_SIZE 64
#define CHOICES_MAX 5

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Insertions, deletions and replacements; a difference in case only counts as one. */
static size_t distance(struct slice a, struct slice b)
{
	size_t row[NAME_MAX_SIZE + 1];
	bool same = a.size == b.size;
	if (slice_eq(a, b))
		return 0;
	if (a.size > NAME_MAX_SIZE || b.size > NAME_MAX_SIZE)
		return SIZE_MAX;
	for (size_t i = 0; same && i < a.size; i++)
		same = lower(a.data[i]) == lower(b.data[i]);
	if (same)
		return 1;
	for (size_t k = 0; k <= b.size; k++)
		row[k] = k;
	for (size_t i = 1; i <= a.size; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t k = 1; k <= b.size; k++) {
			size_t above = row[k];
			size_t change = diagonal + (lower(a.data[i - 1]) != lower(b.data[k - 1]));
			size_t other = MIN(above, row[k - 1]) + 1;
			row[k] = MIN(change, other);
			diagonal = above;
		}
	}
	return row[b.size];
}

struct slice gql_or_list(
	struct gql_walk *w, const char *prefix, const struct list *nodes, bool quoted)
{
	char text[1024];
	size_t n = 0;
	uint32_t count = MIN(nodes->count, (uint32_t)CHOICES_MAX);
	const char *quote = quoted ? "\"" : "";
	n += (size_t)snprintf(text, sizeof(text), " %.200s ", prefix);
	for (uint32_t i = 0; i < count && n < 800; i++) {
		struct slice name = gql_str(nodes->item[i], "Name");
		const char *joint = i == 0	    ? ""
				    : i + 1 < count ? ", "
				    : count == 2    ? " or "
						    : ", or ";
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "%s%s%.*s%s", joint, quote, ARG(name), quote);
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "?");
	return value_slice(value_string(w->c->m, slice_of(text, n)));
}

struct slice gql_similar(struct gql_walk *w, const char *prefix, struct slice typed,
	const struct list *nodes, bool quoted)
{
	size_t limit = typed.size * 2 / 5 + 1;
	struct list found = {0};
	for (size_t d = 0; d <= limit && found.count < CHOICES_MAX; d++)
		for (uint32_t i = 0; i < nodes->count && found.count < CHOICES_MAX; i++) {
			call_charge(w->c, 4);
			if (distance(typed, gql_str(nodes->item[i], "Name")) == d)
				list_push(w->c->m, &found, nodes->item[i]);
		}
	return found.count ? gql_or_list(w, prefix, &found, quoted) : SLICE_EMPTY;
}
