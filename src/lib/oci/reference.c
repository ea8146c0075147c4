/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include "base/parse.h"
#include "base/str.h"

#define DEFAULT_REGISTRY "docker.io"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alnum(uint8_t c)
{
	return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} */
static bool oci_tag_valid(struct slice tag)
{
	if (tag.size == 0 || tag.size > OCI_REF_TAG_MAX)
		return false;
	for (size_t i = 0; i < tag.size; i++) {
		uint8_t c = tag.data[i];
		if (!is_alnum(c) && c != '_' && (i == 0 || (c != '.' && c != '-')))
			return false;
	}
	return true;
}

/* One path component: [a-z0-9]+ joined by '.', '_', "__" or any number of '-'. */
static bool component_valid(struct slice s)
{
	if (s.size == 0 || !(is_lower(s.data[0]) || is_digit(s.data[0])))
		return false;
	for (size_t i = 0; i < s.size;) {
		uint8_t c = s.data[i];
		if (is_lower(c) || is_digit(c)) {
			i++;
			continue;
		}
		size_t run = 1;
		while (i + run < s.size && s.data[i + run] == c)
			run++;
		if (!(c == '-' || (c == '.' && run == 1) || (c == '_' && run <= 2)))
			return false;
		i += run;
		if (i == s.size || !(is_lower(s.data[i]) || is_digit(s.data[i])))
			return false;
	}
	return true;
}

static bool repository_valid(struct slice s)
{
	size_t start = 0;

	for (size_t i = 0; i <= s.size; i++) {
		if (i < s.size && s.data[i] != '/')
			continue;
		if (!component_valid(slice_of(s.data + start, i - start)))
			return false;
		start = i + 1;
	}
	return true;
}

static bool port_valid(struct slice s)
{
	uint32_t port;
	return parse_u32(s, 1, 65535, &port) == 0;
}

/* Brackets and what may stand between them; whether it is a real address, connecting will tell. */
static bool ipv6_valid(struct slice s, size_t *ret_end)
{
	for (size_t i = 1; i < s.size; i++) {
		uint8_t c = s.data[i];
		if (c == ']') {
			*ret_end = i + 1;
			return i > 2;
		}
		if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') && c != ':')
			return false;
	}
	return false;
}

static bool registry_valid(struct slice s)
{
	size_t i = 0;

	if (s.size > 0 && s.data[0] == '[') {
		if (!ipv6_valid(s, &i))
			return false;
	} else {
		bool inside = false; /* of a label, so '-' and '.' have an alphanumeric before */
		for (; i < s.size && s.data[i] != ':'; i++) {
			uint8_t c = s.data[i];
			if (is_alnum(c))
				inside = true;
			else if (c == '.' && inside && s.data[i - 1] != '-')
				inside = false;
			else if (!(c == '-' && inside))
				return false;
		}
		if (!inside || s.data[i - 1] == '-')
			return false;
	}
	if (i == s.size)
		return true;
	return s.data[i] == ':' && port_valid(slice_cut(s, i + 1, SIZE_MAX));
}

/* "a.b/c", "a:5000/c", "[::1]/c", "localhost/c", "Host/c" name a registry; "a/c" does not. */
static bool looks_like_registry(struct slice s)
{
	if (slice_eq_str(s, "localhost"))
		return true;
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		if (c == '.' || c == ':' || c == '[' || (c >= 'A' && c <= 'Z'))
			return true;
	}
	return false;
}

static int set_name(struct oci_ref *ref, struct slice name, struct err *reterr)
{
	const uint8_t *slash = name.size ? memchr(name.data, '/', name.size) : NULL;
	struct slice registry = SLICE_LIT(DEFAULT_REGISTRY), repository = name;
	char path[OCI_REF_NAME_MAX + 1];

	if (name.size > OCI_REF_NAME_MAX)
		return err_set(
			reterr, -E2BIG, "the name is longer than %d bytes", OCI_REF_NAME_MAX);
	if (slash) {
		struct slice first = slice_of(name.data, (size_t)(slash - name.data));
		if (looks_like_registry(first)) {
			registry = first;
			repository = slice_cut(name, first.size + 1, SIZE_MAX);
		}
	}
	if (slice_eq_str(registry, "index.docker.io"))
		registry = SLICE_LIT(DEFAULT_REGISTRY);
	if (!registry_valid(registry))
		return err_set(
			reterr, -EBADMSG, "'%.*s' is not a registry host", SLICE_ARG(registry));
	if (!repository_valid(repository))
		return err_set(reterr, -EBADMSG,
			"'%.*s' is not a repository name (lower-case only)", SLICE_ARG(repository));
	if (slice_eq_str(registry, DEFAULT_REGISTRY) &&
		!memchr(repository.data, '/', repository.size)) {
		int n = snprintf(path, sizeof(path), "library/%.*s", SLICE_ARG(repository));
		if (n < 0 || (size_t)n >= sizeof(path))
			return err_set(reterr, -E2BIG, "the name is too long");
		repository = slice_str(path);
	}
	if (str_copy_slice(ref->registry, sizeof(ref->registry), registry) < 0 ||
		str_copy_slice(ref->repository, sizeof(ref->repository), repository) < 0 ||
		registry.size + 1 + repository.size > OCI_REF_NAME_MAX)
		return err_set(
			reterr, -E2BIG, "the name is longer than %d bytes", OCI_REF_NAME_MAX);
	return 0;
}

/* The tag's colon is the last one after the last slash; a registry port comes before a slash. */
static size_t tag_colon(struct slice s)
{
	for (size_t i = s.size; i > 0; i--) {
		if (s.data[i - 1] == '/')
			break;
		if (s.data[i - 1] == ':')
			return i - 1;
	}
	return s.size;
}

int oci_ref_parse(struct oci_ref *ret, const char *text, struct err *reterr)
{
	struct oci_ref ref = {0};
	struct slice s = slice_str(text);

	if (slice_starts(s, SLICE_LIT("docker://")))
		s = slice_cut(s, sizeof("docker://") - 1, SIZE_MAX);
	if (s.size == 0)
		return err_set(reterr, -EBADMSG, "the image reference is empty");
	const uint8_t *at = memchr(s.data, '@', s.size);
	if (at) {
		struct slice d = slice_cut(s, (size_t)(at - s.data) + 1, SIZE_MAX);
		int r = oci_digest_parse(&ref.digest, d);
		if (r < 0)
			return err_set(reterr, r, "'%.*s' is not a digest of the form sha256:<hex>",
				SLICE_ARG(d));
		s = slice_of(s.data, (size_t)(at - s.data));
	}
	size_t colon = tag_colon(s);
	if (colon < s.size) {
		struct slice tag = slice_cut(s, colon + 1, SIZE_MAX);
		if (!oci_tag_valid(tag))
			return err_set(reterr, -EBADMSG, "'%.*s' is not a tag", SLICE_ARG(tag));
		if (str_copy_slice(ref.tag, sizeof(ref.tag), tag) < 0)
			return err_set(reterr, -E2BIG, "the tag is too long");
		s = slice_of(s.data, colon);
	} else if (!at) {
		if (str_copy(ref.tag, sizeof(ref.tag), "latest") < 0)
			return -E2BIG;
	}
	int r = set_name(&ref, s, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "image reference '%s'", text);
	*ret = ref;
	return 0;
}

const char *oci_ref_name(const struct oci_ref *ref, char dst[OCI_REF_TEXT_SIZE])
{
	snprintf(dst, OCI_REF_TEXT_SIZE, "%s/%s", ref->registry, ref->repository);
	return dst;
}

const char *oci_ref_text(const struct oci_ref *ref, char dst[OCI_REF_TEXT_SIZE])
{
	char digest[OCI_DIGEST_TEXT_SIZE];

	oci_digest_text(&ref->digest, digest);
	snprintf(dst, OCI_REF_TEXT_SIZE, "%s/%s%s%s%s%s", ref->registry, ref->repository,
		ref->tag[0] ? ":" : "", ref->tag, digest[0] ? "@" : "", digest);
	return dst;
}

const char *oci_ref_host(const struct oci_ref *ref)
{
	return streq(ref->registry, DEFAULT_REGISTRY) ? "registry-1.docker.io" : ref->registry;
}
