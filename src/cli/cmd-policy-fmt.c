/* SPDX-License-Identifier: Apache-2.0 */
/* husk policy fmt: modules in canonical layout. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/cmd-policy.h"

struct format {
	struct cli *cli;
	struct rego_format_options options;
	bool differs; /* some module was not formatted */
};

/* Lines of a text, for a diff. */
struct lines {
	struct slice *item;
	size_t count;
};

static int split(struct slice text, struct lines *ret)
{
	size_t n = 1;
	for (size_t i = 0; i < text.size; i++)
		n += text.data[i] == '\n';
	ret->item = calloc(n, sizeof(*ret->item));
	if (!ret->item)
		return -ENOMEM;
	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) + 1 : text.size;
		ret->item[ret->count++] = slice_cut(text, 0, size);
		text = slice_cut(text, size, text.size);
	}
	return 0;
}

static void put_line(struct buf *out, char mark, struct slice line)
{
	buf_put_u8(out, (uint8_t)mark);
	buf_put_slice(out, line);
	if (line.size == 0 || line.data[line.size - 1] != '\n')
		buf_put_str(out, "\n\\ No newline at end of file\n");
}

/* One hunk over everything between the common start and the common end, with context. */
static int put_diff(struct buf *out, const char *path, struct slice old, struct slice new)
{
	struct lines a = {0}, b = {0};
	int r = split(old, &a);
	if (r == 0)
		r = split(new, &b);
	size_t head = 0, tail = 0;
	while (r == 0 && head < a.count && head < b.count && slice_eq(a.item[head], b.item[head]))
		head++;
	while (r == 0 && tail < a.count - head && tail < b.count - head &&
		slice_eq(a.item[a.count - 1 - tail], b.item[b.count - 1 - tail]))
		tail++;
	size_t before = MIN(head, (size_t)3), after = MIN(tail, (size_t)3);
	size_t from = head - before, n = a.count - tail - head, m = b.count - tail - head;
	if (r == 0) {
		buf_printf(out, "--- %s\n+++ %s (formatted)\n@@ -%zu,%zu +%zu,%zu @@\n", path, path,
			from + 1, before + n + after, from + 1, before + m + after);
		for (size_t i = 0; i < before; i++)
			put_line(out, ' ', a.item[from + i]);
		for (size_t i = 0; i < n; i++)
			put_line(out, '-', a.item[head + i]);
		for (size_t i = 0; i < m; i++)
			put_line(out, '+', b.item[head + i]);
		for (size_t i = 0; i < after; i++)
			put_line(out, ' ', a.item[head + n + i]);
	}
	free(a.item);
	free(b.item);
	return r;
}

static int rewrite(const char *path, struct slice text, struct err *e)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	return file_write_atomic(path, text, st.st_mode & 07777, e);
}

/* What is asked for: the result, a list, a diff, or the file written back. */
static int deliver(
	struct format *f, const char *path, struct slice old, struct slice new, struct err *e)
{
	cleanup_with(buf_done) struct buf out = buf_init((size_t)1 << 30);
	bool same = slice_eq(old, new);
	bool list = cli_flag(f->cli, "list"), diff = cli_flag(f->cli, "diff");
	bool write = cli_flag(f->cli, "write"), fail = cli_flag(f->cli, "fail");
	int r = 0;
	f->differs = f->differs || !same;
	if (list && !same)
		buf_printf(&out, "%s\n", path);
	if (diff && !same)
		r = put_diff(&out, path, old, new);
	if (write && !same && r == 0)
		r = rewrite(path, new, e);
	if (!list && !diff && !write && !fail)
		buf_put_slice(&out, new);
	return r < 0 ? r : policy_print(&out, false);
}

static int format_text(struct format *f, const char *path, struct slice old, struct err *e)
{
	cleanup_with(buf_done) struct buf new = buf_init(POLICY_FILE_MAX);
	int r = rego_format(path, old, &f->options, &new, e);
	return r < 0 ? r : deliver(f, path, old, buf_slice(&new), e);
}

static int format_stdin(struct format *f, struct err *e)
{
	cleanup_with(buf_done) struct buf text = buf_init(POLICY_FILE_MAX);
	if (cli_flag(f->cli, "write"))
		return err_set(e, -EINVAL, "--write needs a file");
	int r = fd_read_all(STDIN_FILENO, &text);
	return r < 0 ? r : format_text(f, "stdin", buf_slice(&text), e);
}

int cmd_policy_fmt(struct cli *cli)
{
	struct format f = {.cli = cli};
	cleanup_with(policy_files_done) struct policy_files files = {0};
	struct err e = {0};
	int r = 0;
	if (cli_flag(cli, "v0-compatible") && cli_flag(cli, "v1-compatible"))
		return cli_fail(cli, -EINVAL, NULL,
			"--v0-compatible and --v1-compatible exclude each other");
	f.options.dialect = cli_flag(cli, "v0-compatible") ? REGO_DIALECT_V0 : REGO_DIALECT_V1;
	f.options.to_v1 = cli_flag(cli, "rego-v1");
	f.options.drop_imports = cli_flag(cli, "drop-v0-imports");
	if (!cli_arg(cli, 0))
		r = format_stdin(&f, &e);
	for (size_t i = 0; r == 0 && cli_arg(cli, i); i++)
		r = policy_load(&files, cli_arg(cli, i), POLICY_MODULES, &e);
	for (size_t i = 0; r == 0 && i < files.count; i++)
		r = format_text(&f, files.item[i].path, buf_slice(&files.item[i].text), &e);
	if (r == -EINVAL)
		return cli_fail(cli, r, &e, NULL);
	if (r < 0) {
		fprintf(stderr, "%s\n", err_text(&e, r));
		return POLICY_ERROR;
	}
	return cli_flag(cli, "fail") && f.differs ? POLICY_FAILED : POLICY_OK;
}
