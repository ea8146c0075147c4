/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Steps of tests with a real broker, an admin of it and guests. Each fails the running cmocka test
 * where the answer is not the wanted one, so that a test reads as what happens.
 */
#include "support/kbs_client.h"
#include "support/swtpm.h"

/* --- the admin --- */

/** kbs_admin_post() - @body to @path; the answer must have the status @want */
void kbs_admin_post(const struct kbs_server *s, const char *path, const char *body, int want);
/** kbs_admin_get() - the answer, which must be JSON with status 200; json_decref() it */
json_t *kbs_admin_get(const struct kbs_server *s, const char *path);
/** kbs_admin_policy() - @id: of an attestation policy; NULL: the policy of resources */
void kbs_admin_policy(const struct kbs_server *s, const char *id, struct slice text, int want);
/** kbs_admin_reference() - reference values: a JSON object's text */
void kbs_admin_reference(const struct kbs_server *s, const char *text);
/** kbs_admin_references() - likewise; @values is consumed */
void kbs_admin_references(const struct kbs_server *s, json_t *values);
/** kbs_admin_secret() - the resource default/key/1 */
void kbs_admin_secret(const struct kbs_server *s, const char *secret);

/** kbs_admin_tpm() - @t is a guest's: its key and its registers 0, 8 and 9 are reference values */
void kbs_admin_tpm(const struct kbs_server *s, struct swtpm *t, uint32_t ak_handle);

/* --- a guest --- */

/* @key: what its secrets are encrypted for; @tee_key: its public half as the protocol has it */
struct kbs_guest {
	struct pkey *key;
	json_t *tee_key;
};

/** kbs_guest_new() - Return: 0, -ENOMEM, -EIO */
must_check int kbs_guest_new(struct kbs_guest *g, enum key_type type);
void kbs_guest_done(struct kbs_guest *g);
/** kbs_guest_begin() - start a handshake; what evidence must be bound to */
void kbs_guest_begin(const struct kbs_guest *g, struct kbs_client *c, const char *tee,
	char nonce[64], uint8_t binding[48]);
/** kbs_guest_send() - the attestation, whose status is the answer's; @evidence is consumed */
void kbs_guest_send(const struct kbs_guest *g, struct kbs_client *c, const char *nonce,
	json_t *evidence, const char *init_data);
/** kbs_guest_read() - default/key/1, which must be @secret if it comes. Return: the status */
int kbs_guest_read(const struct kbs_guest *g, struct kbs_client *c, const char *secret);

/* --- what came of it --- */

/** kbs_why() - the explanation behind the id in the last answer's detail; json_decref() it */
json_t *kbs_why(const struct kbs_server *s, const struct kbs_client *c);
/** kbs_assert_why() - it names the stage, and its reason has @reason_part */
void kbs_assert_why(const struct kbs_server *s, const struct kbs_client *c, const char *stage,
	const char *reason_part);
/** kbs_assert_error() - the last answer is an error of this kind */
void kbs_assert_error(const struct kbs_client *c, int status, const char *variant);
/** kbs_token_claims() - of the token in the last answer, which is not verified; json_decref() them */
json_t *kbs_token_claims(const struct kbs_client *c);
/** kbs_assert_status() - the token in the last answer is as it must be, its ear.status is @want */
void kbs_assert_status(const struct kbs_client *c, const char *want);

/** kbs_file() - a file made from the template @path. Return: 0, -1. @doc is consumed. */
must_check int kbs_file(char *path, json_t *doc);
