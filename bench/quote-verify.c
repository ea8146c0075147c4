/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifications of TDX quotes per second of CPU time, beside the bare cost of their signatures in
 * the same run. Quotes and collateral are made by the simulator of the tests.
 *
 *   known platform   its QE part has been seen: one signature is left, over the quote
 *   new platform     three signatures: PCK certificate, QE report, quote
 * (The two CA certificates above the PCK certificate are checked again for a new platform, too.)
 *
 * usage: quote-verify [SECONDS]
 */
#include <stdio.h>

#include "bench/cpu.h"
#include "base/enc.h"
#include "base/parse.h"
#include "crypto/key.h"
#include "evidence/dcap.h"
#include "fmt/json.h"
#include "support/dcap_sim.h"

#define PLATFORMS 2048 /* far more than are remembered, so that each is new again */

static const uint8_t g_report_data[48] = {1};

struct bench {
	struct dcap_sim *sim;
	struct collateral_store *store;
	json_t *evidence[PLATFORMS];
	uint64_t budget_ms;
};

static bool verify(const struct bench *b, const json_t *evidence)
{
	const struct evidence_request q = {
		.evidence = evidence,
		.report_data = slice_of(g_report_data, sizeof(g_report_data)),
		.now = DCAP_SIM_NOW,
		.collateral = collateral_store_provider(b->store),
		.intel_roots = dcap_sim_root(b->sim),
		.intel_root_count = 1,
	};
	struct evidence_result result = {0};
	bool good =
		evidence_verify("tdx", &q, &result, NULL) == 0 && result.verdict == EVIDENCE_ACCEPT;
	evidence_result_done(&result);
	return good;
}

/* Verifications per second over the first @count platforms in turn; 0 on failure. */
static double rate(const struct bench *b, size_t count)
{
	uint64_t start = cpu_ms(), now;
	size_t done = 0;

	do {
		for (size_t i = 0; i < 32; i++, done++) {
			if (!verify(b, b->evidence[done % count]))
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
	static const uint8_t message[632];
	size_t done = 0;

	if (pkey_generate(KEY_P256, 0, &key) < 0 ||
		pkey_sign(key, SIG_ES256, slice_of(message, sizeof(message)), &sig) < 0)
		return 0;
	uint64_t start = cpu_ms(), now;
	do {
		for (size_t i = 0; i < 64; i++, done++) {
			if (pkey_verify(key, SIG_ES256, slice_of(message, sizeof(message)),
				    buf_slice(&sig)) < 0)
				return 0;
		}
		now = cpu_ms();
	} while (now - start < budget_ms);
	return (double)done * 1000 / (double)(now - start);
}

static bool prepare(struct bench *b)
{
	const struct dcap_sim_report r = {.version = 4,
		.body_type = 2,
		.module_version = 1,
		.report_data = slice_of(g_report_data, sizeof(g_report_data)),
		.qe_auth_data = SLICE_LIT("auth")};

	b->sim = dcap_sim_new(NULL);
	b->store = collateral_store_new();
	if (!b->sim || !b->store || dcap_sim_publish(b->sim, b->store) < 0)
		return false;
	for (size_t i = 0; i < PLATFORMS; i++) {
		if (dcap_sim_new_platform(b->sim) < 0)
			return false;
		b->evidence[i] = dcap_sim_evidence(b->sim, &r);
		if (!b->evidence[i])
			return false;
	}
	return true;
}

static void print_line(const char *name, double rate, double bare, int signatures)
{
	printf("%-24s %8.0f /s  %6.1f us  %d signatures: %.2f times their bare cost\n", name, rate,
		1e6 / rate, signatures, bare / signatures / rate);
}

int main(int argc, char **argv)
{
	struct bench b = {.budget_ms = 3000};
	uint32_t seconds = 3;

	if (argc > 1 && parse_u32(slice_str(argv[1]), 1, 600, &seconds) == 0)
		b.budget_ms = seconds * 1000;
	if (!prepare(&b)) {
		fprintf(stderr, "quote-verify: cannot make quotes\n");
		return 1;
	}
	double bare = bare_rate(b.budget_ms);
	double known = rate(&b, 1), some = rate(&b, 64), fresh = rate(&b, PLATFORMS);
	if (bare <= 0 || known <= 0 || some <= 0 || fresh <= 0) {
		fprintf(stderr, "quote-verify: a verification failed\n");
		return 1;
	}
	printf("%-24s %8.0f /s  %6.1f us\n", "bare P-256 verify", bare, 1e6 / bare);
	print_line("one platform", known, bare, 1);
	print_line("64 platforms in turn", some, bare, 1);
	print_line("always a new platform", fresh, bare, 3);
	for (size_t i = 0; i < PLATFORMS; i++)
		json_decref(b.evidence[i]);
	dcap_sim_free(b.sim);
	collateral_store_free(b.store);
	return 0;
}
