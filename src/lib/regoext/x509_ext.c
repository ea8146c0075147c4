/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "base/enc.h"
#include "x509_view.h"

static val null_or(struct ext_list *l, struct rego_eval *e)
{
	val v = l->count ? ext_array(l, e) : rego_make_null();
	ext_list_done(l);
	return v;
}

static struct slice octets(const ASN1_STRING *s)
{
	return s ? slice_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)) : SLICE_EMPTY;
}

static val oid_text(struct rego_eval *e, const ASN1_OBJECT *o)
{
	char text[256];
	if (OBJ_obj2txt(text, sizeof(text), o, 1) <= 0)
		return rego_make_null();
	return rego_make_string(e, slice_str(text));
}

val view_extension_list(struct rego_eval *e, const STACK_OF(X509_EXTENSION) * list)
{
	struct ext_list l = {0};
	for (int i = 0; i < sk_X509_EXTENSION_num(list); i++) {
		X509_EXTENSION *x = sk_X509_EXTENSION_value(list, i);
		struct ext_object o = {.e = e};
		ext_put(&o, "Id", view_oid(e, X509_EXTENSION_get_object(x)));
		ext_put(&o, "Critical", rego_make_bool(X509_EXTENSION_get_critical(x) > 0));
		ext_put(&o, "Value", view_b64(e, octets(X509_EXTENSION_get_data(x))));
		ext_push(&l, ext_object(&o));
	}
	return null_or(&l, e);
}

static void put_basic(struct ext_object *o, X509 *c)
{
	BASIC_CONSTRAINTS *bc = X509_get_ext_d2i(c, NID_basic_constraints, NULL, NULL);
	int64_t length = bc ? -1 : 0;
	if (bc && bc->pathlen && !ASN1_INTEGER_get_int64(&length, bc->pathlen))
		length = -1;
	ext_put(o, "BasicConstraintsValid", rego_make_bool(bc));
	ext_put(o, "IsCA", rego_make_bool(bc && bc->ca));
	ext_put_int(o, "MaxPathLen", length);
	ext_put(o, "MaxPathLenZero", rego_make_bool(bc && length == 0));
	BASIC_CONSTRAINTS_free(bc);
}

static void put_key_usage(struct ext_object *o, X509 *c)
{
	ASN1_BIT_STRING *bits = X509_get_ext_d2i(c, NID_key_usage, NULL, NULL);
	int64_t usage = 0;
	for (int i = 0; bits && i < 9; i++)
		if (ASN1_BIT_STRING_get_bit(bits, i))
			usage |= (int64_t)1 << i;
	ext_put_int(o, "KeyUsage", usage);
	ASN1_BIT_STRING_free(bits);
}

int view_key_usage_code(const ASN1_OBJECT *object)
{
	static const int nids[] = {NID_anyExtendedKeyUsage, NID_server_auth, NID_client_auth,
		NID_code_sign, NID_email_protect, NID_ipsecEndSystem, NID_ipsecTunnel,
		NID_ipsecUser, NID_time_stamp, NID_OCSP_sign, NID_ms_sgc, NID_ns_sgc,
		NID_ms_code_com};
	char text[80];
	int nid = OBJ_obj2nid(object);
	for (size_t i = 0; i < ARRAY_COUNT(nids); i++)
		if (nid == nids[i])
			return (int)i;
	OBJ_obj2txt(text, sizeof(text), object, 1);
	return slice_eq_str(slice_str(text), "1.3.6.1.4.1.311.61.1.1") ? 13 : -1;
}

static void put_ext_key_usage(struct ext_object *o, X509 *c)
{
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(c, NID_ext_key_usage, NULL, NULL);
	struct ext_list known = {0}, unknown = {0};
	for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
		const ASN1_OBJECT *object = sk_ASN1_OBJECT_value(eku, i);
		int code = view_key_usage_code(object);
		if (code >= 0)
			ext_push(&known, rego_make_int(o->e, code));
		else
			ext_push(&unknown, view_oid(o->e, object));
	}
	ext_put(o, "ExtKeyUsage", null_or(&known, o->e));
	ext_put(o, "UnknownExtKeyUsage", null_or(&unknown, o->e));
	EXTENDED_KEY_USAGE_free(eku);
}

static void put_key_ids(struct ext_object *o, X509 *c)
{
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(c);
	const ASN1_OCTET_STRING *issuer = X509_get0_authority_key_id(c);
	ext_put(o, "SubjectKeyId", own ? view_b64(o->e, octets(own)) : rego_make_null());
	ext_put(o, "AuthorityKeyId", issuer ? view_b64(o->e, octets(issuer)) : rego_make_null());
}

static void push_uri(struct ext_list *l, struct rego_eval *e, const GENERAL_NAME *name)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(name, &type);
	if (type == GEN_URI)
		ext_push(l, rego_make_string(e, octets(s)));
}

static void put_access(struct ext_object *o, X509 *c)
{
	AUTHORITY_INFO_ACCESS *aia = X509_get_ext_d2i(c, NID_info_access, NULL, NULL);
	struct ext_list ocsp = {0}, issuer = {0};
	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(aia); i++) {
		const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(aia, i);
		int nid = OBJ_obj2nid(d->method);
		if (nid == NID_ad_OCSP || nid == NID_ad_ca_issuers)
			push_uri(nid == NID_ad_OCSP ? &ocsp : &issuer, o->e, d->location);
	}
	ext_put(o, "OCSPServer", null_or(&ocsp, o->e));
	ext_put(o, "IssuingCertificateURL", null_or(&issuer, o->e));
	AUTHORITY_INFO_ACCESS_free(aia);
}

static void put_crls(struct ext_object *o, X509 *c)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(c, NID_crl_distribution_points, NULL, NULL);
	struct ext_list l = {0};
	for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
		const GENERAL_NAMES *full = name && name->type == 0 ? name->name.fullname : NULL;
		for (int k = 0; full && k < sk_GENERAL_NAME_num(full); k++)
			push_uri(&l, o->e, sk_GENERAL_NAME_value(full, k));
	}
	ext_put(o, "CRLDistributionPoints", null_or(&l, o->e));
	CRL_DIST_POINTS_free(points);
}

static void put_policies(struct ext_object *o, X509 *c)
{
	CERTIFICATEPOLICIES *policies = X509_get_ext_d2i(c, NID_certificate_policies, NULL, NULL);
	POLICY_MAPPINGS *maps = X509_get_ext_d2i(c, NID_policy_mappings, NULL, NULL);
	struct ext_list ids = {0}, texts = {0}, pairs = {0};
	for (int i = 0; i < sk_POLICYINFO_num(policies); i++) {
		const ASN1_OBJECT *id = sk_POLICYINFO_value(policies, i)->policyid;
		ext_push(&ids, view_oid(o->e, id));
		ext_push(&texts, oid_text(o->e, id));
	}
	for (int i = 0; i < sk_POLICY_MAPPING_num(maps); i++) {
		const POLICY_MAPPING *m = sk_POLICY_MAPPING_value(maps, i);
		struct ext_object pair = {.e = o->e};
		ext_put(&pair, "IssuerDomainPolicy", oid_text(o->e, m->issuerDomainPolicy));
		ext_put(&pair, "SubjectDomainPolicy", oid_text(o->e, m->subjectDomainPolicy));
		ext_push(&pairs, ext_object(&pair));
	}
	ext_put(o, "PolicyIdentifiers", null_or(&ids, o->e));
	ext_put(o, "Policies", null_or(&texts, o->e));
	ext_put(o, "PolicyMappings", null_or(&pairs, o->e));
	CERTIFICATEPOLICIES_free(policies);
	sk_POLICY_MAPPING_pop_free(maps, POLICY_MAPPING_free);
}

static void put_limit(
	struct ext_object *o, const char *name, const char *zero, const ASN1_INTEGER *n)
{
	int64_t v = 0;
	bool there = n && ASN1_INTEGER_get_int64(&v, n);
	ext_put_int(o, name, there ? v : 0);
	ext_put(o, zero, rego_make_bool(there && v == 0));
}

static void put_policy_limits(struct ext_object *o, X509 *c)
{
	POLICY_CONSTRAINTS *pc = X509_get_ext_d2i(c, NID_policy_constraints, NULL, NULL);
	ASN1_INTEGER *any = X509_get_ext_d2i(c, NID_inhibit_any_policy, NULL, NULL);
	put_limit(o, "RequireExplicitPolicy", "RequireExplicitPolicyZero",
		pc ? pc->requireExplicitPolicy : NULL);
	put_limit(o, "InhibitPolicyMapping", "InhibitPolicyMappingZero",
		pc ? pc->inhibitPolicyMapping : NULL);
	put_limit(o, "InhibitAnyPolicy", "InhibitAnyPolicyZero", any);
	POLICY_CONSTRAINTS_free(pc);
	ASN1_INTEGER_free(any);
}

static val ip_range(struct rego_eval *e, struct slice s)
{
	struct ext_object o = {.e = e};
	size_t half = s.size / 2;
	ext_put(&o, "IP", view_ip(e, s.data, half));
	ext_put(&o, "Mask", view_b64(e, slice_cut(s, half, half)));
	return ext_object(&o);
}

static void put_subtrees(struct ext_object *o, const STACK_OF(GENERAL_SUBTREE) * trees,
	const char *dns_name, const char *email_name, const char *ip_name, const char *uri_name)
{
	struct ext_list dns = {0}, email = {0}, ip = {0}, uri = {0};
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
		int type;
		const ASN1_STRING *s =
			GENERAL_NAME_get0_value(sk_GENERAL_SUBTREE_value(trees, i)->base, &type);
		if (type == GEN_IPADD && (octets(s).size == 8 || octets(s).size == 32))
			ext_push(&ip, ip_range(o->e, octets(s)));
		else if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI)
			ext_push(type == GEN_DNS     ? &dns
				 : type == GEN_EMAIL ? &email
						     : &uri,
				rego_make_string(o->e, octets(s)));
	}
	ext_put(o, dns_name, null_or(&dns, o->e));
	ext_put(o, email_name, null_or(&email, o->e));
	ext_put(o, ip_name, null_or(&ip, o->e));
	ext_put(o, uri_name, null_or(&uri, o->e));
}

static void put_name_limits(struct ext_object *o, X509 *c)
{
	int critical = 0;
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(c, NID_name_constraints, &critical, NULL);
	put_subtrees(o, nc ? nc->permittedSubtrees : NULL, "PermittedDNSDomains",
		"PermittedEmailAddresses", "PermittedIPRanges", "PermittedURIDomains");
	put_subtrees(o, nc ? nc->excludedSubtrees : NULL, "ExcludedDNSDomains",
		"ExcludedEmailAddresses", "ExcludedIPRanges", "ExcludedURIDomains");
	ext_put(o, "PermittedDNSDomainsCritical", rego_make_bool(nc && critical > 0));
	NAME_CONSTRAINTS_free(nc);
}

static void put_unhandled(struct ext_object *o, X509 *c)
{
	static const int known[] = {NID_basic_constraints, NID_key_usage, NID_subject_alt_name,
		NID_name_constraints, NID_crl_distribution_points, NID_authority_key_identifier,
		NID_policy_constraints, NID_ext_key_usage, NID_subject_key_identifier,
		NID_certificate_policies, NID_policy_mappings, NID_inhibit_any_policy,
		NID_info_access};
	struct ext_list l = {0};
	const STACK_OF(X509_EXTENSION) *list = X509_get0_extensions(c);
	for (int i = 0; i < sk_X509_EXTENSION_num(list); i++) {
		X509_EXTENSION *x = sk_X509_EXTENSION_value(list, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(x));
		bool handled = X509_EXTENSION_get_critical(x) <= 0;
		for (size_t k = 0; k < ARRAY_COUNT(known); k++)
			handled |= nid == known[k];
		if (!handled)
			ext_push(&l, view_oid(o->e, X509_EXTENSION_get_object(x)));
	}
	ext_put(o, "UnhandledCriticalExtensions", null_or(&l, o->e));
}

void view_extensions(struct ext_object *o, X509 *c)
{
	put_basic(o, c);
	put_key_usage(o, c);
	put_ext_key_usage(o, c);
	put_key_ids(o, c);
	put_access(o, c);
	put_crls(o, c);
	put_policies(o, c);
	put_policy_limits(o, c);
	put_name_limits(o, c);
	put_unhandled(o, c);
}
