/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of NVIDIA's BlueField DPUs: {"version": 1, "devices": [{"architecture", "alias_cert",
 * "device_id_cert", "report_data_signature"}]}, base64 of DER. TCG DICE: the manufacturer's root
 * certified the device's identity key, which certified an alias key for the firmware that runs; the
 * alias key signs the report data.
 *
 * NVIDIA publishes no root for these chains, so none is built in: the operator pins one, and the
 * certificate itself is collateral (nvidia/dpu/root, PEM or DER). Initdata cannot be bound.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "evidence/internal.h"
#include "crypto/x509.h"
#include "fmt/der.h"
#include "fmt/json.h"

#define VERSION 1
#define CERT_MAX ((size_t)16 << 10)
#define ALIAS_AGE_MAX_S 3600 /* the alias certificate is made when the firmware starts */
#define DICE_TCB_INFO "2.23.133.5.4.1"
#define TCB_INFO_FWIDS 0xA6
#define LAYERS_MAX 32
#define RAW_SIGNATURE_SIZE 96

struct dpu {
	struct cert *alias, *device, *root;
	struct pkey *alias_key;
	struct buf signature;
};

static void dpu_done(struct dpu *d)
{
	cert_free(d->alias);
	cert_free(d->device);
	cert_free(d->root);
	pkey_free(d->alias_key);
	buf_done(&d->signature);
}

static int decode_cert(const json_t *o, const char *name, struct cert **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(CERT_MAX);

	int r = json_get_b64(o, name, &der, reterr);
	if (r == 0)
		r = cert_from_der(buf_slice(&der), ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "%s", name) : 0;
}

static int decode(const json_t *evidence, struct dpu *d, struct err *reterr)
{
	json_t *devices = NULL;
	const char *architecture;
	int64_t version;

	d->signature = buf_init(256);
	int r = json_get_int(evidence, "version", VERSION, VERSION, &version, reterr);
	if (r == 0)
		r = json_get_array(evidence, "devices", 1, &devices, reterr);
	if (r == 0 && json_array_size(devices) != 1)
		r = err_set(reterr, -EBADMSG, "the evidence is not about exactly one device");
	const json_t *device = json_array_get(devices, 0);
	if (r == 0)
		r = json_get_str(device, "architecture", &architecture, reterr);
	if (r == 0)
		r = decode_cert(device, "alias_cert", &d->alias, reterr);
	if (r == 0)
		r = decode_cert(device, "device_id_cert", &d->device, reterr);
	if (r == 0)
		r = json_get_b64(device, "report_data_signature", &d->signature, reterr);
	if (r == 0 &&
		(cert_key(d->alias, &d->alias_key) < 0 || pkey_type(d->alias_key) != KEY_P384))
		r = err_set(reterr, -EBADMSG, "the alias certificate's key is not P-384");
	return r;
}

static int load_root(struct slice item, struct cert **ret, struct err *reterr)
{
	int r = item.data[0] == 0x30 ? cert_from_der(item, ret, reterr)
				     : certs_from_pem(item, ret, 1, reterr);
	return r < 0 ? r : *ret ? 0 : -EBADMSG;
}

/* The root is the pinned one. */
static int find_root(
	const struct evidence_request *request, struct dpu *d, struct evidence_result *result)
{
	struct slice item = SLICE_EMPTY;
	struct digest pin;
	struct err e = {0};

	if (!request->nvidia_dpu_root)
		return check_note(result, "DPU root key", false, NULL, NULL,
			"no root key of DPUs is configured, and none is built in");
	int r = check_collateral(result, request->collateral, "nvidia/dpu/root", &item);
	if (r == 0)
		r = check_errno(result, "DPU root certificate", load_root(item, &d->root, &e), &e);
	if (r == 0)
		r = cert_spki_digest(d->root, HASH_SHA256, &pin);
	if (r == 0)
		r = check_bytes(result, "DPU root key", digest_slice(request->nvidia_dpu_root),
			digest_slice(&pin), "the root certificate is not of the pinned key");
	return r;
}

static int check_dates(const struct cert *c, const char *what, int64_t now, struct err *reterr)
{
	int64_t from, until;

	if (cert_validity(c, &from, &until) < 0)
		return err_set(reterr, -EBADMSG, "the %s has malformed dates", what);
	if (now < from || now > until)
		return err_set(reterr, -ESTALE, "the %s %s", what,
			now < from ? "is not valid yet" : "has expired");
	return 0;
}

static int check_chain(const struct dpu *d, int64_t now, struct err *reterr)
{
	int r = cert_check_issued(d->alias, d->device, 0, reterr);

	if (r == 0)
		r = cert_check_issued(d->device, d->root, 1, reterr);
	if (r == 0)
		r = check_dates(d->alias, "alias certificate", now, reterr);
	if (r == 0)
		r = check_dates(d->device, "device certificate", now, reterr);
	return r == 0 ? check_dates(d->root, "root certificate", now, reterr) : r;
}

static int check_age(const struct dpu *d, int64_t now, int64_t *ret_from, struct err *reterr)
{
	int64_t until;

	if (cert_validity(d->alias, ret_from, &until) < 0)
		return -EBADMSG;
	return now - *ret_from <= ALIAS_AGE_MAX_S
		       ? 0
		       : err_set(reterr, -ESTALE,
				 "the alias certificate is %lld seconds old, %d are allowed",
				 (long long)(now - *ret_from), ALIAS_AGE_MAX_S);
}

/* r||s, or DER, as the driver has it. */
static int verify(const struct dpu *d, struct slice data)
{
	struct slice signature = buf_slice(&d->signature);

	return signature.size == RAW_SIGNATURE_SIZE
		       ? pkey_verify(d->alias_key, SIG_ES384, data, signature)
		       : pkey_verify_der(d->alias_key, SIG_ES384, data, signature);
}

/* Guests sign the report data padded to 64 bytes, other attesters as it is: both bind it. */
static int check_binding(
	const struct evidence_request *request, const struct dpu *d, struct evidence_result *result)
{
	uint8_t padded[64] = {0};

	if (request->insecure_skip_report_data)
		return 0;
	if (request->report_data.size < 32 || request->report_data.size > sizeof(padded))
		return check_note(result, "report data", false, NULL, NULL,
			"no usable report data was given to compare with");
	memcpy(padded, request->report_data.data, request->report_data.size);
	bool good = verify(d, request->report_data) == 0 ||
		    verify(d, slice_of(padded, sizeof(padded))) == 0;
	return check_note(result, "report data", good, NULL, NULL,
		good ? NULL
		     : "it is not signed by the alias key: the evidence was not made for this "
		       "session and key");
}

/* Appends the digests of the firmware layers. Return: their count, -EBADMSG. */
static int read_layers(const struct cert *c, struct buf *out)
{
	struct slice value, info = SLICE_EMPTY, list = SLICE_EMPTY, item = SLICE_EMPTY,
			    part = SLICE_EMPTY;
	uint8_t tag = 0;
	int count = 0;

	int r = cert_extension(c, DICE_TCB_INFO, &value);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	struct rd rd = rd_init(value);
	r = der_expect(&rd, DER_SEQUENCE, &info);
	for (rd = rd_init(info); r == 0 && tag != TCB_INFO_FWIDS && !rd_end(&rd);)
		r = der_next(&rd, &tag, &list);
	if (r < 0 || tag != TCB_INFO_FWIDS)
		return r < 0 ? -EBADMSG : 0;
	/* IMPLICIT by the specification; some wrap the list once more. */
	rd = rd_init(list);
	struct rd inner = rd;
	if (der_expect(&inner, DER_SEQUENCE, &item) == 0 && rd_end(&inner) && item.size > 0 &&
		item.data[0] == DER_SEQUENCE)
		rd = rd_init(item);
	for (; !rd_end(&rd); count++) {
		if (count == LAYERS_MAX || der_expect(&rd, DER_SEQUENCE, &item) < 0)
			return -EBADMSG;
		inner = rd_init(item);
		if (der_expect(&inner, DER_OID, &part) < 0 ||
			der_expect(&inner, DER_OCTET_STRING, &part) < 0 || !rd_end(&inner))
			return -EBADMSG;
		buf_put_slice(out, part);
	}
	return count;
}

static int make_claims(const struct evidence_request *request, const struct dpu *d, int64_t born,
	struct evidence_result *result)
{
	cleanup_with(buf_done) struct buf layers = buf_init(4096);
	char serial[64], class[128];
	struct digest all;
	struct err e = {0};

	int count = read_layers(d->device, &layers);
	if (count < 0 || buf_error(&layers) < 0)
		return check_errno(result, "firmware layers",
			err_set(&e, -EBADMSG, "the TcbInfo of the device is malformed"), &e);
	int r = hash_once(HASH_SHA384, buf_slice(&layers), &all);
	if (r == 0)
		r = cert_serial_hex(d->device, serial, sizeof(serial));
	if (cert_common_name(d->device, class, sizeof(class)) < 0)
		snprintf(class, sizeof(class), "unknown");
	json_t *c = result->claims = json_object();
	if (r == 0)
		r = json_set_str(c, "device_serial", serial);
	if (r == 0)
		r = json_set_str(c, "device_class", class);
	if (r == 0)
		r = json_set_int(c, "firmware_layers_count", count);
	if (r == 0)
		r = json_set_hex(c, "accumulated_fwid", digest_slice(&all));
	if (r == 0)
		r = json_set_int(c, "alias_timestamp", born);
	return r == 0 ? json_set_hex(c, "session_nonce", request->report_data) : r;
}

int evidence_nvidia_dpu_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(dpu_done) struct dpu d = {0};
	struct err e = {0};
	int64_t born = 0;

	int r = check_errno(result, "evidence format", decode(request->evidence, &d, &e), &e);
	if (r == 0)
		r = find_root(request, &d, result);
	if (r == 0)
		r = check_errno(result, "certificate chain", check_chain(&d, request->now, &e), &e);
	if (r == 0)
		r = check_errno(result, "alias age", check_age(&d, request->now, &born, &e), &e);
	if (r == 0)
		r = check_binding(request, &d, result);
	return r == 0 ? make_claims(request, &d, born, result) : r;
}
