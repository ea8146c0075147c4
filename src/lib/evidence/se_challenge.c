/* SPDX-License-Identifier: Apache-2.0 */
/* From what an operator has (documents, lists, an image) to a challenge for a guest. */
#include "base/str.h"
#include "evidence/se.h"

struct host_keys {
	struct pkey *keys[SE_HOST_KEYS_MAX];
	size_t count, skipped;
};

static void host_keys_done(struct host_keys *h)
{
	for (size_t i = 0; i < h->count; i++)
		pkey_free(h->keys[i]);
}

/* One machine less can answer; the others still can. */
static int take_document(const struct evidence_request *trust, const struct se_source *source,
	struct slice document, struct host_keys *h, struct err *reterr)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {.checks = json_array()};

	if (h->count == SE_HOST_KEYS_MAX)
		return err_set(reterr, -E2BIG, "more than %d host-key documents", SE_HOST_KEYS_MAX);
	int r = se_hkd_verify(
		trust, document, source->chain, source->crls, &result, &h->keys[h->count]);
	if (r == -EACCES) {
		h->skipped++;
		err_set(reterr, r, "%s", result.reason);
		return 0;
	}
	h->count += r == 0;
	return r;
}

static int take_documents(const struct evidence_request *trust, const struct se_source *source,
	struct host_keys *h, struct err *reterr)
{
	static const char end[] = "-----END CERTIFICATE-----";
	cleanup_with(buf_done) struct buf text = buf_init(0);
	int r = 0;

	buf_put_slice(&text, source->documents);
	for (const char *at = buf_str(&text), *stop; r == 0 && (stop = strstr(at, end)) != NULL;) {
		stop += sizeof(end) - 1;
		r = take_document(trust, source, slice_of(at, (size_t)(stop - at)), h, reterr);
		at = stop + strspn(stop, "\r\n");
	}
	if (r == 0 && h->count == 0)
		return h->skipped
			       ? err_wrap(reterr, -EACCES, "no host-key document is usable")
			       : err_set(reterr, -ENOENT, "there are no host-key documents in PEM");
	return r;
}

int se_challenge_from(const struct evidence_request *trust, const struct se_source *source,
	json_t **ret, size_t *ret_skipped, struct err *reterr)
{
	cleanup_with(host_keys_done) struct host_keys h = {0};
	struct se_tags tags;

	int r = se_tags_from_image(source->image, &tags, reterr);
	if (r == 0)
		r = take_documents(trust, source, &h, reterr);
	if (r < 0)
		return r;
	*ret_skipped = h.skipped;
	r = se_challenge(source->wrapping, &tags, h.keys, h.count, ret);
	return r < 0 ? err_set(reterr, r, "cannot make an attestation request") : 0;
}
