/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What initdata tells the agent. Initdata is bound to the TEE before anything in it is used. */
#include "base/err.h"
#include "base/slice.h"

struct config {
	char *initdata; /* the raw text */
	char *aa_toml;	/* configuration of the attestation agent */
	char *cdh_toml; /* configuration of image pull and resources */
	struct policy *policy;
};

/**
 * config_load() - measure initdata, then read it
 * @initdata: raw bytes of the host
 * Return: 0; -EACCES (no initdata or no agent policy: nothing is allowed); -EBADMSG, -EOPNOTSUPP
 * (malformed); -ENODEV (nothing to measure into); other negative errno of the TPM. On failure the
 * measurement may have been made; the guest must not go on.
 */
must_check int config_load(struct slice initdata, struct config *ret, struct err *reterr);
void config_done(struct config *config);
