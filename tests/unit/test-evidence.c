/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of evidence: published TPM quotes and event logs, refusals, and mutation of every
 * byte. */
#include "vectors.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/key.h"
#include "evidence/eventlog.h"
#include "evidence/evidence.h"
#include "evidence/internal.h"
#include "evidence/tpm_quote.h"
#include "fmt/tpm.h"

static enum evidence_verdict verify(const json_t *evidence, struct slice report_data,
	struct slice init_data, struct evidence_result *keep)
{
	struct evidence_request q = {
		.evidence = evidence,
		.report_data = report_data,
		.init_data = init_data,
		.now = clock_unix_s(),
	};
	struct evidence_result result = {0};
	struct err e = {0};
	int r = evidence_verify("tpm", &q, &result, &e);
	if (r < 0)
		fail_msg("evidence_verify: %d %s", r, e.text);
	enum evidence_verdict verdict = result.verdict;
	if (verdict == EVIDENCE_DENY)
		assert_true(result.reason[0] != 0);
	if (keep)
		*keep = result;
	else
		evidence_result_done(&result);
	return verdict;
}

/* Quotes over some PCRs only: the room refuses them, the checks they are made of hold. */
static void check_partial(const char *name, const json_t *expected)
{
	cleanup_with(buf_done) struct buf msg = buf_init(0), sig = buf_init(0), pem = buf_init(0),
					  bytes = buf_init(0);
	cleanup(pkey_free) struct pkey *k = NULL;
	json_t *bank = json_object_get(json_object_get(expected, "pcrs"), "sha256");
	struct slice values[TPM_PCR_COUNT] = {0};
	struct tpm_quote quote;
	struct tpm_signature parsed;
	struct digest d;

	vectors_read("tpm", name, "quote.msg", &msg);
	vectors_read("tpm", name, "quote.sig", &sig);
	vectors_read("tpm", name, "ak.pem", &pem);
	assert_int_equal(pkey_from_pem(buf_slice(&pem), &k, NULL), 0);
	assert_int_equal(tpm_quote_parse(buf_slice(&msg), &quote, NULL), 0);
	assert_int_equal(tpm_signature_parse(buf_slice(&sig), &parsed, NULL), 0);
	assert_int_equal(tpm_signature_check(k, buf_slice(&msg), buf_slice(&sig), NULL), 0);
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		char number[4];
		snprintf(number, sizeof(number), "%u", i);
		const char *hex = json_string_value(json_object_get(bank, number));
		if (hex)
			assert_int_equal(hex_decode(&bytes, slice_str(hex)), 0);
	}
	for (unsigned i = 0, n = 0; i < TPM_PCR_COUNT; i++) {
		if (quote.selections[0].mask & 1U << i)
			values[i] = slice_cut(buf_slice(&bytes), 32 * n++, 32);
	}
	assert_int_equal(tpm_pcr_digest(&quote, values, hash_from_tpm(parsed.hash), &d, NULL), 0);
	assert_true(slice_eq(digest_slice(&d), quote.pcr_digest));
}

/* Evidence in the wire form from the files of a vector; NULL when not all PCRs are quoted. */
static json_t *from_case(const char *name, json_t *expected)
{
	cleanup_with(buf_done) struct buf msg = buf_init(0), sig = buf_init(0), pem = buf_init(0),
					  spki = buf_init(0);
	cleanup(pkey_free) struct pkey *k = NULL;
	json_t *pcrs = json_array(), *quote = json_object(), *evidence = json_object();
	json_t *bank = json_object_get(json_object_get(expected, "pcrs"), "sha256");

	if (json_object_size(bank) != TPM_PCR_COUNT) {
		json_decref(pcrs);
		json_decref(quote);
		json_decref(evidence);
		return NULL;
	}
	vectors_read("tpm", name, "quote.msg", &msg);
	vectors_read("tpm", name, "quote.sig", &sig);
	vectors_read("tpm", name, "ak.pem", &pem);
	assert_int_equal(pkey_from_pem(buf_slice(&pem), &k, NULL), 0);
	assert_int_equal(pkey_to_spki(k, &spki), 0);
	for (int i = 0; i < TPM_PCR_COUNT; i++) {
		char number[4];
		snprintf(number, sizeof(number), "%d", i);
		json_array_append(pcrs, json_object_get(bank, number));
	}
	assert_int_equal(json_array_size(pcrs), TPM_PCR_COUNT);
	assert_int_equal(json_set_take(quote, "pcrs", pcrs), 0);
	assert_int_equal(json_set_b64(quote, "message", buf_slice(&msg), B64_STD), 0);
	assert_int_equal(json_set_b64(quote, "signature", buf_slice(&sig), B64_STD), 0);
	assert_int_equal(json_set_take(evidence, "tpm_quote", quote), 0);
	assert_int_equal(json_set_b64(evidence, "ak_public", buf_slice(&spki), B64_STD), 0);
	return evidence;
}

static void test_tpm_vectors(void **state)
{
	static const char *const cases[] = {"swtpm-rsassa256", "swtpm-rsapss256", "swtpm-ecdsa256",
		"trustee-tpm-evidence", "neg-swtpm-magic-v", "neg-swtpm-msg-flip-v",
		"neg-swtpm-nonce-v", "neg-swtpm-other-ak-v", "neg-swtpm-pcr-v",
		"neg-swtpm-sig-flip-v"};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup(json_decref) json_t *expected =
			vectors_json("tpm", cases[i], "expected.json");
		cleanup(json_decref) json_t *evidence = from_case(cases[i], expected);
		cleanup_with(buf_done) struct buf nonce = buf_init(0);
		if (!evidence) {
			check_partial(cases[i], expected);
			continue;
		}
		bool valid =
			streq(json_string_value(json_object_get(expected, "verdict")), "valid");
		assert_int_equal(json_get_hex(expected, "expected_nonce", &nonce, NULL), 0);
		enum evidence_verdict v = verify(evidence, buf_slice(&nonce), SLICE_EMPTY, NULL);
		if (v != (valid ? EVIDENCE_ACCEPT : EVIDENCE_DENY))
			fail_msg("%s: wrong verdict", cases[i]);
		if (!valid)
			continue;
		nonce.data[0] ^= 1;
		assert_int_equal(
			verify(evidence, buf_slice(&nonce), SLICE_EMPTY, NULL), EVIDENCE_DENY);
		assert_int_equal(verify(evidence, SLICE_EMPTY, SLICE_EMPTY, NULL), EVIDENCE_DENY);
	}
	/* The wire form of a deployed attester, and the claims made of it. */
	cleanup(json_decref) json_t *evidence =
		vectors_json("tpm", "trustee-tpm-evidence", "evidence.json");
	cleanup(json_decref) json_t *expected =
		vectors_json("tpm", "trustee-tpm-evidence", "expected.json");
	cleanup_with(buf_done) struct buf nonce = buf_init(0);
	struct evidence_result result = {0};
	assert_int_equal(json_get_hex(expected, "expected_nonce", &nonce, NULL), 0);
	/* 48 bytes of SHA-384, as the key broker computes them: the quote has them padded to 64. */
	assert_int_equal(
		verify(evidence, slice_cut(buf_slice(&nonce), 0, 48), SLICE_EMPTY, &result),
		EVIDENCE_ACCEPT);
	const char *text;
	assert_int_equal(json_get_str(result.claims, "pcr23", &text, NULL), 0);
	assert_int_equal(json_get_str(result.claims, "ak_public", &text, NULL), 0);
	assert_string_equal(text, json_string_value(json_object_get(evidence, "ak_public")));
	evidence_result_done(&result);
}

/* Every single-byte change of the signed parts must be refused. */
static void test_tpm_mutation(void **state)
{
	cleanup(json_decref) json_t *expected =
		vectors_json("tpm", "swtpm-rsassa256", "expected.json");
	cleanup(json_decref) json_t *evidence = from_case("swtpm-rsassa256", expected);
	cleanup_with(buf_done) struct buf nonce = buf_init(0);
	json_t *quote = json_object_get(evidence, "tpm_quote");
	static const char *const fields[] = {"message", "signature"};

	assert_int_equal(json_get_hex(expected, "expected_nonce", &nonce, NULL), 0);
	for (size_t f = 0; f < ARRAY_COUNT(fields); f++) {
		cleanup_with(buf_done) struct buf good = buf_init(0);
		assert_int_equal(json_get_b64(quote, fields[f], &good, NULL), 0);
		for (size_t i = 0; i < good.size; i++) {
			good.data[i] ^= (uint8_t)(1U << i % 8);
			assert_int_equal(
				json_set_b64(quote, fields[f], buf_slice(&good), B64_STD), 0);
			assert_int_equal(verify(evidence, buf_slice(&nonce), SLICE_EMPTY, NULL),
				EVIDENCE_DENY);
			good.data[i] ^= (uint8_t)(1U << i % 8);
		}
		for (size_t n = 0; n < good.size; n += 1) {
			assert_int_equal(json_set_b64(quote, fields[f],
						 slice_cut(buf_slice(&good), 0, n), B64_STD),
				0);
			assert_int_equal(verify(evidence, buf_slice(&nonce), SLICE_EMPTY, NULL),
				EVIDENCE_DENY);
		}
		assert_int_equal(json_set_b64(quote, fields[f], buf_slice(&good), B64_STD), 0);
	}
	json_t *pcrs = json_object_get(quote, "pcrs");
	for (size_t i = 0; i < TPM_PCR_COUNT; i++) {
		char *text = strdup(json_string_value(json_array_get(pcrs, i)));
		text[0] = text[0] == '0' ? '1' : '0';
		json_t *old = json_incref(json_array_get(pcrs, i));
		json_array_set_new(pcrs, i, json_string(text));
		assert_int_equal(
			verify(evidence, buf_slice(&nonce), SLICE_EMPTY, NULL), EVIDENCE_DENY);
		json_array_set_new(pcrs, i, old);
		free(text);
	}
	assert_int_equal(verify(evidence, buf_slice(&nonce), SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
	static const char *const members[] = {"tpm_quote", "ak_public"};
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		cleanup(json_decref) json_t *less = json_deep_copy(evidence);
		json_object_del(less, members[i]);
		assert_int_equal(verify(less, buf_slice(&nonce), SLICE_EMPTY, NULL), EVIDENCE_DENY);
	}
}

/* A TPM of our own, so that registers can be chosen: quotes over PCRs that an event log explains.
 */
struct fake_tpm {
	struct pkey *ak;
	struct digest pcrs[TPM_PCR_COUNT];
	struct buf log;
};

static void fake_event(struct fake_tpm *t, unsigned pcr, uint32_t type, struct slice data)
{
	struct digest d;
	assert_int_equal(hash_once(HASH_SHA256, data, &d), 0);
	struct tcg2_digest listed = {TPM_ALG_SHA256, digest_slice(&d)};
	tcg2_put_event(&t->log, pcr, type, &listed, 1, data);
	assert_int_equal(hash_extend(HASH_SHA256, digest_slice(&t->pcrs[pcr]), digest_slice(&d),
				 &t->pcrs[pcr]),
		0);
}

static void fake_start(struct fake_tpm *t)
{
	static const struct tcg2_alg alg = {TPM_ALG_SHA256, 32};
	assert_int_equal(pkey_generate(KEY_P256, 0, &t->ak), 0);
	for (int i = 0; i < TPM_PCR_COUNT; i++)
		t->pcrs[i].size = 32;
	tcg2_put_header(&t->log, &alg, 1);
	fake_event(t, 8, TCG2_EV_IPL, SLICE_LIT("console=ttyS0"));
	fake_event(t, 9, TCG2_EV_IPL, SLICE_LIT("kernel"));
}

static void fake_done(struct fake_tpm *t)
{
	pkey_free(t->ak);
	buf_done(&t->log);
}

static json_t *fake_evidence(struct fake_tpm *t, struct slice nonce, bool with_log)
{
	cleanup_with(buf_done) struct buf msg = buf_init(0), raw = buf_init(0), sig = buf_init(0),
					  spki = buf_init(0), values = buf_init(0);
	struct digest d;
	json_t *pcrs = json_array(), *quote = json_object(), *evidence = json_object();

	for (int i = 0; i < TPM_PCR_COUNT; i++) {
		char hex[65];
		buf_put_slice(&values, digest_slice(&t->pcrs[i]));
		json_array_append_new(
			pcrs, json_string(hex_str(digest_slice(&t->pcrs[i]), hex, sizeof(hex))));
	}
	assert_int_equal(hash_once(HASH_SHA256, buf_slice(&values), &d), 0);
	buf_put_u32be(&msg, TPM_GENERATED_VALUE);
	buf_put_u16be(&msg, TPM_ST_ATTEST_QUOTE);
	buf_put_u16be(&msg, 0);
	buf_put_u16be(&msg, (uint16_t)nonce.size);
	buf_put_slice(&msg, nonce);
	buf_put_zero(&msg, 17 + 8);
	buf_put_u32be(&msg, 1);
	buf_put_u16be(&msg, TPM_ALG_SHA256);
	buf_put(&msg, "\x03\xFF\xFF\xFF", 4);
	buf_put_u16be(&msg, 32);
	buf_put_slice(&msg, digest_slice(&d));
	assert_int_equal(pkey_sign(t->ak, SIG_ES256, buf_slice(&msg), &raw), 0);
	buf_put_u16be(&sig, TPM_ALG_ECDSA);
	buf_put_u16be(&sig, TPM_ALG_SHA256);
	for (int half = 0; half < 2; half++) {
		buf_put_u16be(&sig, 32);
		buf_put(&sig, raw.data + 32 * half, 32);
	}
	assert_int_equal(pkey_to_spki(t->ak, &spki), 0);
	assert_int_equal(json_set_b64(quote, "message", buf_slice(&msg), B64_STD), 0);
	assert_int_equal(json_set_b64(quote, "signature", buf_slice(&sig), B64_STD), 0);
	assert_int_equal(json_set_take(quote, "pcrs", pcrs), 0);
	assert_int_equal(json_set_take(evidence, "tpm_quote", quote), 0);
	assert_int_equal(json_set_b64(evidence, "ak_public", buf_slice(&spki), B64_STD), 0);
	if (with_log)
		assert_int_equal(
			json_set_b64(evidence, "event_log", buf_slice(&t->log), B64_STD), 0);
	return evidence;
}

static void test_tpm_initdata(void **state)
{
	struct fake_tpm t = {0};
	struct digest right, wrong;
	uint8_t nonce[48] = {0};
	struct slice report = slice_of(nonce, sizeof(nonce));

	memset(nonce, 7, sizeof(nonce));
	assert_int_equal(hash_once(HASH_SHA256, SLICE_LIT("initdata"), &right), 0);
	assert_int_equal(hash_once(HASH_SHA256, SLICE_LIT("other"), &wrong), 0);
	fake_start(&t);
	fake_event(&t, 8, TCG2_EV_EVENT_TAG, SLICE_LIT("initdata"));
	cleanup(json_decref) json_t *logged = fake_evidence(&t, slice_cut(report, 0, 32), true);
	cleanup(json_decref) json_t *bare = fake_evidence(&t, slice_cut(report, 0, 32), false);
	assert_int_equal(verify(logged, report, digest_slice(&right), NULL), EVIDENCE_ACCEPT);
	assert_int_equal(verify(logged, report, digest_slice(&wrong), NULL), EVIDENCE_DENY);
	assert_int_equal(verify(logged, report, SLICE_EMPTY, NULL), EVIDENCE_ACCEPT);
	/* Without the log nothing shows that the initdata is in PCR 8. */
	assert_int_equal(verify(bare, report, digest_slice(&right), NULL), EVIDENCE_DENY);
	/* Initdata that was measured before something else is not the last word of PCR 8. */
	fake_event(&t, 8, TCG2_EV_EVENT_TAG, SLICE_LIT("later"));
	cleanup(json_decref) json_t *later = fake_evidence(&t, slice_cut(report, 0, 32), true);
	assert_int_equal(verify(later, report, digest_slice(&right), NULL), EVIDENCE_DENY);
	/* A log that is not that of the quoted registers. */
	fake_event(&t, 8, TCG2_EV_EVENT_TAG, SLICE_LIT("initdata"));
	cleanup_with(buf_done) struct buf log = buf_init(0);
	buf_put_slice(&log, buf_slice(&t.log));
	fake_event(&t, 9, TCG2_EV_IPL, SLICE_LIT("x"));
	cleanup(json_decref) json_t *lies = fake_evidence(&t, slice_cut(report, 0, 32), true);
	assert_int_equal(verify(lies, report, digest_slice(&right), NULL), EVIDENCE_ACCEPT);
	assert_int_equal(json_set_b64(lies, "event_log", buf_slice(&log), B64_STD), 0);
	assert_int_equal(verify(lies, report, digest_slice(&right), NULL), EVIDENCE_DENY);
	for (size_t n = 0; n < log.size; n += 5) {
		assert_int_equal(
			json_set_b64(lies, "event_log", slice_cut(buf_slice(&log), 0, n), B64_STD),
			0);
		assert_int_equal(verify(lies, report, digest_slice(&right), NULL), EVIDENCE_DENY);
	}
	fake_done(&t);

	/* Upstream guests: PCR 8 is the initdata alone. */
	struct fake_tpm up = {0};
	fake_start(&up);
	up.pcrs[8] = (struct digest){.size = 32};
	fake_event(&up, 8, TCG2_EV_IPL, SLICE_LIT("initdata"));
	cleanup(json_decref) json_t *alone = fake_evidence(&up, slice_cut(report, 0, 32), false);
	assert_int_equal(verify(alone, report, digest_slice(&right), NULL), EVIDENCE_ACCEPT);
	assert_int_equal(verify(alone, report, digest_slice(&wrong), NULL), EVIDENCE_DENY);
	fake_done(&up);
}

static void check_replay(const char *name, struct slice log, const json_t *expected)
{
	static const struct {
		const char *bank;
		uint16_t alg;
	} banks[] = {
		{"sha1", TPM_ALG_SHA1}, {"sha256", TPM_ALG_SHA256}, {"sha384", TPM_ALG_SHA384}};
	json_t *pcrs = json_object_get(json_object_get(expected, "replay"), "pcr");

	for (size_t b = 0; b < ARRAY_COUNT(banks); b++) {
		json_t *want = json_object_get(pcrs, banks[b].bank);
		struct eventlog_registers regs;
		struct err e = {0};
		if (!want)
			continue;
		if (eventlog_replay(log, banks[b].alg, &regs, &e) < 0)
			fail_msg("%s: %s", name, e.text);
		for (unsigned i = 0; i < EVENTLOG_REGISTERS; i++) {
			char number[4], hex[2 * HASH_SIZE_MAX + 1];
			snprintf(number, sizeof(number), "%u", i);
			const char *value = json_string_value(json_object_get(want, number));
			if (!value)
				continue;
			if (!streq(hex_str(digest_slice(&regs.values[i]), hex, sizeof(hex)), value))
				fail_msg("%s: %s PCR %u is %s, expected %s", name, banks[b].bank, i,
					hex, value);
		}
	}
}

static void test_event_logs(void **state)
{
	char path[1024];
	int replayed = 0, refused = 0, old = 0;

	snprintf(path, sizeof(path), "%s/tcg2", vectors_dir());
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (d->d_name[0] == '.')
			continue;
		cleanup(json_decref) json_t *expected =
			vectors_json("tcg2", d->d_name, "expected.json");
		cleanup_with(buf_done) struct buf log = buf_init(0);
		struct eventlog_registers regs;
		vectors_read("tcg2", d->d_name, "eventlog.bin", &log);
		const char *form = json_string_value(
			json_object_get(json_object_get(expected, "header"), "signature"));
		if (!json_is_null(json_object_get(expected, "parse_error"))) {
			assert_true(
				eventlog_replay(buf_slice(&log), TPM_ALG_SHA1, &regs, NULL) < 0);
			refused++;
			continue;
		}
		check_replay(d->d_name, buf_slice(&log), expected);
		/* Logs of TCG 1.2 hold SHA-1 only: no verifier's algorithm replays their events. */
		if (!str_starts(form, "Spec ID") &&
			json_array_size(json_object_get(expected, "events")) > 1) {
			assert_int_equal(
				eventlog_replay(buf_slice(&log), TPM_ALG_SHA256, &regs, NULL),
				-EBADMSG);
			old++;
		}
		cleanup(json_decref) json_t *events = NULL;
		struct err e = {0};
		if (eventlog_to_json(buf_slice(&log), &events, &e) < 0)
			fail_msg("%s: %s", d->d_name, e.text);
		replayed++;
		size_t step = MAX(log.size / 200, (size_t)1);
		for (size_t n = 0; n < log.size; n += step) {
			uint8_t *copy = malloc(n ? n : 1);
			memcpy(copy, log.data, n);
			(void)!eventlog_replay(slice_of(copy, n), TPM_ALG_SHA256, &regs, NULL);
			(void)!eventlog_replay(slice_of(copy, n), TPM_ALG_SHA1, &regs, NULL);
			free(copy);
		}
	}
	closedir(dir);
	print_message("%d logs replayed, %d refused\n", replayed, refused);
	assert_true(replayed > 10 && refused >= 3 && old >= 3);
}

static void test_sample(void **state)
{
	struct evidence_request q = {.report_data = SLICE_LIT("digest"), .now = 0};
	struct evidence_result result = {0};
	cleanup(json_decref) json_t *good =
		json_pack("{s:s, s:s}", "svn", "1", "report_data", "ZGlnZXN0");
	cleanup(json_decref) json_t *bad =
		json_pack("{s:s, s:s}", "svn", "1", "report_data", "ZGlnZXN1");
	q.evidence = good;
	assert_int_equal(evidence_verify("sample", &q, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_ACCEPT);
	assert_string_equal(
		json_string_value(json_object_get(result.claims, "launch_digest")), "abcde");
	evidence_result_done(&result);
	q.evidence = bad;
	assert_int_equal(evidence_verify("sample", &q, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
	assert_null(result.claims);
	evidence_result_done(&result);
	q.evidence = NULL;
	assert_int_equal(evidence_verify("sample", &q, &result, NULL), 0);
	assert_int_equal(result.verdict, EVIDENCE_DENY);
	evidence_result_done(&result);
	assert_int_equal(evidence_verify("nothing", &q, &result, NULL), -EOPNOTSUPP);
}

/* Each failed check comes with what to do; no name of another one is taken for it. */
static void test_fixes(void **state)
{
	static const struct {
		const char *name, *part;
	} rows[] = {{"collateral", "husk collateral fetch"},
		{"TCB", "certificate of the reported TCB"},
		{"TCB status", "firmware and microcode"},
		{"TCB Info signature", "collect the evidence"},
		{"TCB Info is for this TEE", "of this TEE"}, {"QE identity", "quoting enclave"},
		{"QE identity signature", "collect the evidence"},
		{"dates of root CRL", "current list"}, {"dates of PCK certificate", "--at"},
		{"PCK certificate is not revoked", "do not trust"}, {"report data", "attest again"},
		{"PCK chain root", "trust this root only"},
		{"report signature", "collect the evidence"},
		{"a check of tomorrow", "collect the evidence"}};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct evidence_result result = {.checks = json_array()};
		assert_int_equal(check_note(&result, rows[i].name, true, NULL, NULL, NULL), 0);
		assert_int_equal(
			check_note(&result, rows[i].name, false, NULL, NULL, NULL), -EACCES);
		assert_null(json_object_get(json_array_get(result.checks, 0), "fix"));
		const char *fix =
			json_string_value(json_object_get(json_array_get(result.checks, 1), "fix"));
		if (!fix || !strstr(fix, rows[i].part))
			fail_msg("%s: %s", rows[i].name, fix ? fix : "(none)");
		evidence_result_done(&result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tpm_vectors),
		cmocka_unit_test(test_tpm_mutation),
		cmocka_unit_test(test_tpm_initdata),
		cmocka_unit_test(test_event_logs),
		cmocka_unit_test(test_fixes),
		cmocka_unit_test(test_sample),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
