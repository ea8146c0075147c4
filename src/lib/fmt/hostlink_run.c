/* SPDX-License-Identifier: Apache-2.0 */
/* The RUN message of the guest link. */
#include <jansson.h>

#include "base/parse.h"
#include "base/str.h"
#include "fmt/hostlink.h"
#include "fmt/hostlink_json.h"

#define IMAGE_MAX 512u
#define NAME_MAX_SIZE 64u
#define HOSTNAME_MAX_SIZE 63u

int ipv4_parse(struct slice s, uint32_t *ret)
{
	uint32_t address = 0;
	for (int i = 0; i < 4; i++) {
		size_t n = 0;
		while (n < s.size && s.data[n] != '.')
			n++;
		struct slice part = slice_cut(s, 0, n);
		uint32_t v;
		if ((i < 3) != (n < s.size) || part.size > 3 ||
			(part.size > 1 && part.data[0] == '0') || parse_u32(part, 0, 255, &v) < 0)
			return -EINVAL;
		address = address << 8 | v;
		s = slice_cut(s, n + 1, s.size);
	}
	*ret = address;
	return 0;
}

const char *ipv4_format(uint32_t address, char dst[IPV4_TEXT_SIZE])
{
	snprintf(dst, IPV4_TEXT_SIZE, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
		address >> 8 & 255, address & 255);
	return dst;
}

static void free_strings(char **list, size_t count)
{
	for (size_t i = 0; list != NULL && i < count; i++)
		free(list[i]);
	free(list);
}

void hostlink_run_done(struct hostlink_run *m)
{
	free(m->image);
	free(m->name);
	free(m->hostname);
	free_strings(m->args, m->args_count);
	free_strings(m->env, m->env_count);
	*m = (struct hostlink_run){0};
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Names become file names and cgroup names, so they start with a letter or digit. */
static bool valid_word(const char *s, size_t max, const char *others)
{
	size_t size = strlen(s);
	if (size == 0 || size > max || !is_alnum(s[0]))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_alnum(s[i]) && strchr(others, s[i]) == NULL)
			return false;
	}
	return true;
}

static bool valid_image(const char *s)
{
	size_t size = strlen(s);
	if (size == 0 || size > IMAGE_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (s[i] <= 0x20 || s[i] >= 0x7F)
			return false;
	}
	return true;
}

static int get_string(json_t *obj, const char *name, char **ret, struct err *reterr)
{
	json_t *v = json_object_get(obj, name);
	if (v == NULL)
		return 0;
	if (!json_is_string(v))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is not a text", name);
	*ret = strdup(json_string_value(v));
	return *ret ? 0 : -ENOMEM;
}

static int get_strings(json_t *obj, const char *name, size_t max, char ***ret, size_t *ret_count,
	struct err *reterr)
{
	json_t *v = json_object_get(obj, name);
	if (v == NULL)
		return 0;
	if (!json_is_array(v))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is not a list", name);
	size_t count = json_array_size(v);
	if (count > max)
		return err_at(
			reterr, -E2BIG, ERR_NO_OFFSET, name, "%s has over %zu entries", name, max);
	*ret = calloc(count + 1, sizeof(char *));
	if (*ret == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		json_t *item = json_array_get(v, i);
		if (!json_is_string(item))
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"%s[%zu] is not a text", name, i);
		if (json_string_length(item) > HOSTLINK_TEXT_MAX)
			return err_at(reterr, -E2BIG, ERR_NO_OFFSET, name, "%s[%zu] is too long",
				name, i);
		(*ret)[i] = strdup(json_string_value(item));
		if ((*ret)[i] == NULL)
			return -ENOMEM;
		*ret_count = i + 1;
	}
	return 0;
}

static int get_address(json_t *obj, const char *name, uint32_t *ret, struct err *reterr)
{
	json_t *v = json_object_get(obj, name);
	if (v == NULL)
		return 0;
	if (!json_is_string(v) || ipv4_parse(slice_str(json_string_value(v)), ret) < 0)
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is not an IPv4 address", name);
	return 0;
}

static int parse_static(json_t *net, struct hostlink_run *m, struct err *reterr)
{
	uint64_t prefix;
	int r = get_address(net, "address", &m->address, reterr);
	if (r < 0)
		return r;
	r = get_address(net, "gateway", &m->gateway, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(net, "prefix", true, 32, &prefix, reterr);
	if (r < 0)
		return r;
	m->prefix = (uint8_t)prefix;
	if (m->address == 0 || m->prefix == 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "network",
			"a static network needs address and prefix");
	json_t *dns = json_object_get(net, "dns");
	if (dns != NULL && !json_is_array(dns))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "dns", "dns is not a list");
	if (json_array_size(dns) > HOSTLINK_DNS_MAX)
		return err_at(reterr, -E2BIG, ERR_NO_OFFSET, "dns", "over %u name servers",
			HOSTLINK_DNS_MAX);
	for (size_t i = 0; i < json_array_size(dns); i++) {
		json_t *item = json_array_get(dns, i);
		if (!json_is_string(item) ||
			ipv4_parse(slice_str(json_string_value(item)), &m->dns[i]) < 0)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "dns",
				"dns[%zu] is not an IPv4 address", i);
		m->dns_count = i + 1;
	}
	return 0;
}

static int parse_network(json_t *net, struct hostlink_run *m, struct err *reterr)
{
	static const char *const members[] = {"mode", "address", "prefix", "gateway", "dns"};
	char mode[16];
	if (net == NULL)
		return 0;
	int r = hostlink_json_members(net, members, ARRAY_COUNT(members), reterr);
	if (r < 0)
		return r;
	r = hostlink_json_text(net, "mode", mode, sizeof(mode), reterr);
	if (r < 0)
		return r;
	if (streq(mode, "static")) {
		m->network = HOSTLINK_NET_STATIC;
		return parse_static(net, m, reterr);
	}
	if (json_object_size(net) != 1)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "network",
			"only mode static takes addresses");
	if (streq(mode, "dhcp"))
		m->network = HOSTLINK_NET_DHCP;
	else if (!streq(mode, "none"))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "mode", "unknown network mode");
	return 0;
}

static int check_strings(const struct hostlink_run *m, struct err *reterr)
{
	if (m->image == NULL || !valid_image(m->image))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "image",
			"image is missing or not an image reference");
	if (m->name != NULL && !valid_word(m->name, NAME_MAX_SIZE, "_.-"))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "name", "not a container name");
	if (m->hostname != NULL && !valid_word(m->hostname, HOSTNAME_MAX_SIZE, ".-"))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "hostname", "not a host name");
	for (size_t i = 0; i < m->env_count; i++) {
		const char *eq = strchr(m->env[i], '=');
		if (eq == NULL || eq == m->env[i])
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "env",
				"env[%zu] is not NAME=value", i);
	}
	return 0;
}

static int parse_members(json_t *doc, struct hostlink_run *m, struct err *reterr)
{
	uint64_t cpu, rows, cols;
	int r = get_string(doc, "image", &m->image, reterr);
	if (r < 0)
		return r;
	if ((r = get_string(doc, "name", &m->name, reterr)) < 0 ||
		(r = get_string(doc, "hostname", &m->hostname, reterr)) < 0)
		return r;
	r = get_strings(doc, "args", HOSTLINK_ARGS_MAX, &m->args, &m->args_count, reterr);
	if (r < 0)
		return r;
	r = get_strings(doc, "env", HOSTLINK_ENV_MAX, &m->env, &m->env_count, reterr);
	if (r < 0)
		return r;
	json_t *terminal = json_object_get(doc, "terminal");
	if (terminal != NULL && !json_is_boolean(terminal))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "terminal",
			"terminal is not true or false");
	m->terminal = json_is_true(terminal);
	if ((r = hostlink_json_u64(doc, "memory", false, INT64_MAX, &m->memory, reterr)) < 0 ||
		(r = hostlink_json_u64(doc, "cpu_millis", false, 1000000, &cpu, reterr)) < 0 ||
		(r = hostlink_json_u64(doc, "rows", false, UINT16_MAX, &rows, reterr)) < 0 ||
		(r = hostlink_json_u64(doc, "cols", false, UINT16_MAX, &cols, reterr)) < 0)
		return r;
	m->cpu_millis = (uint32_t)cpu;
	m->rows = (uint16_t)rows;
	m->cols = (uint16_t)cols;
	r = parse_network(json_object_get(doc, "network"), m, reterr);
	return r < 0 ? r : check_strings(m, reterr);
}

int hostlink_run_parse(struct slice in, struct hostlink_run *ret, struct err *reterr)
{
	static const char *const members[] = {"image", "name", "hostname", "args", "env",
		"terminal", "rows", "cols", "memory", "cpu_millis", "network"};
	cleanup(json_decref) json_t *doc = NULL;
	cleanup_with(hostlink_run_done) struct hostlink_run m = {0};
	int r = hostlink_json_load(in, members, ARRAY_COUNT(members), &doc, reterr);
	if (r < 0)
		return r;
	r = parse_members(doc, &m, reterr);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct hostlink_run){0};
	return 0;
}

static int set(json_t *obj, const char *name, json_t *value)
{
	return json_object_set_new(obj, name, value);
}

static json_t *pack_strings(char *const *list, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; array != NULL && i < count; i++) {
		if (json_array_append_new(array, json_string(list[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *pack_network(const struct hostlink_run *m)
{
	char text[IPV4_TEXT_SIZE];
	if (m->network == HOSTLINK_NET_NONE)
		return json_pack("{s:s}", "mode", "none");
	if (m->network == HOSTLINK_NET_DHCP)
		return json_pack("{s:s}", "mode", "dhcp");
	json_t *dns = json_array();
	for (size_t i = 0; i < m->dns_count && i < HOSTLINK_DNS_MAX; i++)
		json_array_append_new(dns, json_string(ipv4_format(m->dns[i], text)));
	json_t *net = json_pack("{s:s,s:s,s:i,s:o}", "mode", "static", "address",
		ipv4_format(m->address, text), "prefix", (int)m->prefix, "dns", dns);
	if (m->gateway != 0 && net != NULL)
		set(net, "gateway", json_string(ipv4_format(m->gateway, text)));
	return net;
}

void hostlink_run_put(struct buf *out, const struct hostlink_run *m)
{
	cleanup(json_decref) json_t *doc = json_object();
	int r = check_strings(m, NULL);
	if (r < 0 || m->args_count > HOSTLINK_ARGS_MAX || m->env_count > HOSTLINK_ENV_MAX) {
		if (out->error == 0)
			out->error = -EINVAL;
		return;
	}
	r = set(doc, "image", json_string(m->image));
	if (m->name != NULL)
		r |= set(doc, "name", json_string(m->name));
	if (m->hostname != NULL)
		r |= set(doc, "hostname", json_string(m->hostname));
	r |= set(doc, "args", pack_strings(m->args, m->args_count));
	r |= set(doc, "env", pack_strings(m->env, m->env_count));
	r |= set(doc, "terminal", json_boolean(m->terminal));
	r |= set(doc, "rows", json_integer(m->rows));
	r |= set(doc, "cols", json_integer(m->cols));
	r |= set(doc, "memory", json_integer((json_int_t)m->memory));
	r |= set(doc, "cpu_millis", json_integer(m->cpu_millis));
	r |= set(doc, "network", pack_network(m));
	/* json_string() refuses text that is not UTF-8, the member is then missing */
	if (r != 0) {
		if (out->error == 0)
			out->error = -EINVAL;
		return;
	}
	hostlink_json_put(out, HOSTLINK_RUN, steal_ptr(doc));
}
