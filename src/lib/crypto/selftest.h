/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Known answers of what a guest depends on. */
#include "base/err.h"

/* The programs of the guest; each tests what it uses. */
enum selftest { SELFTEST_AA = 1, SELFTEST_IMAGE = 2 };

/**
 * crypto_selftest() - do hashes, ciphers and signatures give the answers of their standards?
 *
 * @program: one, or both for everything
 *
 * SHA-256, SHA-384, HMAC, AES-256 as CTR, GCM and key wrap, ECDH and ECDSA on P-256 (a good and a bad
 * signature). A process calls it before it has a secret, while it waits for others: a library or a
 * processor that computes wrongly is found then. What OpenSSL looks up at the first use of an
 * algorithm, tens of milliseconds in an emulated guest, is behind it afterwards.
 * Return: 0; -EIO with the name of the algorithm; -ENOMEM.
 */
must_check int crypto_selftest(enum selftest program, struct err *reterr);
