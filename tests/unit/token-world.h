/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keys of a broker in a folder of the test, tokens of its own and of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "fmt/json.h"
#include "trustee/kbs/token.h"

#define NOW 1800000000
static char g_dir[] = "/tmp/husk-token-XXXXXX";

static inline const char *path_of(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", g_dir, name);
	return p;
}

static inline void format_printf(1, 2) shell(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static inline void make_key(const char *name, enum key_type type, struct pkey **ret)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);

	assert_int_equal(pkey_generate(type, 2048, ret), 0);
	assert_int_equal(pkey_to_pem_private(*ret, &pem), 0);
	assert_int_equal(file_write_atomic(path_of(name), buf_slice(&pem), 0600, NULL), 0);
}

/* The configuration of a broker with these lines in [attestation_token] and in the signer. */
static inline struct token_keys *load(const char *token, const char *signer, int want)
{
	struct kbs_config c = {0};
	struct token_keys *keys = NULL;
	struct err e = {0};
	char text[2048];

	snprintf(text, sizeof(text),
		"[http_server]\ninsecure_http = true\n[husk]\nstore = \"s\"\n[attestation_token]\n"
		"%s\n[attestation_service.attestation_token_broker.signer]\n%s\n",
		token, signer);
	assert_int_equal(kbs_config_parse(slice_str(text), &c, &e), 0);
	if (token_keys_load(&c, &keys, &e) != want)
		fail_msg("%s", e.text);
	kbs_config_done(&c);
	return keys;
}

static inline json_t *claims_until(int64_t exp)
{
	return json_pack("{s:s, s:I}", "iss", "somebody", "exp", (json_int_t)exp);
}

static inline void sign_own(const struct token_keys *k, struct buf *out)
{
	json_t *claims = claims_until(NOW + 60);

	assert_int_equal(token_sign(k, claims, out, NULL), 0);
	json_decref(claims);
}

/* A token of somebody else: header members as JSON, signed with @key as @alg. */
static inline void forge(
	const struct pkey *key, enum sig_alg alg, json_t *header, json_t *claims, struct buf *out)
{
	cleanup(free_ptr) char *text = json_dumps(claims, JSON_COMPACT);

	buf_clear(out);
	assert_int_equal(jws_sign(key, alg, header, slice_str(text), out), 0);
	json_decref(header);
	json_decref(claims);
}

static inline int verify(const struct token_keys *k, const struct buf *token, struct err *e)
{
	json_t *claims = NULL;
	int r = token_verify(k, buf_slice(token), NOW, &claims, e);

	assert_int_equal(r == 0, claims != NULL);
	json_decref(claims);
	return r;
}

static inline void assert_refused(
	const struct token_keys *k, const struct buf *token, int code, const char *text)
{
	struct err e = {0};

	assert_int_equal(verify(k, token, &e), code);
	if (!strstr(e.text, text))
		fail_msg("%s", e.text);
}

static inline int make_folder(void **state)
{
	return mkdtemp(g_dir) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
	shell("rm -rf %s", g_dir);
	return 0;
}
