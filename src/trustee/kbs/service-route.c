/* SPDX-License-Identifier: Apache-2.0 */
/* The REST surface of husk-as; husk-rvps has the lower half of it. */
#include "base/str.h"
#include "trustee/kbs/route.h"

static const struct {
	const char *method;
	const char *path; /* ending in '/': the rest is the tail, which may not be empty */
	enum kbs_route route;
	bool as_only;
} g_rows[] = {
	{"POST", "/attestation", ROUTE_AS_EVALUATE, true},
	{"POST", "/policy", ROUTE_AS_POLICY_SET, true},
	{"GET", "/policy", ROUTE_AS_POLICY_LIST, true},
	{"GET", "/policy/", ROUTE_AS_POLICY_GET, true},
	{"POST", "/challenge", ROUTE_AS_CHALLENGE, true},
	{"GET", "/.well-known/jwks.json", ROUTE_JWKS, true},
	{"POST", "/reference-value", ROUTE_RVPS_REGISTER, false},
	{"GET", "/reference-value/", ROUTE_RVPS_QUERY, false},
	{"GET", "/healthz", ROUTE_HEALTHZ, false},
	{"GET", "/metrics", ROUTE_METRICS, false},
};

static bool path_matches(const char *row, const char *path)
{
	return str_ends(row, "/") ? str_starts(path, row) && path[strlen(row)] : streq(row, path);
}

void service_route_parse(
	const char *method, struct slice target, bool with_as, struct kbs_target *ret)
{
	const uint8_t *mark = target.size ? memchr(target.data, '?', target.size) : NULL;
	char path[ROUTE_TAIL_MAX];

	*ret = (struct kbs_target){.route = ROUTE_BAD_PATH, .plugin_id = PLUGIN_COUNT_};
	if (mark)
		target.size = (size_t)(mark - target.data);
	/* Names of reference values travel as they are: they may hold anything but '?' and blanks. */
	if (str_copy_slice(path, sizeof(path), target) < 0)
		return;
	ret->route = ROUTE_NONE;
	for (size_t i = 0; i < ARRAY_COUNT(g_rows); i++) {
		if ((g_rows[i].as_only && !with_as) || !path_matches(g_rows[i].path, path))
			continue;
		ret->route = ROUTE_METHOD;
		if (!streq(g_rows[i].method, method))
			continue;
		ret->route = g_rows[i].route;
		(void)!str_copy(ret->tail, sizeof(ret->tail), path + strlen(g_rows[i].path));
		return;
	}
}
