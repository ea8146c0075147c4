/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How OpenSSL starts. */

/**
 * crypto_start_lean() - start OpenSSL without what a guest never uses
 *
 * No configuration file is read and no cipher gets its legacy name; both cost a process more than the
 * rest of the start. Call it before anything else of crypto or net; later it does nothing. A program
 * that does not call it gets OpenSSL's defaults. It has no error: a start that fails shows as -ENOMEM
 * or -EIO at the first use.
 */
void crypto_start_lean(void);
