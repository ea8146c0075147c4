/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The description of the HTTP surface that the broker serves at /openapi.json. */
#include "base/slice.h"

/** kbs_openapi() - JSON text, static */
struct slice kbs_openapi(void);
