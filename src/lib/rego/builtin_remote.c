/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.send and net.lookup_ip_addr. The engine has no network, so they check their arguments and
 * then fail as a server that cannot be reached; addresses need no look-up. Policies that replace
 * them using `with` work.
 */
#include <arpa/inet.h>

#include "rego/builtin.h"
#include "rego/http_keys.h"

static bool known(rv key)
{
	for (size_t i = 0; i < ARRAY_COUNT(rego_http_request_keys); i++)
		if (value_str_is(key, rego_http_request_keys[i]))
			return true;
	return false;
}

static rv complain(struct call *c, const char *what, const struct list *names)
{
	rv set = value_to_rego(c->m, value_set(c->m, names->item, names->count));
	return call_operand_error(c, 1, "%s: %.*s", what, (int)MIN(set->count, 300u), set->text);
}

static rv http_send(struct call *c, const rv *arg, uint32_t count)
{
	struct list invalid = {0}, missing = {0};
	static const char *const required[] = {"method", "url"};
	if (!arg_is(c, arg, 1, REGO_OBJECT))
		return NULL;
	for (uint32_t i = 0; i < arg[0]->count; i++)
		if (!known(arg[0]->pair[i].key))
			list_push(c->m, &invalid, arg[0]->pair[i].key);
	if (invalid.count)
		return complain(c, "invalid request parameters(s)", &invalid);
	for (size_t i = 0; i < ARRAY_COUNT(required); i++)
		if (!value_get_str(arg[0], slice_str(required[i])))
			list_push(c->m, &missing, value_cstr(c->m, required[i]));
	if (missing.count)
		return complain(c, "missing required request parameters(s)", &missing);
	return call_fail(c, "policies have no network here");
}

static rv lookup_ip_addr(struct call *c, const rv *arg, uint32_t count)
{
	uint8_t address[16];
	char text[INET6_ADDRSTRLEN];
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	int family = strchr(arg[0]->text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, arg[0]->text, address) != 1 ||
		!inet_ntop(family, address, text, sizeof(text)))
		return call_fail(c, "lookup %.*s: policies have no network here",
			(int)MIN(arg[0]->count, 200u), arg[0]->text);
	rv item = value_cstr(c->m, text);
	return value_set(c->m, &item, 1);
}

static const struct builtin items[] = {
	{.name = "http.send", .arity = 1, .nondeterministic = true, .fn = http_send},
	{.name = "net.lookup_ip_addr", .arity = 1, .nondeterministic = true, .fn = lookup_ip_addr},
};
const struct builtin_table builtin_remote_table = {items, ARRAY_COUNT(items)};
