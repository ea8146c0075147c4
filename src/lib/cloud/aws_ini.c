/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that AWS's programs share: ~/.aws/credentials and ~/.aws/config.
 * Spec: AWS CLI user guide, "Configuration and credential file settings": [section], key = value,
 * '#' and ';' start comments; indented lines belong to the key above and are none that we ask for.
 */
#include "base/str.h"
#include "cloud/internal.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
	while (s.size > 0 && is_blank(s.data[0]))
		s = slice_cut(s, 1, s.size);
	while (s.size > 0 && is_blank(s.data[s.size - 1]))
		s.size--;
	return s;
}

static size_t find(struct slice s, uint8_t c)
{
	const uint8_t *at = s.size ? memchr(s.data, c, s.size) : NULL;

	return at ? (size_t)(at - s.data) : s.size;
}

/* "[default]", "[profile x]" with any blanks inside. */
static bool is_section(struct slice line, const char *section)
{
	size_t end = find(line, ']');

	return end < line.size && slice_eq_str(trim(slice_cut(line, 1, end - 1)), section);
}

int aws_ini_get(struct slice text, const char *section, const char *key, struct buf *out)
{
	bool inside = false, found = false;

	if (text.size && memchr(text.data, 0, text.size))
		return -EBADMSG;
	while (text.size > 0) {
		size_t end = find(text, '\n');
		struct slice raw = slice_cut(text, 0, end), line = trim(raw);
		size_t equals = find(line, '=');

		text = slice_cut(text, end + 1, text.size);
		if (line.size == 0 || line.data[0] == '#' || line.data[0] == ';')
			continue;
		if (line.data[0] == '[') {
			inside = is_section(line, section);
			continue;
		}
		if (!inside || is_blank(raw.data[0]) || equals == line.size ||
			!slice_eq_str(trim(slice_cut(line, 0, equals)), key))
			continue;
		/* The last one counts, as with AWS's. */
		buf_clear(out);
		buf_put_slice(out, trim(slice_cut(line, equals + 1, line.size)));
		found = true;
	}
	if (buf_error(out) < 0)
		return buf_error(out);
	return found && out->size > 0 ? 0 : -ENOENT;
}
