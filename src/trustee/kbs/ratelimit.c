/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/ratelimit.h"

#include <arpa/inet.h>

#include "base/slice.h"

#define SETS 1024
#define WAYS 4
/* ffff::/16 is multicast, so no IPv6 client has this prefix. */
#define V4_MARK 0xFFFF000000000000u

struct bucket {
	uint64_t key; /* 0: unused */
	int64_t last_ms;
	uint64_t milli; /* tokens * 1000 */
};

struct ratelimit {
	uint32_t rate, burst;
	struct bucket buckets[SETS][WAYS];
};

struct ratelimit *ratelimit_new(uint32_t rate, uint32_t burst)
{
	struct ratelimit *r = calloc(1, sizeof(*r));

	if (r) {
		r->rate = rate;
		r->burst = burst;
	}
	return r;
}

void ratelimit_free(struct ratelimit *r)
{
	free(r);
}

static uint64_t key_of(const char *peer)
{
	uint8_t raw[16] = {0};
	uint64_t key = 0;

	if (inet_pton(AF_INET6, peer, raw) == 1) {
		for (int i = 0; i < 8; i++)
			key = key << 8 | raw[i];
		return key ? key : 1; /* ::1 */
	}
	if (inet_pton(AF_INET, peer, raw) != 1)
		return 2; /* unknown peers share one bucket */
	for (int i = 0; i < 4; i++)
		key = key << 8 | raw[i];
	return key | V4_MARK;
}

static struct bucket *bucket_of(struct ratelimit *r, uint64_t key, int64_t now_ms)
{
	/* Multiplicative hashing spreads neighbours. */
	struct bucket *set = r->buckets[(key * 0x9E3779B97F4A7C15u) >> 54];
	struct bucket *oldest = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].last_ms < oldest->last_ms)
			oldest = &set[i];
	}
	*oldest =
		(struct bucket){.key = key, .last_ms = now_ms, .milli = (uint64_t)r->burst * 1000};
	return oldest;
}

bool ratelimit_take(struct ratelimit *r, const char *peer, int64_t now_ms)
{
	struct bucket *b;
	uint64_t gained;

	if (r->rate == 0)
		return true;
	b = bucket_of(r, key_of(peer), now_ms);
	gained = now_ms > b->last_ms ? (uint64_t)(now_ms - b->last_ms) * r->rate : 0;
	b->milli = MIN(b->milli + gained, (uint64_t)r->burst * 1000);
	b->last_ms = now_ms;
	if (b->milli < 1000)
		return false;
	b->milli -= 1000;
	return true;
}
