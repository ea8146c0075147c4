/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "evidence/collateral.h"

/** collateral_load_cca() - an array: Trustee's store of CCA trust anchors */
must_check int collateral_load_cca(
	struct collateral_store *s, const json_t *rows, struct err *reterr);

/** collateral_load_pcs() - the member "collaterals" of PcsClientTool's output */
must_check int collateral_load_pcs(
	struct collateral_store *s, const json_t *collaterals, struct err *reterr);
