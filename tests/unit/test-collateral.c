/* SPDX-License-Identifier: Apache-2.0 */
/* Collateral: dates, URLs of vendors, fetching from a simulated one, bundles, folders. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "collateral/bundle.h"
#include "collateral/expiry.h"
#include "collateral/source.h"
#include "crypto/x509.h"
#include "evidence/collateral_file.h"
#include "evidence/dcap_tcb.h"
#include "evidence/evidence.h"
#include "fmt/json.h"
#include "support/dcap_sim.h"
#include "support/snp_sim.h"
#include "support/vendor_sim.h"

#define HWID64                                                             \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct slice item_of(const struct collateral_store *s, const char *key)
{
	struct slice item = {0};
	assert_int_equal(collateral_get(collateral_store_provider(s), key, &item), 0);
	return item;
}

static void test_urls(void **state)
{
	static const struct {
		const char *key, *url, *body_key;
	} good[] = {
		{"intel/tdx/tcb/b0c06f000000",
			"https://api.trustedservices.intel.com/tdx/certification/v4/"
			"tcb?fmspc=b0c06f000000",
			NULL},
		{"intel/sgx/tcb/b0c06f000000/chain",
			"https://api.trustedservices.intel.com/sgx/certification/v4/"
			"tcb?fmspc=b0c06f000000",
			"intel/sgx/tcb/b0c06f000000"},
		{"intel/tdx/qe/chain",
			"https://api.trustedservices.intel.com/tdx/certification/v4/qe/identity",
			"intel/tdx/qe"},
		{"intel/crl/platform",
			"https://api.trustedservices.intel.com/sgx/certification/v4/"
			"pckcrl?ca=platform&encoding=der",
			NULL},
		{"intel/crl/root",
			"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der", NULL},
		{"amd/milan/vcek/chain", "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain", NULL},
		{"amd/genoa/vlek/crl", "https://kdsintf.amd.com/vlek/v1/Genoa/crl", NULL},
		{"amd/milan/vcek/" HWID64 "/bl03_tee00_snp08_ucode115",
			"https://kdsintf.amd.com/vcek/v1/Milan/" HWID64
			"?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115",
			NULL},
		{"amd/turin/vcek/0011223344556677/bl01_tee01_snp04_ucode78_fmc01",
			"https://kdsintf.amd.com/vcek/v1/Turin/"
			"0011223344556677?blSPL=01&teeSPL=01&snpSPL=04&ucodeSPL=78&fmcSPL=01",
			NULL},
		{"nvidia/rim/nv_gpu_driver_gh100_550.90.07",
			"https://rim.attestation.nvidia.com/v1/rim/NV_GPU_DRIVER_GH100_550.90.07",
			NULL},
		/* openssl ocsp -reqin reads the same from it. */
		{"nvidia/ocsp/239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5/"
		 "5e539a5d258b9f2596247a847ee7d6b030b1c0da55fc74177c737e55de95f932/"
		 "41431d480fe5e87274",
			"http://ocsp.ndis.nvidia.com/MGYwZDBiMGAwXjANBglghkgBZQMEAgEFAAQgI59Z7VXnN8dxR89VrQwbAwttfudIp0JpUvm4UtWpNeUEIF5Tml0li58lliR6hH7n1rAwscDaVfx0F3xzflXelfkyAglBQx1ID%2BXocnQ%3D",
			NULL},
	};
	/* What vendors do not serve, and what evidence may not smuggle into a URL. */
	static const char *const bad[] = {"", "intel", "intel/", "intel/pck/00", "intel/tdx",
		"intel/tdx/tcb/b0c06f00000", "intel/tdx/tcb/b0c06f00000g", "intel/crl/other",
		"intel/crl/root/chain", "intel/crl/root/x", "amd/milan", "amd/rome/vcek/crl",
		"amd/milan/vcek/cert_chain", "amd/milan/vlek/bl03_tee00_snp08_ucode115",
		"amd/milan/vcek/0011223344556677/bl03_tee00_snp08_ucode115",
		"amd/milan/vcek/" HWID64 "/bl03_tee00_snp08",
		"amd/milan/vcek/" HWID64 "/bl03_tee00_snp08_ucode256",
		"amd/milan/vcek/" HWID64 "/bl03_tee00_snp08_ucode115_fmc01",
		"amd/milan/vcek/" HWID64 "/bl03_tee00_snp08_ucode115/x",
		"amd/turin/vcek/0011223344556677/bl01_tee01_snp04_ucode78", "nvidia/rim/a/b",
		"nvidia/rim/", "nvidia/ocsp/a/b/c", "arm/cca/00/11", "../etc", "nvidia/rim/a?b"};
	struct collateral_request q;

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		assert_int_equal(collateral_request_for(NULL, good[i].key, &q), 0);
		assert_string_equal(q.url, good[i].url);
		assert_string_equal(q.key, good[i].body_key ? good[i].body_key : good[i].key);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		if (collateral_request_for(NULL, bad[i], &q) != -ENOENT)
			fail_msg("%s has a URL: %s", bad[i], q.url);
	}
	struct collateral_sources own = {.amd_kds = "http://127.0.0.1:1"};
	assert_int_equal(collateral_request_for(&own, "amd/milan/vcek/crl", &q), 0);
	assert_string_equal(q.url, "http://127.0.0.1:1/vcek/v1/Milan/crl");
}

static void check_life(const struct collateral_store *s, const char *key, enum collateral_kind kind)
{
	struct collateral_life life;
	assert_int_equal(collateral_life(item_of(s, key), &life, NULL), 0);
	assert_int_equal(life.kind, kind);
	assert_true(life.from < DCAP_SIM_NOW && life.until > DCAP_SIM_NOW);
}

static void test_life(void **state)
{
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	cleanup(dcap_sim_free) struct dcap_sim *intel = dcap_sim_new(NULL);
	cleanup(snp_sim_free) struct snp_sim *amd = snp_sim_new(NULL);
	struct collateral_life life;
	struct slice item;
	const char *key;

	assert_int_equal(dcap_sim_publish(intel, s), 0);
	assert_int_equal(snp_sim_publish(amd, s), 0);
	check_life(s, "intel/tdx/qe", COLLATERAL_QE_IDENTITY);
	check_life(s, "intel/tdx/qe/chain", COLLATERAL_CERTIFICATES);
	check_life(s, "intel/crl/root", COLLATERAL_CRL);
	check_life(s, "amd/milan/vcek/crl", COLLATERAL_CRL);
	check_life(s, "amd/milan/vcek/chain", COLLATERAL_CERTIFICATES);
	assert_int_equal(collateral_life(snp_sim_vek(amd), &life, NULL), 0);
	assert_int_equal(life.kind, COLLATERAL_CERTIFICATES);
	assert_int_equal(collateral_life(SLICE_LIT("{\"kty\":\"EC\"}"), &life, NULL), 0);
	assert_true(life.kind == COLLATERAL_OTHER && life.until == INT64_MAX);
	/* Every truncation of every item: an error or another kind, never a crash or a false date.
	 */
	for (size_t i = 0; (key = collateral_store_at(s, i, &item)) != NULL; i++) {
		for (size_t cut = 0; cut < item.size; cut += 1 + item.size / 300) {
			int r = collateral_life(slice_cut(item, 0, cut), &life, NULL);
			if (r == 0 && life.kind != COLLATERAL_OTHER &&
				life.kind != COLLATERAL_CERTIFICATES && cut + 1 < item.size)
				fail_msg("%s cut to %zu bytes has dates", key, cut);
		}
	}
}

/* --- a vendor on loopback ----------------------------------------------------------------- */

static void test_fetch(void **state)
{
	cleanup(collateral_store_free) struct collateral_store *from = collateral_store_new(),
							       *to = collateral_store_new();
	cleanup(dcap_sim_free) struct dcap_sim *intel = dcap_sim_new(NULL);
	cleanup(http_client_free) struct http_client *http = NULL;
	cleanup_with(buf_done) struct buf head = buf_init(1 << 16);
	const struct http_client_options options = {0};
	struct collateral_problem problem;
	const char *tcb = NULL, *key;
	char target[256], base[64];
	struct err e = {0};
	struct vendor_sim vendor = {0};

	assert_int_equal(dcap_sim_publish(intel, from), 0);
	for (size_t i = 0; (key = collateral_store_at(from, i, NULL)) != NULL; i++) {
		if (str_starts(key, "intel/tdx/tcb/") && !str_ends(key, "/chain"))
			tcb = key;
	}
	assert_non_null(tcb);
	snprintf(target, sizeof(target), "/tdx/certification/v4/tcb?fmspc=%s",
		tcb + strlen("intel/tdx/tcb/"));
	char chain_key[COLLATERAL_KEY_SIZE];
	snprintf(chain_key, sizeof(chain_key), "%s/chain", tcb);
	struct slice list = item_of(from, "intel/crl/platform");
	vendor_chain_head(&head, "TCB-Info-Issuer-Chain", item_of(from, chain_key));
	const struct vendor_page pages[] = {
		{target, buf_str(&head), item_of(from, tcb)},
		{"/sgx/certification/v4/pckcrl?ca=platform&encoding=der", "200 OK", list},
		/* what is something else, without its chain, or not now */
		{"/sgx/certification/v4/pckcrl?ca=processor&encoding=der", "200 OK",
			item_of(from, tcb)},
		{"/tdx/certification/v4/qe/identity", "200 OK", item_of(from, "intel/tdx/qe")},
		{"/sgx/certification/v4/qe/identity", "429 Busy\r\nRetry-After: 7", SLICE_EMPTY},
		{"/root", "500 Oops", SLICE_EMPTY},
		{NULL},
	};
	assert_int_equal(vendor_sim_start(&vendor, pages), 0);
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", vendor.port);
	char root[80];
	snprintf(root, sizeof(root), "%s/root", base);
	const struct collateral_sources sources = {.intel_pcs = base, .intel_root_crl = root};
	assert_int_equal(http_client_new(&options, &http, NULL), 0);

	assert_int_equal(
		collateral_fetch(http, &sources, chain_key, DCAP_SIM_NOW, to, &problem, &e), 0);
	assert_true(slice_eq(item_of(to, tcb), item_of(from, tcb)));
	assert_true(slice_eq(item_of(to, chain_key), item_of(from, chain_key)));
	assert_int_equal(collateral_fetch(http, &sources, "intel/crl/platform", DCAP_SIM_NOW, to,
				 &problem, &e),
		0);
	assert_true(slice_eq(item_of(to, "intel/crl/platform"), list));
	static const struct {
		const char *key;
		int64_t later;
		int error;
		const char *text;
	} bad[] = {
		{"intel/crl/platform", 100ll * 366 * 86400, -ESTALE, "expired"},
		{"intel/crl/processor", 0, -EBADMSG, "TCB Info, not revocation list"},
		{"intel/tdx/qe", 0, -EBADMSG, "sgx-enclave-identity-issuer-chain"},
		{"intel/sgx/qe", 0, -EAGAIN, "7 s"},
		{"intel/crl/root", 0, -EPROTO, "500"},
		{"intel/sgx/tcb/000000000000", 0, -ENOENT, "does not have it"},
		{"intel/pck/00", 0, -ENOENT, "no vendor"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct slice unused;
		e = (struct err){0};
		int r = collateral_fetch(
			http, &sources, bad[i].key, DCAP_SIM_NOW + bad[i].later, to, &problem, &e);
		if (r != bad[i].error || !strstr(e.text, bad[i].text))
			fail_msg("%s: %d, %s", bad[i].key, r, e.text);
		assert_int_equal(problem.retry_after_s, r == -EAGAIN ? 7 : 0);
		if (bad[i].later == 0)
			assert_int_equal(
				collateral_get(collateral_store_provider(to), bad[i].key, &unused),
				-ENOENT);
	}
	vendor_sim_stop(&vendor);
}

/* An answer that is older than what is there is not taken: a cache cannot roll us back. */
static void test_rollback(void **state)
{
	const struct dcap_sim_options later = {.now = DCAP_SIM_NOW + 3 * 86400};
	cleanup(collateral_store_free) struct collateral_store *old = collateral_store_new(),
							       *s = collateral_store_new();
	cleanup(dcap_sim_free) struct dcap_sim *a = dcap_sim_new(NULL), *b = dcap_sim_new(&later);
	enum collateral_fate fate;
	struct collateral_request q;
	struct err e = {0};
	int64_t now = DCAP_SIM_NOW + 86400;

	assert_int_equal(dcap_sim_publish(a, old), 0);
	assert_int_equal(dcap_sim_publish(b, s), 0);
	struct slice list = item_of(old, "intel/crl/platform");
	assert_int_equal(collateral_request_for(NULL, "intel/crl/platform", &q), 0);
	assert_int_equal(collateral_take(&q, list, NULL, now, s, &e), -ESTALE);
	assert_non_null(strstr(e.text, "older"));
	assert_int_equal(collateral_merge(s, q.key, list, &fate, NULL), 0);
	assert_int_equal(fate, COLLATERAL_KEPT);
	assert_int_equal(collateral_merge(s, q.key, item_of(s, q.key), &fate, NULL), 0);
	assert_int_equal(fate, COLLATERAL_SAME);
	assert_int_equal(collateral_merge(old, q.key, item_of(s, q.key), &fate, NULL), 0);
	assert_int_equal(fate, COLLATERAL_REPLACED);
	assert_int_equal(collateral_merge(old, "arm/cca/00/11", SLICE_LIT("{}"), &fate, NULL), 0);
	assert_int_equal(fate, COLLATERAL_ADDED);
	assert_int_equal(
		collateral_merge(old, q.key, SLICE_LIT("\x30\x82"), &fate, NULL), -EBADMSG);
	assert_int_equal(collateral_merge(old, "../x", list, &fate, NULL), -EINVAL);
}

/* --- bundles and folders ------------------------------------------------------------------ */

static int open_bundle(const json_t *bundle, struct pkey *key, struct err *e)
{
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	int64_t made = 0;

	int r = collateral_bundle_open(bundle, &key, key ? 1 : 0, s, &made, e);
	if (r == 0)
		assert_int_equal(made, DCAP_SIM_NOW);
	return r;
}

static void test_bundle(void **state)
{
	static const enum key_type types[] = {KEY_P256, KEY_P384, KEY_P521, KEY_ED25519};
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	cleanup(dcap_sim_free) struct dcap_sim *intel = dcap_sim_new(NULL);
	cleanup(pkey_free) struct pkey *other = NULL, *rsa = NULL;
	struct err e = {0};

	assert_int_equal(dcap_sim_publish(intel, s), 0);
	assert_int_equal(pkey_generate(KEY_P256, 0, &other), 0);
	assert_int_equal(pkey_generate(KEY_RSA, 2048, &rsa), 0);
	json_t *none = NULL;
	assert_int_equal(collateral_bundle_make(s, rsa, DCAP_SIM_NOW, &none, &e), -EINVAL);
	assert_null(none);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		cleanup(pkey_free) struct pkey *key = NULL;
		cleanup(json_decref) json_t *bundle = NULL;
		assert_int_equal(pkey_generate(types[i], 0, &key), 0);
		assert_int_equal(collateral_bundle_make(s, key, DCAP_SIM_NOW, &bundle, &e), 0);
		assert_int_equal(open_bundle(bundle, key, &e), 0);
		assert_int_equal(open_bundle(bundle, other, &e), -EKEYREJECTED);
		assert_int_equal(open_bundle(bundle, NULL, &e), -EKEYREJECTED);
		/* one item less, one changed, one more, another date, no signature */
		json_t *items = json_object_get(bundle, "items");
		json_t *kept = json_incref(json_object_get(items, "intel/crl/root"));
		json_object_del(items, "intel/crl/root");
		assert_int_equal(open_bundle(bundle, key, &e), -EKEYREJECTED);
		json_object_set_new(items, "intel/crl/root", json_string("AAAA"));
		assert_int_equal(open_bundle(bundle, key, &e), -EKEYREJECTED);
		json_object_set_new(items, "intel/crl/root", kept);
		assert_int_equal(open_bundle(bundle, key, &e), 0);
		json_object_set_new(items, "intel/crl/root2", json_string("AAAA"));
		assert_int_equal(open_bundle(bundle, key, &e), -EKEYREJECTED);
		json_object_del(items, "intel/crl/root2");
		json_object_set_new(bundle, "made", json_string("2026-11-02T00:00:00Z"));
		assert_int_equal(open_bundle(bundle, key, &e), -EKEYREJECTED);
		json_object_del(bundle, "signature");
		assert_int_equal(open_bundle(bundle, key, &e), -EKEYREJECTED);
	}
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void test_folder(void **state)
{
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new(),
							       *back = collateral_store_new();
	cleanup(dcap_sim_free) struct dcap_sim *intel = dcap_sim_new(NULL);
	cleanup(snp_sim_free) struct snp_sim *amd = snp_sim_new(NULL);
	char dir[] = "/tmp/husk-collateral-XXXXXX", folder[64];
	struct slice item;
	const char *key;
	size_t i;

	assert_non_null(mkdtemp(dir));
	snprintf(folder, sizeof(folder), "%s/a/b", dir);
	assert_int_equal(dcap_sim_publish(intel, s), 0);
	assert_int_equal(snp_sim_publish(amd, s), 0);
	/* The file of an earlier form must not stay beside the new one. */
	assert_int_equal(
		collateral_item_write(folder, "intel/crl/root", SLICE_LIT("-----BEGIN"), NULL), 0);
	for (i = 0; (key = collateral_store_at(s, i, &item)) != NULL; i++)
		assert_int_equal(collateral_item_write(folder, key, item, NULL), 0);
	assert_int_equal(collateral_store_read(back, folder, NULL), 0);
	for (i = 0; (key = collateral_store_at(s, i, &item)) != NULL; i++)
		assert_true(slice_eq(item_of(back, key), item));
	assert_null(collateral_store_at(back, i, NULL));
	assert_int_equal(collateral_item_write(folder, "../x", SLICE_LIT("x"), NULL), -EINVAL);
	assert_int_equal(collateral_item_write(folder, "x", SLICE_EMPTY, NULL), -EINVAL);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_bundle),
		cmocka_unit_test(test_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
