/* SPDX-License-Identifier: Apache-2.0 */
#include "support/snp_sim.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

#include "crypto/x509.h"
#include "fmt/json.h"
#include "support/snp_sim_pki.h"

#define DAY 86400LL
#define SERIAL_ASK 65537
#define MEASURED_SIZE 48

struct snp_sim {
	struct snp_sim_options o;
	EVP_PKEY *ark_key, *ask_key, *vek_key;
	X509 *ark, *ask, *vek;
	struct pkey *signer; /* the same as vek_key */
	struct digest pin;
	struct snp_tcb tcb;
	uint8_t chip_id[64];
	struct buf vek_der;
};

void snp_sim_free(struct snp_sim *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->ark_key);
	EVP_PKEY_free(s->ask_key);
	EVP_PKEY_free(s->vek_key);
	X509_free(s->ark);
	X509_free(s->ask);
	X509_free(s->vek);
	pkey_free(s->signer);
	buf_done(&s->vek_der);
	free(s);
}

static const char *product_word(const struct snp_sim *s)
{
	return s->o.product == SNP_TURIN ? "turin" : s->o.product == SNP_GENOA ? "genoa" : "milan";
}

static int pin_root(struct snp_sim *s)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	cleanup(cert_free) struct cert *c = NULL;

	int r = amd_der(s->ark, &der);
	if (r == 0)
		r = cert_from_der(buf_slice(&der), &c, NULL);
	return r == 0 ? cert_spki_digest(c, HASH_SHA256, &s->pin) : r;
}

static int make_authorities(struct snp_sim *s)
{
	const int64_t from = s->o.now - 1000 * DAY, until = s->o.now + 5000 * DAY;
	const char *product = snp_product_name(s->o.product);
	unsigned bits = s->o.full_size_keys ? 4096 : 2048;
	char ark[32], ask[32];

	snprintf(ark, sizeof(ark), "ARK-%s", product);
	snprintf(ask, sizeof(ask), "SEV-%s%s", s->o.vlek && !s->o.vlek_by_ask ? "VLEK-" : "",
		product);
	s->ark_key = amd_key_new(NULL, bits);
	s->ask_key = amd_key_new(NULL, bits);
	if (!s->ark_key || !s->ask_key)
		return -EIO;
	s->ark = amd_cert_new(&(struct amd_cert){.common_name = ark,
		.key = s->ark_key,
		.serial = 65536,
		.ca = true,
		.path_length = -1,
		.from = from,
		.until = until});
	if (!s->ark)
		return -EIO;
	s->ask = amd_cert_new(&(struct amd_cert){.common_name = ask,
		.key = s->ask_key,
		.issuer = s->ark,
		.issuer_key = s->ark_key,
		.serial = SERIAL_ASK,
		.ca = true,
		.path_length = 0,
		.from = from,
		.until = until});
	return s->ask ? pin_root(s) : -EIO;
}

static int take_signer(struct snp_sim *s)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	int r = -EIO;

	if (bio && PEM_write_bio_PrivateKey(bio, s->vek_key, NULL, NULL, 0, NULL, NULL) == 1) {
		long n = BIO_get_mem_data(bio, &text);
		r = pkey_from_pem(slice_of(text, (size_t)n), &s->signer, NULL);
	}
	BIO_free(bio);
	return r;
}

int snp_sim_new_chip(struct snp_sim *s)
{
	size_t hwid = s->o.product == SNP_TURIN ? SNP_HWID_TURIN_SIZE : sizeof(s->chip_id);
	char name[16];

	EVP_PKEY_free(s->vek_key);
	X509_free(s->vek);
	pkey_free(s->signer);
	buf_done(&s->vek_der);
	s->vek = NULL;
	s->signer = NULL;
	memset(s->chip_id, 0, sizeof(s->chip_id));
	int r = s->o.vlek ? 0 : random_bytes(s->chip_id, hwid);
	s->vek_key = amd_key_new("P-384", 0);
	if (r < 0 || !s->vek_key)
		return -EIO;
	snprintf(name, sizeof(name), "%s%s", snp_product_name(s->o.product),
		s->o.product == SNP_MILAN ? "-B0" : "");
	s->vek = amd_cert_new(&(struct amd_cert){.common_name = s->o.vlek ? "SEV-VLEK" : "SEV-VCEK",
		.key = s->o.rsa_vek ? s->ask_key : s->vek_key,
		.issuer = s->ask,
		.issuer_key = s->ask_key,
		.turin = s->o.product == SNP_TURIN,
		.wrapped_hwid = s->o.wrapped_hwid,
		.from = s->o.now - 400 * DAY,
		.until = s->o.expired_vek ? s->o.now - DAY : s->o.now + 2000 * DAY,
		.product_name = name,
		.tcb = s->tcb,
		.hwid = slice_of(s->chip_id, s->o.vlek ? 0 : hwid)});
	if (!s->vek)
		return -EIO;
	r = take_signer(s);
	return r == 0 ? amd_der(s->vek, &s->vek_der) : r;
}

struct snp_sim *snp_sim_new(const struct snp_sim_options *o)
{
	struct snp_sim *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (o)
		s->o = *o;
	if (s->o.now == 0)
		s->o.now = SNP_SIM_NOW;
	if (s->o.product == SNP_PRODUCT_NONE)
		s->o.product = SNP_MILAN;
	s->tcb = (struct snp_tcb){s->o.product == SNP_TURIN ? 1 : 0, 4, 0, 24, 219};
	if (make_authorities(s) < 0 || snp_sim_new_chip(s) < 0) {
		snp_sim_free(s);
		return NULL;
	}
	return s;
}

const struct digest *snp_sim_root(const struct snp_sim *s)
{
	return &s->pin;
}

struct slice snp_sim_vek(const struct snp_sim *s)
{
	return buf_slice(&s->vek_der);
}

int snp_sim_publish(const struct snp_sim *s, struct collateral_store *store)
{
	cleanup_with(buf_done) struct buf chain = buf_init(0), crl = buf_init(0);
	const char *kind = s->o.vlek ? "vlek" : "vcek";
	char key[COLLATERAL_KEY_SIZE];

	int r = amd_pem(s->ask, &chain);
	if (r == 0)
		r = amd_pem(s->ark, &chain);
	if (r == 0)
		r = amd_crl(s->ark, s->o.foreign_crl ? s->ask_key : s->ark_key, s->o.now - 30 * DAY,
			s->o.expired_crl ? s->o.now - DAY : s->o.now + 30 * DAY,
			s->o.revoked_ask ? SERIAL_ASK : 0, &crl);
	snprintf(key, sizeof(key), "amd/%s/%s/chain", product_word(s), kind);
	if (r == 0)
		r = collateral_store_put(store, key, buf_slice(&chain));
	snprintf(key, sizeof(key), "amd/%s/%s/crl", product_word(s), kind);
	return r == 0 ? collateral_store_put(store, key, buf_slice(&crl)) : r;
}

json_t *snp_sim_publish_text(const struct snp_sim *s)
{
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();
	if (!store || snp_sim_publish(s, store) < 0)
		return NULL;
	return collateral_store_save(store);
}

static void put_le(uint8_t *to, size_t size, uint64_t v)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

static void put_cut(uint8_t *to, size_t size, struct slice v)
{
	if (v.size > 0)
		memcpy(to, v.data, MIN(size, v.size));
}

static void put_tcbs(const struct snp_sim *s, const struct snp_sim_report *r, uint8_t *b)
{
	struct snp_tcb t = s->tcb;
	t.snp = (uint8_t)(t.snp + r->tcb_offset);
	snp_tcb_encode(&t, s->o.product, b + 0x38);
	snp_tcb_encode(&t, s->o.product, b + 0x180);
	snp_tcb_encode(&t, s->o.product, b + 0x1E0);
	snp_tcb_encode(&t, s->o.product, b + 0x1F0);
}

static void put_body(const struct snp_sim *s, const struct snp_sim_report *r, uint8_t *b)
{
	uint32_t version = r->version ? r->version : 3;

	memset(b, 0, SNP_REPORT_SIZE);
	put_le(b, 4, version);
	put_le(b + 8, 8, r->policy);
	put_le(b + 0x30, 4, r->vmpl);
	put_le(b + 0x34, 4, 1);
	put_tcbs(s, r, b);
	put_le(b + 0x40, 8, r->platform_info);
	put_le(b + 0x48, 4, (s->o.vlek ? 1 : 0) << 2);
	put_cut(b + 0x50, 64, r->report_data);
	put_cut(b + 0x90, MEASURED_SIZE, r->measurement);
	put_cut(b + 0xC0, 32, r->host_data);
	memset(b + 0x140, 0x42, 32);
	memset(b + 0x160, 0xFF, 32);
	if (version >= 3) {
		b[0x188] = s->o.product == SNP_TURIN ? 0x1A : 0x19;
		b[0x189] = s->o.product == SNP_GENOA ? 0x11 : 0x01;
		b[0x18A] = 1;
	}
	if (!r->masked_chip)
		memcpy(b + 0x1A0, s->chip_id, sizeof(s->chip_id));
	if (r->other_chip)
		b[0x1A0] ^= 1;
	memcpy(b + 0x1E8, "\x1d\x37\x01\x00\x1d\x37\x01", 7); /* 1.55.29, twice */
}

int snp_sim_report(
	const struct snp_sim *s, const struct snp_sim_report *r, uint8_t ret[SNP_REPORT_SIZE])
{
	cleanup_with(buf_done) struct buf pair = buf_init(0);

	put_body(s, r, ret);
	int e = pkey_sign(s->signer, SIG_ES384, slice_of(ret, SNP_SIGNED_SIZE), &pair);
	if (e == 0 && pair.size != 2 * SNP_SCALAR_SIZE)
		e = -EIO;
	for (size_t i = 0; e == 0 && i < SNP_SCALAR_SIZE; i++) {
		ret[SNP_SIGNED_SIZE + i] = pair.data[SNP_SCALAR_SIZE - 1 - i];
		ret[SNP_SIGNED_SIZE + SNP_SCALAR_FIELD_SIZE + i] =
			pair.data[2 * SNP_SCALAR_SIZE - 1 - i];
	}
	return e;
}

static json_t *bytes_json(const uint8_t *b, size_t size)
{
	json_t *array = json_array();
	for (size_t i = 0; i < size; i++) {
		if (json_array_append_new(array, json_integer(b[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *tcb_json(const uint8_t *b, enum snp_product p)
{
	struct snp_tcb t = snp_tcb_decode(slice_of(b, 8), p);
	return json_pack("{s:o, s:i, s:i, s:i, s:i}", "fmc",
		p == SNP_TURIN ? json_integer(t.fmc) : json_null(), "bootloader", t.bootloader,
		"tee", t.tee, "snp", t.snp, "microcode", t.microcode);
}

static json_t *version_json(const uint8_t *b)
{
	return json_pack("{s:i, s:i, s:i}", "major", b[2], "minor", b[1], "build", b[0]);
}

static int put_json_arrays(json_t *o, const uint8_t *b)
{
	static const struct {
		const char *name;
		size_t offset, size;
	} fields[] = {{"family_id", 0x10, 16}, {"image_id", 0x20, 16}, {"report_data", 0x50, 64},
		{"measurement", 0x90, 48}, {"host_data", 0xC0, 32}, {"id_key_digest", 0xE0, 48},
		{"author_key_digest", 0x110, 48}, {"report_id", 0x140, 32},
		{"report_id_ma", 0x160, 32}, {"chip_id", 0x1A0, 64}};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++)
		r = json_set_take(
			o, fields[i].name, bytes_json(b + fields[i].offset, fields[i].size));
	return r;
}

json_t *snp_sim_json(const uint8_t report[SNP_REPORT_SIZE])
{
	const uint8_t *b = report;
	struct snp_report r;

	if (snp_report_parse(slice_of(report, SNP_REPORT_SIZE), &r, NULL) < 0)
		return NULL;
	enum snp_product p = snp_report_product(&r);
	json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, "
			      "s:{s:o, s:o}}",
		"version", (json_int_t)r.version, "guest_svn", (json_int_t)r.guest_svn, "policy",
		(json_int_t)r.policy, "vmpl", (json_int_t)r.vmpl, "sig_algo",
		(json_int_t)r.signature_algo, "plat_info", (json_int_t)r.platform_info, "key_info",
		(json_int_t)b[0x48], "current_tcb", tcb_json(b + 0x38, p), "reported_tcb",
		tcb_json(b + 0x180, p), "committed_tcb", tcb_json(b + 0x1E0, p), "launch_tcb",
		tcb_json(b + 0x1F0, p), "current", version_json(b + 0x1E8), "committed",
		version_json(b + 0x1EC), "signature", "r", bytes_json(b + SNP_SIGNED_SIZE, 72), "s",
		bytes_json(b + SNP_SIGNED_SIZE + 72, 72));
	int e = o ? put_json_arrays(o, b) : -ENOMEM;
	if (e == 0 && r.has_cpuid)
		e = json_set_int(o, "cpuid_fam_id", r.family);
	if (e == 0 && r.has_cpuid)
		e = json_set_int(o, "cpuid_mod_id", r.model);
	if (e == 0 && r.has_cpuid)
		e = json_set_int(o, "cpuid_step", r.stepping);
	if (e < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *snp_sim_evidence(const struct snp_sim *s, const struct snp_sim_report *r)
{
	uint8_t report[SNP_REPORT_SIZE];

	if (snp_sim_report(s, r, report) < 0)
		return NULL;
	return json_pack("{s:o, s:[{s:s, s:o}]}", "attestation_report", snp_sim_json(report),
		"cert_chain", "cert_type", s->o.vlek ? "VLEK" : "VCEK", "data",
		bytes_json(s->vek_der.data, s->vek_der.size));
}
