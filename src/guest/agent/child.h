/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How PID 1 starts the other guest processes and talks to them.
 *
 * All guest programs are one static binary; argv[0] says which one runs. PID 1 starts a child with
 *   fd 0  /dev/null            fd 1, 2  a pipe that PID 1 forwards to the host as LOG
 *   fd 3  CHILD_FD_AGENT: stream socket to PID 1
 *   fd 4  CHILD_FD_RESOURCE: stream socket between image (client) and aa (server)
 * an empty environment (OPENSSL_ia32cap under an emulator), cwd "/", all signals at their default. fd 3 and 4 are blocking. When fd 3
 * reads end of file the child exits. A child that dies before its work is done, for any reason, is
 * fatal to the guest.
 *
 * Theory of Operation:
 *   aa     AGENT -> CONFIG  {"aa_toml","cdh_toml","initdata"}   initdata is measured already
 *          AGENT -> NETWORK (empty)                     /etc/resolv.conf is written; attest now
 *          aa    -> ATTESTED (empty) or ERROR           then serves GET_RESOURCE on fd 3 and fd 4
 *          any   -> GET_RESOURCE  kbs:///repo/type/tag
 *          aa    -> RESOURCE bytes, or ERROR            one answer a request, in order
 *   image  AGENT -> PULL {"image","cdh_toml","root"}    root: empty folder that may hold everything
 *          image -> IMAGE_INFO {"digest","config"}      manifest and signature are verified;
 *                                                       digest of the manifest, config is the OCI
 *                                                       image configuration, whose hash is verified
 *          AGENT -> IMAGE_GO (empty)                    PID 1 can use this configuration
 *          image -> PHASE text                          "pull" when all bytes have arrived
 *          image -> IMAGE_DONE {"rootfs"}               absolute path below root; now that users can
 *                                                       be looked up, the agent policy judges
 *          or ERROR at any time; exits 0 after IMAGE_DONE, 1 after ERROR
 *
 * ERROR is {"stage","reason","id"}: stage "" means the phase PID 1 is in; id is the key broker's id
 * of the refusal or "". It is the child's last word except for a failed GET_RESOURCE.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define CHILD_FD_AGENT 3
#define CHILD_FD_RESOURCE 4

/* argv[0] of each program; anything else is PID 1 */
#define CHILD_NAME_AA "husk-aa"
#define CHILD_NAME_IMAGE "husk-image"

/* What the children are: programs behind src/guest/agent/main.c. Return: exit code. */
int aa_main(int argc, char **argv);    /* src/guest/aa */
int image_main(int argc, char **argv); /* src/guest/image */

enum child_type {
	CHILD_CONFIG = 1,
	CHILD_NETWORK = 2,
	CHILD_ATTESTED = 3,
	CHILD_GET_RESOURCE = 4,
	CHILD_RESOURCE = 5,
	CHILD_PULL = 6,
	CHILD_IMAGE_INFO = 7,
	CHILD_IMAGE_GO = 8,
	CHILD_PHASE = 9,
	CHILD_IMAGE_DONE = 10,
	CHILD_ERROR = 11,
};
#define CHILD_TYPE_MAX 11

/* Frame: u32be payload size, u8 type, three zero bytes, payload; as on the guest link. */
#define CHILD_HEADER_SIZE 8u
#define CHILD_PAYLOAD_MAX ((size_t)4 << 20)

/**
 * child_parse() - take one frame off the front of @in
 * Return: 0; -ENODATA (more bytes needed); -E2BIG, -EBADMSG (the peer broke the protocol).
 */
must_check int child_parse(
	struct slice in, enum child_type *ret_type, struct slice *ret_payload, size_t *ret_size);
/** child_put() - append one frame; a payload over CHILD_PAYLOAD_MAX latches -E2BIG */
void child_put(struct buf *out, enum child_type type, struct slice payload);

struct child_error {
	char stage[24];
	char reason[640];
	char id[64];
};
/** child_parse_error() - read an ERROR payload. Return: 0, -EBADMSG, -ENOMEM. */
must_check int child_parse_error(struct slice payload, struct child_error *ret);

/* ---- blocking, for the children ---- */

/**
 * child_send() - write one frame
 * Return: 0, -E2BIG, -ENOMEM, or a negative errno of write (the peer is gone: exit).
 */
must_check int child_send(int fd, enum child_type type, struct slice payload);
/** child_send_error() - as child_put_error() */
must_check int child_send_error(int fd, const char *stage, const char *reason, const char *id);
/**
 * child_recv() - read one frame
 * @payload: cleared and filled; set its secret flag when the answer may be a secret
 * Return: 0, -ENODATA at end of file, -E2BIG, -EBADMSG, -ENOMEM, negative errno of read.
 */
must_check int child_recv(int fd, enum child_type *ret_type, struct buf *payload);
/**
 * child_get_resource() - ask aa for a resource over @fd (CHILD_FD_RESOURCE) and wait
 * @uri: kbs:///repo/type/tag
 * @ret: appended to; should be a secret buffer
 * @reterr: text holds the reason; field holds the id of the refusal, or ""
 * Return: 0; -EACCES when aa answered with ERROR; otherwise as child_recv(), -EPROTO.
 */
must_check int child_get_resource(int fd, const char *uri, struct buf *ret, struct err *reterr);
