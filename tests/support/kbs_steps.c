/* SPDX-License-Identifier: Apache-2.0 */
#include "support/kbs_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "fmt/json.h"

#define SECRET_PATH "/kbs/v0/resource/default/key/1"

void kbs_admin_post(const struct kbs_server *s, const char *path, const char *body, int want)
{
	struct kbs_client c;

	assert_int_equal(kbs_server_client(s, true, &c), 0);
	assert_int_equal(kbs_client_request(&c, "POST", path, slice_str(body)), 0);
	if (c.status != want)
		fail_msg("%s: %d %s", path, c.status, buf_str(&c.answer));
	kbs_client_done(&c);
}

json_t *kbs_admin_get(const struct kbs_server *s, const char *path)
{
	struct kbs_client c;
	json_t *answer;

	assert_int_equal(kbs_server_client(s, true, &c), 0);
	assert_int_equal(kbs_client_request(&c, "GET", path, SLICE_EMPTY), 0);
	if (c.status != 200)
		fail_msg("%s: %d %s", path, c.status, buf_str(&c.answer));
	answer = kbs_client_json(&c);
	assert_non_null(answer);
	kbs_client_done(&c);
	return answer;
}

void kbs_admin_policy(const struct kbs_server *s, const char *id, struct slice text, int want)
{
	cleanup_with(buf_done) struct buf body = buf_init(0);

	buf_put_str(&body, "{\"policy_id\":\"");
	buf_put_str(&body, id ? id : "");
	buf_put_str(&body, "\",\"policy\":\"");
	b64_encode(&body, text, B64_URL);
	buf_put_str(&body, "\"}");
	kbs_admin_post(s, id ? "/kbs/v0/attestation-policy" : "/kbs/v0/resource-policy",
		buf_str(&body), want);
}

void kbs_admin_reference(const struct kbs_server *s, const char *text)
{
	cleanup_with(buf_done) struct buf body = buf_init(0);

	buf_put_str(&body, "{\"version\":\"0.1.0\",\"type\":\"sample\",\"payload\":\"");
	b64_encode(&body, slice_str(text), B64_STD);
	buf_put_str(&body, "\"}");
	kbs_admin_post(s, "/kbs/v0/reference-value", buf_str(&body), 200);
}

void kbs_admin_references(const struct kbs_server *s, json_t *values)
{
	cleanup(free_ptr) char *text = json_dumps(values, 0);

	json_decref(values);
	assert_non_null(text);
	kbs_admin_reference(s, text);
}

void kbs_admin_secret(const struct kbs_server *s, const char *secret)
{
	kbs_admin_post(s, SECRET_PATH, secret, 200);
}

void kbs_admin_tpm(const struct kbs_server *s, struct swtpm *t, uint32_t ak_handle)
{
	static const unsigned pcrs[] = {0, 8, 9};
	cleanup(free_ptr) char *ak = swtpm_ak_public(t, ak_handle);
	cleanup_with(buf_done) struct buf text = buf_init(0);

	buf_printf(&text, "{\"trusted_aks\":[\"%s\"]", ak);
	for (size_t i = 0; i < ARRAY_COUNT(pcrs); i++) {
		uint8_t value[64];

		assert_int_equal(tpm_pcr_read(&t->tpm, TPM_ALG_SHA256, pcrs[i], value, NULL), 0);
		buf_printf(&text, ",\"tpm_pcr%02u\":[\"", pcrs[i]);
		hex_encode(&text, slice_of(value, 32));
		buf_put_str(&text, "\"]");
	}
	buf_put_str(&text, "}");
	kbs_admin_reference(s, buf_str(&text));
}

int kbs_guest_new(struct kbs_guest *g, enum key_type type)
{
	*g = (struct kbs_guest){0};
	int r = pkey_generate(type, type == KEY_RSA ? 2048 : 0, &g->key);
	if (r == 0)
		g->tee_key = kbs_tee_key(g->key);
	return r == 0 && !g->tee_key ? -ENOMEM : r;
}

void kbs_guest_done(struct kbs_guest *g)
{
	pkey_free(g->key);
	json_decref(g->tee_key);
	*g = (struct kbs_guest){0};
}

void kbs_guest_begin(const struct kbs_guest *g, struct kbs_client *c, const char *tee,
	char nonce[64], uint8_t binding[48])
{
	assert_int_equal(kbs_client_auth(c, tee, nonce), 0);
	assert_int_equal(kbs_binding(nonce, g->tee_key, "", binding), 0);
}

void kbs_guest_send(const struct kbs_guest *g, struct kbs_client *c, const char *nonce,
	json_t *evidence, const char *init_data)
{
	cleanup(free_ptr) char *message = kbs_attestation(nonce, g->tee_key, evidence, init_data);

	assert_non_null(message);
	assert_int_equal(kbs_client_request(c, "POST", "/kbs/v0/attest", slice_str(message)), 0);
}

int kbs_guest_read(const struct kbs_guest *g, struct kbs_client *c, const char *secret)
{
	cleanup_with(secret_done) struct secret plain = {0};
	cleanup(json_decref) json_t *jwe = NULL;
	struct err e = {0};

	assert_int_equal(kbs_client_request(c, "GET", SECRET_PATH, SLICE_EMPTY), 0);
	if (c->status != 200)
		return c->status;
	jwe = kbs_client_json(c);
	if (jwe_decrypt(g->key, jwe, &plain, &e) < 0)
		fail_msg("%s: %s", e.text, buf_str(&c->answer));
	assert_true(slice_eq_str(secret_slice(&plain), secret));
	return c->status;
}

json_t *kbs_why(const struct kbs_server *s, const struct kbs_client *c)
{
	const char *at = strstr(buf_str(&c->answer), "(id ");
	char path[96];

	if (!at)
		fail_msg("no id in: %s", buf_str(&c->answer));
	snprintf(path, sizeof(path), "/kbs/v0/admin/why/%.32s", at + 4);
	return kbs_admin_get(s, path);
}

void kbs_assert_why(const struct kbs_server *s, const struct kbs_client *c, const char *stage,
	const char *reason_part)
{
	json_t *record = kbs_why(s, c);
	const char *reason = json_string_value(json_object_get(record, "reason"));

	assert_string_equal(json_string_value(json_object_get(record, "stage")), stage);
	if (!reason || !strstr(reason, reason_part))
		fail_msg("reason is: %s", reason);
	json_decref(record);
}

void kbs_assert_error(const struct kbs_client *c, int status, const char *variant)
{
	if (c->status != status || !strstr(buf_str(&c->answer), variant))
		fail_msg("%d %s", c->status, buf_str(&c->answer));
}

json_t *kbs_token_claims(const struct kbs_client *c)
{
	cleanup_with(jws_done) struct jws jws = {0};
	json_t *answer = kbs_client_json(c);
	const char *token = json_string_value(json_object_get(answer, "token"));
	json_t *claims;

	if (c->status != 200 || !token)
		fail_msg("%d %s", c->status, buf_str(&c->answer));
	assert_int_equal(jws_parse(slice_str(token), &jws, NULL), 0);
	assert_non_null(json_object_get(jws.header, "jwk"));
	claims = json_loadb((const char *)jws.payload.data, jws.payload.size, 0, NULL);
	assert_non_null(claims);
	json_decref(answer);
	return claims;
}

void kbs_assert_status(const struct kbs_client *c, const char *want)
{
	json_t *claims = kbs_token_claims(c);
	const json_t *cpu = json_object_get(json_object_get(claims, "submods"), "cpu0");

	if (!streq_null(json_string_value(json_object_get(cpu, "ear.status")), want)) {
		char *text = json_dumps(cpu, JSON_INDENT(1));

		fail_msg("%s", text);
	}
	assert_string_equal(
		json_string_value(json_object_get(claims, "iss")), "CoCo-Attestation-Service");
	assert_string_equal(json_string_value(json_object_get(claims, "eat_profile")),
		"tag:github.com,2024:confidential-containers/Trustee");
	assert_int_equal(json_integer_value(json_object_get(claims, "exp")) -
				 json_integer_value(json_object_get(claims, "iat")),
		300);
	assert_string_equal(
		json_string_value(json_object_get(cpu, "ear.appraisal-policy-id")), "default");
	json_decref(claims);
}

int kbs_file(char *path, json_t *doc)
{
	cleanup(json_decref) json_t *owned = doc;
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup_fd int fd = mkstemp(path);

	if (fd < 0 || !owned || json_write(owned, &text) < 0)
		return -1;
	return fd_write_full(fd, text.data, text.size) < 0 ? -1 : 0;
}
