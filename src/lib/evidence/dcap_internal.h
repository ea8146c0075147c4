/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the quote verifier share. */
#include "crypto/crl.h"
#include "evidence/dcap.h"
#include "evidence/internal.h"

#define DCAP_PLATFORMS_MAX 256
#define DCAP_AUTHORITIES_MAX 8
#define DCAP_STATEMENTS_MAX 32

/** struct dcap_period - something with dates; @what is for people, @check the name of its check */
struct dcap_period {
	const char *what, *check;
	int64_t from, until;
};
/* Both names of a literal. */
#define DCAP_PERIOD_OF(text) (text), ("dates of " text)

/** struct dcap_authority - a CA and its root that passed all checks but dates and revocation */
struct dcap_authority {
	struct buf ca_pem, root_pem;
	struct cert *ca, *root;
	struct digest root_pin; /* SHA-256 of the root's SPKI */
	struct digest root_key_id;
	struct digest ca_pin;
	enum dcap_ca ca_kind;
	struct dcap_period ca_period, root_period;
};

/**
 * struct dcap_said - claims that were made about a platform: they follow from its certificate, from
 * the collateral and from the rows of it that matched, so that most quotes repeat those of the last
 * @claims: NULL before the first; the values are shared with all who asked
 */
struct dcap_said {
	uint64_t statement_id;
	struct tcb_match match;
	json_t *claims;
};
void dcap_said_done(struct dcap_said *s);

/** struct dcap_platform - the checked QE part of quotes: chain, QE report, bound attestation key */
struct dcap_platform {
	uint8_t *bytes; /* what was checked: QE part, then the separate PCK chain */
	size_t qe_size, chain_size;
	struct cert *leaf, *ca, *root;
	struct pkey *attestation_key;
	struct digest root_pin, root_key_id, ca_pin; /* as of struct dcap_authority */
	enum dcap_ca ca_kind;
	struct pck_info info;
	struct dcap_period periods[3];
	struct dcap_said said;
	uint64_t used; /* for eviction */
};

/** struct dcap_signer - a signing certificate under the root */
struct dcap_signer {
	struct cert *leaf, *root;
	struct digest root_pin;
	struct dcap_period periods[2];
};

/** struct dcap_statement - checked collateral */
struct dcap_statement {
	uint64_t id;	  /* never given to another */
	struct buf bytes; /* what was checked, all members one after the other with their sizes */
	struct dcap_signer tcb_signer, qe_signer;
	struct tcb_info *info;
	struct qe_identity *identity;
	struct crl *root_crl, *pck_crl;
	int64_t root_crl_number, pck_crl_number;
	struct digest pck_crl_ca; /* key that @pck_crl was verified with; size 0 while with none */
	struct dcap_period periods[4];
	uint64_t used;
};

struct dcap {
	struct dcap_platform *platforms[DCAP_PLATFORMS_MAX];
	uint64_t platform_tags
		[DCAP_PLATFORMS_MAX]; /* how their bytes begin: all must be looked at */
	struct dcap_statement *statements[DCAP_STATEMENTS_MAX];
	struct dcap_authority authorities[DCAP_AUTHORITIES_MAX];
	size_t next_authority; /* overwritten in turn: there are two CAs in the world */
	uint64_t clock;
	struct dcap_platform *current; /* platform of the outcome that was returned last */
};

/** dcap_platform_get() - check the QE part of @q, or remember that it was. -EACCES, -ENOMEM. */
must_check int dcap_platform_get(struct dcap *d, const struct sgx_quote *q, struct slice pck_chain,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_platform **ret);
void dcap_platform_free(struct dcap_platform *p);
DEFINE_CLEANUP(struct dcap_platform *, dcap_platform_free);
void dcap_authority_done(struct dcap_authority *a);
/**
 * dcap_chain_get() - split the PEM chain of a platform into leaf, CA and root and check it: names,
 * signatures, usage, the pin of the root. Authorities that were checked before are recognised by
 * their text. Return: 0 with @p filled but for what the QE says; -EACCES, -ENOMEM.
 */
must_check int dcap_chain_get(struct dcap *d, struct dcap_platform *p, struct slice pem,
	const struct dcap_options *o, struct evidence_result *result);
/** dcap_statement_get() - likewise for collateral */
must_check int dcap_statement_get(struct dcap *d, const struct dcap_collateral *c,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_statement **ret);
void dcap_statement_free(struct dcap_statement *s);
DEFINE_CLEANUP(struct dcap_statement *, dcap_statement_free);

/** dcap_cert_period() - fill @ret from the dates of @c */
must_check int dcap_cert_period(
	const struct cert *c, const char *what, const char *check, struct dcap_period *ret);
/** dcap_check_pin() - @pin is a root key to trust; nothing is remembered that does not pass this */
must_check int dcap_check_pin(const struct dcap_options *o, const struct digest *pin,
	const char *name, struct evidence_result *result);
