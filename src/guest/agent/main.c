/* SPDX-License-Identifier: Apache-2.0 */
/* husk-guest: one static binary for everything in the guest; argv[0] says which program runs. */
#include <signal.h>
#include <unistd.h>

#include "base/str.h"
#include "crypto/start.h"
#include "guest/agent/agent.h"
#include "guest/agent/sanitized.h"

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "";
	signal(SIGPIPE, SIG_IGN);
	sanitized_start();
	bool aa = streq(name, CHILD_NAME_AA), image = streq(name, CHILD_NAME_IMAGE);
	/* Each of the three programs pays for it, and all of them use OpenSSL. */
	crypto_start_lean(aa || image ? CRYPTO_START_ALL : CRYPTO_START_HASHES);
	if (aa)
		return aa_main(argc, argv);
	if (image)
		return image_main(argc, argv);
	if (getpid() == 1)
		return agent_main();
	fprintf(stderr, "husk-guest %s: this program is PID 1 of a husk guest\n", HUSK_VERSION);
	return 1;
}
