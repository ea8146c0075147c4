/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 without a token: URIs, and the padding that is removed here. Tokens: kbs-pkcs11.py. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/oaep.h"
#include "fmt/tpm_sign.h"
#include "trustee/hsm/p11.h"
#include "trustee/hsm/tpm_key.h"

#define MODULE "?module-path=/m.so"

static void test_uri(void **state)
{
	struct p11_uri u;

	assert_int_equal(
		p11_uri_parse("pkcs11:token=My%20token%3b;manufacturer=M;serial=S%2f1;model=X;"
			      "object=the-key;id=%00%01%ff;type=private"
			      "?pin-source=file:///run/pin%20file&module-path=/usr/lib/m.so",
			&u, NULL),
		0);
	assert_string_equal(u.token.label, "My token;");
	assert_string_equal(u.token.manufacturer, "M");
	assert_string_equal(u.token.serial, "S/1");
	assert_string_equal(u.token.model, "X");
	assert_string_equal(u.key.label, "the-key");
	assert_int_equal(u.key.id_size, 3);
	assert_memory_equal(u.key.id, "\0\x01\xff", 3);
	assert_string_equal(u.module, "/usr/lib/m.so");
	assert_string_equal(u.pin_source, "/run/pin file");
	assert_int_equal(p11_uri_parse("pkcs11:id=%01" MODULE "&pin-source=/p", &u, NULL), 0);
	assert_string_equal(u.pin_source, "/p");
	assert_string_equal(u.token.label, "");
	assert_int_equal(
		p11_uri_parse("pkcs11:object=k" MODULE "&pin-source=file:/p", &u, NULL), 0);
	assert_string_equal(u.pin_source, "/p");
}

static void test_uri_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "starts with"},
		{"pkcs12:object=k", "starts with"},
		{"pkcs11:", "object or id"},
		{"pkcs11:token=t" MODULE, "object or id"},
		{"pkcs11:object=k", "module-path"},
		{"pkcs11:object=k?module-path=m.so", "absolute"},
		{"pkcs11:object=k" MODULE "&pin-source=|cmd", "pin-source"},
		{"pkcs11:object=k" MODULE "&pin-source=http://x", "pin-source"},
		/* A PIN has no place in a configuration that all processes see. */
		{"pkcs11:object=k" MODULE "&pin-value=1234", "pin-value"},
		{"pkcs11:object=k;object=l" MODULE, "twice"},
		{"pkcs11:object=k;" MODULE, NULL}, /* a separator too many is harmless */
		{"pkcs11:object=" MODULE, "no value"},
		{"pkcs11:object" MODULE, "no value"},
		{"pkcs11:object=k;slot-id=1" MODULE, "slot-id"},
		{"pkcs11:object=k;x-vendor=1" MODULE, "x-vendor"},
		{"pkcs11:object=k;type=public" MODULE, "type"},
		{"pkcs11:object=%zz" MODULE, "malformed"},
		{"pkcs11:object=%0" MODULE, "malformed"},
		{"pkcs11:object=%00" MODULE, "malformed"},
		{"pkcs11:object=%ff" MODULE, "malformed"},
	};
	struct p11_uri u;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err e = {0};
		int r = p11_uri_parse(rows[i].text, &u, &e);

		if (rows[i].says ? r == 0 || !strstr(e.text, rows[i].says) : r != 0)
			fail_msg("%s: %d \"%s\"", rows[i].text, r, e.text);
	}
}

/* No prefix of a good one reads outside it, and none is taken for the whole. */
static void test_uri_truncated(void **state)
{
	static const char whole[] = "pkcs11:token=t;object=k;id=%01%02?module-path=/m.so";
	const size_t enough = strlen("pkcs11:token=t;object=k;id=%01%02?module-path=/");
	struct p11_uri u;

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		char *part = strndup(whole, n);

		/* The path of the module may be any that starts so. */
		assert_int_equal(p11_uri_parse(part, &u, NULL), n >= enough ? 0 : -EINVAL);
		free(part);
	}
}

static const struct {
	enum hash_alg hash;
	const char *block, *message;
} g_blocks[] = {
	/* RSA of 1024 bits, made with python3-cryptography and decrypted without padding */
	{HASH_SHA256,
		"008c290c60c56afadfe533a853cfd2a40e03eb4f5e50779f50e930186125bb6e"
		"6675310855ab6f0204f55511bebfca141a3fd9d183f0ae63f4bf0d055fa6ec26"
		"1b469d19dbfaaf9e6db701870c3eabc6b9cbe4a869d33f5edbe12f4e0aac657a"
		"1c7b12ef8be8af9a7a1210ee5ddca4d9052868f18ec66bf7f4253d43554af5ff",
		"golden"},
	{HASH_SHA1,
		"00e7a52455d2557d253466e87ed10201c4e0dc68e8d902fb506f5c0590800b84"
		"bfa9ac91b87dc5bc2a6da558bcea5fcca9041eecb99ef280a66b55cbf495ce4c"
		"48419410559282a842f734d7e2ec49c6960a00b27b878ea253e8ce97e61ecda4"
		"503876442dee22ba372704ac70655a091778814d8fda1266acbe667515776e58",
		""},
};

static int decode(enum hash_alg hash, struct slice block, struct buf *out)
{
	buf_clear(out);
	return oaep_decode(hash, block, out);
}

static void test_oaep(void **state)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(0);

	for (size_t i = 0; i < ARRAY_COUNT(g_blocks); i++) {
		cleanup_with(buf_done) struct buf block = buf_init(0);
		enum hash_alg hash = g_blocks[i].hash, other;
		size_t message = strlen(g_blocks[i].message);

		other = hash == HASH_SHA1 ? HASH_SHA256 : HASH_SHA1;
		assert_int_equal(hex_decode(&block, slice_str(g_blocks[i].block)), 0);
		assert_int_equal(decode(hash, buf_slice(&block), &out), 0);
		assert_string_equal(buf_str(&out), g_blocks[i].message);
		assert_int_equal(decode(other, buf_slice(&block), &out), -EBADMSG);
		for (size_t n = 0; n < block.size; n++)
			assert_int_equal(decode(hash, slice_of(block.data, n), &out), -EBADMSG);
		/* Every bit but the message's: a changed mask spoils the label's hash. */
		for (size_t n = 0; n < (block.size - message) * 8; n++) {
			block.data[n / 8] ^= (uint8_t)(1 << n % 8);
			assert_int_equal(decode(hash, buf_slice(&block), &out), -EBADMSG);
			block.data[n / 8] ^= (uint8_t)(1 << n % 8);
		}
	}
	assert_int_equal(oaep_decode(HASH_NONE, SLICE_LIT("x"), &out), -EOPNOTSUPP);
}

static void test_no_module(void **state)
{
	const struct p11_token token = {0};
	struct p11 *p = NULL;
	struct err e = {0};

	assert_int_equal(p11_load("/nonexistent.so", &token, SLICE_EMPTY, &p, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent.so"));
	assert_int_equal(p11_load("/etc/passwd", &token, SLICE_EMPTY, &p, &e), -ENOEXEC);
	assert_null(p);
}

static void test_tpm_uri(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"tpm2:handle=0x81000010", "starts with"},
		{"tpm:", "either handle or file"},
		{"tpm:device=/dev/tpm0", "either handle or file"},
		{"tpm:handle=0x81000010;file=/k", "either handle or file"},
		{"tpm:handle=0x80000010", "0x81"},
		{"tpm:handle=81000010", "0x81"},
		{"tpm:handle=0x8100001", "0x81"},
		{"tpm:handle=0x810000100", "0x81"},
		{"tpm:handle=0x8100001g", "0x81"},
		{"tpm:handle=", "empty"},
		{"tpm:handle=0x81000010;handle=0x81000011", "twice"},
		{"tpm:file=k", "absolute"},
		{"tpm:file=/k;pin-source=p", "absolute"},
		{"tpm:file=/k;pin-value=1", "pin-value"},
	};
	struct tpm_uri u;

	assert_int_equal(tpm_uri_parse("tpm:handle=0x81000010", &u, NULL), 0);
	assert_int_equal(u.handle, 0x81000010);
	assert_string_equal(u.device, "/dev/tpmrm0");
	assert_int_equal(
		tpm_uri_parse("tpm:file=/k.tss;device=unix:/run/s;pin-source=/p", &u, NULL), 0);
	assert_int_equal(u.handle, 0);
	assert_string_equal(u.file, "/k.tss");
	assert_string_equal(u.device, "unix:/run/s");
	assert_string_equal(u.pin_source, "/p");
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct err e = {0};

		if (tpm_uri_parse(bad[i].text, &u, &e) != -EINVAL || !strstr(e.text, bad[i].says))
			fail_msg("%s: \"%s\"", bad[i].text, e.text);
	}
}

/* By hand: OID, emptyAuth, the owner as parent, TPM2B_PUBLIC and TPM2B_PRIVATE of two bytes each. */
#define KEY_FILE                                       \
	"\x30\x1f\x06\x06\x67\x81\x05\x0a\x01\x03"     \
	"\xa0\x03\x01\x01\xff\x02\x04\x40\x00\x00\x01" \
	"\x04\x04\x00\x02\xaa\xbb\x04\x04\x00\x02\xcc\xdd"
#define KEY_FILE_SIZE 33

static void test_tpm_key_file(void **state)
{
	static const struct {
		size_t at;
		char byte;
		int want;
	} bad[] = {
		{9, 4, -EOPNOTSUPP},	       /* an importable key */
		{10, (char)0xa1, -EOPNOTSUPP}, /* a policy */
		{14, 1, -EBADMSG},	       /* neither true nor false */
		{17, (char)0x41, -EOPNOTSUPP}, /* another parent */
		{24, 3, -EBADMSG},	       /* sizes that are not those of what follows */
		{24, 1, -EBADMSG},
		{30, 3, -EBADMSG},
		{21, 5, -EBADMSG},
		{1, 0x1e, -EBADMSG},
		{15, 4, -EBADMSG},
	};
	struct slice whole = slice_of(KEY_FILE, KEY_FILE_SIZE);
	struct tpm_key_file f;
	uint8_t copy[KEY_FILE_SIZE + 1];

	assert_int_equal(tpm_key_file_parse(whole, &f, NULL), 0);
	assert_int_equal(f.parent, TPM_RH_OWNER);
	assert_true(f.empty_auth);
	assert_true(slice_eq(f.public, slice_of("\0\x02\xaa\xbb", 4)));
	assert_true(slice_eq(f.private, slice_of("\0\x02\xcc\xdd", 4)));
	for (size_t n = 0; n < KEY_FILE_SIZE; n++)
		assert_true(tpm_key_file_parse(slice_of(KEY_FILE, n), &f, NULL) < 0);
	memcpy(copy, KEY_FILE, KEY_FILE_SIZE);
	copy[KEY_FILE_SIZE] = 0;
	assert_int_equal(tpm_key_file_parse(slice_of(copy, sizeof(copy)), &f, NULL), -EBADMSG);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		uint8_t old = copy[bad[i].at];
		int r;

		copy[bad[i].at] = (uint8_t)bad[i].byte;
		r = tpm_key_file_parse(slice_of(copy, KEY_FILE_SIZE), &f, NULL);
		if (bad[i].want == -EBADMSG ? r >= 0 : r != bad[i].want)
			fail_msg("byte %zu: %d", bad[i].at, r);
		copy[bad[i].at] = old;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uri),
		cmocka_unit_test(test_uri_refused),
		cmocka_unit_test(test_uri_truncated),
		cmocka_unit_test(test_oaep),
		cmocka_unit_test(test_no_module),
		cmocka_unit_test(test_tpm_uri),
		cmocka_unit_test(test_tpm_key_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
