/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fdatasync() that does not block: the kernel's native asynchronous I/O with an eventfd, one sync at
 * a time. No thread is involved on our side.
 */
#include "base/err.h"

struct disk_sync;

/** disk_sync_new() - NULL when the kernel or a sandbox does not offer it: sync the ordinary way */
struct disk_sync *disk_sync_new(void);
void disk_sync_free(struct disk_sync *d);
/** disk_sync_eventfd() - readable when a sync has ended */
int disk_sync_eventfd(const struct disk_sync *d);
/** disk_sync_start() - Return: 0, -EBUSY (one is under way), -EOPNOTSUPP (@d is NULL), errno. */
must_check int disk_sync_start(struct disk_sync *d, int fd);
/** disk_sync_end() - Return: what fdatasync() returned as negative errno, -EAGAIN (not yet). */
must_check int disk_sync_end(struct disk_sync *d);
