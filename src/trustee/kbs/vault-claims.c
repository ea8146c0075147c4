/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What policies were asked about, kept with the verdict: an admin can look at it, and other policies can
 * be tried on it. It is what tokens say in the clear, so it holds no secret; tokens themselves are not
 * kept, only their claims, which nobody has signed.
 *
 *   of an attestation {"pieces": [{"name", "class", "tee", "policy", "status", "vector", "input", ..}]}
 *   of a request to a plugin, as resources {"token": claims, "data": {"plugin", "resource-path", "query"}}
 *
 * and "cut": [{"path", "bytes"}] where something was left out: raw evidence of devices always, of the
 * rest what is largest, while all of it is larger than CLAIMS_MAX.
 */
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/as/ear.h"
#include "trustee/kbs/vault-internal.h"

#define CLAIMS_MAX ((size_t)256 << 10)
#define CUTS_MAX 32
#define CUT_DEPTH_MAX 8
#define PATH_MAX_ 512
#define EVIDENCE_MEMBER "ear.veraison.annotated-evidence"

static size_t size_of(const json_t *value)
{
	return json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void note_cut(json_t *doc, const char *path, size_t bytes)
{
	json_t *list = json_object_get(doc, "cut");

	if (!list) {
		list = json_array();
		json_object_set_new(doc, "cut", list);
	}
	json_array_append_new(
		list, json_pack("{s:s, s:I}", "path", path, "bytes", (json_int_t)bytes));
}

static void path_add(char *path, size_t size, const char *name)
{
	size_t n = strlen(path);

	snprintf(path + n, size - n, "/%s", name);
}

/* The largest member of an object; its key is borrowed. */
static json_t *largest_member(json_t *object, const char **ret_key, size_t *ret_size)
{
	json_t *best = NULL, *value;
	const char *key;

	*ret_size = 0;
	json_object_foreach (object, key, value) {
		size_t n = size_of(value);

		if (n > *ret_size && !streq(key, "cut")) {
			*ret_size = n;
			*ret_key = key;
			best = value;
		}
	}
	return best;
}

/* The largest of several pieces stays: what is in it is cut. */
static json_t *largest_item(json_t *array, size_t *ret_index)
{
	json_t *best = NULL, *value;
	size_t i, largest = 0;

	*ret_index = 0;
	json_array_foreach (array, i, value) {
		size_t n = size_of(value);

		if (n > largest) {
			largest = n;
			*ret_index = i;
			best = value;
		}
	}
	return best;
}

/* Takes out what is largest, as far down as one member is most of it. Return: whether there was any. */
static bool cut_largest(json_t *doc)
{
	char path[PATH_MAX_] = "", number[24];
	json_t *owner = NULL, *at = doc, *next;
	const char *name = NULL, *key = NULL;
	size_t index, size = 0, below = 0;

	for (int depth = 0; depth < CUT_DEPTH_MAX; depth++) {
		if (depth == 1 && json_is_array(at)) {
			at = largest_item(at, &index);
			snprintf(number, sizeof(number), "%zu", index);
			path_add(path, sizeof(path), number);
		}
		next = json_is_object(at) ? largest_member(at, &key, &below) : NULL;
		/* Many small ones: all of them go, but not a whole piece or token. */
		if (!next || (depth > 3 && below * 4 < size))
			break;
		path_add(path, sizeof(path), key);
		owner = at;
		at = next;
		name = key;
		size = below;
	}
	if (!owner || !name)
		return false;
	note_cut(doc, path, size);
	return json_object_del(owner, name) == 0;
}

/* As text of at most CLAIMS_MAX. */
static char *bounded(json_t *doc)
{
	cleanup(json_decref) json_t *copy = NULL;
	char *text = json_dumps(doc, JSON_COMPACT);
	size_t size = text ? strlen(text) : 0;

	if (!text || size <= CLAIMS_MAX)
		return text;
	free(text);
	copy = json_deep_copy(doc);
	for (int i = 0; copy && i < CUTS_MAX && size_of(copy) > CLAIMS_MAX; i++) {
		if (!cut_largest(copy))
			break;
	}
	if (copy && size_of(copy) > CLAIMS_MAX) {
		json_object_clear(copy);
		note_cut(copy, "/", size);
	}
	return copy ? json_dumps(copy, JSON_COMPACT) : NULL;
}

/* The input without raw evidence, which is large and which no policy can read. New reference. */
static json_t *without_devices(json_t *doc, json_t *input, const char *name)
{
	json_t *runtime = json_object_get(input, "runtime_data_claims");
	const json_t *raw = json_object_get(runtime, "additional-evidence");
	char path[PATH_MAX_] = "";
	json_t *copy;

	if (!json_is_string(raw))
		return json_incref(input);
	if (json_string_length(raw) > 0) {
		path_add(path, sizeof(path), name);
		path_add(path, sizeof(path), "runtime_data_claims/additional-evidence");
		note_cut(doc, path, json_string_length(raw));
	}
	copy = json_copy(input);
	runtime = json_copy(runtime);
	json_object_del(runtime, "additional-evidence");
	json_object_set_new(copy, "runtime_data_claims", runtime);
	return copy;
}

static int add_piece(json_t *doc, json_t *list, const json_t *piece, const json_t *submods)
{
	const char *name = wire_str(piece, "name");
	json_t *input = json_object_get(piece, "input");
	json_t *copy = json_copy((json_t *)(uintptr_t)piece);

	if (!input)
		input = json_object_get(json_object_get(submods, name), EVIDENCE_MEMBER);
	if (input && json_object_set_new(copy, "input", without_devices(doc, input, name)) < 0) {
		json_decref(copy);
		return -ENOMEM;
	}
	return json_array_append_new(list, copy) < 0 ? -ENOMEM : 0;
}

static json_t *of_attestation(const struct call *c, const json_t *result)
{
	const json_t *pieces = json_object_get(result, "pieces"), *piece;
	json_t *doc, *list;
	size_t i;
	int r = 0;

	if (json_array_size(pieces) == 0 && c->evidence.size == 0 && buf_error(&c->evidence) == 0)
		return NULL;
	list = json_array();
	doc = json_pack("{s:o}", "pieces", list);
	json_array_foreach (pieces, i, piece) {
		if (doc && r == 0)
			r = add_piece(doc, list, piece, json_object_get(result, "submods"));
	}
	if (doc && buf_error(&c->evidence) < 0)
		note_cut(doc, "evidence", 0);
	if (r < 0) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}

char *claims_text(const struct call *c, const json_t *result)
{
	cleanup(json_decref) json_t *doc = NULL;
	json_t *query = NULL;

	if (!c->claims)
		doc = of_attestation(c, result);
	else if (kbs_query_map(c->target.query, &query) == 0)
		doc = json_pack("{s:O, s:o}", "token", c->claims, "data",
			vault_policy_data(c->target.plugin_id, c->target.tail, query));
	return doc ? bounded(doc) : NULL;
}

static int add_submod(json_t *submods, const json_t *piece)
{
	const json_t *vector = json_object_get(piece, "vector");
	const char *status = json_string_value(json_object_get(piece, "status"));
	int tier = EAR_CONTRAINDICATED;
	json_t *submod = NULL;

	if (!status || !vector)
		return -ENOENT;
	while (tier > EAR_NONE && !streq(ear_tier_name((enum ear_tier)tier), status))
		tier--;
	int r = ear_submod(vector, (enum ear_tier)tier, json_object_get(piece, "extensions"),
		json_object_get(piece, "input"), true, &submod, NULL);
	if (r < 0)
		return r;
	return json_object_set_new(submods, wire_str(piece, "name"), submod) < 0 ? -ENOMEM : 0;
}

json_t *claims_to_token(const struct call *c, const json_t *kept, const char *id)
{
	const struct kbs_config *k = c->vault->config;
	const struct ear_issuer issuer = {k->broker.issuer_name, k->broker.developer_name,
		k->broker.build_name, k->broker.profile_name, (int64_t)k->broker.duration_min * 60};
	cleanup(json_decref) json_t *submods = json_object();
	const json_t *pieces = json_object_get(kept, "pieces"), *piece;
	json_t *claims = NULL;
	size_t i;
	int r = json_array_size(pieces) > 0 ? 0 : -ENOENT;

	json_array_foreach (pieces, i, piece) {
		if (r == 0)
			r = add_submod(submods, piece);
	}
	if (r == 0)
		r = ear_claims(&issuer, vault_now(c->vault), submods, &claims);
	if (r < 0)
		return NULL;
	json_object_set_new(claims, "jti", json_string(id));
	if (c->target.tenant[0])
		json_object_set_new(claims, CLAIM_TENANT, json_string(c->target.tenant));
	return claims;
}
