/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration half of registry.h: credentials, mirrors, insecure and blocked registries. */
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "oci/registry.h"

void oci_credentials_done(struct oci_credentials *c)
{
	explicit_bzero(c, sizeof(*c));
}

/* "https://host/v1/" and "host" name the same registry in files of different ages. */
static struct slice key_host(const char *key)
{
	static const char *const schemes[] = {"https://", "http://"};

	for (size_t i = 0; i < ARRAY_COUNT(schemes); i++)
		if (str_starts(key, schemes[i]))
			return slice_of(
				key + strlen(schemes[i]), strcspn(key + strlen(schemes[i]), "/"));
	return slice_str(key);
}

static struct slice normal_host(struct slice host)
{
	if (slice_eq_str(host, "index.docker.io") || slice_eq_str(host, "registry-1.docker.io"))
		return SLICE_LIT("docker.io");
	return host;
}

static int decode_auth(json_t *entry, struct oci_credentials *ret)
{
	cleanup_with(buf_done) struct buf pair = buf_init_secret(8192);

	if (json_get_b64(entry, "auth", &pair, NULL) < 0)
		return -EBADMSG;
	while (pair.size && (pair.data[pair.size - 1] == '\n' || pair.data[pair.size - 1] == 0))
		pair.size--;
	const uint8_t *colon = pair.size ? memchr(pair.data, ':', pair.size) : NULL;
	if (!colon)
		return -EBADMSG;
	size_t n = (size_t)(colon - pair.data);
	if (str_copy_slice(ret->username, sizeof(ret->username), slice_of(pair.data, n)) < 0 ||
		str_copy_slice(ret->password, sizeof(ret->password),
			slice_cut(buf_slice(&pair), n + 1, SIZE_MAX)) < 0)
		return -EBADMSG;
	return 0;
}

int oci_credentials_find(struct slice auth_file, const struct oci_ref *ref,
	struct oci_credentials *ret, struct err *reterr)
{
	char name[OCI_REF_TEXT_SIZE];
	json_t *doc, *auths, *entry, *best = NULL;
	size_t best_size = 0;
	const char *key;

	*ret = (struct oci_credentials){0};
	int r = oci_json_parse(&doc, auth_file, "registry credentials", reterr);
	if (r < 0)
		return r;
	auths = json_object_get(doc, "auths");
	oci_ref_name(ref, name);
	json_object_foreach (auths, key, entry) {
		struct slice k = normal_host(key_host(key));
		bool prefix = slice_starts(slice_str(name), k) &&
			      (name[k.size] == 0 || name[k.size] == '/');
		if (prefix && k.size > best_size) {
			best = entry;
			best_size = k.size;
		}
	}
	r = best ? decode_auth(best, ret) : 0;
	json_decref(doc);
	if (r < 0)
		return err_set(reterr, r, "registry credentials: the entry for '%s' is malformed",
			ref->registry);
	return 0;
}

static bool member_true(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

static const char *member_text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* How much of @name a prefix covers; 0 when it does not apply. "*.domain" covers the host. */
static size_t prefix_match(const char *prefix, const char *name)
{
	size_t n = strlen(prefix), host = strcspn(name, "/");

	if (str_starts(prefix, "*.")) {
		struct slice h = slice_of(name, strcspn(name, ":/"));
		if (h.size > n - 1 &&
			slice_eq_str(slice_cut(h, h.size - (n - 1), SIZE_MAX), prefix + 1))
			return host;
		return 0;
	}
	if (n == 0 || !str_starts(name, prefix))
		return 0;
	return name[n] == 0 || name[n] == '/' ? n : 0;
}

/* Puts @location in the place of the matched part of the name. */
static int relocate(const struct oci_ref *ref, size_t matched, const char *location,
	struct oci_ref *ret, struct err *reterr)
{
	char name[OCI_REF_TEXT_SIZE], text[2 * OCI_REF_TEXT_SIZE];

	oci_ref_name(ref, name);
	snprintf(text, sizeof(text), "%.500s%s", location, name + matched);
	int r = oci_ref_parse(ret, text, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "registry configuration: location '%.200s'", location);
	memcpy(ret->tag, ref->tag, sizeof(ret->tag));
	ret->digest = ref->digest;
	return 0;
}

static int add_candidate(const json_t *o, const struct oci_ref *ref, size_t matched,
	struct oci_candidate ret[OCI_CANDIDATE_MAX], int *count, struct err *reterr)
{
	const char *location = member_text(o, "location");

	if (*count == OCI_CANDIDATE_MAX)
		return err_set(reterr, -E2BIG, "registry configuration: more than %d mirrors",
			OCI_CANDIDATE_MAX - 1);
	struct oci_candidate *c = &ret[*count];
	c->insecure_http = member_true(o, "insecure");
	c->ref = *ref;
	int r = location && location[0] ? relocate(ref, matched, location, &c->ref, reterr) : 0;
	if (r == 0)
		++*count;
	return r;
}

int oci_registries_resolve(const json_t *config, const struct oci_ref *ref,
	struct oci_candidate ret[OCI_CANDIDATE_MAX], struct err *reterr)
{
	char name[OCI_REF_TEXT_SIZE];
	json_t *list = json_object_get(config, "registry"), *o, *best = NULL, *mirror;
	size_t i, matched = 0;
	int count = 0;

	if (list && !json_is_array(list))
		return err_set(
			reterr, -EBADMSG, "registry configuration: 'registry' must be a list");
	oci_ref_name(ref, name);
	json_array_foreach (list, i, o) {
		const char *prefix = member_text(o, "prefix"),
			   *location = member_text(o, "location");
		size_t n = prefix ? prefix_match(prefix, name)
				  : (location ? prefix_match(location, name) : 0);
		if (n > matched) {
			matched = n;
			best = o;
		}
	}
	if (!best) {
		ret[0] = (struct oci_candidate){.ref = *ref};
		return 1;
	}
	if (member_true(best, "blocked"))
		return err_set(reterr, -EACCES, "the registry configuration blocks '%s'", name);
	json_array_foreach (json_object_get(best, "mirror"), i, mirror) {
		int r = add_candidate(mirror, ref, matched, ret, &count, reterr);
		if (r < 0)
			return r;
	}
	int r = add_candidate(best, ref, matched, ret, &count, reterr);
	return r < 0 ? r : count;
}
