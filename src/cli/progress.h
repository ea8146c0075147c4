/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A progress bar on stderr, shown only on a terminal and not with --quiet or --json. */
#include "cli/cli.h"

struct progress {
	char label[48];
	uint64_t total; /* 0: unknown */
	uint64_t done;
	uint64_t drawn_ms; /* when it was drawn last */
	uint64_t start_ms;
	bool active;
};

/** progress_start() - begin; draws nothing when stderr is no terminal. @label is copied, cut. */
void progress_start(struct progress *p, const struct cli *cli, const char *label, uint64_t total);
/** progress_set() - @done units of @total (bytes) are done; redraws at most ten times a second */
void progress_set(struct progress *p, uint64_t done);
/** progress_end() - wipe the line; call on every path. Accepts a zeroed struct. */
void progress_end(struct progress *p);
