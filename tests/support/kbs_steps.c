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

int kbs_file(char *path, json_t *doc)
{
	cleanup(json_decref) json_t *owned = doc;
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup_fd int fd = mkstemp(path);

	if (fd < 0 || !owned || json_write(owned, &text) < 0)
		return -1;
	return fd_write_full(fd, text.data, text.size) < 0 ? -1 : 0;
}
