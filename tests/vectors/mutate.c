/* SPDX-License-Identifier: Apache-2.0 */
#include "mutate.h"

#include <stdio.h>

#include "base/str.h"
#include "crypto/x509.h"

#define REASONS_MAX 64
#define PATH_SIZE 256

static struct {
	const char *why;
	size_t count;
} g_reasons[REASONS_MAX];
static size_t g_tried, g_parts;

static void count_free(const char *why)
{
	for (size_t i = 0; i < REASONS_MAX; i++) {
		if (!g_reasons[i].why)
			g_reasons[i].why = why;
		if (streq(g_reasons[i].why, why)) {
			g_reasons[i].count++;
			return;
		}
	}
}

size_t mutate_report(void)
{
	printf("%zu mutants of %zu parts of evidence\n", g_tried, g_parts);
	for (size_t i = 0; i < REASONS_MAX && g_reasons[i].why; i++)
		printf("  %zu accepted: %s\n", g_reasons[i].count, g_reasons[i].why);
	return g_tried;
}

/* Samples begin elsewhere in each case, and always at the same place. */
static size_t first_of(const struct vector *v, const char *part)
{
	size_t hash = 5381;

	for (const char *p = strrchr(v->dir, '/'); p && *p; p++)
		hash = hash * 33 + (uint8_t)*p;
	for (; *part; part++)
		hash = hash * 33 + (uint8_t)*part;
	return hash % v->mutate;
}

void mutate_range(struct mutation *m, struct slice part, const char *why)
{
	if (m->free_count < MUTATION_FREE_MAX && part.size > 0)
		m->free[m->free_count++] = (struct mutation_free){(size_t)(part.data - m->bytes),
			(size_t)(part.data - m->bytes) + part.size, why};
}

static const char *free_because(const struct mutation *m, size_t at)
{
	for (size_t i = 0; i < m->free_count; i++) {
		if (at >= m->free[i].from && at < m->free[i].to)
			return m->free[i].why;
	}
	return m->harmless ? m->harmless(m->ctx) : NULL;
}

int mutate_bytes(struct vector *v, const struct mutation *m)
{
	int r = m->accepted(m->ctx)
			? 0
			: vector_fail(v, "%s is refused before anything changed", m->part);

	g_parts++;
	for (size_t i = first_of(v, m->part); r == 0 && i < m->size; i += v->mutate) {
		const uint8_t bit = (uint8_t)(1U << i % 8);
		m->bytes[i] ^= bit;
		g_tried++;
		if (m->accepted(m->ctx)) {
			const char *why = free_because(m, i);
			if (why)
				count_free(why);
			else
				r = vector_fail(v,
					"%s with bit %zu of byte %zu flipped was accepted", m->part,
					i % 8, i);
		}
		m->bytes[i] ^= bit;
	}
	return r;
}

void mutate_ders(struct slice pem, struct buf *out)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----",
			  end[] = "-----END CERTIFICATE-----";
	const uint8_t *from, *to;

	while ((from = memmem(pem.data, pem.size, begin, sizeof(begin) - 1)) != NULL) {
		cleanup(cert_free) struct cert *c = NULL;
		pem = slice_cut(pem, (size_t)(from - pem.data), pem.size);
		to = memmem(pem.data, pem.size, end, sizeof(end) - 1);
		if (!to)
			return;
		size_t size = (size_t)(to - from) + sizeof(end) - 1;
		if (certs_from_pem(slice_cut(pem, 0, size), &c, 1, NULL) == 1)
			(void)!cert_to_der(c, out);
		pem = slice_cut(pem, size, pem.size);
	}
}

struct walk {
	struct vector *v;
	const struct json_mutation *m;
	char path[PATH_SIZE];
	size_t countdown;
};

/* Whether this place is one of the sample. */
static bool is_chosen(struct walk *w)
{
	if (w->countdown-- > 0)
		return false;
	w->countdown = w->v->mutate - 1;
	g_tried++;
	return true;
}

static int judge(struct walk *w, const json_t *value, size_t at)
{
	if (!w->m->accepted(w->m->ctx))
		return 0;
	const char *why = w->m->explain ? w->m->explain(w->m->ctx, w->path, value) : NULL;
	if (!why)
		return vector_fail(w->v, "%s with another value at %zu was accepted", w->path, at);
	count_free(why);
	return 0;
}

/* Both replacements are letters of hex, of all base64 and of PEM. */
static int flip_string(struct walk *w, json_t *s)
{
	cleanup(free_ptr) char *text = strdup(json_string_value(s));
	size_t size = json_string_length(s);
	int r = text ? 0 : -1;

	for (size_t i = 0; r == 0 && i < size; i++) {
		char was = text[i];
		if (!is_chosen(w))
			continue;
		text[i] = was == '0' ? '1' : '0';
		if (json_string_setn_nocheck(s, text, size) < 0)
			return -1;
		r = judge(w, s, i);
		text[i] = was;
	}
	return json_string_setn_nocheck(s, text ? text : "", size) < 0 ? -1 : r;
}

static int flip_value(struct walk *w, json_t *value);

static int flip_members(struct walk *w, json_t *value)
{
	const size_t end = strlen(w->path);
	const char *name;
	json_t *member;
	size_t i;
	int r = 0;

	json_object_foreach (value, name, member) {
		if (r == 0) {
			snprintf(w->path + end, PATH_SIZE - end, ".%s", name);
			r = flip_value(w, member);
			w->path[end] = 0;
		}
	}
	json_array_foreach (value, i, member) {
		if (r == 0) {
			snprintf(w->path + end, PATH_SIZE - end, "[%zu]", i);
			r = flip_value(w, member);
			w->path[end] = 0;
		}
	}
	return r;
}

/* Bounded by what husk's reader of JSON lets through. */
static int flip_value(struct walk *w, json_t *value)
{
	int r = 0;

	if (json_is_string(value))
		return flip_string(w, value);
	if (!json_is_integer(value))
		return flip_members(w, value);
	if (!is_chosen(w))
		return 0;
	json_integer_set(value, json_integer_value(value) ^ 1);
	r = judge(w, value, 0);
	json_integer_set(value, json_integer_value(value) ^ 1);
	return r;
}

int mutate_json(struct vector *v, const struct json_mutation *m)
{
	struct walk w = {.v = v, .m = m, .countdown = first_of(v, "")};

	g_parts++;
	return m->accepted(m->ctx)
		       ? flip_value(&w, m->evidence)
		       : vector_fail(v, "the evidence is refused before anything changed");
}
