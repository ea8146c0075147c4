/* SPDX-License-Identifier: Apache-2.0 */
/* Checks over the whole program: no rule may need its own value. */
#include "base/buf.h"
#include "rego/compile.h"

struct visit {
	uint32_t group;
	uint32_t next; /* dependency to look at */
};

/* Each rule of the cycle is an error, with the way from it back to itself. */
static void report(struct rego_compiler *c, struct cgroup **by_id, const struct visit *stack,
	uint32_t depth, uint32_t again)
{
	uint32_t from = depth;
	while (from > 0 && stack[from - 1].group != again)
		from--;
	from = from ? from - 1 : 0;
	uint32_t length = depth - from;
	for (uint32_t start = 0; start < length; start++) {
		struct buf text = buf_init(DIAG_TEXT_SIZE);
		for (uint32_t i = 0; i <= length; i++)
			buf_printf(&text, "%s%s", i ? " -> " : "",
				by_id[stack[from + (start + i) % length].group]->group->path);
		const struct cgroup *g = by_id[stack[from + start].group];
		diag_addf(&c->mem, g->file, g->loc, "rego_recursion_error",
			"rule %s is recursive: %s", g->group->path, buf_str(&text));
		buf_done(&text);
	}
}

/* Depth-first over the dependencies with a stack of our own. */
void check_recursion(struct rego_compiler *c)
{
	uint32_t count = c->group_count;
	struct cgroup **by_id = mem_array(&c->mem, count + 1, sizeof(*by_id));
	for (struct cgroup *g = c->groups; g; g = g->next)
		by_id[g->group->id] = g;
	uint8_t *state = mem_array(&c->mem, count + 1, 1); /* 1: on the stack, 2: done */
	struct visit *stack = mem_array(&c->mem, count + 1, sizeof(*stack));
	for (uint32_t start = 0; start < count; start++) {
		if (state[start])
			continue;
		uint32_t depth = 0;
		stack[depth++] = (struct visit){.group = start};
		state[start] = 1;
		while (depth > 0) {
			struct visit *v = &stack[depth - 1];
			struct cgroup *g = by_id[v->group];
			if (v->next == g->dep_count) {
				state[v->group] = 2;
				depth--;
				continue;
			}
			uint32_t to = g->dep[v->next++];
			if (state[to] == 1)
				report(c, by_id, stack, depth, to);
			if (state[to] == 0) {
				state[to] = 1;
				stack[depth++] = (struct visit){.group = to};
			}
		}
	}
}
