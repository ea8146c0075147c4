/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/policy.h"

#include "base/enc.h"
#include "base/str.h"
#include "oci/manifest.h"

struct list {
	const char *scope; /* borrowed from the document */
	struct oci_requirement *items;
	size_t count;
};

struct oci_policy {
	json_t *doc;
	struct list fallback; /* "default" */
	struct list *scopes;  /* of transport "docker" */
	size_t scope_count;
};

static int bad(const char *scope, const char *what, struct err *reterr)
{
	return err_set(reterr, -EBADMSG, "image policy, scope '%s': %s", scope, what);
}

/* Only the members in @allowed may exist: a misspelt one would be a check that never happens. */
static int only_members(
	json_t *o, const char *const *allowed, size_t count, const char *scope, struct err *reterr)
{
	const char *name;
	json_t *v;

	json_object_foreach (o, name, v) {
		size_t i = 0;
		while (i < count && !streq(name, allowed[i]))
			i++;
		if (i == count)
			return err_set(reterr, -EBADMSG,
				"image policy, scope '%s': unknown member '%s'", scope, name);
	}
	return 0;
}

static int identity_needs(
	json_t *o, const char *name, const char **ret, const char *scope, struct err *reterr)
{
	*ret = json_string_value(json_object_get(o, name));
	return *ret ? 0 : bad(scope, "signedIdentity lacks a member", reterr);
}

static int parse_identity(struct oci_identity *id, json_t *o, const char *scope, struct err *reterr)
{
	static const struct {
		const char *name;
		enum oci_identity_type type;
		const char *value;
	} types[] = {
		{"matchRepoDigestOrExact", OCI_IDENTITY_REPO_DIGEST_OR_EXACT, NULL},
		{"matchExact", OCI_IDENTITY_EXACT, NULL},
		{"matchRepository", OCI_IDENTITY_REPOSITORY, NULL},
		{"exactReference", OCI_IDENTITY_EXACT_REFERENCE, "dockerReference"},
		{"exactRepository", OCI_IDENTITY_EXACT_REPOSITORY, "dockerRepository"},
		{"remapIdentity", OCI_IDENTITY_REMAP, "prefix"},
	};
	const char *type = json_string_value(json_object_get(o, "type"));

	for (size_t i = 0; type && i < ARRAY_COUNT(types); i++) {
		if (!streq(type, types[i].name))
			continue;
		const char *allowed[3] = {"type", types[i].value ? types[i].value : "type",
			types[i].type == OCI_IDENTITY_REMAP ? "signedPrefix" : "type"};
		int r = only_members(o, allowed, ARRAY_COUNT(allowed), scope, reterr);
		id->type = types[i].type;
		if (r == 0 && types[i].value)
			r = identity_needs(o, types[i].value, &id->value, scope, reterr);
		if (r == 0 && id->type == OCI_IDENTITY_REMAP)
			r = identity_needs(o, "signedPrefix", &id->signed_prefix, scope, reterr);
		return r;
	}
	return err_set(reterr, -EOPNOTSUPP,
		"image policy, scope '%s': unknown signedIdentity type '%s'", scope,
		type ? type : "");
}

/* base64 of PEM, or (what guest-components reads) PEM itself. */
static int decode_key(
	struct oci_requirement *q, const char *data, const char *scope, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(65536);

	if (strstr(data, "-----BEGIN "))
		buf_put_str(&pem, data);
	else if (b64_decode(&pem, slice_str(data), B64_STD) < 0)
		return bad(scope, "keyData is neither base64 nor PEM", reterr);
	/* A keyring is bytes, and may hold any. */
	if (pem.size == 0 || (q->type != OCI_REQUIRE_GPG && memchr(pem.data, 0, pem.size)))
		return bad(scope, "keyData holds no PEM key", reterr);
	q->key_size = pem.size;
	q->key_pem = buf_take_str(&pem);
	return q->key_pem ? 0 : -ENOMEM;
}

/* What signedBy has beside: the type of its keys, and several places for them. */
static int parse_keyrings(
	struct oci_requirement *q, json_t *o, const char *scope, struct err *reterr)
{
	const char *type = json_string_value(json_object_get(o, "keyType"));
	json_t *paths = json_object_get(o, "keyPaths");

	if (!type || !streq(type, "GPGKeys"))
		return err_set(reterr, -EOPNOTSUPP,
			"image policy, scope '%s': keyType is '%s', only GPGKeys is known", scope,
			type ? type : "");
	if (!paths)
		return 0;
	if (json_object_get(o, "keyPath") || json_object_get(o, "keyData") ||
		json_array_size(paths) == 0)
		return bad(scope, "keyPaths must be a list, and stand alone", reterr);
	for (size_t i = 0; i < json_array_size(paths); i++) {
		if (!json_is_string(json_array_get(paths, i)))
			return bad(scope, "keyPaths must hold text", reterr);
	}
	q->key_paths = paths;
	return 0;
}

/* "NAMEPath" or "NAMEData" of @o, at most one of them. */
static int parse_pem(struct oci_pem *p, json_t *o, const char *path_name, const char *data_name,
	const char *scope, struct err *reterr)
{
	json_t *path = json_object_get(o, path_name), *data = json_object_get(o, data_name);
	struct oci_requirement q = {.type = OCI_REQUIRE_SIGSTORE};
	int r = 0;

	if ((path && data) || (path && !json_is_string(path)) || (data && !json_is_string(data)))
		return err_set(reterr, -EBADMSG,
			"image policy, scope '%s': %s and %s must be text, and one of them at most",
			scope, path_name, data_name);
	p->path = json_string_value(path);
	if (data)
		r = decode_key(&q, json_string_value(data), scope, reterr);
	p->pem = q.key_pem;
	return r;
}

static int parse_fulcio(struct oci_requirement *q, json_t *o, const char *scope, struct err *reterr)
{
	static const char *const allowed[] = {"caPath", "caData", "oidcIssuer", "subjectEmail"};

	if (!json_is_object(o))
		return bad(scope, "fulcio must be an object", reterr);
	int r = only_members(o, allowed, ARRAY_COUNT(allowed), scope, reterr);
	if (r == 0)
		r = parse_pem(&q->fulcio.ca, o, "caPath", "caData", scope, reterr);
	if (r < 0)
		return r;
	q->fulcio.issuer = json_string_value(json_object_get(o, "oidcIssuer"));
	q->fulcio.subject = json_string_value(json_object_get(o, "subjectEmail"));
	if (!q->fulcio.issuer || !q->fulcio.subject || (!q->fulcio.ca.path && !q->fulcio.ca.pem))
		return bad(scope, "fulcio needs an authority, oidcIssuer and subjectEmail", reterr);
	/* A certificate of minutes says nothing without the time that the log tells. */
	return q->rekor.path || q->rekor.pem
		       ? 0
		       : bad(scope, "fulcio needs the public key of Rekor", reterr);
}

static int parse_signed(struct oci_requirement *q, json_t *o, const char *scope, struct err *reterr)
{
	static const char *const sigstore[] = {"type", "keyPath", "keyData", "signedIdentity",
		"fulcio", "rekorPublicKeyPath", "rekorPublicKeyData"};
	static const char *const gpg[] = {
		"type", "keyPath", "keyData", "signedIdentity", "keyType", "keyPaths"};
	bool simple = q->type == OCI_REQUIRE_GPG;
	json_t *identity = json_object_get(o, "signedIdentity"),
	       *fulcio = json_object_get(o, "fulcio");
	json_t *path = json_object_get(o, "keyPath"), *data = json_object_get(o, "keyData");

	int r = only_members(o, simple ? gpg : sigstore,
		simple ? ARRAY_COUNT(gpg) : ARRAY_COUNT(sigstore), scope, reterr);
	/* The format's own default; what cosign needs is no issue here. */
	if (simple)
		q->identity.type = OCI_IDENTITY_REPO_DIGEST_OR_EXACT;
	if (r == 0 && identity)
		r = parse_identity(&q->identity, identity, scope, reterr);
	if (r == 0 && simple)
		r = parse_keyrings(q, o, scope, reterr);
	if (r == 0 && !simple)
		r = parse_pem(
			&q->rekor, o, "rekorPublicKeyPath", "rekorPublicKeyData", scope, reterr);
	if (r == 0 && fulcio)
		r = parse_fulcio(q, fulcio, scope, reterr);
	if (r < 0 || q->key_paths)
		return r;
	if ((path != NULL) + (data != NULL) + (fulcio != NULL) != 1)
		return bad(scope,
			simple ? "exactly one of keyPath, keyPaths and keyData must be given"
			       : "exactly one of keyPath, keyData and fulcio must be given",
			reterr);
	if (fulcio)
		return 0;
	if (path) {
		q->key_path = json_string_value(path);
		return q->key_path ? 0 : bad(scope, "keyPath must be text", reterr);
	}
	if (!json_is_string(data))
		return bad(scope, "keyData must be text", reterr);
	return decode_key(q, json_string_value(data), scope, reterr);
}

static int parse_requirement(
	struct oci_requirement *q, json_t *o, const char *scope, struct err *reterr)
{
	static const struct {
		const char *name;
		enum oci_requirement_type type;
	} types[] = {
		{"reject", OCI_REQUIRE_REJECT},
		{"insecureAcceptAnything", OCI_REQUIRE_NOTHING},
		{"sigstoreSigned", OCI_REQUIRE_SIGSTORE},
		{"signedBy", OCI_REQUIRE_GPG},
	};
	static const char *const only_type[] = {"type"};
	const char *type = json_string_value(json_object_get(o, "type"));

	for (size_t i = 0; type && i < ARRAY_COUNT(types); i++) {
		if (!streq(type, types[i].name))
			continue;
		q->type = types[i].type;
		if (q->type == OCI_REQUIRE_SIGSTORE || q->type == OCI_REQUIRE_GPG)
			return parse_signed(q, o, scope, reterr);
		return only_members(o, only_type, 1, scope, reterr);
	}
	return err_set(reterr, -EOPNOTSUPP, "image policy, scope '%s': unknown type '%s'", scope,
		type ? type : "");
}

static int parse_list(struct list *l, const char *scope, json_t *array, struct err *reterr)
{
	size_t count = json_array_size(array);

	l->scope = scope;
	if (!json_is_array(array))
		return bad(scope, "must be a list of requirements", reterr);
	if (count > OCI_POLICY_REQUIREMENT_MAX)
		return err_set(reterr, -E2BIG,
			"image policy, scope '%s': more than %u requirements", scope,
			OCI_POLICY_REQUIREMENT_MAX);
	l->items = calloc(count ? count : 1, sizeof(*l->items));
	if (!l->items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		l->count++;
		int r = parse_requirement(&l->items[i], json_array_get(array, i), scope, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_transports(struct oci_policy *p, json_t *transports, struct err *reterr)
{
	json_t *docker = json_object_get(transports, "docker"), *array;
	const char *scope;

	if (transports && !json_is_object(transports))
		return bad("", "transports must be an object", reterr);
	if (!docker)
		return 0;
	if (!json_is_object(docker))
		return bad("", "transports.docker must be an object", reterr);
	p->scopes = calloc(json_object_size(docker) + 1, sizeof(*p->scopes));
	if (!p->scopes)
		return -ENOMEM;
	json_object_foreach (docker, scope, array) {
		int r = parse_list(&p->scopes[p->scope_count++], scope, array, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

int oci_policy_parse(struct oci_policy **ret, struct slice json, struct err *reterr)
{
	static const char *const members[] = {"default", "transports"};
	cleanup(oci_policy_free) struct oci_policy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (json.size > OCI_POLICY_MAX)
		return err_set(reterr, -E2BIG, "image policy: over %u bytes", OCI_POLICY_MAX);
	int r = oci_json_parse(&p->doc, json, "image policy", reterr);
	if (r < 0)
		return r;
	if (!json_is_object(p->doc))
		return err_set(reterr, -EBADMSG, "image policy: not an object");
	r = only_members(p->doc, members, ARRAY_COUNT(members), "", reterr);
	if (r == 0)
		r = parse_list(&p->fallback, "default", json_object_get(p->doc, "default"), reterr);
	if (r == 0)
		r = parse_transports(p, json_object_get(p->doc, "transports"), reterr);
	if (r == 0)
		*ret = steal_ptr(p);
	return r;
}

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->items[i].key_pem);
		free(l->items[i].rekor.pem);
		free(l->items[i].fulcio.ca.pem);
	}
	free(l->items);
}

void oci_policy_free(struct oci_policy *p)
{
	if (!p)
		return;
	list_done(&p->fallback);
	for (size_t i = 0; i < p->scope_count; i++)
		list_done(&p->scopes[i]);
	free(p->scopes);
	json_decref(p->doc);
	free(p);
}

static const struct list *scope_named(const struct oci_policy *p, struct slice name)
{
	for (size_t i = 0; i < p->scope_count; i++)
		if (slice_eq_str(name, p->scopes[i].scope))
			return &p->scopes[i];
	return NULL;
}

static const struct list *scope_of(const struct oci_policy *p, const struct oci_ref *ref)
{
	char text[OCI_REF_TEXT_SIZE], digest[OCI_DIGEST_TEXT_SIZE];
	const struct list *l = NULL;

	/* The full reference: containers/image uses the digest when there is one, else the tag. */
	if (ref->digest.alg != OCI_DIGEST_NONE)
		snprintf(text, sizeof(text), "%s/%s@%s", ref->registry, ref->repository,
			oci_digest_text(&ref->digest, digest));
	else
		snprintf(text, sizeof(text), "%s/%s:%s", ref->registry, ref->repository, ref->tag);
	l = scope_named(p, slice_str(text));
	oci_ref_name(ref, text);
	for (size_t n = strlen(text); !l; n--) {
		if (text[n] == 0 || text[n] == '/')
			l = scope_named(p, slice_of(text, n));
		if (n == strlen(ref->registry))
			break;
	}
	/* "*.domain": the port plays no part. */
	struct slice host = slice_of(ref->registry, strcspn(ref->registry, ":"));
	for (size_t i = 0; !l && i < host.size; i++) {
		if (host.data[i] != '.')
			continue;
		snprintf(text, sizeof(text), "*%.*s", (int)(host.size - i),
			(const char *)host.data + i);
		l = scope_named(p, slice_str(text));
	}
	if (!l)
		l = scope_named(p, SLICE_EMPTY);
	return l ? l : &p->fallback;
}

int oci_policy_find(const struct oci_policy *p, const struct oci_ref *ref,
	const struct oci_requirement **ret, const char **ret_scope, struct err *reterr)
{
	const struct list *l = scope_of(p, ref);

	*ret_scope = l->scope;
	if (l->count == 0)
		return err_set(reterr, -EACCES,
			"image policy: scope '%s' has no requirements, which refuses every image",
			l->scope);
	*ret = l->items;
	return (int)l->count;
}

static bool same_repository(const struct oci_ref *a, const struct oci_ref *b)
{
	return streq(a->registry, b->registry) && streq(a->repository, b->repository);
}

static bool same_reference(const struct oci_ref *a, const struct oci_ref *b)
{
	return same_repository(a, b) && a->tag[0] && streq(a->tag, b->tag);
}

/* remapIdentity: the image's name with @prefix replaced; unchanged when the prefix is not there. */
static bool remap(const struct oci_identity *id, const struct oci_ref *ref, struct oci_ref *ret)
{
	char text[OCI_REF_TEXT_SIZE], mapped[2 * OCI_REF_TEXT_SIZE];
	size_t n = strlen(id->value);

	oci_ref_text(ref, text);
	char next = str_starts(text, id->value) ? text[n] : 'x';
	if (next != 0 && next != '/' && next != ':' && next != '@') {
		*ret = *ref;
		return true;
	}
	snprintf(mapped, sizeof(mapped), "%.780s%s", id->signed_prefix, text + n);
	return oci_ref_parse(ret, mapped, NULL) == 0;
}

/*
 * A signature's reference without a tag (what cosign writes) names the repository. It can stand for
 * a tag only where the policy asks for no more than the repository.
 */
bool oci_identity_matches(
	const struct oci_identity *id, const struct oci_ref *ref, const char *signed_ref)
{
	struct oci_ref sig, want = *ref;
	bool tagged;

	if (oci_ref_parse(&sig, signed_ref, NULL) < 0)
		return false;
	const char *slash = strrchr(signed_ref, '/');
	tagged = strchr(slash ? slash : signed_ref, ':') || strchr(signed_ref, '@');
	if (id->type == OCI_IDENTITY_REMAP && !remap(id, ref, &want))
		return false;
	switch (id->type) {
	case OCI_IDENTITY_REPOSITORY_OR_EXACT:
		if (!tagged || !ref->tag[0])
			return same_repository(&sig, ref);
		return same_reference(&sig, ref);
	case OCI_IDENTITY_EXACT:
		return tagged && ref->digest.alg == OCI_DIGEST_NONE && same_reference(&sig, ref);
	case OCI_IDENTITY_REMAP:
	case OCI_IDENTITY_REPO_DIGEST_OR_EXACT:
		if (want.digest.alg != OCI_DIGEST_NONE)
			return same_repository(&sig, &want);
		return tagged && same_reference(&sig, &want);
	case OCI_IDENTITY_REPOSITORY:
		return same_repository(&sig, ref);
	case OCI_IDENTITY_EXACT_REFERENCE:
		return oci_ref_parse(&want, id->value, NULL) == 0 && tagged &&
		       same_reference(&sig, &want);
	case OCI_IDENTITY_EXACT_REPOSITORY:
		return oci_ref_parse(&want, id->value, NULL) == 0 && same_repository(&sig, &want);
	}
	return false;
}
