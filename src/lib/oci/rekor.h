/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Entries of Rekor, sigstore's transparency log, as cosign stores them beside a signature: a promise
 * of the log, signed by it (SignedEntryTimestamp), with the entry and the time of its inclusion.
 * Spec: rekor, openapi.yaml (LogEntry) and types/hashedrekord v0.0.1.
 */
#include "base/buf.h"
#include "crypto/x509.h"

#define REKOR_ENTRY_MAX ((size_t)1 << 20)

/** struct rekor_entry - release with rekor_entry_done(). @body: JSON of the entry */
struct rekor_entry {
	struct buf body;
	int64_t integrated_time; /* seconds since the epoch */
	int64_t log_index;
};
void rekor_entry_done(struct rekor_entry *e);

/**
 * rekor_set_verify() - check a bundle under the key of its log
 * @log_key: P-256; the bundle's logID must be the digest of this key
 * @bundle: {"SignedEntryTimestamp": base64, "Payload": {"body", "integratedTime", "logIndex",
 * "logID"}}
 * Return: 0; -EKEYREJECTED not by this log; -EBADMSG; -E2BIG; -ENOMEM.
 */
must_check int rekor_set_verify(const struct pkey *log_key, struct slice bundle,
	struct rekor_entry *ret, struct err *reterr);
/**
 * rekor_entry_check() - the entry is about exactly this signature
 * @payload: what was signed
 * @signature: bytes of the signature
 * @key: its public key
 * @cert: its certificate, which the entry must hold then; NULL: the entry holds the key
 * Return: 0; -EKEYREJECTED another signature, payload or key; -EOPNOTSUPP another kind of entry;
 * -EBADMSG; -ENOMEM.
 */
must_check int rekor_entry_check(const struct rekor_entry *e, struct slice payload,
	struct slice signature, const struct pkey *key, const struct cert *cert,
	struct err *reterr);
