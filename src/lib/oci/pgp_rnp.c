/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPGP by RNP: in memory, without a keyring on disk, without a passphrase. */
#include <rnp/rnp.h>
#include <rnp/rnp_err.h>

#include "base/str.h"
#include "oci/pgp.h"

/* A session with @keyring loaded. Released with session_done(). */
struct session {
	rnp_ffi_t ffi;
	rnp_input_t message;
	rnp_output_t output;
	rnp_op_verify_t verify;
};

static void session_done(struct session *s)
{
	rnp_op_verify_destroy(s->verify);
	rnp_output_destroy(s->output);
	rnp_input_destroy(s->message);
	rnp_ffi_destroy(s->ffi);
}

/*
 * RNP refuses signatures over SHA-1 made after January 2019. GnuPG and the container tools accept
 * them, and signatures of that age are in the field; from 2023 on, when the last of them gave it
 * up, husk refuses them, too.
 */
#define SHA1_UNTIL 1675209600 /* 2023-02-01 */

static bool allow_old_sha1(rnp_ffi_t ffi)
{
	rnp_remove_security_rule(
		ffi, RNP_FEATURE_HASH_ALG, "SHA1", 0, RNP_SECURITY_REMOVE_ALL, 0, NULL);
	return rnp_add_security_rule(ffi, RNP_FEATURE_HASH_ALG, "SHA1", RNP_SECURITY_OVERRIDE,
		       SHA1_UNTIL, RNP_SECURITY_INSECURE) == RNP_SUCCESS;
}

static int load(struct session *s, struct slice keyring, struct slice message, uint32_t kind,
	struct err *reterr)
{
	rnp_input_t keys = NULL;

	if (message.size == 0 || message.size > OCI_PGP_MESSAGE_MAX || keyring.size == 0)
		return err_set(reterr, -EBADMSG, "OpenPGP message or keyring of impossible size");
	/* Rules come before keys: whether a key is valid is decided when it is loaded. */
	if (rnp_ffi_create(&s->ffi, "GPG", "GPG") != RNP_SUCCESS || !allow_old_sha1(s->ffi) ||
		rnp_input_from_memory(&keys, keyring.data, keyring.size, false) != RNP_SUCCESS)
		return -ENOMEM;
	rnp_result_t loaded = rnp_import_keys(s->ffi, keys, kind | RNP_LOAD_SAVE_PERMISSIVE, NULL);
	rnp_input_destroy(keys);
	if (loaded != RNP_SUCCESS)
		return err_set(reterr, -EBADMSG, "the OpenPGP keyring cannot be read: %s",
			rnp_result_to_string(loaded));
	return rnp_input_from_memory(&s->message, message.data, message.size, false) ==
				       RNP_SUCCESS &&
			       rnp_output_to_memory(&s->output, OCI_PGP_MESSAGE_MAX) == RNP_SUCCESS
		       ? 0
		       : -ENOMEM;
}

/* The key or, when it is a subkey, its primary key too, must be good at @now. */
static int check_key(rnp_key_handle_t key, int64_t now, const char *what, struct err *reterr)
{
	uint32_t created = 0, life = 0;
	bool revoked = true, valid = false;

	if (rnp_key_is_revoked(key, &revoked) != RNP_SUCCESS || revoked)
		return err_set(reterr, -EKEYREJECTED, "the OpenPGP %s is revoked", what);
	if (rnp_key_get_creation(key, &created) != RNP_SUCCESS ||
		rnp_key_get_expiration(key, &life) != RNP_SUCCESS)
		return err_set(reterr, -EKEYREJECTED, "the OpenPGP %s has no dates", what);
	if (now < created || (life > 0 && now >= (int64_t)created + life))
		return err_set(reterr, -EKEYREJECTED, "the OpenPGP %s %s", what,
			now < created ? "is not valid yet" : "has expired");
	/* Validity by RNP's own clock; what is out of date was told above. */
	uint64_t until = 0;
	if (rnp_key_valid_till64(key, &until) != RNP_SUCCESS || until == 0)
		return err_set(reterr, -EKEYREJECTED, "the OpenPGP %s is not valid", what);
	return rnp_key_is_valid(key, &valid) == RNP_SUCCESS && (valid || life > 0)
		       ? 0
		       : err_set(reterr, -EKEYREJECTED, "the OpenPGP %s is not valid", what);
}

static void copy_lower(char *dst, size_t size, const char *src)
{
	if (str_copy(dst, size, src) < 0)
		dst[0] = 0;
	for (; *dst; dst++)
		*dst = (char)(*dst >= 'A' && *dst <= 'F' ? *dst + ('a' - 'A') : *dst);
}

static int check_signer(
	struct session *s, rnp_key_handle_t key, int64_t now, char *fingerprint, struct err *reterr)
{
	rnp_key_handle_t primary = NULL;
	char *primary_id = NULL, *print = NULL;
	bool sub = false, sign = false;

	int r = check_key(key, now, "signing key", reterr);
	if (r == 0 && (rnp_key_allows_usage(key, "sign", &sign) != RNP_SUCCESS || !sign))
		r = err_set(reterr, -EKEYREJECTED, "the OpenPGP key may not sign");
	if (r == 0 && rnp_key_is_sub(key, &sub) == RNP_SUCCESS && sub) {
		if (rnp_key_get_primary_fprint(key, &primary_id) != RNP_SUCCESS ||
			rnp_locate_key(s->ffi, "fingerprint", primary_id, &primary) !=
				RNP_SUCCESS ||
			!primary)
			r = err_set(reterr, -EKEYREJECTED, "the signing subkey has no primary key");
		else
			r = check_key(primary, now, "primary key", reterr);
	}
	if (r == 0 && rnp_key_get_fprint(primary ? primary : key, &print) == RNP_SUCCESS && print)
		copy_lower(fingerprint, OCI_PGP_FINGERPRINT_SIZE, print);
	if (r == 0 && !fingerprint[0])
		r = -ENOMEM;
	rnp_buffer_destroy(primary_id);
	rnp_buffer_destroy(print);
	if (primary)
		rnp_key_handle_destroy(primary);
	return r;
}

/* The one signature of the message. */
static int check_signature(struct session *s, int64_t now, char *fingerprint, struct err *reterr)
{
	rnp_op_verify_signature_t signature = NULL;
	rnp_key_handle_t key = NULL;
	uint32_t created = 0, life = 0;
	size_t count = 0;

	if (rnp_op_verify_get_signature_count(s->verify, &count) != RNP_SUCCESS || count != 1 ||
		rnp_op_verify_get_signature_at(s->verify, 0, &signature) != RNP_SUCCESS)
		return err_set(reterr, -EKEYREJECTED,
			"the OpenPGP message has %zu signatures, not one", count);
	rnp_result_t status = rnp_op_verify_signature_get_status(signature);
	if (status == RNP_ERROR_KEY_NOT_FOUND)
		return err_set(reterr, -EKEYREJECTED,
			"the OpenPGP signature is by a key that is not in the keyring");
	if (status == RNP_ERROR_SIGNATURE_EXPIRED)
		return err_set(reterr, -EKEYREJECTED, "the OpenPGP signature has expired");
	if (rnp_op_verify_signature_get_key(signature, &key) != RNP_SUCCESS || !key)
		return err_set(reterr, -EKEYREJECTED, "the OpenPGP signature does not hold: %s",
			rnp_result_to_string(status));
	/* What is wrong with the key says more than that the signature does not hold under it. */
	int r = check_signer(s, key, now, fingerprint, reterr);
	rnp_key_handle_destroy(key);
	if (r == 0 && status != RNP_SUCCESS)
		r = err_set(reterr, -EKEYREJECTED, "the OpenPGP signature does not hold: %s",
			rnp_result_to_string(status));
	if (r == 0 && rnp_op_verify_signature_get_times(signature, &created, &life) != RNP_SUCCESS)
		r = err_set(reterr, -EKEYREJECTED, "the OpenPGP signature has no dates");
	if (r == 0 && (created > now || (life > 0 && now >= (int64_t)created + life)))
		r = err_set(reterr, -EKEYREJECTED, "the OpenPGP signature %s",
			created > now ? "is from the future" : "has expired");
	return r;
}

static int take_output(struct session *s, struct slice *ret)
{
	uint8_t *bytes = NULL;
	size_t size = 0;

	if (rnp_output_memory_get_buf(s->output, &bytes, &size, false) != RNP_SUCCESS)
		return -ENOMEM;
	*ret = slice_of(bytes, size);
	return 0;
}

static int verify(struct slice keyring, struct slice message, int64_t now, struct buf *payload,
	char fingerprint[OCI_PGP_FINGERPRINT_SIZE], struct err *reterr)
{
	cleanup_with(session_done) struct session s = {0};
	struct slice bytes = {0};

	fingerprint[0] = 0;
	int r = load(&s, keyring, message, RNP_LOAD_SAVE_PUBLIC_KEYS, reterr);
	if (r < 0)
		return r;
	if (rnp_op_verify_create(&s.verify, s.ffi, s.message, s.output) != RNP_SUCCESS)
		return -ENOMEM;
	/* Its result is about all signatures together; each is looked at below. */
	rnp_result_t all = rnp_op_verify_execute(s.verify);
	if (all == RNP_ERROR_OUT_OF_MEMORY)
		return -ENOMEM;
	r = check_signature(&s, now, fingerprint, reterr);
	if (r == 0 && all != RNP_SUCCESS)
		r = err_set(reterr, -EKEYREJECTED, "the OpenPGP message does not verify: %s",
			rnp_result_to_string(all));
	if (r == 0)
		r = take_output(&s, &bytes);
	if (r < 0) {
		fingerprint[0] = 0;
		return r;
	}
	buf_put_slice(payload, bytes);
	return buf_error(payload);
}

static int decrypt(
	struct slice keyring, struct slice message, struct secret *ret, struct err *reterr)
{
	cleanup_with(session_done) struct session s = {0};
	struct slice bytes = {0};

	int r = load(&s, keyring, message, RNP_LOAD_SAVE_SECRET_KEYS | RNP_LOAD_SAVE_PUBLIC_KEYS,
		reterr);
	if (r < 0)
		return r;
	rnp_result_t done = rnp_decrypt(s.ffi, s.message, s.output);
	if (done == RNP_ERROR_OUT_OF_MEMORY)
		return -ENOMEM;
	if (done != RNP_SUCCESS)
		return err_set(reterr, -EKEYREJECTED, "the OpenPGP message cannot be opened: %s",
			rnp_result_to_string(done));
	r = take_output(&s, &bytes);
	return r == 0 ? secret_copy(ret, bytes) : r;
}

const struct oci_pgp oci_pgp_rnp = {verify, decrypt};
