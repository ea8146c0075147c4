/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/attester/tpm_dev.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/rd.h"

/* The driver works on a command in the background and the descriptor becomes readable when the
 * whole answer is there; one read must take all of it (Linux, Documentation/security/tpm). */
static int transmit_once(const struct tpm_dev *dev, struct slice command, struct buf *answer)
{
	ssize_t n = write(dev->fd, command.data, command.size);
	if (n < 0)
		return -errno;
	if ((size_t)n != command.size)
		return -EIO;
	struct pollfd p = {.fd = dev->fd, .events = POLLIN};
	int r = poll(&p, 1, TPM_DEV_TIMEOUT_MS);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	uint8_t *room = buf_reserve(answer, TPM_MESSAGE_MAX);
	if (room == NULL)
		return buf_error(answer);
	n = read(dev->fd, room, TPM_MESSAGE_MAX);
	if (n < 0)
		return -errno;
	buf_commit(answer, (size_t)n);
	return 0;
}

/* Commands that change nothing, so that one whose answer was lost may be sent again. */
static bool may_repeat(struct slice command)
{
	static const uint32_t codes[] = {0x158 /* Quote */, 0x173 /* ReadPublic */,
		0x17a /* GetCapability */, 0x17e /* PCR_Read */};
	struct rd rd = rd_init(slice_cut(command, 6, SIZE_MAX));
	uint32_t code;
	if (rd_u32be(&rd, &code) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

/* The kernel gives a command less than a second, which a software TPM of a busy host may miss. */
static int transmit(void *cookie, struct slice command, struct buf *answer)
{
	for (int attempt = 1;; attempt++) {
		int r = transmit_once(cookie, command, answer);
		if (r != -ETIME || attempt == TPM_DEV_ATTEMPTS || !may_repeat(command))
			return r;
	}
}

int tpm_dev_open(const char *path, struct tpm_dev *ret, struct err *reterr)
{
	if (path == NULL)
		path = TPM_DEV_PATH;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		int r = errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
		return err_set(
			reterr, r, r == -ENODEV ? "there is no TPM (%s)" : "cannot open %s", path);
	}
	*ret = (struct tpm_dev){.fd = fd, .tpm = {.transmit = transmit, .cookie = ret}};
	return 0;
}

void tpm_dev_close(struct tpm_dev *dev)
{
	if (dev->tpm.transmit != NULL)
		close(dev->fd);
	*dev = (struct tpm_dev){.fd = -1};
}
