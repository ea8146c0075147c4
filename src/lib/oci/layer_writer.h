/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pipeline the other way: tar bytes -> digest(diff_id) -> gzip -> blob. Private to build.c. */
#include "oci/layout.h"

struct layer_writer;
must_check int layer_writer_new(
	struct layer_writer **ret, struct oci_layout *l, int level, struct err *reterr);
void layer_writer_free(struct layer_writer *w);
DEFINE_CLEANUP(struct layer_writer *, layer_writer_free);
must_check int layer_writer_put(struct layer_writer *w, struct slice tar, struct err *reterr);
must_check int layer_writer_finish(struct layer_writer *w, struct oci_digest *ret_blob,
	uint64_t *ret_size, struct oci_digest *ret_diff_id, struct err *reterr);
uint64_t layer_writer_plain_size(const struct layer_writer *w);
