/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Keys as other formats carry them, private ones of 32 bytes: Ed25519 (RFC 8032), X25519 (RFC 7748), and
 * the scalar and the uncompressed point of P-256.
 */
#include "base/buf.h"
#include "base/err.h"

#define RAW_KEY_SIZE 32
#define RAW_POINT_SIZE 65
#define RAW_SIGNATURE_SIZE 64

/** raw_x25519_generate() - a fresh pair. Return: 0, -EIO. */
must_check int raw_x25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE]);
/** raw_ed25519_generate() - likewise; @private is the seed */
must_check int raw_ed25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE]);
/** raw_ed25519_sign() - Return: 0, -EIO. */
must_check int raw_ed25519_sign(
	const uint8_t private[RAW_KEY_SIZE], struct slice message, uint8_t ret[RAW_SIGNATURE_SIZE]);
/** raw_p256_generate() - likewise; @public is 04||x||y */
must_check int raw_p256_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_POINT_SIZE]);
/**
 * raw_p256_sign() - append an ECDSA signature with SHA-256, in DER; of the two that are good the one with
 * the smaller s
 * Return: 0, -EIO, -ENOMEM.
 */
must_check int raw_p256_sign(
	const uint8_t private[RAW_KEY_SIZE], struct slice message, struct buf *out);
