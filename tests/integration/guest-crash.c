/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other programs of a guest that fails: aa dies of a signal as soon as it is configured. In a
 * sanitized guest image loses a block of memory, which must be found and must reach the host.
 */
#include <signal.h>
#include <stdlib.h>

#include "guest/agent/child.h"

int aa_main(int argc, char **argv)
{
	cleanup_with(buf_done) struct buf payload = buf_init(CHILD_PAYLOAD_MAX);
	enum child_type type;
	if (child_recv(CHILD_FD_AGENT, &type, &payload) < 0 || type != CHILD_CONFIG)
		return 1;
	signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler */
	raise(SIGSEGV);
	return 0;
}

int image_main(int argc, char **argv)
{
	cleanup_with(buf_done) struct buf payload = buf_init(CHILD_PAYLOAD_MAX);
	enum child_type type;
	void *volatile lost = WITH_SANITIZER ? malloc(4321) : NULL;
	lost = NULL;
	return lost == NULL && child_recv(CHILD_FD_AGENT, &type, &payload) < 0 ? 0 : 1;
}
