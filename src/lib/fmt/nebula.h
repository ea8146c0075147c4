/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Certificates of Nebula's overlay networks, version 1: protocol buffers in a PEM of its own, signed with
 * Ed25519 over the details. Only what an issuer needs: addresses and durations as people write them, the
 * details' bytes, and the PEM. IPv4 only, as in that version. Pure functions.
 */
#include "base/buf.h"
#include "base/err.h"

#define NEBULA_NAME_MAX 253
#define NEBULA_NETS_MAX 32
#define NEBULA_GROUPS_MAX 64
#define NEBULA_KEY_SIZE 32
#define NEBULA_ISSUER_SIZE 32
#define NEBULA_SIGNATURE_SIZE 64

/** struct nebula_net - an address and how much of it names the network */
struct nebula_net {
	uint32_t address; /* host byte order */
	uint8_t prefix;	  /* bits, 0 to 32 */
};

/** struct nebula_details - what is signed; strings are borrowed */
struct nebula_details {
	struct slice name;
	struct nebula_net ips[NEBULA_NETS_MAX], subnets[NEBULA_NETS_MAX];
	size_t ip_count, subnet_count;
	struct slice groups[NEBULA_GROUPS_MAX];
	size_t group_count;
	int64_t not_before, not_after; /* Unix time */
	uint8_t public_key[NEBULA_KEY_SIZE];
	bool is_ca;
	uint8_t issuer[NEBULA_ISSUER_SIZE]; /* SHA-256 of the CA's certificate; unless @is_ca */
};

/**
 * nebula_nets_parse() - "10.1.2.3/16,10.2.0.0/24"
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
 * nebula_allowed() - what a CA's certificate leaves to those that it signs
 *
 * Times within the CA's; groups, addresses and subnets among the CA's where it names any.
 * Return: 0, -EACCES with what is out of bounds.
 */
must_check int nebula_allowed(
	const struct nebula_details *ca, const struct nebula_details *d, struct err *reterr);

/** nebula_put_details() - append the bytes that are signed. Return: 0, -EINVAL, -ENOMEM. */
must_check int nebula_put_details(struct buf *out, const struct nebula_details *d);
/** nebula_put_certificate() - append a certificate's bytes */
void nebula_put_certificate(
	struct buf *out, struct slice details, const uint8_t signature[NEBULA_SIGNATURE_SIZE]);
/** nebula_put_pem() - append a PEM block; @kind: "NEBULA CERTIFICATE", "NEBULA X25519 PRIVATE KEY" */
void nebula_put_pem(struct buf *out, const char *kind, struct slice bytes);
