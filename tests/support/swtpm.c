/* SPDX-License-Identifier: Apache-2.0 */
#include "support/swtpm.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/rd.h"
#include "base/str.h"
#include "crypto/key.h"

#define HEADER_SIZE 10
#define CONNECT_TRIES 500

static int transmit(void *cookie, struct slice command, struct buf *answer)
{
	struct swtpm *s = cookie;
	uint8_t head[HEADER_SIZE];
	uint8_t *room;
	uint32_t size = 0;
	struct rd rd = rd_init(slice_of(head, sizeof(head)));
	int r = fd_write_full(s->fd, command.data, command.size);

	if (r == 0)
		r = fd_read_full(s->fd, head, sizeof(head));
	if (r == 0)
		r = rd_skip(&rd, 2);
	if (r == 0)
		r = rd_u32be(&rd, &size);
	if (r < 0)
		return r;
	if (size < HEADER_SIZE || size > TPM_MESSAGE_MAX)
		return -EPROTO;
	buf_put(answer, head, sizeof(head));
	room = buf_reserve(answer, size - HEADER_SIZE);
	if (!room)
		return buf_error(answer);
	r = fd_read_full(s->fd, room, size - HEADER_SIZE);
	if (r == 0)
		buf_commit(answer, size - HEADER_SIZE);
	return r;
}

static int connect_to(struct swtpm *s, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int r = str_copy(to.sun_path, sizeof(to.sun_path), path);

	if (r < 0)
		return r;
	for (int i = 0; i < CONNECT_TRIES; i++) {
		s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return 0;
		close(s->fd);
		s->fd = -1;
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
			s->pid = 0;
			return -ENOENT;
		}
		usleep(10000);
	}
	return -ETIMEDOUT;
}

int swtpm_start(struct swtpm *ret)
{
	char state[96], server[128], path[96];
	struct err e = {0};
	int r;

	*ret = (struct swtpm){.fd = -1};
	snprintf(ret->dir, sizeof(ret->dir), "/tmp/husk-tpm-XXXXXX");
	if (!mkdtemp(ret->dir))
		return -errno;
	snprintf(state, sizeof(state), "dir=%s", ret->dir);
	snprintf(path, sizeof(path), "%s/sock", ret->dir);
	snprintf(server, sizeof(server), "type=unixio,path=%s", path);
	ret->pid = fork();
	if (ret->pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a broken test leaves nothing behind */
		dup2(null, 1);
		dup2(null, 2);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server",
			server, "--flags", "not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
	r = ret->pid < 0 ? -errno : connect_to(ret, path);
	if (r < 0) {
		swtpm_stop(ret);
		return r;
	}
	ret->tpm = (struct tpm){.transmit = transmit, .cookie = ret};
	return tpm_startup(&ret->tpm, &e);
}

void swtpm_stop(struct swtpm *s)
{
	cleanup_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (s->fd >= 0)
		close(s->fd);
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	if (s->dir[0] && tmp >= 0)
		(void)!path_remove_tree(tmp, s->dir + strlen("/tmp/"));
	*s = (struct swtpm){.fd = -1};
}

char *swtpm_ak_public(struct swtpm *s, uint32_t handle)
{
	cleanup_with(buf_done) struct buf raw = buf_init(4096);
	cleanup_with(buf_done) struct buf spki = buf_init(4096);
	cleanup_with(buf_done) struct buf text = buf_init(8192);
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup_with(buf_done) struct buf exponent = buf_init(8);
	struct tpm_public public;

	if (tpm_read_public(&s->tpm, handle, &raw, NULL) < 0 ||
		tpm_public_parse(buf_slice(&raw), &public, NULL) < 0)
		return NULL;
	buf_put_u32be(&exponent, public.exponent);
	if (pkey_from_rsa(public.modulus, buf_slice(&exponent), &key) < 0 ||
		pkey_to_spki(key, &spki) < 0)
		return NULL;
	b64_encode(&text, buf_slice(&spki), B64_STD);
	return buf_take_str(&text);
}

static json_t *pcr_values(struct swtpm *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		uint8_t value[64];
		char hex[65] = "";

		if (tpm_pcr_read(&s->tpm, TPM_ALG_SHA256, i, value, NULL) == 0)
			hex_str(slice_of(value, 32), hex, sizeof(hex));
		json_array_append_new(list, json_string(hex));
	}
	return list;
}

int swtpm_evidence(struct swtpm *s, uint32_t handle, struct slice report_data, char **ret_json,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf attest = buf_init(4096);
	cleanup_with(buf_done) struct buf signature = buf_init(4096);
	cleanup_with(buf_done) struct buf attest_text = buf_init(8192);
	cleanup_with(buf_done) struct buf signature_text = buf_init(8192);
	cleanup(free_ptr) char *ak = swtpm_ak_public(s, handle);
	json_t *evidence;
	int r = ak ? tpm_quote(&s->tpm, handle, slice_cut(report_data, 0, 32), &attest, &signature,
			     reterr)
		   : -EIO;

	if (r < 0)
		return r;
	b64_encode(&attest_text, buf_slice(&attest), B64_STD);
	b64_encode(&signature_text, buf_slice(&signature), B64_STD);
	evidence = json_pack("{s:{s:s, s:s, s:o}, s:s}", "tpm_quote", "signature",
		buf_str(&signature_text), "message", buf_str(&attest_text), "pcrs", pcr_values(s),
		"ak_public", ak);
	*ret_json = evidence ? json_dumps(evidence, JSON_COMPACT) : NULL;
	json_decref(evidence);
	return *ret_json ? 0 : -ENOMEM;
}
