/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A made-up vendor's server on loopback: answers GET with pages, counts what it is asked. */
#include <sys/types.h>

#include "evidence/collateral.h"

/**
 * struct vendor_page - one answer; a list ends with @target NULL
 * @target: path and query
 * @head: status and further header lines, without the last line end
 */
struct vendor_page {
	const char *target, *head;
	struct slice body;
};

/** struct vendor_sim - zero-initialise; @requests counts those of all targets, shared memory */
struct vendor_sim {
	pid_t pid;
	uint16_t port;
	volatile unsigned *requests;
	struct vendor_page *pages; /* owned, when made from a store */
	char *text;		   /* owned: what they point to */
};

/** vendor_sim_start() - serve until vendor_sim_stop(), in a process of its own. Return: 0 or -1. */
must_check int vendor_sim_start(struct vendor_sim *v, const struct vendor_page *pages);
/** vendor_sim_publish() - likewise whatever of @s a vendor publishes; @s must outlive the call */
must_check int vendor_sim_publish(struct vendor_sim *v, const struct collateral_store *s);
void vendor_sim_stop(struct vendor_sim *v);
/** vendor_chain_head() - "200 OK" with an issuer chain, percent-encoded, in @name; appended to @out */
void vendor_chain_head(struct buf *out, const char *name, struct slice pem);
