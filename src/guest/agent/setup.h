/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What PID 1 does before anything can fail on the link: mounts, modules, limits, the console. */
#include "base/err.h"
#include "base/slice.h"

/**
 * setup_root() - leave the initramfs for a mount that pivot_root(2) accepts, mount the kernel's
 * file systems
 * Return: 0 or negative errno; @reterr names the mount point.
 */
must_check int setup_root(struct err *reterr);

/* Where the image keeps the modules and the order of loading, one name a line. */
#define MODULES_DIR "/lib/modules"
#define MODULES_LIST "/lib/modules/load"
#define MODULE_NAME_MAX 64u

/**
 * module_list_next() - take the next module off a list
 * @rest: the list; advanced behind the name
 * @ret: view of the name: letters, digits, '_' and '-'
 * Empty lines and lines starting with '#' are skipped.
 * Return: 1 with a name, 0 at the end, -EBADMSG on a name that is none.
 */
must_check int module_list_next(struct slice *rest, struct slice *ret);

/* The last module of the list finds the devices, which takes as long as all others. */
enum modules { MODULES_DRIVERS, MODULES_BUS };
/** setup_modules() - load all modules of MODULES_LIST but the last, or the last. Return: 0 or negative errno. */
must_check int setup_modules(enum modules which, struct err *reterr);

/**
 * setup_console() - open the console for messages
 * The fd does not block, so a stuck serial line cannot hang PID 1. Never fails: without a console
 * the messages are lost.
 */
void setup_console(void);
/** console_write() - one line on the console, control characters escaped; safe without memory */
void console_write(const char *text);
