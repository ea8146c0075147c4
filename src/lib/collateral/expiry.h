/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How long an item of collateral is good for, by its own word. */
#include "evidence/collateral.h"

/** enum collateral_kind - told from the bytes, not from the key */
enum collateral_kind {
	COLLATERAL_OTHER = 0, /* a key, a manifest: it does not expire by itself */
	COLLATERAL_TCB_INFO,
	COLLATERAL_QE_IDENTITY,
	COLLATERAL_CRL,
	COLLATERAL_CERTIFICATES,
	COLLATERAL_OCSP,
	COLLATERAL_KINDS_,
};
/** collateral_kind_name() - words for a person */
const char *collateral_kind_name(enum collateral_kind kind);

/**
 * struct collateral_life - what an item says of itself; nothing of it is verified
 * @from: seconds since the epoch; the latest of its certificates
 * @until: nextUpdate or notAfter, the earliest of its certificates; INT64_MAX when it does not say
 */
struct collateral_life {
	enum collateral_kind kind;
	int64_t from, until;
};

/**
 * collateral_life() - read kind and dates of @item
 * Return: 0; -EBADMSG (it begins like one of the kinds and is malformed), -ENOMEM.
 */
must_check int collateral_life(struct slice item, struct collateral_life *ret, struct err *reterr);
