/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/resource_path.h"

#include <string.h>

#define SEGMENTS 3

bool resource_name_valid(struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '-';

		/* The first character is never a dot, so "." and ".." cannot occur. */
		if (!word && !(c == '.' && i > 0))
			return false;
	}
	return s.size > 0;
}

bool resource_path_valid(struct slice path)
{
	for (int i = 1; i < SEGMENTS; i++) {
		const uint8_t *slash = path.size ? memchr(path.data, '/', path.size) : NULL;
		size_t n = slash ? (size_t)(slash - path.data) : 0;

		if (!resource_name_valid(slice_cut(path, 0, n)))
			return false;
		path = slice_cut(path, n + 1, SIZE_MAX);
	}
	return resource_name_valid(path);
}
