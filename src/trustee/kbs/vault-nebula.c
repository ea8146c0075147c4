/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin nebula-ca: certificates for nodes of a Nebula overlay network. The CA's key is made here and kept
 * in the store; it never leaves the vault. Each node gets a fresh key pair, which is not kept. Which
 * guest may have which name, address and groups is up to the resource policy, which sees the query.
 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/raw_keys.h"
#include "fmt/json.h"
#include "fmt/nebula.h"
#include "trustee/kbs/vault-internal.h"

#define CA_ITEM "ca"
#define CA_SEED_SIZE RAW_KEY_SIZE
#define PEM_MAX ((size_t)16 << 10)
#define PARAMETER_MAX 1024

/**
 * struct ca - the authority, as the store has it
 * @certificate: its bytes
 * @seed: of its Ed25519 key, or the scalar of its P-256 key
 * @fingerprint: of its certificate; what it signs names it
 * @details: bounds for those it signs; from the configuration as of when it was made, kept beside it
 */
struct ca {
	struct nebula_details details;
	struct buf certificate;
	uint8_t seed[CA_SEED_SIZE];
	struct digest fingerprint;
	json_t *bounds; /* owned; the strings of @details */
};

static void ca_done(struct ca *a)
{
	explicit_bzero(a->seed, sizeof(a->seed));
	buf_done(&a->certificate);
	json_decref(a->bounds);
}

static struct slice member(const json_t *o, const char *name)
{
	return slice_str(wire_str(o, name));
}

/*
 * name, curve, groups, ips and subnets as text; not_before, not_after and version as numbers. Authorities of
 * before there was a choice have no curve and no version.
 */
static int read_bounds(const json_t *bounds, struct nebula_details *ret, struct err *reterr)
{
	const char *curve = wire_str(bounds, "curve");
	int r;

	*ret = (struct nebula_details){.is_ca = true,
		.version = json_object_get(bounds, "version")
				   ? (unsigned)wire_int(bounds, "version")
				   : 1,
		.name = member(bounds, "name"),
		.not_before = wire_int(bounds, "not_before"),
		.not_after = wire_int(bounds, "not_after")};
	r = nebula_curve_parse(*curve ? curve : "25519", &ret->curve);
	if (r == 0)
		r = nebula_groups_parse(
			member(bounds, "groups"), ret->groups, &ret->group_count, reterr);
	if (r == 0)
		r = nebula_nets_parse(
			member(bounds, "ips"), false, ret->ips, &ret->ip_count, reterr);
	if (r == 0)
		r = nebula_nets_parse(
			member(bounds, "subnets"), true, ret->subnets, &ret->subnet_count, reterr);
	return r;
}

static int sign(const struct nebula_details *d, const uint8_t seed[CA_SEED_SIZE], struct buf *out)
{
	cleanup_with(buf_done) struct buf text = buf_init(PEM_MAX);
	uint8_t signature[RAW_SIGNATURE_SIZE];
	int r = nebula_put_signed(&text, d);

	if (r == 0 && d->curve == NEBULA_P256)
		return raw_p256_sign(seed, buf_slice(&text), out);
	if (r == 0)
		r = raw_ed25519_sign(seed, buf_slice(&text), signature);
	if (r == 0)
		buf_put(out, signature, sizeof(signature));
	return r < 0 ? r : buf_error(out);
}

/* @fingerprint: NULL when nobody asks */
static int make_certificate(const struct nebula_details *d, const uint8_t seed[CA_SEED_SIZE],
	struct buf *out, struct digest *fingerprint, struct err *reterr)
{
	cleanup_with(buf_done) struct buf signature = buf_init(128), identity = buf_init(PEM_MAX);
	int r = nebula_check(d, reterr);

	if (r == 0)
		r = sign(d, seed, &signature);
	if (r == 0)
		r = nebula_put_certificate(out, d, buf_slice(&signature));
	if (r == 0 && fingerprint)
		r = nebula_put_identity(&identity, d, buf_slice(&signature));
	if (r == 0 && fingerprint)
		r = hash_once(HASH_SHA256, buf_slice(&identity), fingerprint);
	return r;
}

static int make_pair(enum nebula_curve curve, bool signs, uint8_t private[RAW_KEY_SIZE],
	uint8_t public[NEBULA_POINT_SIZE])
{
	return curve == NEBULA_P256 ? raw_p256_generate(private, public)
	       : signs		    ? raw_ed25519_generate(private, public)
				    : raw_x25519_generate(private, public);
}

static const char *certificate_kind(const struct ca *ca)
{
	return ca->details.version == 2 ? "NEBULA CERTIFICATE V2" : "NEBULA CERTIFICATE";
}

/* --- the authority --- */

/* {"bounds", "seed", "certificate", "fingerprint"} is what the store has; the last one only since version 2. */
static int read_ca(struct slice item, struct ca *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf seed = buf_init_secret(CA_SEED_SIZE);
	cleanup_with(buf_done) struct buf fingerprint = buf_init(HASH_SIZE_MAX);
	json_t *root = NULL;
	int r = json_parse(item, STORE_ITEM_MAX, &root, reterr);

	if (r == 0)
		r = json_get_b64(root, "seed", &seed, reterr);
	if (r == 0)
		r = json_get_b64(root, "certificate", &ret->certificate, reterr);
	if (r == 0 && json_object_get(root, "fingerprint"))
		r = json_get_b64(root, "fingerprint", &fingerprint, reterr);
	if (r == 0 && seed.size != CA_SEED_SIZE)
		r = -EBADMSG;
	if (r == 0 && fingerprint.size == 0)
		r = hash_once(HASH_SHA256, buf_slice(&ret->certificate), &ret->fingerprint);
	else if (r == 0 && fingerprint.size != NEBULA_ISSUER_SIZE)
		r = -EBADMSG;
	else if (r == 0)
		memcpy(ret->fingerprint.bytes, fingerprint.data, NEBULA_ISSUER_SIZE);
	if (r == 0) {
		memcpy(ret->seed, seed.data, CA_SEED_SIZE);
		ret->bounds = json_incref(json_object_get(root, "bounds"));
		r = read_bounds(ret->bounds, &ret->details, reterr);
	}
	json_decref(root);
	return r;
}

static json_t *new_bounds(const struct call *c, struct err *reterr)
{
	const struct kbs_config *k = c->vault->config;
	int64_t now = vault_now(c->vault), life = 0;

	if (nebula_duration_parse(slice_str(k->nebula.duration), &life, reterr) < 0)
		return NULL;
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:I}", "curve", k->nebula.curve,
		"version", (json_int_t)k->nebula.version, "name", k->nebula.ca_name, "groups",
		k->nebula.groups ? k->nebula.groups : "", "ips", k->nebula.ips ? k->nebula.ips : "",
		"subnets", k->nebula.subnets ? k->nebula.subnets : "", "not_before",
		(json_int_t)now, "not_after", (json_int_t)now + (json_int_t)life);
}

static int make_ca(struct call *c, struct err *reterr)
{
	cleanup_with(ca_done) struct ca a = {.certificate = buf_init(PEM_MAX)};
	cleanup_with(buf_done) struct buf text = buf_init_secret(STORE_ITEM_MAX);
	cleanup(json_decref) json_t *item = json_object();
	struct store_change by = vault_change(c);
	int r;

	a.bounds = new_bounds(c, reterr);
	r = a.bounds ? read_bounds(a.bounds, &a.details, reterr) : -EINVAL;
	if (r == 0)
		r = make_pair(a.details.curve, true, a.seed, a.details.public_key);
	if (r == 0)
		r = make_certificate(&a.details, a.seed, &a.certificate, &a.fingerprint, reterr);
	if (r == 0)
		r = json_set_take(item, "bounds", json_incref(a.bounds));
	if (r == 0)
		r = json_set_b64(item, "seed", slice_of(a.seed, sizeof(a.seed)), B64_STD);
	if (r == 0)
		r = json_set_b64(item, "certificate", buf_slice(&a.certificate), B64_STD);
	if (r == 0)
		r = json_set_b64(item, "fingerprint", digest_slice(&a.fingerprint), B64_STD);
	if (r == 0)
		r = json_write(item, &text);
	if (r == 0)
		r = store_item_add(c->vault->store, &by, kbs_plugin_name(PLUGIN_NEBULA_CA), CA_ITEM,
			buf_slice(&text), "nebula-ca.create", reterr);
	/* Another replica was first. */
	return r == -EEXIST ? 0 : r;
}

static int load_ca(struct call *c, struct ca *ret, struct err *reterr)
{
	cleanup_with(secret_done) struct secret item = {0};
	const char *tenant = c->target.tenant, *plugin = kbs_plugin_name(PLUGIN_NEBULA_CA);
	struct store *s = c->vault->store;
	int r = store_item_get(s, tenant, plugin, CA_ITEM, &item, NULL);

	if (r == -ENOENT) {
		r = make_ca(c, reterr);
		if (r == 0)
			r = store_item_get(s, tenant, plugin, CA_ITEM, &item, reterr);
	}
	return r == 0 ? read_ca(secret_slice(&item), ret, reterr) : r;
}

/* --- credentials --- */

struct request {
	char name[PARAMETER_MAX], ip[PARAMETER_MAX], duration[PARAMETER_MAX], groups[PARAMETER_MAX],
		subnets[PARAMETER_MAX];
};

static int read_request(const char *query, struct request *ret, struct err *reterr)
{
	const struct {
		const char *name;
		char *dst;
		bool needed;
	} known[] = {
		{"name", ret->name, true},
		{"ip", ret->ip, true},
		{"duration", ret->duration, false},
		{"groups", ret->groups, false},
		{"subnets", ret->subnets, false},
	};

	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		int r = kbs_query_get(query, known[i].name, known[i].dst, PARAMETER_MAX);

		if (r == -ENOENT && !known[i].needed)
			continue;
		if (r < 0 || !known[i].dst[0])
			return err_set(reterr, r < 0 ? r : -EINVAL,
				"the parameter %s is missing or wrong", known[i].name);
	}
	return 0;
}

static int make_details(const struct call *c, const struct ca *ca, const struct request *q,
	struct nebula_details *ret, struct err *reterr)
{
	int64_t life = 0;
	int r;

	/* One second before the CA's end, as nebula-cert does. */
	*ret = (struct nebula_details){.version = ca->details.version,
		.curve = ca->details.curve,
		.name = slice_str(q->name),
		.not_before = vault_now(c->vault),
		.not_after = ca->details.not_after - 1};
	if (ret->not_before >= ret->not_after)
		return err_set(reterr, -EACCES, "the CA has expired: an admin must remove it");
	r = nebula_nets_parse(slice_str(q->ip), false, ret->ips, &ret->ip_count, reterr);
	if (r == 0)
		r = nebula_groups_parse(
			slice_str(q->groups), ret->groups, &ret->group_count, reterr);
	if (r == 0)
		r = nebula_nets_parse(
			slice_str(q->subnets), true, ret->subnets, &ret->subnet_count, reterr);
	if (r == 0 && q->duration[0])
		r = nebula_duration_parse(slice_str(q->duration), &life, reterr);
	if (r == 0 && life)
		ret->not_after = ret->not_before + life;
	if (r == 0)
		r = nebula_check(ret, reterr);
	return r < 0 ? r : nebula_allowed(&ca->details, ret, reterr);
}

/* Upstream's shape: the bytes of each PEM text as an array of numbers. */
static int put_array(json_t *o, const char *name, struct slice bytes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < bytes.size; i++) {
		if (json_array_append_new(list, json_integer(bytes.data[i])) < 0) {
			json_decref(list);
			return -ENOMEM;
		}
	}
	return json_set_take(o, name, list);
}

static int put_pem(json_t *o, const char *name, const char *kind, struct slice bytes)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(PEM_MAX);

	nebula_put_pem(&pem, kind, bytes);
	return buf_error(&pem) < 0 ? buf_error(&pem) : put_array(o, name, buf_slice(&pem));
}

static int make_credential(
	struct call *c, const struct request *q, struct buf *out, struct err *reterr)
{
	cleanup_with(ca_done) struct ca ca = {.certificate = buf_init(PEM_MAX)};
	cleanup_with(buf_done) struct buf certificate = buf_init(PEM_MAX);
	cleanup(json_decref) json_t *o = json_object();
	struct nebula_details d = {0};
	uint8_t private[RAW_KEY_SIZE];
	int r = load_ca(c, &ca, reterr);

	if (r == 0)
		r = make_details(c, &ca, q, &d, reterr);
	if (r == 0)
		r = make_pair(d.curve, false, private, d.public_key);
	if (r < 0)
		return r;
	memcpy(d.issuer, ca.fingerprint.bytes, sizeof(d.issuer));
	r = make_certificate(&d, ca.seed, &certificate, NULL, reterr);
	if (r == 0)
		r = put_pem(o, "node_crt", certificate_kind(&ca), buf_slice(&certificate));
	if (r == 0)
		r = put_pem(o, "node_key",
			d.curve == NEBULA_P256 ? "NEBULA P256 PRIVATE KEY"
					       : "NEBULA X25519 PRIVATE KEY",
			slice_of(private, sizeof(private)));
	if (r == 0)
		r = put_pem(o, "ca_crt", certificate_kind(&ca), buf_slice(&ca.certificate));
	explicit_bzero(private, sizeof(private));
	return r < 0 ? r : json_write(o, out);
}

void vault_nebula_release(struct call *c, struct slice body)
{
	cleanup_with(buf_done) struct buf plain = buf_init_secret(STORE_ITEM_MAX * 8);
	struct request q = {0};
	char detail[40];
	struct err e = {0};
	int r = read_request(c->target.query, &q, &e);

	if (r == 0)
		r = make_credential(c, &q, &plain, &e);
	if (store_is_away(r)) {
		call_unavailable(c, r, &e);
		return;
	}
	if (r < 0) {
		vault_plugin_fail(c, err_text(&e, r));
		return;
	}
	snprintf(detail, sizeof(detail), "ip %.32s", q.ip);
	vault_plugin_deliver(c, buf_slice(&plain), PLUGIN_SEALED, detail);
}

/* GET: the CA's certificate, for nodes that are no guests; DELETE: the next request makes another. */
void vault_nebula_admin(struct call *c, struct slice body)
{
	cleanup_with(ca_done) struct ca ca = {.certificate = buf_init(PEM_MAX)};
	struct store_change by = vault_change(c);
	struct err e = {0};
	int r;

	c->reply.type = REPLY_XML;
	if (streq(c->target.method, "DELETE"))
		r = store_item_delete(c->vault->store, &by, kbs_plugin_name(PLUGIN_NEBULA_CA),
			CA_ITEM, "nebula-ca.delete", &e);
	else
		r = load_ca(c, &ca, &e);
	if (store_is_away(r)) {
		call_unavailable(c, r, &e);
		return;
	}
	if (r < 0) {
		vault_plugin_fail(c, err_text(&e, r));
		return;
	}
	if (ca.certificate.size)
		nebula_put_pem(&c->reply.body, certificate_kind(&ca), buf_slice(&ca.certificate));
	call_answer(c);
}
