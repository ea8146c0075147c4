/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of `husk policy`: what they print and how they exit, in the shapes of opa. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/cli.h"
#include "oci/tar.h"

static char g_dir[64];

static void put_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", g_dir, name);
	assert_int_equal(file_write_atomic(path, slice_str(text), 0600, NULL), 0);
}

static int setup(void **state)
{
	snprintf(g_dir, sizeof(g_dir), "/tmp/husk-policy-XXXXXX");
	return mkdtemp(g_dir) && chdir(g_dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	return chdir("/") == 0 && path_remove_tree(-100 /* AT_FDCWD */, g_dir) == 0 ? 0 : -1;
}

/* Runs a command; its standard output and error are in @out and @err. */
static int run(struct buf *out, struct buf *err, const char *const *words)
{
	char *argv[32] = {(char *)(uintptr_t) "husk", (char *)(uintptr_t) "policy"};
	int argc = 2, saved[2] = {dup(1), dup(2)};
	FILE *file[2] = {tmpfile(), tmpfile()};
	struct buf *to[2] = {out, err};
	struct cli cli = {0};
	const char *help = NULL;
	for (; words[argc - 2]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 2];
	assert_int_equal(cli_parse(argc, argv, &cli, &help, NULL), 0);
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		dup2(fileno(file[i]), i + 1);
	int code = cli.command->run(&cli);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
		rewind(file[i]);
		buf_clear(to[i]);
		assert_int_equal(fd_read_all(fileno(file[i]), to[i]), 0);
		fclose(file[i]);
	}
	cli_done(&cli);
	return code;
}
#define RUN(out, err, ...) run(out, err, (const char *const[]){__VA_ARGS__, NULL})

static void want(const struct buf *b, const char *part)
{
	if (!strstr(buf_str(b), part))
		fail_msg("\"%s\" is not in:\n%s", part, buf_str(b));
}

static const char policy[] = "package authz\n"
			     "\n"
			     "default allow := false\n"
			     "\n"
			     "allow if {\n"
			     "\tinput.user in data.admins\n"
			     "\tnot denied\n"
			     "}\n"
			     "\n"
			     "denied if input.locked\n"
			     "\n"
			     "names contains name if some name in data.admins\n";

/* Attestation policies ask for reference values; here data.reference_values has them. */
static void test_reference_values(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("a.rego", "package a\n\nok if input.x in query_reference_value(\"xs\")\n\n"
			   "none := query_reference_value(\"ys\")\n");
	put_file("r.json", "{\"reference_values\": {\"xs\": [\"good\"]}}");
	put_file("x.json", "{\"x\": \"good\"}");
	assert_int_equal(RUN(&out, &err, "eval", "-d", "a.rego", "-d", "r.json", "-i", "x.json",
				 "--format", "raw", "data.a"),
		0);
	want(&out, "{\"none\":null,\"ok\":true}");
	/* Without them nothing is good. */
	assert_int_equal(RUN(&out, &err, "eval", "-d", "a.rego", "-i", "x.json", "--format", "raw",
				 "data.a"),
		0);
	want(&out, "{\"none\":null}");
}

static void test_eval(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("p.rego", policy);
	put_file("d.json", "{\"admins\": [\"ann\", \"bob\"]}");
	put_file("i.json", "{\"user\": \"ann\"}");
	assert_int_equal(RUN(&out, &err, "eval", "-d", "p.rego", "-d", "d.json", "-i", "i.json",
				 "data.authz.allow"),
		0);
	assert_string_equal(buf_str(&out), "{\n"
					   "  \"result\": [\n"
					   "    {\n"
					   "      \"expressions\": [\n"
					   "        {\n"
					   "          \"value\": true,\n"
					   "          \"text\": \"data.authz.allow\",\n"
					   "          \"location\": {\n"
					   "            \"row\": 1,\n"
					   "            \"col\": 1\n"
					   "          }\n"
					   "        }\n"
					   "      ]\n"
					   "    }\n"
					   "  ]\n"
					   "}\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "-d", "p.rego", "-d", "d.json",
				 "x := data.authz.names[_]; upper(x)"),
		0);
	assert_string_equal(buf_str(&out), "true ANN\ntrue BOB\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "bindings", "x := 1; y := x + 1"), 0);
	assert_string_equal(buf_str(&out), "{\n  \"x\": 1,\n  \"y\": 2\n}\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "pretty", "x := [1, 2][_]"), 0);
	assert_string_equal(buf_str(&out), "┌───┐\n│ x │\n├───┤\n│ 1 │\n│ 2 │\n└───┘\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "pretty", "data.nothing"), 0);
	assert_string_equal(buf_str(&out), "undefined\n");
	assert_int_equal(RUN(&out, &err, "eval", "--fail", "data.nothing"), 1);
	assert_string_equal(buf_str(&out), "{}\n");
	assert_int_equal(RUN(&out, &err, "eval", "--fail-defined", "true"), 1);
	assert_int_equal(RUN(&out, &err, "eval", "--package", "authz", "--import",
				 "data.authz as a", "-d", "p.rego", "-f", "raw", "allow; a.allow"),
		0);
	assert_string_equal(buf_str(&out), "false false\n");
}

static void test_eval_errors(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	assert_int_equal(RUN(&out, &err, "eval", "x > 1"), 2);
	want(&out, "\"message\": \"var x is unsafe\"");
	want(&out, "\"code\": \"rego_unsafe_var_error\"");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "1 +"), 2);
	want(&err, "1 error occurred: 1:3: rego_parse_error: ");
	assert_int_equal(RUN(&out, &err, "eval", "--strict-builtin-errors", "1 / 0"), 2);
	want(&out, "\"code\": \"eval_builtin_error\"");
	want(&out, "\"message\": \"div: divide by zero\"");
	assert_int_equal(
		RUN(&out, &err, "eval", "--timeout", "20ms",
			"count([1 | numbers.range(1, 100000)[_]; numbers.range(1, 100000)[_]])"),
		2);
	want(&out, "exceeds 20 ms");
	assert_int_equal(RUN(&out, &err, "eval", "-d", "missing.rego", "true"), 2);
	want(&out, "missing.rego");
	put_file("bad.json", "{\"a\": }");
	assert_int_equal(RUN(&out, &err, "eval", "-d", "bad.json", "true"), 2);
	want(&out, "bad.json");
	assert_int_equal(RUN(&out, &err, "eval"), 2);
	assert_int_equal(RUN(&out, &err, "eval", "--stdin", "true"), 2);
	assert_int_equal(RUN(&out, &err, "eval", "--fail", "--fail-defined", "true"), 2);
	assert_int_equal(RUN(&out, &err, "eval", "--timeout", "5 bananas", "true"), 2);
}

/* Documents stand where their folders say; conflicting ones are refused. */
static void test_documents(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	assert_int_equal(mkdir("tree", 0700) | mkdir("tree/a", 0700) | mkdir("tree/a/b", 0700), 0);
	put_file("tree/a/b/data.json", "{\"x\": 1}");
	put_file("tree/a/data.json", "{\"b\": {\"y\": 2}}");
	put_file("tree/a/other.json", "{\"z\": 3}");
	put_file("tree/p.rego", "package p\n\nq := data.a.b.x\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "-d", "tree", "data"), 0);
	assert_string_equal(
		buf_str(&out), "{\"a\":{\"b\":{\"x\":1,\"y\":2},\"z\":3},\"p\":{\"q\":1}}\n");
	/* A bundle takes data.json only. */
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "-b", "tree", "data.a"), 0);
	assert_string_equal(buf_str(&out), "{\"b\":{\"x\":1,\"y\":2}}\n");
	put_file("tree/.manifest", "{\"roots\": [\"a/b\"]}");
	assert_int_equal(RUN(&out, &err, "eval", "-b", "tree", "data.a"), 2);
	want(&out, "has no root");
	assert_int_equal(
		RUN(&out, &err, "eval", "-f", "raw", "-d", "k.l:tree/a/b/data.json", "data"), 0);
	assert_string_equal(buf_str(&out), "{\"k\":{\"l\":{\"x\":1}}}\n");
	put_file("c1.json", "{\"a\": {\"b\": 1}}");
	put_file("c2.json", "{\"a\": {\"b\": 2}}");
	assert_int_equal(RUN(&out, &err, "eval", "-d", "c1.json", "-d", "c2.json", "data"), 2);
	want(&out, "c2.json: does not fit");
	assert_int_equal(RUN(&out, &err, "eval", "--ignore", "other.json", "-f", "raw", "-d",
				 "tree", "data.a.z"),
		0);
	assert_string_equal(buf_str(&out), "");
}

static void test_yaml(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("d.yaml", "a:\n  - 1\n  - b: \"x\"\n");
	put_file("i.yml", "user: ann\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "-d", "d.yaml", "-i", "i.yml",
				 "data.a; input.user; crypto.sha256(\"a\")"),
		0);
	assert_string_equal(buf_str(&out),
		"[1,{\"b\":\"x\"}] ann "
		"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\n");
	put_file("bad.yaml", "a: [1\n");
	assert_int_equal(RUN(&out, &err, "eval", "-d", "bad.yaml", "true"), 2);
	want(&out, "bad.yaml: ");
	put_file("meta.rego", "package m\n\n# METADATA\n# title: The rule\n# authors:\n"
			      "# - Ann <ann@x>\np := rego.metadata.rule()\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "-d", "meta.rego", "data.m.p"), 0);
	assert_string_equal(buf_str(&out), "{\"authors\":[{\"email\":\"ann@x\",\"name\":\"Ann\"}],"
					   "\"scope\":\"rule\",\"title\":\"The rule\"}\n");
}

static void test_check(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("p.rego", policy);
	assert_int_equal(RUN(&out, &err, "check", "p.rego"), 0);
	assert_string_equal(buf_str(&out), "");
	put_file("bad.rego", "package bad\n\np if x\n\nq if {\n\tr\n\ty > 1\n}\n");
	assert_int_equal(RUN(&out, &err, "check", "p.rego", "bad.rego"), 1);
	assert_string_equal(buf_str(&err),
		"3 errors occurred:\n"
		"bad.rego:3:6: rego_unsafe_var_error: var x is unsafe\n"
		"bad.rego:6:2: rego_unsafe_var_error: var r is unsafe\n"
		"bad.rego:7:2: rego_unsafe_var_error: var y is unsafe\n");
	assert_int_equal(RUN(&out, &err, "check", "-f", "json", "bad.rego"), 1);
	want(&err, "\"row\": 6,\n        \"col\": 2");
	put_file("bad2.rego", "package bad\n\np if\n");
	assert_int_equal(RUN(&out, &err, "check", "bad2.rego"), 1);
	want(&err, "bad2.rego:");
	want(&err, "rego_parse_error");
	assert_int_equal(RUN(&out, &err, "check", "nothing.txt"), 1);
}

static const char tests[] =
	"package authz_test\n"
	"\n"
	"import data.authz\n"
	"\n"
	"test_admin if authz.allow with input as {\"user\": \"ann\"} with "
	"data.admins as [\"ann\"]\n"
	"\n"
	"test_locked if {\n"
	"\tnot authz.allow with input as {\"user\": \"ann\", \"locked\": true} with "
	"data.admins as [\"ann\"]\n"
	"}\n";

static void test_test(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("p.rego", policy);
	put_file("p_test.rego", tests);
	assert_int_equal(RUN(&out, &err, "test", "p.rego", "p_test.rego"), 0);
	assert_string_equal(buf_str(&out), "PASS: 2/2\n");
	assert_int_equal(RUN(&out, &err, "test", "-v", "-r", "locked", "p.rego", "p_test.rego"), 0);
	want(&out, "data.authz_test.test_locked: PASS (");
	want(&out, "PASS: 1/1\n");
	put_file("f_test.rego", "package f_test\n\n"
				"test_bad if {\n\tx := 1\n\tprint(\"x is\", x)\n\tx == 2\n}\n\n"
				"test_false := false\n\n"
				"todo_test_later if false\n\n"
				"test_error := {\"a\": x | some x in [1, 2]}\n");
	assert_int_equal(RUN(&out, &err, "test", "f_test.rego"), 2);
	want(&out, "data.f_test.test_bad: FAIL (");
	want(&out, "data.f_test.test_false: FAIL (");
	want(&out, "  x is 1\n");
	want(&out, "f_test.rego:6: data.f_test.test_bad: x == 2: 1 is not equal to 2");
	want(&out, "data.f_test.todo_test_later: SKIPPED\n");
	want(&out, "data.f_test.test_error: ERROR (");
	want(&out, "object keys must be unique");
	want(&out, "FAIL: 2/4\nSKIPPED: 1/4\nERROR: 1/4\n");
	assert_int_equal(RUN(&out, &err, "test", "-f", "json", "f_test.rego"), 2);
	want(&out, "\"name\": \"test_bad\",\n    \"fail\": true");
	want(&out, "\"skip\": true");
	assert_int_equal(RUN(&out, &err, "test", "-r", "nothing", "f_test.rego"), 0);
	assert_int_equal(
		RUN(&out, &err, "test", "--fail-on-empty", "-r", "nothing", "f_test.rego"), 2);
	assert_int_equal(RUN(&out, &err, "test"), 2);
}

/* A rule with keys is a test for each key; a case without a value has failed. */
static void test_cases(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("c_test.rego", "package c_test\n\n"
				"test_sum[tc.note] if {\n"
				"\tsome tc in [{\"note\": \"one\", \"a\": 1, \"want\": 2},\n"
				"\t\t{\"note\": \"two\", \"a\": 2, \"want\": 4}]\n"
				"\tgot := tc.a + 1\n\tgot == tc.want\n}\n\n"
				"test_deep[a][b] if {\n\tsome a in [\"x\", \"y\"]\n"
				"\tsome b in [1, 2]\n\ta == \"x\"\n}\n\n"
				"test_good[n] if some n in [\"p\", \"q\"]\n\n"
				"test_value := 5\n");
	assert_int_equal(RUN(&out, &err, "test", "c_test.rego"), 2);
	want(&out, "data.c_test.test_sum: FAIL (");
	want(&out, "\n  two: FAIL\n");
	want(&out, "\n  y: FAIL\n    1: FAIL\n    2: FAIL\n");
	want(&out, "data.c_test.test_value: FAIL (");
	want(&out, "PASS: 5/9\nFAIL: 4/9\n");
	assert_null(strstr(buf_str(&out), "one: PASS"));
	assert_int_equal(RUN(&out, &err, "test", "-v", "-r", "sum|good", "c_test.rego"), 2);
	want(&out, "\n  one: PASS\n  two: FAIL\n");
	want(&out, "\n  p: PASS\n  q: PASS\n");
	assert_int_equal(RUN(&out, &err, "test", "-f", "json", "c_test.rego"), 2);
	want(&out, "\"sub_results\": {\"one\": {\"name\": \"one\"}, "
		   "\"two\": {\"name\": \"two\", \"fail\": true}}");
	want(&out, "\"y\": {\"name\": \"y\", \"fail\": true, \"sub_results\": {\"1\": ");
	assert_int_equal(RUN(&out, &err, "test", "-r", "good", "c_test.rego"), 0);
	want(&out, "PASS: 2/2\n");
}

static void tar_file(struct buf *tar, enum tar_type type, const char *path, const char *text)
{
	struct tar_entry e = {.type = type,
		.path = path,
		.link = type == TAR_FILE ? "" : text,
		.mode = 0644,
		.size = type == TAR_FILE ? strlen(text) : 0};
	assert_int_equal(tar_write_entry(tar, &e), 0);
	if (type == TAR_FILE) {
		buf_put_str(tar, text);
		tar_write_padding(tar, e.size);
	}
}

static void put_bytes(const char *name, const void *data, size_t size)
{
	FILE *f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void put_gzip(const char *name, const struct buf *tar)
{
	gzFile f = gzopen(name, "wb");
	assert_non_null(f);
	assert_int_equal(gzwrite(f, tar->data, (unsigned)tar->size), (int)tar->size);
	assert_int_equal(gzclose(f), Z_OK);
}

/* An archive is a bundle as a folder is; a damaged or a hostile one is refused. */
static void test_archive(void **state)
{
	cleanup_with(buf_done) struct buf tar = {0}, out = {0}, err = {0}, gz = {0};
	tar_file(&tar, TAR_DIR, "./a", "");
	tar_file(&tar, TAR_FILE, "/a/b/data.json", "{\"x\": 1}");
	tar_file(&tar, TAR_FILE, "./p.rego", "package p\n\nq := data.a.b.x + data.a.y\n");
	tar_file(&tar, TAR_FILE, "a/data.yaml", "y: 2\n");
	tar_file(&tar, TAR_FILE, "a/other.json", "not JSON");
	tar_write_end(&tar);
	put_bytes("b.tar", tar.data, tar.size);
	put_gzip("b.tar.gz", &tar);
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "-b", "b.tar.gz", "data"), 0);
	assert_string_equal(buf_str(&out), "{\"a\":{\"b\":{\"x\":1},\"y\":2},\"p\":{\"q\":3}}\n");
	assert_int_equal(RUN(&out, &err, "eval", "-f", "raw", "-b", "b.tar", "data.p.q"), 0);
	assert_string_equal(buf_str(&out), "3\n");
	/* Every truncation. */
	assert_int_equal(file_read("b.tar.gz", 1 << 20, &gz, NULL), 0);
	for (size_t n = 1; n < gz.size; n++) {
		put_bytes("cut.tar.gz", gz.data, n);
		assert_int_equal(RUN(&out, &err, "eval", "-b", "cut.tar.gz", "true"), 2);
	}
	want(&out, "cut.tar.gz: ");
	put_bytes("long.tar.gz", buf_str(&gz), gz.size);
	buf_put_str(&gz, "more");
	put_bytes("long.tar.gz", gz.data, gz.size);
	assert_int_equal(RUN(&out, &err, "eval", "-b", "long.tar.gz", "true"), 2);
	want(&out, "after the end");
	static const struct {
		enum tar_type type;
		const char *path, *text, *error;
	} rows[] = {
		{TAR_FILE, "../p.rego", "package p", "leaves the bundle"},
		{TAR_FILE, "a/../../p.rego", "package p", "leaves the bundle"},
		{TAR_SYMLINK, "p.rego", "/etc/passwd", "is no regular file"},
		{TAR_HARDLINK, "p.rego", "q.rego", "is no regular file"},
		{TAR_FILE, ".manifest", "[]", "not a JSON object"},
		{TAR_FILE, ".manifest", "{\"roots\": [\"c\"]}", "has no root"},
		{TAR_FILE, "data.json", "{", "data.json: "},
		{TAR_FILE, "bad.rego", "package", "bad.tar.gz/bad.rego"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		buf_clear(&tar);
		tar_file(&tar, TAR_FILE, "a/data.json", "{}");
		tar_file(&tar, rows[i].type, rows[i].path, rows[i].text);
		tar_write_end(&tar);
		put_gzip("bad.tar.gz", &tar);
		assert_int_equal(RUN(&out, &err, "eval", "-b", "bad.tar.gz", "data"), 2);
		want(&out, rows[i].error);
	}
}

static void test_coverage(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("p.rego", policy);
	put_file("p_test.rego", tests);
	assert_int_equal(RUN(&out, &err, "test", "--coverage", "p.rego", "p_test.rego"), 0);
	want(&out, "\"covered_lines\": 8,");
	want(&out, "\"not_covered_lines\": 1\n");
	/* The set of names is what no test asks for. */
	want(&out, "\"not_covered\": [\n        {\n          \"end\": {");
	assert_int_equal(RUN(&out, &err, "test", "--threshold", "99", "p.rego", "p_test.rego"), 2);
	want(&err, "Code coverage threshold not met: got 88.89 instead of 99.00");
	assert_int_equal(RUN(&out, &err, "test", "--threshold", "50", "p.rego", "p_test.rego"), 0);
}

static void test_explain(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("p.rego", policy);
	put_file("d.json", "{\"admins\": [\"ann\"]}");
	put_file("i.json", "{\"user\": \"eve\"}");
	assert_int_equal(RUN(&out, &err, "explain", "-d", "p.rego", "-d", "d.json", "-i", "i.json",
				 "data.authz.allow"),
		0);
	want(&out, "data.authz.allow = false\n");
	want(&out, "FAIL p.rego:6  input.user in data.admins\n");
	want(&out, "because \"eve\" is not in [\"ann\"]\n");
	want(&out, "p.rego:7  not denied\n");
	want(&out, "data.authz.allow = false   (p.rego:3, default)\n");
	assert_int_equal(
		RUN(&out, &err, "explain", "--json", "-d", "p.rego", "data.authz.allow"), 0);
	want(&out, "\"explanation\": [");
	want(&out, "\"reason\": \"input.user is undefined\"");
	assert_int_equal(RUN(&out, &err, "explain", "data.["), 2);
}

static void test_bench(void **state)
{
	cleanup_with(buf_done) struct buf out = {0}, err = {0};
	put_file("p.rego", policy);
	assert_int_equal(
		RUN(&out, &err, "bench", "--benchtime", "5ms", "-d", "p.rego", "data.authz.allow"),
		0);
	want(&out, "ns/op");
	assert_int_equal(RUN(&out, &err, "bench", "--json", "--benchtime", "5ms", "--count", "2",
				 "-d", "p.rego", "data.authz.allow"),
		0);
	want(&out, "\"ns_per_op\": ");
	assert_int_equal(
		RUN(&out, &err, "bench", "--fail", "--benchtime", "1ms", "data.nothing"), 1);
}

int main(void)
{
	const struct CMUnitTest list[] = {
		cmocka_unit_test(test_reference_values),
		cmocka_unit_test(test_eval),
		cmocka_unit_test(test_eval_errors),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_test),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_archive),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_bench),
	};
	return cmocka_run_group_tests(list, setup, teardown);
}
