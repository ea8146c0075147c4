/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keys of 32 bytes as other formats carry them: Ed25519 (RFC 8032) and X25519 (RFC 7748). */
#include "base/err.h"
#include "base/slice.h"

#define RAW_KEY_SIZE 32
#define RAW_SIGNATURE_SIZE 64

/** raw_x25519_generate() - a fresh pair. Return: 0, -EIO. */
must_check int raw_x25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE]);
/** raw_ed25519_generate() - likewise; @private is the seed */
must_check int raw_ed25519_generate(uint8_t private[RAW_KEY_SIZE], uint8_t public[RAW_KEY_SIZE]);
/** raw_ed25519_sign() - Return: 0, -EIO. */
must_check int raw_ed25519_sign(
	const uint8_t private[RAW_KEY_SIZE], struct slice message, uint8_t ret[RAW_SIGNATURE_SIZE]);
