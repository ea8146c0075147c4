/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The parser of patterns, which is in regex_frag.c, regex_set.c and regex_parse.c. */
#include "rego/regex.h"

/* Instructions with jumps relative to their own position, so that fragments can be moved. */
struct frag {
	struct re_insn *insn;
	uint32_t count;
};

enum {
	FLAG_FOLD = 1,	   /* i */
	FLAG_LINES = 2,	   /* m */
	FLAG_DOT_NL = 4,   /* s */
	FLAG_UNGREEDY = 8, /* U */
};

struct parser {
	struct mem *m;
	struct slice s;
	size_t at;
	unsigned flags;
	unsigned depth;
	uint32_t repeats; /* how often the innermost part of what was read last is repeated */
	const char *error;
	struct re_class *class;
	uint32_t class_count, class_capacity;
	uint32_t groups;
	struct slice *name;
	uint32_t name_capacity;
};

extern const struct frag re_nothing;

/* regex_frag.c: instructions, and the text that is left */
/* "WHAT: `PART`" in the words of Go's regexp, with the part of the pattern that is wrong. */
struct frag re_fail_part(struct parser *p, const char *what, size_t from, size_t to);
struct frag re_fail(struct parser *p, const char *what);
struct frag re_frag_new(struct parser *p, uint32_t count);
struct frag re_single(struct parser *p, enum re_op op, uint32_t x);
struct frag re_join(struct parser *p, struct frag a, struct frag b);
struct frag re_repeat(struct parser *p, struct frag a, int min, int max, bool lazy);
struct frag re_alternate(struct parser *p, struct frag a, struct frag b);
struct frag re_class_frag(struct parser *p, struct re_ranges *r, bool negate);
struct frag re_literal(struct parser *p, uint32_t code);
/* The next byte, -1 at the end. */
int re_peek(struct parser *p);
bool re_accept(struct parser *p, int c);
uint32_t re_next_rune(struct parser *p);

/* regex_set.c: what follows '[' and '\\' */
struct frag re_bracket(struct parser *p);
struct frag re_escape(struct parser *p);
