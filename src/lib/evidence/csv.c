/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of Hygon CSV.
 *
 * Theory of operation. HRK signs HSK, HSK signs the chip's CEK, CEK the platform's PEK, PEK the
 * report; each signer's user id goes into what it signs (SM2), and each certificate says for what
 * its key is (usage). The MAC in a report has a key that stands in the report: it proves nothing
 * about its sender, but what it covers and nobody signed (the serial number) is then at least whole.
 * Attacker: whoever sends evidence.
 */
#include "evidence/csv.h"

#include "base/str.h"
#include "crypto/hash.h"
#include "crypto/sm2.h"

struct embedded_text {
	const char *name;
	const uint8_t *data;
	size_t size;
};
#include "hygon-root.h"

struct slice csv_builtin_root(void)
{
	return slice_of(g_embedded[0].data, g_embedded[0].size);
}

int csv_check_signed(const struct csv_cert *signer, const struct csv_signature *signature,
	struct slice bytes, struct err *reterr)
{
	struct sm2_point key;
	struct sm2_signature sig;

	if (!signature->there || signature->usage != signer->usage ||
		signature->algo != CSV_ALGO_SM2 || signer->algo != CSV_ALGO_SM2)
		return err_set(reterr, -EKEYREJECTED,
			"it is not signed with SM2 by a key of usage %04x (but %04x)",
			signer->usage, signature->usage);
	memcpy(key.x, signer->x, sizeof(key.x));
	memcpy(key.y, signer->y, sizeof(key.y));
	memcpy(sig.r, signature->r, sizeof(sig.r));
	memcpy(sig.s, signature->s, sizeof(sig.s));
	int r = sm2_verify(&key, signer->uid, bytes, &sig);
	return r < 0 ? err_set(reterr, r, "it is not signed by %.*s", SLICE_ARG(signer->uid)) : 0;
}

/* A certificate may have two signatures (PEK: CEK and its owner's); one must be @signer's. */
static int check_cert(
	const struct csv_cert *c, uint32_t usage, const struct csv_cert *signer, struct err *reterr)
{
	static const uint8_t unnamed[16];

	if (c->usage != usage || c->algo != CSV_ALGO_SM2)
		return err_set(
			reterr, -EKEYREJECTED, "its key has usage %04x, not %04x", c->usage, usage);
	if (signer->key_id.size > 0 && !slice_eq(c->signer_id, signer->key_id) &&
		!slice_eq(c->signer_id, slice_of(unnamed, sizeof(unnamed))))
		return err_set(reterr, -EKEYREJECTED, "it names another signer");
	for (size_t i = 0; i < ARRAY_COUNT(c->signatures); i++) {
		if (c->signatures[i].there && c->signatures[i].usage == signer->usage)
			return csv_check_signed(signer, &c->signatures[i], c->body, reterr);
	}
	return err_set(
		reterr, -EKEYREJECTED, "it has no signature by a key of usage %04x", signer->usage);
}

int csv_verify_chain(const struct evidence_request *request, struct slice hsk, struct slice cek,
	struct evidence_result *result, struct csv_cert *ret_cek)
{
	struct slice root = request->hygon_root.size > 0 ? request->hygon_root : csv_builtin_root();
	struct csv_cert hrk_cert = {0}, hsk_cert = {0};
	struct err e = {0};

	int r = csv_ca_cert_parse(root, &hrk_cert, &e);
	if (r == 0)
		r = check_cert(&hrk_cert, CSV_USAGE_HRK, &hrk_cert, &e);
	r = check_errno(result, "HRK certificate", r, &e);
	if (r < 0)
		return r;
	r = csv_ca_cert_parse(hsk, &hsk_cert, &e);
	if (r == 0)
		r = check_cert(&hsk_cert, CSV_USAGE_HSK, &hrk_cert, &e);
	r = check_errno(result, "HSK certificate", r, &e);
	if (r < 0)
		return r;
	r = csv_cert_parse(cek, ret_cek, &e);
	if (r == 0)
		r = check_cert(ret_cek, CSV_USAGE_CEK, &hsk_cert, &e);
	return check_errno(result, "CEK certificate", r, &e);
}

/* A PEK that is in the report and beside it must be one. */
static int check_pek(const struct csv_report *report, struct slice beside,
	const struct csv_cert *cek, struct csv_cert *ret, struct err *reterr)
{
	struct slice pek = beside.size > 0 ? beside : report->pek;

	if (beside.size > 0 && report->has_signer && !slice_eq(beside, report->pek))
		return err_set(reterr, -EBADMSG, "it is not the one in the report");
	int r = csv_cert_parse(pek, ret, reterr);
	return r == 0 ? check_cert(ret, CSV_USAGE_PEK, cek, reterr) : r;
}

static int check_mac(const struct csv_report *report, struct evidence_result *result)
{
	struct digest mac = {0};

	int r = hmac_once(HASH_SM3, report->mnonce, report->mac_bytes, &mac);
	return r < 0 ? r
		     : check_bytes(result, "signer MAC", digest_slice(&mac), report->mac,
			       "the part of the report about its signer was altered");
}

int csv_verify(const struct evidence_request *request, struct slice hsk, struct slice cek,
	struct slice pek, const struct csv_report *report, struct evidence_result *result)
{
	struct csv_cert cek_cert = {0}, pek_cert = {0};
	struct err e = {0};

	int r = csv_verify_chain(request, hsk, cek, result, &cek_cert);
	if (r < 0)
		return r;
	r = check_pek(report, pek, &cek_cert, &pek_cert, &e);
	r = check_errno(result, "PEK certificate", r, &e);
	if (r < 0)
		return r;
	r = csv_check_signed(&pek_cert, &report->signature, report->signed_bytes, &e);
	r = check_errno(result, "report signature", r, &e);
	return r == 0 && pek.size == 0 ? check_mac(report, result) : r;
}

int csv_collateral_key(
	const char *kind, struct slice serial, char dst[COLLATERAL_KEY_SIZE], struct err *reterr)
{
	char text[65];
	size_t size = serial.size;

	while (size > 0 && serial.data[size - 1] == 0)
		size--;
	if (size == 0 || size >= sizeof(text))
		return err_set(reterr, -EBADMSG, "the serial number of the chip is empty");
	for (size_t i = 0; i < size; i++) {
		char c = (char)serial.data[i];
		bool upper = c >= 'A' && c <= 'Z';
		if (!upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
			c != '_')
			return err_set(reterr, -EBADMSG,
				"the serial number of the chip is not letters and digits");
		text[i] = (char)(upper ? c - 'A' + 'a' : c);
	}
	text[size] = 0;
	snprintf(dst, COLLATERAL_KEY_SIZE, "hygon/%s/hsk_cek/%s", kind, text);
	return 0;
}

int csv_hsk_cek(const struct evidence_request *request, const char *kind, struct slice serial,
	struct evidence_result *result, struct slice *ret_hsk, struct slice *ret_cek)
{
	char key[COLLATERAL_KEY_SIZE];
	struct slice item = SLICE_EMPTY;
	struct err e = {0};

	int r = csv_collateral_key(kind, serial, key, &e);
	r = check_errno(result, "serial number", r, &e);
	if (r == 0)
		r = check_collateral(result, request->collateral, key, &item);
	if (r < 0)
		return r;
	*ret_hsk = slice_cut(item, 0, CSV_CA_CERT_SIZE);
	*ret_cek = slice_cut(item, CSV_CA_CERT_SIZE, item.size);
	return 0;
}
