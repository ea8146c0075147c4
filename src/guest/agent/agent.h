/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * PID 1 of the guest.
 *
 * Theory of Operation: one libevent loop, no threads, no call that waits for somebody else. The
 * agent goes through stages; each has a deadline. Every failure ends in agent_fatal(): the host
 * gets a FATAL frame, the console a line, and the guest powers off once the host has closed the link,
 * or takes nothing for END_S. Nothing is ever retried or skipped.
 *
 *   BOOT, MODULES            mounts, drivers; aa starts, tests itself and makes the TEE key
 *   LINK                     wait until the host is connected; image starts
 *   INITDATA                 measure initdata, then read it: agent policy, files of aa and image
 *   NETWORK                  after RUN
 *   ATTEST                   aa attests; image fetches the manifest, PID 1 prepares crun meanwhile
 *   PULL, UNPACK             image pulls, verifies, decrypts, unpacks
 *   POLICY                   does the agent policy allow exactly this container?
 *   START, RUNNING, ENDING   crun, streams, exit code
 *
 * Memory: what a failing path needs is allocated up front; everything else may fail with -ENOMEM
 * and is then fatal to the guest but not to PID 1.
 */
#include <event2/event.h>
#include <jansson.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "fmt/hostlink.h"
#include "guest/agent/channel.h"
#include "guest/agent/config.h"
#include "guest/agent/container.h"
#include "guest/agent/dhcp_client.h"
#include "guest/agent/link.h"
#include "guest/agent/spec.h"

enum stage {
	STAGE_BOOT,
	STAGE_MODULES,
	STAGE_LINK,
	STAGE_INITDATA,
	STAGE_NETWORK,
	STAGE_ATTEST,
	STAGE_PULL,
	STAGE_UNPACK,
	STAGE_POLICY,
	STAGE_START,
	STAGE_RUNNING,
	STAGE_ENDING,
};

/* A process of ours whose death is fatal unless it was told to end. */
struct worker {
	const char *name;
	pid_t pid; /* 0 once reaped */
	struct channel *channel;
	struct event *log_event;
	int log_fd;
	bool done; /* may end */
};

struct agent {
	struct event_base *base;
	struct event *deadline, *child_signal, *term_signal, *int_signal;
	struct link *link;
	enum stage stage;
	struct worker aa, image;
	int image_end;	      /* of the socket between the two, until image has it */
	struct config config; /* from initdata */
	struct hostlink_run run;
	struct buf early_input; /* came before the container */
	bool early_eof;
	bool have_initdata, have_run, attested, image_done, input_allowed, output_allowed;
	struct dhcp_client *dhcp;
	json_t *image_info;
	struct spec spec;
	int crun; /* from container_prepare(), -1 before and after */
	struct container *container;
	uint32_t fail_code; /* for FATAL: why the container's command does not run, or 0 */
};

/** agent_main() - never returns in PID 1 */
int agent_main(void);

/** agent_stage() - enter a stage: sets its deadline */
void agent_stage(struct agent *a, enum stage stage);
/** agent_phase() - tell the host that a phase has ended now */
void agent_phase(struct agent *a, const char *phase);
/** agent_log() - a line for the operator, over the link and on the console */
void agent_log(struct agent *a, const char *fmt, ...) format_printf(2, 3);
/**
 * agent_fatal() - the guest gives up; only the first call counts
 * @stage: NULL for the current one
 * @id: id of the key broker's refusal, or NULL
 */
void agent_fatal(struct agent *a, const char *stage, const char *id, const char *fmt, ...)
	format_printf(4, 5);
/** agent_fatal_err() - likewise from an error record */
void agent_fatal_err(struct agent *a, const struct err *e, int code);
/** agent_exit() - report the container's end and power off */
void agent_exit(struct agent *a, uint32_t code, const char *reason);

/* flow.c: what happens in which order */
void flow_link_frame(void *cookie, const struct hostlink_frame *frame);
void flow_worker_ended(struct agent *a, struct worker *w, int status);
extern const struct channel_handlers flow_aa_handlers, flow_image_handlers;

/* workers.c */
must_check int worker_start_aa(struct agent *a, struct err *reterr);
/** worker_start_image() - after worker_start_aa(), which has made its connection to aa */
must_check int worker_start_image(struct agent *a, struct err *reterr);
/** worker_reaped() - true when @pid was one of ours */
bool worker_reaped(struct agent *a, pid_t pid, int status);
void workers_kill(struct agent *a);
/** workers_log_memory() - tell the operator what the guest itself takes */
void workers_log_memory(struct agent *a);
