/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload can change. Everything that is not named here was given to a process when it
 * started (a socket, a limit of memory, a root of trust, a connection), so that its new value would
 * be used by some processes and not by others.
 */
#include "base/str.h"
#include "trustee/kbs/config.h"

static const struct {
	const char *section, *key; /* key NULL: all of the section */
} g_live[] = {
	{"http_server", "certificate"},
	{"http_server", "private_key"},
	{"admin", NULL},
	{"attestation_token", NULL},
	{"attestation_service", "certs_file"},
	{"attestation_service", "policy_ids"},
	{"attestation_service", "allow_unmatched_policy"},
	{"attestation_service", "attestation_token_broker"},
	{"collateral", "refresh_days"},
	{"husk", "auth_burst"},
	{"husk", "auth_rate"},
	{"husk", "client_ca"},
	{"husk", "collateral"},
	{"husk", "insecure_allow_unbound_evidence"},
	{"husk", "insecure_ibm_root"},
	{"husk", "log_json"},
	{"husk", "log_level"},
	{"husk", "protocol_min"},
	{"husk", "request_burst"},
	{"husk", "request_rate"},
	{"husk", "resource_versions"},
	{"husk", "rvps_require_signed"},
	{"husk", "rvps_trusted_keys"},
	{"husk", "se_key"},
	{"husk", "verdict_claims_mib"},
	{"husk", "verdict_evidence"},
	{"husk", "verdict_keep"},
};

static bool is_live(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_live); i++) {
		if (streq(g_live[i].section, section) &&
			(!g_live[i].key || streq_null(key, g_live[i].key)))
			return true;
	}
	return false;
}

static bool same(const json_t *a, const json_t *b)
{
	return a && b ? json_equal(a, b) : a == b;
}

/* Keys of @a that @b has not, or has otherwise. */
static int compare_keys(const char *section, const json_t *a, const json_t *b, struct err *reterr)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)a, key, value) {
		if (!same(value, json_object_get(b, key)) && !is_live(section, key))
			return err_at(reterr, -EINVAL, ERR_NO_OFFSET, key,
				"a change of [%s] %s takes a restart", section, key);
	}
	return 0;
}

static int compare_sections(const json_t *a, const json_t *b, struct err *reterr)
{
	const char *section;
	json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)(uintptr_t)a, section, value) {
		const json_t *other = json_object_get(b, section);

		if (r < 0 || same(value, other) || is_live(section, NULL))
			continue;
		if (!json_is_object(value))
			return err_at(reterr, -EINVAL, ERR_NO_OFFSET, section,
				json_is_array(value) ? "a change of [[%s]] takes a restart"
						     : "a change of %s takes a restart",
				section);
		r = compare_keys(section, value, other, reterr);
	}
	return r;
}

int kbs_config_may_reload(
	const struct kbs_config *now, const struct kbs_config *next, struct err *reterr)
{
	int r = compare_sections(now->root, next->root, reterr);

	if (r == 0)
		r = compare_sections(next->root, now->root, reterr);
	if (r == 0 &&
		kbs_config_workers(now, WORKER_FETCHER) != kbs_config_workers(next, WORKER_FETCHER))
		r = err_at(reterr, -EINVAL, ERR_NO_OFFSET, "trusted_jwk_sets",
			"the first https:// URL of a key set, and the end of the last one, takes a "
			"restart");
	if (r == 0 && !now->husk.client_ca != !next->husk.client_ca)
		r = err_at(reterr, -EINVAL, ERR_NO_OFFSET, "client_ca",
			"whether clients need certificates ([husk] client_ca) takes a restart");
	if (r == 0 && !now->signer.key != !next->signer.key)
		r = err_at(reterr, -EINVAL, ERR_NO_OFFSET, "key",
			"whether the token key is in a device (signer.key) takes a restart");
	if (r == 0 && now->signer.key_path && !next->signer.key_path)
		r = err_at(reterr, -EINVAL, ERR_NO_OFFSET, "key_path",
			"to sign with a key that is kept nowhere (signer without key_path) takes a "
			"restart");
	return r;
}
