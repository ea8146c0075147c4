/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the front processes share: the loop, the link to the vault, the end, a reload. A front
 * parses what clients send and holds no key but TLS's own.
 */
#include <jansson.h>

#include "net/tls_server.h"
#include "trustee/kbs/role.h"

#define FRONT_ANSWER_WAIT_MS 30000

struct event_base;
struct ipc;

/**
 * struct front_ops - what a kind of front does; @cookie is struct front_core's
 * @listen: open the sockets; @f->base is there
 * @answer: of the vault; @index and @generation are those of front_forward()
 * @tick: once a second
 * @pause: accept no more
 * @open: requests that were not answered yet
 * @set_tls: for connections from now on
 * @prepare: may fail, and must change nothing; NULL: nothing to do
 * @commit: use what was prepared; must not fail. NULL: nothing to do
 * @reloaded: what a reload changes, for the log
 */
struct front_ops {
	int (*listen)(void *cookie, struct err *reterr);
	void (*answer)(void *cookie, uint32_t index, uint32_t generation, const json_t *header,
		struct slice body);
	void (*tick)(void *cookie);
	void (*pause)(void *cookie);
	size_t (*open)(const void *cookie);
	int (*set_tls)(void *cookie, const struct tls_pem *pem, struct err *reterr);
	int (*prepare)(void *cookie, const struct kbs_config *c, struct err *reterr);
	void (*commit)(void *cookie);
	const char *reloaded;
};

/* @config is replaced by a reload; strings that were taken from it are gone then. */
struct front_core {
	const struct kbs_config *config;
	const struct front_ops *ops;
	void *cookie;
	struct event_base *base;
	struct ipc *vault;
	struct reload reload; /* owns @config after a reload */
	bool stopping;
	int exit_code;
};

/** front_run() - serve until the end. Return: the exit code of the process. */
int front_run(struct front_core *f);
/**
 * front_forward() - pass a request to the vault
 * @header: consumed; NULL: it could not be made of what the client sent
 * @index, @generation: come back with the answer
 * Return: 0, -EBADMSG (no header), -EAGAIN (the vault has too much to do), others of ipc_send().
 */
must_check int front_forward(struct front_core *f, json_t *header, uint32_t index,
	uint32_t generation, struct slice body);
/** front_answered() - a request was answered: the last one ends a front that is stopping */
void front_answered(struct front_core *f);
