/* SPDX-License-Identifier: Apache-2.0 */
/* What runs: image configuration and RUN merged, users resolved, bundle and policy input made. Also
 * the list of kernel modules. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "guest/agent/setup.h"
#include "guest/agent/spec.h"

static const char image_config[] =
	"{\"config\":{\"Entrypoint\":[\"/bin/app\"],\"Cmd\":[\"--default\"],"
	"\"Env\":[\"PATH=/opt\",\"A=1\",\"B=2\"],\"WorkingDir\":\"/srv\",\"User\":\"web:www\"}}";

static int merge(const char *config, const struct hostlink_run *run, struct spec *ret)
{
	json_t *doc = json_loads(config, 0, NULL);
	assert_non_null(doc);
	int r = spec_merge(doc, "sha256:00", run, ret, NULL);
	json_decref(doc);
	return r;
}

static char *dump(json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	assert_non_null(text);
	return text;
}

static void assert_json(json_t *j, const char *want)
{
	char *text = dump(j);
	assert_string_equal(text, want);
	free(text);
}

static void test_merge(void **state)
{
	char *env[] = {(char[]){"B=9"}, (char[]){"C=3"}};
	struct hostlink_run run = {.image = (char[]){"x/y:z"}, .env = env, .env_count = 2};
	cleanup_with(spec_done) struct spec s = {0};
	assert_int_equal(merge(image_config, &run, &s), 0);
	assert_json(s.args, "[\"/bin/app\",\"--default\"]");
	assert_json(s.env, "[\"PATH=/opt\",\"A=1\",\"B=9\",\"C=3\",\"HOSTNAME=husk\"]");
	assert_string_equal(s.cwd, "/srv");

	/* args of the host replace Cmd, not Entrypoint; a terminal sets TERM */
	char *args[] = {(char[]){"-x"}};
	run.args = args;
	run.args_count = 1;
	run.terminal = true;
	run.name = (char[]){"n1"};
	spec_done(&s);
	assert_int_equal(merge(image_config, &run, &s), 0);
	assert_json(s.args, "[\"/bin/app\",\"-x\"]");
	assert_string_equal(s.hostname, "n1");
	char *text = dump(s.env);
	assert_non_null(strstr(text, "TERM=xterm"));
	free(text);

	/* an image without configuration runs what the host says */
	spec_done(&s);
	assert_int_equal(merge("{\"config\":null}", &run, &s), 0);
	assert_json(s.args, "[\"-x\"]");
	assert_string_equal(s.cwd, "/");
}

static void test_merge_negative(void **state)
{
	static const struct {
		const char *config;
		int want;
	} table[] = {
		{"{}", -EINVAL}, /* nothing to run */
		{"[]", -EBADMSG},
		{"{\"config\":[]}", -EBADMSG},
		{"{\"config\":{\"Cmd\":\"/bin/sh\"}}", -EBADMSG},
		{"{\"config\":{\"Cmd\":[1]}}", -EBADMSG},
		{"{\"config\":{\"Cmd\":[\"\"]}}", -EINVAL},
		{"{\"config\":{\"Cmd\":[\"a\"],\"Env\":{}}}", -EBADMSG},
		{"{\"config\":{\"Cmd\":[\"a\"],\"User\":7}}", -EBADMSG},
		{"{\"config\":{\"Cmd\":[\"a\"],\"WorkingDir\":\"rel\"}}", -EBADMSG},
		{"{\"config\":{\"Cmd\":[\"a\"],\"Env\":null,\"User\":null}}", 0},
	};
	struct hostlink_run run = {.image = (char[]){"a"}};
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		cleanup_with(spec_done) struct spec s = {0};
		int r = merge(table[i].config, &run, &s);
		if (r != table[i].want)
			fail_msg("%s: %d", table[i].config, r);
	}
}

static void test_policy_input(void **state)
{
	struct hostlink_run run = {.image = (char[]){"x/y:z"}};
	cleanup_with(spec_done) struct spec s = {0};
	assert_int_equal(merge("{\"config\":{\"Cmd\":[\"/a\"]}}", &run, &s), 0);
	s.uid = 5;
	s.gid = 6;
	json_t *input = spec_policy_input(&s);
	assert_json(input,
		"{\"image\":\"x/y:z\",\"image_digest\":\"sha256:00\",\"OCI\":{\"Process\":{"
		"\"Args\":[\"/a\"],\"Env\":[\"HOSTNAME=husk\",\"PATH=/usr/local/sbin:"
		"/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"],\"Cwd\":\"/\","
		"\"Terminal\":false,\"User\":{\"UID\":5,\"GID\":6}},\"Hostname\":\"husk\"}}");
	json_decref(input);
}

static bool has_string(json_t *list, const char *want)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (streq(json_string_value(json_array_get(list, i)), want))
			return true;
	}
	return false;
}

static void test_bundle(void **state)
{
	struct hostlink_run run = {
		.image = (char[]){"a"}, .memory = 1 << 20, .cpu_millis = 1500, .terminal = true};
	cleanup_with(spec_done) struct spec s = {0};
	assert_int_equal(merge("{\"config\":{\"Cmd\":[\"/a\"]}}", &run, &s), 0);
	s.rootfs = strdup("/run/image/rootfs");
	s.groups[0] = 44;
	s.groups_count = 1;
	json_t *b = spec_bundle(&s, "/husk/app");
	assert_non_null(b);
	json_t *process = json_object_get(b, "process");
	json_t *lin = json_object_get(b, "linux");
	assert_json(
		json_object_get(process, "user"), "{\"uid\":0,\"gid\":0,\"additionalGids\":[44]}");
	assert_true(json_is_true(json_object_get(process, "terminal")));
	json_t *resources = json_object_get(lin, "resources");
	assert_json(json_object_get(resources, "memory"), "{\"limit\":1048576}");
	assert_json(json_object_get(resources, "cpu"), "{\"quota\":150000,\"period\":100000}");
	assert_json(
		json_object_get(resources, "devices"), "[{\"allow\":false,\"access\":\"rwm\"}]");
	assert_json(
		json_object_get(b, "root"), "{\"path\":\"/run/image/rootfs\",\"readonly\":false}");
	assert_true(has_string(json_object_get(lin, "maskedPaths"), "/proc/kcore"));
	json_t *caps = json_object_get(process, "capabilities");
	assert_int_equal(json_array_size(json_object_get(caps, "bounding")), 14);
	assert_false(has_string(json_object_get(caps, "bounding"), "CAP_SYS_ADMIN"));
	assert_int_equal(json_array_size(json_object_get(lin, "namespaces")), 5);
	json_decref(b);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_users(void **state)
{
	static const struct {
		const char *user;
		int want;
		uint32_t uid, gid;
		size_t groups;
		const char *home;
	} table[] = {
		{"", 0, 0, 0, 0, "HOME=/root"},
		{"0", 0, 0, 0, 0, "HOME=/root"},
		{"web", 0, 33, 34, 2, "HOME=/var/web"},
		{"33", 0, 33, 34, 2, "HOME=/var/web"},
		{"web:www", 0, 33, 40, 0, "HOME=/var/web"},
		{"web:77", 0, 33, 77, 0, "HOME=/var/web"},
		{"1234", 0, 1234, 0, 0, "HOME=/"},
		{"1234:1", 0, 1234, 1, 0, "HOME=/"},
		{"nobody", -ENOENT, 0, 0, 0, NULL},
		{"web:none", -ENOENT, 0, 0, 0, NULL},
		{"broken", -ENOENT, 0, 0, 0, NULL},
		{"4294967295", -ENOENT, 0, 0, 0, NULL},
		{"-1", -ENOENT, 0, 0, 0, NULL},
	};
	char dir[] = "/tmp/husk-spec-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/etc", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/passwd", dir);
	write_file(path, "root:x:0:0::/root:/bin/sh\nbroken:x:a:b::/:\n\nx\n"
			 "web:x:33:34::/var/web:/bin/false");
	snprintf(path, sizeof(path), "%s/etc/group", dir);
	write_file(path, "www:x:40:web,other\nbad:x:y:web\nextra:x:41:other,web\nno:x:42:webx\n");
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		cleanup_with(spec_done) struct spec s = {
			.user = strdup(table[i].user), .env = json_array()};
		int r = spec_resolve_user(&s, fd, NULL);
		if (r != table[i].want)
			fail_msg("%s: %d", table[i].user, r);
		if (r < 0)
			continue;
		assert_int_equal(s.uid, table[i].uid);
		assert_int_equal(s.gid, table[i].gid);
		assert_int_equal(s.groups_count, table[i].groups);
		assert_true(has_string(s.env, table[i].home));
	}
	close(fd);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

static void test_modules(void **state)
{
	struct slice rest = SLICE_LIT("# comment\nvirtio\n\nvirtio-rng\nlast"), name;
	assert_int_equal(module_list_next(&rest, &name), 1);
	assert_true(slice_eq_str(name, "virtio"));
	assert_int_equal(module_list_next(&rest, &name), 1);
	assert_true(slice_eq_str(name, "virtio-rng"));
	assert_int_equal(module_list_next(&rest, &name), 1);
	assert_true(slice_eq_str(name, "last"));
	assert_int_equal(module_list_next(&rest, &name), 0);
	static const char *const bad[] = {"../x", "a b", "a.ko", "a/b", " a", "a\r"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		rest = slice_str(bad[i]);
		assert_int_equal(module_list_next(&rest, &name), -EBADMSG);
	}
	char longest[MODULE_NAME_MAX + 2];
	memset(longest, 'a', sizeof(longest));
	rest = slice_of(longest, MODULE_NAME_MAX);
	assert_int_equal(module_list_next(&rest, &name), 1);
	rest = slice_of(longest, MODULE_NAME_MAX + 1);
	assert_int_equal(module_list_next(&rest, &name), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_negative),
		cmocka_unit_test(test_policy_input),
		cmocka_unit_test(test_bundle),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_modules),
	};
	return cmocka_run_group_tests_name("agent-spec", tests, NULL, NULL);
}
