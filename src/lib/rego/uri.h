/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * URI references (RFC 3986) split and decoded as Go's net/url does it, which is what OPA's results
 * are defined by.
 */
#include "base/buf.h"

struct uri {
	struct buf scheme;   /* lower case */
	struct buf opaque;   /* what follows a scheme without '/', as in "mailto:a@b" */
	struct buf user;     /* user and password, as written */
	struct buf host;     /* with port, percent-decoded */
	struct buf path;     /* percent-decoded */
	struct buf raw_path; /* as written, when that differs from the usual encoding of path */
	struct buf raw_query;
	struct buf fragment; /* percent-decoded */
	bool has_user;
	bool force_query; /* a '?' without a query */
	bool omit_host;	  /* a path with a scheme, but without "//" */
};

/**
 * uri_parse() - split @text
 * @reterr: the sentence of the reference, without the leading 'parse "TEXT": '
 * Return: 0, -EBADMSG, -ENOMEM, -E2BIG. Release @ret with uri_done() in any case.
 */
must_check int uri_parse(struct slice text, struct uri *ret, struct err *reterr);
void uri_done(struct uri *u);
/** uri_escaped_path() - the path as it goes on the wire */
void uri_escaped_path(const struct uri *u, struct buf *out);
/** uri_text() - put together again */
void uri_text(const struct uri *u, struct buf *out);
/** uri_hostname(), uri_port() - views into @u: host without port and brackets; digits of the port */
struct slice uri_hostname(const struct uri *u);
struct slice uri_port(const struct uri *u);
