/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Initdata: the owner's configuration of a guest, bound to its measurement. TOML with `version`,
 * `algorithm` and a [data] table of texts. Its digest is taken over the exact bytes of the file.
 */
#include <jansson.h>

#include "base/buf.h"

#define INITDATA_SIZE_MAX ((size_t)1 << 20)

/**
 * struct initdata - parsed initdata; release with initdata_done()
 * @algorithm: "sha256", "sha384", "sha512" or "sm3"; borrowed from @document
 * @data: object of name -> text; borrowed from @document
 */
struct initdata {
	json_t *document;
	const char *version;
	const char *algorithm;
	json_t *data;
};

/** initdata_parse() - Return: 0, -E2BIG, -EBADMSG (TOML or a member), -EOPNOTSUPP (algorithm or
 * version) */
must_check int initdata_parse(struct slice text, struct initdata *ret, struct err *reterr);
void initdata_done(struct initdata *i);
/** initdata_get() - text of an entry such as "aa.toml"; NULL when absent */
const char *initdata_get(const struct initdata *i, const char *name);
/** initdata_write() - TOML text of entries; @algorithm as above. Values are multi-line strings. */
must_check int initdata_write(
	const char *algorithm, const json_t *data, struct buf *out, struct err *reterr);
