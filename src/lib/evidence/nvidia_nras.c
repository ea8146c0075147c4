/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/nvidia_nras.h"

#include "base/enc.h"
#include "base/str.h"
#include "crypto/jwk_trust.h"
#include "fmt/ear_check.h"
#include "fmt/json.h"

#define CLAIMS_VERSION "3.0"
#define OVERALL "x-nvidia-overall-att-result"

/* The service's words for architectures, and where it takes them. */
static const struct {
	const char *name, *endpoint;
} g_archs[] = {{"HOPPER", "gpu"}, {"BLACKWELL", "gpu"}, {"LS10", "switch"}};

/* Old guests send hex, the service wants base64. */
static int evidence_text(const json_t *device, struct buf *out, struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(64 << 10);
	const char *text;

	int r = json_get_str(device, "evidence", &text, reterr);
	if (r < 0)
		return r;
	if (hex_decode(&bytes, slice_str(text)) < 0) {
		buf_clear(&bytes);
		r = json_get_b64(device, "evidence", &bytes, reterr);
	}
	if (r == 0)
		b64_encode(out, buf_slice(&bytes), B64_STD);
	return r == 0 ? buf_error(out) : r;
}

int nras_request(const json_t *device, struct slice nonce, struct buf *out,
	const char **ret_endpoint, struct err *reterr)
{
	cleanup_with(buf_done) struct buf evidence = buf_init(256 << 10);
	const char *arch = "", *certificate = "";
	char hex[2 * NRAS_NONCE_SIZE + 1];
	size_t i = 0;

	int r = json_get_str(device, "arch", &arch, reterr);
	if (r == 0)
		r = json_get_str(device, "certificate", &certificate, reterr);
	if (r == 0)
		r = evidence_text(device, &evidence, reterr);
	if (r < 0)
		return r;
	while (i < ARRAY_COUNT(g_archs) && strcasecmp(arch, g_archs[i].name) != 0)
		i++;
	if (i == ARRAY_COUNT(g_archs))
		return err_set(reterr, -EOPNOTSUPP,
			"architecture \"%.32s\" is not known; Hopper, Blackwell and LS10 are",
			arch);
	cleanup(json_decref) json_t *body = json_pack("{s:s, s:s, s:[{s:s, s:s}], s:s}", "nonce",
		hex_str(slice_cut(nonce, 0, NRAS_NONCE_SIZE), hex, sizeof(hex)), "arch",
		g_archs[i].name, "evidence_list", "evidence", buf_str(&evidence), "certificate",
		certificate, "claims_version", CLAIMS_VERSION);
	*ret_endpoint = g_archs[i].endpoint;
	return body ? json_write(body, out) : -ENOMEM;
}

/* One token: ES384 by a key of the set, of this time, about this nonce. */
static int verify_token(const char *text, const json_t *jwks, int64_t now, const char *nonce,
	json_t **ret, struct err *reterr)
{
	cleanup_with(jws_done) struct jws j = {0};
	cleanup(json_decref) json_t *claims = NULL;
	const char *said = NULL;

	int r = jws_parse(slice_str(text), &j, reterr);
	if (r == 0 && j.alg != SIG_ES384)
		r = err_at(reterr, -EKEYREJECTED, ERR_NO_OFFSET, "alg",
			"the token is not signed with ES384");
	if (r == 0)
		r = jws_check_set(&j, jwks, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&j.payload), NRAS_ANSWER_MAX, &claims, reterr);
	if (r == 0 && !json_is_number(json_object_get(claims, "exp")))
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "exp", "the token never expires");
	if (r == 0)
		r = jwt_check_times(claims, now, reterr);
	if (r == 0)
		r = json_get_str(claims, "eat_nonce", &said, reterr);
	if (r == 0 && strcasecmp(said, nonce) != 0)
		r = err_at(reterr, -EACCES, ERR_NO_OFFSET, "eat_nonce",
			"the token is about another nonce");
	if (r == 0)
		*ret = steal_ptr(claims);
	return r;
}

/* [["JWT", overall], {device: token}] with one device. */
static int split(const json_t *doc, const char **ret_overall, const char **ret_device)
{
	json_t *overall = json_array_get(doc, 0), *devices = json_array_get(doc, 1), *token;
	const char *kind = json_string_value(json_array_get(overall, 0)), *name;

	*ret_overall = json_string_value(json_array_get(overall, 1));
	*ret_device = NULL;
	json_object_foreach (devices, name, token)
		*ret_device = json_string_value(token);
	return json_array_size(doc) == 2 && json_array_size(overall) == 2 && kind &&
			       streq(kind, "JWT") && json_object_size(devices) == 1 &&
			       *ret_overall && *ret_device
		       ? 0
		       : -EBADMSG;
}

int nras_claims(struct slice answer, const json_t *jwks, int64_t now, const char *endpoint,
	struct slice nonce, json_t **ret, struct err *reterr)
{
	cleanup(json_decref) json_t *doc = NULL, *all = NULL, *claims = NULL;
	const char *overall = NULL, *device = NULL;
	char hex[2 * NRAS_NONCE_SIZE + 1], name[80];

	hex_str(slice_cut(nonce, 0, NRAS_NONCE_SIZE), hex, sizeof(hex));
	int r = json_parse(answer, NRAS_ANSWER_MAX, &doc, reterr);
	if (r == 0 && split(doc, &overall, &device) < 0)
		r = err_set(reterr, -EBADMSG, "the answer is not a detached EAT about one device");
	if (r == 0)
		r = verify_token(overall, jwks, now, hex, &all, reterr);
	if (r == 0)
		r = verify_token(device, jwks, now, hex, &claims, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "NRAS");
	snprintf(name, sizeof(name), "x-nvidia-%s-attestation-report-nonce-match", endpoint);
	if (!json_is_true(json_object_get(claims, name)))
		return err_at(reterr, -EACCES, ERR_NO_OFFSET, name,
			"NRAS: the report was not made for this session and key");
	json_t *result = json_object_get(all, OVERALL);
	if (result && json_object_set(claims, OVERALL, result) < 0)
		return -ENOMEM;
	*ret = steal_ptr(claims);
	return 0;
}
