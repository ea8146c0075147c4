/* SPDX-License-Identifier: Apache-2.0 */
/* The example of docs/rego.md: it compiles, does what it says, and is the one in the document. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"

/* example begins */
#include "base/buf.h"
#include "rego/rego.h"

static const char policy[] = "package door\n"
			     "\n"
			     "default open := false\n"
			     "\n"
			     "open if {\n"
			     "\tinput.badge in data.badges\n"
			     "\thour(input.time) < 20\n"
			     "}\n";

/* A built-in of the embedder: hour("18:30") is 18. */
static int hour(struct rego_call *call, const struct rego_value *const *args, size_t count,
	const struct rego_value **ret)
{
	struct slice s = rego_text(args[0]);
	if (s.size != 5 || s.data[2] != ':')
		return rego_call_fail(call, "not a time");
	*ret = rego_make_int(rego_call_eval(call), (s.data[0] - '0') * 10 + s.data[1] - '0');
	return *ret ? 0 : REGO_ERR_MEMORY;
}

/* Once: source to an immutable program. */
static int load(struct rego_program **ret, struct err *e)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	if (!c)
		return -ENOMEM;
	int r = rego_compiler_builtin(c, "hour", 1, hour);
	if (r == 0)
		r = rego_compiler_module(c, "door.rego", slice_str(policy), e);
	return r < 0 ? r : rego_compiler_finish(c, ret, e);
}

/* Many times: 1 open, 0 closed, negative errno. @why gets what decided when it stays closed. */
static int ask(const struct rego_program *p, const char *input, struct buf *why, struct err *e)
{
	struct rego_eval_options o = {.max_steps = 100000, .max_memory = 1 << 20};
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, &o);
	enum rego_outcome outcome;
	const struct rego_value *v;
	if (!ev)
		return -ENOMEM;
	int r = rego_eval_data_json(ev, SLICE_LIT("{\"badges\": [17, 23]}"), e);
	if (r == 0)
		r = rego_eval_input_json(ev, slice_str(input), e);
	rego_eval_explain(ev, true);
	if (r == 0)
		r = rego_eval_path(ev, "data.door.open", &outcome, &v, e);
	if (r < 0)
		return r;
	/* A rule that is missing or undefined opens nothing. */
	if (outcome == REGO_VALUE && rego_is_true(v))
		return 1;
	rego_explain_text(ev, why);
	return 0;
}
/* example ends */

static void test_example(void **state)
{
	cleanup(rego_program_free) struct rego_program *p = NULL;
	cleanup_with(buf_done) struct buf why = {0};
	struct err e = {0};
	assert_int_equal(load(&p, &e), 0);
	assert_int_equal(ask(p, "{\"badge\": 17, \"time\": \"18:30\"}", &why, &e), 1);
	assert_int_equal(why.size, 0);
	assert_int_equal(ask(p, "{\"badge\": 4, \"time\": \"18:30\"}", &why, &e), 0);
	assert_string_equal(buf_str(&why),
		"door.rego:6: data.door.open: input.badge in data.badges: "
		"4 is not in [17, 23]\n");
	buf_clear(&why);
	assert_int_equal(ask(p, "{\"badge\": 23, \"time\": \"21:00\"}", &why, &e), 0);
	assert_string_equal(buf_str(&why), "door.rego:7: data.door.open: hour(input.time) < 20: "
					   "21 is not less than 20\n");
	assert_int_equal(ask(p, "{", &why, &e), -EBADMSG);
}

static void cut(const struct buf *from, const char *begin, const char *end, struct slice *ret)
{
	const char *a = strstr(buf_str(from), begin);
	assert_non_null(a);
	a += strlen(begin);
	const char *b = strstr(a, end);
	assert_non_null(b);
	*ret = slice_of(a, (size_t)(b - a));
}

static void test_document(void **state)
{
	cleanup_with(buf_done) struct buf doc = {0}, source = {0};
	struct slice a, b;
	assert_int_equal(file_read(HUSK_SOURCE "/docs/rego.md", 1 << 20, &doc, NULL), 0);
	assert_int_equal(
		file_read(HUSK_SOURCE "/tests/unit/test-rego-example.c", 1 << 20, &source, NULL),
		0);
	cut(&doc, "```c\n", "```\n", &a);
	cut(&source, "/* example begins */\n", "/* example ends */\n", &b);
	assert_true(slice_eq(a, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example), cmocka_unit_test(test_document)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
