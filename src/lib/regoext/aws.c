/* SPDX-License-Identifier: Apache-2.0 */
/*
 * providers.aws.sign_req: an HTTP request with the headers of an AWS Signature Version 4.
 * Spec: "Create a signed AWS API request", AWS IAM user guide.
 */
#include <stdlib.h>

#include "crypto/sigv4.h"
#include "ext.h"
#include "rego/http_keys.h"
#include "rego/uri.h"

#define HEADERS_MAX 256

struct signing {
	struct rego_call *call;
	struct slice method, access, secret, region, service, token;
	struct uri url;
	val headers; /* of the request, NULL when it has none */
	bool unsigned_payload;
	char stamp[SIGV4_STAMP_SIZE];
	char payload_hash[SIGV4_HASH_SIZE];
	struct buf names[HEADERS_MAX]; /* lower-case copies */
	struct sigv4_header header[HEADERS_MAX];
	size_t count;
};

static const char *const g_config_keys[] = {
	"aws_access_key", "aws_region", "aws_secret_access_key", "aws_service"};
static const char *const g_required_keys[] = {"method", "url"};

/* Appends a name as an element of a Rego set. */
static void add_name(struct buf *b, const char *name)
{
	buf_printf(b, "%s\"%s\"", b->size ? ", " : "{", name);
}

static int complain(struct rego_call *call, unsigned pos, const char *what, struct buf *names)
{
	buf_put_u8(names, '}');
	return rego_call_operand_error(call, pos, "%s: %s", what, buf_str(names));
}

/* Whether all of @names are members of @object that are strings. */
static bool check_members(struct rego_call *call, val object, unsigned pos, const char *kind,
	const char *const *names, size_t count, bool types, int *result)
{
	cleanup_with(buf_done) struct buf missing = {0}, invalid = {0};
	char what[80];
	for (size_t i = 0; i < count; i++) {
		val v = rego_member(object, names[i]);
		if (!v)
			add_name(&missing, names[i]);
		else if (types && rego_type(v) != REGO_STRING)
			add_name(&invalid, names[i]);
	}
	if (missing.size) {
		snprintf(what, sizeof(what), "missing required %s parameters(s)", kind);
		*result = complain(call, pos, what, &missing);
		return false;
	}
	if (invalid.size) {
		bool request = pos == 1;
		snprintf(what, sizeof(what), "invalid values for required %s parameters(s)", kind);
		*result = complain(call, request ? 1 : pos, what, &invalid);
		return false;
	}
	return true;
}

static bool known_request_keys(struct rego_call *call, val request, int *result)
{
	cleanup_with(buf_done) struct buf unknown = {0};
	for (size_t i = 0; i < rego_count(request); i++) {
		val key = rego_key(request, i);
		bool known = false;
		for (size_t k = 0; k < ARRAY_COUNT(rego_http_request_keys) && !known; k++)
			known = ext_is(key, REGO_STRING) &&
				slice_eq_str(rego_text(key), rego_http_request_keys[k]);
		if (known)
			continue;
		buf_put_str(&unknown, unknown.size ? ", " : "{");
		rego_print(&unknown, key);
	}
	if (unknown.size)
		*result = complain(call, 1, "invalid request parameters(s)", &unknown);
	return unknown.size == 0;
}

static int payload_hash(struct signing *s, val request)
{
	cleanup_with(buf_done) struct buf body = {0};
	val raw = rego_member(request, "raw_body"), json = rego_member(request, "body");
	if (raw)
		buf_put_slice(&body, ext_is(raw, REGO_STRING) ? rego_text(raw) : SLICE_EMPTY);
	else if (json)
		ext_json(&body, json);
	if (buf_error(&body) < 0)
		return buf_error(&body);
	if (!s->unsigned_payload)
		return sigv4_hash(buf_slice(&body), s->payload_hash);
	snprintf(s->payload_hash, sizeof(s->payload_hash), "UNSIGNED-PAYLOAD");
	return 0;
}

/* --- headers --- */

static bool ignored(struct slice name)
{
	return slice_eq_str(name, "authorization") || slice_eq_str(name, "user-agent") ||
	       slice_eq_str(name, "x-amzn-trace-id");
}

/* A later header of the same name replaces an earlier one. */
static void set_header(struct signing *s, struct slice name, struct slice value)
{
	struct buf *copy = &s->names[MIN(s->count, (size_t)HEADERS_MAX - 1)];
	if (s->count == HEADERS_MAX)
		return;
	for (size_t i = 0; i < name.size; i++)
		buf_put_u8(copy, name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20
									    : name.data[i]);
	struct sigv4_header h = {buf_slice(copy), value};
	for (size_t i = 0; i < s->count; i++)
		if (slice_eq(s->header[i].name, h.name)) {
			s->header[i].value = value;
			buf_done(copy);
			return;
		}
	if (!ignored(h.name))
		s->header[s->count++] = h;
	else
		buf_done(copy);
}

static bool wants_hash_header(const struct signing *s)
{
	return slice_eq_str(s->service, "s3") || slice_eq_str(s->service, "glacier");
}

static void collect_headers(struct signing *s)
{
	set_header(s, SLICE_LIT("host"), buf_slice(&s->url.host));
	set_header(s, SLICE_LIT("x-amz-date"), slice_str(s->stamp));
	if (wants_hash_header(s))
		set_header(s, SLICE_LIT("x-amz-content-sha256"), slice_str(s->payload_hash));
	if (s->token.size)
		set_header(s, SLICE_LIT("x-amz-security-token"), s->token);
	for (size_t i = 0; i < rego_count(s->headers); i++) {
		val v = rego_item(s->headers, i);
		set_header(s, rego_text(rego_key(s->headers, i)),
			ext_is(v, REGO_STRING) ? rego_text(v) : SLICE_EMPTY);
	}
	sigv4_sort(s->header, s->count);
}

static int authorization(const struct signing *s, struct buf *out)
{
	cleanup_with(buf_done) struct buf path = {0};
	uri_escaped_path(&s->url, &path);
	const struct sigv4 v = {.access = s->access,
		.secret = s->secret,
		.region = s->region,
		.service = s->service,
		.stamp = s->stamp,
		.method = s->method,
		.path = buf_slice(&path),
		.query = buf_slice(&s->url.raw_query),
		.headers = s->header,
		.header_count = s->count,
		.payload_hash = slice_str(s->payload_hash)};
	return buf_error(&path) < 0 ? buf_error(&path) : sigv4_authorization(&v, out);
}

/* --- the request with its new headers --- */

static void push_pair(struct ext_list *l, struct rego_eval *e, const char *name, struct slice v)
{
	ext_push(l, rego_make_string(e, slice_str(name)));
	ext_push(l, rego_make_string(e, v));
}

static val make_object(struct rego_eval *e, struct ext_list *l)
{
	return l->failed ? NULL : rego_make_object(e, l->item, l->count / 2);
}

static val signed_headers(const struct signing *s, struct slice auth)
{
	struct rego_eval *e = rego_call_eval(s->call);
	struct ext_list l = {0};
	for (size_t i = 0; i < rego_count(s->headers); i++) {
		val v = rego_item(s->headers, i);
		ext_push(&l, rego_key(s->headers, i));
		ext_push(&l, ext_is(v, REGO_STRING) ? v : rego_make_string(e, SLICE_EMPTY));
	}
	push_pair(&l, e, "Authorization", auth);
	push_pair(&l, e, "host", buf_slice(&s->url.host));
	push_pair(&l, e, "x-amz-date", slice_str(s->stamp));
	if (wants_hash_header(s))
		push_pair(&l, e, "x-amz-content-sha256", slice_str(s->payload_hash));
	if (s->token.size)
		push_pair(&l, e, "x-amz-security-token", s->token);
	val v = make_object(e, &l);
	ext_list_done(&l);
	return v;
}

static val with_headers(struct rego_call *call, val request, val headers)
{
	struct rego_eval *e = rego_call_eval(call);
	struct ext_list l = {0};
	for (size_t i = 0; i < rego_count(request); i++) {
		ext_push(&l, rego_key(request, i));
		ext_push(&l, rego_item(request, i));
	}
	ext_push(&l, rego_make_string(e, SLICE_LIT("headers")));
	ext_push(&l, headers);
	val v = make_object(e, &l);
	ext_list_done(&l);
	return v;
}

/* Reads the arguments; false after reporting. */
static bool read_request(struct signing *s, const val *arg, int *result)
{
	struct rego_call *call = s->call;
	int64_t ns;
	if (!check_members(call, arg[1], 2, "AWS config", g_config_keys, ARRAY_COUNT(g_config_keys),
		    true, result))
		return false;
	if (rego_type(arg[2]) != REGO_NUMBER) {
		*result = rego_call_type_error(call, 1, "number", arg[2]);
		return false;
	}
	if (!ext_int(arg[2], &ns)) {
		*result = rego_call_operand_error(
			call, 3, "could not convert time_ns value into a unix timestamp");
		return false;
	}
	int64_t second = ns / 1000000000 - (ns % 1000000000 < 0);
	sigv4_stamp(second, s->stamp);
	if (!known_request_keys(call, arg[0], result) ||
		!check_members(call, arg[0], 1, "request", g_required_keys, 2, false, result))
		return false;
	s->headers = rego_member(arg[0], "headers");
	if (s->headers && rego_type(s->headers) != REGO_OBJECT) {
		*result = rego_call_type_error(call, 0, "object", s->headers);
		return false;
	}
	return check_members(call, arg[0], 1, "request", g_required_keys, 2, true, result);
}

static int run(struct signing *s, const val *arg, val *ret)
{
	struct err e = {0};
	cleanup_with(buf_done) struct buf auth = {0};
	struct slice url = rego_text(rego_member(arg[0], "url"));
	int r = uri_parse(url, &s->url, &e);
	if (r < 0)
		return rego_call_fail(s->call, "parse \"%.*s\": %s",
			(int)MIN(url.size, (size_t)200), url.data, err_text(&e, r));
	s->method = rego_text(rego_member(arg[0], "method"));
	struct slice *const to[] = {&s->access, &s->region, &s->secret, &s->service};
	for (size_t i = 0; i < ARRAY_COUNT(to); i++)
		*to[i] = rego_text(rego_member(arg[1], g_config_keys[i]));
	if (!ext_member(arg[1], "aws_session_token", &s->token))
		s->token = SLICE_EMPTY;
	val off = rego_member(arg[1], "disable_payload_signing");
	if (off && rego_type(off) != REGO_BOOL)
		return rego_call_operand_error(
			s->call, 2, "invalid value for 'disable_payload_signing' in AWS config");
	if (rego_count(s->headers) > HEADERS_MAX - 8)
		return rego_call_fail(s->call, "the request has too many headers");
	s->unsigned_payload = rego_is_true(off);
	r = payload_hash(s, arg[0]);
	collect_headers(s);
	if (r == 0)
		r = authorization(s, &auth);
	if (r < 0)
		return r;
	return ext_return(ret, with_headers(s->call, arg[0], signed_headers(s, buf_slice(&auth))));
}

static int sign_req(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	for (unsigned i = 0; i < 2; i++)
		if (rego_type(arg[i]) != REGO_OBJECT)
			return rego_call_type_error(call, 1, "object", arg[i]);
	struct signing *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->call = call;
	int r = 0;
	if (read_request(s, arg, &r))
		r = run(s, arg, ret);
	for (size_t i = 0; i < HEADERS_MAX; i++)
		buf_done(&s->names[i]);
	uri_done(&s->url);
	free(s);
	return r;
}

const struct rego_builtin ext_aws_list[] = {
	{"providers.aws.sign_req", 3, sign_req},
};
const size_t ext_aws_count = ARRAY_COUNT(ext_aws_list);
