/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk_sync.h"

#include <linux/aio_abi.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct disk_sync {
	aio_context_t context;
	int event;
	bool running;
	struct iocb block;
};

struct disk_sync *disk_sync_new(void)
{
	struct disk_sync *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event < 0 || syscall(SYS_io_setup, 1, &d->context) < 0) {
		if (d->event >= 0)
			close(d->event);
		free(d);
		return NULL;
	}
	return d;
}

void disk_sync_free(struct disk_sync *d)
{
	if (!d)
		return;
	syscall(SYS_io_destroy, d->context);
	close(d->event);
	free(d);
}

int disk_sync_eventfd(const struct disk_sync *d)
{
	return d->event;
}

int disk_sync_start(struct disk_sync *d, int fd)
{
	struct iocb *list[1];

	if (!d)
		return -EOPNOTSUPP;
	if (d->running)
		return -EBUSY;
	d->block = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_FDSYNC,
		.aio_fildes = (uint32_t)fd,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)d->event,
	};
	list[0] = &d->block;
	if (syscall(SYS_io_submit, d->context, 1L, list) != 1)
		return errno ? -errno : -EIO;
	d->running = true;
	return 0;
}

int disk_sync_end(struct disk_sync *d)
{
	struct timespec now = {0, 0};
	struct io_event event = {0};
	uint64_t count;

	(void)!read(d->event, &count, sizeof(count));
	if (!d->running || syscall(SYS_io_getevents, d->context, 0L, 1L, &event, &now) != 1)
		return -EAGAIN;
	d->running = false;
	return event.res < 0 ? (int)event.res : 0;
}
