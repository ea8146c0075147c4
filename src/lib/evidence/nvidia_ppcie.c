/* SPDX-License-Identifier: Apache-2.0 */
/* Protected PCIe: a whole machine, eight GPUs with each other through four switches. */
#include "base/str.h"
#include "evidence/nvidia.h"
#include "fmt/json.h"

#define GPUS 8
#define SWITCHES 4
#define NO_PDI "0000000000000000"

/* Adds the ids of @list but the empty one to the set @ret. Return: how many were there, or -1. */
static int collect(const json_t *list, json_t *ret)
{
	int count = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *pdi = json_string_value(json_array_get(list, i));
		if (!pdi || json_object_set_new(ret, pdi, json_true()) < 0)
			return -1;
		count += !streq(pdi, NO_PDI);
	}
	json_object_del(ret, NO_PDI);
	return count;
}

static bool fits(const json_t *device, json_t *gpus, json_t *switches, size_t *gpu_count)
{
	const char *class = json_string_value(json_object_get(device, "class")), *own;
	const json_t *claims = json_object_get(device, "claims");

	if (class && streq(class, "gpu")) {
		(*gpu_count)++;
		return collect(json_object_get(claims, "x-nvidia-gpu-switch-pdis"), switches) ==
		       SWITCHES;
	}
	own = json_string_value(json_object_get(claims, "x-nvidia-switch-pdi"));
	return own && json_object_set_new(switches, own, json_true()) == 0 &&
	       collect(json_object_get(claims, "x-nvidia-switch-gpu-pdis"), gpus) == GPUS;
}

bool nv_is_ppcie(const json_t *devices)
{
	json_t *gpus = json_object(), *switches = json_object();
	bool good = gpus && switches && json_array_size(devices) == GPUS + SWITCHES;
	size_t gpu_count = 0;

	for (size_t i = 0; good && i < json_array_size(devices); i++)
		good = fits(json_array_get(devices, i), gpus, switches, &gpu_count);
	good = good && gpu_count == GPUS && json_object_size(gpus) == GPUS &&
	       json_object_size(switches) == SWITCHES;
	json_decref(gpus);
	json_decref(switches);
	return good;
}
