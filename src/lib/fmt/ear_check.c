/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/ear_check.h"

#include "base/str.h"
#include "fmt/json.h"

/* The tiers of AR4SI: by name, or by the number that stands for it. */
static const struct {
	const char *name;
	int number;
} g_tiers[] = {{"none", 0}, {"affirming", 2}, {"warning", 32}, {"contraindicated", 96}};

static bool is_tier(const json_t *status)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_tiers); i++) {
		if (json_is_string(status) && streq(json_string_value(status), g_tiers[i].name))
			return true;
		if (json_is_integer(status) && json_integer_value(status) == g_tiers[i].number)
			return true;
	}
	return false;
}

static int bad(const char *claim, struct err *reterr)
{
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, claim,
		"the claim %s is missing or malformed", claim);
}

/* NumericDate (RFC 7519, 2): seconds, possibly with a fraction. @ret untouched when absent. */
static int date(const json_t *claims, const char *name, double *ret, struct err *reterr)
{
	const json_t *v = json_object_get(claims, name);

	if (!v)
		return -ENOENT;
	if (!json_is_number(v))
		return bad(name, reterr);
	*ret = json_number_value(v);
	return 0;
}

int jwt_check_times(const json_t *claims, int64_t now, struct err *reterr)
{
	double exp = 0, nbf = 0;

	int r = date(claims, "exp", &exp, reterr);
	if (r == 0 && exp <= (double)now)
		r = err_at(reterr, -ESTALE, ERR_NO_OFFSET, "exp", "the token has expired");
	if (r < 0 && r != -ENOENT)
		return r;
	r = date(claims, "nbf", &nbf, reterr);
	if (r == 0 && nbf > (double)now)
		r = err_at(reterr, -ESTALE, ERR_NO_OFFSET, "nbf", "the token is not valid yet");
	return r == -ENOENT ? 0 : r;
}

static int check_submods(const json_t *claims, struct err *reterr)
{
	json_t *submods = json_object_get(claims, "submods"), *one;
	const char *name;

	if (json_object_size(submods) == 0 || json_object_size(submods) > EAR_SUBMODS_MAX)
		return bad("submods", reterr);
	json_object_foreach (submods, name, one) {
		if (!is_tier(json_object_get(one, "ear.status")))
			return bad("ear.status", reterr);
	}
	return 0;
}

int ear_check(const json_t *claims, int64_t now, struct err *reterr)
{
	const json_t *verifier = json_object_get(claims, "ear.verifier-id");

	if (!json_is_object(claims))
		return err_set(reterr, -EBADMSG, "the token's payload is no object");
	if (!json_is_string(json_object_get(claims, "eat_profile")))
		return bad("eat_profile", reterr);
	if (!json_is_integer(json_object_get(claims, "iat")))
		return bad("iat", reterr);
	if (!json_is_string(json_object_get(verifier, "build")) ||
		!json_is_string(json_object_get(verifier, "developer")))
		return bad("ear.verifier-id", reterr);
	int r = check_submods(claims, reterr);
	return r == 0 ? jwt_check_times(claims, now, reterr) : r;
}
