/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/as/ear.h"

#include "base/str.h"

static const char *const g_claim_names[] = {"instance-identity", "configuration", "executables",
	"file-system", "hardware", "runtime-opaque", "storage-opaque", "sourced-data"};

enum ear_tier ear_tier_of(int claim)
{
	if (claim >= -1 && claim <= 1)
		return EAR_NONE;
	if (claim >= -32 && claim <= 31)
		return EAR_AFFIRMING;
	if (claim >= -96 && claim <= 95)
		return EAR_WARNING;
	return EAR_CONTRAINDICATED;
}

const char *ear_tier_name(enum ear_tier tier)
{
	static const char *const names[] = {"none", "affirming", "warning", "contraindicated"};

	return (unsigned)tier < ARRAY_COUNT(names) ? names[tier] : "contraindicated";
}

static bool is_claim_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_claim_names); i++) {
		if (streq(g_claim_names[i], name))
			return true;
	}
	return false;
}

int ear_vector_check(const json_t *vector, enum ear_tier *ret_worst, struct err *reterr)
{
	enum ear_tier worst = EAR_NONE;
	const char *name;
	json_t *value;

	if (!json_is_object(vector))
		return err_set(reterr, -EBADMSG, "trust_claims is not an object");
	/* Upstream's rule, too: a policy that says nothing has appraised nothing. */
	if (json_object_size(vector) == 0)
		return err_set(reterr, -EBADMSG, "trust_claims has no claim");
	json_object_foreach ((json_t *)(uintptr_t)vector, name, value) {
		json_int_t v = json_integer_value(value);

		if (!is_claim_name(name))
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"trust_claims has an unknown claim \"%s\"", name);
		/* Upstream lets larger numbers wrap, which can turn a bad claim into a good one. */
		if (!json_is_integer(value) || v < -128 || v > 127)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"trust claim \"%s\" is not an integer from -128 to 127", name);
		worst = MAX(worst, ear_tier_of((int)v));
	}
	*ret_worst = worst;
	return 0;
}

static int add_extensions(json_t *submod, const json_t *extensions, struct err *reterr)
{
	size_t i;
	const json_t *item;

	if (!extensions)
		return 0;
	if (!json_is_array(extensions))
		return err_set(reterr, -EBADMSG, "extensions is not an array");
	json_array_foreach (extensions, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));
		json_t *value = json_object_get(item, "value");

		if (!name || !value || !json_is_integer(json_object_get(item, "key")))
			return err_set(reterr, -EBADMSG,
				"an extension needs a string name, an integer key and a value");
		/* An extension must not replace what the appraisal says. */
		if (json_object_get(submod, name))
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"extension \"%s\" has the name of another member", name);
		if (json_object_set(submod, name, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A copy of the evidence without the raw evidence of further devices. */
static json_t *shorten(const json_t *evidence)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)evidence);
	json_t *runtime = json_copy(json_object_get(copy, "runtime_data_claims"));

	if (runtime) {
		json_object_del(runtime, "additional-evidence");
		json_object_set_new(copy, "runtime_data_claims", runtime);
	}
	return copy;
}

int ear_submod(const json_t *vector, enum ear_tier status, const json_t *extensions,
	const json_t *evidence, bool verbose, json_t **ret, struct err *reterr)
{
	json_t *kept = verbose ? json_incref((json_t *)(uintptr_t)evidence) : shorten(evidence);
	json_t *submod = json_pack("{s:s, s:O, s:s, s:o}", "ear.status", ear_tier_name(status),
		"ear.trustworthiness-vector", vector, "ear.appraisal-policy-id", "default",
		"ear.veraison.annotated-evidence", kept);
	int r;

	if (!submod)
		return -ENOMEM;
	r = add_extensions(submod, extensions, reterr);
	if (r < 0) {
		json_decref(submod);
		return r;
	}
	*ret = submod;
	return 0;
}

int ear_claims(const struct ear_issuer *issuer, int64_t now, const json_t *submods, json_t **ret)
{
	*ret = json_pack("{s:s, s:I, s:I, s:s, s:{s:s, s:s}, s:O}", "eat_profile", issuer->profile,
		"iat", (json_int_t)now, "exp", (json_int_t)now + issuer->life_s, "iss",
		issuer->issuer, "ear.verifier-id", "developer", issuer->developer, "build",
		issuer->build, "submods", submods);
	return *ret ? 0 : -ENOMEM;
}
