/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/eventlog_aa.h"

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"

static bool next_line(struct slice *text, struct slice *ret)
{
	if (text->size == 0)
		return false;
	const uint8_t *end = memchr(text->data, '\n', text->size);
	size_t size = end ? (size_t)(end - text->data) : text->size;
	*ret = slice_cut(*text, 0, size);
	*text = slice_cut(*text, size + (end ? 1 : 0), text->size);
	if (ret->size > 0 && ret->data[ret->size - 1] == '\r')
		ret->size--;
	return true;
}

static int parse_init(struct slice line, enum hash_alg alg, struct digest *ret, struct err *reterr)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "INIT %s/", hash_name(alg));
	ret->size = hash_size(alg);
	if (!slice_starts(line, slice_str(prefix)) ||
		hex_decode_fixed(
			ret->bytes, ret->size, slice_cut(line, strlen(prefix), line.size)) < 0)
		return err_set(reterr, -EBADMSG,
			"agent's event log does not start with \"%s\" and a digest", prefix);
	return 0;
}

static int add_event(json_t *list, struct slice line, struct err *reterr)
{
	const uint8_t *first = line.size ? memchr(line.data, ' ', line.size) : NULL;
	size_t after = first ? (size_t)(first - line.data) + 1 : 0;
	const uint8_t *second =
		first && after < line.size ? memchr(first + 1, ' ', line.size - after) : NULL;
	if (!second || !utf8_valid(line))
		return err_set(reterr, -EBADMSG,
			"line %zu of the agent's event log is not \"domain operation content\"",
			json_array_size(list) + 2);
	size_t last = (size_t)(second - line.data) + 1;
	json_t *event = json_object();
	int r = json_set_slice(event, "content", slice_cut(line, last, line.size));
	if (r == 0)
		r = json_set_slice(event, "domain", slice_cut(line, 0, after - 1));
	if (r == 0)
		r = json_set_slice(event, "operation", slice_cut(line, after, last - 1 - after));
	if (json_array_append_new(list, event) < 0)
		return -ENOMEM;
	return r;
}

int aa_eventlog_replay(struct slice text, enum hash_alg alg, const struct digest *start,
	struct digest *ret, json_t **ret_events, struct err *reterr)
{
	cleanup(json_decref) json_t *list = json_array();
	struct digest value = {0}, d;
	const struct digest zero = {.size = hash_size(alg)};
	struct slice line = SLICE_EMPTY;

	if (text.size > AA_EVENTLOG_MAX)
		return err_set(reterr, -E2BIG, "agent's event log is too large");
	(void)next_line(&text, &line);
	int r = parse_init(line, alg, &value, reterr);
	if (r < 0)
		return r;
	if (!slice_eq(digest_slice(&value), digest_slice(start ? start : &zero)))
		return err_set(reterr, -EBADMSG,
			"agent's event log starts from a value that the register did not hold");
	while (next_line(&text, &line)) {
		if (json_array_size(list) == AA_EVENTS_MAX)
			return err_set(reterr, -E2BIG, "agent's event log has too many events");
		r = add_event(list, line, reterr);
		if (r == 0)
			r = hash_once(alg, line, &d);
		if (r == 0)
			r = hash_extend(alg, digest_slice(&value), digest_slice(&d), &value);
		if (r < 0)
			return r;
	}
	*ret = value;
	*ret_events = steal_ptr(list);
	return 0;
}
