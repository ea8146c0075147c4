/* SPDX-License-Identifier: Apache-2.0 */
/* From the key of an item to the URL that serves it. */
#include "collateral/source.h"

#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"

#define INTEL_PCS "https://api.trustedservices.intel.com"
#define INTEL_ROOT_CRL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
#define AMD_KDS "https://kdsintf.amd.com"
#define NVIDIA_RIM "https://rim.attestation.nvidia.com/v1/rim"
#define NVIDIA_OCSP "http://ocsp.ndis.nvidia.com"

#define CHAIN_SUFFIX "/chain"

static int make_url(struct collateral_request *q, const char *base, const char *fmt, ...)
	format_printf(3, 4);

static int make_url(struct collateral_request *q, const char *base, const char *fmt, ...)
{
	va_list args;

	int size = snprintf(q->url, sizeof(q->url), "%s", base);
	if (size < 0 || (size_t)size >= sizeof(q->url))
		return -E2BIG;
	va_start(args, fmt);
	int more = vsnprintf(q->url + size, sizeof(q->url) - (size_t)size, fmt, args);
	va_end(args);
	return more < 0 || (size_t)more >= sizeof(q->url) - (size_t)size ? -E2BIG : 0;
}

static bool is_hex(struct slice s, size_t size)
{
	for (size_t i = 0; i < s.size; i++) {
		if (!strchr("0123456789abcdef", s.data[i]) || s.data[i] == 0)
			return false;
	}
	return s.size == size;
}

static int intel_statement(
	const struct collateral_sources *s, const char *rest, struct collateral_request *q)
{
	const char *base = s->intel_pcs ? s->intel_pcs : INTEL_PCS;
	const char *tee = str_starts(rest, "tdx/") ? "tdx" : "sgx";

	if (!str_starts(rest, "tdx/") && !str_starts(rest, "sgx/"))
		return -ENOENT;
	rest += strlen("tdx/");
	if (streq(rest, "qe")) {
		q->chain_header = "sgx-enclave-identity-issuer-chain";
		return make_url(q, base, "/%s/certification/v4/qe/identity", tee);
	}
	if (!str_starts(rest, "tcb/") || !is_hex(slice_str(rest + 4), 12))
		return -ENOENT;
	q->chain_header = "tcb-info-issuer-chain";
	return make_url(q, base, "/%s/certification/v4/tcb?fmspc=%s", tee, rest + 4);
}

static int intel_request(
	const struct collateral_sources *s, const char *rest, struct collateral_request *q)
{
	const char *base = s->intel_pcs ? s->intel_pcs : INTEL_PCS;

	if (streq(rest, "crl/root"))
		return make_url(
			q, s->intel_root_crl ? s->intel_root_crl : INTEL_ROOT_CRL, "%s", "");
	if (streq(rest, "crl/processor") || streq(rest, "crl/platform"))
		return make_url(q, base, "/sgx/certification/v4/pckcrl?ca=%s&encoding=der",
			rest + strlen("crl/"));
	return intel_statement(s, rest, q);
}

/* "bl03_tee00_snp08_ucode115[_fmc01]" into AMD's query. */
static int amd_tcb_query(const char *tcb, bool has_fmc, char *dst, size_t size)
{
	static const struct {
		const char *word, *parameter;
	} parts[] = {{"bl", "blSPL"}, {"_tee", "teeSPL"}, {"_snp", "snpSPL"},
		{"_ucode", "ucodeSPL"}, {"_fmc", "fmcSPL"}};
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_COUNT(parts) - (has_fmc ? 0 : 1); i++) {
		uint32_t value;
		if (!str_starts(tcb, parts[i].word))
			return -ENOENT;
		tcb += strlen(parts[i].word);
		size_t digits = strspn(tcb, "0123456789");
		if (parse_u32(slice_of(tcb, digits), 0, UINT8_MAX, &value) < 0)
			return -ENOENT;
		tcb += digits;
		int n = snprintf(dst + used, size - used, "%c%s=%02u", i ? '&' : '?',
			parts[i].parameter, value);
		if (n < 0 || (size_t)n >= size - used)
			return -E2BIG;
		used += (size_t)n;
	}
	return *tcb ? -ENOENT : 0;
}

static int amd_chip(
	const char *base, const char *product, const char *rest, struct collateral_request *q)
{
	bool turin = streq(product, "Turin");
	const char *slash = strchr(rest, '/');
	char query[128];

	if (!slash || !is_hex(slice_of(rest, (size_t)(slash - rest)), turin ? 16 : 128))
		return -ENOENT;
	int r = amd_tcb_query(slash + 1, turin, query, sizeof(query));
	return r == 0 ? make_url(q, base, "/vcek/v1/%s/%.*s%s", product, (int)(slash - rest), rest,
				query)
		      : r;
}

static int amd_request(
	const struct collateral_sources *s, const char *rest, struct collateral_request *q)
{
	static const struct {
		const char *word, *name;
	} products[] = {{"milan/", "Milan"}, {"genoa/", "Genoa"}, {"turin/", "Turin"}};
	const char *base = s->amd_kds ? s->amd_kds : AMD_KDS;

	for (size_t i = 0; i < ARRAY_COUNT(products); i++) {
		const char *product = products[i].name;
		if (!str_starts(rest, products[i].word))
			continue;
		rest += strlen(products[i].word);
		const char *kind = str_starts(rest, "vlek/") ? "vlek" : "vcek";
		if (!str_starts(rest, "vcek/") && !str_starts(rest, "vlek/"))
			return -ENOENT;
		rest += strlen("vcek/");
		if (streq(rest, "crl"))
			return make_url(q, base, "/%s/v1/%s/crl", kind, product);
		if (streq(rest, "cert_chain"))
			return make_url(q, base, "/%s/v1/%s/cert_chain", kind, product);
		/* A provider's certificates (VLEK) are not public. */
		return streq(kind, "vcek") ? amd_chip(base, product, rest, q) : -ENOENT;
	}
	return -ENOENT;
}

#define OCSP_HASH_SIZE 32
#define OCSP_SERIAL_MAX 20

static void put_tlv(struct buf *b, uint8_t tag, struct slice content)
{
	buf_put_u8(b, tag);
	buf_put_u8(b, (uint8_t)content.size); /* always below 128 */
	buf_put_slice(b, content);
}

/* Puts what @b holds into @count sequences, one around the other. */
static void wrap(struct buf *b, unsigned count)
{
	for (; count > 0; count--) {
		cleanup_with(buf_done) struct buf inner = buf_init(0);
		buf_put_slice(&inner, buf_slice(b));
		buf_clear(b);
		put_tlv(b, 0x30, buf_slice(&inner));
	}
}

/* The CertID of "NAMEHASH/KEYHASH/SERIAL", and an OCSPRequest (RFC 6960, 4.1.1) for it alone. */
static int ocsp_request(const char *id, struct buf *out)
{
	static const uint8_t sha256[] = {0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
		0x04, 0x02, 0x01, 0x05, 0x00};
	cleanup_with(buf_done) struct buf serial = buf_init(OCSP_SERIAL_MAX + 1);
	uint8_t name[OCSP_HASH_SIZE], key[OCSP_HASH_SIZE];
	struct slice s = slice_str(id);
	char padded[2 * OCSP_SERIAL_MAX + 2];

	if (s.size < 131 || id[64] != '/' || id[129] != '/' || s.size > 130 + 2 * OCSP_SERIAL_MAX ||
		!is_hex(slice_cut(s, 0, 64), 64) || !is_hex(slice_cut(s, 65, 64), 64) ||
		!is_hex(slice_cut(s, 130, SIZE_MAX), s.size - 130) ||
		hex_decode_fixed(name, sizeof(name), slice_cut(s, 0, 64)) < 0 ||
		hex_decode_fixed(key, sizeof(key), slice_cut(s, 65, 64)) < 0)
		return -ENOENT;
	snprintf(padded, sizeof(padded), "%s%s", s.size % 2 ? "0" : "", id + 130);
	/* A leading one bit would make the INTEGER negative. */
	if (strchr("89abcdef", padded[0]))
		buf_put_u8(&serial, 0);
	if (hex_decode(&serial, slice_str(padded)) < 0)
		return -ENOENT;
	buf_put(out, sha256, sizeof(sha256));
	put_tlv(out, 0x04, slice_of(name, sizeof(name)));
	put_tlv(out, 0x04, slice_of(key, sizeof(key)));
	put_tlv(out, 0x02, buf_slice(&serial));
	wrap(out, 5); /* CertID, Request, requestList, TBSRequest, OCSPRequest */
	return buf_error(out) < 0 ? -E2BIG : 0;
}

/* By GET, as RFC 6960, A.1 has it: the request in base64 behind the URL. */
static int nvidia_ocsp(
	const struct collateral_sources *s, const char *id, struct collateral_request *q)
{
	cleanup_with(buf_done) struct buf der = buf_init(127), text = buf_init(1024),
					  escaped = buf_init(1024);

	int r = ocsp_request(id, &der);
	if (r < 0)
		return r;
	b64_encode(&text, buf_slice(&der), B64_STD);
	pct_encode(&escaped, buf_slice(&text), "");
	return buf_error(&escaped) < 0 ? -E2BIG
				       : make_url(q, s->nvidia_ocsp ? s->nvidia_ocsp : NVIDIA_OCSP,
						 "/%s", buf_str(&escaped));
}

/* Identifiers are upper case with the vendor, words of keys are lower case. */
static int nvidia_request(
	const struct collateral_sources *s, const char *rest, struct collateral_request *q)
{
	char id[COLLATERAL_KEY_SIZE];

	if (str_starts(rest, "ocsp/"))
		return nvidia_ocsp(s, rest + strlen("ocsp/"), q);
	if (!str_starts(rest, "rim/") || strchr(rest + 4, '/') ||
		str_copy(id, sizeof(id), rest + 4) < 0)
		return -ENOENT;
	for (char *p = id; *p; p++) {
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	}
	return make_url(q, s->nvidia_rim ? s->nvidia_rim : NVIDIA_RIM, "/%s", id);
}

int collateral_request_for(
	const struct collateral_sources *sources, const char *key, struct collateral_request *ret)
{
	static const struct collateral_sources vendors;
	struct collateral_request q = {0};
	const char *path = q.key;

	if (!collateral_key_valid(key) || str_copy(q.key, sizeof(q.key), key) < 0)
		return -ENOENT;
	if (!sources)
		sources = &vendors;
	int r = -ENOENT;
	if (str_starts(key, "amd/")) {
		/* AMD's chain is a body of its own. */
		if (str_ends(key, CHAIN_SUFFIX)) {
			char as_served[COLLATERAL_KEY_SIZE + sizeof("cert_")];
			snprintf(as_served, sizeof(as_served), "%.*s/cert_chain",
				(int)(strlen(key) - strlen(CHAIN_SUFFIX)), key);
			r = amd_request(sources, as_served + strlen("amd/"), &q);
		} else if (!str_ends(key, "/cert_chain")) {
			r = amd_request(sources, key + strlen("amd/"), &q);
		}
	} else if (str_starts(key, "intel/")) {
		if (str_ends(key, CHAIN_SUFFIX))
			q.key[strlen(key) - strlen(CHAIN_SUFFIX)] = 0;
		r = intel_request(sources, path + strlen("intel/"), &q);
		if (r == 0 && !q.chain_header && str_ends(key, CHAIN_SUFFIX))
			r = -ENOENT;
	} else if (str_starts(key, "nvidia/")) {
		r = nvidia_request(sources, key + strlen("nvidia/"), &q);
	}
	if (r == 0)
		*ret = q;
	return r;
}
