/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation agent. A child of PID 1 (guest/agent/child.h): makes the TEE key, takes its configuration and the
 * word that the network is there, attests, then answers requests for resources of PID 1 and of
 * image until PID 1 closes its socket. One request at a time; a client that stops in the middle of
 * a frame can only hold up the others, and PID 1's deadlines end that.
 *
 * It alone holds the TEE key. Before it talks to the network it gives up all capabilities and all
 * files but the TPM, the event log and /etc.
 */
#include <linux/capability.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "crypto/selftest.h"
#include "fmt/json.h"
#include "fmt/toml.h"
#include "guest/aa/rcar.h"
#include "guest/agent/child.h"
#include "guest/attester/bind.h"
#include "guest/attester/tpm_dev.h"
#include "net/sandbox.h"

struct aa {
	struct pkey *key; /* the TEE key, until rcar has it */
	struct rcar *rcar;
	bool attested;
};

static int confine(struct err *reterr)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};
	const struct sandbox_path paths[] = {{TPM_DEV_PATH, SANDBOX_WRITE},
		{BIND_EVENTLOG, SANDBOX_READ}, {"/etc", SANDBOX_READ},
		{"/dev/urandom", SANDBOX_READ}};
	int r = sandbox_basic(reterr);
	if (r < 0)
		return r;
	r = sandbox_files(paths, ARRAY_COUNT(paths), reterr);
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	/* Root's files stay readable without any capability; that is all this process needs. */
	if (syscall(SYS_capset, &head, none) < 0)
		return err_set(reterr, -errno, "cannot drop capabilities");
	return 0;
}

/* aa.toml, [token_configs.kbs]: url and cert (PEM text). */
static int configure(struct aa *aa, struct slice payload, struct err *reterr)
{
	cleanup(json_decref) json_t *message = NULL;
	cleanup(json_decref) json_t *toml = NULL;
	const char *aa_toml = NULL, *initdata = NULL, *url = NULL, *cert = NULL;
	json_t *tokens = NULL, *kbs = NULL;
	if (aa->rcar != NULL)
		return err_set(reterr, -EPROTO, "configured twice");
	int r = json_parse(payload, CHILD_PAYLOAD_MAX, &message, reterr);
	if (r == 0)
		r = json_get_str(message, "aa_toml", &aa_toml, reterr);
	if (r == 0)
		r = json_get_str(message, "initdata", &initdata, reterr);
	if (r == 0)
		r = toml_parse(slice_str(aa_toml), &toml, reterr);
	if (r == 0)
		r = json_get_object(toml, "token_configs", &tokens, reterr);
	if (r == 0)
		r = json_get_object(tokens, "kbs", &kbs, reterr);
	if (r == 0)
		r = json_get_str(kbs, "url", &url, reterr);
	if (r == 0)
		r = json_opt_str(kbs, "cert", &cert, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "aa.toml in initdata");
	const struct rcar_options options = {
		.url = url,
		.roots_pem = slice_str(cert),
		.initdata = slice_str(initdata),
		.key = aa->key,
	};
	r = confine(reterr);
	if (r < 0)
		return r;
	aa->key = NULL;
	return rcar_new(&options, &aa->rcar, reterr);
}

/* While PID 1 still waits for drivers and for the host. */
static int prepare(struct aa *aa, struct err *reterr)
{
	int r = crypto_selftest(SELFTEST_AA, reterr);
	if (r < 0)
		return r;
	r = pkey_generate(KEY_P256, 0, &aa->key);
	return r < 0 ? err_set(reterr, r, "cannot make the TEE key") : 0;
}

static int attest(struct aa *aa, char *id, struct err *reterr)
{
	if (aa->rcar == NULL || aa->attested)
		return err_set(reterr, -EPROTO, "told to attest out of turn");
	int r = rcar_attest(aa->rcar, id, reterr);
	if (r < 0)
		return r;
	aa->attested = true;
	return child_send(CHILD_FD_AGENT, CHILD_ATTESTED, SLICE_EMPTY);
}

/* A refused resource is an answer, not the end of this process. */
static int answer_resource(struct aa *aa, int fd, struct slice uri)
{
	cleanup_with(buf_done) struct buf value = buf_init_secret(CHILD_PAYLOAD_MAX);
	char id[RCAR_ID_SIZE] = "";
	struct err e = {0};
	char *text = slice_strdup(uri);
	int r = text ? rcar_get_resource(aa->rcar, text, &value, id, &e) : -ENOMEM;
	free(text);
	if (r < 0)
		return child_send_error(fd, NULL, err_text(&e, r), id);
	return child_send(fd, CHILD_RESOURCE, buf_slice(&value));
}

static int handle(struct aa *aa, int fd, char *id, struct err *reterr)
{
	cleanup_with(buf_done) struct buf payload = buf_init(CHILD_PAYLOAD_MAX);
	enum child_type type;
	int r = child_recv(fd, &type, &payload);
	if (r < 0)
		return r;
	if (type == CHILD_GET_RESOURCE && aa->attested)
		return answer_resource(aa, fd, buf_slice(&payload));
	if (fd == CHILD_FD_AGENT && type == CHILD_CONFIG)
		return configure(aa, buf_slice(&payload), reterr);
	if (fd == CHILD_FD_AGENT && type == CHILD_NETWORK)
		return attest(aa, id, reterr);
	return err_set(reterr, -EPROTO, "unexpected frame %d", type);
}

/* Requests of image wait in its socket until the attestation is done. */
static int serve(struct aa *aa, char *id, struct err *reterr)
{
	bool image_open = true;
	for (;;) {
		struct pollfd fds[] = {
			{.fd = CHILD_FD_AGENT, .events = POLLIN},
			{.fd = aa->attested && image_open ? CHILD_FD_RESOURCE : -1,
				.events = POLLIN},
		};
		if (poll(fds, ARRAY_COUNT(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(reterr, -errno, "poll");
		}
		if (fds[0].revents != 0) {
			int r = handle(aa, CHILD_FD_AGENT, id, reterr);
			if (r < 0)
				return r;
		}
		if (fds[1].revents != 0 && handle(aa, CHILD_FD_RESOURCE, id, NULL) < 0)
			image_open =
				false; /* image is done, or broke the protocol: no more for it */
	}
}

int aa_main(int argc, char **argv)
{
	struct aa aa = {0};
	struct err e = {0};
	char id[RCAR_ID_SIZE] = "";
	int r = prepare(&aa, &e);
	if (r == 0)
		r = serve(&aa, id, &e);
	rcar_free(aa.rcar);
	pkey_free(aa.key);
	/* End of file from PID 1 is the ordinary end. */
	if (r == -ENODATA && e.code == 0)
		return 0;
	if (child_send_error(CHILD_FD_AGENT, NULL, err_text(&e, r), id) < 0)
		return 2;
	return 1;
}
