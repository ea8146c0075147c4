/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <unistd.h>

#include "base/clock.h"

#define BAR_WIDTH 30u
#define DRAW_EVERY_MS 100u

static void put_amount(char *dst, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	size_t u = 0;
	for (; v >= 1024 && u + 1 < ARRAY_COUNT(units); u++)
		v /= 1024;
	snprintf(dst, size, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

static void draw(struct progress *p, uint64_t now)
{
	char done[24], rate[24], bar[BAR_WIDTH + 1];
	uint64_t ms = now - p->start_ms;
	size_t full = p->total ? (size_t)(MIN(p->done, p->total) * BAR_WIDTH / p->total) : 0;
	memset(bar, '#', full);
	memset(bar + full, '.', BAR_WIDTH - full);
	bar[BAR_WIDTH] = '\0';
	put_amount(done, sizeof(done), p->done);
	put_amount(rate, sizeof(rate), ms ? p->done * 1000 / ms : 0);
	fputs("\r\033[K", stderr);
	cli_put_text(stderr, p->label);
	if (p->total)
		fprintf(stderr, " [%s] %3u%%", bar,
			(unsigned)(MIN(p->done, p->total) * 100 / p->total));
	fprintf(stderr, " %s  %s/s", done, rate);
	fflush(stderr);
	p->drawn_ms = now;
}

void progress_start(struct progress *p, const struct cli *cli, const char *label, uint64_t total)
{
	*p = (struct progress){.total = total, .start_ms = clock_mono_ms()};
	snprintf(p->label, sizeof(p->label), "%s", label);
	p->active = !cli->quiet && !cli->json && isatty(2);
	if (p->active)
		draw(p, p->start_ms);
}

void progress_set(struct progress *p, uint64_t done)
{
	uint64_t now = p->active ? clock_mono_ms() : 0;
	p->done = done;
	if (p->active && (now - p->drawn_ms >= DRAW_EVERY_MS || (p->total && done >= p->total)))
		draw(p, now);
}

void progress_end(struct progress *p)
{
	if (p->active) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
	p->active = false;
}
