/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * AWS Signature Version 4: the value of the Authorization header of a request.
 * Spec: AWS IAM User Guide, "Create a signed AWS API request".
 */
#include "base/buf.h"

#define SIGV4_STAMP_SIZE 17 /* "YYYYMMDDTHHMMSSZ" */
#define SIGV4_HASH_SIZE 65

/** struct sigv4_header - @name in lower case, @value as it is sent, without blanks at its ends */
struct sigv4_header {
	struct slice name, value;
};

/**
 * struct sigv4 - a request and who signs it; everything is borrowed
 * @access, @secret: the access key; a session token is a header like others
 * @region, @service: the scope, "us-east-1" and "secretsmanager"
 * @stamp: the time, which the header x-amz-date says, too
 * @path: as it is sent: normalised and escaped, "/" when empty
 * @query: escaped, sorted by name; empty for none
 * @headers: those that are signed, each name once, in the order of sigv4_sort()
 * @payload_hash: SHA-256 of the body in hex, or a name that the service defines
 */
struct sigv4 {
	struct slice access, secret, region, service;
	const char *stamp;
	struct slice method, path, query;
	const struct sigv4_header *headers;
	size_t header_count;
	struct slice payload_hash;
};

/** sigv4_stamp() - @unix_s as text; "" for years that do not fit. Return: @ret. */
const char *sigv4_stamp(int64_t unix_s, char ret[SIGV4_STAMP_SIZE]);
/** sigv4_hash() - SHA-256 of @in in hex. Return: 0, -EIO. */
must_check int sigv4_hash(struct slice in, char ret[SIGV4_HASH_SIZE]);
/** sigv4_sort() - by name, as signing needs it */
void sigv4_sort(struct sigv4_header *headers, size_t count);
/**
 * sigv4_authorization() - append "AWS4-HMAC-SHA256 Credential=...,SignedHeaders=...,Signature=..."
 * Return: 0, -EINVAL (@stamp), -ENOMEM, -EIO.
 */
must_check int sigv4_authorization(const struct sigv4 *s, struct buf *out);
