/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/http-metrics.h"

#include <inttypes.h>

static const double g_durations[DURATION_BUCKETS] = {.0005, .001, .005, .01, .05, .5, 1};
static const double g_sizes[SIZE_BUCKETS] = {32, 128, 512, 2048, 8192};

static void observe(struct histogram *h, const double *bounds, size_t count, double value)
{
	size_t i = 0;

	while (i < count && value > bounds[i])
		i++;
	if (i < count)
		h->buckets[i]++;
	h->count++;
	h->sum += value;
}

void http_metrics_done(
	struct http_metrics *m, double seconds, size_t request_size, size_t response_size)
{
	m->requests++;
	observe(&m->duration, g_durations, DURATION_BUCKETS, seconds);
	observe(&m->request_size, g_sizes, SIZE_BUCKETS, (double)request_size);
	observe(&m->response_size, g_sizes, SIZE_BUCKETS, (double)response_size);
}

static void write_histogram(struct buf *out, const char *name, const struct histogram *h,
	const double *bounds, size_t count)
{
	uint64_t sum = 0;

	buf_printf(out, "# TYPE %s histogram\n", name);
	for (size_t i = 0; i < count; i++) {
		sum += h->buckets[i];
		buf_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[i], sum);
	}
	buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %g\n%s_count %" PRIu64 "\n",
		name, h->count, name, h->sum, name, h->count);
}

void http_metrics_write(const struct http_metrics *m, struct buf *out)
{
	buf_printf(out,
		"# TYPE kbs_http_requests_total counter\nkbs_http_requests_total %" PRIu64 "\n"
		"# TYPE kbs_http_active_connections gauge\nkbs_http_active_connections %" PRIu64
		"\n",
		m->requests, m->active);
	write_histogram(out, "kbs_http_request_duration_seconds", &m->duration, g_durations,
		DURATION_BUCKETS);
	write_histogram(
		out, "kbs_http_request_size_bytes", &m->request_size, g_sizes, SIZE_BUCKETS);
	write_histogram(
		out, "kbs_http_response_size_bytes", &m->response_size, g_sizes, SIZE_BUCKETS);
}
