/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages, signatures and keys of Alibaba Cloud's KMS instances. The messages are proto3; the few
 * fields that matter are read with the checked reader: unknown ones are skipped, of one that is there
 * twice the last counts (protobuf encoding, "Last One Wins").
 */
#include <time.h>

#include "base/enc.h"
#include "base/rd.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "crypto/pkcs12.h"
#include "fmt/json.h"

#define SERVICE "Alibaba Cloud KMS"

/* Fields of the messages. */
enum { REQUEST_NAME = 1, REQUEST_EXTENDED = 4 };
enum { VALUE_NAME = 1, VALUE_DATA = 3 };
enum { ERROR_CODE = 2, ERROR_MESSAGE = 3 };

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static int rd_varint(struct rd *r, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b;
		int e = rd_u8(r, &b);

		if (e < 0)
			return e;
		if (shift == 63 && b > 1)
			return -EBADMSG;
		v |= (uint64_t)(b & 0x7F) << shift;
		if (!(b & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

/* The next field: its number, and its bytes when it is of that type, else an empty slice. */
static int rd_field(struct rd *r, uint64_t *ret_number, bool *ret_bytes, struct slice *ret)
{
	uint64_t key, v;
	int e = rd_varint(r, &key);

	*ret = SLICE_EMPTY;
	if (e < 0)
		return e;
	*ret_number = key >> 3;
	*ret_bytes = (key & 7) == WIRE_BYTES;
	if (*ret_number == 0 || *ret_number > 0x1FFFFFFF)
		return -EBADMSG;
	switch (key & 7) {
	case WIRE_VARINT:
		return rd_varint(r, &v);
	case WIRE_64:
		return rd_skip(r, 8);
	case WIRE_32:
		return rd_skip(r, 4);
	case WIRE_BYTES:
		e = rd_varint(r, &v);
		if (e < 0)
			return e;
		return v > rd_left(r) ? -ENODATA : rd_slice(r, (size_t)v, ret);
	default: /* groups, which proto3 does not have */
		return -EBADMSG;
	}
}

struct want {
	uint64_t number;
	struct slice *to;
};

static int read_message(
	struct slice body, const struct want *want, size_t count, struct err *reterr)
{
	struct rd r = rd_init(body);

	while (!rd_end(&r)) {
		size_t at = rd_pos(&r);
		uint64_t number = 0;
		bool bytes = false;
		struct slice v;
		int e = rd_field(&r, &number, &bytes, &v);

		for (size_t i = 0; e == 0 && i < count; i++) {
			if (want[i].number != number)
				continue;
			/* All that we read is text. */
			if (!bytes || !utf8_valid(v))
				e = -EBADMSG;
			else
				*want[i].to = v;
		}
		if (e < 0)
			return err_at(reterr, -EBADMSG, at, NULL,
				SERVICE ": the answer is malformed at byte %zu", at);
	}
	return 0;
}

void aliyun_write_get(const char *name, struct buf *out)
{
	size_t size = strlen(name);

	buf_put_u8(out, REQUEST_NAME << 3 | WIRE_BYTES);
	for (size_t left = size;; left >>= 7) {
		buf_put_u8(out, (uint8_t)((left & 0x7F) | (left > 0x7F ? 0x80 : 0)));
		if (left <= 0x7F)
			break;
	}
	buf_put(out, name, size);
	buf_put_u8(out, REQUEST_EXTENDED << 3 | WIRE_VARINT);
	buf_put_u8(out, 1);
}

static bool has(struct slice s, const char *word)
{
	return s.size > 0 && memmem(s.data, s.size, word, strlen(word)) != NULL;
}

/* Codes are words, "Forbidden.ResourceNotFound"; the status alone does not tell a missing secret. */
static int read_error(int status, struct slice body, struct err *reterr)
{
	struct slice code = SLICE_EMPTY, message = SLICE_EMPTY;
	const struct want want[] = {{ERROR_CODE, &code}, {ERROR_MESSAGE, &message}};
	char text[200];

	if (read_message(body, want, ARRAY_COUNT(want), NULL) < 0)
		code = message = SLICE_EMPTY;
	snprintf(text, sizeof(text), "%.*s%s%.*s", (int)MIN(code.size, (size_t)80),
		code.size ? (const char *)code.data : "", message.size ? ": " : "",
		(int)MIN(message.size, (size_t)100),
		message.size ? (const char *)message.data : "");
	if (has(code, "Throttling"))
		return err_set(reterr, -EAGAIN, SERVICE " is busy: %s", text);
	if (has(code, "ResourceNotFound"))
		return err_set(reterr, -ENOENT, SERVICE " has no such secret: %s", text);
	return cloud_status(SERVICE, status, text, reterr);
}

int aliyun_read_value(
	int status, struct slice body, const char *name, struct buf *value, struct err *reterr)
{
	struct slice its = SLICE_EMPTY, data = SLICE_EMPTY;
	const struct want want[] = {{VALUE_NAME, &its}, {VALUE_DATA, &data}};
	int r;

	if (status != 200)
		return read_error(status >= 200 && status < 300 ? 502 : status, body, reterr);
	r = read_message(body, want, ARRAY_COUNT(want), reterr);
	if (r < 0)
		return r;
	if (its.size > 0 && !slice_eq_str(its, name))
		return err_set(reterr, -EBADMSG, SERVICE " answers with the secret %.*s for %.64s",
			(int)MIN(its.size, (size_t)64), its.size ? (const char *)its.data : "",
			name);
	/* A secret is never empty; an answer that was cut at the end of a field is. */
	if (data.size == 0)
		return err_set(reterr, -EBADMSG, SERVICE ": the answer has no SecretData");
	/* As Trustee: text as it is, also where SecretDataType says that it is base64. */
	buf_put_slice(value, data);
	return buf_error(value);
}

/* --- signing --- */

const char *aliyun_date(int64_t unix_s, char ret[ALIYUN_DATE_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = unix_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year > 8099 || tm.tm_year < 0)
		ret[0] = '\0';
	else
		snprintf(ret, ALIYUN_DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
			days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon,
			(unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
			(unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return ret;
}

/* The headers that begin with x-kms-, sorted; one has three c's on the wire. */
void aliyun_string_to_sign(
	const char *key_id, const char *api, const char *date, const char *hash, struct buf *out)
{
	buf_printf(out, "POST\n%s\napplication/x-protobuf\n%s\n", hash, date);
	buf_printf(out, "x-kms-acccesskeyid:%s\n", key_id);
	buf_printf(out, "x-kms-apiname:%s\n", api);
	buf_put_str(out, "x-kms-apiversion:dkms-gcs-0.2\n");
	buf_put_str(out, "x-kms-signaturemethod:RSA_PKCS1_SHA_256\n/");
}

/* --- the client key --- */

void aliyun_key_done(struct aliyun_key *k)
{
	pkey_free(k->key);
	*k = (struct aliyun_key){0};
}

/* The text, or what the console's file "ClientKeyPassword" has; without the end of the line. */
static int read_password(const char *text, struct buf *out, struct err *reterr)
{
	cleanup(json_decref) json_t *o = NULL;
	const char *password = text;
	int r = 0;

	if (text[0] == '{') {
		r = json_parse(slice_str(text), CLOUD_FILE_MAX, &o, reterr);
		if (r == 0)
			r = json_get_str(o, "ClientKeyPassword", &password, reterr);
	}
	if (r < 0)
		return err_wrap(reterr, r, "password");
	buf_put_str(out, password);
	while (out->size > 0 &&
		(out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r' ||
			out->data[out->size - 1] == ' '))
		out->data[--out->size] = '\0';
	if (password != text)
		explicit_bzero((void *)(uintptr_t)password, strlen(password));
	return buf_error(out);
}

int aliyun_key_read(
	struct slice json, const char *password, struct aliyun_key *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init_secret(PKCS12_SIZE_MAX);
	cleanup_with(buf_done) struct buf pass = buf_init_secret(4096);
	cleanup(json_decref) json_t *o = NULL;
	struct aliyun_key k = {0};
	const char *id = NULL;
	int r = json_parse(json, CLOUD_FILE_MAX, &o, reterr);

	if (r == 0)
		r = json_get_str(o, "KeyId", &id, reterr);
	if (r == 0 && (!cloud_printable(slice_str(id)) || str_copy(k.id, sizeof(k.id), id) < 0))
		r = err_set(reterr, -EBADMSG, "KeyId is not usable");
	if (r == 0)
		r = json_get_b64(o, "PrivateKeyData", &der, reterr);
	if (r == 0)
		r = read_password(password, &pass, reterr);
	if (r == 0)
		r = pkcs12_key(buf_slice(&der), buf_str(&pass), &k.key, reterr);
	if (r == 0 && pkey_type(k.key) != KEY_RSA)
		r = err_set(reterr, -EOPNOTSUPP, "the client key is no RSA key");
	if (r < 0) {
		aliyun_key_done(&k);
		return err_wrap(reterr, r, "client_key");
	}
	*ret = k;
	return 0;
}
