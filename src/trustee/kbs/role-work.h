/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The loop of the processes that do one call of the vault at a time: backend, external, fetcher, hsm,
 * remote, signer. What they are called with and what they answer is in wire.h.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

/**
 * struct role_work - what such a process does
 * @name: of the role, for the log
 * @call_max: bytes of a call with its header; 0: IPC_MESSAGE_MAX
 * @serve: does the call and adds what there is to tell to @answer. Return: 0, or the error that the vault
 * is told, with @reterr for the reason.
 * @end: set by @serve: the process ends after this answer, with this error
 */
struct role_work {
	const char *name;
	size_t call_max;
	int (*serve)(struct role_work *w, const json_t *header, struct slice body, json_t *answer,
		struct err *reterr);
	void *cookie;
	int end;
};

/**
 * role_work() - serve until the vault is gone
 * @r: of getting ready: negative, with @e, ends at once
 * Return: the exit code of the process: 0 when the vault is gone; else 1, and the log says why.
 */
int role_work(struct role_work *w, int r, const struct err *e);
