/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Talking to a key broker's admin interface, for all commands that do. */
#include "base/buf.h"
#include "cli/cli.h"
#include "net/http_client.h"

/* The options that say which key broker, and as whom; put them first in a command's table. */
#define KBS_OPTIONS                                                                             \
	{"url", .arg = "URL",                                                                   \
		.help = "the key broker (default: HUSK_KBS_URL or https://127.0.0.1:8080)"},    \
		{"cert-file", .arg = "FILE", .complete = CLI_COMPLETE_FILE,                     \
			.help = "trusted certificate of the key broker, PEM (default: "         \
				"HUSK_KBS_CERT, else the "                                      \
				"system's roots)"},                                             \
		{"tenant", .arg = "NAME",                                                       \
			.help = "work within a tenant (default: HUSK_KBS_TENANT, else outside " \
				"tenants)"},                                                    \
	{                                                                                       \
		"admin-token-file", .arg = "FILE", .complete = CLI_COMPLETE_FILE,               \
				    .help = "admin token (default: HUSK_KBS_ADMIN_TOKEN_FILE)"  \
	}

struct kbs_admin;

/** kbs_admin_new() - from the options above and their environment variables */
must_check int kbs_admin_new(const struct cli *cli, struct kbs_admin **ret, struct err *reterr);
void kbs_admin_free(struct kbs_admin *a);
DEFINE_CLEANUP(struct kbs_admin *, kbs_admin_free);

/**
 * kbs_admin_call() - one request below /kbs/v0/
 * @path: appended to the URL; the caller has percent-encoded it
 * @type: Content-Type of @body; NULL without body
 * @ret: answer body, appended
 *
 * Return: 0 for 2xx; -EACCES for 401 and 403, -ENOENT for 404, -EPROTO for other answers, each with
 * the key broker's own words; and what http_client_call() returns.
 */
must_check int kbs_admin_call(struct kbs_admin *a, const char *method, const char *path,
	const char *type, struct slice body, struct buf *ret, struct err *reterr);
/**
 * struct kbs_request - one request with everything that may be said
 * @bearer: instead of the admin token; NULL for that
 * @if_match, @if_none_match: NULL for none
 * @cookies: keep those of the answer, and send those of earlier answers
 */
struct kbs_request {
	const char *method, *path, *type;
	struct slice body;
	const char *bearer;
	const char *if_match, *if_none_match;
	bool cookies;
};
/** kbs_admin_send() - likewise. -ESTALE for 412 besides. */
must_check int kbs_admin_send(
	struct kbs_admin *a, const struct kbs_request *q, struct buf *ret, struct err *reterr);
/** kbs_admin_tenant() - whom everything is about; NULL: outside tenants */
const char *kbs_admin_tenant(const struct kbs_admin *a);
/** kbs_admin_json() - likewise, with the answer parsed */
must_check int kbs_admin_json(
	struct kbs_admin *a, const char *path, json_t **ret, struct err *reterr);
/**
 * kbs_admin_send_values() - a registration message
 * @type: sample, corim, swid, in-toto, promote, withdraw
 * @expiration: RFC 3339; NULL: the default
 * @stage: beside the value that is there, until one is chosen
 */
must_check int kbs_admin_send_values(struct kbs_admin *a, const char *type, struct slice payload,
	const char *expiration, bool stage, struct err *reterr);
/** kbs_admin_register() - register reference values: object of name -> JSON value */
must_check int kbs_admin_register(
	struct kbs_admin *a, const json_t *values, const char *expiration, struct err *reterr);
/* In cmd-kbs.c: GET a list and show the members @columns of each row (NULL ends them). */
int kbs_show_list(struct cli *cli, const char *path, const char *const *columns);
/* What the files of `husk kbs` share; each that returns an exit code has said what went wrong. */
must_check int kbs_connect(const struct cli *cli, struct kbs_admin **ret, int *ret_code);
/* Return: the exit code. */
int kbs_usage(const struct cli *cli, const char *what);
void kbs_print_table(const json_t *rows, const char *const *columns);
/* One call to @prefix and @name; says @done. Return: the exit code. */
int kbs_one_call(struct cli *cli, const char *method, const char *prefix, const char *name,
	const char *type, struct slice body, const char *done);
/* Reads the file of --file. Return: 0, negative errno with the exit code in @ret_code. */
must_check int kbs_read_option_file(const struct cli *cli, struct buf *out, int *ret_code);
/* cmd-kbs-verdict.c */
int kbs_run_verdict(struct cli *cli);
int kbs_policy_dry_run(struct cli *cli, const char *id);
/* cmd-kbs-reference.c */
int kbs_run_reference(struct cli *cli);
/* Likewise with the option --limit. */
int kbs_limited_list(struct cli *cli, const char *path, const char *const *columns);
/** kbs_path_part() - percent-encode one path segment or id into @out; '/' is kept */
void kbs_path_part(struct buf *out, const char *text);
