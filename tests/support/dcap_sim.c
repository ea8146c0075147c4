/* SPDX-License-Identifier: Apache-2.0 */
#include "support/dcap_sim.h"

#include "base/clock.h"
#include "base/enc.h"
#include "fmt/json.h"
#include "support/dcap_sim_pki.h"

#define DAY 86400
#define SVN 5
#define OLD_SVN 3
#define SERIAL_CA 11
#define SERIAL_PCK 1001
#define SERIAL_TCB 12

static const uint8_t g_fmspc[6] = {0xD0, 0xC0, 0x6F, 0x00, 0x00, 0x01};
static const uint8_t g_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a,
	0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

struct dcap_sim {
	struct dcap_sim_options o;
	struct sim_key root_key, ca_key, tcb_key, pck_key, attestation_key;
	X509 *root, *ca, *tcb, *pck;
	struct digest pin;
	uint8_t mr_signer[32];
	long pck_serial;
};

void dcap_sim_free(struct dcap_sim *s)
{
	if (!s)
		return;
	X509_free(s->root);
	X509_free(s->ca);
	X509_free(s->tcb);
	X509_free(s->pck);
	sim_key_done(&s->root_key);
	sim_key_done(&s->ca_key);
	sim_key_done(&s->tcb_key);
	sim_key_done(&s->pck_key);
	sim_key_done(&s->attestation_key);
	free(s);
}

static int make_authorities(struct dcap_sim *s)
{
	const int64_t from = s->o.now - 1000LL * DAY, until = s->o.now + 5000LL * DAY;
	cleanup_with(buf_done) struct buf spki = buf_init(0);

	int r = sim_key_new(&s->root_key);
	if (r == 0)
		r = sim_key_new(&s->ca_key);
	if (r == 0)
		r = sim_key_new(&s->tcb_key);
	if (r < 0)
		return r;
	s->root = sim_cert_new(&(struct sim_cert){.common_name = "Intel SGX Root CA",
		.key = &s->root_key,
		.serial = 10,
		.ca = true,
		.path_length = 1,
		.from = from,
		.until = until});
	s->ca = sim_cert_new(&(struct sim_cert){.common_name = "Intel SGX PCK Platform CA",
		.key = &s->ca_key,
		.issuer = s->root,
		.issuer_key = &s->root_key,
		.serial = SERIAL_CA,
		.ca = true,
		.path_length = 0,
		.from = from,
		.until = until});
	s->tcb = sim_cert_new(&(struct sim_cert){.common_name = "Intel SGX TCB Signing",
		.key = &s->tcb_key,
		.issuer = s->root,
		.issuer_key = &s->root_key,
		.serial = SERIAL_TCB,
		.path_length = -1,
		.from = from,
		.until = until});
	if (!s->root || !s->ca || !s->tcb)
		return -EIO;
	r = pkey_to_spki(s->root_key.key, &spki);
	return r == 0 ? hash_once(HASH_SHA256, buf_slice(&spki), &s->pin) : r;
}

int dcap_sim_new_platform(struct dcap_sim *s)
{
	cleanup_with(buf_done) struct buf extension = buf_init(0);
	uint8_t ppid[16];

	X509_free(s->pck);
	s->pck = NULL;
	sim_key_done(&s->pck_key);
	sim_key_done(&s->attestation_key);
	s->pck_serial++;
	int r = random_bytes(ppid, sizeof(ppid));
	if (r == 0)
		r = sim_key_new(&s->pck_key);
	if (r == 0)
		r = sim_key_new(&s->attestation_key);
	if (r < 0)
		return r;
	sim_sgx_extension(s->o.platform_svn ? s->o.platform_svn : SVN, ppid, g_fmspc, &extension);
	s->pck = sim_cert_new(&(struct sim_cert){.common_name = "Intel SGX PCK Certificate",
		.key = &s->pck_key,
		.issuer = s->ca,
		.issuer_key = &s->ca_key,
		.serial = s->pck_serial,
		.ca = s->o.pck_is_ca,
		.path_length = -1,
		.from = s->o.now - 900LL * DAY,
		.until = s->o.now + (s->o.expired_pck ? -1LL : 2000LL) * DAY,
		.sgx_extension = buf_slice(&extension)});
	return s->pck ? 0 : -EIO;
}

void dcap_sim_change(struct dcap_sim *s, const struct dcap_sim_options *o)
{
	s->o = *o;
	if (s->o.now == 0)
		s->o.now = DCAP_SIM_NOW;
}

struct dcap_sim *dcap_sim_new(const struct dcap_sim_options *o)
{
	struct dcap_sim *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	dcap_sim_change(s, o ? o : &(struct dcap_sim_options){0});
	s->pck_serial = SERIAL_PCK - 1;
	memset(s->mr_signer, 0xA5, sizeof(s->mr_signer));
	if (make_authorities(s) < 0 || dcap_sim_new_platform(s) < 0) {
		dcap_sim_free(s);
		return NULL;
	}
	return s;
}

const struct digest *dcap_sim_root(const struct dcap_sim *s)
{
	return &s->pin;
}

static void put_dates(const struct dcap_sim *s, bool expired, struct buf *out)
{
	char from[RFC3339_SIZE], until[RFC3339_SIZE];
	int64_t issued = s->o.now - (expired ? 40LL : 10LL) * DAY;
	buf_printf(out, "\"issueDate\":\"%s\",\"nextUpdate\":\"%s\",", rfc3339_format(issued, from),
		rfc3339_format(issued + 30LL * DAY, until));
	buf_printf(out, "\"tcbEvaluationDataNumber\":%u,", 18 + s->o.extra_number);
}

static void put_components(const char *name, unsigned svn, struct buf *out)
{
	buf_printf(out, "\"%s\":[", name);
	/* Component 1 of TDX is the module's version, which levels leave at 0. */
	for (int i = 0; i < 16; i++)
		buf_printf(out, "%s{\"svn\":%u}", i ? "," : "", i == 1 && name[0] == 't' ? 0 : svn);
	buf_put_str(out, "],");
}

static void put_level(const struct dcap_sim *s, bool tdx, unsigned svn, const char *status,
	const char *advisory, struct buf *out)
{
	buf_put_str(out, "{\"tcb\":{");
	if (s->o.tcb_info_v2 && !tdx) {
		for (int i = 1; i <= 16; i++)
			buf_printf(out, "\"sgxtcbcomp%02dsvn\":%u,", i, svn);
	} else {
		put_components("sgxtcbcomponents", svn, out);
	}
	if (tdx)
		put_components("tdxtcbcomponents", svn, out);
	buf_printf(out, "\"pcesvn\":%u},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"%s\"",
		svn, status);
	if (advisory)
		buf_printf(out, ",\"advisoryIDs\":[\"%s\"]", advisory);
	buf_put_str(out, "}");
}

static void put_isv_levels(const char *status, struct buf *out)
{
	buf_printf(out,
		"\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":\"2025-01-01T00:00:00Z\","
		"\"tcbStatus\":\"%s\"},{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":"
		"\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":"
		"[\"INTEL-SA-00998\"]}]",
		SVN, status ? status : "UpToDate", OLD_SVN);
}

static void put_module(struct buf *out)
{
	buf_put_str(out, "\"mrsigner\":\"");
	for (int i = 0; i < 48; i++)
		buf_put_str(out, "00");
	buf_put_str(out, "\",\"attributes\":\"0000000000000000\","
			 "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"");
}

static void put_tcb_info(const struct dcap_sim *s, bool tdx, struct buf *out)
{
	char fmspc[16];

	if (s->o.tcb_info_v2 && !tdx)
		buf_put_str(out, "{\"version\":2,");
	else
		buf_printf(out, "{\"id\":\"%s\",\"version\":3,", tdx ? "TDX" : "SGX");
	put_dates(s, s->o.expired_tcb_info, out);
	buf_printf(out, "\"fmspc\":\"%s\",\"pceId\":\"0000\",\"tcbType\":0,",
		hex_str(slice_of(g_fmspc, 6), fmspc, sizeof(fmspc)));
	if (tdx) {
		buf_put_str(out, "\"tdxModule\":{");
		put_module(out);
		buf_put_str(out, "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",");
		put_module(out);
		buf_put_str(out, ",");
		put_isv_levels(s->o.module_status, out);
		buf_put_str(out, "}],");
	}
	buf_put_str(out, "\"tcbLevels\":[");
	put_level(s, tdx, SVN, s->o.tcb_status ? s->o.tcb_status : "UpToDate", s->o.advisory, out);
	buf_put_str(out, ",");
	put_level(s, tdx, OLD_SVN, "OutOfDate", "INTEL-SA-00999", out);
	buf_put_str(out, "]}");
}

static void put_identity(const struct dcap_sim *s, bool tdx, struct buf *out)
{
	char signer[65];

	buf_printf(out, "{\"id\":\"%s\",\"version\":2,", tdx ? "TD_QE" : "QE");
	put_dates(s, s->o.expired_identity, out);
	buf_printf(out,
		"\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
		"\"attributes\":\"11000000000000000000000000000000\","
		"\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"%s\","
		"\"isvprodid\":%d,",
		hex_str(slice_of(s->mr_signer, 32), signer, sizeof(signer)), tdx ? 2 : 1);
	put_isv_levels(s->o.qe_status, out);
	buf_put_str(out, "}");
}

static int publish_signed(const struct dcap_sim *s, struct collateral_store *store, const char *key,
	const char *member, const struct buf *body)
{
	cleanup_with(buf_done) struct buf doc = buf_init(0), sig = buf_init(0), pem = buf_init(0);
	char chain_key[COLLATERAL_KEY_SIZE];

	int r = pkey_sign(s->tcb_key.key, SIG_ES256, buf_slice(body), &sig);
	if (r < 0)
		return r;
	buf_printf(&doc, "{\"%s\":", member);
	buf_put_slice(&doc, buf_slice(body));
	buf_put_str(&doc, ",\"signature\":\"");
	hex_encode(&doc, buf_slice(&sig));
	buf_put_str(&doc, "\"}");
	snprintf(chain_key, sizeof(chain_key), "%s/chain", key);
	r = collateral_store_put(store, key, buf_slice(&doc));
	if (r == 0)
		r = sim_pem(s->tcb, &pem);
	if (r == 0)
		r = sim_pem(s->root, &pem);
	return r == 0 ? collateral_store_put(store, chain_key, buf_slice(&pem)) : r;
}

static int publish_tee(const struct dcap_sim *s, struct collateral_store *store, bool tdx)
{
	cleanup_with(buf_done) struct buf info = buf_init(0), identity = buf_init(0);
	char key[64], fmspc[16];

	put_tcb_info(s, tdx, &info);
	put_identity(s, tdx, &identity);
	snprintf(key, sizeof(key), "intel/%s/tcb/%s", tdx ? "tdx" : "sgx",
		hex_str(slice_of(g_fmspc, 6), fmspc, sizeof(fmspc)));
	int r = publish_signed(s, store, key, "tcbInfo", &info);
	snprintf(key, sizeof(key), "intel/%s/qe", tdx ? "tdx" : "sgx");
	return r == 0 ? publish_signed(s, store, key, "enclaveIdentity", &identity) : r;
}

int dcap_sim_publish(const struct dcap_sim *s, struct collateral_store *store)
{
	cleanup_with(buf_done) struct buf root = buf_init(0), pck = buf_init(0);
	const int64_t from = s->o.now - 10LL * DAY, until = s->o.now + 20LL * DAY;

	int r = publish_tee(s, store, false);
	if (r == 0)
		r = publish_tee(s, store, true);
	if (r == 0)
		r = sim_crl(s->root, &s->root_key, from, s->o.expired_root_crl ? from + DAY : until,
			s->o.revoked_ca		  ? SERIAL_CA
			: s->o.revoked_tcb_signer ? SERIAL_TCB
						  : 0,
			&root);
	if (r == 0)
		r = sim_crl(s->ca, &s->ca_key, from, s->o.expired_pck_crl ? from + DAY : until,
			s->o.revoked_pck ? s->pck_serial : 0, &pck);
	if (r == 0)
		r = collateral_store_put(store, "intel/crl/root", buf_slice(&root));
	return r == 0 ? collateral_store_put(store, "intel/crl/platform", buf_slice(&pck)) : r;
}

json_t *dcap_sim_publish_text(const struct dcap_sim *s)
{
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();
	return store && dcap_sim_publish(s, store) == 0 ? collateral_store_save(store) : NULL;
}

/* @value cut or padded to @size. */
static void put_padded(struct buf *out, struct slice value, size_t size)
{
	struct slice cut = slice_cut(value, 0, size);
	buf_put_slice(out, cut);
	buf_put_zero(out, size - cut.size);
}

static void put_enclave(struct buf *out, uint8_t attributes, struct slice mr_signer,
	struct slice config_id, unsigned prod_id, unsigned isv_svn, struct slice report_data)
{
	buf_put_zero(out, 16 + 4 + 12 + 16);
	buf_put_u8(out, attributes);
	buf_put_zero(out, 15);
	put_padded(out, SLICE_LIT("enclave measurement of a test .."), 32);
	buf_put_zero(out, 32);
	put_padded(out, mr_signer, 32);
	buf_put_zero(out, 32);
	put_padded(out, config_id, 64);
	buf_put_u16le(out, (uint16_t)prod_id);
	buf_put_u16le(out, (uint16_t)isv_svn);
	buf_put_u16le(out, 0);
	buf_put_zero(out, 42 + 16);
	put_padded(out, report_data, 64);
}

static void put_td(const struct dcap_sim_report *r, struct buf *out)
{
	uint8_t svn[16], attributes[8] = {0, 0, 0, 0x10};

	memset(svn, SVN, sizeof(svn));
	svn[0] = r->module_svn ? r->module_svn : SVN;
	svn[1] = r->module_version;
	attributes[0] = r->debug ? 1 : 0;
	buf_put(out, svn, sizeof(svn));
	put_padded(out, SLICE_LIT("seam module"), 48);
	buf_put_zero(out, 48 + 8);
	buf_put(out, attributes, sizeof(attributes));
	put_padded(out, SLICE_LIT("\xe7\2\6\0\0\0\0\0"), 8);
	put_padded(out, SLICE_LIT("measurement of a test domain"), 48);
	put_padded(out, r->config_id, 48);
	buf_put_zero(out, 48 + 48);
	for (int i = 0; i < 4; i++)
		put_padded(out, r->rtmr ? digest_slice(&r->rtmr[i]) : SLICE_EMPTY, 48);
	put_padded(out, r->report_data, 64);
	if (r->body_type == 3) {
		svn[0] = r->module_svn2 ? r->module_svn2 : svn[0];
		buf_put(out, svn, sizeof(svn));
		buf_put_zero(out, 48);
	}
}

static void put_head(const struct dcap_sim_report *r, struct buf *out)
{
	bool tdx = r->body_type != 1;

	buf_put_u16le(out, (uint16_t)r->version);
	buf_put_u16le(out, 2);
	buf_put_u32le(out, tdx ? 0x81 : 0);
	buf_put_u32le(out, 0);
	buf_put(out, g_vendor, sizeof(g_vendor));
	put_padded(out, SLICE_LIT("user data of header"), 20);
	if (r->version == 5) {
		buf_put_u16le(out, (uint16_t)r->body_type);
		buf_put_u32le(out, r->body_type == 1 ? 384 : r->body_type == 2 ? 584 : 648);
	}
	if (tdx)
		put_td(r, out);
	else
		put_enclave(out, r->debug ? 0x07 : 0x05, SLICE_LIT("signer of a test"),
			r->config_id, 1, 1, r->report_data);
}

/* QE report that vouches for the attestation key, its signature, the certificates. */
static int put_qe(const struct dcap_sim *s, const struct dcap_sim_report *r, struct slice key,
	struct buf *out)
{
	cleanup_with(buf_done) struct buf bound = buf_init(0), report = buf_init(0),
					  pem = buf_init(0);
	struct digest d;

	buf_put_slice(&bound, key);
	buf_put_slice(&bound, r->qe_auth_data);
	int e = hash_once(HASH_SHA256, buf_slice(&bound), &d);
	if (e < 0)
		return e;
	put_enclave(&report, 0x15, slice_of(s->mr_signer, 32), SLICE_EMPTY,
		r->body_type == 1 ? 1 : 2, SVN, digest_slice(&d));
	buf_put_slice(out, buf_slice(&report));
	e = pkey_sign(s->pck_key.key, SIG_ES256, buf_slice(&report), out);
	if (e == 0)
		e = sim_pem(s->pck, &pem);
	if (e == 0)
		e = sim_pem(s->ca, &pem);
	if (e == 0)
		e = sim_pem(s->root, &pem);
	buf_put_u16le(out, (uint16_t)r->qe_auth_data.size);
	buf_put_slice(out, r->qe_auth_data);
	buf_put_u16le(out, 5);
	buf_put_u32le(out, (uint32_t)pem.size);
	buf_put_slice(out, buf_slice(&pem));
	return e < 0 ? e : buf_error(out);
}

int dcap_sim_quote(const struct dcap_sim *s, const struct dcap_sim_report *r, struct buf *out)
{
	cleanup_with(buf_done) struct buf quote = buf_init(0), sig = buf_init(0), qe = buf_init(0),
					  spki = buf_init(0);

	put_head(r, &quote);
	int e = pkey_to_spki(s->attestation_key.key, &spki);
	if (e < 0)
		return e;
	struct slice key = slice_cut(buf_slice(&spki), spki.size - 64, 64);
	e = pkey_sign(s->attestation_key.key, SIG_ES256, buf_slice(&quote), &sig);
	if (e == 0)
		e = put_qe(s, r, key, &qe);
	if (e < 0)
		return e;
	buf_put_slice(&sig, key);
	if (r->version >= 4) {
		buf_put_u16le(&sig, 6);
		buf_put_u32le(&sig, (uint32_t)qe.size);
	}
	buf_put_slice(&sig, buf_slice(&qe));
	buf_put_u32le(&quote, (uint32_t)sig.size);
	buf_put_slice(&quote, buf_slice(&sig));
	buf_put_zero(&quote, r->padding);
	buf_put_slice(out, buf_slice(&quote));
	return buf_error(&quote) < 0 ? buf_error(&quote) : buf_error(out);
}

json_t *dcap_sim_evidence(const struct dcap_sim *s, const struct dcap_sim_report *r)
{
	cleanup_with(buf_done) struct buf quote = buf_init(0);
	json_t *evidence = json_object();
	if (dcap_sim_quote(s, r, &quote) < 0 ||
		json_set_b64(evidence, "quote", buf_slice(&quote), B64_STD) < 0) {
		json_decref(evidence);
		return NULL;
	}
	return evidence;
}
