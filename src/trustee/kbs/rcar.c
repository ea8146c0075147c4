/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/rcar.h"

#include "base/str.h"
#include "fmt/json.h"

#define COOKIE_NAME "kbs-session-id="

/* The text is what deployed clients know; it names the newest version. */
static int check_version(
	const char *version, const char *oldest, enum as_protocol *ret, struct err *reterr)
{
	int protocol = as_protocol_from_name(version);

	if (protocol >= 0 && protocol <= as_protocol_from_name(oldest)) {
		*ret = (enum as_protocol)protocol;
		return 0;
	}
	return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "version",
		"KBS Client Protocol Version Mismatch: expect =%s while the request is %.32s",
		as_protocol_name(0), version);
}

static unsigned read_hashes(const json_t *params)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {{"sha256", RCAR_SHA256}, {"sha384", RCAR_SHA384}, {"sha512", RCAR_SHA512}};
	const json_t *list = json_object_get(params, "supported-hash-algorithms");
	unsigned bits = json_is_array(list) ? RCAR_HASH_LIST : 0;
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *name = json_string_value(item);

		for (size_t j = 0; name && j < ARRAY_COUNT(known); j++)
			bits |= strcasecmp(known[j].name, name) == 0 ? known[j].bit : 0;
	}
	return bits;
}

int rcar_read_auth(struct slice body, const char *oldest, char tee[SESSION_TEE_SIZE],
	enum as_protocol *ret, unsigned *ret_hashes, struct err *reterr)
{
	json_t *root = NULL;
	const char *version, *name;
	int r = json_parse(body, RCAR_AUTH_MAX, &root, reterr);

	if (r < 0)
		return r;
	r = json_get_str(root, "version", &version, reterr);
	if (r == 0)
		r = check_version(version, oldest, ret, reterr);
	if (r == 0)
		r = json_get_str(root, "tee", &name, reterr);
	if (r == 0 && !json_object_get(root, "extra-params"))
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "extra-params",
			"the member extra-params is missing");
	if (r == 0 && (!*name || str_copy(tee, SESSION_TEE_SIZE, name) < 0))
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "tee", "unknown tee");
	if (r == 0)
		*ret_hashes = read_hashes(json_object_get(root, "extra-params"));
	json_decref(root);
	return r;
}

void rcar_cookie(const char *header, char id[SESSION_ID_SIZE])
{
	id[0] = '\0';
	while (header && *header) {
		header += strspn(header, " ;");
		if (str_starts(header, COOKIE_NAME)) {
			const char *value = header + strlen(COOKIE_NAME);
			size_t n = strcspn(value, "; ");

			/* Only what we could have given out: 32 hex digits. */
			if (n == SESSION_ID_SIZE - 1 && strspn(value, "0123456789abcdef") == n)
				(void)!str_copy_slice(id, SESSION_ID_SIZE, slice_of(value, n));
			return;
		}
		header += strcspn(header, ";");
	}
}

struct slice rcar_bearer(const char *header)
{
	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return SLICE_EMPTY;
	header += 7;
	header += strspn(header, " ");
	return slice_of(header, strcspn(header, " "));
}
