/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What reading and signing tokens share. */
#include "ext.h"
#include "jwk.h"

/* One call. A step that fails has reported itself and left in @result what the built-in returns. */
struct job {
	struct rego_call *call;
	int result;
};
/* Return: false, for the step to return. */
bool jwt_fail(struct job *j, const char *fmt, ...) format_printf(2, 3);

/* HMAC by the name of a JOSE algorithm; false when @alg is none of HS256, HS384, HS512. */
bool jwt_hmac(struct slice alg, struct slice key, struct slice in, struct digest *ret);

/* jwt_sign.c */
int jwt_encode_sign(struct rego_call *call, const val *arg, size_t count, val *ret);
int jwt_encode_sign_raw(struct rego_call *call, const val *arg, size_t count, val *ret);
