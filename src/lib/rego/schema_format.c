/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "rego/datetime.h"
#include "rego/schema.h"
#include "rego/uri.h"

static bool expression(struct call *c, const char *pattern, struct slice s)
{
	struct regex *re = call_regex(c, value_cstr(c->m, pattern));
	return re && call_regex_match(c, re, s);
}

static bool has_time(struct slice s, const char *layout)
{
	int64_t second;
	int32_t ns;
	return time_parse(slice_str(layout), s, &second, &ns, NULL) == 0;
}

static bool is_date(struct call *c, struct slice s)
{
	return has_time(s, "2006-01-02");
}

static bool is_time(struct call *c, struct slice s)
{
	return has_time(s, "15:04:05Z07:00") || has_time(s, "15:04:05");
}

static bool is_date_time(struct call *c, struct slice s)
{
	return is_time(c, s) || is_date(c, s) || has_time(s, "2006-01-02T15:04:05Z07:00");
}

static bool address(struct slice s, int family)
{
	char text[64];
	uint8_t bytes[16];
	if (s.size >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)s.size, (const char *)s.data);
	return inet_pton(family, text, bytes) == 1;
}

static bool is_ipv4(struct call *c, struct slice s)
{
	return address(s, AF_INET);
}

static bool is_ipv6(struct call *c, struct slice s)
{
	return address(s, AF_INET6);
}

/* No part of @u outlives this. */
static bool reference(struct slice s, bool scheme)
{
	struct uri u;
	bool ok = uri_parse(s, &u, NULL) == 0 && (!scheme || u.scheme.size > 0) &&
		  !(s.size && memchr(s.data, '\\', s.size));
	uri_done(&u);
	return ok;
}

static bool is_uri(struct call *c, struct slice s)
{
	return reference(s, true);
}

static bool is_uri_reference(struct call *c, struct slice s)
{
	return reference(s, false);
}

static bool is_uri_template(struct call *c, struct slice s)
{
	return reference(s, false) && expression(c, "^([^{]*({[^}]*})?)*$", s);
}

static bool is_hostname(struct call *c, struct slice s)
{
	return s.size < 256 &&
	       expression(c,
		       "^([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\\-]{0,61}[a-zA-Z0-9])"
		       "(\\.([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\\-]{0,61}[a-zA-Z0-9]))*$",
		       s);
}

/* An address as in a header: perhaps with a name, and angle brackets. */
static bool is_email(struct call *c, struct slice s)
{
	return expression(c,
		"^\\s*([^<>@]*<)?([A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\\x{80}-\\x{10FFFF}]+"
		"(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\\x{80}-\\x{10FFFF}]+)*|\"[^\"]*\")"
		"@([A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\\x{80}-\\x{10FFFF}]+"
		"(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\\x{80}-\\x{10FFFF}]+)*|\\[[^\\]]*\\])>?\\s*$",
		s);
}

static bool is_uuid(struct call *c, struct slice s)
{
	return expression(
		c, "^(?i)[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$", s);
}

static bool is_regex(struct call *c, struct slice s)
{
	return s.size == 0 || call_regex(c, value_string(c->m, s));
}

static bool is_pointer(struct call *c, struct slice s)
{
	return expression(c, "^(?:/(?:[^~/]|~0|~1)*)*$", s);
}

static bool is_relative_pointer(struct call *c, struct slice s)
{
	return expression(c, "^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~0|~1)*)*)$", s);
}

bool schema_format_ok(struct call *c, struct slice format, rv v)
{
	static const struct {
		const char *name;
		bool (*fn)(struct call *, struct slice);
	} formats[] = {{"date", is_date}, {"time", is_time}, {"date-time", is_date_time},
		{"hostname", is_hostname}, {"email", is_email}, {"idn-email", is_email},
		{"ipv4", is_ipv4}, {"ipv6", is_ipv6}, {"uri", is_uri},
		{"uri-reference", is_uri_reference}, {"iri", is_uri},
		{"iri-reference", is_uri_reference}, {"uri-template", is_uri_template},
		{"uuid", is_uuid}, {"regex", is_regex}, {"json-pointer", is_pointer},
		{"relative-json-pointer", is_relative_pointer}};
	for (size_t i = 0; v->type == REGO_STRING && i < ARRAY_COUNT(formats); i++)
		if (slice_eq_str(format, formats[i].name))
			return formats[i].fn(c, value_slice(v));
	return true;
}
