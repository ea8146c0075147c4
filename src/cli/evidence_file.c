/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of evidence a file holds: JSON as it travels, or the bytes that hardware wrote. */
#include "cli/evidence_file.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "fmt/cca_token.h"
#include "fmt/csv.h"
#include "fmt/json.h"
#include "fmt/sgx_quote.h"
#include "fmt/snp_report.h"

#define EVIDENCE_MAX ((size_t)64 << 20)

/* Reports of CSV have no mark of their own: their size, and padding with zeros. */
static unsigned csv_version(struct slice bytes)
{
	static struct csv_report report;

	if (bytes.size != CSV_REPORT_V1_SIZE && bytes.size != CSV_REPORT_V2_SIZE &&
		bytes.size != CSV_PAGE_SIZE)
		return 0;
	for (unsigned version = 1; version <= 2; version++) {
		if (csv_report_parse(bytes, version, &report, NULL) == 0 && report.has_signer)
			return version;
	}
	return 0;
}

static bool is_json(struct slice bytes)
{
	size_t i = 0;

	while (i < bytes.size && memchr(" \t\r\n", bytes.data[i], 4))
		i++;
	return i < bytes.size && (bytes.data[i] == '{' || bytes.data[i] == '[');
}

/*
 * Whose bytes these are, by how they begin: what follows may be damaged, which is then for the
 * verifier to say. NULL: nobody's.
 */
static const char *guess_raw(struct slice bytes)
{
	struct rd r = rd_init(bytes);
	uint16_t version = 0, key = 0;
	uint32_t tee = 0;

	if (rd_u16le(&r, &version) < 0 || rd_u16le(&r, &key) < 0 || rd_u32le(&r, &tee) < 0)
		return NULL;
	if (version >= 3 && version <= 5 && (key == 2 || key == 3) &&
		(tee == 0 || tee == SGX_TEE_TYPE_TDX))
		return tee == SGX_TEE_TYPE_TDX ? "tdx" : "sgx";
	/* Tag 399 or 907. */
	if (bytes.data[0] == 0xD9 && ((bytes.data[1] == 0x01 && bytes.data[2] == 0x8F) ||
					     (bytes.data[1] == 0x03 && bytes.data[2] == 0x8B)))
		return "cca";
	if (csv_version(bytes) > 0)
		return "csv";
	return version > 0 && version < 16 && key == 0 && bytes.size > SNP_REPORT_SIZE / 2 &&
			       bytes.size <= SNP_REPORT_SIZE
		       ? "snp"
		       : NULL;
}

/* SGX and TDX send the same member: the quote says whose it is. */
static const char *guess_intel(const json_t *evidence)
{
	cleanup_with(buf_done) struct buf quote = buf_init(SGX_QUOTE_SIZE_MAX);

	return json_get_b64(evidence, "quote", &quote, NULL) < 0 ? NULL
								 : guess_raw(buf_slice(&quote));
}

/* Which TEE a file is from, by the members that only its evidence has. */
static const char *guess_tee(const json_t *evidence)
{
	if (json_object_get(evidence, "tpm_quote") && json_object_get(evidence, "ak_public"))
		return "tpm";
	if (json_object_get(evidence, "svn") && json_object_get(evidence, "report_data"))
		return "sample";
	if (json_object_get(evidence, "device_evidence_list"))
		return "nvidia";
	if (json_object_get(evidence, "devices") && json_object_get(evidence, "version"))
		return "nvidia-dpu";
	if (json_object_get(evidence, "csv_report") ||
		json_object_get(json_object_get(evidence, "attestation_report"), "magic"))
		return "csv";
	if (json_object_get(evidence, "attestation_report"))
		return "snp";
	if (json_object_get(evidence, "hcl_report") || json_object_get(evidence, "report"))
		return json_object_get(evidence, "vcek") ? "az-snp-vtpm" : "az-tdx-vtpm";
	if (json_object_get(evidence, "token"))
		return "cca";
	if (json_object_get(evidence, "attestation_reports"))
		return "hygondcu";
	if (json_object_get(evidence, "image_hdr_tags"))
		return "se";
	return guess_intel(evidence);
}

/*
 * Files that hold nothing but a quote, report or token, as tools of the vendors and kernels write
 * them, become evidence.
 */
static int wrap_raw(struct slice bytes, const char **tee, json_t **ret, struct err *reterr)
{
	static const struct {
		const char *tee, *member;
	} members[] = {{"tdx", "quote"}, {"sgx", "quote"}, {"snp", "attestation_report"},
		{"cca", "token"}, {"csv", "csv_report"}};
	json_t *evidence = json_object();
	const char *member = NULL;

	if (!*tee)
		*tee = guess_raw(bytes);
	for (size_t i = 0; *tee && i < ARRAY_COUNT(members); i++)
		member = streq(members[i].tee, *tee) ? members[i].member : member;
	int r = member ? json_set_b64(evidence, member, bytes, B64_STD)
		: *tee ? err_set(reterr, -EBADMSG, "evidence of %s is JSON, and this is none", *tee)
		       : err_set(reterr, -EBADMSG,
				 "this is neither JSON nor a quote (TDX, SGX), report (SNP, CSV) or "
				 "token (CCA) that husk knows");
	if (r == 0 && streq_null(*tee, "csv"))
		r = json_set_int(evidence, "version", csv_version(bytes) == 2 ? 2 : 1);
	if (r < 0) {
		json_decref(evidence);
		return r;
	}
	*ret = evidence;
	return 0;
}

/* NVIDIA's own tools write the list of devices alone; others put the evidence into an envelope. */
static int unwrap(json_t **evidence)
{
	json_t *inner = json_object_get(*evidence, "evidence");

	if (json_is_object(inner)) {
		json_incref(inner);
		json_decref(*evidence);
		*evidence = inner;
		return 0;
	}
	if (!json_is_array(*evidence))
		return 0;
	json_t *o = json_object();
	int r = json_set_take(o, "device_evidence_list", *evidence);
	*evidence = o;
	return r;
}

int evidence_file_read(
	const char *file, const char *tee, json_t **ret, const char **ret_tee, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(EVIDENCE_MAX);
	cleanup(json_decref) json_t *evidence = NULL;

	int r = file_read(file, EVIDENCE_MAX, &text, reterr);
	if (r == 0 && !is_json(buf_slice(&text))) {
		r = wrap_raw(buf_slice(&text), &tee, &evidence, reterr);
	} else if (r == 0) {
		r = json_parse(buf_slice(&text), EVIDENCE_MAX, &evidence, reterr);
		if (r == 0)
			r = unwrap(&evidence);
		if (r == 0 && !tee)
			tee = guess_tee(evidence);
	}
	if (r < 0)
		return r;
	if (!tee)
		return err_set(reterr, -EBADMSG,
			"this is no evidence that husk knows; name its kind with --tee");
	*ret = steal_ptr(evidence);
	*ret_tee = tee;
	return 0;
}
