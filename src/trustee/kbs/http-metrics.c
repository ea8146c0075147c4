/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/http-metrics.h"

#include <inttypes.h>

static const double g_durations[DURATION_BUCKETS] = {.0005, .001, .005, .01, .05, .5, 1};
static const double g_sizes[SIZE_BUCKETS] = {32, 128, 512, 2048, 8192};

void histogram_observe(struct histogram *h, const double *bounds, size_t count, double value)
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
	histogram_observe(&m->duration, g_durations, DURATION_BUCKETS, seconds);
	histogram_observe(&m->request_size, g_sizes, SIZE_BUCKETS, (double)request_size);
	histogram_observe(&m->response_size, g_sizes, SIZE_BUCKETS, (double)response_size);
}

void histogram_write(struct buf *out, const char *name, const char *label,
	const struct histogram *h, const double *bounds, size_t count)
{
	const char *comma = label[0] ? "," : "";
	const char *open = label[0] ? "{" : "", *close = label[0] ? "}" : "";
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		sum += h->buckets[i];
		buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, label, comma,
			bounds[i], sum);
	}
	buf_printf(out,
		"%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n%s_sum%s%s%s %g\n%s_count%s%s%s %" PRIu64
		"\n",
		name, label, comma, h->count, name, open, label, close, h->sum, name, open, label,
		close, h->count);
}

static void put_histogram(struct buf *out, const char *name, const struct histogram *h,
	const double *bounds, size_t count)
{
	buf_printf(out, "# TYPE %s histogram\n", name);
	histogram_write(out, name, "", h, bounds, count);
}

void http_metrics_write(const struct http_metrics *m, struct buf *out)
{
	buf_printf(out,
		"# TYPE kbs_http_requests_total counter\nkbs_http_requests_total %" PRIu64 "\n"
		"# TYPE kbs_http_active_connections gauge\nkbs_http_active_connections %" PRIu64
		"\n",
		m->requests, m->active);
	put_histogram(out, "kbs_http_request_duration_seconds", &m->duration, g_durations,
		DURATION_BUCKETS);
	put_histogram(out, "kbs_http_request_size_bytes", &m->request_size, g_sizes, SIZE_BUCKETS);
	put_histogram(
		out, "kbs_http_response_size_bytes", &m->response_size, g_sizes, SIZE_BUCKETS);
}
