/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Histograms, and the counters of the front, with upstream's names. Only paths below /kbs are counted. */
#include "base/buf.h"

#define DURATION_BUCKETS 7
#define SIZE_BUCKETS 5

struct histogram {
	uint64_t buckets[DURATION_BUCKETS]; /* not cumulative */
	uint64_t count;
	double sum;
};

/** histogram_observe() - count @value into the first of @count buckets that holds it */
void histogram_observe(struct histogram *h, const double *bounds, size_t count, double value);
/** histogram_write() - append Prometheus text without its TYPE line; @label is "name=\"value\"" or "" */
void histogram_write(struct buf *out, const char *name, const char *label,
	const struct histogram *h, const double *bounds, size_t count);

struct http_metrics {
	uint64_t requests;
	uint64_t active;
	struct histogram duration, request_size, response_size;
};

void http_metrics_done(
	struct http_metrics *m, double seconds, size_t request_size, size_t response_size);
/** http_metrics_write() - append Prometheus text */
void http_metrics_write(const struct http_metrics *m, struct buf *out);
