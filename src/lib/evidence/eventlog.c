/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/eventlog.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/eventlog_details.h"
#include "fmt/json.h"
#include "fmt/tpm.h"

static const struct {
	uint16_t id;
	enum hash_alg alg;
	const char *name;
} g_algs[] = {
	{TPM_ALG_SHA1, HASH_SHA1, "SHA-1"},
	{TPM_ALG_SHA256, HASH_SHA256, "SHA-256"},
	{TPM_ALG_SHA384, HASH_SHA384, "SHA-384"},
	{TPM_ALG_SHA512, HASH_SHA512, "SHA-512"},
	{TPM_ALG_SM3_256, HASH_SM3, "SM3"},
};

static enum hash_alg alg_of(uint16_t id, const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_algs); i++) {
		if (g_algs[i].id == id) {
			if (ret_name)
				*ret_name = g_algs[i].name;
			return g_algs[i].alg;
		}
	}
	return HASH_NONE;
}

int eventlog_replay(
	struct slice log, uint16_t tpm_alg, struct eventlog_registers *ret, struct err *reterr)
{
	struct eventlog_registers regs = {.alg = alg_of(tpm_alg, NULL)};
	struct tcg2_reader reader;
	struct tcg2_event e;

	if (regs.alg == HASH_NONE)
		return err_set(
			reterr, -EOPNOTSUPP, "cannot replay digests of algorithm %04x", tpm_alg);
	int r = tcg2_open(log, &reader, reterr);
	if (r < 0)
		return r;
	for (size_t i = 0; i < EVENTLOG_REGISTERS; i++)
		regs.values[i].size = hash_size(regs.alg);
	while ((r = tcg2_next(&reader, &e, reterr)) > 0) {
		if (e.type == TCG2_EV_NO_ACTION) {
			if (!(regs.touched & 1))
				regs.values[0].bytes[regs.values[0].size - 1] =
					reader.startup_locality;
			continue;
		}
		struct slice value = tcg2_event_digest(&e, tpm_alg);
		if (e.index >= EVENTLOG_REGISTERS || value.size == 0)
			return err_at(reterr, -EBADMSG, e.offset, "event",
				"event has register %u or lacks a %s digest", e.index,
				hash_name(regs.alg));
		struct digest *d = &regs.values[e.index];
		r = hash_extend(regs.alg, digest_slice(d), value, d);
		if (r < 0)
			return r;
		regs.touched |= 1U << e.index;
	}
	if (r == 0)
		*ret = regs;
	return r;
}

int eventlog_last_digest(
	struct slice log, uint16_t tpm_alg, uint32_t index, struct slice *ret, struct err *reterr)
{
	struct tcg2_reader reader;
	struct tcg2_event e;
	struct slice last = SLICE_EMPTY;

	int r = tcg2_open(log, &reader, reterr);
	if (r < 0)
		return r;
	while ((r = tcg2_next(&reader, &e, reterr)) > 0) {
		if (e.index == index && e.type != TCG2_EV_NO_ACTION)
			last = tcg2_event_digest(&e, tpm_alg);
	}
	if (r < 0)
		return r;
	if (last.size == 0)
		return err_set(reterr, -ENOENT, "event log has no event of register %u", index);
	*ret = last;
	return 0;
}

#define EV_VARIABLE_CONFIG 0x80000001U	  /* EV_EFI_VARIABLE_DRIVER_CONFIG */
#define EV_VARIABLE_AUTHORITY 0x800000E0U /* EV_EFI_VARIABLE_AUTHORITY */

static bool is_digest_of_data(uint32_t type)
{
	switch (type) {
	case TCG2_EV_SEPARATOR:
	case EV_VARIABLE_CONFIG:
	case 0x80000007U: /* EV_EFI_ACTION */
	case EV_VARIABLE_AUTHORITY:
		return true;
	}
	return false;
}

/* UEFI_VARIABLE_DATA, as its own lengths describe it: the value in it, and what is behind it. */
static int split_variable(struct slice data, struct slice *ret_value, struct slice *ret_behind)
{
	struct rd r = rd_init(data);
	uint64_t name, value;

	if (rd_skip(&r, 16) < 0 || rd_u64le(&r, &name) < 0 || rd_u64le(&r, &value) < 0 ||
		name > data.size || value > data.size || rd_skip(&r, (size_t)name * 2) < 0 ||
		rd_slice(&r, (size_t)value, ret_value) < 0)
		return -EBADMSG;
	*ret_behind = rd_rest(&r);
	return 0;
}

static int hash_is(enum hash_alg alg, struct slice data, struct slice digest)
{
	struct digest actual;

	int r = hash_once(alg, data, &actual);
	return r < 0 ? r : slice_eq(digest_slice(&actual), digest);
}

/*
 * Variables have two other forms. Firmware with a TPM 1.2 hashes the value alone. shim before 15.3
 * logged those of the authority with bytes behind the structure, and the last of them is not in the
 * digest; nothing shows that byte as part of the variable.
 */
static int digest_is_of(
	const struct tcg2_event *e, bool is_tcg12, enum hash_alg alg, struct slice digest)
{
	struct slice value, behind;

	int r = hash_is(alg, e->data, digest);
	if (r != 0 || (e->type != EV_VARIABLE_CONFIG && e->type != EV_VARIABLE_AUTHORITY) ||
		split_variable(e->data, &value, &behind) < 0)
		return r;
	r = is_tcg12 ? hash_is(alg, value, digest) : 0;
	if (r != 0)
		return r;
	return e->type == EV_VARIABLE_AUTHORITY && behind.size > 0
		       ? hash_is(alg, slice_cut(e->data, 0, e->data.size - 1), digest)
		       : 0;
}

int eventlog_check_data(struct slice log, struct err *reterr)
{
	struct tcg2_reader reader;
	struct tcg2_event e;

	int r = tcg2_open(log, &reader, reterr);
	if (r < 0)
		return r;
	while ((r = tcg2_next(&reader, &e, reterr)) > 0) {
		for (size_t i = 0; is_digest_of_data(e.type) && i < e.digest_count; i++) {
			enum hash_alg alg = alg_of(e.digests[i].alg, NULL);
			if (alg == HASH_NONE)
				continue;
			r = digest_is_of(&e, reader.is_tcg12, alg, e.digests[i].bytes);
			if (r < 0)
				return r;
			if (r == 0)
				return err_at(reterr, -EKEYREJECTED, e.offset, "event",
					"the data of event %s is not what its digest is of",
					tcg2_type_name(e.type));
		}
	}
	return r;
}

static int put_digests(const struct tcg2_event *e, json_t *event)
{
	json_t *array = json_array();
	bool matches = e->digest_count > 0;
	int r = array ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < e->digest_count; i++) {
		const char *name = NULL;
		enum hash_alg alg = alg_of(e->digests[i].alg, &name);
		json_t *d = json_object();
		struct digest actual;
		if (json_array_append_new(array, d) < 0) {
			json_decref(array);
			return -ENOMEM;
		}
		r = json_set_str(d, "alg", name ? name : "unknown");
		if (r == 0)
			r = json_set_hex(d, "digest", e->digests[i].bytes);
		if (r == 0 && (alg == HASH_NONE || hash_once(alg, e->data, &actual) < 0 ||
				      !slice_eq(digest_slice(&actual), e->digests[i].bytes)))
			matches = false;
	}
	if (r == 0)
		r = json_set_bool(event, "digest_matches_event", matches);
	if (r < 0) {
		json_decref(array);
		return r;
	}
	return json_set_take(event, "digests", array);
}

static int render(const struct tcg2_event *e, json_t *list)
{
	const char *name = tcg2_type_name(e->type);
	char unknown[32];
	json_t *event = json_object(), *details = json_object();

	snprintf(unknown, sizeof(unknown), "0x%08x", e->type);
	if (json_array_append_new(list, event) < 0) {
		json_decref(details);
		return -ENOMEM;
	}
	int r = json_set_take(event, "details", details);
	if (r == 0)
		r = eventlog_details(e, details);
	if (r == 0)
		r = put_digests(e, event);
	if (r == 0)
		r = json_set_b64(event, "event", e->data, B64_STD);
	if (r == 0)
		r = json_set_int(event, "index", e->index);
	return r < 0 ? r : json_set_str(event, "type_name", name ? name : unknown);
}

int eventlog_to_json(struct slice log, json_t **ret, struct err *reterr)
{
	struct tcg2_reader reader;
	struct tcg2_event e;
	cleanup(json_decref) json_t *list = json_array();

	int r = tcg2_open(log, &reader, reterr);
	if (r < 0)
		return r;
	while ((r = tcg2_next(&reader, &e, reterr)) > 0) {
		r = render(&e, list);
		if (r < 0)
			return r;
	}
	if (r == 0)
		*ret = steal_ptr(list);
	return r;
}
