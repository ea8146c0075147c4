/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of AWS. Spec: Secrets Manager API reference (JSON 1.1: errors are {"__type", "message"}), STS
 * API reference, EC2 user guide "Retrieve security credentials from instance metadata".
 */
#include "base/clock.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "fmt/json.h"

#define SERVICE "AWS Secrets Manager"

void aws_credentials_done(struct aws_credentials *c)
{
	buf_done(&c->access);
	buf_done(&c->secret);
	buf_done(&c->token);
	*c = (struct aws_credentials){0};
}

int aws_credentials_valid(const struct aws_credentials *c, struct err *reterr)
{
	struct slice access = buf_slice(&c->access);

	for (size_t i = 0; i < access.size; i++) {
		uint8_t b = access.data[i];
		bool plain = (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') ||
			     (b >= 'a' && b <= 'z') || b == '_' || b == '-';

		if (!plain)
			return err_set(
				reterr, -EBADMSG, "the id of AWS's access key has a bad character");
	}
	if (access.size == 0 || access.size > 128)
		return err_set(reterr, -EBADMSG, "the id of AWS's access key has a bad length");
	if (!cloud_printable(buf_slice(&c->secret)))
		return err_set(reterr, -EBADMSG, "AWS's secret access key is not printable ASCII");
	if (c->token.size > 0 && !cloud_printable(buf_slice(&c->token)))
		return err_set(reterr, -EBADMSG, "AWS's session token is not printable ASCII");
	return 0;
}

/* A member as a secret buffer. */
static int take(const json_t *o, const char *name, struct buf *ret, struct err *reterr)
{
	const char *text = NULL;
	int r = json_get_str(o, name, &text, reterr);

	*ret = buf_init_secret(CLOUD_TOKEN_MAX);
	if (r < 0)
		return r;
	buf_put_str(ret, text);
	/* The tree is freed by its library, which does not know what is in it. */
	explicit_bzero((void *)(uintptr_t)text, strlen(text));
	return buf_error(ret);
}

/* RFC 3339 with metadata services, seconds with STS. */
static int take_end(const json_t *o, int64_t *ret, struct err *reterr)
{
	const json_t *v = json_object_get(o, "Expiration");
	const char *text = json_string_value(v);

	if (json_is_number(v)) {
		double seconds = json_number_value(v);

		if (seconds < 1 || seconds > 1e11)
			return err_set(reterr, -EBADMSG, "Expiration is out of range");
		*ret = (int64_t)seconds;
		return 0;
	}
	if (!text || rfc3339_parse(slice_str(text), ret) < 0 || *ret <= 0)
		return err_set(reterr, -EBADMSG, "Expiration is not a time");
	return 0;
}

static int take_credentials(
	const json_t *o, const char *token, struct aws_credentials *ret, struct err *reterr)
{
	struct aws_credentials c = {0};
	int r = take(o, "AccessKeyId", &c.access, reterr);

	if (r == 0)
		r = take(o, "SecretAccessKey", &c.secret, reterr);
	if (r == 0)
		r = take(o, token, &c.token, reterr);
	if (r == 0)
		r = take_end(o, &c.expires_s, reterr);
	if (r == 0)
		r = aws_credentials_valid(&c, reterr);
	if (r < 0) {
		aws_credentials_done(&c);
		return r;
	}
	aws_credentials_done(ret);
	*ret = c;
	return 0;
}

int aws_read_credentials(struct slice body, struct aws_credentials *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *o = NULL;
	const char *code = NULL;
	int r = json_parse(body, CLOUD_TOKEN_MAX, &o, reterr);

	if (r == 0)
		r = json_opt_str(o, "Code", &code, reterr);
	/* Instances without a role that works say so with status 200. */
	if (r == 0 && code && !streq(code, "Success"))
		r = err_set(reterr, -EBADMSG, "the instance has no credentials: %.100s", code);
	if (r == 0)
		r = take_credentials(o, "Token", ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "AWS's metadata service") : 0;
}

int aws_read_assumed(int status, struct slice body, struct aws_credentials *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *o = NULL;
	json_t *response = NULL, *result = NULL, *credentials = NULL;
	struct err unread = {0};
	int parsed = json_parse(body, CLOUD_TOKEN_MAX, &o, &unread);
	const char *text =
		json_string_value(json_object_get(json_object_get(o, "Error"), "Message"));
	int r = cloud_status("AWS STS", status, text ? text : "", reterr);

	if (status == 400 || status == 404) /* the token or the role is not to its liking */
		r = err_set(reterr, -EACCES, "AWS STS gives no credentials: %.200s",
			text ? text : "no reason given");
	if (r < 0)
		return r;
	r = parsed;
	if (r < 0)
		return err_set(reterr, -EBADMSG, "AWS STS: the answer is not JSON: %s",
			err_text(&unread, parsed));
	r = json_get_object(o, "AssumeRoleWithWebIdentityResponse", &response, reterr);
	if (r == 0)
		r = json_get_object(response, "AssumeRoleWithWebIdentityResult", &result, reterr);
	if (r == 0)
		r = json_get_object(result, "Credentials", &credentials, reterr);
	if (r == 0)
		r = take_credentials(credentials, "SessionToken", ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "AWS STS") : 0;
}

/* --- Secrets Manager --- */

struct known {
	const char *type;
	int code;
};

/* What does not follow from the status: all of these are a 400. */
static const struct known g_known[] = {
	{"ResourceNotFoundException", -ENOENT},
	{"ResourceExistsException", -ESTALE},
	{"AccessDeniedException", -EACCES},
	{"UnrecognizedClientException", -EACCES},
	{"InvalidClientTokenId", -EACCES},
	{"InvalidSignatureException", -EACCES},
	{"SignatureDoesNotMatch", -EACCES},
	{"IncompleteSignatureException", -EACCES},
	{"MissingAuthenticationTokenException", -EACCES},
	{"ExpiredTokenException", -EACCES},
	{"ExpiredToken", -EACCES},
	{"RequestExpired", -EACCES},
	{"NotAuthorized", -EACCES},
	{"OptInRequired", -EACCES},
	{"DecryptionFailure", -EACCES},
	{"ThrottlingException", -EAGAIN},
	{"Throttling", -EAGAIN},
	{"RequestLimitExceeded", -EAGAIN},
	{"TooManyRequestsException", -EAGAIN},
	{"InternalServiceError", -EAGAIN},
	{"ServiceUnavailable", -EAGAIN},
};

/* The name may come with a namespace, "com.amazonaws.x#Name", and with a URL behind, "Name:http". */
static void error_type(const json_t *body, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(body, "__type"));
	const char *mark = text ? strrchr(text, '#') : NULL;
	struct slice name = slice_str(mark ? mark + 1 : text);
	const uint8_t *colon = name.size ? memchr(name.data, ':', name.size) : NULL;

	if (colon)
		name.size = (size_t)(colon - name.data);
	(void)!str_copy_slice(ret, size, name);
}

static int read_error(int status, const json_t *body, struct err *reterr)
{
	const char *text = json_string_value(json_object_get(body, "message"));
	char type[96];

	if (!text)
		text = json_string_value(json_object_get(body, "Message"));
	text = text ? text : "no reason given";
	error_type(body, type, sizeof(type));
	for (size_t i = 0; i < ARRAY_COUNT(g_known); i++) {
		if (streq(type, g_known[i].type))
			return err_set(reterr, g_known[i].code, SERVICE ": %s: %.200s", type, text);
	}
	/* Not a secret that is missing, for no such answer is documented. */
	if (status == 404)
		return err_set(reterr, -EBADMSG, SERVICE " answers HTTP 404: %.200s", text);
	return cloud_status(SERVICE, status, text, reterr);
}

static int read_answer(int status, struct slice body, json_t **ret, struct err *reterr)
{
	struct err unread = {0};
	int parsed = json_parse(body, CLOUD_ANSWER_MAX, ret, &unread);

	if (status != 200)
		return read_error(status == 204 ? 502 : status, *ret, reterr);
	if (parsed < 0)
		return err_set(reterr, -EBADMSG, SERVICE ": the answer is not JSON: %s",
			err_text(&unread, parsed));
	return json_is_object(*ret)
		       ? 0
		       : err_set(reterr, -EBADMSG, SERVICE ": the answer is not an object");
}

/* As Trustee: bytes first, then text. */
static int take_value(const json_t *answer, struct buf *value, struct err *reterr)
{
	const char *text = NULL;
	int r;

	if (json_is_string(json_object_get(answer, "SecretBinary"))) {
		r = json_get_b64(answer, "SecretBinary", value, reterr);
		text = json_string_value(json_object_get(answer, "SecretBinary"));
	} else {
		r = json_get_str(answer, "SecretString", &text, reterr);
		if (r == 0) {
			buf_put_str(value, text);
			r = buf_error(value);
		}
	}
	if (text)
		explicit_bzero((void *)(uintptr_t)text, strlen(text));
	return r < 0 ? err_wrap(reterr, r, SERVICE) : 0;
}

int aws_read_value(
	int status, struct slice body, const char *name, struct buf *value, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;
	const char *its = NULL;
	int r = read_answer(status, body, &answer, reterr);

	if (r == 0)
		r = json_opt_str(answer, "Name", &its, reterr);
	if (r == 0 && its && !streq(its, name))
		r = err_set(reterr, -EBADMSG, SERVICE " answers with the secret %.100s for %.100s",
			its, name);
	return r < 0 ? r : take_value(answer, value, reterr);
}

int aws_read_done(int status, struct slice body, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;

	return read_answer(status, body, &answer, reterr);
}
