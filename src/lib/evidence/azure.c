/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/azure.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/snp.h"
#include "evidence/tpm_quote.h"
#include "fmt/json.h"

#define INIT_DATA_PCR 8
#define ALL_PCRS 0xFFFFFFU
#define FIELD_MAX ((size_t)8192)
#define KEYS_MAX 16
#define NONCE_MAX 64
#define AK_NAME "HCLAkPub"

void azure_done(struct azure *a)
{
	buf_done(&a->hcl_bytes);
	buf_done(&a->message);
	buf_done(&a->signature);
	json_decref(a->variable);
}

int azure_bytes(const json_t *o, const char *name, bool hex, struct buf *out, struct err *reterr)
{
	if (json_is_array(json_object_get(o, name)))
		return json_get_bytes(o, name, out->max, out, reterr);
	return hex ? json_get_hex(o, name, out, reterr) : json_get_b64(o, name, out, reterr);
}

/* The name that @o uses for a member: the old one only where the new one is absent. */
static const char *one_of(const json_t *o, const char *name, const char *old)
{
	return json_object_get(o, name) || !json_object_get(o, old) ? name : old;
}

static int take_pcr(const json_t *v, uint8_t ret[32])
{
	if (json_is_string(v))
		return hex_decode_fixed(ret, 32, slice_str(json_string_value(v)));
	if (!json_is_array(v) || json_array_size(v) != 32)
		return -EBADMSG;
	for (size_t i = 0; i < 32; i++) {
		const json_t *b = json_array_get(v, i);
		json_int_t n = json_integer_value(b);
		if (!json_is_integer(b) || n < 0 || n > 255)
			return -EBADMSG;
		ret[i] = (uint8_t)n;
	}
	return 0;
}

static int decode_quote(const json_t *evidence, struct azure *a, struct err *reterr)
{
	json_t *quote = NULL, *pcrs = NULL;

	int r = json_get_object(evidence, one_of(evidence, "tpm_quote", "quote"), &quote, reterr);
	if (r == 0)
		r = azure_bytes(quote, "signature", true, &a->signature, reterr);
	if (r == 0)
		r = azure_bytes(quote, "message", true, &a->message, reterr);
	if (r == 0)
		r = json_get_array(quote, "pcrs", TPM_PCR_COUNT, &pcrs, reterr);
	if (r < 0)
		return r;
	for (size_t i = 0; i < TPM_PCR_COUNT; i++) {
		if (take_pcr(json_array_get(pcrs, i), a->pcrs[i]) < 0)
			return err_at(reterr, -EBADMSG, i, "pcrs",
				"member \"pcrs\" is not %d SHA-256 values", TPM_PCR_COUNT);
	}
	return tpm_quote_parse(buf_slice(&a->message), &a->quote, reterr);
}

int azure_decode(const json_t *evidence, enum hcl_type type, struct azure *a, struct err *reterr)
{
	a->hcl_bytes = buf_init(HCL_REPORT_SIZE_MAX);
	a->message = buf_init(FIELD_MAX);
	a->signature = buf_init(FIELD_MAX);
	int r = 0;
	if (json_object_get(evidence, "version"))
		r = json_get_int(evidence, "version", 1, 2, &a->version, reterr);
	if (r == 0)
		r = decode_quote(evidence, a, reterr);
	if (r == 0)
		r = azure_bytes(evidence, one_of(evidence, "hcl_report", "report"), false,
			&a->hcl_bytes, reterr);
	if (r == 0)
		r = hcl_report_parse(buf_slice(&a->hcl_bytes), &a->hcl, reterr);
	if (r == 0 && a->hcl.type != type)
		r = err_set(reterr, -EBADMSG, "the HCL report is of another TEE");
	if (r == 0)
		r = json_parse(a->hcl.variable, HCL_REPORT_SIZE_MAX, &a->variable, reterr);
	return r;
}

static int find_ak(const struct azure *a, struct pkey **ret, struct err *reterr)
{
	const json_t *found = NULL;
	json_t *keys;

	int r = json_get_array(a->variable, "keys", KEYS_MAX, &keys, reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);
		if (!streq_null(json_string_value(json_object_get(key, "kid")), AK_NAME))
			continue;
		if (found)
			return err_set(reterr, -EBADMSG, "there is more than one " AK_NAME);
		found = key;
	}
	if (r == 0 && !found)
		r = err_set(reterr, -EBADMSG, "the variable data does not name " AK_NAME);
	return r == 0 ? pkey_from_jwk(found, ret, reterr) : r;
}

static int check_signature(const struct azure *a, struct evidence_result *result)
{
	cleanup(pkey_free) struct pkey *ak = NULL;
	struct err e = {0};

	int r = find_ak(a, &ak, &e);
	r = check_errno(result, "attestation key", r, &e);
	if (r < 0)
		return r;
	r = pkey_verify(ak, SIG_RS256, buf_slice(&a->message), buf_slice(&a->signature));
	if (r == -EINVAL)
		r = -EKEYREJECTED;
	if (r == -EKEYREJECTED)
		err_set(&e, r, "the quote is not signed by the vTPM's attestation key");
	return check_errno(result, "quote signature", r, &e);
}

/* All registers must be quoted: a claim about one that is not would be anybody's word. */
static int check_pcrs(const struct azure *a, struct evidence_result *result)
{
	struct slice values[TPM_PCR_COUNT];
	struct err e = {0};
	struct digest d;

	bool all = a->quote.selection_count == 1 && a->quote.selections[0].hash == TPM_ALG_SHA256 &&
		   a->quote.selections[0].mask == ALL_PCRS;
	int r = check_note(result, "quoted PCRs", all, NULL, NULL,
		all ? NULL : "the quote does not cover all PCRs of the SHA-256 bank");
	if (r < 0)
		return r;
	for (size_t i = 0; i < TPM_PCR_COUNT; i++)
		values[i] = slice_of(a->pcrs[i], sizeof(a->pcrs[i]));
	r = tpm_pcr_digest(&a->quote, values, HASH_SHA256, &d, &e);
	if (r < 0)
		return check_errno(result, "PCR digest", r, &e);
	return check_bytes(result, "PCR digest", a->quote.pcr_digest, digest_slice(&d),
		"these PCR values are not the quoted ones");
}

/* The user data was given to the paravisor, which put it in before the hardware's report. */
static int check_user_data(const struct evidence_request *request, const struct azure *a,
	struct evidence_result *result)
{
	cleanup_with(buf_done) struct buf data = buf_init(FIELD_MAX);
	struct err e = {0};

	if (a->version < 2)
		return 0;
	int r = json_get_hex(a->variable, "user-data", &data, &e);
	if (r < 0)
		return check_errno(result, "user data", r, &e);
	return check_bytes(result, "user data", request->report_data,
		slice_cut(buf_slice(&data), 0, request->report_data.size),
		"the hardware's report was not made for this session and key");
}

static int check_fresh(const struct evidence_request *request, const struct azure *a,
	struct evidence_result *result)
{
	size_t size = request->report_data.size;

	if (request->insecure_skip_report_data)
		return 0;
	if (size == 0 || size > NONCE_MAX)
		return check_note(result, "report data", false, NULL, NULL,
			"no usable report data was given to compare with");
	int r = check_bytes(result, "report data", request->report_data, a->quote.extra_data,
		"the quote was not made for this session and key");
	return r == 0 ? check_user_data(request, a, result) : r;
}

static int check_init_data(const struct evidence_request *request, const struct azure *a,
	struct evidence_result *result)
{
	static const uint8_t zero[32];
	struct digest d;

	if (request->init_data.size == 0)
		return 0;
	if (request->init_data.size != sizeof(zero))
		return check_note(result, "initdata", false, NULL, NULL,
			"initdata of a guest with a vTPM must use algorithm sha256");
	int r = hash_extend(HASH_SHA256, slice_of(zero, sizeof(zero)), request->init_data, &d);
	if (r < 0)
		return r;
	return check_bytes(result, "initdata", digest_slice(&d),
		slice_of(a->pcrs[INIT_DATA_PCR], sizeof(a->pcrs[INIT_DATA_PCR])),
		"PCR 8 does not hold this initdata");
}

int azure_verify(const struct evidence_request *request, const struct azure *a,
	struct evidence_result *result)
{
	int r = check_signature(a, result);
	if (r == 0)
		r = check_pcrs(a, result);
	if (r == 0)
		r = check_fresh(request, a, result);
	return r == 0 ? check_init_data(request, a, result) : r;
}

int azure_check_binding(
	const struct azure *a, struct slice report_data, struct evidence_result *result)
{
	struct digest d;
	int r = hash_once(HASH_SHA256, a->hcl.variable, &d);
	return r < 0 ? r
		     : check_padded(result, "variable data", digest_slice(&d), report_data,
			       "the hardware's report does not vouch for the vTPM's key");
}

int azure_claims(const struct azure *a, json_t *claims)
{
	json_t *tpm = json_object();
	char name[8];

	int r = json_set_take(claims, "tpm", tpm);
	for (unsigned i = 0; r == 0 && i < TPM_PCR_COUNT; i++) {
		snprintf(name, sizeof(name), "pcr%02u", i);
		r = json_set_hex(tpm, name, slice_of(a->pcrs[i], sizeof(a->pcrs[i])));
	}
	if (r == 0)
		r = json_set_hex(claims, "init_data",
			slice_of(a->pcrs[INIT_DATA_PCR], sizeof(a->pcrs[INIT_DATA_PCR])));
	return r == 0 ? json_set_hex(claims, "report_data", a->quote.extra_data) : r;
}
