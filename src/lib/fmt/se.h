/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * IBM Secure Execution: requests to the ultravisor (attestation, add-secret), the files in which
 * pvattest exchanges them, and the boot header of an image. All numbers are big-endian.
 */
#include "base/buf.h"

#define SE_PHKH_SIZE 32 /* hash of a host key */
#define SE_CUID_SIZE 16
#define SE_NONCE_SIZE 16
#define SE_MEASUREMENT_KEY_SIZE 64
#define SE_MEASUREMENT_SIZE 64
#define SE_ARPK_SIZE 32
#define SE_IV_SIZE 12
#define SE_COORDINATES_SIZE 160 /* x and y of a P-521 point, 80 bytes each */
#define SE_KEYSLOT_SIZE 80
#define SE_GCM_TAG_SIZE 16
#define SE_REQUEST_HEADER_SIZE 48
#define SE_REQUEST_MAX ((size_t)1 << 20)
#define SE_REQUEST_VERSION 0x100U
#define SE_MEAS_HMAC_SHA512 1U

/* Flags of an attestation request; bit 0 is the highest. */
#define SE_FLAG_NONCE (1ULL << 62)
#define SE_FLAG_IMAGE_PHKH (1ULL << 61)
#define SE_FLAG_ATTESTATION_PHKH (1ULL << 60)

/**
 * struct se_request - header and parts; views
 * @aad: all that is authenticated but not encrypted, the header included
 * @dependent: @aad behind the header
 */
struct se_request {
	uint32_t version;
	uint32_t size;
	struct slice iv;
	uint8_t keyslots;
	uint32_t encrypted_size;
	struct slice aad, dependent, encrypted, tag;
};

/** struct se_attestation - what @dependent of an attestation request holds */
struct se_attestation {
	uint64_t flags;
	uint32_t measurement_alg;
	struct slice customer_key; /* SE_COORDINATES_SIZE */
	struct slice keyslots; /* SE_KEYSLOT_SIZE each: hash of the host key, wrapped key, tag */
};

enum se_request_kind { SE_ATTESTATION_REQUEST, SE_ADD_SECRET_REQUEST };

/** se_request_parse() - Return: 0, -ENODATA, -EBADMSG, -EOPNOTSUPP (version) */
must_check int se_request_parse(
	struct slice in, enum se_request_kind kind, struct se_request *ret, struct err *reterr);
/** se_attestation_parse() - Return: 0, -ENODATA, -EBADMSG, -EOPNOTSUPP (measurement algorithm) */
must_check int se_attestation_parse(
	const struct se_request *request, struct se_attestation *ret, struct err *reterr);
/** se_request_put_header() - the header of an attestation request, for writers */
void se_request_put_header(
	struct buf *out, uint32_t size, struct slice iv, uint8_t keyslots, uint32_t encrypted_size);

/** struct se_part - of an exchange file: @offset 0: only the expected @size is known */
struct se_part {
	uint32_t size, offset;
	struct slice data;
};

/** struct se_exchange - a file of pvattest; views */
struct se_exchange {
	uint32_t version;
	uint32_t size;
	struct se_part arcb, measurement, additional, user, config_uid;
};

/**
 * se_exchange_parse() - @response: it must hold a measurement and a config UID
 * Return: 0, -ENODATA, -EBADMSG, -EOPNOTSUPP (version).
 */
must_check int se_exchange_parse(
	struct slice in, bool response, struct se_exchange *ret, struct err *reterr);

#define SE_TAGS_SIZE 208

/**
 * struct se_tags - what identifies an image: digests of pages, addresses and tweaks, and the tag of
 * its header; views
 */
struct se_tags {
	struct slice pld, ald, tld; /* 64 bytes each */
	struct slice tag;	    /* 16 bytes */
	size_t header_offset, header_size;
};

/** se_tags_from_image() - of a bootable image or of its header alone. Return: 0, -ENOENT (no
 * header), -EBADMSG, -EOPNOTSUPP. */
must_check int se_tags_from_image(struct slice image, struct se_tags *ret, struct err *reterr);
/** se_tags_from_bytes() - pld, ald, tld, tag one after the other. Return: 0, -EBADMSG. */
must_check int se_tags_from_bytes(struct slice in, struct se_tags *ret);
/** se_tags_put() - the same, written */
void se_tags_put(const struct se_tags *t, struct buf *out);
