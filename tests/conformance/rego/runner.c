/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs folders of Rego cases: one JSON object per line in *.jsonl files, in any of the shapes that
 * the test vectors have (OPA's suite, policies with decisions, genpolicy requests).
 *
 *   rego-conformance [-v] [-s SKIP-LIST] FOLDER...
 *
 * The skip list holds lines "NOTE<TAB>REASON"; a NOTE that ends with '*' stands for all that begin
 * so. Ends with "N passed, N failed, N skipped"; exit code 1 when something failed, 77 when there
 * was nothing to run.
 */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "rego/rego.h"
#include "runner.h"

#define FILE_MAX ((size_t)64 << 20)
#define LINE_SKIPS 4096

struct skip {
	char note[200];
	char reason[200];
};

static struct skip g_skips[LINE_SKIPS];
static size_t g_skip_count;
static bool g_verbose;
static struct totals g_totals;

static int read_text(const char *path, struct buf *out)
{
	struct err e = {0};
	int r = file_read(path, FILE_MAX, out, &e);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", path, err_text(&e, r));
	return r;
}

static void read_skips(const char *path)
{
	cleanup_with(buf_done) struct buf text = {0};
	if (read_text(path, &text) < 0)
		exit(2);
	char *line = (char *)text.data;
	while (line && *line && g_skip_count < LINE_SKIPS) {
		char *end = strchr(line, '\n');
		if (end)
			*end = '\0';
		char *tab = strchr(line, '\t');
		if (line[0] != '#' && tab) {
			struct skip *s = &g_skips[g_skip_count++];
			snprintf(s->note, sizeof(s->note), "%.*s", (int)(tab - line), line);
			snprintf(s->reason, sizeof(s->reason), "%s", tab + 1);
		}
		line = end ? end + 1 : NULL;
	}
}

static const char *skip_reason(const char *note)
{
	for (size_t i = 0; i < g_skip_count; i++) {
		const char *s = g_skips[i].note;
		size_t n = strlen(s);
		if (n > 0 && s[n - 1] == '*' ? strncmp(s, note, n - 1) == 0 : streq(s, note))
			return g_skips[i].reason;
	}
	return NULL;
}

static void report(const struct test_case *t, enum outcome o, const char *why)
{
	if (o == CASE_PASSED)
		g_totals.passed++;
	else if (o == CASE_SKIPPED)
		g_totals.skipped++;
	else
		g_totals.failed++;
	if (o == CASE_FAILED || (g_verbose && o == CASE_SKIPPED))
		printf("%s %s: %s\n", o == CASE_FAILED ? "FAIL" : "skip", t->note, why);
}

/* Cases of one pod share state from request to request. */
static struct state g_state;

static void run_line(const char *folder, struct slice line)
{
	struct err e = {0};
	struct test_case t = {.folder = folder, .state = &g_state};
	char why[4096] = "";
	int r = case_parse(&t, line, &e);
	if (r < 0) {
		snprintf(t.note, sizeof(t.note), "%s", folder);
		snprintf(why, sizeof(why), "the case is malformed: %s", err_text(&e, r));
		report(&t, CASE_FAILED, why);
		return;
	}
	const char *skip = skip_reason(t.note);
	enum outcome o = skip ? CASE_SKIPPED : case_run(&t, why, sizeof(why));
	report(&t, o, skip ? skip : why);
	case_done(&t);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return __builtin_strcmp((*a)->d_name, (*b)->d_name);
}

static void run_file(const char *folder, const char *path)
{
	cleanup_with(buf_done) struct buf text = {0};
	struct totals before = g_totals;
	if (read_text(path, &text) < 0) {
		g_totals.failed++;
		return;
	}
	for (size_t at = 0; at < text.size;) {
		const uint8_t *end = memchr(text.data + at, '\n', text.size - at);
		size_t size = end ? (size_t)(end - text.data) - at : text.size - at;
		if (size > 0)
			run_line(folder, slice_of(text.data + at, size));
		at += size + 1;
	}
	printf("%-60s %5u passed %4u failed %4u skipped\n", path, g_totals.passed - before.passed,
		g_totals.failed - before.failed, g_totals.skipped - before.skipped);
}

/* Cases of other kinds, which lie beside these in the shared folder: `make vectors` runs them. */
static bool is_of_another_kind(const char *folder)
{
	cleanup_with(buf_done) struct buf text = {0};
	char path[4096];

	snprintf(path, sizeof(path), "%s/expected.json", folder);
	if (access(path, F_OK) < 0 || read_text(path, &text) < 0)
		return false;
	const char *at = strstr(buf_str(&text), "\"tee\"");
	if (!at)
		return false;
	at += strlen("\"tee\"");
	at += strspn(at, " \t\r\n:");
	return !str_starts(at, "\"rego\"") && !str_starts(at, "\"genpolicy\"");
}

static void run_folder(const char *folder, int depth)
{
	if (is_of_another_kind(folder))
		return;
	struct dirent **list = NULL;
	int n = scandir(folder, &list, NULL, by_name);
	for (int i = 0; i < n; i++) {
		char path[4096];
		struct stat st;
		const char *name = list[i]->d_name;
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (name[0] != '.' && stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode) && depth < 4)
				run_folder(path, depth + 1);
			else if (str_ends(name, ".jsonl"))
				run_file(folder, path);
		}
		free(list[i]);
	}
	free(list);
}

int main(int argc, char **argv)
{
	int i = 1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (streq(argv[i], "-v")) {
			g_verbose = true;
		} else if (streq(argv[i], "-s") && i + 1 < argc) {
			read_skips(argv[++i]);
		} else {
			fprintf(stderr, "usage: rego-conformance [-v] [-s SKIP-LIST] FOLDER...\n");
			return 2;
		}
	}
	for (; i < argc; i++)
		run_folder(argv[i], 0);
	state_done(&g_state);
	if (g_totals.passed + g_totals.failed + g_totals.skipped == 0) {
		const char *ci = getenv("CI");
		fprintf(stderr, "no cases found: point HUSK_VECTORS at the test vectors\n");
		return ci && streq(ci, "true") ? 1 : 77;
	}
	printf("%u passed, %u failed, %u skipped\n", g_totals.passed, g_totals.failed,
		g_totals.skipped);
	return g_totals.failed ? 1 : 0;
}
