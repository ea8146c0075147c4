/* SPDX-License-Identifier: Apache-2.0 */
/* What the parsers of quotes, TCB statements, PCK extensions and collateral refuse, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "evidence/collateral.h"
#include "evidence/dcap_tcb.h"
#include "fmt/der.h"
#include "fmt/json.h"
#include "support/dcap_sim.h"
#include "support/dcap_sim_pki.h"

static void test_quote_fields(void **state)
{
	static const struct {
		unsigned version, body;
		size_t at;
		uint8_t value;
		int want;
	} rows[] = {
		{4, 2, 0, 2, -EOPNOTSUPP},		     /* version below */
		{4, 2, 0, 6, -EOPNOTSUPP},		     /* version above */
		{4, 2, 2, 3, -EOPNOTSUPP},		     /* ECDSA P-384 */
		{4, 2, 4, 0x82, -EOPNOTSUPP},		     /* TEE type */
		{4, 2, 4, 0x00, -ENODATA},		     /* SGX: the sizes then lie elsewhere */
		{5, 3, 48, 4, -EOPNOTSUPP},		     /* body type */
		{5, 3, 48, 1, -EOPNOTSUPP},		     /* an enclave's body in a TDX quote */
		{5, 3, 48, 2, -EBADMSG},		     /* TDX 1.0 with the size of 1.5 */
		{5, 3, 50, 0x87, -EBADMSG},		     /* body size */
		{4, 2, 48 + 584 + 3, 1, -ENODATA},	     /* signature data far too large */
		{4, 2, 48 + 584 + 4 + 128, 5, -EOPNOTSUPP},  /* outer certification data */
		{4, 2, 48 + 584 + 4 + 130 + 3, 1, -ENODATA}, /* its size */
		{3, 1, 48 + 384 + 4 + 128 + 384 + 64 + 2 + 0, 9, -EOPNOTSUPP}, /* inner type */
	};
	struct dcap_sim *sim = dcap_sim_new(NULL);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct dcap_sim_report r = {
			.version = rows[i].version, .body_type = rows[i].body};
		cleanup_with(buf_done) struct buf quote = buf_init(0);
		struct sgx_quote q;
		struct err e = {0};
		assert_int_equal(dcap_sim_quote(sim, &r, &quote), 0);
		assert_int_equal(sgx_quote_parse(buf_slice(&quote), &q, NULL), 0);
		quote.data[rows[i].at] = rows[i].value;
		int got = sgx_quote_parse(buf_slice(&quote), &q, &e);
		if (got != rows[i].want)
			fail_msg("row %zu: %d %s", i, got, e.text);
		assert_int_equal(e.code, got);
	}
	cleanup_with(buf_done) struct buf huge = buf_init(0);
	struct sgx_quote q;
	buf_put_zero(&huge, SGX_QUOTE_SIZE_MAX + 1);
	assert_int_equal(sgx_quote_parse(buf_slice(&huge), &q, NULL), -E2BIG);
	dcap_sim_free(sim);
}

/* @text with the first @from replaced by @to. */
static void edit(const char *text, const char *from, const char *to, struct buf *out)
{
	const char *at = strstr(text, from);
	if (!at)
		fail_msg("\"%s\" is not in the text", from);
	buf_put(out, text, (size_t)(at - text));
	buf_put_str(out, to);
	buf_put_str(out, at + strlen(from));
}

static void get_body(bool tdx, bool identity, bool v2, struct buf *out)
{
	cleanup(dcap_sim_free) struct dcap_sim *sim =
		dcap_sim_new(&(struct dcap_sim_options){.tcb_info_v2 = v2});
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();
	uint8_t signature[64];
	struct slice item, body;
	char key[64];

	assert_int_equal(dcap_sim_publish(sim, store), 0);
	snprintf(key, sizeof(key), identity ? "intel/%s/qe" : "intel/%s/tcb/d0c06f000001",
		tdx ? "tdx" : "sgx");
	assert_int_equal(collateral_get(collateral_store_provider(store), key, &item), 0);
	assert_int_equal(tcb_split_signed(item, identity ? "enclaveIdentity" : "tcbInfo", &body,
				 signature, NULL),
		0);
	buf_put_slice(out, body);
}

static void test_tcb_info(void **state)
{
	static const struct {
		const char *from, *to;
		int want;
	} rows[] = {
		{"\"version\":3", "\"version\":4", -EOPNOTSUPP},
		{"\"version\":3", "\"version\":1", -EOPNOTSUPP},
		{"\"version\":3", "\"version\":\"3\"", -EBADMSG},
		{"\"id\":\"TDX\"", "\"id\":\"NDX\"", -EOPNOTSUPP},
		{"\"id\":\"TDX\",", "", -EBADMSG},
		{"\"issueDate\":\"2", "\"issueDate\":\"x2", -EBADMSG},
		{"\"nextUpdate\"", "\"nextupdate\"", -EBADMSG},
		{"\"fmspc\":\"d0", "\"fmspc\":\"d", -EBADMSG},
		{"\"pceId\":\"0000\"", "\"pceId\":\"00000\"", -EBADMSG},
		{"\"tcbType\":0", "\"tcbType\":1", -EBADMSG},
		{"\"tdxModule\":", "\"tdxmodule\":", -EBADMSG},
		{"\"id\":\"TDX_01\"", "\"id\":\"TDX_00\"", -EBADMSG},
		{"\"id\":\"TDX_01\"", "\"id\":\"TDX_1\"", -EBADMSG},
		{"\"id\":\"TDX_01\"", "\"id\":\"TDX_zz\"", -EBADMSG},
		{"\"attributesMask\":\"FF", "\"attributesMask\":\"F", -EBADMSG},
		{"\"isvsvn\":5", "\"isvsvn\":65536", -EBADMSG},
		{"\"isvsvn\":5", "\"isvsvn\":-1", -EBADMSG},
		{"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"NotSupported\"", -EOPNOTSUPP},
		{"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"uptodate\"", -EOPNOTSUPP},
		{"\"advisoryIDs\":[\"", "\"advisoryIDs\":[7,\"", -EBADMSG},
		{"\"advisoryIDs\":[\"INTEL-SA-00998\"]", "\"advisoryIDs\":\"INTEL\"", -EBADMSG},
		{"\"sgxtcbcomponents\":[{\"svn\":5},", "\"sgxtcbcomponents\":[", -EBADMSG},
		{"\"tdxtcbcomponents\":[{\"svn\":5}", "\"tdxtcbcomponents\":[{\"svn\":256}",
			-EBADMSG},
		{"\"pcesvn\":5", "\"pcesvn\":70000", -EBADMSG},
		{"\"pcesvn\":5", "\"pcesvn\":5,\"pcesvn\":4", -EBADMSG}, /* twice */
		{"\"tcbLevels\":[{\"tcb\":{\"sgx", "\"tcbLevels\":[],\"x\":[{\"tcb\":{\"sgx",
			-EBADMSG},
	};
	cleanup_with(buf_done) struct buf body = buf_init(0), old = buf_init(0);
	struct tcb_info *info = NULL;

	get_body(true, false, false, &body);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		struct err e = {0};
		edit(buf_str(&body), rows[i].from, rows[i].to, &text);
		int got = tcb_info_parse(buf_slice(&text), &info, &e);
		if (got != rows[i].want)
			fail_msg("row %zu: %d %s", i, got, e.text);
	}
	for (size_t n = 0; n < body.size; n++)
		assert_true(tcb_info_parse(slice_of(body.data, n), &info, NULL) < 0);
	/* Version 2 names components one by one. */
	get_body(false, false, true, &old);
	assert_int_equal(tcb_info_parse(buf_slice(&old), &info, NULL), 0);
	assert_int_equal(info->version, 2);
	assert_false(info->is_tdx);
	assert_int_equal(info->levels.at[1].sgx[15], 3);
	tcb_info_free(info);
	cleanup_with(buf_done) struct buf text = buf_init(0);
	edit(buf_str(&old), "sgxtcbcomp16svn", "sgxtcbcomp17svn", &text);
	assert_int_equal(tcb_info_parse(buf_slice(&text), &info, NULL), -EBADMSG);
}

static void test_identity(void **state)
{
	static const struct {
		const char *from, *to;
		int want;
	} rows[] = {
		{"\"version\":2", "\"version\":3", -EOPNOTSUPP},
		{"\"id\":\"TD_QE\"", "\"id\":\"QVE\"", -EOPNOTSUPP},
		{"\"id\":\"TD_QE\",", "", -EBADMSG},
		{"\"miscselect\":\"00", "\"miscselect\":\"", -EBADMSG},
		{"\"attributes\":\"11", "\"attributes\":\"1g", -EBADMSG},
		{"\"mrsigner\":\"a5", "\"mrsigner\":\"", -EBADMSG},
		{"\"isvprodid\":2", "\"isvprodid\":99999", -EBADMSG},
		{"\"tcbLevels\":", "\"tcblevels\":", -EBADMSG},
	};
	cleanup_with(buf_done) struct buf body = buf_init(0);
	struct qe_identity *id = NULL;

	get_body(true, true, false, &body);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		struct err e = {0};
		edit(buf_str(&body), rows[i].from, rows[i].to, &text);
		int got = qe_identity_parse(buf_slice(&text), &id, &e);
		if (got != rows[i].want)
			fail_msg("row %zu: %d %s", i, got, e.text);
	}
	for (size_t n = 0; n < body.size; n++)
		assert_true(qe_identity_parse(slice_of(body.data, n), &id, NULL) < 0);
	/* Version 1: one number, and what is below it is out of date. */
	static const char v1[] =
		"{\"version\":1,\"issueDate\":\"2018-10-04T11:10:45Z\",\"nextUpdate\":"
		"\"2019-06-21T12:36:02Z\",\"miscselect\":\"00000000\",\"miscselectMask\":"
		"\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\","
		"\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":"
		"\"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF\","
		"\"isvprodid\":1,\"isvsvn\":2}";
	assert_int_equal(qe_identity_parse(slice_str(v1), &id, NULL), 0);
	assert_int_equal(id->levels.at[0].isv_svn, 2);
	assert_int_equal(id->levels.at[1].status, TCB_OUT_OF_DATE);
	assert_false(id->is_tdx);
	qe_identity_free(id);
}

static void test_signed_documents(void **state)
{
	char hex[129];
	static const char *const bad[] = {
		"", "[]", "{}", "{\"tcbInfo\":{}}", "{\"signature\":\"%s\"}",
		"{\"tcbInfo\":[],\"signature\":\"%s\"}", "{\"tcbInfo\":{},\"signature\":\"00\"}",
		"{\"tcbInfo\":{},\"signature\":\"%sff\"}",
		"{\"tcbInfo\":{},\"signature\":\"%s\",\"more\":1}",
		"{\"tcbInfo\":{},\"tcbInfo\":{},\"signature\":\"%s\"}",
		"{\"tcb\\u0049nfo\":{},\"signature\":\"%s\"}", /* the same name, but not its bytes
								*/
	};
	static const char *const good[] = {
		"{\"tcbInfo\":{\"a\":\"}\\\"{\",\"b\":[1,{}]},\"signature\":\"%s\"}",
		" { \"signature\" : \"%s\" ,\n\"tcbInfo\" : {\"a\":\"}\\\"{\",\"b\":[1,{}]} } ",
	};
	uint8_t signature[64];
	struct slice body;

	memset(hex, 'a', 128);
	hex[128] = 0;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		const char *at = strstr(bad[i], "%s");
		buf_put(&text, bad[i], at ? (size_t)(at - bad[i]) : strlen(bad[i]));
		if (at) {
			buf_put_str(&text, hex);
			buf_put_str(&text, at + 2);
		}
		assert_int_equal(
			tcb_split_signed(buf_slice(&text), "tcbInfo", &body, signature, NULL),
			-EBADMSG);
	}
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		const char *at = strstr(good[i], "%s");
		buf_put(&text, good[i], (size_t)(at - good[i]));
		buf_put_str(&text, hex);
		buf_put_str(&text, at + 2);
		assert_int_equal(
			tcb_split_signed(buf_slice(&text), "tcbInfo", &body, signature, NULL), 0);
		assert_true(slice_eq_str(body, "{\"a\":\"}\\\"{\",\"b\":[1,{}]}"));
		assert_int_equal(signature[63], 0xAA);
	}
}

static void test_pck_extension(void **state)
{
	cleanup_with(buf_done) struct buf good = buf_init(0);
	static const uint8_t ppid[16] = {7}, fmspc[6] = {9};
	struct pck_info info;

	sim_sgx_extension(5, ppid, fmspc, &good);
	assert_int_equal(pck_info_parse(buf_slice(&good), &info, NULL), 0);
	assert_int_equal(info.tcb[15], 5);
	assert_int_equal(info.pce_svn, 5);
	assert_int_equal(info.sgx_type, 1);
	assert_true(info.dynamic_platform && !info.cached_keys && info.smt_enabled);
	for (size_t n = 0; n < good.size; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		memcpy(copy, good.data, n);
		assert_true(pck_info_parse(slice_of(copy, n), &info, NULL) < 0);
		free(copy);
	}
	/*
	 * Flipped bytes are refused or change what is said; but for the OID of cached_keys, which
	 * is false and then absent.
	 */
	size_t unnoticed = 0;
	for (size_t i = 0; i < good.size; i++) {
		struct pck_info other = {0};
		good.data[i] ^= 0x10;
		if (pck_info_parse(buf_slice(&good), &other, NULL) == 0)
			unnoticed += memcmp(&other, &info, sizeof(info)) == 0;
		good.data[i] ^= 0x10;
	}
	assert_true(unnoticed <= 11);
	buf_put_u8(&good, 0);
	assert_int_equal(pck_info_parse(buf_slice(&good), &info, NULL), -EBADMSG);
}

static void test_der(void **state)
{
	static const struct {
		struct slice in;
		int want;
	} rows[] = {
		{SLICE_LIT("\x04\x01\x41"), 0}, {SLICE_LIT("\x04\x00"), 0},
		{SLICE_LIT(""), -ENODATA}, {SLICE_LIT("\x04"), -ENODATA},
		{SLICE_LIT("\x04\x02\x41"), -ENODATA},
		{SLICE_LIT("\x04\x81\x01\x41"), -EBADMSG}, /* longer form than needed */
		{SLICE_LIT("\x04\x82\x00\x81"), -EBADMSG}, /* leading zero */
		{SLICE_LIT("\x04\x80\x00\x00"), -EBADMSG}, /* indefinite */
		{SLICE_LIT("\x04\x85\x01\x01\x01\x01\x01"), -EBADMSG},
		{SLICE_LIT("\x1f\x01\x41"), -EBADMSG}, /* tag of several bytes */
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct rd r = rd_init(rows[i].in);
		struct slice content;
		uint8_t tag;
		assert_int_equal(der_next(&r, &tag, &content), rows[i].want);
		if (rows[i].want < 0)
			assert_int_equal(rd_pos(&r), 0);
	}
	uint64_t n = 0;
	bool b;
	assert_int_equal(der_uint(SLICE_LIT("\0\xff"), 255, &n), 0);
	assert_int_equal(n, 255);
	assert_int_equal(der_uint(SLICE_LIT("\0\xff"), 254, &n), -ERANGE);
	assert_int_equal(der_uint(SLICE_LIT("\xff"), 255, &n), -EBADMSG);   /* negative */
	assert_int_equal(der_uint(SLICE_LIT("\0\x7f"), 255, &n), -EBADMSG); /* not shortest */
	assert_int_equal(der_uint(SLICE_LIT(""), 255, &n), -EBADMSG);
	assert_int_equal(der_uint(SLICE_LIT("\1\1\1\1\1\1\1\1\1"), UINT64_MAX, &n), -ERANGE);
	assert_int_equal(der_bool(SLICE_LIT("\1"), &b), -EBADMSG);
	assert_int_equal(der_bool(SLICE_LIT("\xff"), &b), 0);
}

static void test_collateral_store(void **state)
{
	static const char *const bad[] = {
		"", "/", "a/", "/a", "a//b", "A", "a b", "../a", "a/../b", "a/.b", "a\\b"};
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	struct slice item;
	char key[COLLATERAL_KEY_SIZE + 8];

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_false(collateral_key_valid(bad[i]));
		assert_int_equal(collateral_store_put(s, bad[i], SLICE_LIT("x")), -EINVAL);
	}
	memset(key, 'a', sizeof(key));
	key[COLLATERAL_KEY_SIZE] = 0;
	assert_false(collateral_key_valid(key));
	key[COLLATERAL_KEY_SIZE - 1] = 0;
	assert_true(collateral_key_valid(key));
	/* Any order in, sorted out; replaced, removed, bounded. */
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "k/%u", i * 37 % 200);
		assert_int_equal(collateral_store_put(s, key, slice_str(key)), 0);
	}
	const char *last = "";
	size_t count = 0;
	for (const char *k; (k = collateral_store_at(s, count, &item)) != NULL; count++) {
		assert_true(__builtin_strcmp(last, k) < 0);
		assert_true(slice_eq_str(item, k));
		last = k;
	}
	assert_int_equal(count, 200);
	assert_int_equal(collateral_store_put(s, "k/7", SLICE_LIT("new")), 0);
	assert_int_equal(collateral_get(collateral_store_provider(s), "k/7", &item), 0);
	assert_true(slice_eq_str(item, "new"));
	assert_int_equal(collateral_store_put(s, "k/7", SLICE_EMPTY), 0);
	assert_int_equal(collateral_get(collateral_store_provider(s), "k/7", &item), -ENOENT);
	assert_int_equal(collateral_get(NULL, "k/8", &item), -ENOENT);
	cleanup_with(buf_done) struct buf big = buf_init(0);
	buf_put_zero(&big, COLLATERAL_ITEM_MAX + 1);
	assert_int_equal(collateral_store_put(s, "big", buf_slice(&big)), -E2BIG);
	/* Out and in again is the same. */
	cleanup(json_decref) json_t *doc = collateral_store_save(s), *again = NULL;
	cleanup(collateral_store_free) struct collateral_store *copy = collateral_store_new();
	assert_int_equal(collateral_store_load(copy, doc, NULL), 0);
	again = collateral_store_save(copy);
	assert_true(json_equal(doc, again));
}

static int load_chain(const char *chain)
{
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *doc = NULL;

	buf_printf(&text,
		"{\"collaterals\":{\"certificates\":{"
		"\"SGX-Enclave-Identity-Issuer-Chain\":%s}}}",
		chain);
	assert_int_equal(json_parse(buf_slice(&text), 0, &doc, NULL), 0);
	return collateral_store_load(s, doc, NULL);
}

static void test_pcs_client_tool(void **state)
{
	static const char text[] =
		"{\"collaterals\":{\"tcbinfos\":[{\"fmspc\":\"D0C06F000001\",\"sgx_tcbinfo\":"
		"{\"tcbInfo\":{\"b\":1,\"a\":2},\"signature\":\"x\"},\"tdx_tcbinfo\":\"text\"}],"
		"\"pckcacrl\":{\"processorCrl\":\"30\",\"platformCrl\":\"31\"},\"qeidentity\":"
		"\"q\",\"tdqeidentity\":\"t\",\"certificates\":{\"TCB-Info-Issuer-Chain\":"
		"\"a%20b%0a\",\"SGX-Enclave-Identity-Issuer-Chain\":\"c\"},\"rootcacrl\":\"32\"}}";
	static const struct {
		const char *key, *value;
	} want[] = {
		{"intel/sgx/tcb/d0c06f000001",
			"{\"tcbInfo\":{\"b\":1,\"a\":2},\"signature\":\"x\"}"},
		{"intel/sgx/tcb/d0c06f000001/chain", "a b\n"},
		{"intel/tdx/tcb/d0c06f000001", "text"},
		{"intel/sgx/qe", "q"},
		{"intel/tdx/qe", "t"},
		{"intel/tdx/qe/chain", "c"},
		{"intel/crl/processor", "30"},
		{"intel/crl/platform", "31"},
		{"intel/crl/root", "32"},
	};
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	cleanup(json_decref) json_t *doc = NULL;
	struct slice item;

	assert_int_equal(json_parse(slice_str(text), 0, &doc, NULL), 0);
	assert_int_equal(collateral_store_load(s, doc, NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
		assert_int_equal(
			collateral_get(collateral_store_provider(s), want[i].key, &item), 0);
		assert_true(slice_eq_str(item, want[i].value));
	}
	/* A chain is text that was percent-encoded whole, or is not there. */
	static const char *const bad[] = {"\"a%2\"", "\"%\"", "\"%zz\"", "7", "[\"a\"]"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(load_chain(bad[i]), -EBADMSG);
	assert_int_equal(load_chain("\"a%20\""), 0);
	assert_int_equal(load_chain("null"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote_fields),
		cmocka_unit_test(test_tcb_info),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_signed_documents),
		cmocka_unit_test(test_pck_extension),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_collateral_store),
		cmocka_unit_test(test_pcs_client_tool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
