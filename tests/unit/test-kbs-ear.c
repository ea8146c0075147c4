/* SPDX-License-Identifier: Apache-2.0 */
/* Reference values that come in, trustworthiness vectors, and the token made of them. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "trustee/as/as.h"
#include "trustee/as/ear.h"
#include "trustee/rvps/extract.h"

static void rvps_case(const char *text, int want)
{
	json_t *records = NULL;
	struct err e = {0};
	int r = rvps_extract(slice_str(text), NULL, 1700000000, &records, &e);

	if (r != want)
		fail_msg("%s: %d %s", text, r, e.text);
	json_decref(records);
}

static void test_rvps(void **state)
{
	/* {"a":["x"],"n":7} */
	static const char good[] =
		"{\"version\":\"0.1.0\",\"type\":\"sample\",\"payload\":\"eyJhIjpbIngiXSwibiI6N30=\"}";
	cleanup(rvps_snapshot_free) struct rvps_snapshot *s = NULL;
	json_t *records = NULL;
	bool expired;

	assert_int_equal(rvps_extract(slice_str(good), NULL, 1700000000, &records, NULL), 0);
	assert_int_equal(json_array_size(records), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(records, 0), "expiration")),
		"2024-11-14T22:13:20Z");
	s = rvps_snapshot_new(records);
	json_decref(records);
	assert_int_equal(json_integer_value(rvps_query(s, "n", 1700000000, NULL)), 7);
	assert_null(rvps_query(s, "absent", 1700000000, &expired));
	assert_false(expired);
	/* The last second counts, the next does not. */
	assert_non_null(rvps_query(s, "n", 1731622399, &expired));
	assert_null(rvps_query(s, "n", 1731622400, &expired));
	assert_true(expired);

	for (size_t n = 0; n < strlen(good); n++) {
		json_t *none = NULL;

		assert_int_not_equal(rvps_extract(slice_of(good, n), NULL, 0, &none, NULL), 0);
	}
	rvps_case("{\"version\":\"0.2.0\",\"type\":\"sample\",\"payload\":\"e30=\"}", -EOPNOTSUPP);
	rvps_case("{\"type\":\"sample\",\"payload\":\"e30=\"}", 0);
	rvps_case("{\"type\":\"other\",\"payload\":\"e30=\"}", -EOPNOTSUPP);
	rvps_case("{\"payload\":\"e30=\"}", -EBADMSG);
	rvps_case("{\"type\":\"sample\",\"payload\":\"W10=\"}", -EBADMSG);
	rvps_case("{\"type\":\"sample\",\"payload\":\"%%\"}", -EBADMSG);
	rvps_case("{\"type\":\"sample\",\"payload\":\"e30=\",\"expiration\":"
		  "\"2020-01-01T00:00:00Z\"}",
		-ESTALE);
	rvps_case("{\"type\":\"sample\",\"payload\":\"e30=\",\"expiration\":\"soon\"}", -EBADMSG);
	rvps_case("[]", -EBADMSG);
}

static void test_tiers(void **state)
{
	static const struct {
		int claim;
		enum ear_tier tier;
	} rows[] = {
		{-128, EAR_CONTRAINDICATED},
		{-97, EAR_CONTRAINDICATED},
		{-96, EAR_WARNING},
		{-33, EAR_WARNING},
		{-32, EAR_AFFIRMING},
		{-2, EAR_AFFIRMING},
		{-1, EAR_NONE},
		{0, EAR_NONE},
		{1, EAR_NONE},
		{2, EAR_AFFIRMING},
		{31, EAR_AFFIRMING},
		{32, EAR_WARNING},
		{95, EAR_WARNING},
		{96, EAR_CONTRAINDICATED},
		{127, EAR_CONTRAINDICATED},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(ear_tier_of(rows[i].claim), rows[i].tier);
}

static void test_vector(void **state)
{
	static const struct {
		const char *text;
		int want;
		enum ear_tier tier;
	} rows[] = {
		{"{\"executables\":3,\"hardware\":2}", 0, EAR_AFFIRMING},
		{"{\"executables\":3,\"hardware\":32}", 0, EAR_WARNING},
		{"{\"executables\":3,\"hardware\":97}", 0, EAR_CONTRAINDICATED},
		{"{}", -EBADMSG, EAR_NONE},
		{"{\"hardware\":258}", -EBADMSG, EAR_NONE},
		{"{\"hardware\":\"2\"}", -EBADMSG, EAR_NONE},
		{"{\"hardware\":2.0}", -EBADMSG, EAR_NONE},
		{"{\"firmware\":2}", -EBADMSG, EAR_NONE},
		{"[]", -EBADMSG, EAR_NONE},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		json_t *v = json_loads(rows[i].text, 0, NULL);
		enum ear_tier tier = EAR_NONE;

		assert_int_equal(ear_vector_check(v, &tier, NULL), rows[i].want);
		assert_int_equal(tier, rows[i].tier);
		json_decref(v);
	}
}

static void test_ear(void **state)
{
	static const struct ear_issuer issuer = {"i", "d", "b", "p", 300};
	json_t *vector = json_pack("{s:i}", "hardware", 2);
	json_t *evidence = json_pack("{s:{}, s:{s:s, s:s}}", "tpm", "runtime_data_claims", "nonce",
		"n", "additional-evidence", "long");
	json_t *ext = json_pack(
		"[{s:s, s:i, s:{}}]", "name", "ear.trustee.identifiers", "key", -18, "value");
	json_t *twice = json_pack(
		"[{s:s, s:i, s:s}]", "name", "ear.status", "key", 1, "value", "affirming");
	json_t *submod = NULL, *submods, *claims = NULL;
	const json_t *kept;

	assert_int_equal(ear_submod(vector, EAR_AFFIRMING, ext, evidence, true, &submod, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(submod, "ear.status")), "affirming");
	assert_non_null(json_object_get(submod, "ear.trustee.identifiers"));
	submods = json_pack("{s:o}", "cpu0", submod);
	assert_int_equal(ear_claims(&issuer, 1000, submods, &claims), 0);
	assert_int_equal(json_integer_value(json_object_get(claims, "exp")), 1300);
	json_decref(claims);
	json_decref(submods);
	/* A policy cannot overwrite the appraisal by an extension. */
	assert_int_equal(
		ear_submod(vector, EAR_WARNING, twice, evidence, true, &submod, NULL), -EBADMSG);
	/* Short tokens drop the device evidence, and the original keeps it. */
	assert_int_equal(ear_submod(vector, EAR_WARNING, NULL, evidence, false, &submod, NULL), 0);
	kept = json_object_get(
		json_object_get(submod, "ear.veraison.annotated-evidence"), "runtime_data_claims");
	assert_null(json_object_get(kept, "additional-evidence"));
	assert_non_null(json_object_get(kept, "nonce"));
	assert_non_null(json_object_get(
		json_object_get(evidence, "runtime_data_claims"), "additional-evidence"));
	json_decref(submod);
	json_decref(vector);
	json_decref(evidence);
	json_decref(ext);
	json_decref(twice);
	/* Nothing in husk ships an allow-all policy. */
	assert_true(as_default_policy("default_cpu").size > 0);
	assert_true(as_default_policy("resource-policy").size > 0);
	assert_int_equal(as_default_policy("other").size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rvps),
		cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_ear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
