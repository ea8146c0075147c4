/* SPDX-License-Identifier: Apache-2.0 */
/* The other programs of a guest that fails: aa dies of a signal as soon as it is configured. */
#include <signal.h>

#include "guest/agent/child.h"

int aa_main(int argc, char **argv)
{
	cleanup_with(buf_done) struct buf payload = buf_init(CHILD_PAYLOAD_MAX);
	enum child_type type;
	if (child_recv(CHILD_FD_AGENT, &type, &payload) < 0 || type != CHILD_CONFIG)
		return 1;
	raise(SIGSEGV);
	return 0;
}

int image_main(int argc, char **argv)
{
	cleanup_with(buf_done) struct buf payload = buf_init(CHILD_PAYLOAD_MAX);
	enum child_type type;
	return child_recv(CHILD_FD_AGENT, &type, &payload) < 0 ? 0 : 1;
}
