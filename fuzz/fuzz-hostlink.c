/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: PID 1 of the guest (attacker: host) and husk run (attacker: guest). First byte: the
 * side; the rest: a stream of frames (docs/protocol/guest-link.md). Property: what is parsed and
 * can be put again parses to the same.
 */
#include <stdlib.h>

#include "fmt/hostlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_run(struct slice payload)
{
	struct hostlink_run m = {0}, again = {0};
	struct buf b = {0};
	if (hostlink_run_parse(payload, &m, NULL) < 0)
		return;
	hostlink_run_put(&b, &m);
	struct hostlink_frame f;
	size_t used;
	if (buf_error(&b) < 0 ||
		hostlink_parse(buf_slice(&b), HOSTLINK_FROM_HOST, &f, &used, NULL) < 0 ||
		hostlink_run_parse(f.payload, &again, NULL) < 0 || again.memory != m.memory ||
		again.args_count != m.args_count || again.address != m.address)
		abort();
	buf_done(&b);
	hostlink_run_done(&m);
	hostlink_run_done(&again);
}

static void check_frame(const struct hostlink_frame *f)
{
	struct hostlink_hello hello;
	struct hostlink_phase phase;
	struct hostlink_exit done;
	struct hostlink_fatal fatal;
	struct hostlink_winsize ws;
	struct hostlink_signal sig;
	int r = 0;
	switch (f->type) {
	case HOSTLINK_HELLO:
		r = hostlink_hello_parse(f->payload, &hello, NULL);
		break;
	case HOSTLINK_PHASE:
		r = hostlink_phase_parse(f->payload, &phase, NULL);
		break;
	case HOSTLINK_EXIT:
		r = hostlink_exit_parse(f->payload, &done, NULL);
		if (r == 0 && done.code > 255)
			abort();
		break;
	case HOSTLINK_FATAL:
		r = hostlink_fatal_parse(f->payload, &fatal, NULL);
		break;
	case HOSTLINK_RUN:
		check_run(f->payload);
		break;
	case HOSTLINK_WINSIZE:
		r = hostlink_winsize_parse(f->payload, &ws, NULL);
		break;
	case HOSTLINK_SIGNAL:
		r = hostlink_signal_parse(f->payload, &sig, NULL);
		if (r == 0 && (sig.signo == 0 || sig.signo > 64))
			abort();
		break;
	default:
		break;
	}
	if (r > 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum hostlink_side side = data[0] & 1 ? HOSTLINK_FROM_HOST : HOSTLINK_FROM_GUEST;
	struct slice in = slice_of(data + 1, size - 1);
	struct hostlink_frame f;
	size_t used;
	while (hostlink_parse(in, side, &f, &used, NULL) == 0) {
		check_frame(&f);
		in = slice_cut(in, used, in.size);
	}
	return 0;
}
