/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guest link: the one stream between the host and PID 1 of a guest (virtio-serial port
 * HOSTLINK_PORT). This is its codec; it does no I/O. Both ends treat the other as hostile: every
 * count and size has a limit, unknown types and unknown or doubled JSON members are errors.
 *
 * Spec: docs/protocol/guest-link.md
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define HOSTLINK_PORT "husk.link.0"
#define HOSTLINK_PROTOCOL 1u
#define HOSTLINK_HEADER_SIZE 8u
#define HOSTLINK_PAYLOAD_MAX ((size_t)1 << 20)

enum hostlink_type {
	/* guest to host */
	HOSTLINK_HELLO = 1,  /* struct hostlink_hello */
	HOSTLINK_PHASE = 2,  /* struct hostlink_phase */
	HOSTLINK_STDOUT = 3, /* bytes of the container */
	HOSTLINK_STDERR = 4, /* bytes of the container */
	HOSTLINK_EXIT = 5,   /* struct hostlink_exit; the last frame but LOG */
	HOSTLINK_FATAL = 6,  /* struct hostlink_fatal; the last frame but LOG */
	HOSTLINK_LOG = 7,    /* text, one or more whole lines */
	/* host to guest */
	HOSTLINK_INITDATA = 16,	 /* raw TOML, may be empty */
	HOSTLINK_RUN = 17,	 /* struct hostlink_run */
	HOSTLINK_STDIN = 18,	 /* bytes for the container */
	HOSTLINK_STDIN_EOF = 19, /* no payload */
	HOSTLINK_WINSIZE = 20,	 /* struct hostlink_winsize */
	HOSTLINK_SIGNAL = 21,	 /* struct hostlink_signal */
};

/* Which end is talking; a frame in the wrong direction is an error. */
enum hostlink_side { HOSTLINK_FROM_GUEST, HOSTLINK_FROM_HOST };

struct hostlink_frame {
	enum hostlink_type type;
	struct slice payload; /* borrowed from the input */
};

/**
 * hostlink_parse() - take one frame off the front of @in
 * @in: bytes received so far
 * @from: who sent them
 * @ret: the frame, a view into @in
 * @ret_size: bytes of @in it took, header included
 *
 * Return: 0; -ENODATA when more bytes are needed; -E2BIG (payload over HOSTLINK_PAYLOAD_MAX);
 * -EBADMSG (reserved bytes not zero, payload where none is allowed); -EOPNOTSUPP (unknown type);
 * -EPROTO (known type, wrong direction). Every failure but -ENODATA means the stream is lost.
 */
must_check int hostlink_parse(struct slice in, enum hostlink_side from, struct hostlink_frame *ret,
	size_t *ret_size, struct err *reterr);

/**
 * hostlink_put() - append one frame to @out
 * @payload: at most HOSTLINK_PAYLOAD_MAX bytes; more latches -E2BIG in @out
 */
void hostlink_put(struct buf *out, enum hostlink_type type, struct slice payload);

/** hostlink_type_name() - "HELLO", ...; "?" for an unknown type */
const char *hostlink_type_name(enum hostlink_type type);

/* ---- Messages: the JSON payloads. _put() appends a whole frame to @out (failures latch there);
 * _parse() reads a payload. All _parse() return 0, -EBADMSG (malformed, wrong type, unknown or
 * doubled member, text that is not UTF-8 or holds control characters), -E2BIG (over a limit),
 * -ENOMEM. Nothing is written to *ret on failure. ---- */

/** struct hostlink_hello - first frame of the guest */
struct hostlink_hello {
	uint32_t protocol; /* HOSTLINK_PROTOCOL */
	char version[32];  /* of husk-guest */
};
void hostlink_hello_put(struct buf *out, const struct hostlink_hello *m);
/* additionally -EOPNOTSUPP: another protocol */
must_check int hostlink_hello_parse(
	struct slice in, struct hostlink_hello *ret, struct err *reterr);

/** struct hostlink_phase - a phase of the guest's start has ended */
struct hostlink_phase {
	char phase[24]; /* boot, modules, link, initdata, network, ... */
	uint64_t ms;	/* since the kernel started */
};
void hostlink_phase_put(struct buf *out, const struct hostlink_phase *m);
must_check int hostlink_phase_parse(
	struct slice in, struct hostlink_phase *ret, struct err *reterr);

/** struct hostlink_exit - the container has ended */
struct hostlink_exit {
	uint32_t code;	 /* 0 to 255; 128 + signal when a signal ended it */
	char reason[24]; /* "exited", "signal" or "oom-killed" */
};
void hostlink_exit_put(struct buf *out, const struct hostlink_exit *m);
must_check int hostlink_exit_parse(struct slice in, struct hostlink_exit *ret, struct err *reterr);

/** struct hostlink_fatal - the guest gave up; it powers off after this frame */
struct hostlink_fatal {
	char stage[24];	  /* the phase that failed */
	char reason[640]; /* one sentence for a person */
	char id[64];	  /* id of the key broker's refusal, "" when there is none */
	uint32_t code;	  /* 126 or 127: the command cannot start, as shells say it; else 0 */
};
void hostlink_fatal_put(struct buf *out, const struct hostlink_fatal *m);
must_check int hostlink_fatal_parse(
	struct slice in, struct hostlink_fatal *ret, struct err *reterr);

struct hostlink_winsize {
	uint16_t rows, cols;
};
void hostlink_winsize_put(struct buf *out, const struct hostlink_winsize *m);
must_check int hostlink_winsize_parse(
	struct slice in, struct hostlink_winsize *ret, struct err *reterr);

struct hostlink_signal {
	uint32_t signo; /* 1 to 64, Linux x86-64 numbers */
};
void hostlink_signal_put(struct buf *out, const struct hostlink_signal *m);
must_check int hostlink_signal_parse(
	struct slice in, struct hostlink_signal *ret, struct err *reterr);

/* Limits of RUN. */
#define HOSTLINK_ARGS_MAX 1024u
#define HOSTLINK_ENV_MAX 1024u
#define HOSTLINK_DNS_MAX 3u
#define HOSTLINK_TEXT_MAX ((size_t)128 << 10) /* one argument or environment entry */

enum hostlink_network { HOSTLINK_NET_NONE, HOSTLINK_NET_STATIC, HOSTLINK_NET_DHCP };

/**
 * struct hostlink_run - what to run; all of it is a wish of the host that the agent policy judges
 * Strings are owned (hostlink_run_done()). Absent members: NULL or 0, terminal false, network none.
 */
struct hostlink_run {
	char *image;	/* image reference; never NULL after parsing */
	char *name;	/* container name; [A-Za-z0-9][A-Za-z0-9_.-]*, at most 64, or NULL */
	char *hostname; /* at most 63 of [A-Za-z0-9.-], or NULL */
	char **args;	/* command that replaces the image's Cmd; args_count strings */
	size_t args_count;
	char **env; /* NAME=value */
	size_t env_count;
	bool terminal;
	uint16_t rows, cols; /* first size of the terminal; 0 when unknown */
	uint64_t memory;     /* bytes; 0: no limit */
	uint32_t cpu_millis; /* thousandths of a CPU; 0: no limit */
	enum hostlink_network network;
	/* IPv4, in host byte order; used with HOSTLINK_NET_STATIC, gateway 0: no default route */
	uint32_t address, gateway;
	uint8_t prefix;
	uint32_t dns[HOSTLINK_DNS_MAX];
	size_t dns_count;
};
/** hostlink_run_put() - append a RUN frame; an impossible value latches -EINVAL in @out */
void hostlink_run_put(struct buf *out, const struct hostlink_run *m);
/** hostlink_run_parse() - on success *ret owns its strings */
must_check int hostlink_run_parse(struct slice in, struct hostlink_run *ret, struct err *reterr);
/** hostlink_run_done() - free the strings and zero the struct; accepts a zeroed one */
void hostlink_run_done(struct hostlink_run *m);

#define IPV4_TEXT_SIZE 16
/** ipv4_parse() - dotted quad, no leading zeros. Return: 0, -EINVAL. */
must_check int ipv4_parse(struct slice s, uint32_t *ret);
/** ipv4_format() - Return: @dst */
const char *ipv4_format(uint32_t address, char dst[IPV4_TEXT_SIZE]);
