/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/err.h"

/*
 * Versions of the KBS protocol, by what an attestation message looks like in them. The newest is
 * the zero. docs/compatibility.md has the differences.
 */
enum as_protocol {
	AS_PROTOCOL_0_4_0,
	AS_PROTOCOL_0_3_0,
	AS_PROTOCOL_0_2_0,
	AS_PROTOCOL_0_1_1,
	AS_PROTOCOL_0_1_0,
	AS_PROTOCOL_COUNT_,
};

/** as_protocol_name() - "0.4.0" and so on; NULL for a number that is none */
const char *as_protocol_name(int protocol);
/** as_protocol_from_name() - Return: the protocol, -EOPNOTSUPP. */
must_check int as_protocol_from_name(const char *name);
