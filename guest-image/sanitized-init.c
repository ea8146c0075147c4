/* SPDX-License-Identifier: Apache-2.0 */
/* /init of a sanitized guest, never of a release: mounts /proc and becomes husk-guest. */
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char *const no_env[] = {NULL};
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		perror("sanitized-init: /proc");
	execve("/husk-guest", argv, no_env);
	perror("sanitized-init: /husk-guest");
	return 1;
}
