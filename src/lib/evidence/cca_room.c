/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of Arm CCA realms: {"token": [bytes] | base64}. The initdata is in the personalization
 * value, which the host gives at the realm's creation and the RMM signs.
 */
#include "base/enc.h"
#include "evidence/cca.h"
#include "fmt/json.h"

static int take_token(const json_t *evidence, struct buf *out, struct err *reterr)
{
	return json_is_string(json_object_get(evidence, "token"))
		       ? json_get_b64(evidence, "token", out, reterr)
		       : json_get_bytes(evidence, "token", out->max, out, reterr);
}

static int put_b64(json_t *o, const char *name, struct slice value)
{
	return value.size > 0 ? json_set_b64(o, name, value, B64_STD) : 0;
}

static int put_text(json_t *o, const char *name, struct slice value)
{
	return value.size > 0 ? json_set_slice(o, name, value) : 0;
}

static json_t *component_claims(const struct cca_component *c)
{
	json_t *o = json_object();
	int r = put_text(o, "measurement-type", c->type);
	if (r == 0)
		r = put_b64(o, "measurement-value", c->measurement);
	if (r == 0)
		r = put_text(o, "version", c->version);
	if (r == 0)
		r = put_b64(o, "signer-id", c->signer_id);
	if (r == 0)
		r = put_text(o, "measurement-description", c->hash_alg);
	if (r == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int platform_claims(json_t *claims, const struct cca_platform *p)
{
	json_t *o = json_object(), *list = json_array();

	int r = json_set_take(claims, "platform", o);
	if (r == 0)
		r = json_set_take(o, "cca-platform-sw-components", list);
	else
		json_decref(list);
	for (size_t i = 0; r == 0 && i < p->component_count; i++)
		r = json_array_append_new(list, component_claims(&p->components[i])) < 0 ? -ENOMEM
											 : 0;
	if (r == 0)
		r = put_b64(o, "cca-platform-instance-id", p->instance_id);
	if (r == 0)
		r = put_b64(o, "cca-platform-implementation-id", p->implementation_id);
	if (r == 0)
		r = put_b64(o, "cca-platform-challenge", p->challenge);
	if (r == 0)
		r = put_b64(o, "cca-platform-config", p->config);
	if (r == 0)
		r = json_set_int(o, "cca-platform-lifecycle", (int64_t)p->lifecycle);
	if (r == 0)
		r = json_set_bool(o, "cca-platform-secured", cca_lifecycle_secured(p->lifecycle));
	if (r == 0)
		r = put_text(o, "cca-platform-profile", p->profile);
	if (r == 0)
		r = put_text(o, "cca-platform-hash-algo-id", p->hash_alg);
	if (r == 0)
		r = put_text(o, "cca-platform-service-indicator", p->service_indicator);
	return r;
}

static int realm_claims(json_t *claims, const struct cca_realm *t)
{
	json_t *o = json_object(), *list = json_array();
	cleanup_with(buf_done) struct buf text = buf_init(256);

	int r = json_set_take(claims, "realm", o);
	if (r == 0)
		r = json_set_take(o, "cca-realm-extensible-measurements", list);
	else
		json_decref(list);
	for (size_t i = 0; r == 0 && i < CCA_EXTENSIBLE_COUNT; i++) {
		buf_clear(&text);
		b64_encode(&text, t->extensible[i], B64_STD);
		r = json_array_append_new(list, json_string(buf_str(&text))) < 0 ? -ENOMEM : 0;
	}
	if (r == 0)
		r = put_b64(o, "cca-realm-challenge", t->challenge);
	if (r == 0)
		r = put_b64(o, "cca-realm-personalization-value", t->personalization);
	if (r == 0)
		r = put_b64(o, "cca-realm-initial-measurement", t->initial_measurement);
	if (r == 0)
		r = put_text(o, "cca-realm-hash-algo-id", t->hash_alg);
	if (r == 0)
		r = put_b64(o, "cca-realm-public-key", t->public_key);
	if (r == 0)
		r = put_text(o, "cca-realm-public-key-hash-algo-id", t->public_key_hash_alg);
	return r == 0 ? put_text(o, "cca-realm-profile", t->profile) : r;
}

int evidence_cca_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(buf_done) struct buf token = buf_init(CCA_TOKEN_MAX);
	struct err e = {0};
	struct cca t = {0};

	int r = take_token(request->evidence, &token, &e);
	r = check_errno(result, "evidence", r, &e);
	if (r == 0)
		r = cca_verify(request, buf_slice(&token), result, &t);
	if (r == 0)
		r = check_bindings(request, t.realm.challenge,
			"the realm's personalization value does not hold this initdata",
			t.realm.personalization, result);
	if (r < 0)
		return r;
	json_t *c = result->claims = json_object();
	r = realm_claims(c, &t.realm);
	if (r == 0)
		r = platform_claims(c, &t.platform);
	if (r == 0)
		r = json_set_hex(c, "report_data", t.realm.challenge);
	return r == 0 ? json_set_hex(c, "init_data", t.realm.personalization) : r;
}
