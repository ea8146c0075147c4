/* SPDX-License-Identifier: Apache-2.0 */
/* Claims that are kept with verdicts, and policies that are tried on them. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "fmt/json.h"
#include "trustee/as/as.h"
#include "trustee/kbs/vault-internal.h"

#define KEPT_MAX ((size_t)256 << 10)

/* The document that is kept of a result; NULL: nothing. */
static json_t *kept(const struct call *c, const json_t *result)
{
	cleanup(free_ptr) char *text = claims_text(c, result);
	json_t *doc;

	if (!text)
		return NULL;
	assert_true(strlen(text) <= KEPT_MAX);
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	return doc;
}

static json_t *result_of(json_t *input)
{
	json_t *result = json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:{s:i}}], s:{s:{s:s, s:o}}}",
		"pieces", "name", "cpu0", "class", "cpu", "tee", "tpm", "policy", "default_cpu",
		"status", "warning", "vector", "hardware", 32, "submods", "cpu0", "ear.status",
		"warning", "ear.veraison.annotated-evidence", input);

	assert_non_null(result);
	return result;
}

static const json_t *input_of(const json_t *doc)
{
	return json_object_get(json_array_get(json_object_get(doc, "pieces"), 0), "input");
}

static const char *cut_path(const json_t *doc, size_t index)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(doc, "cut"), index), "path"));
}

static char *letters(size_t count)
{
	char *text = malloc(count + 1);

	assert_non_null(text);
	memset(text, 'x', count);
	text[count] = '\0';
	return text;
}

static void test_kept_whole(void **state)
{
	struct call c = {0};
	cleanup(json_decref) json_t *result = result_of(json_pack("{s:{s:s}, s:{s:s, s:s}}", "tpm",
		"pcr", "00", "runtime_data_claims", "nonce", "n", "additional-evidence", "{}"));
	cleanup(json_decref) json_t *doc = kept(&c, result);

	assert_string_equal(
		json_string_value(json_object_get(json_object_get(input_of(doc), "tpm"), "pcr")),
		"00");
	/* Raw evidence of devices goes, the rest of what it is in stays; the result is as it was. */
	assert_string_equal(cut_path(doc, 0), "/cpu0/runtime_data_claims/additional-evidence");
	assert_int_equal(
		json_object_size(json_object_get(input_of(doc), "runtime_data_claims")), 1);
	assert_non_null(json_object_get(
		json_object_get(
			json_object_get(json_object_get(json_object_get(result, "submods"), "cpu0"),
				"ear.veraison.annotated-evidence"),
			"runtime_data_claims"),
		"additional-evidence"));
	assert_null(kept(&c, NULL));
}

static void test_largest_is_cut(void **state)
{
	struct call c = {0};
	cleanup(free_ptr) char *large = letters(300000), *middle = letters(100000);
	cleanup(json_decref) json_t *result = result_of(json_pack("{s:{s:s, s:{s:s, s:s}, s:s}}",
		"tpm", "log", large, "inner", "a", middle, "b", "kept", "pcr", "00"));
	cleanup(json_decref) json_t *doc = kept(&c, result);
	const json_t *tpm = json_object_get(input_of(doc), "tpm");

	assert_int_equal(json_array_size(json_object_get(doc, "cut")), 1);
	assert_string_equal(cut_path(doc, 0), "/pieces/0/input/tpm/log");
	assert_null(json_object_get(tpm, "log"));
	assert_non_null(json_object_get(json_object_get(tpm, "inner"), "a"));
	assert_non_null(json_object_get(tpm, "pcr"));
	/* What the vault has of the verifier's answer is not touched. */
	assert_int_equal(
		json_string_length(json_object_get(
			json_object_get(
				json_object_get(
					json_object_get(json_object_get(result, "submods"), "cpu0"),
					"ear.veraison.annotated-evidence"),
				"tpm"),
			"log")),
		300000);
}

/* Thousands of small ones, a hundred of middling size, and names that fill the path. */
static void test_nothing_is_too_large(void **state)
{
	struct call c = {0};
	cleanup(free_ptr) char *text = letters(7000), *name = letters(600);
	json_t *small = json_object(), *middling = json_object(), *deep = json_object();
	json_t *at = deep;
	char key[32];

	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "member %d", i);
		json_object_set_new(small, key, json_integer(i));
	}
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "member %d", i);
		json_object_set_new(middling, key, json_string(text));
	}
	for (int i = 0; i < 500; i++) {
		json_t *below = json_object();

		json_object_set_new(at, name, below);
		at = below;
	}
	json_t *const inputs[] = {small, middling, deep};
	for (size_t i = 0; i < ARRAY_COUNT(inputs); i++) {
		cleanup(json_decref) json_t *result =
			result_of(json_pack("{s:o, s:s}", "tpm", inputs[i], "other", "kept"));
		cleanup(json_decref) json_t *doc = kept(&c, result);

		assert_true(json_array_size(json_object_get(doc, "cut")) > 0);
	}
	/* A name per level is no way around it, either. */
	cleanup(json_decref) json_t *many = json_pack("{s:[]}", "pieces");
	for (int i = 0; i < 20000; i++)
		json_array_append_new(json_object_get(many, "pieces"),
			json_pack("{s:s, s:s}", "name", "cpu0", "class", "cpu"));
	cleanup(json_decref) json_t *doc = kept(&c, many);
	assert_non_null(doc);
	assert_true(json_array_size(json_object_get(doc, "cut")) > 0);
}

static void test_of_a_resource(void **state)
{
	struct call c = {.claims = json_pack("{s:s}", "jti", "1"),
		.target = {.route = ROUTE_RESOURCE_GET, .tail = "a/b/c"}};
	cleanup(json_decref) json_t *doc = kept(&c, NULL);

	assert_string_equal(
		json_string_value(json_object_get(json_object_get(doc, "token"), "jti")), "1");
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(doc, "data"), "resource-path")), 3);
	json_decref(c.claims);
}

static int64_t now_unix(void *cookie)
{
	return 1000;
}

/* From what is kept to what the resource policy is given, with the policy's extensions. */
static void test_token_again(void **state)
{
	const struct kbs_config config = {.broker = {.duration_min = 5,
						  .issuer_name = "i",
						  .developer_name = "d",
						  .build_name = "b",
						  .profile_name = "p"}};
	struct vault v = {.config = &config, .ops = {.now_unix = now_unix}};
	struct call c = {.vault = &v, .target = {.tenant = "acme"}};
	cleanup(json_decref) json_t *doc = json_loads(
		"{\"pieces\":[{\"name\":\"cpu0\",\"class\":\"cpu\",\"status\":\"affirming\","
		"\"vector\":{\"hardware\":2},\"input\":{\"tpm\":{\"a\":1}},"
		"\"extensions\":[{\"name\":\"x\",\"key\":-7,\"value\":[1]}]}]}",
		0, NULL);
	cleanup(json_decref) json_t *want = json_loads(
		"{\"eat_profile\":\"p\",\"iat\":1000,\"exp\":1300,\"iss\":\"i\",\"jti\":\"7\","
		"\"ear.verifier-id\":{\"developer\":\"d\",\"build\":\"b\"},"
		"\"husk.tenant\":\"acme\",\"submods\":{\"cpu0\":{\"ear.status\":\"affirming\","
		"\"ear.trustworthiness-vector\":{\"hardware\":2},\"ear.appraisal-policy-id\":"
		"\"default\",\"ear.veraison.annotated-evidence\":{\"tpm\":{\"a\":1}},\"x\":[1]}}}",
		0, NULL);
	cleanup(json_decref) json_t *token = claims_to_token(&c, doc, "7");

	assert_non_null(want);
	assert_true(json_equal(token, want));
	/* A guest whose policy failed, or whose input was cut, got none that could be asked about. */
	json_object_del(json_array_get(json_object_get(doc, "pieces"), 0), "status");
	assert_null(claims_to_token(&c, doc, "7"));
	assert_null(claims_to_token(&c, NULL, "7"));
}

#define POLICY "package policy\nimport rego.v1\n"

static json_t *try(struct as *as, const char *id, const char *text, const char *claims, int want)
{
	cleanup(json_decref) json_t *doc = json_loads(claims, 0, NULL);
	const struct as_dry_run request = {.policy = id,
		.kind = streq(id, "resource-policy") ? AS_POLICY_RESOURCE : AS_POLICY_ATTESTATION,
		.candidate = slice_str(text),
		.claims = doc,
		.now = 1000};
	json_t *ret = NULL;
	struct err e = {0};

	assert_non_null(doc);
	assert_int_equal(as_dry_run(as, &request, &ret, &e), want);
	return ret;
}

static const char g_pieces[] =
	"{\"pieces\":[{\"name\":\"cpu0\",\"class\":\"cpu\",\"tee\":\"sample\",\"policy\":\"default_cpu\","
	"\"status\":\"warning\",\"vector\":{\"hardware\":32},\"input\":{\"sample\":{\"svn\":\"1\"}}},"
	"{\"name\":\"gpu0\",\"class\":\"gpu\",\"tee\":\"nvidia\",\"policy\":\"default_gpu\"},"
	"{\"name\":\"cpu1\",\"class\":\"cpu\",\"tee\":\"sample\",\"policy\":\"default_cpu\"}]}";

static const char *status_of(const json_t *outcome, size_t index, const char *side)
{
	const json_t *piece = json_array_get(json_object_get(outcome, "pieces"), index);
	const char *text =
		json_string_value(json_object_get(json_object_get(piece, side), "status"));

	return text ? text : "";
}

static void test_dry_run(void **state)
{
	cleanup(as_free) struct as *as = as_new();
	json_t *out;

	/* Nothing is installed: the candidate stands alone. What was not kept is said. */
	out = try(as, "default_cpu", POLICY "trust_claims := {\"hardware\": 2}\n", g_pieces, 0);
	assert_int_equal(json_array_size(json_object_get(out, "pieces")), 2);
	assert_string_equal(status_of(out, 0, "candidate"), "affirming");
	assert_string_equal(status_of(out, 0, "recorded"), "warning");
	assert_string_equal(status_of(out, 0, "current"), "");
	assert_non_null(json_object_get(
		json_object_get(json_array_get(json_object_get(out, "pieces"), 1), "candidate"),
		"error"));
	assert_true(json_is_true(json_object_get(out, "changed")));
	json_decref(out);

	assert_int_equal(as_set_policy(as, "default_cpu",
				 SLICE_LIT(POLICY "trust_claims := {\"hardware\": 32}\n"), NULL),
		0);
	out = try(as, "default_cpu", POLICY "trust_claims := {\"hardware\": 32}\n", g_pieces, 0);
	assert_true(json_is_false(json_object_get(out, "changed")));
	json_decref(out);
	/* Extensions are part of the answer. */
	out = try(as, "default_cpu",
		POLICY "trust_claims := {\"hardware\": 32}\n"
		       "extensions := [{\"name\": \"a\", \"key\": 1, \"value\": 2}]\n",
		g_pieces, 0);
	assert_true(json_is_true(json_object_get(out, "changed")));
	json_decref(out);
	out = try(as, "default_cpu", POLICY "trust_claims := {\"nonsense\": 32}\n", g_pieces, 0);
	assert_true(json_is_true(json_object_get(out, "changed")));
	json_decref(out);
	assert_null(try(as, "default_cpu", "no policy", g_pieces, -EBADMSG));
	/* What is installed is as it was. */
	out = try(as, "default_cpu", POLICY "trust_claims := {\"hardware\": 2}\n", g_pieces, 0);
	assert_string_equal(status_of(out, 0, "current"), "warning");
	json_decref(out);
}

static void test_dry_run_of_release(void **state)
{
	static const char claims[] =
		"{\"token\":{\"submods\":{}},\"data\":{\"plugin\":\"resource\"}}";
	cleanup(as_free) struct as *as = as_new();
	json_t *out;

	assert_int_equal(as_set_policy(as, "resource-policy",
				 SLICE_LIT(POLICY "default allow := false\n"), NULL),
		0);
	out = try(
		as, "resource-policy", POLICY "allow if data.plugin == \"resource\"\n", claims, 0);
	assert_true(json_is_true(json_object_get(out, "changed")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(out, "candidate"), "status")),
		"allowed");
	json_decref(out);
	assert_null(try(as, "resource-policy", POLICY "allow := true\n", "{}", -EBADMSG));
	/* Claims of any other shape are refused or skipped, not believed. */
	static const char *const odd[] = {"[]", "{\"pieces\":7}", "{\"pieces\":[7,[],{}]}",
		"{\"pieces\":[{\"class\":\"cpu\",\"tee\":7,\"input\":[]}]}"};
	for (size_t i = 0; i < ARRAY_COUNT(odd); i++) {
		out = try(
			as, "default_cpu", POLICY "trust_claims := {\"hardware\": 2}\n", odd[i], 0);
		assert_string_equal(status_of(out, 0, "candidate"), "");
		json_decref(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_whole),
		cmocka_unit_test(test_largest_is_cut),
		cmocka_unit_test(test_nothing_is_too_large),
		cmocka_unit_test(test_of_a_resource),
		cmocka_unit_test(test_token_again),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_dry_run_of_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
