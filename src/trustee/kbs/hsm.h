/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What processes that load a PKCS#11 module share. */
#include <jansson.h>

#include "base/buf.h"
#include "trustee/kbs/config.h"

#define PIN_MAX ((size_t)256)

/** hsm_environment() - set the module's environment; before it is loaded */
must_check int hsm_environment(const struct config_module *m, struct err *reterr);
/** hsm_read_pin() - the PIN in a file, without the end of its line */
must_check int hsm_read_pin(const char *path, struct buf *out, struct err *reterr);
/** hsm_confine() - enter the sandbox, with what the module needs */
must_check int hsm_confine(const struct kbs_config *c, const char *role,
	const struct config_module *m, struct err *reterr);
