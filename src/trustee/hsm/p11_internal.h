/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of PKCS#11. */
#include <p11-kit/pkcs11.h>
/* It leaves this behind, a name of ours. */
#undef hash_alg

#include "base/secret.h"
#include "trustee/hsm/p11.h"

#define P11_FOUND_MAX 16

struct p11 {
	void *library;
	CK_FUNCTION_LIST_PTR f;
	struct p11_token token;
	struct secret pin;
	CK_SESSION_HANDLE session;
	bool initialized, open;
	bool pin_refused; /* the token said no: it is not asked again */
};

/* One piece of work within a session. Return: CKR_OK, or what went wrong, with *@ret set to a negative
 * errno where that says more than the number. */
typedef CK_RV (*p11_work_fn)(struct p11 *p, void *cookie, int *ret, struct err *reterr);

/* Opens the session and runs the work; once more when the session turns out to be lost. */
must_check int p11_run(struct p11 *p, p11_work_fn work, void *cookie, struct err *reterr);
/* "CKR_..." or "error 0x..." for a number; into a static buffer for the latter. */
const char *p11_error_name(CK_RV rv);
/* -EACCES, -EIO and so on */
int p11_errno(CK_RV rv);

/* Handles of objects that match: at most P11_FOUND_MAX of them. */
CK_RV p11_find(struct p11 *p, CK_ATTRIBUTE_PTR template, size_t count, CK_OBJECT_HANDLE *handles,
	size_t *ret_count);
/* Appends an attribute of bytes; CKR_DATA_LEN_RANGE when it is larger than @max. */
CK_RV p11_attribute(struct p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, size_t max,
	struct buf *out);
