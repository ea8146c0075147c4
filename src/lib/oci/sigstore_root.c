/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/sigstore_root.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"

struct embedded_text {
	const char *name;
	const uint8_t *data;
	size_t size;
};
#include "sigstore-roots.h"

struct slice sigstore_public_good(void)
{
	return slice_of(g_embedded[0].data, g_embedded[0].size);
}

void sigstore_root_free(struct sigstore_root *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < SIGSTORE_PARTIES_MAX; i++) {
		pkey_free(r->logs[i].key);
		pkey_free(r->ctkeys[i]);
		for (size_t n = 0; n < SIGSTORE_CHAIN_MAX; n++) {
			cert_free(r->cas[i].certs[n]);
			cert_free(r->tsas[i].certs[n]);
		}
	}
	free(r);
}

/* A party without a start is not trusted for ever: the document is malformed. */
static int read_period(const json_t *o, int64_t *from, int64_t *until, struct err *reterr)
{
	json_t *period = NULL;
	const char *start = NULL, *end = NULL;

	*until = INT64_MAX;
	int r = json_get_object(o, "validFor", &period, reterr);
	if (r == 0)
		r = json_get_str(period, "start", &start, reterr);
	if (r == 0)
		r = json_opt_str(period, "end", &end, reterr);
	if (r == 0 && (rfc3339_parse(slice_str(start), from) < 0 ||
			      (end && rfc3339_parse(slice_str(end), until) < 0)))
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "validFor", "validFor holds no times");
	return r;
}

static int read_id(const json_t *o, uint8_t id[32], struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(64);
	json_t *log = NULL;

	int r = json_get_object(o, "logId", &log, reterr);
	if (r == 0)
		r = json_get_b64(log, "keyId", &bytes, reterr);
	if (r == 0 && bytes.size != 32)
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "logId", "logId is not 32 bytes");
	if (r == 0)
		memcpy(id, bytes.data, 32);
	return r;
}

/* @ret_key NULL: a type of key that is not known, which makes the log useless and nothing else. */
static int read_key(
	const json_t *o, struct pkey **ret_key, int64_t *from, int64_t *until, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(16 << 10);
	json_t *key = NULL;

	int r = json_get_object(o, "publicKey", &key, reterr);
	if (r == 0)
		r = json_get_b64(key, "rawBytes", &der, reterr);
	if (r == 0)
		r = read_period(key, from, until, reterr);
	if (r == 0 && pkey_from_spki(buf_slice(&der), ret_key, NULL) < 0)
		*ret_key = NULL;
	return r;
}

static int read_log(const json_t *o, struct sigstore_root *root, struct err *reterr)
{
	struct sigstore_log *log = &root->logs[root->log_count];
	const char *url, *host;

	int r = json_get_str(o, "baseUrl", &url, reterr);
	if (r == 0)
		r = read_id(o, log->id, reterr);
	if (r == 0)
		r = read_key(o, &log->key, &log->from, &log->until, reterr);
	if (r < 0)
		return r;
	host = strstr(url, "://");
	host = host ? host + 3 : url;
	if (str_copy_slice(log->name, sizeof(log->name), slice_of(host, strcspn(host, "/"))) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "baseUrl", "baseUrl is too long");
	root->log_count += log->key != NULL;
	return 0;
}

static int read_ctlog(const json_t *o, struct sigstore_root *root, struct err *reterr)
{
	struct sct_log *log = &root->ctlogs[root->ctlog_count];
	struct pkey **key = &root->ctkeys[root->ctlog_count];

	int r = read_id(o, log->id, reterr);
	if (r == 0)
		r = read_key(o, key, &log->from, &log->until, reterr);
	log->key = *key;
	root->ctlog_count += r == 0 && *key;
	return r;
}

static int read_authority(
	const json_t *o, struct sigstore_authority *a, size_t *count, struct err *reterr)
{
	json_t *chain = NULL, *list = NULL;

	int r = json_get_object(o, "certChain", &chain, reterr);
	if (r == 0)
		r = json_get_array(chain, "certificates", SIGSTORE_CHAIN_MAX, &list, reterr);
	if (r == 0)
		r = read_period(o, &a->from, &a->until, reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		cleanup_with(buf_done) struct buf der = buf_init(16 << 10);
		r = json_get_b64(json_array_get(list, i), "rawBytes", &der, reterr);
		if (r == 0)
			r = cert_from_der(buf_slice(&der), &a->certs[a->count], reterr);
		a->count += r == 0;
	}
	*count += r == 0 && a->count > 0;
	return r;
}

static int read_ca(const json_t *o, struct sigstore_root *root, struct err *reterr)
{
	return read_authority(o, &root->cas[root->ca_count], &root->ca_count, reterr);
}

static int read_tsa(const json_t *o, struct sigstore_root *root, struct err *reterr)
{
	return read_authority(o, &root->tsas[root->tsa_count], &root->tsa_count, reterr);
}

int sigstore_root_parse(struct slice json, struct sigstore_root **ret, struct err *reterr)
{
	static const struct {
		const char *name;
		int (*read)(const json_t *o, struct sigstore_root *root, struct err *reterr);
	} parts[] = {{"tlogs", read_log}, {"ctlogs", read_ctlog},
		{"certificateAuthorities", read_ca}, {"timestampAuthorities", read_tsa}};
	cleanup(sigstore_root_free) struct sigstore_root *root = calloc(1, sizeof(*root));
	cleanup(json_decref) json_t *doc = NULL;

	int r = root ? json_parse(json, SIGSTORE_ROOT_MAX, &doc, reterr) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(parts); i++) {
		json_t *list = NULL;
		if (!json_object_get(doc, parts[i].name))
			continue;
		r = json_get_array(doc, parts[i].name, SIGSTORE_PARTIES_MAX, &list, reterr);
		for (size_t n = 0; r == 0 && n < json_array_size(list); n++)
			r = parts[i].read(json_array_get(list, n), root, reterr);
	}
	if (r < 0)
		return err_wrap(reterr, r, "trusted root");
	*ret = steal_ptr(root);
	return 0;
}
