/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/str.h"
#include "fmt/json.h"
#include "support/kbs_client.h"

#define START_WAIT_MS 30000
#define STOP_WAIT_MS (WITH_SANITIZER ? 90000 : 15000)

static int run_init(const char *program, const char *dir)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, 1);
		execl(program, program, "init", dir, "--listen", "127.0.0.1:0", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int append_config(const char *dir, const char *lines)
{
	char path[128];
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "%s/husk-kbs.toml", dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return fd < 0 ? -errno : fd_write_full(fd, lines, strlen(lines));
}

/* The port in the line that @at begins before, and where that ends; NULL: it is not there yet. */
static const char *read_port(const char *at, uint16_t *ret)
{
	uint32_t port;

	at = strstr(at, " port=");
	if (!at || !strchr(at, '\n') ||
		parse_u32(slice_of(at + 6, strcspn(at + 6, " \n")), 1, 65535, &port) < 0)
		return NULL;
	*ret = (uint16_t)port;
	return strchr(at, '\n');
}

/* The front logs where it listens; it does so once it is ready. */
static int wait_ports(struct kbs_server *s, const char *log, bool two)
{
	uint64_t deadline = clock_mono_ms() + START_WAIT_MS;

	while (clock_mono_ms() < deadline) {
		cleanup_with(buf_done) struct buf text = buf_init(0);

		if (file_read(log, (size_t)64 << 20, &text, NULL) == 0) {
			const char *at = read_port(buf_str(&text), &s->port);

			if (at && (!two || read_port(at, &s->rest_port)))
				return 0;
		}
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
			fputs(buf_str(&text), stderr);
			s->pid = 0;
			return -ECHILD;
		}
		usleep(5000);
	}
	return -ETIMEDOUT;
}

/* In the folder, with its log there. */
static int run(struct kbs_server *s, const char *const argv[], bool two)
{
	char log[128];

	snprintf(log, sizeof(log), "%s/log", s->dir);
	unlink(log);
	s->pid = fork();
	if (s->pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		dup2(fd, 1);
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a broken test leaves nothing behind */
		dup2(fd, 2);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return s->pid < 0 ? -errno : wait_ports(s, log, two);
}

static int read_token(struct kbs_server *s)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(8192);
	char path[128];
	int r;

	snprintf(path, sizeof(path), "%s/admin-token", s->dir);
	r = file_read(path, 8192, &text, NULL);
	free(s->admin_token);
	s->admin_token = r == 0 ? strdup(buf_str(&text)) : NULL;
	return s->admin_token ? 0 : -EIO;
}

int kbs_server_start(struct kbs_server *s, const char *program, const char *append)
{
	char config[128];
	int r = 0;

	if (!s->dir[0]) {
		snprintf(s->dir, sizeof(s->dir), "/tmp/husk-kbs-XXXXXX");
		if (!mkdtemp(s->dir))
			return -errno;
		r = run_init(program, s->dir);
		if (r == 0 && append)
			r = append_config(s->dir, append);
	}
	if (r == 0)
		r = read_token(s);
	if (r < 0)
		return r;
	snprintf(config, sizeof(config), "%s/husk-kbs.toml", s->dir);
	const char *const argv[] = {program, "-c", config, NULL};
	return run(s, argv, false);
}

int kbs_server_start_as(struct kbs_server *s, const char *program, const json_t *config)
{
	cleanup(json_decref) json_t *copy = json_deep_copy(config);
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup_fd int fd = -1;
	char path[128], store[128];

	snprintf(s->dir, sizeof(s->dir), "/tmp/husk-as-XXXXXX");
	if (!mkdtemp(s->dir))
		return -errno;
	snprintf(path, sizeof(path), "%s/as.json", s->dir);
	snprintf(store, sizeof(store), "%s/as.db", s->dir);
	if (!json_object_get(copy, "husk"))
		json_object_set_new(copy, "husk", json_object());
	if (!json_object_get(json_object_get(copy, "husk"), "store"))
		json_object_set_new(json_object_get(copy, "husk"), "store", json_string(store));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || json_write(copy, &text) < 0 || fd_write_full(fd, text.data, text.size) < 0)
		return -EIO;
	const char *const argv[] = {
		program, "-c", path, "-s", "127.0.0.1:0", "--rest", "127.0.0.1:0", NULL};
	return run(s, argv, true);
}

void kbs_server_kill(struct kbs_server *s)
{
	if (s->pid <= 0)
		return;
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

/* What was built for it looks for leaks at its end, each process by itself. */
static int check_log(const struct kbs_server *s)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	char log[128];

	snprintf(log, sizeof(log), "%s/log", s->dir);
	if (file_read(log, (size_t)64 << 20, &text, NULL) < 0 ||
		(!strstr(buf_str(&text), "Sanitizer") && !strstr(buf_str(&text), "runtime error:")))
		return 0;
	fputs(buf_str(&text), stderr);
	return -EFAULT;
}

int kbs_server_stop(struct kbs_server *s)
{
	uint64_t deadline = clock_mono_ms() + STOP_WAIT_MS;
	int status;

	if (s->pid <= 0)
		return -ESRCH;
	kill(s->pid, SIGTERM);
	while (clock_mono_ms() < deadline) {
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = 0;
			if (check_log(s) < 0)
				return -EFAULT;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
		}
		usleep(5000);
	}
	kbs_server_kill(s);
	return -ETIMEDOUT;
}

void kbs_server_remove(struct kbs_server *s)
{
	cleanup_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	kbs_server_kill(s);
	if (s->dir[0] && tmp >= 0)
		(void)!path_remove_tree(tmp, s->dir + strlen("/tmp/"));
	free(s->admin_token);
	*s = (struct kbs_server){0};
}

int kbs_server_client(const struct kbs_server *s, bool admin, struct kbs_client *ret)
{
	char ca[128];
	int r;

	snprintf(ca, sizeof(ca), "%s/tls.crt", s->dir);
	r = kbs_client_init(ret, s->port, ca);
	if (r == 0 && admin)
		ret->bearer = strdup(s->admin_token);
	return r;
}
