/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Initdata as pods carry it: the annotation io.katacontainers.config.hypervisor.cc_init_data holds
 * base64 of gzip of the TOML. Its digest is over the TOML bytes.
 */
#include "base/buf.h"

#define INITDATA_ANNOTATION_MAX ((size_t)2 << 20)

/** initdata_annotation_decode() - append the TOML bytes; they are not parsed. Return: 0; -EBADMSG
 * (base64, gzip, or bytes behind it); -E2BIG (over INITDATA_SIZE_MAX); -ENOMEM. */
must_check int initdata_annotation_decode(
	struct slice annotation, struct buf *out, struct err *reterr);
/** initdata_annotation_encode() - append the annotation of TOML bytes; the same bytes always give
 * the same text. Return: 0, -E2BIG, -ENOMEM. */
must_check int initdata_annotation_encode(struct slice toml, struct buf *out, struct err *reterr);
