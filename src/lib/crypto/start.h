/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How OpenSSL starts. */

/* What a program uses of it. */
enum crypto_start { CRYPTO_START_ALL, CRYPTO_START_HASHES };

/**
 * crypto_start_lean() - start OpenSSL without what a guest never uses
 * @use: CRYPTO_START_HASHES also does without texts of errors and names of digests
 *
 * No configuration file is read and no cipher gets its legacy name; both cost a process more than the
 * rest of the start. Call it before anything else of crypto or net; later it does nothing. A program
 * that does not call it gets OpenSSL's defaults. It has no error: a start that fails shows as -ENOMEM
 * or -EIO at the first use.
 */
void crypto_start_lean(enum crypto_start use);
