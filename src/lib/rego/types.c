/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types, as far as they show without inference: of literals, of what built-ins give, of rules whose
 * values are literals, and of variables assigned from those. A call that can never have a value is
 * an error, as with OPA.
 */
#include "base/str.h"
#include "rego/compile.h"

#define BIT(type) ((uint8_t)(1u << (type)))
#define ANY ((uint8_t)0x7f)

/* Arguments and result: a letter for each type that is taken, '*' for any. */
static const char *const signatures[][3] = {
	{"abs", "n", "n"},
	{"all", "ae", "b"},
	{"and", "e,e", "e"},
	{"any", "ae", "b"},
	{"array.concat", "a,a", "a"},
	{"array.flatten", "a", "a"},
	{"array.reverse", "a", "a"},
	{"array.slice", "a,n,n", "a"},
	{"base64.decode", "s", "s"},
	{"base64.encode", "s", "s"},
	{"base64.is_valid", "s", "b"},
	{"base64url.decode", "s", "s"},
	{"base64url.encode", "s", "s"},
	{"base64url.encode_no_pad", "s", "s"},
	{"bits.and", "n,n", "n"},
	{"bits.lsh", "n,n", "n"},
	{"bits.negate", "n", "n"},
	{"bits.or", "n,n", "n"},
	{"bits.rsh", "n,n", "n"},
	{"bits.xor", "n,n", "n"},
	{"cast_array", "*", "a"},
	{"cast_boolean", "*", "b"},
	{"cast_null", "*", "z"},
	{"cast_object", "*", "o"},
	{"cast_set", "*", "e"},
	{"cast_string", "*", "s"},
	{"ceil", "n", "n"},
	{"concat", "s,ae", "s"},
	{"contains", "s,s", "b"},
	{"count", "aeos", "n"},
	{"crypto.hmac.equal", "s,s", "b"},
	{"crypto.hmac.md5", "s,s", "s"},
	{"crypto.hmac.sha1", "s,s", "s"},
	{"crypto.hmac.sha256", "s,s", "s"},
	{"crypto.hmac.sha512", "s,s", "s"},
	{"crypto.md5", "s", "s"},
	{"crypto.parse_private_keys", "s", "a"},
	{"crypto.sha1", "s", "s"},
	{"crypto.sha256", "s", "s"},
	{"crypto.x509.parse_and_verify_certificates", "s", "a"},
	{"crypto.x509.parse_and_verify_certificates_with_options", "s,o", "a"},
	{"crypto.x509.parse_certificate_request", "s", "o"},
	{"crypto.x509.parse_certificates", "s", "a"},
	{"crypto.x509.parse_keypair", "s,s", "o"},
	{"crypto.x509.parse_rsa_private_key", "s", "o"},
	{"div", "n,n", "n"},
	{"endswith", "s,s", "b"},
	{"floor", "n", "n"},
	{"format_int", "n,n", "s"},
	{"glob.match", "s,az,s", "b"},
	{"glob.quote_meta", "s", "s"},
	{"graph.reachable", "o,ae", "e"},
	{"graph.reachable_paths", "o,ae", "e"},
	{"graphql.is_valid", "os,os", "b"},
	{"graphql.parse", "os,os", "a"},
	{"graphql.parse_and_verify", "os,os", "a"},
	{"graphql.parse_query", "s", "o"},
	{"graphql.parse_schema", "s", "o"},
	{"graphql.schema_is_valid", "os", "b"},
	{"hex.decode", "s", "s"},
	{"hex.encode", "s", "s"},
	{"http.send", "o", "o"},
	{"indexof", "s,s", "n"},
	{"indexof_n", "s,s", "a"},
	{"internal.test_case", "a", "*"},
	{"intersection", "e", "e"},
	{"io.jwt.decode", "s", "a"},
	{"io.jwt.decode_verify", "s,o", "a"},
	{"io.jwt.encode_sign", "o,o,o", "s"},
	{"io.jwt.encode_sign_raw", "s,s,s", "s"},
	{"io.jwt.verify_eddsa", "s,s", "b"},
	{"io.jwt.verify_es256", "s,s", "b"},
	{"io.jwt.verify_es384", "s,s", "b"},
	{"io.jwt.verify_es512", "s,s", "b"},
	{"io.jwt.verify_hs256", "s,s", "b"},
	{"io.jwt.verify_hs384", "s,s", "b"},
	{"io.jwt.verify_hs512", "s,s", "b"},
	{"io.jwt.verify_ps256", "s,s", "b"},
	{"io.jwt.verify_ps384", "s,s", "b"},
	{"io.jwt.verify_ps512", "s,s", "b"},
	{"io.jwt.verify_rs256", "s,s", "b"},
	{"io.jwt.verify_rs384", "s,s", "b"},
	{"io.jwt.verify_rs512", "s,s", "b"},
	{"is_array", "*", "b"},
	{"is_boolean", "*", "b"},
	{"is_null", "*", "b"},
	{"is_number", "*", "b"},
	{"is_object", "*", "b"},
	{"is_set", "*", "b"},
	{"is_string", "*", "b"},
	{"json.filter", "o,ae", "o"},
	{"json.is_valid", "s", "b"},
	{"json.marshal", "*", "s"},
	{"json.marshal_with_options", "*,o", "s"},
	{"json.match_schema", "os,os", "a"},
	{"json.patch", "*,a", "*"},
	{"json.remove", "o,ae", "o"},
	{"json.unmarshal", "s", "*"},
	{"json.verify_schema", "os", "a"},
	{"lower", "s", "s"},
	{"max", "ae", "*"},
	{"min", "ae", "*"},
	{"minus", "en,en", "en"},
	{"mul", "n,n", "n"},
	{"net.cidr_contains", "s,s", "b"},
	{"net.cidr_contains_matches", "aeos,aeos", "e"},
	{"net.cidr_expand", "s", "e"},
	{"net.cidr_intersects", "s,s", "b"},
	{"net.cidr_is_valid", "s", "b"},
	{"net.cidr_merge", "ae", "e"},
	{"net.cidr_overlap", "s,s", "b"},
	{"net.lookup_ip_addr", "s", "e"},
	{"numbers.range", "n,n", "a"},
	{"numbers.range_step", "n,n,n", "a"},
	{"object.filter", "o,aeo", "o"},
	{"object.get", "o,*,*", "*"},
	{"object.keys", "o", "e"},
	{"object.remove", "o,aeo", "o"},
	{"object.subset", "aeo,aeo", "b"},
	{"object.union", "o,o", "o"},
	{"object.union_n", "a", "o"},
	{"opa.runtime", "", "o"},
	{"or", "e,e", "e"},
	{"plus", "n,n", "n"},
	{"product", "ae", "n"},
	{"providers.aws.sign_req", "o,o,n", "o"},
	{"rand.intn", "s,n", "n"},
	{"re_match", "s,s", "b"},
	{"regex.find_all_string_submatch_n", "s,s,n", "a"},
	{"regex.find_n", "s,s,n", "a"},
	{"regex.globs_match", "s,s", "b"},
	{"regex.is_valid", "s", "b"},
	{"regex.match", "s,s", "b"},
	{"regex.replace", "s,s,s", "s"},
	{"regex.split", "s,s", "a"},
	{"regex.template_match", "s,s,s,s", "b"},
	{"rego.metadata.chain", "", "a"},
	{"rego.parse_module", "s,s", "o"},
	{"rem", "n,n", "n"},
	{"replace", "s,s,s", "s"},
	{"round", "n", "n"},
	{"semver.compare", "s,s", "n"},
	{"semver.is_valid", "*", "b"},
	{"set_diff", "e,e", "e"},
	{"sort", "ae", "a"},
	{"split", "s,s", "a"},
	{"sprintf", "s,a", "s"},
	{"startswith", "s,s", "b"},
	{"strings.any_prefix_match", "aes,aes", "b"},
	{"strings.any_suffix_match", "aes,aes", "b"},
	{"strings.count", "s,s", "n"},
	{"strings.render_template", "s,o", "s"},
	{"strings.replace_n", "o,s", "s"},
	{"strings.reverse", "s", "s"},
	{"strings.split_n", "s,s,n", "a"},
	{"substring", "s,n,n", "s"},
	{"sum", "ae", "n"},
	{"time.add_date", "n,n,n,n", "n"},
	{"time.clock", "an", "a"},
	{"time.date", "an", "a"},
	{"time.diff", "an,an", "a"},
	{"time.format", "an", "s"},
	{"time.now_ns", "", "n"},
	{"time.parse_duration_ns", "s", "n"},
	{"time.parse_ns", "s,s", "n"},
	{"time.parse_rfc3339_ns", "s", "n"},
	{"time.weekday", "an", "s"},
	{"to_number", "bnsz", "n"},
	{"trace", "s", "b"},
	{"trim", "s,s", "s"},
	{"trim_left", "s,s", "s"},
	{"trim_prefix", "s,s", "s"},
	{"trim_right", "s,s", "s"},
	{"trim_space", "s", "s"},
	{"trim_suffix", "s,s", "s"},
	{"type_name", "*", "s"},
	{"union", "e", "e"},
	{"units.parse", "s", "n"},
	{"units.parse_bytes", "s", "n"},
	{"upper", "s", "s"},
	{"uri.is_valid", "s", "b"},
	{"uri.parse", "s", "o"},
	{"urlquery.decode", "s", "s"},
	{"urlquery.decode_object", "s", "o"},
	{"urlquery.encode", "s", "s"},
	{"urlquery.encode_object", "o", "s"},
	{"uuid.parse", "s", "o"},
	{"uuid.rfc4122", "s", "s"},
	{"walk", "*", "a"},
	{"yaml.is_valid", "s", "b"},
	{"yaml.marshal", "*", "s"},
	{"yaml.unmarshal", "s", "*"},
};

static uint8_t letters(const char *s)
{
	uint8_t mask = 0;
	for (; *s && *s != ','; s++) {
		const char *at = strchr("zbnsaoe", *s);
		mask |= at ? BIT(at - "zbnsaoe") : ANY;
	}
	return mask;
}

static const char *const *signature(struct slice name)
{
	size_t low = 0, high = ARRAY_COUNT(signatures);
	while (low < high) {
		size_t mid = (low + high) / 2, n = strlen(signatures[mid][0]);
		int order = memcmp(signatures[mid][0], name.data, MIN(n, name.size));
		if (order == 0 && n == name.size)
			return signatures[mid];
		if (order < 0 || (order == 0 && n < name.size))
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static uint8_t kind_mask(enum node_kind kind, rv value)
{
	switch ((int)kind) {
	case NODE_CONST:
		return BIT(value->type);
	case NODE_ARRAY:
	case NODE_ARRAY_COMP:
		return BIT(REGO_ARRAY);
	case NODE_SET:
	case NODE_SET_COMP:
		return BIT(REGO_SET);
	case NODE_OBJECT:
	case NODE_OBJECT_COMP:
		return BIT(REGO_OBJECT);
	case NODE_TEMPLATE:
		return BIT(REGO_STRING);
	default:
		return ANY;
	}
}

static uint8_t rule_mask(const struct rule *r)
{
	uint8_t mask = 0;
	for (; r; r = r->orelse)
		mask |= r->value ? kind_mask(r->value->kind, r->value->value) : BIT(REGO_BOOL);
	return mask;
}

static uint8_t group_mask(struct cgroup *g)
{
	if (g->types || g->group->kind == GROUP_FUNCTION)
		return g->types ? g->types : ANY;
	if (g->fallback)
		g->types |= rule_mask(g->fallback->rule);
	for (const struct cdef *d = g->defs; d; d = d->next)
		g->types |= d->path_count > 0	   ? BIT(REGO_OBJECT)
			    : d->rule->is_contains ? BIT(REGO_SET)
						   : rule_mask(d->rule);
	return g->types;
}

uint8_t term_types(struct unit *u, const struct term *t)
{
	const char *const *s;
	if (t->kind == NODE_LOCAL)
		return t->var->types ? t->var->types : ANY;
	if (t->kind == NODE_REF) {
		struct cgroup *g = group_at_path(u, t);
		return g ? group_mask(g) : ANY;
	}
	if (t->kind == NODE_CALL) {
		s = t->builtin ? signature(t->name) : NULL;
		return s ? letters(s[2]) : ANY;
	}
	return kind_mask(t->kind, t->value);
}

void check_call_types(struct unit *u, const struct term *t)
{
	const char *const *s = t->builtin ? signature(t->name) : NULL;
	const char *want = s ? s[1] : "";
	for (uint32_t i = 0; s && i < t->count && i < t->builtin->arity; i++) {
		if (!(term_types(u, t->item[i]) & letters(want))) {
			unit_report(u, t->loc, diag_late_type, "%.*s: invalid argument(s)",
				SLICE_ARG(t->name));
			return;
		}
		want += strcspn(want, ",");
		want += *want == ',';
	}
	if (!t->builtin && !t->group && t->count == 2 &&
		!(term_types(u, t->item[0]) & term_types(u, t->item[1])))
		unit_report(u, t->loc, diag_late_type, "match error");
}
