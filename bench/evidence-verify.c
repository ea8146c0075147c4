/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifications of SNP evidence per second of CPU time, beside the bare cost of the report's P-384
 * signature in the same run. Reports, certificates (RSA-4096, as AMD's) and collateral are made by
 * the simulator of the tests.
 *
 *   known chip   its chain has been checked: one signature is left, over the report
 *   new chip     also the signatures of VCEK, ASK, ARK and revocation list
 *   with JSON    known chip, from the text of the evidence on
 *
 * usage: evidence-verify [SECONDS]
 */
#include <stdio.h>

#include "bench/cpu.h"
#include "base/parse.h"
#include "crypto/key.h"
#include "evidence/snp_chain.h"
#include "fmt/json.h"
#include "support/snp_sim.h"

#define CHIPS (2 * SNP_VEKS_MAX) /* more than are remembered, so that each is new again */

static const uint8_t g_report_data[48] = {1};

struct bench {
	struct snp_sim *sim;
	struct collateral_store *store;
	json_t *evidence[CHIPS];
	struct buf text;
	uint64_t budget_ms;
};

static bool verify(const struct bench *b, const json_t *evidence)
{
	const struct evidence_request q = {
		.evidence = evidence,
		.report_data = slice_of(g_report_data, sizeof(g_report_data)),
		.now = SNP_SIM_NOW,
		.collateral = collateral_store_provider(b->store),
		.amd_roots = snp_sim_root(b->sim),
		.amd_root_count = 1,
	};
	struct evidence_result result = {0};
	bool good =
		evidence_verify("snp", &q, &result, NULL) == 0 && result.verdict == EVIDENCE_ACCEPT;
	evidence_result_done(&result);
	return good;
}

static bool verify_text(const struct bench *b)
{
	cleanup(json_decref) json_t *evidence = NULL;
	return json_parse(buf_slice(&b->text), 0, &evidence, NULL) == 0 && verify(b, evidence);
}

/* Verifications per second over the first @count chips in turn, 0 chips: from text; 0 on failure.
 */
static double rate(const struct bench *b, size_t count)
{
	uint64_t start = cpu_ms(), now;
	size_t done = 0;

	do {
		for (size_t i = 0; i < 16; i++, done++) {
			if (count ? !verify(b, b->evidence[done % count]) : !verify_text(b))
				return 0;
		}
		now = cpu_ms();
	} while (now - start < b->budget_ms);
	return (double)done * 1000 / (double)(now - start);
}

static double bare_rate(uint64_t budget_ms)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup_with(buf_done) struct buf sig = buf_init(0);
	static const uint8_t message[SNP_SIGNED_SIZE];
	size_t done = 0;

	if (pkey_generate(KEY_P384, 0, &key) < 0 ||
		pkey_sign(key, SIG_ES384, slice_of(message, sizeof(message)), &sig) < 0)
		return 0;
	uint64_t start = cpu_ms(), now;
	do {
		for (size_t i = 0; i < 16; i++, done++) {
			if (pkey_verify(key, SIG_ES384, slice_of(message, sizeof(message)),
				    buf_slice(&sig)) < 0)
				return 0;
		}
		now = cpu_ms();
	} while (now - start < budget_ms);
	return (double)done * 1000 / (double)(now - start);
}

static bool prepare(struct bench *b)
{
	const struct snp_sim_report r = {
		.policy = 0x30000, .report_data = slice_of(g_report_data, sizeof(g_report_data))};

	b->sim = snp_sim_new(&(struct snp_sim_options){.full_size_keys = true});
	b->store = collateral_store_new();
	if (!b->sim || !b->store || snp_sim_publish(b->sim, b->store) < 0)
		return false;
	for (size_t i = 0; i < CHIPS; i++) {
		if (snp_sim_new_chip(b->sim) < 0)
			return false;
		b->evidence[i] = snp_sim_evidence(b->sim, &r);
		if (!b->evidence[i])
			return false;
	}
	b->text = buf_init(0);
	return json_write(b->evidence[0], &b->text) == 0;
}

static void print_line(const char *name, double rate, double bare)
{
	printf("%-24s %8.0f /s  %6.1f us  %.2f times the bare signature\n", name, rate, 1e6 / rate,
		bare / rate);
}

int main(int argc, char **argv)
{
	struct bench b = {.budget_ms = 3000};
	uint32_t seconds = 3;

	if (argc > 1 && parse_u32(slice_str(argv[1]), 1, 600, &seconds) == 0)
		b.budget_ms = seconds * 1000;
	if (!prepare(&b)) {
		fprintf(stderr, "evidence-verify: cannot make evidence\n");
		return 1;
	}
	double bare = bare_rate(b.budget_ms);
	double known = rate(&b, 1), some = rate(&b, 64), text = rate(&b, 0),
	       fresh = rate(&b, CHIPS);
	if (bare <= 0 || known <= 0 || some <= 0 || text <= 0 || fresh <= 0) {
		fprintf(stderr, "evidence-verify: a verification failed\n");
		return 1;
	}
	printf("%-24s %8.0f /s  %6.1f us\n", "bare P-384 verify", bare, 1e6 / bare);
	print_line("one chip", known, bare);
	print_line("64 chips in turn", some, bare);
	print_line("one chip, with JSON", text, bare);
	print_line("always a new chip", fresh, bare);
	for (size_t i = 0; i < CHIPS; i++)
		json_decref(b.evidence[i]);
	buf_done(&b.text);
	snp_sim_free(b.sim);
	collateral_store_free(b.store);
	return 0;
}
