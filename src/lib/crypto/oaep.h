/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* OAEP without the RSA: for keys in devices that know RSA alone. */
#include "base/buf.h"
#include "crypto/hash.h"

/**
 * oaep_decode() - remove the padding of RFC 8017 section 7.1.2, with MGF1 of @hash and no label
 * @block: what RSA gave, as long as the modulus
 * @out: the message is appended; a secret buffer
 *
 * Takes the same time and says the same whatever is wrong with the block, but for its length.
 * Return: 0, -EBADMSG, -EOPNOTSUPP (hash), -ENOMEM.
 */
must_check int oaep_decode(enum hash_alg hash, struct slice block, struct buf *out);
