/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the extractors. */
#include "trustee/rvps/extract.h"

/*
 * struct manifest - what an extractor fills
 * @values: owned by the caller; name to value
 * @signer: who signed, "" for nobody
 * @from, @until: validity that the manifest states; 0: it states none
 */
struct manifest {
	const struct rvps_anchors *anchors;
	int64_t now;
	json_t *values;
	char signer[160];
	int64_t from, until;
};

must_check int extract_corim(struct slice payload, struct manifest *m, struct err *reterr);
must_check int extract_swid(struct slice payload, struct manifest *m, struct err *reterr);
must_check int extract_in_toto(struct slice payload, struct manifest *m, struct err *reterr);
/* Sets a value, or adds the items of a list to those that are there. */
must_check int manifest_add(
	struct manifest *m, const char *name, json_t *value, struct err *reterr);
