/* SPDX-License-Identifier: Apache-2.0 */
#include "support/nv_sim.h"

#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/enc.h"
#include "crypto/ocsp.h"
#include "fmt/json.h"

#define YEAR (365LL * 86400)
#define LEVELS 5
#define MEASURED 2

enum { ROOT, FAMILY, PROVISIONER, ROM, LEAF };

struct party {
	EVP_PKEY *key;
	X509 *cert;
};

struct nv_sim {
	struct nv_sim_options o;
	struct party device[LEVELS]; /* root first */
	struct party rim_ca, rim_signer, dpu;
	uint8_t fwid[48];
	struct digest root;
};

/* --- certificates ----------------------------------------------------------------------------- */

static void add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* TCG's DiceTcbInfo with one FWID: {vendor, [6] {{sha384, fwid}}} */
static void add_fwid(X509 *x, const uint8_t fwid[48])
{
	static const uint8_t head[] = {0x30, 0x41, 0xA6, 0x3F, 0x30, 0x3D, 0x06, 0x09, 0x60, 0x86,
		0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x04, 0x30};
	uint8_t der[sizeof(head) + 48];
	ASN1_OBJECT *o = OBJ_txt2obj("2.23.133.5.4.1", 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();

	memcpy(der, head, sizeof(head));
	memcpy(der + sizeof(head), fwid, 48);
	ASN1_OCTET_STRING_set(octets, der, (int)sizeof(der));
	X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, octets);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(o);
}

static struct party certify(const char *name, const struct party *issuer, bool ca, int64_t from,
	int64_t until, const uint8_t *fwid)
{
	struct party p = {.key = EVP_EC_gen("P-384"), .cert = X509_new()};
	static long serial = 0x4143;
	X509_NAME *n = X509_get_subject_name(p.cert);

	X509_set_version(p.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(p.cert, issuer ? X509_get_subject_name(issuer->cert) : n);
	X509_set_pubkey(p.cert, p.key);
	X509_time_adj_ex(X509_getm_notBefore(p.cert), 0, 0, &(time_t){from});
	X509_time_adj_ex(X509_getm_notAfter(p.cert), 0, 0, &(time_t){until});
	if (ca)
		add_extension(p.cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(p.cert, NID_key_usage,
		ca ? "critical,keyCertSign,cRLSign,digitalSignature" : "critical,digitalSignature");
	if (fwid)
		add_fwid(p.cert, fwid);
	X509_sign(p.cert, issuer ? issuer->key : p.key, EVP_sha384());
	return p;
}

static void put_pem(struct buf *out, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	PEM_write_bio_X509(bio, x);
	long size = BIO_get_mem_data(bio, &text);
	buf_put(out, text, (size_t)size);
	BIO_free(bio);
}

static void put_der(struct buf *out, X509 *x)
{
	uint8_t *der = NULL;
	int size = i2d_X509(x, &der);
	buf_put(out, der, (size_t)size);
	OPENSSL_free(der);
}

static struct cert *as_cert(X509 *x)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	struct cert *c = NULL;
	put_der(&der, x);
	return cert_from_der(buf_slice(&der), &c, NULL) == 0 ? c : NULL;
}

static void sign_raw(EVP_PKEY *key, struct slice in, uint8_t out[96])
{
	uint8_t der[128];
	const uint8_t *at = der;
	size_t size = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key);
	EVP_DigestSign(ctx, der, &size, in.data, in.size);
	EVP_MD_CTX_free(ctx);
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)size);
	BN_bn2binpad(ECDSA_SIG_get0_r(s), out, 48);
	BN_bn2binpad(ECDSA_SIG_get0_s(s), out + 48, 48);
	ECDSA_SIG_free(s);
}

/* --- set-up ----------------------------------------------------------------------------------- */

struct nv_sim *nv_sim_new(const struct nv_sim_options *o)
{
	struct nv_sim *s = calloc(1, sizeof(*s));
	int64_t from = o->now - YEAR, until = o->now + YEAR;
	static const char *const gpu[] = {"Made-up Device Root", "Made-up GH100 Identity",
		"Made-up Provisioner", "GH100 A01 GSP BROM", "GH100 A01 GSP FMC LF"};

	s->o = *o;
	memset(s->fwid, 0x5F, sizeof(s->fwid));
	for (int i = 0; i < LEVELS; i++)
		s->device[i] = certify(i == ROM && o->is_switch ? "LS_10 A01 FSP BROM" : gpu[i],
			i == ROOT ? NULL : &s->device[i - 1], i != LEAF, from, until,
			i == LEAF ? s->fwid : NULL);
	s->rim_ca = certify("Made-up RIM CA", &s->device[ROOT], true, from, until, NULL);
	s->rim_signer = certify("Made-up RIM signer", &s->rim_ca, false, from,
		o->rim_expired ? o->now - 1 : until, NULL);
	s->dpu = certify("bluefield3", &s->device[ROOT], true, from, until, s->fwid);
	cleanup(cert_free) struct cert *root = as_cert(s->device[ROOT].cert);
	if (cert_spki_digest(root, HASH_SHA256, &s->root) < 0)
		s->root.size = 0;
	return s;
}

void nv_sim_free(struct nv_sim *s)
{
	struct party *all[] = {&s->device[0], &s->device[1], &s->device[2], &s->device[3],
		&s->device[4], &s->rim_ca, &s->rim_signer, &s->dpu};
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		EVP_PKEY_free(all[i]->key);
		X509_free(all[i]->cert);
	}
	free(s);
}

const struct digest *nv_sim_root(const struct nv_sim *s)
{
	return &s->root;
}

/* --- reports ---------------------------------------------------------------------------------- */

static void put_item(struct buf *b, uint16_t type, struct slice value)
{
	buf_put_u16le(b, type);
	buf_put_u16le(b, (uint16_t)value.size);
	buf_put_slice(b, value);
}

static void put_block(struct buf *b, uint8_t index, uint8_t fill)
{
	uint8_t value[48];
	memset(value, fill, sizeof(value));
	buf_put_u8(b, index);
	buf_put_u8(b, 1);
	buf_put_u16le(b, 51);
	buf_put_u8(b, 1);
	buf_put_u16le(b, 48);
	buf_put(b, value, sizeof(value));
}

static void put_opaque(const struct nv_sim *s, struct buf *b)
{
	if (s->o.is_switch) {
		put_item(b, 6, SLICE_LIT("96.10.55.00.01"));
		put_item(b, 22, SLICE_LIT("\x20\x3e\xb3\x1a\xd9\xed\x00\x08"));
		return;
	}
	put_item(b, 3, SLICE_LIT("550.1\0"));
	put_item(b, 6, SLICE_LIT("\x00\x9f\x00\x96\x01\x00\x00\x00"));
	put_item(b, 11, SLICE_LIT("\x55"));
	put_item(b, 15, SLICE_LIT("882\0"));
	put_item(b, 17, SLICE_LIT("1010\0"));
	put_item(b, 18, SLICE_LIT("0200\0"));
	put_item(b, 20, slice_of(s->fwid, sizeof(s->fwid)));
}

static void make_report(const struct nv_sim *s, struct slice nonce, struct buf *out)
{
	cleanup_with(buf_done) struct buf opaque = buf_init(0);
	uint8_t signature[96];

	buf_put(out, "\x11\xE0\x01\xFF", 4);
	buf_put_slice(out, slice_cut(nonce, 0, 32));
	buf_put(out, "\0\x11\x60\0\0", 5);
	buf_put_u8(out, MEASURED);
	buf_put_u8(out, MEASURED * 55);
	buf_put_u16le(out, 0);
	put_block(out, 1, s->o.other_measurement ? 0xEE : 0xA0);
	put_block(out, 2, 0xA1);
	buf_put_zero(out, 32);
	put_opaque(s, &opaque);
	buf_put_u16le(out, (uint16_t)opaque.size);
	buf_put_slice(out, buf_slice(&opaque));
	sign_raw(s->device[LEAF].key, buf_slice(out), signature);
	buf_put(out, signature, sizeof(signature));
}

json_t *nv_sim_evidence(const struct nv_sim *s, struct slice report_data)
{
	cleanup_with(buf_done) struct buf report = buf_init(0), chain = buf_init(0);
	json_t *device = json_pack("{s:s}", "arch", s->o.is_switch ? "LS10" : "HOPPER");

	make_report(s, report_data, &report);
	for (int i = LEAF; i >= ROOT; i--)
		put_pem(&chain, s->device[i].cert);
	if (json_set_b64(device, "evidence", buf_slice(&report), B64_STD) < 0 ||
		json_set_b64(device, "certificate", buf_slice(&chain), B64_STD) < 0)
		return NULL;
	return json_pack("{s:[o]}", "device_evidence_list", device);
}

/* --- collateral ------------------------------------------------------------------------------- */

static void answer(const struct nv_sim *s, const struct party *subject, const struct party *issuer,
	bool revoked, struct collateral_store *store)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha384(), subject->cert, issuer->cert);
	time_t from = (time_t)(s->o.now - (s->o.ocsp_old ? 2 * 86400 : 3600));
	ASN1_TIME *this_update = ASN1_TIME_set(NULL, from),
		  *next = ASN1_TIME_set(NULL, from + 86400), *when = ASN1_TIME_set(NULL, from - 60);
	const struct party *by = s->o.ocsp_foreign ? &s->rim_signer : issuer;
	char key[COLLATERAL_KEY_SIZE], name[OCSP_ID_SIZE];
	uint8_t *der = NULL;

	OCSP_basic_add1_status(basic, id,
		revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
		OCSP_REVOKED_STATUS_KEYCOMPROMISE, revoked ? when : NULL, this_update, next);
	OCSP_basic_sign(basic, by->cert, by->key, EVP_sha384(), NULL, 0);
	OCSP_RESPONSE *r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	int size = i2d_OCSP_RESPONSE(r, &der);
	cleanup(cert_free) struct cert *a = as_cert(subject->cert), *b = as_cert(issuer->cert);
	if (cert_ocsp_id(a, b, name, sizeof(name)) == 0) {
		snprintf(key, sizeof(key), "nvidia/ocsp/%.170s", name);
		if (collateral_store_put(store, key, slice_of(der, (size_t)size)) < 0)
			fprintf(stderr, "nv_sim: no %s\n", key);
	}
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(this_update);
	ASN1_TIME_free(next);
	ASN1_TIME_free(when);
}

#define C14N11 "http://www.w3.org/2006/12/xml-c14n11"
#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define TAIL "</SoftwareIdentity>"

/* Written as it is canonical, so that its digest needs no canonicalization. */
static void put_body(struct buf *b, const char *version, unsigned index, uint8_t fill)
{
	uint8_t value[48];
	char hex[97];

	memset(value, fill, sizeof(value));
	buf_put_str(b,
		"<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" "
		"xmlns:r=\"https://trustedcomputinggroup.org/resource/"
		"tcg-reference-integrity-manifest-rim-information-model/\" "
		"xmlns:s=\"http://www.w3.org/2001/04/xmlenc#sha384\">\n");
	buf_printf(b,
		"<Meta colloquialVersion=\"%s\" r:FirmwareManufacturerId=\"5703\"></Meta>\n"
		"<Payload><Resource active=\"True\" alternatives=\"1\" index=\"%u\" name=\"m\" "
		"size=\"48\" type=\"Measurement\" s:Hash0=\"%s\"></Resource></Payload>\n",
		version, index, hex_str(slice_of(value, sizeof(value)), hex, sizeof(hex)));
}

static void put_method(struct buf *b, const char *element, const char *uri)
{
	buf_printf(b, "<ds:%s Algorithm=\"%s\"></ds:%s>", element, uri, element);
}

static void put_signed_info(struct buf *b, const struct digest *d)
{
	put_method(b, "CanonicalizationMethod", EXC_C14N);
	put_method(b, "SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384");
	buf_put_str(b, "<ds:Reference URI=\"\"><ds:Transforms>");
	put_method(b, "Transform", DSIG "enveloped-signature");
	put_method(b, "Transform", C14N11);
	buf_put_str(b, "</ds:Transforms>");
	put_method(b, "DigestMethod", "http://www.w3.org/2001/04/xmldsig-more#sha384");
	buf_put_str(b, "<ds:DigestValue>");
	b64_encode(b, digest_slice(d), B64_STD);
	buf_put_str(b, "</ds:DigestValue></ds:Reference></ds:SignedInfo>");
}

static void put_certs(const struct nv_sim *s, struct buf *b)
{
	X509 *const chain[] = {s->rim_signer.cert, s->rim_ca.cert, s->device[ROOT].cert};

	buf_put_str(b, "<ds:KeyInfo><ds:X509Data>");
	for (size_t i = 0; i < ARRAY_COUNT(chain); i++) {
		cleanup_with(buf_done) struct buf der = buf_init(0);
		put_der(&der, chain[i]);
		buf_put_str(b, "<ds:X509Certificate>");
		b64_encode(b, buf_slice(&der), B64_STD);
		buf_put_str(b, "</ds:X509Certificate>\n");
	}
	buf_put_str(b, "</ds:X509Data></ds:KeyInfo>");
}

static void put_rim(const struct nv_sim *s, const char *id, const char *version, unsigned index,
	uint8_t fill, struct collateral_store *store)
{
	cleanup_with(buf_done) struct buf body = buf_init(0), whole = buf_init(0),
					  info = buf_init(0), xml = buf_init(0);
	uint8_t signature[96];
	struct digest d = {0};
	char key[COLLATERAL_KEY_SIZE];

	put_body(&body, version, index, fill);
	buf_put_slice(&whole, buf_slice(&body));
	buf_put_str(&whole, TAIL);
	if (hash_once(HASH_SHA384, buf_slice(&whole), &d) < 0)
		return;
	buf_put_str(&info, "<ds:SignedInfo xmlns:ds=\"" DSIG "\">");
	put_signed_info(&info, &d);
	sign_raw(s->rim_signer.key, buf_slice(&info), signature);
	buf_put_slice(&xml, buf_slice(&body));
	buf_put_str(&xml, "<ds:Signature xmlns:ds=\"" DSIG "\"><ds:SignedInfo>");
	put_signed_info(&xml, &d);
	buf_put_str(&xml, "<ds:SignatureValue>");
	b64_encode(&xml, slice_of(signature, sizeof(signature)), B64_STD);
	buf_put_str(&xml, "</ds:SignatureValue>");
	put_certs(s, &xml);
	buf_put_str(&xml, "</ds:Signature>" TAIL);
	uint8_t *at = s->o.rim_altered ? memmem(xml.data, xml.size, "size=\"48\"", 9) : NULL;
	if (at)
		at[6] = '5';
	snprintf(key, sizeof(key), "nvidia/rim/%s", id);
	if (collateral_store_put(store, key, buf_slice(&xml)) < 0)
		fprintf(stderr, "nv_sim: no %s\n", key);
}

struct collateral_store *nv_sim_publish(const struct nv_sim *s)
{
	struct collateral_store *store = collateral_store_new();
	cleanup_with(buf_done) struct buf root = buf_init(0);

	for (int i = ROM; i > ROOT; i--)
		answer(s, &s->device[i], &s->device[i - 1], s->o.revoked && i == ROM, store);
	answer(s, &s->rim_signer, &s->rim_ca, false, store);
	answer(s, &s->rim_ca, &s->device[ROOT], false, store);
	if (s->o.is_switch) {
		put_rim(s, "nv_switch_bios_5612_0002_890_9610550001", "96.10.55.00.01", 0, 0xA0,
			store);
	} else {
		put_rim(s, "nv_gpu_driver_gh100_550.1", "550.1", 0, 0xA0, store);
		put_rim(s, "nv_gpu_vbios_1010_0200_882_96009f0001", "96.00.9F.00.01", 1, 0xA1,
			store);
	}
	put_pem(&root, s->device[ROOT].cert);
	if (collateral_store_put(store, "nvidia/dpu/root", buf_slice(&root)) < 0)
		fprintf(stderr, "nv_sim: no root\n");
	return store;
}

/* --- DPU -------------------------------------------------------------------------------------- */

static void sign_der(EVP_PKEY *key, struct slice in, struct buf *out)
{
	uint8_t der[128];
	size_t size = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key);
	EVP_DigestSign(ctx, der, &size, in.data, in.size);
	EVP_MD_CTX_free(ctx);
	buf_put(out, der, size);
}

json_t *nv_sim_dpu(
	const struct nv_sim *s, struct slice report_data, int64_t age, bool padded, bool raw)
{
	cleanup_with(buf_done) struct buf alias_der = buf_init(0), device_der = buf_init(0),
					  signature = buf_init(0);
	struct party alias =
		certify("alias", &s->dpu, false, s->o.now - age, s->o.now + YEAR, NULL);
	json_t *o = json_pack("{s:s}", "architecture", "bluefield3");
	uint8_t data[64] = {0}, bytes[96];

	memcpy(data, report_data.data, report_data.size);
	struct slice in = slice_of(data, padded ? sizeof(data) : report_data.size);
	if (raw) {
		sign_raw(alias.key, in, bytes);
		buf_put(&signature, bytes, sizeof(bytes));
	} else {
		sign_der(alias.key, in, &signature);
	}
	put_der(&alias_der, alias.cert);
	put_der(&device_der, s->dpu.cert);
	EVP_PKEY_free(alias.key);
	X509_free(alias.cert);
	if (json_set_b64(o, "alias_cert", buf_slice(&alias_der), B64_STD) < 0 ||
		json_set_b64(o, "device_id_cert", buf_slice(&device_der), B64_STD) < 0 ||
		json_set_b64(o, "report_data_signature", buf_slice(&signature), B64_STD) < 0)
		return NULL;
	return json_pack("{s:i, s:[o]}", "version", 1, "devices", o);
}
