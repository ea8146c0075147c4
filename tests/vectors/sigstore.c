/* SPDX-License-Identifier: Apache-2.0 */
/* Sigstore's conformance set, one bundle a line. */
#include "oci/sigstore.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "vectors.h"

#define IDENTITY                                                                                  \
	"https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/" \
	"workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
#define ISSUER "https://token.actions.githubusercontent.com"

static const char *text_of(const json_t *item, const char *name)
{
	return json_string_value(json_object_get(item, name));
}

/* Appends a member's JSON, or the bytes of its _base64 twin. Return: it was there. */
static bool put_document(const json_t *item, const char *name, struct buf *out)
{
	char other[64];
	const json_t *o = json_object_get(item, name);

	snprintf(other, sizeof(other), "%s_base64", name);
	if (o)
		return json_write(o, out) == 0;
	return text_of(item, other) &&
	       b64_decode(out, slice_str(text_of(item, other)), B64_STD) == 0;
}

/* Members that were files may end with a newline. */
static char *trimmed(const json_t *item, const char *name, const char *otherwise)
{
	const char *text = text_of(item, name);
	return strndup(text ? text : otherwise, strcspn(text ? text : otherwise, "\r\n"));
}

static int run_item(const json_t *item, struct slice artifact, struct err *why)
{
	cleanup_with(buf_done) struct buf bundle = buf_init(0), root_json = buf_init(0);
	cleanup(sigstore_root_free) struct sigstore_root *root = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(free_ptr) char *subject = trimmed(item, "identity", IDENTITY);
	cleanup(free_ptr) char *issuer = trimmed(item, "issuer", ISSUER);
	const struct fulcio_identity who = {subject, issuer};
	const char *own = text_of(item, "artifact"), *pem = text_of(item, "key.pub");

	if (!put_document(item, "trusted_root.json", &root_json))
		buf_put_slice(&root_json, sigstore_public_good());
	int r = sigstore_root_parse(buf_slice(&root_json), &root, why);
	if (r == 0 && pem)
		r = pkey_from_pem(slice_str(pem), &key, why);
	if (r == 0 && !put_document(item, "bundle.sigstore.json", &bundle))
		r = err_set(why, -EBADMSG, "there is no bundle");
	const struct sigstore_policy policy = {root, &who, key};
	return r == 0 ? sigstore_verify(buf_slice(&bundle), own ? slice_str(own) : artifact,
				&policy, clock_unix_s(), why)
		      : r;
}

int vector_sigstore(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), artifact = buf_init(0);
	unsigned count = 0;

	if (vector_read(v, vector_file(v, "cases"), &text) < 0 ||
		vector_read(v, vector_file(v, "default_artifact"), &artifact) < 0)
		return -1;
	for (struct slice rest = buf_slice(&text); rest.size > 0;) {
		const uint8_t *end = memchr(rest.data, '\n', rest.size);
		struct slice line = slice_cut(rest, 0, end ? (size_t)(end - rest.data) : rest.size);
		cleanup(json_decref) json_t *item = NULL;
		struct err why = {0};
		rest = slice_cut(rest, line.size + 1, SIZE_MAX);
		if (line.size == 0)
			continue;
		if (json_parse(line, 0, &item, NULL) < 0)
			return vector_fail(v, "line %u is no JSON", count + 1);
		bool good = run_item(item, buf_slice(&artifact), &why) == 0;
		if (good != json_is_true(json_object_get(item, "accept")))
			vector_fail(v, "%s: %s", text_of(item, "name"),
				good ? "was accepted" : why.text);
		count++;
	}
	if (v->why[0])
		return -1;
	return count > 0 ? 0 : vector_fail(v, "an empty pack");
}
