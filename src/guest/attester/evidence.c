/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/attester/evidence.h"

#include "base/enc.h"
#include "base/fd.h"
#include "fmt/der.h"
#include "fmt/json.h"
#include "fmt/tcg2.h"
#include "guest/attester/bind.h"
#include "guest/attester/tpm_dev.h"

#define PUBLIC_MAX 2048
#define SHA256_SIZE 32

int attester_tee(const char **ret, struct err *reterr)
{
	cleanup_with(tpm_dev_close) struct tpm_dev dev = {0};
	int r = tpm_dev_open(NULL, &dev, reterr);
	if (r < 0)
		return r;
	*ret = "tpm";
	return 0;
}

/* The key as SubjectPublicKeyInfo, base64. */
static int put_ak(const struct tpm *tpm, json_t *evidence, struct err *reterr)
{
	cleanup_with(buf_done) struct buf area = buf_init(PUBLIC_MAX), spki = buf_init(PUBLIC_MAX);
	struct tpm_public public;
	int r = tpm_read_public(tpm, ATTESTER_AK_HANDLE, &area, reterr);
	if (r < 0)
		return r;
	r = tpm_public_parse(buf_slice(&area), &public, reterr);
	if (r < 0)
		return r;
	if (public.type != TPM_ALG_RSA)
		return err_set(reterr, -EOPNOTSUPP, "the attestation key of the TPM is not RSA");
	const uint8_t exponent[4] = {(uint8_t)(public.exponent >> 24),
		(uint8_t)(public.exponent >> 16), (uint8_t)(public.exponent >> 8),
		(uint8_t) public.exponent};
	der_put_rsa_spki(&spki, public.modulus, slice_of(exponent, sizeof(exponent)));
	if (buf_error(&spki) < 0)
		return err_set(
			reterr, buf_error(&spki), "the attestation key of the TPM is too large");
	return json_set_b64(evidence, "ak_public", buf_slice(&spki), B64_STD);
}

static int put_pcrs(const struct tpm *tpm, json_t *quote, struct err *reterr)
{
	uint8_t values[TPM_PCR_COUNT][SHA256_SIZE];
	json_t *list;
	int r = tpm_pcr_read_all(tpm, TPM_ALG_SHA256, values[0], reterr);
	if (r < 0)
		return r;
	list = json_array();
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		char hex[2 * SHA256_SIZE + 1];
		hex_str(slice_of(values[i], SHA256_SIZE), hex, sizeof(hex));
		if (json_array_append_new(list, json_string(hex)) < 0) {
			json_decref(list);
			return -ENOMEM;
		}
	}
	return json_set_take(quote, "pcrs", list);
}

static int make_quote(
	const struct tpm *tpm, struct slice report_data, json_t *quote, struct err *reterr)
{
	cleanup_with(buf_done) struct buf message = buf_init(TPM_MESSAGE_MAX);
	cleanup_with(buf_done) struct buf signature = buf_init(TPM_MESSAGE_MAX);
	int r = tpm_quote(tpm, ATTESTER_AK_HANDLE, slice_cut(report_data, 0, ATTESTER_NONCE_SIZE),
		&message, &signature, reterr);
	if (r == 0)
		r = json_set_b64(quote, "signature", buf_slice(&signature), B64_STD);
	if (r == 0)
		r = json_set_b64(quote, "message", buf_slice(&message), B64_STD);
	return r < 0 ? r : put_pcrs(tpm, quote, reterr);
}

/* Without a log the verifier can still check registers that it knows the final values of. */
static int put_log(json_t *evidence, struct err *reterr)
{
	cleanup_with(buf_done) struct buf log = buf_init(TCG2_SIZE_MAX);
	int r = file_read(BIND_EVENTLOG, TCG2_SIZE_MAX, &log, reterr);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : json_set_b64(evidence, "event_log", buf_slice(&log), B64_STD);
}

int attester_evidence(struct slice report_data, json_t **ret, struct err *reterr)
{
	cleanup_with(tpm_dev_close) struct tpm_dev dev = {0};
	cleanup(json_decref) json_t *evidence = json_object();
	json_t *quote = json_object();
	if (report_data.size < ATTESTER_NONCE_SIZE) {
		json_decref(quote);
		return -EINVAL;
	}
	int r = json_set_take(evidence, "tpm_quote", quote);
	if (r == 0)
		r = tpm_dev_open(NULL, &dev, reterr);
	if (r == 0)
		r = make_quote(&dev.tpm, report_data, quote, reterr);
	if (r == 0)
		r = put_ak(&dev.tpm, evidence, reterr);
	if (r == 0)
		r = put_log(evidence, reterr);
	if (r < 0)
		return r;
	*ret = steal_ptr(evidence);
	return 0;
}
