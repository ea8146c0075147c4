/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Regular expressions with RE2's syntax and semantics: leftmost-first matching over code points in
 * time linear in the text, whatever the pattern (a Pike machine; no backtracking). Programs are
 * bounded in size, so counted repetition cannot blow up either.
 */
#include "rego/value.h"

enum re_op {
	RE_CHAR,   /* code point x */
	RE_CLASS,  /* class x */
	RE_ANY,	   /* not a newline */
	RE_ANY_NL, /* anything */
	RE_SPLIT,  /* to x, then to y */
	RE_JUMP,   /* to x */
	RE_SAVE,   /* position to capture slot x */
	RE_ASSERT, /* enum re_assert x */
	RE_MATCH,
	RE_NEVER,
};

enum re_assert {
	RE_TEXT_BEGIN,
	RE_TEXT_END,
	RE_LINE_BEGIN,
	RE_LINE_END,
	RE_WORD,
	RE_NOT_WORD,
};

struct re_insn {
	uint32_t op;
	uint32_t x, y;
};

struct re_class {
	uint32_t *range;   /* from, to, ...; sorted, disjoint */
	uint32_t count;	   /* of pairs */
	uint64_t ascii[2]; /* the same for the first 128 code points, one bit each */
};

struct re_scratch;

struct regex {
	struct re_insn *insn;
	uint32_t count;
	struct re_class *class;
	uint32_t class_count;
	uint32_t groups;       /* capture groups, the whole match included */
	bool anchored;	       /* begins with \A */
	struct slice prefix;   /* every match begins with these bytes */
	uint32_t after_prefix; /* where a thread stands that has read them */
	struct re_scratch *scratch;
	struct slice *name; /* of groups; empty when unnamed */
};

#define RE_MAX_INSNS 20000
#define RE_MAX_REPEAT 1000
#define RE_MAX_DEPTH 250

/* Return: NULL and a static message when the pattern is no valid expression. */
struct regex *regex_compile(struct mem *m, struct slice pattern, const char **ret_error);

/* What searching needs, made once; @m must live as long as @re. */
void regex_prepare(struct mem *m, struct regex *re);

#define RE_NONE SIZE_MAX
/*
 * Leftmost match in @text at or after byte @from. @ret_slots gets 2 * groups offsets (RE_NONE for
 * groups that took no part); NULL: only whether there is a match. @meter, which may be NULL, is told
 * of the effort while it is made, and may jump out.
 */
struct re_meter {
	void (*charge)(void *cookie, uint64_t work);
	void *cookie;
};
bool regex_search(struct regex *re, struct slice text, size_t from, size_t *ret_slots,
	const struct re_meter *meter);

/* regex_class.c */
bool re_in_class(const struct re_class *c, uint32_t code);
struct re_ranges {
	uint32_t *range;
	uint32_t count, capacity; /* of pairs */
};
void re_ranges_add(struct mem *m, struct re_ranges *r, uint32_t from, uint32_t to);
void re_ranges_fold(struct mem *m, struct re_ranges *r);
void re_ranges_negate(struct mem *m, struct re_ranges *r);
void re_ranges_finish(struct re_ranges *r);
/* \d \w \s and so on; false when @c names no class. */
bool re_perl_class(struct mem *m, struct re_ranges *r, uint8_t c);
/* A name as in [:alpha:]. */
bool re_posix_class(struct mem *m, struct re_ranges *r, struct slice name);
/* A general category or script of \p{...}. */
bool re_unicode_class(struct mem *m, struct re_ranges *r, struct slice name);
