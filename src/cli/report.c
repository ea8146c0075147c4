/* SPDX-License-Identifier: Apache-2.0 */
/* What commands tell: failures, notes, JSON documents. */
#include <stdarg.h>

#include "base/str.h"
#include "cli/cli.h"

void cli_put_text(FILE *out, const char *text)
{
	struct slice s = slice_str(text);
	while (s.size) {
		uint32_t code;
		size_t n = utf8_decode(s, &code);
		/* Control characters and broken UTF-8 could drive the terminal. */
		if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
			fprintf(out, "\\x%02x", s.data[0]);
			n = 1;
		} else {
			fwrite(s.data, 1, n, out);
		}
		s = slice_cut(s, n, s.size - n);
	}
}

static int exit_code(int r)
{
	switch (r) {
	case -EACCES:
	case -EKEYREJECTED:
		return CLI_REFUSED;
	case -EINVAL:
		return CLI_USAGE;
	default:
		return CLI_FAILURE;
	}
}

int cli_fail(const struct cli *cli, int r, const struct err *e, const char *fmt, ...)
{
	char what[512] = "";
	if (fmt) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(what, sizeof(what), fmt, ap);
		va_end(ap);
	}
	int code = exit_code(r);
	if (cli && cli->json) {
		json_t *doc = json_pack("{s:{s:s,s:s,s:s,s:i}}", "error", "what", what, "reason",
			err_text(e, r), "field", e ? e->field : "", "code", code);
		if (doc) {
			json_dumpf(doc, stderr, JSON_COMPACT);
			fputc('\n', stderr);
			json_decref(doc);
			return code;
		}
	}
	/* Of a wrong usage @what says all. */
	bool said = what[0] && r == -EINVAL && (!e || !e->text[0]);
	fputs("husk: ", stderr);
	cli_put_text(stderr, what);
	if (what[0] && !said)
		fputs(": ", stderr);
	if (!said)
		cli_put_text(stderr, err_text(e, r));
	fputc('\n', stderr);
	return code;
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	if (cli->quiet || cli->json)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_put_text(stderr, text);
	fputc('\n', stderr);
}

int cli_print_json(json_t *doc)
{
	if (!doc || json_dumpf(doc, stdout, JSON_INDENT(2)) < 0 || fputc('\n', stdout) == EOF ||
		fflush(stdout) != 0) {
		fputs("husk: cannot write the result\n", stderr);
		return CLI_FAILURE;
	}
	return CLI_OK;
}
