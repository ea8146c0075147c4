/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_term.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios g_saved;
static bool g_raw;

int run_term_raw(void)
{
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &g_saved) != 0)
		return -errno;
	raw = g_saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
		return -errno;
	g_raw = true;
	return 0;
}

void run_term_restore(void)
{
	if (g_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &g_saved);
	g_raw = false;
}

bool run_term_size(uint16_t *ret_rows, uint16_t *ret_cols)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return false;
	*ret_rows = size.ws_row;
	*ret_cols = size.ws_col;
	return true;
}

int run_term_write(int fd, const void *data, size_t size)
{
	const char *p = data;
	while (size > 0) {
		ssize_t n = write(fd, p, size);
		if (n < 0 && errno == EAGAIN) {
			/* Somebody made the terminal non-blocking. */
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};
			(void)poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}
