/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How key brokers name resources: REPOSITORY/TYPE/TAG, as in kbs:///default/image-key/app. */
#include "base/slice.h"

/** resource_name_valid() - one segment: [A-Za-z0-9_.-]+, not beginning with a dot */
bool resource_name_valid(struct slice s);
/** resource_path_valid() - exactly three segments with one slash between them */
bool resource_path_valid(struct slice path);
