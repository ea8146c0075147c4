/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes of a simulated Intel: each thing that can be wrong, truncations, and flipped bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "evidence/dcap.h"
#include "evidence/eventlog_aa.h"
#include "fmt/json.h"
#include "fmt/tcg2.h"
#include "fmt/tpm.h"
#include "support/dcap_sim.h"

static const uint8_t g_report_data[48] = {0xD1, 0x6E, 0x57};

struct world {
	struct dcap_sim *sim;
	struct collateral_store *store;
};

static struct world new_world(const struct dcap_sim_options *o)
{
	struct world w = {dcap_sim_new(o), collateral_store_new()};
	assert_non_null(w.sim);
	assert_non_null(w.store);
	assert_int_equal(dcap_sim_publish(w.sim, w.store), 0);
	return w;
}

static void world_done(struct world *w)
{
	dcap_sim_free(w->sim);
	collateral_store_free(w->store);
}

static struct dcap_sim_report report_of(unsigned version, unsigned body)
{
	return (struct dcap_sim_report){.version = version,
		.body_type = body,
		.report_data = slice_of(g_report_data, sizeof(g_report_data)),
		.module_version = body == 1 ? 0 : 1,
		.qe_auth_data = SLICE_LIT("auth")};
}

static enum evidence_verdict verify_json(const struct world *w, const char *tee,
	const json_t *evidence, struct slice init_data, struct evidence_result *keep)
{
	const struct evidence_request q = {
		.evidence = evidence,
		.report_data = slice_of(g_report_data, sizeof(g_report_data)),
		.init_data = init_data,
		.now = DCAP_SIM_NOW,
		.collateral = collateral_store_provider(w->store),
		.intel_roots = dcap_sim_root(w->sim),
		.intel_root_count = 1,
	};
	struct evidence_result result = {0};
	assert_int_equal(evidence_verify(tee, &q, &result, NULL), 0);
	enum evidence_verdict v = result.verdict;
	if (keep)
		*keep = result;
	else
		evidence_result_done(&result);
	return v;
}

static enum evidence_verdict verify(const struct world *w, const struct dcap_sim_report *r,
	struct slice init_data, struct evidence_result *keep)
{
	cleanup(json_decref) json_t *evidence = dcap_sim_evidence(w->sim, r);
	assert_non_null(evidence);
	return verify_json(w, r->body_type == 1 ? "sgx" : "tdx", evidence, init_data, keep);
}

static const char *claim(const struct evidence_result *r, const char *name)
{
	return json_string_value(json_object_get(r->claims, name));
}

static void test_forms(void **state)
{
	static const struct {
		unsigned version, body;
	} forms[] = {{3, 1}, {4, 1}, {4, 2}, {5, 1}, {5, 2}, {5, 3}};
	struct world w = new_world(NULL);

	for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
		struct evidence_result result = {0};
		struct dcap_sim_report r = report_of(forms[i].version, forms[i].body);
		r.padding = i * 500;
		if (verify(&w, &r, SLICE_EMPTY, &result) != EVIDENCE_ACCEPT)
			fail_msg("version %u body %u: %s", r.version, r.body_type, result.reason);
		assert_string_equal(claim(&result, "tcb_status"), "UpToDate");
		assert_string_equal(claim(&result, "collateral_expiration_status"), "0");
		assert_string_equal(claim(&result, "tcb_date"), "2025-01-01T00:00:00Z");
		assert_string_equal(
			claim(&result, "earliest_expiration_date"), "2026-11-21T00:00:00Z");
		evidence_result_done(&result);
	}
	world_done(&w);
}

static void test_other_root(void **state)
{
	struct world w = new_world(NULL), other = new_world(NULL);
	struct dcap_sim_report r = report_of(4, 2);
	struct evidence_result result = {0};

	assert_int_equal(verify(&w, &r, SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
	/* A platform of another root, with the collateral of the trusted one, and the other way. */
	cleanup(json_decref) json_t *foreign = dcap_sim_evidence(other.sim, &r);
	assert_int_equal(verify_json(&w, "tdx", foreign, SLICE_EMPTY, &result), EVIDENCE_DENY);
	assert_non_null(strstr(result.reason, "trusted root"));
	evidence_result_done(&result);
	struct world mixed = {w.sim, other.store};
	assert_int_equal(verify(&mixed, &r, SLICE_EMPTY, &result), EVIDENCE_DENY);
	assert_non_null(strstr(result.reason, "trusted root"));
	evidence_result_done(&result);
	/* Nothing of the simulator is trusted without being told to. */
	cleanup(json_decref) json_t *evidence = dcap_sim_evidence(w.sim, &r);
	const struct evidence_request q = {.evidence = evidence,
		.report_data = slice_of(g_report_data, sizeof(g_report_data)),
		.now = DCAP_SIM_NOW,
		.collateral = collateral_store_provider(w.store)};
	assert_int_equal(evidence_verify("tdx", &q, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
	evidence_result_done(&result);
	world_done(&w);
	world_done(&other);
}

static void test_worlds(void **state)
{
	static const struct {
		struct dcap_sim_options o;
		const char *status; /* NULL: refused */
		const char *reason;
	} cases[] = {
		{{.tcb_status = "SWHardeningNeeded", .advisory = "INTEL-SA-1"}, "SWHardeningNeeded",
			NULL},
		{{.tcb_status = "ConfigurationNeeded"}, "ConfigurationNeeded", NULL},
		{{.tcb_status = "ConfigurationAndSWHardeningNeeded"},
			"ConfigurationAndSWHardeningNeeded", NULL},
		{{.tcb_status = "OutOfDate"}, "OutOfDate", NULL},
		{{.tcb_status = "OutOfDateConfigurationNeeded"}, "OutOfDateConfigurationNeeded",
			NULL},
		{{.module_status = "OutOfDate"}, "OutOfDate", NULL},
		{{.tcb_status = "ConfigurationNeeded", .module_status = "OutOfDate"},
			"OutOfDateConfigurationNeeded", NULL},
		{{.tcb_status = "SWHardeningNeeded", .qe_status = "OutOfDate"}, "OutOfDate", NULL},
		{{.qe_status = "OutOfDate", .module_status = "OutOfDate"}, "OutOfDate", NULL},
		{{.platform_svn = 3}, "OutOfDate", NULL},
		{{.platform_svn = 2}, NULL, "no TCB level"},
		{{.tcb_status = "Revoked"}, NULL, "platform's TCB is revoked"},
		{{.module_status = "Revoked"}, NULL, "TDX module's TCB is revoked"},
		{{.qe_status = "Revoked"}, NULL, "quoting enclave's TCB is revoked"},
		{{.qe_status = "Revoked", .tcb_status = "OutOfDate"}, NULL, "revoked"},
		{{.tcb_status = "Splendid"}, NULL, "unknown status"},
		{{.expired_tcb_info = true}, NULL, "TCB Info has expired"},
		{{.expired_identity = true}, NULL, "QE identity has expired"},
		{{.expired_pck_crl = true}, NULL, "PCK CRL has expired"},
		{{.expired_root_crl = true}, NULL, "root CRL has expired"},
		{{.expired_pck = true}, NULL, "PCK certificate has expired"},
		{{.revoked_pck = true}, NULL, "PCK certificate is not revoked"},
		{{.revoked_ca = true}, NULL, "PCK CA is not revoked"},
		{{.revoked_tcb_signer = true}, NULL, "TCB signer is not revoked"},
		{{.pck_is_ca = true}, NULL, "may not sign"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world w = new_world(&cases[i].o);
		struct dcap_sim_report r = report_of(4, 2);
		struct evidence_result result = {0};
		bool good = verify(&w, &r, SLICE_EMPTY, &result) == EVIDENCE_ACCEPT;
		if (good != (cases[i].status != NULL))
			fail_msg("case %zu: %s", i, result.reason);
		if (good)
			assert_string_equal(claim(&result, "tcb_status"), cases[i].status);
		else if (!strstr(result.reason, cases[i].reason))
			fail_msg("case %zu: reason is \"%s\"", i, result.reason);
		evidence_result_done(&result);
		world_done(&w);
	}
}

static void test_old_tcb_info(void **state)
{
	struct world w = new_world(&(struct dcap_sim_options){.tcb_info_v2 = true});
	struct dcap_sim_report r = report_of(3, 1);

	assert_int_equal(verify(&w, &r, SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
	/* TCB Info of SGX does not do for TDX, whatever its key says. */
	struct slice item;
	cleanup_with(buf_done) struct buf sgx = buf_init(0);
	assert_int_equal(collateral_get(collateral_store_provider(w.store),
				 "intel/sgx/tcb/d0c06f000001", &item),
		0);
	buf_put_slice(&sgx, item);
	assert_int_equal(
		collateral_store_put(w.store, "intel/tdx/tcb/d0c06f000001", buf_slice(&sgx)), 0);
	struct evidence_result result = {0};
	r = report_of(4, 2);
	assert_int_equal(verify(&w, &r, SLICE_EMPTY, &result), EVIDENCE_DENY);
	assert_non_null(strstr(result.reason, "TCB Info is for this TEE"));
	evidence_result_done(&result);
	world_done(&w);
}

static void test_module(void **state)
{
	static const struct {
		uint8_t version, svn, svn2;
		const char *platform, *status, *reason;
	} cases[] = {
		{1, 5, 0, NULL, "UpToDate", NULL},
		{0, 5, 0, NULL, "UpToDate", NULL},
		{0, 3, 0, NULL, "OutOfDate", NULL},
		{1, 3, 0, NULL, "OutOfDate", NULL},
		{1, 2, 0, NULL, NULL, "older than every level"},
		{7, 5, 0, NULL, NULL, "no identity of this version"},
		/* Updated since launch: a relaunch cures it. */
		{1, 3, 5, NULL, "TDRelaunchAdvised", NULL},
		{1, 3, 4, NULL, "OutOfDate", NULL},
		{1, 3, 5, "ConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded", NULL},
		{1, 3, 5, "OutOfDate", "OutOfDate", NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world w =
			new_world(&(struct dcap_sim_options){.tcb_status = cases[i].platform});
		struct dcap_sim_report r = report_of(5, 3);
		struct evidence_result result = {0};
		r.module_version = cases[i].version;
		r.module_svn = cases[i].svn;
		r.module_svn2 = cases[i].svn2;
		bool good = verify(&w, &r, SLICE_EMPTY, &result) == EVIDENCE_ACCEPT;
		if (good != (cases[i].status != NULL))
			fail_msg("case %zu: %s", i, result.reason);
		if (good)
			assert_string_equal(claim(&result, "tcb_status"), cases[i].status);
		else if (!strstr(result.reason, cases[i].reason))
			fail_msg("case %zu: reason is \"%s\"", i, result.reason);
		evidence_result_done(&result);
		world_done(&w);
	}
}

static void test_bindings(void **state)
{
	struct world w = new_world(NULL);
	const struct slice init = SLICE_LIT("digest of initdata, 32 bytes long");
	struct dcap_sim_report r = report_of(4, 2);
	struct evidence_result result = {0};

	/* Too little to be bound to, and too much. */
	cleanup(json_decref) json_t *evidence = dcap_sim_evidence(w.sim, &r);
	struct evidence_request q = {.evidence = evidence,
		.now = DCAP_SIM_NOW,
		.collateral = collateral_store_provider(w.store),
		.intel_roots = dcap_sim_root(w.sim),
		.intel_root_count = 1};
	assert_int_equal(evidence_verify("tdx", &q, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
	evidence_result_done(&result);
	/* A prefix of the report data is not the report data. */
	q.report_data = slice_of(g_report_data, 47);
	assert_int_equal(evidence_verify("tdx", &q, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_ACCEPT); /* byte 48 is zero: same padding */
	evidence_result_done(&result);
	assert_int_equal(verify(&w, &r, init, &result), EVIDENCE_DENY);
	assert_non_null(strstr(result.reason, "MRCONFIGID"));
	evidence_result_done(&result);
	r.config_id = init;
	assert_int_equal(verify(&w, &r, init, NULL), EVIDENCE_ACCEPT);
	/* 64 bytes of initdata digest are cut to the 48 that the register has. */
	uint8_t longer[64] = {1, 2, 3}, other[64] = {1, 2, 3};
	other[63] = 9;
	r.config_id = slice_of(longer, 64);
	assert_int_equal(verify(&w, &r, slice_of(other, 64), NULL), EVIDENCE_ACCEPT);
	other[47] = 9;
	assert_int_equal(verify(&w, &r, slice_of(other, 64), NULL), EVIDENCE_DENY);
	r = report_of(3, 1);
	r.config_id = init;
	assert_int_equal(verify(&w, &r, init, NULL), EVIDENCE_ACCEPT);
	r.config_id = SLICE_EMPTY;
	assert_int_equal(verify(&w, &r, init, NULL), EVIDENCE_DENY);
	/* A quote of one TEE is no evidence of the other. */
	cleanup(json_decref) json_t *sgx = dcap_sim_evidence(w.sim, &r);
	assert_int_equal(verify_json(&w, "tdx", sgx, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	assert_int_equal(verify_json(&w, "sgx", evidence, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	world_done(&w);
}

static void test_debug_is_reported(void **state)
{
	struct world w = new_world(NULL);
	for (int debug = 0; debug < 2; debug++) {
		struct dcap_sim_report r = report_of(4, 2);
		struct evidence_result result = {0};
		r.debug = debug;
		assert_int_equal(verify(&w, &r, SLICE_EMPTY, &result), EVIDENCE_ACCEPT);
		const json_t *bits = json_object_get(result.claims, "td_attributes");
		assert_int_equal(json_is_true(json_object_get(bits, "debug")), debug);
		assert_true(json_is_true(json_object_get(bits, "septve_disable")));
		evidence_result_done(&result);
		r = report_of(3, 1);
		r.debug = debug;
		assert_int_equal(verify(&w, &r, SLICE_EMPTY, &result), EVIDENCE_ACCEPT);
		assert_int_equal(json_is_true(json_object_get(result.claims, "debug")), debug);
		assert_string_equal(
			json_string_value(json_object_get(
				json_object_get(result.claims, "body"), "attributes.flags")),
			debug ? "0700000000000000" : "0500000000000000");
		evidence_result_done(&result);
	}
	world_done(&w);
}

static enum evidence_verdict verify_raw(const struct world *w, const char *tee, struct slice quote)
{
	cleanup(json_decref) json_t *evidence = json_object();
	assert_int_equal(json_set_b64(evidence, "quote", quote, B64_STD), 0);
	return verify_json(w, tee, evidence, SLICE_EMPTY, NULL);
}

static void test_truncations(void **state)
{
	static const unsigned forms[][2] = {{3, 1}, {4, 2}, {5, 3}};
	struct world w = new_world(NULL);

	for (size_t f = 0; f < ARRAY_COUNT(forms); f++) {
		cleanup_with(buf_done) struct buf quote = buf_init(0);
		struct dcap_sim_report r = report_of(forms[f][0], forms[f][1]);
		struct sgx_quote q;
		assert_int_equal(dcap_sim_quote(w.sim, &r, &quote), 0);
		for (size_t n = 0; n < quote.size; n++) {
			uint8_t *copy = malloc(n ? n : 1);
			memcpy(copy, quote.data, n);
			assert_true(sgx_quote_parse(slice_of(copy, n), &q, NULL) < 0);
			free(copy);
		}
		assert_int_equal(sgx_quote_parse(buf_slice(&quote), &q, NULL), 0);
	}
	world_done(&w);
}

/* Each byte of header, body, signatures, key, QE report and authentication data. */
static void test_flips_in_quote(void **state)
{
	static const unsigned forms[][2] = {{3, 1}, {4, 2}, {5, 3}};
	struct world w = new_world(NULL);
	size_t tried = 0;

	for (size_t f = 0; f < ARRAY_COUNT(forms); f++) {
		cleanup_with(buf_done) struct buf quote = buf_init(0);
		struct dcap_sim_report r = report_of(forms[f][0], forms[f][1]);
		const char *tee = r.body_type == 1 ? "sgx" : "tdx";
		struct sgx_quote q;
		assert_int_equal(dcap_sim_quote(w.sim, &r, &quote), 0);
		assert_int_equal(sgx_quote_parse(buf_slice(&quote), &q, NULL), 0);
		size_t end = (size_t)(q.cert_data.data - quote.data);
		for (size_t i = 0; i < end; i++) {
			quote.data[i] ^= (uint8_t)(1U << i % 8);
			if (verify_raw(&w, tee, buf_slice(&quote)) != EVIDENCE_DENY)
				fail_msg("flip of byte %zu was accepted", i);
			quote.data[i] ^= (uint8_t)(1U << i % 8);
			tried++;
		}
		assert_int_equal(verify_raw(&w, tee, buf_slice(&quote)), EVIDENCE_ACCEPT);
	}
	print_message("%zu flipped bytes refused\n", tried);
	world_done(&w);
}

/* Each block by itself: what stands between blocks does not matter. */
static size_t ders_of(struct slice pem, struct buf *out)
{
	static const char end[] = "-----END CERTIFICATE-----";
	size_t count = 0;

	for (const uint8_t *at; (at = memmem(pem.data, pem.size, end, sizeof(end) - 1)) != NULL;) {
		cleanup(cert_free) struct cert *c = NULL;
		size_t size = (size_t)(at - pem.data) + sizeof(end) - 1;
		struct slice block = slice_cut(pem, 0, size);
		const uint8_t *from = memmem(block.data, block.size, "-----BEGIN", 10);
		if (from && certs_from_pem(slice_of(from, (size_t)(block.data + size - from)), &c,
				    1, NULL) == 1) {
			assert_int_equal(cert_to_der(c, out), 0);
			count++;
		}
		pem = slice_cut(pem, size, pem.size);
	}
	return count;
}

/* PEM has characters that do not matter; a flip may pass only when the certificates are the same.
 */
static void test_flips_in_chain(void **state)
{
	struct world w = new_world(NULL);
	cleanup_with(buf_done) struct buf quote = buf_init(0), want = buf_init(0);
	struct dcap_sim_report r = report_of(4, 2);
	struct sgx_quote q;
	size_t harmless = 0;

	assert_int_equal(dcap_sim_quote(w.sim, &r, &quote), 0);
	assert_int_equal(sgx_quote_parse(buf_slice(&quote), &q, NULL), 0);
	assert_int_equal(ders_of(q.cert_data, &want), 3);
	size_t from = (size_t)(q.cert_data.data - quote.data);
	for (size_t i = from; i < from + q.cert_data.size; i++) {
		quote.data[i] ^= (uint8_t)(1U << i % 7);
		if (verify_raw(&w, "tdx", buf_slice(&quote)) == EVIDENCE_ACCEPT) {
			cleanup_with(buf_done) struct buf got = buf_init(0);
			assert_int_equal(ders_of(q.cert_data, &got), 3);
			if (!slice_eq(buf_slice(&want), buf_slice(&got)))
				fail_msg("flip of byte %zu of the chain was accepted", i - from);
			harmless++;
		}
		quote.data[i] ^= (uint8_t)(1U << i % 7);
	}
	print_message("%zu of %zu flips in the PEM text change no certificate\n", harmless,
		q.cert_data.size);
	world_done(&w);
}

static void test_flips_in_collateral(void **state)
{
	static const char *const keys[] = {"intel/tdx/tcb/d0c06f000001", "intel/tdx/qe",
		"intel/crl/platform", "intel/crl/root"};
	struct world w = new_world(NULL);
	struct dcap_sim_report r = report_of(4, 2);
	cleanup(json_decref) json_t *evidence = dcap_sim_evidence(w.sim, &r);
	size_t tried = 0;

	for (size_t k = 0; k < ARRAY_COUNT(keys); k++) {
		cleanup_with(buf_done) struct buf item = buf_init(0);
		struct slice view;
		assert_int_equal(
			collateral_get(collateral_store_provider(w.store), keys[k], &view), 0);
		buf_put_slice(&item, view);
		for (size_t i = 0; i < item.size; i++) {
			/* Bit 5 of a hex digit is its case, which the signature's text may have. */
			uint8_t bit = (uint8_t)(1U << i % 5);
			item.data[i] ^= bit;
			assert_int_equal(
				collateral_store_put(w.store, keys[k], buf_slice(&item)), 0);
			if (verify_json(&w, "tdx", evidence, SLICE_EMPTY, NULL) != EVIDENCE_DENY)
				fail_msg("flip of byte %zu of %s was accepted", i, keys[k]);
			item.data[i] ^= bit;
			tried++;
		}
		assert_int_equal(collateral_store_put(w.store, keys[k], buf_slice(&item)), 0);
		for (size_t n = 1; n < item.size; n += 1 + item.size / 300) {
			assert_int_equal(
				collateral_store_put(w.store, keys[k], slice_of(item.data, n)), 0);
			assert_int_equal(
				verify_json(&w, "tdx", evidence, SLICE_EMPTY, NULL), EVIDENCE_DENY);
		}
		assert_int_equal(collateral_store_put(w.store, keys[k], buf_slice(&item)), 0);
		assert_int_equal(
			verify_json(&w, "tdx", evidence, SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
	}
	print_message("%zu flipped bytes of collateral refused\n", tried);
	world_done(&w);
}

/* More platforms and statements than the caches hold, used in turn. */
static void test_caches(void **state)
{
	enum { PLATFORMS = 300, STATEMENTS = 40 };
	struct world w = new_world(NULL);
	json_t *all[PLATFORMS];
	struct dcap_sim_report r = report_of(4, 2);

	for (size_t i = 0; i < PLATFORMS; i++) {
		assert_int_equal(dcap_sim_new_platform(w.sim), 0);
		all[i] = dcap_sim_evidence(w.sim, &r);
	}
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < PLATFORMS; i++)
			assert_int_equal(
				verify_json(&w, "tdx", all[i], SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
	}
	for (size_t i = 0; i < PLATFORMS; i++)
		json_decref(all[i]);
	world_done(&w);
	for (unsigned i = 0; i < STATEMENTS; i++) {
		w = new_world(&(struct dcap_sim_options){.extra_number = i});
		assert_int_equal(verify(&w, &r, SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
		world_done(&w);
	}
}

/* The cached platform is checked against the list of the day. */
/* Claims are remembered with a platform: other collateral and other rows must make other claims. */
static void test_claims_follow_collateral(void **state)
{
	static const struct {
		struct dcap_sim_options o;
		uint8_t module_svn;
		const char *status;
		size_t advisories;
		json_int_t number;
	} steps[] = {
		{{0}, 5, "UpToDate", 0, 18},
		{{.advisory = "INTEL-SA-1", .tcb_status = "SWHardeningNeeded"}, 5,
			"SWHardeningNeeded", 1, 18},
		{{0}, 5, "UpToDate", 0, 18},
		{{0}, 3, "OutOfDate", 1, 18},
		{{0}, 5, "UpToDate", 0, 18},
		{{.extra_number = 4}, 5, "UpToDate", 0, 22},
	};
	struct world w = new_world(NULL);

	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
			struct dcap_sim_report r = report_of(4, 2);
			struct evidence_result result = {0};
			r.module_svn = steps[i].module_svn;
			dcap_sim_change(w.sim, &steps[i].o);
			assert_int_equal(dcap_sim_publish(w.sim, w.store), 0);
			assert_int_equal(verify(&w, &r, SLICE_EMPTY, &result), EVIDENCE_ACCEPT);
			assert_string_equal(claim(&result, "tcb_status"), steps[i].status);
			assert_int_equal(
				json_array_size(json_object_get(result.claims, "advisory_ids")),
				steps[i].advisories);
			assert_int_equal(
				json_integer_value(json_object_get(result.claims, "tcb_eval_num")),
				steps[i].number);
			/* What a caller does with its claims is not seen by the next. */
			assert_int_equal(json_object_clear(result.claims), 0);
			evidence_result_done(&result);
		}
	}
	world_done(&w);
}

static void test_revocation_after_caching(void **state)
{
	struct world later = new_world(&(struct dcap_sim_options){.revoked_pck = true});
	struct dcap_sim_report r = report_of(4, 2);
	cleanup(json_decref) json_t *evidence = dcap_sim_evidence(later.sim, &r);
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();
	struct slice item;

	/* The same world before the revocation: an empty list does not exist, so one is signed for
	 * another serial number by publishing after a new platform was made. */
	assert_int_equal(dcap_sim_new_platform(later.sim), 0);
	assert_int_equal(dcap_sim_publish(later.sim, store), 0);
	struct world before = {later.sim, store};
	assert_int_equal(verify_json(&before, "tdx", evidence, SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
	assert_int_equal(
		collateral_get(collateral_store_provider(later.store), "intel/crl/platform", &item),
		0);
	assert_int_equal(collateral_store_put(store, "intel/crl/platform", item), 0);
	assert_int_equal(verify_json(&before, "tdx", evidence, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	world_done(&later);
}

static void add_event(struct buf *log, struct digest *rtmr, uint32_t index, const char *text)
{
	struct digest d;
	assert_int_equal(hash_once(HASH_SHA384, slice_str(text), &d), 0);
	const struct tcg2_digest one = {TPM_ALG_SHA384, digest_slice(&d)};
	tcg2_put_event(log, index, 5, &one, 1, slice_str(text));
	assert_int_equal(hash_extend(HASH_SHA384, digest_slice(&rtmr[index - 1]), digest_slice(&d),
				 &rtmr[index - 1]),
		0);
}

static void test_event_logs(void **state)
{
	static const struct tcg2_alg alg = {TPM_ALG_SHA384, 48};
	struct world w = new_world(NULL);
	struct digest rtmr[4] = {{.size = 48}, {.size = 48}, {.size = 48}, {.size = 48}};
	cleanup_with(buf_done) struct buf log = buf_init(0), aa = buf_init(0), text = buf_init(0);
	struct dcap_sim_report r = report_of(4, 2);
	struct evidence_result result = {0};
	struct digest d;

	tcg2_put_header(&log, &alg, 1);
	add_event(&log, rtmr, 1, "firmware");
	add_event(&log, rtmr, 2, "kernel");
	add_event(&log, rtmr, 3, "command line");
	r.rtmr = rtmr;
	cleanup(json_decref) json_t *good = dcap_sim_evidence(w.sim, &r);
	assert_int_equal(json_set_b64(good, "cc_eventlog", buf_slice(&log), B64_STD), 0);
	assert_int_equal(verify_json(&w, "tdx", good, SLICE_EMPTY, &result), EVIDENCE_ACCEPT);
	assert_int_equal(json_array_size(json_object_get(result.claims, "uefi_event_logs")), 3);
	evidence_result_done(&result);

	/* An event more than the registers saw; a log that is none; an empty one, which is no log.
	 */
	cleanup_with(buf_done) struct buf more = buf_init(0);
	struct digest ignored[4] = {{.size = 48}, {.size = 48}, {.size = 48}, {.size = 48}};
	buf_put_slice(&more, buf_slice(&log));
	add_event(&more, ignored, 4, "invented");
	assert_int_equal(json_set_b64(good, "cc_eventlog", buf_slice(&more), B64_STD), 0);
	assert_int_equal(verify_json(&w, "tdx", good, SLICE_EMPTY, &result), EVIDENCE_DENY);
	assert_non_null(strstr(result.reason, "RTMR 3"));
	evidence_result_done(&result);
	assert_int_equal(json_set_str(good, "cc_eventlog", "bm8gbG9n"), 0);
	assert_int_equal(verify_json(&w, "tdx", good, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	assert_int_equal(json_set_str(good, "cc_eventlog", "!"), 0);
	assert_int_equal(verify_json(&w, "tdx", good, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	assert_int_equal(json_set_str(good, "cc_eventlog", ""), 0);
	assert_int_equal(verify_json(&w, "tdx", good, SLICE_EMPTY, &result), EVIDENCE_ACCEPT);
	assert_null(json_object_get(result.claims, "uefi_event_logs"));
	evidence_result_done(&result);

	/* The agent's own log, after what the CCEL has of RTMR 3. */
	add_event(&log, rtmr, 4, "before the agent");
	hex_encode(&text, digest_slice(&rtmr[3]));
	buf_printf(&aa, "INIT sha384/%s\nhusk.example pull image@sha256:1 x\n", buf_str(&text));
	assert_int_equal(
		hash_once(HASH_SHA384, SLICE_LIT("husk.example pull image@sha256:1 x"), &d), 0);
	assert_int_equal(
		hash_extend(HASH_SHA384, digest_slice(&rtmr[3]), digest_slice(&d), &rtmr[3]), 0);
	cleanup(json_decref) json_t *with_aa = dcap_sim_evidence(w.sim, &r);
	assert_int_equal(json_set_b64(with_aa, "cc_eventlog", buf_slice(&log), B64_STD), 0);
	assert_int_equal(verify_json(&w, "tdx", with_aa, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	assert_int_equal(json_set_str(with_aa, "aa_eventlog", buf_str(&aa)), 0);
	assert_int_equal(verify_json(&w, "tdx", with_aa, SLICE_EMPTY, &result), EVIDENCE_ACCEPT);
	const json_t *event = json_array_get(json_object_get(result.claims, "aael"), 0);
	assert_string_equal(
		json_string_value(json_object_get(event, "content")), "image@sha256:1 x");
	evidence_result_done(&result);
	buf_put_str(&aa, "husk.example pull another\n");
	assert_int_equal(json_set_str(with_aa, "aa_eventlog", buf_str(&aa)), 0);
	assert_int_equal(verify_json(&w, "tdx", with_aa, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	world_done(&w);
}

static void test_agent_log_forms(void **state)
{
	static const char *const bad[] = {
		"", "\n", "INIT", "INIT sha256/00", "INIT sha384/00", "a b c", "INIT sha384/"};
	const char *zero = "INIT sha384/000000000000000000000000000000000000000000000000"
			   "000000000000000000000000000000000000000000000000";
	struct digest d;
	json_t *events = NULL;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(
			aa_eventlog_replay(slice_str(bad[i]), HASH_SHA384, NULL, &d, &events, NULL),
			-EBADMSG);
	assert_int_equal(
		aa_eventlog_replay(slice_str(zero), HASH_SHA384, NULL, &d, &events, NULL), 0);
	json_decref(events);
	const struct digest start = {48, {1}};
	assert_int_equal(
		aa_eventlog_replay(slice_str(zero), HASH_SHA384, &start, &d, &events, NULL),
		-EBADMSG);
	static const char *const lines[] = {"", "one", "one two", "\xff a b"};
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		buf_printf(&text, "%s\n%s\n", zero, lines[i]);
		assert_int_equal(
			aa_eventlog_replay(buf_slice(&text), HASH_SHA384, NULL, &d, &events, NULL),
			-EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_other_root),
		cmocka_unit_test(test_worlds),
		cmocka_unit_test(test_old_tcb_info),
		cmocka_unit_test(test_module),
		cmocka_unit_test(test_bindings),
		cmocka_unit_test(test_debug_is_reported),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_flips_in_quote),
		cmocka_unit_test(test_flips_in_chain),
		cmocka_unit_test(test_flips_in_collateral),
		cmocka_unit_test(test_caches),
		cmocka_unit_test(test_claims_follow_collateral),
		cmocka_unit_test(test_revocation_after_caching),
		cmocka_unit_test(test_event_logs),
		cmocka_unit_test(test_agent_log_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
