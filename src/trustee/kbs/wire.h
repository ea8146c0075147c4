/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Messages between front, vault and verifiers: a JSON header and opaque bytes behind it.
 *
 *   u32be size of the header | header (JSON object) | body (rest)
 *
 * The transport (net/ipc.h) frames whole messages. Headers are small and made by husk; bodies of
 * clients are never parsed on the way.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define WIRE_HEADER_MAX ((size_t)16 << 20)
#define WIRE_BODY_MAX ((size_t)66 << 20)

/** wire_pack() - append one message to @out. Return: 0, -E2BIG, -ENOMEM. */
must_check int wire_pack(struct buf *out, const json_t *header, struct slice body);
/**
 * wire_unpack() - take a message apart
 * @ret_header: new reference to an object
 * @ret_body: view into @message
 * Return: 0, -EBADMSG, -ENODATA, -E2BIG.
 */
must_check int wire_unpack(struct slice message, json_t **ret_header, struct slice *ret_body);

/* Members of headers; "" and 0 where absent, so that handlers need no checks of their own. */
const char *wire_str(const json_t *header, const char *name);
int64_t wire_int(const json_t *header, const char *name);
