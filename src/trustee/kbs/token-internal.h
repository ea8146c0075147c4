/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the token keys. */
#include "crypto/jose.h"
#include "crypto/x509.h"
#include "trustee/kbs/token.h"

#define TOKEN_TRUSTED_MAX 64
#define TOKEN_OWN_MAX 8
#define TOKEN_ROOTS_MAX 32
#define TOKEN_CHAIN_MAX 8
#define TOKEN_KEY_FILE_MAX ((size_t)64 << 10)

struct trusted_key {
	struct pkey *key; /* owned */
	enum sig_alg alg;
	char *kid;  /* owned; NULL when the set gives none */
	char *from; /* owned; URL of the set; NULL: a file */
};

/* A key of ours. */
struct own_key {
	struct pkey *key; /* owned */
	enum sig_alg alg;
	char *kid;   /* owned; RFC 7638 thumbprint */
	json_t *jwk; /* owned; public, as put into headers */
};

struct token_keys {
	struct own_key own[TOKEN_OWN_MAX]; /* the first one signs */
	size_t own_count;
	struct trusted_key trusted[TOKEN_TRUSTED_MAX];
	size_t trusted_count;
	struct cert *roots[TOKEN_ROOTS_MAX]; /* owned */
	size_t root_count;
	bool insecure_header_jwk;
};
