/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whom a verification of sigstore bundles trusts: transparency logs, certificate authorities and
 * their logs, time-stamping authorities, each for a time.
 * Spec: protobuf-specs, sigstore_trustroot.proto, TrustedRoot 0.1, as JSON.
 */
#include "crypto/sct.h"

#define SIGSTORE_ROOT_MAX ((size_t)1 << 20)
#define SIGSTORE_PARTIES_MAX 16
#define SIGSTORE_CHAIN_MAX 8
#define SIGSTORE_NAME_MAX 256

/** struct sigstore_log - @id: logId.keyId; @name: host of its URL, as in its checkpoints */
struct sigstore_log {
	struct pkey *key;
	uint8_t id[32];
	char name[SIGSTORE_NAME_MAX];
	int64_t from, until; /* seconds since the epoch, both included */
};

/** struct sigstore_authority - certificates: its own or the lowest first, the root last */
struct sigstore_authority {
	struct cert *certs[SIGSTORE_CHAIN_MAX];
	size_t count;
	int64_t from, until;
};

struct sigstore_root {
	struct sigstore_log logs[SIGSTORE_PARTIES_MAX];
	struct sct_log ctlogs[SIGSTORE_PARTIES_MAX];
	struct pkey *ctkeys[SIGSTORE_PARTIES_MAX]; /* owns the keys of @ctlogs */
	struct sigstore_authority cas[SIGSTORE_PARTIES_MAX], tsas[SIGSTORE_PARTIES_MAX];
	size_t log_count, ctlog_count, ca_count, tsa_count;
};

/** sigstore_root_parse() - Return: 0 with a new root; -EBADMSG (also when a party has no start of its
 * time), -E2BIG, -ENOMEM. Logs whose keys are of unknown types are left out. */
must_check int sigstore_root_parse(
	struct slice json, struct sigstore_root **ret, struct err *reterr);
void sigstore_root_free(struct sigstore_root *r);
DEFINE_CLEANUP(struct sigstore_root *, sigstore_root_free);
/** sigstore_public_good() - JSON of the root of sigstore.dev, as of August 2026 */
struct slice sigstore_public_good(void);
