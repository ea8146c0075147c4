/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer process: the token key, when it is in a PKCS#11 token or a TPM. It signs digests for the vault
 * and knows neither tokens nor guests. Which key that must be is pinned by signer.public_key_path; a
 * device that has another one is not used.
 */
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/sandbox.h"
#include "trustee/hsm/p11.h"
#include "trustee/hsm/tpm_key.h"
#include "trustee/kbs/hsm.h"
#include "trustee/kbs/role-work.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"

#define START_RETRY_S 2
#define PEM_MAX ((size_t)64 << 10)

/* One of the two is there. */
struct device {
	struct p11_uri p11_uri;
	struct tpm_uri tpm_uri;
	struct p11 *p11;
	struct tpm_key *tpm;
};

struct signer {
	const struct kbs_config *config;
	struct pkey *public; /* pinned */
	struct device device;
	bool known; /* the device was seen to have that key */
};

static void device_done(struct device *d)
{
	p11_free(d->p11);
	tpm_key_free(d->tpm);
}

static int read_pin(const char *path, struct buf *out, struct err *reterr)
{
	return path[0] ? hsm_read_pin(path, out, reterr) : 0;
}

static int open_device(const char *uri, struct device *d, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pin = buf_init_secret(PIN_MAX);
	int r;

	if (str_starts(uri, "tpm:")) {
		r = tpm_uri_parse(uri, &d->tpm_uri, reterr);
		if (r == 0)
			r = read_pin(d->tpm_uri.pin_source, &pin, reterr);
		return r < 0 ? r : tpm_key_open(&d->tpm_uri, buf_slice(&pin), &d->tpm, reterr);
	}
	r = p11_uri_parse(uri, &d->p11_uri, reterr);
	if (r == 0)
		r = read_pin(d->p11_uri.pin_source, &pin, reterr);
	return r < 0 ? r
		     : p11_load(d->p11_uri.module, &d->p11_uri.token, buf_slice(&pin), &d->p11,
			       reterr);
}

/* New key. */
static int device_public(struct device *d, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf spki = buf_init(PEM_MAX);
	int r;

	if (d->p11)
		return p11_public(d->p11, &d->p11_uri.key, ret, reterr);
	r = pkey_to_spki(tpm_key_public(d->tpm), &spki);
	return r < 0 ? r : pkey_from_spki(buf_slice(&spki), ret, reterr);
}

static int check_key(struct signer *s, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	int r = s->known ? 0 : device_public(&s->device, &key, reterr);

	if (r < 0 || s->known)
		return r;
	if (!pkey_equal(key, s->public))
		return err_set(reterr, -EKEYREJECTED,
			"the device's key is another one than signer.public_key_path");
	s->known = true;
	return 0;
}

static int sign(struct signer *s, struct slice digest, struct buf *out, struct err *reterr)
{
	int r = check_key(s, reterr);

	if (r < 0)
		return r;
	return s->device.p11
		       ? p11_sign_ecdsa(s->device.p11, &s->device.p11_uri.key, digest, out, reterr)
		       : tpm_key_sign(s->device.tpm, digest, out, reterr);
}

static int serve(struct role_work *w, const json_t *header, struct slice body, json_t *answer,
	struct err *reterr)
{
	struct signer *s = w->cookie;
	cleanup_with(buf_done) struct buf signature = buf_init(1024);
	int r;

	alarm(s->config->signer.module.timeout_s);
	r = sign(s, body, &signature, reterr);
	alarm(0);
	/* A TPM that stopped answering is connected to again by another process. */
	if (r < 0 && s->device.tpm)
		w->end = r;
	return r < 0 ? r : json_set_b64(answer, "value", buf_slice(&signature), B64_STD);
}

static int start(struct signer *s, struct err *reterr)
{
	const struct kbs_config *c = s->config;
	cleanup_with(buf_done) struct buf pem = buf_init(PEM_MAX);
	struct err e = {0};
	int r = hsm_environment(&c->signer.module, reterr);

	if (r == 0)
		r = file_read(c->signer.public_key_path, PEM_MAX, &pem, reterr);
	if (r == 0)
		r = pkey_from_pem(buf_slice(&pem), &s->public, reterr);
	alarm(c->signer.module.timeout_s);
	if (r == 0)
		r = open_device(c->signer.key, &s->device, reterr);
	if (r < 0)
		return r;
	/* A token that is not there yet is tried again with each signature. */
	r = check_key(s, &e);
	alarm(0);
	if (r < 0)
		log_error("signer.key", LOG_STR("reason", err_text(&e, r)));
	return hsm_confine(c, "signer", &c->signer.module, reterr);
}

int role_signer(const struct kbs_config *c)
{
	struct signer s = {.config = c};
	struct role_work work = {.name = "signer", .serve = serve, .cookie = &s};
	struct err e = {0};
	int r = start(&s, &e), code = role_work(&work, r, &e);

	/* The supervisor starts another at once, which would fail in the same way. */
	if (r < 0)
		sleep(START_RETRY_S);
	device_done(&s.device);
	pkey_free(s.public);
	return code;
}

int signer_print_public(const char *uri, struct err *reterr)
{
	struct device d = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup_with(buf_done) struct buf pem = buf_init(PEM_MAX);
	int r = open_device(uri, &d, reterr);

	if (r == 0)
		r = device_public(&d, &key, reterr);
	if (r == 0)
		r = pkey_to_pem_public(key, &pem);
	if (r == 0)
		fputs(buf_str(&pem), stdout);
	device_done(&d);
	return r;
}
