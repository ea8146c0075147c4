/* SPDX-License-Identifier: Apache-2.0 */
#include "host/vmm/swtpm.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/rd.h"
#include "base/str.h"
#include "crypto/key.h"
#include "evidence/tpm_quote.h"
#include "fmt/tpm_cmd.h"

#define ANSWER_TIMEOUT_MS 20000 /* making an RSA key takes a second or two on a slow machine */
#define END_TIMEOUT_MS 5000
#define LOG_MAX ((size_t)4096)

/* The command channel of a TPM that has no guest yet. */
static int transmit(void *cookie, struct slice command, struct buf *answer)
{
	int fd = *(int *)cookie;
	size_t want = 10;
	int r = fd_write_full(fd, command.data, command.size);
	if (r < 0)
		return r;
	while (answer->size < want) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		r = poll(&pfd, 1, ANSWER_TIMEOUT_MS);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ETIMEDOUT;
		uint8_t *room = buf_reserve(answer, TPM_MESSAGE_MAX);
		if (!room)
			return buf_error(answer);
		ssize_t n = read(fd, room, TPM_MESSAGE_MAX);
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		buf_commit(answer, (size_t)n);
		if (answer->size >= 10) {
			/* Header: tag u16, size u32, code u32. */
			const uint8_t *p = answer->data;
			want = (size_t)p[2] << 24 | (size_t)p[3] << 16 | (size_t)p[4] << 8 | p[5];
			if (want < 10 || want > TPM_MESSAGE_MAX || answer->size > want)
				return -EPROTO;
		}
	}
	return 0;
}

static int public_to_spki(struct slice public, struct buf *out, struct err *reterr)
{
	struct tpm_public parsed = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	int r = tpm_public_parse(public, &parsed, reterr);
	if (r >= 0)
		r = tpm_public_key(&parsed, &key, reterr);
	return r < 0 ? r : pkey_to_spki(key, out);
}

static int provision(int fd, bool replace, struct buf *ret_spki, struct err *reterr)
{
	const struct tpm tpm = {transmit, &fd};
	cleanup_with(buf_done) struct buf public = buf_init(TPM_MESSAGE_MAX);
	int r = tpm_startup(&tpm, reterr);
	if (r < 0)
		return r;
	r = replace ? -ENOENT : tpm_read_public(&tpm, SWTPM_AK_HANDLE, &public, reterr);
	if (r == -ENOENT) {
		r = tpm_create_ak(&tpm, SWTPM_AK_HANDLE, reterr);
		if (r >= 0)
			r = tpm_read_public(&tpm, SWTPM_AK_HANDLE, &public, reterr);
	}
	if (r >= 0 && ret_spki)
		r = public_to_spki(buf_slice(&public), ret_spki, reterr);
	return r < 0 ? r : tpm_shutdown(&tpm, reterr);
}

/* Start swtpm with @channel_option describing @channel; its messages go to *ret_log. */
static int spawn(const char *program, const char *dir, const char *option, const char *value,
	int channel, struct proc *ret, int *ret_log, struct err *reterr)
{
	char state[300];
	int log[2];
	if (pipe2(log, O_CLOEXEC) != 0)
		return err_set(reterr, -errno, "cannot make a pipe for %s", program);
	cleanup_fd int log_read = log[0];
	cleanup_fd int log_write = log[1];
	snprintf(state, sizeof(state), "dir=%s,mode=0600", dir);
	const char *argv[] = {program, "socket", "--tpm2", "--tpmstate", state, "--terminate",
		option, value, NULL, NULL, NULL};
	if (streq(option, "--fd")) {
		argv[8] = "--flags";
		argv[9] = "not-need-init,startup-clear";
	}
	const int stdio[3] = {-1, log_write, log_write};
	int r = proc_spawn(ret, (char *const *)(uintptr_t)argv, stdio, &channel, 1, reterr);
	if (r >= 0)
		*ret_log = steal_fd(&log_read);
	return r;
}

/* What swtpm said before it went away, as one line. */
static void read_log(int fd, char *dst, size_t size)
{
	size_t used = 0;
	ssize_t n = 1;
	if (fd_set_nonblock(fd, true) < 0)
		return;
	while (used + 1 < size && (n = read(fd, dst + used, size - 1 - used)) > 0)
		used += (size_t)n;
	dst[used] = '\0';
	for (size_t i = 0; i < used; i++)
		if (dst[i] == '\n')
			dst[i] = i + 1 < used ? ';' : '\0';
}

static int explain(int r, int log_fd, const char *dir, struct err *reterr)
{
	char text[300] = "";
	read_log(log_fd, text, sizeof(text));
	if (strstr(text, "lock") || strstr(text, "Lock"))
		return err_at(reterr, -EBUSY, ERR_NO_OFFSET, "tpm-state",
			"another guest uses the TPM state in %s", dir);
	if (text[0])
		return err_set(reterr, r, "swtpm failed: %s", text);
	return err_wrap(reterr, r, "swtpm in %s", dir);
}

int swtpm_provision(const char *program, const char *dir, bool replace, struct buf *ret_spki,
	struct err *reterr)
{
	int pair[2], status;
	char value[16];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(reterr, -errno, "cannot make a socket pair");
	cleanup_fd int ours = pair[0];
	cleanup_fd int theirs = pair[1];
	cleanup_fd int log_fd = -1;
	struct proc proc = PROC_NONE;
	snprintf(value, sizeof(value), "%d", theirs);
	int r = spawn(program, dir, "--fd", value, theirs, &proc, &log_fd, reterr);
	if (r < 0)
		return r;
	close(steal_fd(&theirs));
	r = provision(ours, replace, ret_spki, reterr);
	/* It ends by itself when the channel closes, and has then written its state. */
	close(steal_fd(&ours));
	if (proc_wait(&proc, END_TIMEOUT_MS, &status) == -ETIMEDOUT && r >= 0)
		r = err_set(reterr, -ETIMEDOUT, "swtpm did not end");
	proc_done(&proc);
	return r < 0 ? explain(r, log_fd, dir, reterr) : 0;
}

int swtpm_state_dir(const char *state, char *dst, size_t size, struct err *reterr)
{
	struct stat st;
	int r = path_make_dirs(state, 0700);
	if (r < 0)
		return err_at(reterr, r, ERR_NO_OFFSET, "tpm-state", "cannot make %s", state);
	cleanup(free_ptr) char *full = realpath(state, NULL);
	if (!full || lstat(full, &st) != 0)
		return err_at(reterr, -errno, ERR_NO_OFFSET, "tpm-state", "cannot use %s", state);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return err_at(reterr, -EPERM, ERR_NO_OFFSET, "tpm-state",
			"%s must be yours alone (mode 0700): it holds the TPM's keys", full);
	/* swtpm separates its options with commas. */
	if (strchr(full, ',') || str_copy(dst, size, full) < 0)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "tpm-state",
			"the path of the TPM state is too long or holds a comma");
	return 0;
}

/* swtpm separates its options with commas. */
static int temporary_dir(struct swtpm *t, struct err *reterr)
{
	int r = temp_dir_make(&t->own, "husk-tpm", ",", reterr);
	return r < 0 ? r : str_copy(t->dir, sizeof(t->dir), t->own.path);
}

static int start(struct swtpm *t, const char *program, struct err *reterr)
{
	int pair[2];
	char value[48];
	int r = swtpm_provision(program, t->dir, false, NULL, reterr);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(reterr, -errno, "cannot make a socket pair");
	t->ctrl_fd = pair[0];
	cleanup_fd int theirs = pair[1];
	snprintf(value, sizeof(value), "type=unixio,clientfd=%d", theirs);
	return spawn(program, t->dir, "--ctrl", value, theirs, &t->proc, &t->log_fd, reterr);
}

int swtpm_start(const char *program, const char *state, struct swtpm *ret, struct err *reterr)
{
	struct swtpm t = SWTPM_NONE;
	int r = state ? swtpm_state_dir(state, t.dir, sizeof(t.dir), reterr)
		      : temporary_dir(&t, reterr);
	if (r >= 0)
		r = start(&t, program, reterr);
	if (r < 0) {
		swtpm_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void swtpm_done(struct swtpm *t)
{
	bool keep = !t->own.path[0];
	int status;
	if (t->ctrl_fd >= 0)
		close(t->ctrl_fd);
	/* With QEMU gone it ends by itself and writes its state; only then it is killed. */
	if (t->proc.pid > 0 && keep && proc_wait(&t->proc, 1000, &status) < 0)
		proc_signal(&t->proc, SIGTERM);
	if (t->proc.pid > 0 && keep)
		(void)!proc_wait(&t->proc, 2000, &status);
	proc_done(&t->proc);
	if (t->log_fd >= 0)
		close(t->log_fd);
	(void)temp_dir_done(&t->own);
	*t = SWTPM_NONE;
}
