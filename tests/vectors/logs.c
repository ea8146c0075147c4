/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs: CCEL and TCG2. */
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "evidence/eventlog.h"
#include "fmt/json.h"
#include "fmt/sgx_quote.h"
#include "fmt/tpm.h"
#include "vectors.h"

static const struct {
	const char *name;
	uint16_t id;
} g_algs[] = {{"sha1", TPM_ALG_SHA1}, {"sha256", TPM_ALG_SHA256}, {"sha384", TPM_ALG_SHA384},
	{"sha512", TPM_ALG_SHA512}, {"sm3", TPM_ALG_SM3_256}};

static const char *register_hex(
	const struct eventlog_registers *regs, size_t index, char hex[2 * HASH_SIZE_MAX + 1])
{
	return index < EVENTLOG_REGISTERS
		       ? hex_str(digest_slice(&regs->values[index]), hex, 2 * HASH_SIZE_MAX + 1)
		       : "";
}

static int compare_bank(struct vector *v, struct slice log, uint16_t alg, json_t *want)
{
	struct eventlog_registers regs;
	struct err e = {0};
	char hex[2 * HASH_SIZE_MAX + 1];
	const char *key;
	json_t *value;

	if (eventlog_replay(log, alg, &regs, &e) < 0)
		return vector_fail(v, "replay: %s", e.text);
	json_object_foreach (want, key, value) {
		uint32_t index = EVENTLOG_REGISTERS;
		(void)!parse_u32(slice_str(key), 0, EVENTLOG_REGISTERS - 1, &index);
		const char *text = json_string_value(value);
		if (!text || !streq(register_hex(&regs, index, hex), text))
			return vector_fail(v, "replay of register %s differs", key);
	}
	return 0;
}

static int compare_replay(struct vector *v, struct slice log)
{
	json_t *replay = json_object_get(v->expected, "replay"), *banks, *registers;
	const char *kind, *name;

	json_object_foreach (replay, kind, banks) {
		json_object_foreach (banks, name, registers) {
			uint16_t alg = 0;
			for (size_t i = 0; i < ARRAY_COUNT(g_algs); i++)
				alg = streq(g_algs[i].name, name) ? g_algs[i].id : alg;
			if (compare_bank(v, log, alg, registers) < 0)
				return -1;
		}
	}
	return 0;
}

/* Registers as a quote or TD report of the same machine has them. Return: whether they agree. */
static bool registers_agree(struct vector *v, struct slice log)
{
	const json_t *binding = json_object_get(v->expected, "binding");
	const json_t *rtmrs = json_object_get(binding, "quote_rtmrs");
	struct eventlog_registers regs;
	char hex[2 * HASH_SIZE_MAX + 1];

	if (!rtmrs)
		rtmrs = json_object_get(binding, "tdreport_rtmrs");
	if (!rtmrs)
		return true;
	if (eventlog_replay(log, TPM_ALG_SHA384, &regs, NULL) < 0)
		return false;
	for (size_t i = 0; i < json_array_size(rtmrs); i++) {
		const char *want = json_string_value(json_array_get(rtmrs, i));
		if (!want || !streq(register_hex(&regs, i + 1, hex), want))
			return false;
	}
	return true;
}

static int compare_golden(struct vector *v, struct slice log)
{
	cleanup(json_decref) json_t *claims = json_object(), *want = NULL;
	cleanup_with(buf_done) struct buf golden = buf_init(0);
	const char *file = vector_file(v, "source_expected");
	json_t *events = NULL;
	struct err e = {0};

	if (eventlog_to_json(log, &events, &e) < 0)
		return vector_fail(v, "claims: %s", e.text);
	if (vector_int(v, v->expected, "event_count", (int64_t)json_array_size(events)) < 0) {
		json_decref(events);
		return -1;
	}
	if (json_set_take(claims, "uefi_event_logs", events) < 0)
		return vector_fail(v, "out of memory");
	/* Other tools' renderings are no claims. */
	if (!file || !str_ends(file, ".json"))
		return 0;
	if (vector_read(v, file, &golden) < 0)
		return -1;
	if (json_parse(buf_slice(&golden), (size_t)64 << 20, &want, &e) < 0)
		return vector_fail(v, "golden file: %s", e.text);
	return json_equal(claims, want) ? 0 : vector_fail(v, "claims differ from %s", file);
}

int vector_log(struct vector *v)
{
	cleanup_with(buf_done) struct buf raw = buf_init(0);
	struct eventlog_registers regs;
	struct err e = {0};
	uint16_t alg = TPM_ALG_SHA1; /* what logs of TCG 1.2 have, which list none */

	if (vector_read(v, vector_file(v, "log"), &raw) < 0)
		return -1;
	struct slice log = buf_slice(&raw);
	const json_t *algs = json_object_get(json_object_get(v->expected, "header"), "algorithms");
	for (size_t i = 0; i < ARRAY_COUNT(g_algs); i++) {
		const char *name =
			json_string_value(json_object_get(json_array_get(algs, 0), "name"));
		if (name && streq(name, g_algs[i].name))
			alg = g_algs[i].id;
	}
	if (vector_is_parse_only(v))
		return compare_replay(v, log);
	bool parses = eventlog_replay(log, alg, &regs, &e) == 0;
	bool good = parses && eventlog_check_data(log, &e) == 0 && registers_agree(v, log);
	if (vector_is_valid(v) != good)
		return vector_fail(v, good ? "was accepted" : "was refused: %s", e.text);
	if (!good)
		return 0;
	if (compare_replay(v, log) < 0)
		return -1;
	return compare_golden(v, log);
}
