/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "ext.h"

#define YAML_DEPTH_MAX 200

/**
 * yaml_emit() - append a value as a YAML document in block style, as go-yaml v3 lays it out with an
 * indent of 2
 * Return: 0, -E2BIG (nested too deeply), -EBADMSG (text that YAML cannot carry).
 */
must_check int yaml_emit(struct buf *out, val v);
