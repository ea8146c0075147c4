/* SPDX-License-Identifier: Apache-2.0 */
/* Reference values: manifests of every kind, signed and not, what is refused, and roll-outs. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/cose.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "trustee/rvps/extract.h"

#define NOW 1800000000

static struct pkey *g_key, *g_other;
static struct rvps_anchors g_anchors;

static int set_up(void **state)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);

	assert_int_equal(pkey_generate(KEY_P256, 0, &g_key), 0);
	assert_int_equal(pkey_generate(KEY_P256, 0, &g_other), 0);
	assert_int_equal(pkey_to_pem_public(g_key, &pem), 0);
	return rvps_anchors_add(&g_anchors, buf_slice(&pem), NULL);
}

static int tear_down(void **state)
{
	pkey_free(g_key);
	pkey_free(g_other);
	rvps_anchors_done(&g_anchors);
	return 0;
}

/* The records of a message, or NULL with the error in @e. */
static json_t *extract(
	const char *type, struct slice payload, const char *more, int *ret, struct err *e)
{
	cleanup_with(buf_done) struct buf message = buf_init(0);
	json_t *records = NULL;

	buf_printf(&message, "{\"version\":\"0.1.0\",\"type\":\"%s\"%s,\"payload\":\"", type, more);
	b64_encode(&message, payload, B64_STD);
	buf_put_str(&message, "\"}");
	*ret = rvps_extract(buf_slice(&message), &g_anchors, NOW, &records, e);
	return records;
}

static const json_t *value_of(const json_t *records, const char *name)
{
	const json_t *r;
	size_t i;

	json_array_foreach (records, i, r) {
		if (streq(json_string_value(json_object_get(r, "name")), name))
			return json_object_get(r, "value");
	}
	fail_msg("no value %s", name);
	return NULL;
}

static void assert_value(const json_t *records, const char *name, const char *want)
{
	cleanup(free_ptr) char *text =
		json_dumps(value_of(records, name), JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(text, want);
}

static void assert_signer(const json_t *records, const char *want)
{
	const json_t *p = json_object_get(json_array_get(records, 0), "provenance");

	assert_string_equal(json_string_value(json_object_get(p, "signer")), want);
	assert_int_equal(strlen(json_string_value(json_object_get(p, "sha256"))), 64);
}

/* --- CoRIM --- */

struct corim_options {
	int64_t until; /* 0: states none */
	bool uuid;     /* a key of a measurement */
	bool twice;    /* two measurements of one name */
	size_t name_size;
	bool no_tags;
};

static void put_digest(struct buf *out, uint8_t fill, size_t size)
{
	uint8_t bytes[64];

	memset(bytes, fill, sizeof(bytes));
	cbor_put_head(out, CBOR_ARRAY, 2);
	cbor_put_int(out, 1);
	cbor_put_bytes(out, slice_of(bytes, size));
}

static void put_measurement(struct buf *out, const struct corim_options *o, uint8_t fill)
{
	cbor_put_head(out, CBOR_MAP, 2);
	cbor_put_int(out, 0);
	if (o->uuid) {
		cbor_put_head(out, CBOR_TAG, 37);
		cbor_put_bytes(out, SLICE_LIT("\x31\xfb\x5a\xbf\x02\x3e\x49\x92\xaa\x4e\x95\xf9"
					      "\xc1\x50\x3b\xfa"));
	} else {
		cbor_put_int(out, 7);
	}
	cbor_put_int(out, 1);
	cbor_put_head(out, CBOR_MAP, 3);
	cbor_put_int(out, 2);
	cbor_put_head(out, CBOR_ARRAY, 2);
	put_digest(out, fill, 32);
	put_digest(out, (uint8_t)(fill + 1), 48);
	cbor_put_int(out, 4);
	cbor_put_head(out, CBOR_TAG, 560);
	cbor_put_bytes(out, SLICE_LIT("\1\2"));
	cbor_put_int(out, 11);
	if (o->name_size) {
		cbor_put_head(out, CBOR_TEXT, o->name_size);
		for (size_t i = 0; i < o->name_size; i++)
			buf_put_u8(out, 'n');
	} else {
		cbor_put_text(out, "bios");
	}
}

static void put_comid(struct buf *out, const struct corim_options *o)
{
	cbor_put_head(out, CBOR_MAP, 2);
	cbor_put_int(out, 1);
	cbor_put_head(out, CBOR_MAP, 1);
	cbor_put_int(out, 0);
	cbor_put_text(out, "tag");
	cbor_put_int(out, 4);
	cbor_put_head(out, CBOR_MAP, 1);
	cbor_put_int(out, 0);
	cbor_put_head(out, CBOR_ARRAY, 1);
	cbor_put_head(out, CBOR_ARRAY, 2);
	cbor_put_head(out, CBOR_MAP, 1);
	cbor_put_int(out, 0);
	cbor_put_head(out, CBOR_MAP, 2);
	cbor_put_int(out, 1);
	cbor_put_text(out, "ACME");
	cbor_put_int(out, 2);
	cbor_put_text(out, "RoadRunner");
	cbor_put_head(out, CBOR_ARRAY, o->twice ? 2 : 1);
	put_measurement(out, o, 0xAA);
	if (o->twice)
		put_measurement(out, o, 0x10);
}

static void put_corim(struct buf *out, const struct corim_options *o)
{
	cleanup_with(buf_done) struct buf comid = buf_init(0);

	put_comid(&comid, o);
	cbor_put_head(out, CBOR_TAG, 501);
	cbor_put_head(out, CBOR_MAP, 1u + !o->no_tags + (o->until != 0));
	cbor_put_int(out, 0);
	cbor_put_text(out, "manifest");
	if (!o->no_tags) {
		cbor_put_int(out, 1);
		cbor_put_head(out, CBOR_ARRAY, 1);
		cbor_put_head(out, CBOR_TAG, 506);
		cbor_put_bytes(out, buf_slice(&comid));
	}
	if (o->until) {
		cbor_put_int(out, 4);
		cbor_put_head(out, CBOR_MAP, 1);
		cbor_put_int(out, 1);
		cbor_put_head(out, CBOR_TAG, 1);
		cbor_put_int(out, o->until);
	}
}

static void sign_corim(struct buf *out, struct slice payload, const struct pkey *key,
	const char *signer, int64_t until)
{
	cleanup_with(buf_done) struct buf header = buf_init(0), meta = buf_init(0);
	cleanup_with(buf_done) struct buf text = buf_init(0), sig = buf_init(0);

	cbor_put_head(&meta, CBOR_MAP, until ? 2 : 1);
	cbor_put_int(&meta, 0);
	cbor_put_head(&meta, CBOR_MAP, 1);
	cbor_put_int(&meta, 0);
	cbor_put_text(&meta, signer);
	if (until) {
		cbor_put_int(&meta, 1);
		cbor_put_head(&meta, CBOR_MAP, 1);
		cbor_put_int(&meta, 1);
		cbor_put_head(&meta, CBOR_TAG, 1);
		cbor_put_int(&meta, until);
	}
	cbor_put_head(&header, CBOR_MAP, 3);
	cbor_put_int(&header, 1);
	cbor_put_int(&header, COSE_ES256);
	cbor_put_int(&header, 3);
	cbor_put_text(&header, "application/rim+cbor");
	cbor_put_int(&header, 8);
	cbor_put_bytes(&header, buf_slice(&meta));
	cbor_put_head(&text, CBOR_ARRAY, 4);
	cbor_put_text(&text, "Signature1");
	cbor_put_bytes(&text, buf_slice(&header));
	cbor_put_bytes(&text, SLICE_EMPTY);
	cbor_put_bytes(&text, payload);
	assert_int_equal(pkey_sign(key, SIG_ES256, buf_slice(&text), &sig), 0);
	cbor_put_head(out, CBOR_TAG, 18);
	cbor_put_head(out, CBOR_ARRAY, 4);
	cbor_put_bytes(out, buf_slice(&header));
	cbor_put_head(out, CBOR_MAP, 0);
	cbor_put_bytes(out, payload);
	cbor_put_bytes(out, buf_slice(&sig));
}

#define A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B48                                                                                \
	"abababababababababababababababababababababababababababababababababababababababab" \
	"abababababababab"

static void test_corim(void **state)
{
	cleanup_with(buf_done) struct buf plain = buf_init(0), wrapped = buf_init(0);
	const struct corim_options o = {.uuid = true, .until = NOW + 1000};
	struct err e = {0};
	int r;

	put_corim(&plain, &o);
	json_t *records = extract("corim", buf_slice(&plain), "", &r, &e);
	assert_int_equal(r, 0);
	assert_int_equal(json_array_size(records), 2);
	assert_value(records, "ACME/RoadRunner/31fb5abf-023e-4992-aa4e-95f9c1503bfa/bios/digests",
		"[\"" A32 "\",\"" B48 "\"]");
	assert_value(records, "ACME/RoadRunner/31fb5abf-023e-4992-aa4e-95f9c1503bfa/bios/raw_bytes",
		"\"0102\"");
	assert_signer(records, "");
	/* It lives as long as the manifest says. */
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(records, 0), "expiration")),
		"2027-01-15T08:16:40Z");
	json_decref(records);
	/* The tags that some tools put around. */
	cbor_put_head(&wrapped, CBOR_TAG, 500);
	cbor_put_head(&wrapped, CBOR_TAG, 502);
	buf_put_slice(&wrapped, buf_slice(&plain));
	records = extract("corim", buf_slice(&wrapped), "", &r, &e);
	assert_int_equal(r, 0);
	json_decref(records);
	for (size_t n = 0; n < plain.size; n++) {
		records = extract("corim", slice_of(plain.data, n), "", &r, NULL);
		assert_true(r < 0);
	}
	/* Two measurements of one name: either will do. */
	const struct corim_options twice = {.twice = true};
	buf_clear(&plain);
	put_corim(&plain, &twice);
	records = extract("corim", buf_slice(&plain), "", &r, &e);
	assert_int_equal(r, 0);
	assert_int_equal(
		json_array_size(value_of(records, "ACME/RoadRunner/claim7/bios/digests")), 4);
	json_decref(records);
}

static void test_corim_refused(void **state)
{
	static const struct {
		const char *name;
		struct slice bytes;
		int code;
	} rows[] = {
		{"empty", SLICE_LIT(""), -ENODATA},
		{"an integer", SLICE_LIT("\x01"), -EBADMSG},
		{"a map without tags", SLICE_LIT("\xa1\x00\x61x"), -EBADMSG},
		{"tags are no list", SLICE_LIT("\xa1\x01\x01"), -EBADMSG},
		{"no CoMID among the tags", SLICE_LIT("\xa1\x01\x80"), -EBADMSG},
		{"indefinite length", SLICE_LIT("\xbf\x01\x80\xff"), -EBADMSG},
		{"a key twice", SLICE_LIT("\xa2\x01\x80\x01\x80"), -EBADMSG},
		{"bytes behind it", SLICE_LIT("\xa1\x01\x80\x00"), -EBADMSG},
		{"CoMID is no map", SLICE_LIT("\xa1\x01\x81\xd9\x01\xfa\x41\x01"), -EBADMSG},
		{"COSE of another kind", SLICE_LIT("\xd2\x80"), -EBADMSG},
	};
	const struct corim_options late = {.until = NOW}, longer = {.name_size = 250};
	cleanup_with(buf_done) struct buf b = buf_init(0);
	struct err e = {0};
	int r;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		json_t *records = extract("corim", rows[i].bytes, "", &r, &e);

		if (r != rows[i].code)
			fail_msg("%s: %d %s", rows[i].name, r, e.text);
		assert_null(records);
	}
	put_corim(&b, &late);
	assert_null(extract("corim", buf_slice(&b), "", &r, &e));
	assert_int_equal(r, -ESTALE);
	buf_clear(&b);
	put_corim(&b, &longer);
	assert_null(extract("corim", buf_slice(&b), "", &r, &e));
	assert_int_equal(r, -E2BIG);
}

static void test_signed_corim(void **state)
{
	const struct corim_options o = {.until = NOW + 5000};
	cleanup_with(buf_done) struct buf payload = buf_init(0), good = buf_init(0);
	cleanup_with(buf_done) struct buf bad = buf_init(0);
	struct err e = {0};
	int r;

	put_corim(&payload, &o);
	sign_corim(&good, buf_slice(&payload), g_key, "ACME Ltd.", NOW + 100);
	json_t *records = extract("corim", buf_slice(&good), "", &r, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	assert_signer(records, "ACME Ltd.");
	/* The narrower validity is the signature's. */
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(records, 0), "expiration")),
		"2027-01-15T08:01:40Z");
	json_decref(records);
	sign_corim(&bad, buf_slice(&payload), g_other, "ACME Ltd.", 0);
	assert_null(extract("corim", buf_slice(&bad), "", &r, &e));
	assert_int_equal(r, -EKEYREJECTED);
	buf_clear(&bad);
	sign_corim(&bad, buf_slice(&payload), g_key, "ACME Ltd.", NOW - 1);
	assert_null(extract("corim", buf_slice(&bad), "", &r, &e));
	assert_int_equal(r, -ESTALE);
	/* No byte can be changed, none left out. */
	for (size_t i = 0; i < good.size; i++) {
		good.data[i] ^= 0x04;
		records = extract("corim", buf_slice(&good), "", &r, NULL);
		if (r == 0)
			fail_msg("accepted with byte %zu changed", i);
		good.data[i] ^= 0x04;
		assert_null(extract("corim", slice_of(good.data, i), "", &r, NULL));
	}
	/* Where signatures are required the payload alone is refused, and so are samples. */
	g_anchors.require_signed = true;
	assert_null(extract("corim", buf_slice(&payload), "", &r, &e));
	assert_int_equal(r, -EACCES);
	assert_null(extract("sample", SLICE_LIT("{\"a\":1}"), "", &r, &e));
	assert_int_equal(r, -EACCES);
	records = extract("corim", buf_slice(&good), "", &r, &e);
	assert_int_equal(r, 0);
	json_decref(records);
	g_anchors.require_signed = false;
}

/* --- SWID --- */

#define H96(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define RIM_HEAD                                                                                 \
	"<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" "     \
	"xmlns:r=\"https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-" \
	"rim-information-model/\" xmlns:h=\"http://www.w3.org/2001/04/xmlenc#sha384\">"
#define RIM_META "<Meta edition=\"GPU\" r:PlatformManufacturerStr=\"ACME-Corp Ltd\"/>"

static void test_swid(void **state)
{
	static const char good[] = RIM_HEAD RIM_META
		"<Payload><Resource type=\"Measurement\" index=\"0\" h:Hash0=\"" H96(
			"000") "\"/>"
			       "<Resource type=\"Measurement\" index=\"12\" h:Hash0=\"" H96(
				       "abc") "\" h:Hash1=\"" H96("def") "\"/><Resource type=\"Other\" index=\"3\" h:Hash0=\"x\"/></Payload>"
									 "</SoftwareIdentity>";
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{"", -EBADMSG}, {"<a/>", -EBADMSG},
		{RIM_HEAD "<Payload/></SoftwareIdentity>", -EBADMSG},
		{RIM_HEAD RIM_META "</SoftwareIdentity>", -EBADMSG},
		{RIM_HEAD "<Meta edition=\"GPU\"/><Payload/></SoftwareIdentity>", -EBADMSG},
		{RIM_HEAD RIM_META "<Payload/></SoftwareIdentity>", -EBADMSG}, /* no value */
		{RIM_HEAD RIM_META "<Payload><Resource type=\"Measurement\" h:Hash0=\"" H96(
			 "abc") "\"/></Payload></SoftwareIdentity>",
			-EBADMSG}, /* no index */
		{RIM_HEAD RIM_META "<Payload><Resource type=\"Measurement\" index=\"1\" "
				   "h:Hash0=\"abcd\"/></Payload></SoftwareIdentity>",
			-EBADMSG},
		{RIM_HEAD RIM_META
			"<Payload><Resource type=\"Measurement\" index=\"1\" h:Hash0=\"" H96(
				"xyz") "\"/></Payload></SoftwareIdentity>",
			-EBADMSG},
		{"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", -EOPNOTSUPP},
		{RIM_HEAD RIM_META "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>"
				   "<Payload/></SoftwareIdentity>",
			0}, /* any error */
	};
	struct err e = {0};
	int r;
	json_t *records = extract("swid", slice_str(good), "", &r, &e);

	if (r < 0)
		fail_msg("%s", e.text);
	assert_int_equal(json_array_size(records), 1);
	assert_value(records, "ACME_Corp_Ltd.GPU.measurement_12",
		"[\"" H96("abc") "\",\"" H96("def") "\"]");
	json_decref(records);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_null(extract("swid", slice_str(rows[i].text), "", &r, &e));
		if (rows[i].code ? r != rows[i].code : r == 0)
			fail_msg("%zu: %d %s", i, r, e.text);
	}
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_null(extract("swid", slice_of(good, n), "", &r, NULL));
}

/* --- in-toto --- */

#define STATEMENT                                                                        \
	"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"app\"," \
	"\"digest\":{\"sha256\":\"" A32 "\",\"md5\":\"00\"}}],\"predicateType\":\"x\"}"
#define PAYLOAD_TYPE "application/vnd.in-toto+json"

static void put_envelope(struct buf *out, const char *type, const char *body,
	const struct pkey *key, enum sig_alg alg)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), sig = buf_init(0);

	buf_printf(&text, "DSSEv1 %zu %s %zu ", strlen(type), type, strlen(body));
	buf_put_str(&text, body);
	assert_int_equal(alg == SIG_ES256 ? pkey_sign_der(key, alg, buf_slice(&text), &sig)
					  : pkey_sign(key, alg, buf_slice(&text), &sig),
		0);
	buf_clear(out);
	buf_printf(out, "{\"payloadType\":\"%s\",\"payload\":\"", type);
	b64_encode(out, slice_str(body), B64_STD);
	buf_put_str(out, "\",\"signatures\":[{\"keyid\":\"builder\",\"sig\":\"");
	b64_encode(out, buf_slice(&sig), B64_STD);
	buf_put_str(out, "\"}]}");
}

static void test_in_toto(void **state)
{
	cleanup_with(buf_done) struct buf b = buf_init(0);
	struct err e = {0};
	int r;

	put_envelope(&b, PAYLOAD_TYPE, STATEMENT, g_key, SIG_ES256);
	json_t *records = extract("in-toto", buf_slice(&b), "", &r, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	assert_int_equal(json_array_size(records), 1);
	assert_value(records, "app/sha256", "[\"" A32 "\"]");
	assert_signer(records, "builder");
	json_decref(records);
	for (size_t n = 0; n < b.size; n++)
		assert_null(extract("in-toto", slice_of(b.data, n), "", &r, NULL));
	put_envelope(&b, PAYLOAD_TYPE, STATEMENT, g_other, SIG_ES256);
	assert_null(extract("in-toto", buf_slice(&b), "", &r, &e));
	assert_int_equal(r, -EKEYREJECTED);
	put_envelope(&b, "text/plain", STATEMENT, g_key, SIG_ES256);
	assert_null(extract("in-toto", buf_slice(&b), "", &r, &e));
	assert_int_equal(r, -EOPNOTSUPP);
	/* Signed, but not what it should be. */
	static const char *const bodies[] = {
		"{}",
		"[]",
		"{\"_type\":\"https://in-toto.io/Statement/v1\"}",
		"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{}}]}",
		"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"a\"}]}",
		"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"a\","
		"\"digest\":{\"sha256\":\"AB\"}}]}",
		"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"a\","
		"\"digest\":{\"md5\":\"00\"}}]}", /* nothing strong enough */
		"{\"_type\":\"layout\",\"steps\":[]}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		put_envelope(&b, PAYLOAD_TYPE, bodies[i], g_key, SIG_ES256);
		if (extract("in-toto", buf_slice(&b), "", &r, &e))
			fail_msg("accepted: %s", bodies[i]);
		assert_true(r == -EBADMSG || r == -EOPNOTSUPP);
	}
	/* The unsigned statement itself, an envelope without signatures. */
	assert_null(extract("in-toto", SLICE_LIT(STATEMENT), "", &r, &e));
	assert_int_equal(r, -EBADMSG);
	assert_null(extract("in-toto",
		SLICE_LIT("{\"payloadType\":\"" PAYLOAD_TYPE "\",\"payload\":\"e30\","
			  "\"signatures\":[]}"),
		"", &r, &e));
	assert_int_equal(r, -EKEYREJECTED);
}

/* A link with signatures beside it: canonical JSON, signature in hex, Ed25519 and RSA. */
static void test_link(void **state)
{
	static const char canonical[] = "{\"_type\":\"link\",\"byproducts\":{\"n\":-3,\"t\":\"a"
					"\\\"b\\\\c\n\"},\"name\":\"build\",\"products\":{\"out/app"
					"\":{\"sha256\":\"" A32 "\"}}}";
	static const char written[] =
		"{\"products\": {\"out/app\": {\"sha256\": \"" A32 "\"}}, "
		"\"name\": \"build\", \"byproducts\": {\"t\": \"a\\\"b\\\\c\\n\", "
		"\"n\": -3}, \"_type\": \"link\"}";
	static const enum key_type types[] = {KEY_ED25519, KEY_RSA};

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		cleanup(pkey_free) struct pkey *k = NULL;
		cleanup_with(buf_done) struct buf pem = buf_init(0), sig = buf_init(0);
		cleanup_with(buf_done) struct buf b = buf_init(0);
		struct err e = {0};
		int r;

		assert_int_equal(pkey_generate(types[i], 2048, &k), 0);
		assert_int_equal(pkey_to_pem_public(k, &pem), 0);
		assert_int_equal(rvps_anchors_add(&g_anchors, buf_slice(&pem), NULL), 0);
		assert_int_equal(pkey_sign(k, types[i] == KEY_RSA ? SIG_PS256 : SIG_EDDSA,
					 slice_str(canonical), &sig),
			0);
		buf_put_str(&b, "{\"signatures\":[{\"keyid\":\"\",\"sig\":\"");
		hex_encode(&b, buf_slice(&sig));
		buf_printf(&b, "\"}],\"signed\":%s}", written);
		json_t *records = extract("in-toto", buf_slice(&b), "", &r, &e);
		if (r < 0)
			fail_msg("%s", e.text);
		assert_value(records, "build/out/app/sha256", "[\"" A32 "\"]");
		json_decref(records);
		/* Another product. */
		char *at = strstr((char *)b.data, "out/app");
		at[0] = 'p';
		assert_null(extract("in-toto", buf_slice(&b), "", &r, &e));
		assert_int_equal(r, -EKEYREJECTED);
	}
}

/* --- messages and roll-outs --- */

static json_t *apply(json_t *records, const char *type, const char *payload, const char *more,
	int64_t now, int want)
{
	struct err e = {0};
	json_t *changes, *out = NULL;
	int r;

	changes = extract(type, slice_str(payload), more, &r, &e);
	assert_int_equal(r, 0);
	r = rvps_apply(records, changes, now, &out, &e);
	if (r != want)
		fail_msg("%d %s", r, e.text);
	json_decref(changes);
	if (r < 0)
		return records;
	json_decref(records);
	return out;
}

static void assert_counts(const json_t *records, const char *name, int64_t now, const char *want)
{
	cleanup(rvps_snapshot_free) struct rvps_snapshot *s = rvps_snapshot_new(records);
	bool expired = false;
	const json_t *v = rvps_query(s, name, now, &expired);
	cleanup(free_ptr) char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (want)
		assert_string_equal(text ? text : "none", want);
	else
		assert_null(v);
}

static void test_roll_out(void **state)
{
	static const char until[] = ",\"expiration\":\"2027-01-15T08:10:00Z\""; /* NOW + 600 */
	static const char later[] =
		",\"stage\":true,\"expiration\":\"2027-01-15T08:20:00Z\""; /* NOW + 1200 */
	json_t *records = json_array();

	/* Nothing there to stand beside: it counts at once. */
	records = apply(records, "sample", "{\"svn\":[\"1\",\"2\"]}", ",\"stage\":true", NOW, 0);
	assert_counts(records, "svn", NOW, "[\"1\",\"2\"]");
	records = apply(records, "promote", "[\"svn\"]", "", NOW, -ENOENT);
	records = apply(records, "sample", "{\"svn\":[\"1\",\"2\"]}", until, NOW, 0);
	records = apply(records, "sample", "{\"svn\":[\"2\",\"3\"]}", later, NOW, 0);
	assert_counts(records, "svn", NOW, "[\"1\",\"2\",\"3\"]");
	/* The old one expires first; then both have. */
	assert_counts(records, "svn", NOW + 601, "[\"2\",\"3\"]");
	assert_counts(records, "svn", NOW + 1201, NULL);
	/* Staged again: the first attempt is replaced. */
	records = apply(records, "sample", "{\"svn\":[\"4\"]}", later, NOW, 0);
	assert_counts(records, "svn", NOW, "[\"1\",\"2\",\"4\"]");
	json_t *copy = json_deep_copy(records);
	records = apply(records, "promote", "[\"svn\"]", "", NOW, 0);
	assert_counts(records, "svn", NOW, "[\"4\"]");
	copy = apply(copy, "withdraw", "[\"svn\"]", "", NOW, 0);
	assert_counts(copy, "svn", NOW, "[\"1\",\"2\"]");
	json_decref(copy);
	/* A plain registration ends a roll-out. */
	records = apply(records, "sample", "{\"svn\":[\"5\"]}", later, NOW, 0);
	records = apply(records, "sample", "{\"svn\":[\"6\"]}", "", NOW, 0);
	assert_counts(records, "svn", NOW, "[\"6\"]");
	/* Numbers have no two values. */
	records = apply(records, "sample", "{\"min\":5}", "", NOW, 0);
	records = apply(records, "sample", "{\"min\":6}", ",\"stage\":true", NOW, -EINVAL);
	assert_counts(records, "min", NOW, "5");
	json_decref(records);
}

static void test_messages(void **state)
{
	static const struct {
		const char *message;
		int code;
	} rows[] = {
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"{\"type\":\"sample\"}", -EBADMSG},
		{"{\"payload\":\"e30\"}", -EBADMSG},
		{"{\"type\":\"sample\",\"payload\":\"e30\"}", 0}, /* nothing to do */
		{"{\"type\":\"sample\",\"payload\":\"%\"}", -EBADMSG},
		{"{\"type\":\"sample\",\"payload\":5}", -EBADMSG},
		{"{\"type\":\"other\",\"payload\":\"e30\"}", -EOPNOTSUPP},
		{"{\"version\":\"0.2.0\",\"type\":\"sample\",\"payload\":\"e30\"}", -EOPNOTSUPP},
		{"{\"type\":\"promote\",\"payload\":\"W10\"}", -EBADMSG},  /* [] */
		{"{\"type\":\"promote\",\"payload\":\"WzVd\"}", -EBADMSG}, /* [5] */
		{"{\"type\":\"sample\",\"type\":\"sample\",\"payload\":\"e30\"}", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		json_t *records = NULL;
		struct err e = {0};
		int r = rvps_extract(slice_str(rows[i].message), NULL, NOW, &records, &e);

		if (r != rows[i].code)
			fail_msg("%s: %d %s", rows[i].message, r, e.text);
		assert_int_equal(json_array_size(records), 0);
		json_decref(records);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corim),
		cmocka_unit_test(test_corim_refused),
		cmocka_unit_test(test_signed_corim),
		cmocka_unit_test(test_swid),
		cmocka_unit_test(test_in_toto),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_roll_out),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
