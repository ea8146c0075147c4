/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/registry.h"

#include <unistd.h>

#include "base/enc.h"
#include "base/str.h"
#include "net/http_client.h"
#include "net/url.h"
#include "oci/hash.h"

#define TOKEN_MAX 16384
#define CALL_TIMEOUT_MS (60u * 60 * 1000) /* one transfer of a large layer over a slow line */

struct oci_registry {
	struct http_client *http;
	char base[OCI_REF_NAME_MAX * 2 + 32]; /* scheme://host/v2/repository */
	char host[OCI_REF_NAME_MAX + 1], repository[OCI_REF_NAME_MAX + 1];
	bool insecure_http;
	uint64_t chunk_size;
	struct buf basic;	  /* "Basic ..." of the credentials; empty when anonymous */
	struct buf authorization; /* header to send; empty while the registry did not ask */
	bool push;		  /* tokens must allow writing */
};

int oci_registry_new(struct oci_registry **ret, const struct oci_ref *ref,
	const struct oci_registry_options *options, struct err *reterr)
{
	static const struct oci_registry_options none;
	const struct oci_registry_options *o = options ? options : &none;
	cleanup(oci_registry_free) struct oci_registry *r = calloc(1, sizeof(*r));
	struct http_client_options ho = {.roots_pem = o->roots_pem,
		.nameservers = o->nameservers,
		.proxy = o->proxy,
		.total_timeout_ms = CALL_TIMEOUT_MS};

	if (!r)
		return -ENOMEM;
	r->basic = buf_init_secret(TOKEN_MAX);
	r->authorization = buf_init_secret(TOKEN_MAX);
	r->insecure_http = o->insecure_http;
	r->chunk_size = o->chunk_size ? MAX(o->chunk_size, OCI_REGISTRY_CHUNK_MIN) : 0;
	if (str_copy(r->host, sizeof(r->host), oci_ref_host(ref)) < 0 ||
		str_copy(r->repository, sizeof(r->repository), ref->repository) < 0)
		return -EINVAL;
	snprintf(r->base, sizeof(r->base), "%s://%s/v2/%s", o->insecure_http ? "http" : "https",
		r->host, r->repository);
	if (o->username && o->username[0]) {
		cleanup_with(buf_done) struct buf pair = buf_init_secret(TOKEN_MAX / 2);
		buf_printf(&pair, "%s:%s", o->username, o->password ? o->password : "");
		buf_put_str(&r->basic, "Basic ");
		b64_encode(&r->basic, buf_slice(&pair), B64_STD);
		if (buf_error(&pair) < 0 || buf_error(&r->basic) < 0)
			return err_set(reterr, -E2BIG, "the registry credentials are too long");
	}
	int rc = http_client_new(&ho, &r->http, reterr);
	if (rc == 0)
		*ret = steal_ptr(r);
	return rc;
}

void oci_registry_free(struct oci_registry *r)
{
	if (!r)
		return;
	http_client_free(r->http);
	buf_done(&r->basic);
	buf_done(&r->authorization);
	free(r);
}

/* --- authentication --------------------------------------------------------------------------- */

/* The value of a parameter of a challenge: name="value" (RFC 9110, 11.2), without escapes. */
static int challenge_param(const char *challenge, const char *name, char *dst, size_t size)
{
	size_t n = strlen(name);

	for (const char *p = challenge; (p = strcasestr(p, name)) != NULL; p += n) {
		bool start = p > challenge && (p[-1] == ' ' || p[-1] == ',');
		if (!start || p[n] != '=' || p[n + 1] != '"')
			continue;
		const char *end = strchr(p + n + 2, '"');
		return end ? str_copy_slice(dst, size,
				     slice_of(p + n + 2, (size_t)(end - p - (long)n - 2)))
			   : -EBADMSG;
	}
	dst[0] = 0;
	return 0;
}

static void put_query(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "%c%s=", memchr(b->data, '?', b->size) ? '&' : '?', name);
	pct_encode(b, slice_str(value), "");
}

static int read_token(struct oci_registry *r, struct slice json, struct err *reterr)
{
	json_t *doc;

	int rc = oci_json_parse(&doc, json, "registry token", reterr);
	if (rc < 0)
		return rc;
	const char *token = json_string_value(json_object_get(doc, "token"));
	if (!token)
		token = json_string_value(json_object_get(doc, "access_token"));
	buf_clear(&r->authorization);
	if (token && !strpbrk(token, "\r\n"))
		buf_printf(&r->authorization, "Bearer %s", token);
	json_decref(doc);
	if (r->authorization.size == 0)
		return err_set(
			reterr, -EBADMSG, "registry '%s': the token answer has no token", r->host);
	return buf_error(&r->authorization);
}

static int fetch_token(struct oci_registry *r, const char *challenge, struct err *reterr)
{
	char realm[2048], service[512], scope[OCI_REF_NAME_MAX + 64];
	cleanup_with(buf_done) struct buf url = buf_init(URL_MAX);
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	struct url parsed;

	if (challenge_param(challenge, "realm", realm, sizeof(realm)) < 0 || !realm[0] ||
		challenge_param(challenge, "service", service, sizeof(service)) < 0)
		return err_set(reterr, -EBADMSG, "registry '%s': bad challenge", r->host);
	/* The scope is ours to ask for: a registry must not choose what its token allows. */
	snprintf(scope, sizeof(scope), "repository:%s:%s", r->repository,
		r->push ? "pull,push" : "pull");
	int rc = url_parse(realm, &parsed, reterr);
	if (rc < 0)
		return err_wrap(reterr, rc, "registry '%s': token realm", r->host);
	if (!parsed.tls && !r->insecure_http)
		return err_set(reterr, -EACCES,
			"registry '%s': its token server '%s' is not reached over TLS", r->host,
			parsed.host);
	buf_put_str(&url, realm);
	if (service[0])
		put_query(&url, "service", service);
	put_query(&url, "scope", scope);
	if (buf_error(&url) < 0)
		return buf_error(&url);
	struct http_field auth = {"Authorization", buf_str(&r->basic)};
	struct http_call call = {.method = "GET",
		.url = buf_str(&url),
		.fields = &auth,
		.field_count = r->basic.size ? 1 : 0,
		.body_fd = -1,
		.answer_max = 1 << 20};
	rc = http_client_call(r->http, &call, &answer, reterr);
	if (rc < 0)
		return err_wrap(reterr, rc, "registry '%s': token", r->host);
	if (answer.status != 200)
		return err_set(reterr, -EACCES, "registry '%s': its token server answers %d (%s)",
			r->host, answer.status,
			r->basic.size ? "are the credentials right?" : "credentials are needed");
	return read_token(r, buf_slice(&answer.body), reterr);
}

/* Answers a 401. Return: 1 try again, 0 there is nothing more to try, negative errno. */
static int authenticate(
	struct oci_registry *r, const struct http_answer *answer, struct err *reterr)
{
	const char *challenge = http_answer_header(answer, "www-authenticate");

	if (!challenge)
		return 0;
	if (strncasecmp(challenge, "Bearer ", 7) == 0) {
		int rc = fetch_token(r, challenge, reterr);
		return rc < 0 ? rc : 1;
	}
	if (strncasecmp(challenge, "Basic", 5) == 0 && r->basic.size) {
		buf_clear(&r->authorization);
		buf_put_slice(&r->authorization, buf_slice(&r->basic));
		return 1;
	}
	return 0;
}

/* --- calls ------------------------------------------------------------------------------------ */

#define CALL_FIELD_MAX 6

/* Sends a call with authorization; one more time when the registry asks for (other) credentials. */
static int send_call(struct oci_registry *r, const struct http_call *in, struct http_answer *ret,
	struct err *reterr)
{
	struct http_field fields[CALL_FIELD_MAX + 1];
	struct http_call call = *in;
	/* A piece of a chunked upload starts where the last one ended. */
	off_t start = in->body_fd > 0 ? lseek(in->body_fd, 0, SEEK_CUR) : 0;

	if (start < 0)
		return err_set(reterr, -errno, "cannot read what is to be sent");
	for (int attempt = 0;; attempt++) {
		size_t count = MIN(in->field_count, (size_t)CALL_FIELD_MAX);
		if (count)
			memcpy(fields, in->fields, count * sizeof(fields[0]));
		if (r->authorization.size)
			fields[count++] =
				(struct http_field){"Authorization", buf_str(&r->authorization)};
		call.fields = fields;
		call.field_count = count;
		int rc = http_client_call(r->http, &call, ret, reterr);
		if (rc < 0)
			return err_wrap(reterr, rc, "registry '%s'", r->host);
		if (ret->status != 401 || attempt == 1)
			return 0;
		rc = authenticate(r, ret, reterr);
		if (rc <= 0)
			return rc;
		http_answer_done(ret);
		if (in->body_fd > 0 && lseek(in->body_fd, start, SEEK_SET) < 0)
			return -errno;
	}
}

/* The first message of an error body, cut and only if it is plain text. */
static void registry_message(const struct http_answer *a, char *dst, size_t size)
{
	json_t *doc;

	dst[0] = 0;
	if (oci_json_parse(&doc, buf_slice(&a->body), "error", NULL) < 0)
		return;
	json_t *first = json_array_get(json_object_get(doc, "errors"), 0);
	const char *text = json_string_value(json_object_get(first, "message"));
	if (text)
		snprintf(dst, size, ": %.200s", text);
	json_decref(doc);
}

static int check_status(
	struct oci_registry *r, const struct http_answer *a, const char *what, struct err *reterr)
{
	char message[256];

	if (a->status >= 200 && a->status <= 299)
		return 0;
	registry_message(a, message, sizeof(message));
	if (a->status == 404)
		return err_set(reterr, -ENOENT, "registry '%s': '%s' has no %s%s", r->host,
			r->repository, what, message);
	if (a->status == 401 || a->status == 403)
		return err_set(reterr, -EACCES, "registry '%s' refuses access to '%s' (%d)%s",
			r->host, r->repository, a->status, message);
	return err_set(reterr, -EPROTO, "registry '%s': %s: answer %d%s", r->host, what, a->status,
		message);
}

static int source_manifest(void *user, const char *name, struct buf *out, struct err *reterr)
{
	static const char accept[] = OCI_TYPE_MANIFEST
		", " OCI_TYPE_INDEX ", " OCI_TYPE_DOCKER_MANIFEST ", " OCI_TYPE_DOCKER_LIST;
	struct oci_registry *r = user;
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	struct http_field field = {"Accept", accept};
	char url[sizeof(r->base) + 160], what[200];

	snprintf(url, sizeof(url), "%s/manifests/%.140s", r->base, name);
	snprintf(what, sizeof(what), "manifest '%.140s'", name);
	struct http_call call = {.method = "GET",
		.url = url,
		.fields = &field,
		.field_count = 1,
		.body_fd = -1,
		.answer_max = OCI_DOCUMENT_MAX};
	int rc = send_call(r, &call, &answer, reterr);
	if (rc == 0)
		rc = check_status(r, &answer, what, reterr);
	if (rc < 0)
		return rc;
	buf_put_slice(out, buf_slice(&answer.body));
	return buf_error(out);
}

struct transfer {
	int (*sink)(void *, struct slice, struct err *);
	void *sink_user;
	struct err *reterr;
	uint64_t done;
	bool sink_failed;
};

static int on_blob_bytes(void *cookie, struct slice bytes)
{
	struct transfer *t = cookie;

	t->done += bytes.size;
	int rc = t->sink(t->sink_user, bytes, t->reterr);
	t->sink_failed |= rc < 0;
	return rc;
}

/* One GET of what is still missing. Return: 0 when the call ended well, else errno. */
static int get_rest(struct oci_registry *r, const char *url, uint64_t size, struct transfer *t,
	struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	char range[64];
	struct http_field field = {"Range", range};
	uint64_t from = t->done;

	snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)from);
	struct http_call call = {.method = "GET",
		.url = url,
		.fields = &field,
		.field_count = from ? 1 : 0,
		.body_fd = -1,
		.answer_max = size - from,
		.on_body = on_blob_bytes,
		.cookie = t};
	int rc = send_call(r, &call, &answer, reterr);
	if (rc == 0)
		rc = check_status(r, &answer, "blob", reterr);
	if (rc == 0 && from && answer.status != 206)
		rc = err_set(reterr, -EPROTO, "registry '%s' cannot resume a transfer", r->host);
	return rc;
}

static bool may_resume(int rc)
{
	return rc == -EHOSTUNREACH || rc == -EPROTO || rc == -ETIMEDOUT || rc == -ECONNRESET ||
	       rc == -ENODATA || rc == -EPIPE;
}

static int source_blob(void *user, const struct oci_descriptor *d,
	int (*sink)(void *, struct slice, struct err *), void *sink_user, struct err *reterr)
{
	struct oci_registry *r = user;
	struct transfer t = {.sink = sink, .sink_user = sink_user};
	char url[sizeof(r->base) + OCI_DIGEST_TEXT_SIZE + 16], digest[OCI_DIGEST_TEXT_SIZE];
	struct err sink_err = {0};

	t.reterr = &sink_err;
	snprintf(url, sizeof(url), "%s/blobs/%s", r->base, oci_digest_text(&d->digest, digest));
	if (d->size == 0)
		return 0;
	for (int attempt = 1;; attempt++) {
		uint64_t before = t.done;
		int rc = get_rest(r, url, d->size, &t, reterr);
		if (t.sink_failed) {
			if (reterr)
				*reterr = sink_err;
			return rc;
		}
		if (rc == 0 && t.done == d->size)
			return 0;
		if (rc == 0)
			rc = err_set(reterr, -ENODATA,
				"registry '%s': blob %s ends after %llu of %llu bytes", r->host,
				digest, (unsigned long long)t.done, (unsigned long long)d->size);
		/* A registry that sends nothing new gets no endless patience. */
		if (!may_resume(rc) || attempt >= OCI_REGISTRY_RETRY_MAX ||
			(rc == -ENODATA && t.done == before))
			return rc;
		usleep(100000u << attempt);
	}
}

struct oci_source oci_registry_source(struct oci_registry *r)
{
	return (struct oci_source){source_manifest, source_blob, r};
}

/* --- pushing ---------------------------------------------------------------------------------- */

int oci_registry_has_blob(
	struct oci_registry *r, const struct oci_digest *digest, struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	char url[sizeof(r->base) + OCI_DIGEST_TEXT_SIZE + 16], text[OCI_DIGEST_TEXT_SIZE];

	r->push = true;
	snprintf(url, sizeof(url), "%s/blobs/%s", r->base, oci_digest_text(digest, text));
	struct http_call call = {.method = "HEAD", .url = url, .body_fd = -1};
	int rc = send_call(r, &call, &answer, reterr);
	if (rc < 0)
		return rc;
	if (answer.status == 404)
		return 0;
	rc = check_status(r, &answer, "blob", reterr);
	return rc < 0 ? rc : 1;
}

/* Where the next piece of an upload goes: the Location header against the URL before. */
static int next_location(struct oci_registry *r, const struct http_answer *a, const char *from,
	char *dst, size_t size, struct err *reterr)
{
	const char *location = http_answer_header(a, "location");
	struct url base, next;

	if (!location)
		return err_set(reterr, -EPROTO, "registry '%s': upload without Location", r->host);
	int rc = url_parse(from, &base, reterr);
	if (rc == 0)
		rc = url_resolve(&base, location, &next, reterr);
	/* The layer, perhaps a clear one, must not leave over a worse connection. */
	if (rc == 0 && base.tls && !next.tls)
		rc = err_set(reterr, -EACCES, "registry '%s' wants an upload without TLS", r->host);
	return rc < 0 ? rc : url_format(&next, dst, size);
}

static int start_upload(struct oci_registry *r, char *location, size_t size, struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	char url[sizeof(r->base) + 32];

	r->push = true;
	snprintf(url, sizeof(url), "%s/blobs/uploads/", r->base);
	struct http_call call = {
		.method = "POST", .url = url, .body_fd = -1, .body = SLICE_LIT("")};
	int rc = send_call(r, &call, &answer, reterr);
	if (rc == 0)
		rc = check_status(r, &answer, "upload", reterr);
	return rc < 0 ? rc : next_location(r, &answer, url, location, size, reterr);
}

static int send_piece(struct oci_registry *r, const char *method, const char *url, int fd,
	struct slice bytes, uint64_t from, uint64_t size, char *next, size_t next_size,
	struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	char range[64];
	struct http_field fields[] = {
		{"Content-Type", "application/octet-stream"}, {"Content-Range", range}};

	snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)from,
		(unsigned long long)(from + size - 1));
	struct http_call call = {.method = method,
		.url = url,
		.fields = fields,
		.field_count = next ? 2 : 1,
		.body = bytes,
		.body_fd = fd,
		.body_fd_size = size};
	int rc = send_call(r, &call, &answer, reterr);
	if (rc == 0)
		rc = check_status(r, &answer, "upload", reterr);
	if (rc == 0 && next)
		rc = next_location(r, &answer, url, next, next_size, reterr);
	return rc;
}

static int finish_url(struct buf *url, const char *location, const struct oci_digest *digest)
{
	char text[OCI_DIGEST_TEXT_SIZE];

	buf_put_str(url, location);
	put_query(url, "digest", oci_digest_text(digest, text));
	return buf_error(url);
}

int oci_registry_put_blob(struct oci_registry *r, int fd, uint64_t size,
	const struct oci_digest *digest, struct err *reterr)
{
	cleanup_with(buf_done) struct buf url = buf_init(URL_MAX + 512);
	char location[URL_MAX];
	uint64_t from = 0;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	int rc = start_upload(r, location, sizeof(location), reterr);
	while (rc == 0 && r->chunk_size && size - from > r->chunk_size) {
		rc = send_piece(r, "PATCH", location, fd, SLICE_EMPTY, from, r->chunk_size,
			location, sizeof(location), reterr);
		from += r->chunk_size;
	}
	if (rc == 0)
		rc = finish_url(&url, location, digest);
	return rc < 0 ? rc
		      : send_piece(r, "PUT", buf_str(&url), fd, SLICE_EMPTY, from, size - from,
				NULL, 0, reterr);
}

int oci_registry_put_bytes(struct oci_registry *r, struct slice bytes,
	const struct oci_digest *digest, struct err *reterr)
{
	cleanup_with(buf_done) struct buf url = buf_init(URL_MAX + 512);
	char location[URL_MAX];

	int rc = start_upload(r, location, sizeof(location), reterr);
	if (rc == 0)
		rc = finish_url(&url, location, digest);
	return rc < 0 ? rc
		      : send_piece(
				r, "PUT", buf_str(&url), -1, bytes, 0, bytes.size, NULL, 0, reterr);
}

int oci_registry_put_manifest(struct oci_registry *r, const char *name, const char *media_type,
	struct slice bytes, struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	char url[sizeof(r->base) + 160];
	struct http_field field = {"Content-Type", media_type};

	r->push = true;
	snprintf(url, sizeof(url), "%s/manifests/%.140s", r->base, name);
	struct http_call call = {.method = "PUT",
		.url = url,
		.fields = &field,
		.field_count = 1,
		.body = bytes,
		.body_fd = -1};
	int rc = send_call(r, &call, &answer, reterr);
	return rc < 0 ? rc : check_status(r, &answer, "manifest upload", reterr);
}
