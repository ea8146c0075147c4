/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/rekor.h"

#include "base/enc.h"
#include "base/str.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "oci/manifest.h"

void rekor_entry_done(struct rekor_entry *e)
{
	buf_done(&e->body);
	*e = (struct rekor_entry){0};
}

static int check_log(const struct pkey *key, const char *id, struct err *reterr)
{
	cleanup_with(buf_done) struct buf spki = buf_init(4096);
	char hex[2 * HASH_SIZE_MAX + 1];
	struct digest d = {0};

	int r = pkey_to_spki(key, &spki);
	if (r == 0)
		r = hash_once(HASH_SHA256, buf_slice(&spki), &d);
	if (r < 0)
		return r;
	return streq(id, hex_str(digest_slice(&d), hex, sizeof(hex)))
		       ? 0
		       : err_set(reterr, -EKEYREJECTED, "Rekor: the entry is of another log");
}

/* What the log signs: the four members, canonically. */
static int check_promise(
	const struct pkey *key, const json_t *payload, struct slice signature, struct err *reterr)
{
	static const char *const members[] = {"body", "integratedTime", "logID", "logIndex"};
	cleanup_with(buf_done) struct buf text = buf_init(REKOR_ENTRY_MAX * 2);
	json_t *o = json_object();
	int r = o ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(members); i++) {
		if (json_object_set(o, members[i], json_object_get(payload, members[i])) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		r = jcs_write(o, &text);
	json_decref(o);
	if (r == 0)
		r = pkey_verify_der(key, SIG_ES256, buf_slice(&text), signature);
	if (r == -EINVAL || r == -EKEYREJECTED)
		return err_set(reterr, -EKEYREJECTED,
			"Rekor: the entry is not signed by the key of the log");
	return r;
}

static int read_payload(
	const json_t *payload, struct rekor_entry *e, const char **ret_log, struct err *reterr)
{
	int r = json_get_b64(payload, "body", &e->body, reterr);
	if (r == 0)
		r = json_get_int(
			payload, "integratedTime", 1, INT64_MAX, &e->integrated_time, reterr);
	if (r == 0)
		r = json_get_int(payload, "logIndex", 0, INT64_MAX, &e->log_index, reterr);
	return r == 0 ? json_get_str(payload, "logID", ret_log, reterr) : r;
}

int rekor_set_verify(const struct pkey *log_key, struct slice bundle, struct rekor_entry *ret,
	struct err *reterr)
{
	cleanup_with(rekor_entry_done) struct rekor_entry e = {.body = buf_init(REKOR_ENTRY_MAX)};
	cleanup_with(buf_done) struct buf signature = buf_init(4096);
	const char *log = NULL;
	json_t *doc = NULL, *payload = NULL;

	if (bundle.size > REKOR_ENTRY_MAX)
		return err_set(reterr, -E2BIG, "Rekor: the bundle is over the limit");
	int r = oci_json_parse(&doc, bundle, "Rekor bundle", reterr);
	if (r < 0)
		return r;
	r = json_get_b64(doc, "SignedEntryTimestamp", &signature, reterr);
	if (r == 0)
		r = json_get_object(doc, "Payload", &payload, reterr);
	if (r == 0)
		r = read_payload(payload, &e, &log, reterr);
	if (r == 0)
		r = check_log(log_key, log, reterr);
	if (r == 0)
		r = check_promise(log_key, payload, buf_slice(&signature), reterr);
	json_decref(doc);
	if (r < 0)
		return r;
	*ret = e;
	e = (struct rekor_entry){0};
	return 0;
}

static int other(const char *what, struct err *reterr)
{
	return err_set(reterr, -EKEYREJECTED, "Rekor: the entry is about another %s", what);
}

static int check_data(const json_t *spec, struct slice payload, struct err *reterr)
{
	const json_t *hash = json_object_get(json_object_get(spec, "data"), "hash");
	const char *name = "", *value = "";
	char hex[2 * HASH_SIZE_MAX + 1];
	struct digest d = {0};

	int r = json_get_str(hash, "algorithm", &name, reterr);
	if (r == 0)
		r = json_get_str(hash, "value", &value, reterr);
	if (r < 0)
		return r;
	enum hash_alg alg = hash_from_name(slice_str(name));
	if (alg != HASH_SHA256 && alg != HASH_SHA384 && alg != HASH_SHA512)
		return err_set(reterr, -EOPNOTSUPP, "Rekor: the entry has hash '%.16s'", name);
	r = hash_once(alg, payload, &d);
	if (r < 0)
		return r;
	return streq(value, hex_str(digest_slice(&d), hex, sizeof(hex))) ? 0
									 : other("payload", reterr);
}

static int same_cert(struct slice pem, const struct cert *cert, struct err *reterr)
{
	cleanup_with(buf_done) struct buf a = buf_init(0), b = buf_init(0);
	struct cert *found = NULL;

	if (certs_from_pem(pem, &found, 1, NULL) != 1)
		return other("certificate", reterr);
	int r = cert_to_der(found, &a);
	if (r == 0)
		r = cert_to_der(cert, &b);
	cert_free(found);
	if (r < 0)
		return r;
	return slice_eq(buf_slice(&a), buf_slice(&b)) ? 0 : other("certificate", reterr);
}

static int check_key(const json_t *signature, const struct pkey *key, const struct cert *cert,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(64 << 10);
	cleanup(pkey_free) struct pkey *found = NULL;

	int r = json_get_b64(json_object_get(signature, "publicKey"), "content", &pem, reterr);
	if (r < 0)
		return r;
	if (cert)
		return same_cert(buf_slice(&pem), cert, reterr);
	if (pkey_from_pem(buf_slice(&pem), &found, NULL) < 0 || !pkey_equal(found, key))
		return other("key", reterr);
	return 0;
}

int rekor_entry_check(const struct rekor_entry *e, struct slice payload, struct slice signature,
	const struct pkey *key, const struct cert *cert, struct err *reterr)
{
	cleanup_with(buf_done) struct buf stored = buf_init(64 << 10);
	json_t *doc = NULL;

	int r = oci_json_parse(&doc, buf_slice(&e->body), "Rekor entry", reterr);
	if (r < 0)
		return r;
	const json_t *spec = json_object_get(doc, "spec"), *s = json_object_get(spec, "signature");
	const char *kind = json_string_value(json_object_get(doc, "kind"));
	const char *version = json_string_value(json_object_get(doc, "apiVersion"));
	if (!kind || !streq(kind, "hashedrekord") || !version || !streq(version, "0.0.1"))
		r = err_set(reterr, -EOPNOTSUPP,
			"Rekor: the entry is no hashedrekord of version 0.0.1");
	if (r == 0)
		r = check_data(spec, payload, reterr);
	if (r == 0)
		r = json_get_b64(s, "content", &stored, reterr);
	if (r == 0 && !slice_eq(buf_slice(&stored), signature))
		r = other("signature", reterr);
	if (r == 0)
		r = check_key(s, key, cert, reterr);
	json_decref(doc);
	return r;
}
