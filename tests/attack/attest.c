/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestations of cheats against the real key broker, with real TPMs. Before and after each cheat
 * an honest attestation of the same TPM is taken: what is refused is the cheat, for the reason that
 * the broker wrote down.
 * usage: attack-attest HUSK-KBS POLICY
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "support/kbs_steps.h"
#include "support/swtpm.h"

#define AK_HANDLE 0x81010002u

static struct kbs_server g_server;
static const char *g_policy;
static struct swtpm g_tpm, g_foreign;
static struct pkey *g_key, *g_other_key;
static json_t *g_tee_key, *g_other_tee_key;

/* What a cheat may change between the nonce and the attestation. */
struct attempt {
	const char *nonce;     /* what the request names */
	const json_t *tee_key; /* likewise */
	json_t *evidence;      /* of the honest TPM, over the honest binding */
	const char *init_data;
	size_t keep; /* bytes of the request that are sent; 0: all */
};

static json_t *evidence_of(struct swtpm *t, const char *nonce, const json_t *tee_key)
{
	uint8_t binding[48];
	char *text = NULL;
	struct err e = {0};

	assert_int_equal(kbs_binding(nonce, tee_key, "", binding), 0);
	if (swtpm_evidence(t, AK_HANDLE, slice_of(binding, sizeof(binding)), &text, &e) < 0)
		fail_msg("%s", e.text);
	json_t *evidence = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(evidence);
	return evidence;
}

static json_t *quote_of(const struct attempt *a)
{
	json_t *quote = json_object_get(a->evidence, "tpm_quote");
	assert_non_null(quote);
	return quote;
}

/* A base64 member shortened to @keep bytes, or with its byte @flip changed. */
static void damage(json_t *object, const char *name, size_t keep, size_t flip)
{
	cleanup_with(buf_done) struct buf raw = buf_init(0), text = buf_init(0);
	const char *old = json_string_value(json_object_get(object, name));

	assert_non_null(old);
	assert_int_equal(b64_decode(&raw, slice_str(old), B64_STD), 0);
	assert_true(keep <= raw.size && flip < raw.size);
	if (keep == 0)
		raw.data[flip] ^= 1;
	b64_encode(&text, slice_cut(buf_slice(&raw), 0, keep ? keep : raw.size), B64_STD);
	assert_int_equal(json_object_set_new(object, name, json_string(buf_str(&text))), 0);
}

/* --- the cheats --- */

static void pcr_value(struct attempt *a)
{
	json_t *pcrs = json_object_get(quote_of(a), "pcrs");
	char value[65];

	memset(value, '7', 64);
	value[64] = 0;
	assert_int_equal(json_array_set_new(pcrs, 9, json_string(value)), 0);
}
static void pcr_missing(struct attempt *a)
{
	assert_int_equal(json_array_remove(json_object_get(quote_of(a), "pcrs"), 23), 0);
}
static void quote_truncated(struct attempt *a)
{
	damage(quote_of(a), "message", 40, 0);
}
static void quote_flipped(struct attempt *a)
{
	damage(quote_of(a), "message", 0, 60);
}
static void signature_truncated(struct attempt *a)
{
	damage(quote_of(a), "signature", 100, 0);
}
static void signature_flipped(struct attempt *a)
{
	damage(quote_of(a), "signature", 0, 100);
}
static void no_quote(struct attempt *a)
{
	assert_int_equal(json_object_del(a->evidence, "tpm_quote"), 0);
}
static void request_truncated(struct attempt *a)
{
	a->keep = 300;
}
/* The quote of one TPM under the name of another. */
static void foreign_quote(struct attempt *a)
{
	json_t *theirs = evidence_of(&g_foreign, a->nonce, a->tee_key);
	json_t *quote = json_object_get(theirs, "tpm_quote");

	assert_int_equal(json_object_set(a->evidence, "tpm_quote", quote), 0);
	json_decref(theirs);
}
/* A genuine quote that was made for another session. */
static void other_nonce(struct attempt *a)
{
	static const char old[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

	json_decref(a->evidence);
	a->evidence = evidence_of(&g_tpm, old, a->tee_key);
}
static void named_nonce(struct attempt *a)
{
	a->nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
}
/* The evidence is the guest's, the key that secrets would go to is not. */
static void stolen_evidence(struct attempt *a)
{
	a->tee_key = g_other_tee_key;
}
static void unmeasured_initdata(struct attempt *a)
{
	a->init_data = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"x\" = \"y\"\n";
}

static const struct cheat {
	const char *name;
	void (*apply)(struct attempt *a);
	const char *stage, *reason;
} g_cheats[] = {
	{"PCR values that do not hash to the quote", pcr_value, "evidence",
		"not those that the TPM quoted"},
	{"a PCR value left out", pcr_missing, "evidence", "has 23 PCR values, not 24"},
	{"a truncated quote", quote_truncated, "evidence", "is cut short"},
	{"a changed quote", quote_flipped, "evidence", "not signed by this key"},
	{"a truncated signature", signature_truncated, "evidence", "signature is cut short"},
	{"a changed signature", signature_flipped, "evidence", "not signed by this key"},
	{"evidence without its quote", no_quote, "evidence", "\"tpm_quote\" is missing"},
	{"a truncated request", request_truncated, "message", "bad JSON"},
	{"the quote of another TPM", foreign_quote, "evidence", "not signed by this key"},
	{"a quote over another nonce", other_nonce, "evidence", "not made for this session"},
	{"a nonce of one's own", named_nonce, "nonce", "not this session's"},
	{"evidence sent with another key", stolen_evidence, "evidence",
		"not made for this session and key"},
	{"initdata that was not measured", unmeasured_initdata, "evidence",
		"does not hold this initdata"},
};

static void send_attempt(struct kbs_client *c, const struct attempt *a)
{
	char *message = kbs_attestation(a->nonce, a->tee_key, a->evidence, a->init_data);

	assert_non_null(message);
	if (a->keep > 0)
		message[a->keep] = 0;
	assert_int_equal(kbs_client_request(c, "POST", "/kbs/v0/attest", slice_str(message)), 0);
	free(message);
}

/* One session, honest but for @apply. */
static void attest(struct kbs_client *c, void (*apply)(struct attempt *a))
{
	char nonce[64];

	assert_int_equal(kbs_client_auth(c, "tpm", nonce), 0);
	struct attempt a = {.nonce = nonce,
		.tee_key = g_tee_key,
		.evidence = evidence_of(&g_tpm, nonce, g_tee_key)};
	if (apply)
		apply(&a);
	send_attempt(c, &a);
}

static void assert_honest_works(struct kbs_client *c)
{
	attest(c, NULL);
	if (c->status != 200)
		fail_msg("an honest attestation was refused: %s", buf_str(&c->answer));
}

/* The broker's own record of the refusal in the last answer. */
static void assert_refused(const struct kbs_client *c, const struct cheat *cheat)
{
	const char *at = strstr(buf_str(&c->answer), "(id ");
	struct kbs_client admin;
	char path[96];

	if (c->status != 401 || !at)
		fail_msg("%s: status %d, %s", cheat->name, c->status, buf_str(&c->answer));
	snprintf(path, sizeof(path), "/kbs/v0/admin/why/%.32s", at + 4);
	assert_int_equal(kbs_server_client(&g_server, true, &admin), 0);
	assert_int_equal(kbs_client_request(&admin, "GET", path, SLICE_EMPTY), 0);
	json_t *record = kbs_client_json(&admin);
	const char *stage = json_string_value(json_object_get(record, "stage"));
	const char *reason = json_string_value(json_object_get(record, "reason"));
	print_message("%s: %s: %s\n", cheat->name, stage, reason);
	if (!stage || !reason || !streq(stage, cheat->stage) || !strstr(reason, cheat->reason))
		fail_msg("%s: refused at '%s' because '%s', expected '%s' at '%s'", cheat->name,
			stage, reason, cheat->reason, cheat->stage);
	json_decref(record);
	kbs_client_done(&admin);
}

static void test_cheats(void **state)
{
	struct kbs_client c;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	for (size_t i = 0; i < ARRAY_COUNT(g_cheats); i++) {
		assert_honest_works(&c);
		attest(&c, g_cheats[i].apply);
		assert_refused(&c, &g_cheats[i]);
	}
	assert_honest_works(&c);
	kbs_client_done(&c);
}

/* One nonce, two attestations: the second has another key, and evidence that fits it. */
static void test_nonce_reuse(void **state)
{
	static const struct cheat cheat = {"a nonce used twice", NULL, "session", "used already"};
	struct kbs_client c;
	char nonce[64];

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	assert_int_equal(kbs_client_auth(&c, "tpm", nonce), 0);
	struct attempt first = {.nonce = nonce,
		.tee_key = g_tee_key,
		.evidence = evidence_of(&g_tpm, nonce, g_tee_key)};
	send_attempt(&c, &first);
	assert_int_equal(c.status, 200);
	struct attempt second = {.nonce = nonce,
		.tee_key = g_other_tee_key,
		.evidence = evidence_of(&g_tpm, nonce, g_other_tee_key)};
	send_attempt(&c, &second);
	assert_refused(&c, &cheat);
	kbs_client_done(&c);
}

/* The honest TPM's key and registers become the reference values, and the shipped policy rules. */
static void register_honest(void)
{
	cleanup_with(buf_done) struct buf policy = buf_init(0);

	kbs_admin_tpm(&g_server, &g_tpm, AK_HANDLE);
	assert_int_equal(file_read(g_policy, (size_t)1 << 20, &policy, NULL), 0);
	kbs_admin_policy(&g_server, NULL, buf_slice(&policy), 200);
	kbs_admin_secret(&g_server, "secret");
}

/* Who attests with @t and then asks for the key. */
static void ask_for_key(struct kbs_client *c, struct swtpm *t)
{
	char nonce[64];

	assert_int_equal(kbs_client_auth(c, "tpm", nonce), 0);
	struct attempt a = {
		.nonce = nonce, .tee_key = g_tee_key, .evidence = evidence_of(t, nonce, g_tee_key)};
	send_attempt(c, &a);
	assert_int_equal(c->status, 200);
	assert_int_equal(
		kbs_client_request(c, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY), 0);
}

/* Authentic evidence is not enough: another TPM, and then the same TPM with another kernel. */
static void test_truthful_strangers(void **state)
{
	static const struct cheat cheat = {"", NULL, "resource policy", "allow is not true"};
	struct tpm_digest evil = {.alg = TPM_ALG_SHA256};
	struct kbs_client c;

	register_honest();
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	ask_for_key(&c, &g_tpm);
	assert_int_equal(c.status, 200);
	ask_for_key(&c, &g_foreign);
	assert_refused(&c, &cheat);
	assert_int_equal(tpm_pcr_extend(&g_tpm.tpm, 9, &evil, 1, NULL), 0);
	ask_for_key(&c, &g_tpm);
	assert_refused(&c, &cheat);
	kbs_client_done(&c);
}

static int setup(void **state)
{
	struct err e = {0};
	int r = swtpm_start(&g_tpm);

	if (r == 0)
		r = swtpm_start(&g_foreign);
	if (r == 0)
		r = tpm_create_ak(&g_tpm.tpm, AK_HANDLE, &e);
	if (r == 0)
		r = tpm_create_ak(&g_foreign.tpm, AK_HANDLE, &e);
	if (r == 0)
		r = pkey_generate(KEY_P256, 0, &g_key);
	if (r == 0)
		r = pkey_generate(KEY_P256, 0, &g_other_key);
	if (r < 0) {
		print_error("cannot start: %s %s\n", strerror(-r), e.text);
		return -1;
	}
	g_tee_key = kbs_tee_key(g_key);
	g_other_tee_key = kbs_tee_key(g_other_key);
	return g_tee_key && g_other_tee_key ? 0 : -1;
}

static int teardown(void **state)
{
	json_decref(g_tee_key);
	json_decref(g_other_tee_key);
	pkey_free(g_key);
	pkey_free(g_other_key);
	swtpm_stop(&g_tpm);
	swtpm_stop(&g_foreign);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cheats),
		cmocka_unit_test(test_nonce_reuse),
		cmocka_unit_test(test_truthful_strangers),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: attack-attest HUSK-KBS POLICY\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	g_policy = argv[2];
	if (kbs_server_start(&g_server, argv[1], NULL) < 0) {
		fprintf(stderr, "attack-attest: the key broker does not start\n");
		return 1;
	}
	int failed = cmocka_run_group_tests(tests, setup, teardown);
	failed += kbs_server_stop(&g_server) == 0 ? 0 : 1;
	kbs_server_remove(&g_server);
	return failed ? 1 : 0;
}
