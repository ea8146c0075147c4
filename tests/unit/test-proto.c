/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the gRPC services: golden bytes, what is refused, and what an attacker could blow up. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "fmt/json.h"
#include "trustee/proto/proto.h"

/* Wire type 2: a field with its length. */
static void put(struct buf *out, unsigned field, struct slice value)
{
	size_t n = value.size;

	buf_put_u8(out, (uint8_t)(field << 3 | 2));
	for (; n > 127; n >>= 7)
		buf_put_u8(out, (uint8_t)(n | 128));
	buf_put_u8(out, (uint8_t)n);
	buf_put_slice(out, value);
}

static void put_text(struct buf *out, unsigned field, const char *value)
{
	put(out, field, slice_str(value));
}

static void golden(struct buf *out)
{
	cleanup_with(buf_done) struct buf a = buf_init(0), b = buf_init(0);

	put_text(&a, 1, "sample");
	put_text(&a, 3, "e30");
	put_text(&a, 5, "{\"b\":[1,null],\"a\":\"x\"}");
	put_text(&a, 6, "AAAA");
	put_text(&a, 8, "sha512");
	put_text(&b, 1, "tdx");
	put_text(&b, 3, "e30");
	put_text(&b, 4, "AQID");
	put_text(&b, 7, "version = 1");
	put_text(&b, 15, "a field of tomorrow");
	put(out, 1, buf_slice(&a));
	put(out, 1, buf_slice(&b));
	put_text(out, 2, "mine");
	put_text(out, 2, "other");
}

static const char g_json[] =
	"{\"policy_ids\":[\"mine\",\"other\"],\"verification_requests\":[{\"evidence\":\"e30\","
	"\"init_data\":{\"init_data_digest\":\"AAAA\"},\"runtime_data\":{\"structured\":{\"a\":\"x\","
	"\"b\":[1,null]}},\"runtime_data_hash_algorithm\":\"sha512\",\"tee\":\"sample\"},"
	"{\"evidence\":\"e30\",\"init_data\":{\"init_data_toml\":\"version = 1\"},\"runtime_data\":{"
	"\"raw\":\"AQID\"},\"tee\":\"tdx\"}]}";

static void assert_json(const json_t *j, const char *want)
{
	cleanup(free_ptr) char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, want);
}

static void test_evaluate(void **state)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0), again = buf_init(0);
	cleanup(json_decref) json_t *j = NULL, *k = NULL;

	golden(&bytes);
	assert_int_equal(proto_read_evaluate(buf_slice(&bytes), &j, NULL), 0);
	assert_json(j, g_json);
	/* And back, as the client writes it. */
	assert_int_equal(proto_put_evaluate(&again, j, NULL), 0);
	assert_int_equal(proto_read_evaluate(buf_slice(&again), &k, NULL), 0);
	assert_json(k, g_json);
	/* No cut of it passes for the whole. */
	for (size_t n = 0; n < bytes.size; n++) {
		json_t *cut = NULL;

		if (proto_read_evaluate(slice_of(bytes.data, n), &cut, NULL) == 0)
			assert_false(json_equal(cut, j));
		json_decref(cut);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		unsigned field;
		struct slice value;
	} rows[] = {
		{"tee is not UTF-8", 1, SLICE_LIT("\xff")},
		{"structured data is not JSON", 5, SLICE_LIT("{")},
		{"structured data has a name twice", 5, SLICE_LIT("{\"a\":1,\"a\":2}")},
		{"structured data has bytes behind it", 5, SLICE_LIT("{} x")},
		{"init data is not UTF-8", 7, SLICE_LIT("\xc0\x80")},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf one = buf_init(0), all = buf_init(0);
		struct err e = {0};
		json_t *j = NULL;

		put(&one, rows[i].field, rows[i].value);
		put(&all, 1, buf_slice(&one));
		if (proto_read_evaluate(buf_slice(&all), &j, &e) >= 0)
			fail_msg("accepted: %s", rows[i].name);
		assert_null(j);
	}
}

/* Two bytes each on the wire, over a hundred in memory. */
static void test_budget(void **state)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0);
	struct err e = {0};
	json_t *j = NULL;

	for (int i = 0; i < 2000000; i++)
		put(&bytes, 1, SLICE_EMPTY);
	assert_int_equal(proto_read_evaluate(buf_slice(&bytes), &j, &e), -EBADMSG);
}

static void test_challenge(void **state)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0), entry = buf_init(0);
	cleanup(json_decref) json_t *j = NULL;

	proto_put_challenge_request(&bytes, "snp", "{}");
	assert_int_equal(proto_read_challenge(buf_slice(&bytes), &j, NULL), 0);
	assert_json(j, "{\"tee\":\"snp\",\"tee_params\":\"{}\"}");
	put_text(&entry, 1, "tee");
	put_text(&entry, 2, "tdx");
	put(&bytes, 1, buf_slice(&entry));
	json_t *twice = NULL;
	assert_int_equal(proto_read_challenge(buf_slice(&bytes), &twice, NULL), -EBADMSG);
}

static void test_value(void **state)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0);
	json_t *j = NULL;

	proto_put_value(&bytes, NULL);
	assert_int_equal(bytes.size, 0);
	assert_int_equal(proto_read_value(buf_slice(&bytes), &j, NULL), 0);
	assert_null(j);
	/* Present and null is something else than absent. */
	proto_put_value(&bytes, "null");
	assert_int_equal(proto_read_value(buf_slice(&bytes), &j, NULL), 0);
	assert_true(json_is_null(j));
	buf_clear(&bytes);
	proto_put_value(&bytes, "{");
	assert_int_equal(proto_read_value(buf_slice(&bytes), &j, NULL), -EBADMSG);
	assert_null(j);
}

static void test_small_messages(void **state)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0), text = buf_init(0);
	cleanup(json_decref) json_t *j = NULL;

	proto_put_policy(&bytes, "id", "text");
	assert_int_equal(proto_read_policy(buf_slice(&bytes), &j, NULL), 0);
	assert_json(j, "{\"policy\":\"text\",\"policy_id\":\"id\"}");
	buf_clear(&bytes);
	proto_put_query(&bytes, "a/b");
	assert_int_equal(proto_read_query(buf_slice(&bytes), &text, NULL), 0);
	assert_string_equal(buf_str(&text), "a/b");
	buf_clear(&bytes);
	buf_clear(&text);
	proto_put_register(&bytes, SLICE_LIT("{}"));
	assert_int_equal(proto_read_register(buf_slice(&bytes), &text, NULL), 0);
	assert_string_equal(buf_str(&text), "{}");
	buf_clear(&bytes);
	buf_clear(&text);
	proto_put_token(&bytes, "a.b.c");
	assert_int_equal(proto_read_token(buf_slice(&bytes), &text, NULL), 0);
	assert_string_equal(buf_str(&text), "a.b.c");
	buf_clear(&bytes);
	buf_clear(&text);
	proto_put_challenge(&bytes, "nonce");
	assert_int_equal(proto_read_challenge_answer(buf_slice(&bytes), &text, NULL), 0);
	assert_string_equal(buf_str(&text), "nonce");
	buf_clear(&bytes);
	proto_put_health(&bytes, true);
	assert_memory_equal(bytes.data, "\x08\x01", 2);
	/* A field of the wrong wire type is no text. */
	assert_int_equal(proto_read_token(SLICE_LIT("\x08\x01"), &text, NULL), -EBADMSG);
}

static void test_plugin(void **state)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(0), body = buf_init(0);
	json_t *path = json_pack("[s, s]", "a", "b"), *query = json_pack("{s:s}", "k", "v");
	static const char golden_request[] = "\x0a\x02\x00\xff\x12\x06\x0a\x01k\x12\x01v\x1a\x01"
					     "a\x1a\x01"
					     "b\x22\x04POST";
	static const uint8_t answer[] = "\x0a\x03"
					"abc\x10\xc8\x01\x1a\x04text";
	struct slice whole = slice_of(answer, sizeof(answer) - 1);
	int32_t status = -1;
	bool flag = false;

	assert_int_equal(proto_put_plugin(&bytes, "POST", path, query, slice_of("\0\xff", 2)), 0);
	assert_int_equal(bytes.size, sizeof(golden_request) - 1);
	assert_memory_equal(bytes.data, golden_request, bytes.size);
	json_decref(path);
	json_decref(query);
	assert_int_equal(proto_read_plugin_answer(whole, &status, &body, NULL), 0);
	assert_int_equal(status, 200);
	assert_string_equal(buf_str(&body), "abc");
	/* Every truncation is malformed, or ends between two fields. */
	for (size_t n = 0; n < whole.size; n++) {
		int r = proto_read_plugin_answer(slice_cut(whole, 0, n), &status, &body, NULL);

		assert_int_equal(r, n == 0 || n == 5 || n == 8 ? 0 : -EBADMSG);
	}
	assert_int_equal(proto_read_plugin_admin(SLICE_EMPTY, &flag, NULL), 0);
	assert_false(flag);
	assert_int_equal(proto_read_plugin_admin(SLICE_LIT("\x08\x01"), &flag, NULL), 0);
	assert_true(flag);
	assert_int_equal(proto_read_plugin_encrypted(SLICE_LIT("\x08\x02"), &flag, NULL), 0);
	assert_true(flag);
	assert_int_equal(proto_read_plugin_encrypted(SLICE_LIT("\x08"), &flag, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evaluate),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_small_messages),
		cmocka_unit_test(test_plugin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
