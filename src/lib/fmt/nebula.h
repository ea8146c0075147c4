/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Certificates of Nebula's overlay networks. Only what an issuer needs: addresses and durations as people
 * write them, the bytes that are signed, the certificate, and its PEM. Pure functions.
 *
 * Version 1: protocol buffers, IPv4, one address. Version 2 (nebula 1.10): DER, IPv6 too, several. Both
 * are signed with Ed25519, or with ECDSA on P-256 and SHA-256; nodes have keys on the same curve.
 */
#include "base/buf.h"
#include "base/err.h"

#define NEBULA_NAME_MAX 253
#define NEBULA_NETS_MAX 32
#define NEBULA_GROUPS_MAX 64
#define NEBULA_KEY_SIZE 32   /* Curve25519 */
#define NEBULA_POINT_SIZE 65 /* P-256: 04||x||y */
#define NEBULA_ISSUER_SIZE 32

enum nebula_curve { NEBULA_25519, NEBULA_P256 };

/** struct nebula_net - an address and how much of it names the network */
struct nebula_net {
	uint8_t address[16]; /* IPv4: the first four */
	uint8_t prefix;	     /* bits, 0 to 32 or 128 */
	bool v6;
};

/** struct nebula_details - what is signed; strings are borrowed */
struct nebula_details {
	unsigned version; /* 1 or 2 */
	enum nebula_curve curve;
	struct slice name;
	struct nebula_net ips[NEBULA_NETS_MAX], subnets[NEBULA_NETS_MAX];
	size_t ip_count, subnet_count;
	struct slice groups[NEBULA_GROUPS_MAX];
	size_t group_count;
	int64_t not_before, not_after;	       /* Unix time */
	uint8_t public_key[NEBULA_POINT_SIZE]; /* Curve25519: the first NEBULA_KEY_SIZE */
	bool is_ca;
	uint8_t issuer[NEBULA_ISSUER_SIZE]; /* the CA's fingerprint; unless @is_ca */
};

/** nebula_curve_parse() - "25519", "P256". Return: 0, -EINVAL. */
must_check int nebula_curve_parse(const char *name, enum nebula_curve *ret);
/**
 * nebula_nets_parse() - "10.1.2.3/16,fd00::1/64"
 * @masked: cut the address to its network
 * Return: 0, -EINVAL (named in @reterr), -E2BIG (more than NEBULA_NETS_MAX).
 */
must_check int nebula_nets_parse(struct slice text, bool masked, struct nebula_net *ret,
	size_t *ret_count, struct err *reterr);
/** nebula_groups_parse() - "a, b": views into @text. Return: 0, -EINVAL, -E2BIG. */
must_check int nebula_groups_parse(
	struct slice text, struct slice *ret, size_t *ret_count, struct err *reterr);
/** nebula_duration_parse() - "8760h", "1h30m", "90s": seconds, more than 0. Return: 0, -EINVAL. */
must_check int nebula_duration_parse(struct slice text, int64_t *ret, struct err *reterr);

/**
 * nebula_check() - that nodes will take such a certificate: its name, its addresses for its version
 * Return: 0, -EINVAL with what is wrong.
 */
must_check int nebula_check(const struct nebula_details *d, struct err *reterr);
/**
 * nebula_allowed() - what a CA's certificate leaves to those that it signs
 *
 * Version and curve as the CA's, times within the CA's; groups, addresses and subnets among the CA's where
 * it names any.
 * Return: 0, -EACCES with what is out of bounds.
 */
must_check int nebula_allowed(
	const struct nebula_details *ca, const struct nebula_details *d, struct err *reterr);

/** nebula_put_signed() - append the bytes that are signed. Return: 0, -EINVAL (see nebula_check()), -ENOMEM. */
must_check int nebula_put_signed(struct buf *out, const struct nebula_details *d);
/** nebula_put_certificate() - append a certificate's bytes. @signature: 64 bytes, or DER of ECDSA */
must_check int nebula_put_certificate(
	struct buf *out, const struct nebula_details *d, struct slice signature);
/** nebula_put_identity() - append what the certificate's fingerprint is the SHA-256 of */
must_check int nebula_put_identity(
	struct buf *out, const struct nebula_details *d, struct slice signature);
/** nebula_put_pem() - append a PEM block; @kind: "NEBULA CERTIFICATE", "NEBULA X25519 PRIVATE KEY" */
void nebula_put_pem(struct buf *out, const char *kind, struct slice bytes);
