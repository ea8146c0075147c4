/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: vectors [--mutate=STEP] DIR [CONTESTED]
 * Ends with "N passed, N failed"; each failure is named before. A case is a process of its own: one
 * that crashes or hangs is a failure of that case. Cases of kinds that no handler
 * knows are counted apart, and so are those of the file CONTESTED: lines "KIND/CASE OUTCOME...",
 * where husk decides otherwise than the case on purpose. Such a case must still end as the file
 * says, else it is a failure.
 *
 * With --mutate, evidence that is accepted is verified again with each STEP-th of its bytes
 * flipped, which must be refused (mutate.h).
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/parse.h"
#include "fmt/json.h"
#include "mutate.h"

#define FILE_MAX ((size_t)64 << 20)
#define DEPTH_MAX 8
#define CASE_SECONDS 600

static const struct {
	const char *tee;
	int (*run)(struct vector *v);
} g_handlers[] = {
	{"tdx", vector_dcap},
	{"sgx", vector_dcap},
	{"snp", vector_snp},
	{"snp-measure", vector_snp_measure},
	{"azure", vector_azure},
	{"nvidia", vector_nvidia},
	{"imgsig-cosign", vector_cosign},
	{"imgsig-simple", vector_simple},
	{"ocicrypt", vector_ocicrypt},
	{"jwt", vector_jwt},
	{"sealed-secret", vector_sealed},
	{"initdata", vector_initdata},
	{"sigstore-bundle", vector_sigstore},
	{"ccel", vector_log},
	{"tcg2", vector_log},
	{"cca", vector_cca},
	{"cose", vector_cose},
	{"csv", vector_csv},
	{"tpm", vector_tpm},
	{"ibm-se", vector_ibm_se},
};

static unsigned g_passed, g_failed, g_unknown, g_contested;
static const char *g_contests;
static uint32_t g_mutate;

int vector_fail(struct vector *v, const char *fmt, ...)
{
	va_list args;
	if (v->why[0])
		return -1;
	va_start(args, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, args);
	va_end(args);
	return -1;
}

int vector_read(struct vector *v, const char *file, struct buf *out)
{
	char path[4096];
	struct err e = {0};

	snprintf(path, sizeof(path), "%s/%s", v->dir, file ? file : "");
	if (!file || strchr(file, '/') || file_read(path, FILE_MAX, out, &e) < 0)
		return vector_fail(v, "cannot read %s: %s", file ? file : "(no file)", e.text);
	return 0;
}

const char *vector_file(const struct vector *v, const char *role)
{
	return json_string_value(json_object_get(json_object_get(v->expected, "files"), role));
}

const char *vector_str(const struct vector *v, const char *name)
{
	return json_string_value(json_object_get(v->expected, name));
}

bool vector_is_valid(const struct vector *v)
{
	const char *verdict = vector_str(v, "verdict");
	return verdict && streq(verdict, "valid");
}

bool vector_is_parse_only(const struct vector *v)
{
	return streq_null(vector_str(v, "verdict"), "parse-only");
}

int vector_refusal(
	struct vector *v, const struct vector_check *checks, size_t count, const char *reason)
{
	const json_t *results = json_object_get(v->expected, "check_results");
	const char *expected = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!json_is_false(json_object_get(results, checks[i].in_file)))
			continue;
		if (str_starts(reason, checks[i].check))
			return 0;
		expected = expected ? expected : checks[i].check;
	}
	return !expected
		       ? 0
		       : vector_fail(v, "was refused because of %s, expected %s", reason, expected);
}

int vector_hex(struct vector *v, const json_t *o, const char *name, struct slice value)
{
	cleanup_with(buf_done) struct buf hex = buf_init(0);
	const char *want = json_string_value(json_object_get(o, name));

	if (!want)
		return 0;
	hex_encode(&hex, value);
	return streq(want, buf_str(&hex))
		       ? 0
		       : vector_fail(v, "%s is %.100s, expected %.100s", name, buf_str(&hex), want);
}

int vector_int(struct vector *v, const json_t *o, const char *name, int64_t value)
{
	const json_t *want = json_object_get(o, name);

	if (!json_is_integer(want) || json_integer_value(want) == value)
		return 0;
	return vector_fail(v, "%s is %lld, expected %lld", name, (long long)value,
		(long long)json_integer_value(want));
}

static json_t *read_lines(struct vector *v, const char *text)
{
	json_t *items = json_array();

	for (const char *line = text, *end; *line; line = end) {
		end = strchrnul(line, '\n');
		json_t *item = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);
		if (end > line && json_array_append_new(items, item) < 0) {
			vector_fail(v, "a line of the pack is not JSON");
			json_decref(items);
			return NULL;
		}
		end += *end == '\n';
	}
	return items;
}

json_t *vector_pack(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(FILE_MAX);
	const char *file = vector_file(v, "cases");

	if (vector_read(v, file, &text) < 0)
		return NULL;
	if (str_ends(file, ".jsonl"))
		return read_lines(v, buf_str(&text));
	json_t *items = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
	if (json_is_array(items) && json_array_size(items) > 0)
		return items;
	json_decref(items);
	vector_fail(v, "%s is not a list of items", file);
	return NULL;
}

int vector_item(struct vector *v, const json_t *item)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	char why[sizeof(v->why)];

	snprintf(why, sizeof(why), "%s", v->why);
	snprintf(v->why, sizeof(v->why), "%.60s: %.440s", name ? name : "(no name)", why);
	return -1;
}

/* What the file says about a case: the outcome, in @line; NULL when it does not name it. */
static const char *contested_outcome(const char *dir, char *line, size_t size)
{
	FILE *file = g_contests ? fopen(g_contests, "re") : NULL;
	const char *found = NULL;

	while (file && !found && fgets(line, (int)size, file)) {
		char *outcome = strchr(line, ' ');
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#' || !outcome)
			continue;
		*outcome++ = 0;
		const char *at = strstr(dir, line);
		if (at && at > dir && at[-1] == '/' && !at[strlen(line)])
			found = outcome;
	}
	if (file)
		fclose(file);
	return found;
}

static void count(const char *dir, bool passed, const char *why)
{
	char outcome[256], path[PATH_MAX];
	const char *contested =
		contested_outcome(realpath(dir, path) ? path : dir, outcome, sizeof(outcome));

	if (contested && !passed && streq(contested, why)) {
		printf("contested %s: %s\n", dir, why);
		g_contested++;
	} else if (contested) {
		printf("FAIL %s: contested as \"%s\", which it is not: %s\n", dir, contested,
			passed ? "it passes" : why);
		g_failed++;
	} else if (passed) {
		g_passed++;
	} else {
		printf("FAIL %s: %s\n", dir, why);
		g_failed++;
	}
}

/* Runs in the child: the reason, if any, goes to the pipe. */
_Noreturn static void run_child(int (*run)(struct vector *v), struct vector *v, int to)
{
	alarm(CASE_SECONDS);
	bool passed = run(v) == 0;
	if (!passed && write(to, v->why, strlen(v->why)) < 0)
		perror("vectors");
	fflush(NULL);
	_exit(passed ? 0 : 1);
}

static bool run_apart(int (*run)(struct vector *v), struct vector *v)
{
	int fds[2], status = 0;
	size_t size = 0;
	ssize_t n;

	fflush(NULL);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return vector_fail(v, "no pipe: %m") == 0;
	pid_t child = fork();
	if (child == 0)
		run_child(run, v, fds[1]);
	close(fds[1]);
	while (child > 0 && size < sizeof(v->why) - 1 &&
		(n = read(fds[0], v->why + size, sizeof(v->why) - 1 - size)) > 0)
		size += (size_t)n;
	close(fds[0]);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return vector_fail(v, "no process: %m") == 0;
	if (WIFSIGNALED(status))
		vector_fail(v, "ended by signal %d (%s)", WTERMSIG(status),
			WTERMSIG(status) == SIGALRM ? "it took too long"
						    : strsignal(WTERMSIG(status)));
	else if (status != 0)
		vector_fail(v, "ended with status %d", WEXITSTATUS(status));
	return status == 0;
}

static void run_case(const char *dir, const json_t *expected)
{
	struct vector v = {.dir = dir, .expected = expected, .mutate = g_mutate};
	const char *tee = vector_str(&v, "tee");

	for (size_t i = 0; tee && i < ARRAY_COUNT(g_handlers); i++) {
		if (!streq(g_handlers[i].tee, tee))
			continue;
		/* Mutants are counted in this process. */
		bool passed =
			g_mutate ? g_handlers[i].run(&v) == 0 : run_apart(g_handlers[i].run, &v);
		count(dir, passed, v.why);
		return;
	}
	g_unknown++;
}

static void walk(const char *dir, int depth)
{
	cleanup_with(buf_done) struct buf text = buf_init(FILE_MAX);
	cleanup(json_decref) json_t *expected = NULL;
	struct dirent **names = NULL;
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/expected.json", dir);
	if (file_read(path, FILE_MAX, &text, NULL) == 0) {
		/* Some hold strings with NULs, which husk's own reader refuses. */
		expected = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
		if (expected) {
			run_case(dir, expected);
		} else {
			printf("FAIL %s: expected.json is not JSON\n", dir);
			g_failed++;
		}
		return;
	}
	int count = depth < DEPTH_MAX ? scandir(dir, &names, NULL, alphasort) : 0;
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			walk(path, depth + 1);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	static const char option[] = "--mutate=";

	if (argc > 1 && str_starts(argv[1], option)) {
		if (parse_u32(slice_str(argv[1] + strlen(option)), 1, 1000000, &g_mutate) < 0)
			argc = 0;
		argc--;
		argv++;
	}
	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: vectors [--mutate=STEP] DIR [CONTESTED]\n");
		return 2;
	}
	g_contests = argv[2];
	if (g_contests && access(g_contests, R_OK) < 0) {
		fprintf(stderr, "vectors: %s: %m\n", g_contests);
		return 2;
	}
	if (access(argv[1], R_OK | X_OK) < 0)
		fprintf(stderr, "vectors: %s: %m\n", argv[1]);
	walk(argv[1], 0);
	if (g_unknown)
		printf("%u cases are of kinds without a handler\n", g_unknown);
	if (g_contested)
		printf("%u cases are contested\n", g_contested);
	if (g_mutate && mutate_report() == 0)
		g_failed++;
	printf("%u passed, %u failed\n", g_passed, g_failed);
	return g_failed || g_passed == 0 ? 1 : 0;
}
