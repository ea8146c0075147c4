/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/nebula.h"

#include <arpa/inet.h>

#include "base/parse.h"
#include "base/str.h"

#define SECONDS_MAX ((int64_t)100 * 366 * 86400)

/* --- what people write --- */

/* Cuts the first element off a list that commas separate, without blanks around it. */
static struct slice next_element(struct slice *rest)
{
	const uint8_t *end = rest->size ? memchr(rest->data, ',', rest->size) : NULL;
	size_t n = end ? (size_t)(end - rest->data) : rest->size;
	struct slice s = slice_cut(*rest, 0, n);

	*rest = slice_cut(*rest, end ? n + 1 : n, rest->size);
	while (s.size && s.data[0] == ' ')
		s = slice_cut(s, 1, s.size);
	while (s.size && s.data[s.size - 1] == ' ')
		s = slice_cut(s, 0, s.size - 1);
	return s;
}

static unsigned bits_of(const struct nebula_net *net)
{
	return net->v6 ? 128 : 32;
}

/* Only as many bits as name the network. */
static void mask(struct nebula_net *net)
{
	for (unsigned i = 0; i < sizeof(net->address); i++) {
		unsigned kept = net->prefix > 8 * i ? MIN(net->prefix - 8 * i, 8u) : 0;

		net->address[i] &= (uint8_t)(0xFF00 >> kept);
	}
}

/* Decimal, without leading zeros: they mean octal to some. */
static int read_number(struct slice *rest, char end, uint32_t max, uint32_t *ret)
{
	const uint8_t *at = rest->size ? memchr(rest->data, end, rest->size) : NULL;
	size_t n = end == '\0' ? rest->size : at ? (size_t)(at - rest->data) : 0;
	struct slice digits = slice_cut(*rest, 0, n);

	if (n == 0 || (n > 1 && digits.data[0] == '0') || parse_u32(digits, 0, max, ret) < 0)
		return -EINVAL;
	*rest = slice_cut(*rest, end == '\0' ? n : n + 1, rest->size);
	return 0;
}

static int read_v4(struct slice text, uint8_t dst[16])
{
	struct slice rest = text;
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		if (read_number(&rest, i < 3 ? '.' : '\0', 255, &v) < 0)
			return -EINVAL;
		dst[i] = (uint8_t)v;
	}
	return 0;
}

/* Without zone; IPv4 in IPv6's clothes is neither. */
static int read_v6(struct slice text, uint8_t dst[16])
{
	static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
	char name[INET6_ADDRSTRLEN];

	return str_copy_slice(name, sizeof(name), text) < 0 ||
			       inet_pton(AF_INET6, name, dst) != 1 ||
			       memcmp(dst, mapped, sizeof(mapped)) == 0
		       ? -EINVAL
		       : 0;
}

static int read_net(struct slice text, struct nebula_net *ret)
{
	const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
	size_t n = slash ? (size_t)(slash - text.data) : 0;
	struct slice address = slice_cut(text, 0, n), rest = slice_cut(text, n + 1, text.size);
	uint32_t v = 0;

	*ret = (struct nebula_net){.v6 = n && memchr(address.data, ':', n)};
	if (n == 0 || read_number(&rest, '\0', bits_of(ret), &v) < 0)
		return -EINVAL;
	ret->prefix = (uint8_t)v;
	return ret->v6 ? read_v6(address, ret->address) : read_v4(address, ret->address);
}

int nebula_curve_parse(const char *name, enum nebula_curve *ret)
{
	*ret = streq(name, "P256") ? NEBULA_P256 : NEBULA_25519;
	return *ret == NEBULA_P256 || streq(name, "25519") ? 0 : -EINVAL;
}

int nebula_nets_parse(struct slice text, bool masked, struct nebula_net *ret, size_t *ret_count,
	struct err *reterr)
{
	*ret_count = 0;
	while (text.size) {
		struct slice s = next_element(&text);
		struct nebula_net net;

		if (s.size == 0)
			continue;
		if (*ret_count == NEBULA_NETS_MAX)
			return err_set(reterr, -E2BIG, "more than %d networks", NEBULA_NETS_MAX);
		if (read_net(s, &net) < 0)
			return err_set(reterr, -EINVAL,
				"%.*s is no IPv4 or IPv6 address with the size of its network",
				(int)MIN(s.size, (size_t)48), (const char *)s.data);
		if (masked)
			mask(&net);
		ret[(*ret_count)++] = net;
	}
	return 0;
}

int nebula_groups_parse(struct slice text, struct slice *ret, size_t *ret_count, struct err *reterr)
{
	*ret_count = 0;
	while (text.size) {
		struct slice s = next_element(&text);

		if (s.size == 0)
			continue;
		if (*ret_count == NEBULA_GROUPS_MAX)
			return err_set(reterr, -E2BIG, "more than %d groups", NEBULA_GROUPS_MAX);
		if (s.size > NEBULA_NAME_MAX || !utf8_valid(s))
			return err_set(reterr, -EINVAL, "a group's name is too long or not UTF-8");
		ret[(*ret_count)++] = s;
	}
	return 0;
}

int nebula_duration_parse(struct slice text, int64_t *ret, struct err *reterr)
{
	int64_t total = 0;
	bool good = text.size > 0;

	while (good && text.size) {
		size_t n = 0;
		uint32_t v = 0;
		int64_t unit;

		while (n < text.size && text.data[n] >= '0' && text.data[n] <= '9')
			n++;
		good = n > 0 && n < text.size &&
		       parse_u32(slice_cut(text, 0, n), 0, UINT32_MAX, &v) == 0;
		unit = !good		     ? 0
		       : text.data[n] == 'h' ? 3600
		       : text.data[n] == 'm' ? 60
		       : text.data[n] == 's' ? 1
					     : 0;
		total += unit * v;
		good = good && unit && total <= SECONDS_MAX;
		text = slice_cut(text, MIN(n + 1, text.size), text.size);
	}
	if (!good || total == 0)
		return err_set(reterr, -EINVAL,
			"a duration is hours, minutes and seconds: 8h, 1h30m, 90s");
	*ret = total;
	return 0;
}

/* --- what a CA allows --- */

static bool net_within(const struct nebula_net *net, const struct nebula_net *of, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct nebula_net a = *net, b = of[i];

		a.prefix = b.prefix;
		mask(&a);
		mask(&b);
		if (net->v6 == b.v6 && net->prefix >= b.prefix &&
			memcmp(a.address, b.address, sizeof(a.address)) == 0)
			return true;
	}
	return count == 0;
}

static bool group_among(struct slice group, const struct slice *of, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slice_eq(group, of[i]))
			return true;
	}
	return count == 0;
}

int nebula_allowed(
	const struct nebula_details *ca, const struct nebula_details *d, struct err *reterr)
{
	if (d->version != ca->version || d->curve != ca->curve)
		return err_set(reterr, -EACCES, "the CA's certificates are of another kind");
	if (d->not_before < ca->not_before || d->not_after > ca->not_after)
		return err_set(reterr, -EACCES, "the certificate would outlive its CA's");
	for (size_t i = 0; i < d->ip_count; i++) {
		if (!net_within(&d->ips[i], ca->ips, ca->ip_count))
			return err_set(reterr, -EACCES, "the CA has no such addresses");
	}
	for (size_t i = 0; i < d->subnet_count; i++) {
		if (!net_within(&d->subnets[i], ca->subnets, ca->subnet_count))
			return err_set(reterr, -EACCES, "the CA has no such subnets");
	}
	for (size_t i = 0; i < d->group_count; i++) {
		if (!group_among(d->groups[i], ca->groups, ca->group_count))
			return err_set(reterr, -EACCES, "the CA has no such group");
	}
	return 0;
}
