/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Token buckets per client address, in a table of fixed size: an attacker with many addresses can
 * push others out of it, which forgives their debt, but can never make it grow. IPv6 addresses
 * count by their /64.
 */
#include "base/compiler.h"

struct ratelimit;

/** ratelimit_new() - @rate: a second, 0 for no limit; @burst: at once. Return: NULL on ENOMEM. */
struct ratelimit *ratelimit_new(uint32_t rate, uint32_t burst);
void ratelimit_free(struct ratelimit *r);
DEFINE_CLEANUP(struct ratelimit *, ratelimit_free);
/** ratelimit_take() - may @peer (textual address) go on? */
bool ratelimit_take(struct ratelimit *r, const char *peer, int64_t now_ms);
