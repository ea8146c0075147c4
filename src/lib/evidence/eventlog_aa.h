/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The text log of older attestation agents, one event a line:
 *
 *   INIT sha384/000...0
 *   domain operation content
 *
 * INIT names the hash and what the register held before; each further line is hashed as it stands,
 * without its line end, and extended.
 */
#include <jansson.h>

#include "crypto/hash.h"

#define AA_EVENTLOG_MAX ((size_t)1 << 20)
#define AA_EVENTS_MAX 4096

/**
 * aa_eventlog_replay() - Return: 0 with the register's final value and a new array of {content,
 * domain, operation}; -EBADMSG (form; another hash than @alg; INIT is not @start), -E2BIG, -ENOMEM.
 * @start: what the register must have held before; NULL: zeros
 */
must_check int aa_eventlog_replay(struct slice text, enum hash_alg alg, const struct digest *start,
	struct digest *ret, json_t **ret_events, struct err *reterr);
