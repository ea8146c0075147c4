/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <openssl/objects.h>
#include <stdlib.h>

#include "base/enc.h"
#include "rego/uri.h"
#include "x509_view.h"

#define OID_TEXT_MAX 256

val view_b64(struct rego_eval *e, struct slice bytes)
{
	cleanup_with(buf_done) struct buf text = {0};
	b64_encode(&text, bytes, B64_STD);
	return buf_error(&text) ? NULL : rego_make_string(e, buf_slice(&text));
}

/* The dotted numbers as an array. */
val view_oid(struct rego_eval *e, const ASN1_OBJECT *o)
{
	char text[OID_TEXT_MAX], *end;
	struct ext_list l = {0};
	if (OBJ_obj2txt(text, sizeof(text), o, 1) <= 0)
		return rego_make_null();
	for (char *p = text; *p; p = *end ? end + 1 : end) {
		end = p + strcspn(p, ".");
		ext_push(&l, rego_make_number(e, slice_of(p, (size_t)(end - p))));
	}
	val v = ext_array(&l, e);
	ext_list_done(&l);
	return v;
}

static val view_string(struct rego_eval *e, const ASN1_STRING *s)
{
	uint8_t *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, s);
	if (n < 0)
		return view_b64(
			e, slice_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)));
	val v = rego_make_string(e, slice_of(text, (size_t)n));
	OPENSSL_free(text);
	return v;
}

static const struct {
	int nid;
	const char *member;
	bool single;
} g_parts[] = {
	{NID_countryName, "Country", false},
	{NID_organizationName, "Organization", false},
	{NID_organizationalUnitName, "OrganizationalUnit", false},
	{NID_localityName, "Locality", false},
	{NID_stateOrProvinceName, "Province", false},
	{NID_streetAddress, "StreetAddress", false},
	{NID_postalCode, "PostalCode", false},
	{NID_serialNumber, "SerialNumber", true},
	{NID_commonName, "CommonName", true},
};

/* The values of one kind of attribute; the last where there can be but one. */
static val name_part(struct rego_eval *e, const X509_NAME *name, int nid, bool single)
{
	struct ext_list l = {0};
	for (int i = -1; (i = X509_NAME_get_index_by_NID(name, nid, i)) >= 0;)
		ext_push(
			&l, view_string(e, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i))));
	val v = single ? (l.count ? l.item[l.count - 1] : rego_make_string(e, SLICE_EMPTY))
		       : (l.count ? ext_array(&l, e) : rego_make_null());
	ext_list_done(&l);
	return v;
}

val view_name(struct rego_eval *e, const X509_NAME *name)
{
	struct ext_object o = {.e = e};
	struct ext_list all = {0};
	for (size_t i = 0; i < ARRAY_COUNT(g_parts); i++)
		ext_put(&o, g_parts[i].member,
			name_part(e, name, g_parts[i].nid, g_parts[i].single));
	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		struct ext_object attribute = {.e = e};
		ext_put(&attribute, "Type", view_oid(e, X509_NAME_ENTRY_get_object(entry)));
		ext_put(&attribute, "Value", view_string(e, X509_NAME_ENTRY_get_data(entry)));
		ext_push(&all, ext_object(&attribute));
	}
	ext_put(&o, "Names", all.count ? ext_array(&all, e) : rego_make_null());
	ext_put(&o, "ExtraNames", rego_make_null());
	ext_list_done(&all);
	return ext_object(&o);
}

val view_ip(struct rego_eval *e, const uint8_t *bytes, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	if ((size != 4 && size != 16) ||
		!inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)))
		return NULL;
	return rego_make_string(e, slice_str(text));
}

static val view_uri(struct rego_eval *e, const struct uri *u)
{
	struct ext_object o = {.e = e}, empty = {.e = e};
	ext_put_str(&o, "Scheme", buf_slice(&u->scheme));
	ext_put_str(&o, "Opaque", buf_slice(&u->opaque));
	ext_put(&o, "User", u->has_user ? ext_object(&empty) : rego_make_null());
	ext_put_str(&o, "Host", buf_slice(&u->host));
	ext_put_str(&o, "Path", buf_slice(&u->path));
	ext_put_str(&o, "RawPath", buf_slice(&u->raw_path));
	ext_put(&o, "OmitHost", rego_make_bool(u->omit_host));
	ext_put(&o, "ForceQuery", rego_make_bool(u->force_query));
	ext_put_str(&o, "RawQuery", buf_slice(&u->raw_query));
	ext_put_str(&o, "Fragment", buf_slice(&u->fragment));
	ext_put_str(&o, "RawFragment", SLICE_EMPTY);
	return ext_object(&o);
}

static void add_uri(
	struct rego_eval *e, struct slice text, struct ext_list *uris, struct ext_list *strings)
{
	struct uri u;
	cleanup_with(buf_done) struct buf again = {0};
	if (uri_parse(text, &u, NULL) == 0) {
		uri_text(&u, &again);
		ext_push(uris, view_uri(e, &u));
		ext_push(strings, rego_make_string(e, buf_slice(&again)));
	}
	uri_done(&u);
}

static struct slice string_slice(const ASN1_STRING *s)
{
	return slice_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void put_list(struct ext_object *o, const char *name, struct ext_list *l)
{
	ext_put(o, name, l->count ? ext_array(l, o->e) : rego_make_null());
	ext_list_done(l);
}

void view_alt_names(struct ext_object *o, const GENERAL_NAMES *names, bool uri_strings)
{
	struct ext_list dns = {0}, email = {0}, ip = {0}, uri = {0}, text = {0};
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const ASN1_STRING *s =
			GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
		if (type == GEN_DNS)
			ext_push(&dns, rego_make_string(o->e, string_slice(s)));
		else if (type == GEN_EMAIL)
			ext_push(&email, rego_make_string(o->e, string_slice(s)));
		else if (type == GEN_URI)
			add_uri(o->e, string_slice(s), &uri, &text);
		else if (type == GEN_IPADD)
			ext_push(&ip, view_ip(o->e, string_slice(s).data, string_slice(s).size));
	}
	put_list(o, "DNSNames", &dns);
	put_list(o, "EmailAddresses", &email);
	put_list(o, "IPAddresses", &ip);
	put_list(o, "URIs", &uri);
	if (uri_strings)
		put_list(o, "URIStrings", &text);
	ext_list_done(&text);
}
