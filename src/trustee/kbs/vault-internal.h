/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the vault. */
#include "collateral/expiry.h"
#include "crypto/hash.h"
#include "evidence/collateral.h"
#include "trustee/kbs/admin.h"
#include "trustee/kbs/http-metrics.h"
#include "trustee/kbs/pool.h"
#include "trustee/kbs/rcar.h"
#include "trustee/kbs/reply.h"
#include "trustee/kbs/route.h"
#include "trustee/kbs/session.h"
#include "trustee/kbs/token.h"
#include "trustee/kbs/vault.h"
#include "trustee/kbs/wire.h"
#include "trustee/store/store.h"

#define RESOURCE_POLICY_ID "resource-policy"
#define CPU_POLICY_ID "default_cpu"
#define VERDICT_LIST_MAX 1000
#define EVIDENCE_KEPT_MAX ((size_t)1 << 20) /* of one verdict */
#define TEE_COUNT 16
#define CLAIM_TENANT "husk.tenant"
#define ETAG_SIZE 32

enum vault_counter {
	COUNT_AUTH_REQUESTS,
	COUNT_AUTH_SUCCESSES,
	COUNT_AUTH_ERRORS,
	COUNT_ATTEST_REQUESTS,
	COUNT_ATTEST_ERRORS,
	COUNT_POLICY_EVALUATIONS,
	COUNT_POLICY_APPROVALS,
	COUNT_POLICY_VIOLATIONS,
	COUNT_POLICY_ERRORS,
	COUNT_RESOURCE_READS,
	COUNT_RESOURCE_WRITES,
	COUNT_RESOURCE_DELETES,
	COUNT_VERIFIER_CRASHES,
	COUNT_COLLATERAL_FETCHES,
	COUNT_COLLATERAL_FAILURES,
	COUNT_MAX_,
};

/* vault-se.c: what challenges of IBM Secure Execution are made from */
struct vault_se {
	struct pkey *key; /* RSA; wraps measurement keys */
	struct buf pem;	  /* the same, for verifiers */
	struct buf image, documents, chain, crls;
};
void vault_se_done(struct vault_se *s);

/* Processes of one kind; see enum worker_kind. */
struct worker_group {
	struct vault *vault;
	struct pool *pool;     /* owned; NULL when there are none */
	unsigned first, count; /* of all workers' numbers */
};

#define BACKENDS_ASKED_MAX (1 + CONFIG_EXTERNAL_MAX)

struct vault {
	const struct kbs_config *config;
	struct vault_ops ops;
	struct store *store;
	struct session_table *sessions;
	struct admin *admin;
	struct token_keys *keys;
	struct worker_group groups[WORKER_KINDS_]; /* as started: a reload does not change them */
	/* Their pools; NULL when there are no such processes. */
	struct pool *pool, *remotes, *backends, *externals, *hsms, *signers, *fetchers;
	json_t *anchors;    /* owned; PEM texts of those whose manifests count */
	json_t *names;	    /* owned; object of reference values that policies asked for */
	json_t *tenants;    /* owned; object whose names they are */
	int64_t generation; /* of the store, that verifiers know */
	uint64_t shared_pending, shared_attested; /* sessions in a shared store, as last counted */
	struct call *waiting;			  /* answers that wait for a commit, newest first */
	struct call *syncing; /* committed, waiting for the disk, oldest first */
	struct vault_se se;   /* of IBM Secure Execution; no key when it is not configured */
	struct collateral_store *collateral; /* what verifiers have */
	struct jwks *jwks;		     /* owned; NULL when no key set has a URL */
	struct fetch *fetch;		     /* NULL when nothing is to be fetched */
	uint64_t counters[COUNT_MAX_];
	struct plugin_stats {
		uint64_t requests, errors;
		struct histogram duration;
	} plugins[PLUGIN_COUNT_], backends_asked[BACKENDS_ASKED_MAX]; /* see vault_metrics_ask() */
	uint64_t attest_successes[TEE_COUNT], attest_failures[TEE_COUNT];
	struct {
		int64_t read_at, first[COLLATERAL_KINDS_];
	} expiry;	    /* of collateral, for metrics */
	int64_t log_window; /* second in which refusals were last logged */
	unsigned log_count; /* how many in it */
};

struct call;
/* The end of a token's making: it is in the call's token unless @error is negative. */
typedef void (*issued_fn)(struct call *c, int error, const struct err *e);

/**
 * struct call - one request of the front, until it is answered
 * @id: the front's number
 * @role: of the admin, once checked
 */
struct call {
	struct vault *vault;
	int64_t id;
	struct kbs_target target;
	char raw_target[ROUTE_TARGET_MAX];
	char peer[64];
	char role[ADMIN_ROLE_SIZE];
	char cookie[SESSION_ID_SIZE];
	char tee[SESSION_TEE_SIZE];
	enum as_protocol protocol; /* of the session */
	unsigned hashes;	   /* bits of enum rcar_hash that the guest has */
	/* With a remote provider of reference values: the work, to be given out again. */
	json_t *work;	/* owned; header */
	json_t *values; /* owned; what is known by name */
	pool_done_fn work_done;
	unsigned rounds;
	char *policy_id;     /* owned; policy upload */
	struct buf text;     /* owned; policy upload */
	struct buf evidence; /* owned; message to be kept with the verdict */
	struct dry_run *dry; /* owned; see vault-dry-run.c */
	json_t *claims;	     /* owned; a guest's request to a plugin */
	issued_fn issued;
	struct buf token; /* under way */
	json_t *outcome;  /* owned; of the evidence that it is for */
	char verdict_id[STORE_ID_SIZE];
	struct buf body, bearer; /* likewise what it came with, while others are asked */
	bool timed;		 /* count the time in the plugin's metrics */
	unsigned asked;		 /* 1 + index in backends_asked of who is asked now; 0: nobody */
	int64_t asked_ms;
	int64_t version; /* of a resource that is asked for; 0 the current one */
	char if_match[ETAG_SIZE], if_none_match[ETAG_SIZE], type[STORE_TYPE_SIZE];
	char request_id[REQUEST_ID_SIZE];
	struct call *next; /* in vault.waiting */
	int64_t since_ms;
	int64_t expires_unix; /* of the call's session */
	struct digest body_digest;
	struct reply reply;
};

/** call_new() - from the front's message; NULL when there is no memory */
struct call *call_new(struct vault *v, const json_t *header);
void call_free(struct call *c);
DEFINE_CLEANUP(struct call *, call_free);
/* Health, metrics, keys, and what does not exist. */
void vault_serve_plain(struct call *c);
/* Sends the reply and frees the call. */
void call_answer(struct call *c);
/* Likewise once what was written so far is durable. */
void call_answer_durably(struct call *c);
/* Tells the front that it waits for somebody outside, so that others need not wait for it. */
void call_waits(struct call *c);
/* Whether a failed call of the store means that it is away: trying again later will do. */
static inline bool store_is_away(int error)
{
	return error == -EAGAIN || error == -EPIPE || error == -ETIMEDOUT || error == -EBUSY;
}
/* Answers that the store is away, for a failed call of it. */
void call_unavailable(struct call *c, int error, const struct err *e);

int64_t vault_now(const struct vault *v);
/** vault_now_ms() - monotonic */
int64_t vault_now_ms(const struct vault *v);
struct store_change vault_change(const struct call *c);
/* Index into TEE tables; -1 for a name the service does not know. */
int vault_tee_index(const char *name);
const char *vault_tee_name(int index);

/* vault-rcar.c: each takes over the call. */
/* vault-issue.c */
/* Makes a token over @submods with the verdict's @id into the call's token, and calls @done, now or when a
 * device has signed it. -EAGAIN: the device cannot, another try may. */
void vault_issue(struct call *c, const json_t *submods, const char *id, issued_fn done);
void vault_auth(struct call *c);
/* The end of vault_auth(): @nonce is what the session keeps of @challenge. */
void vault_auth_challenge(struct call *c, struct slice challenge, const char *nonce);
void vault_attest(struct call *c, struct slice body);
/* vault-plugin.c */
/* Whether the plugin that the call asks for, if any, is configured. */
bool vault_plugin_there(const struct call *c);
/* A request that was admitted as far as its route says; takes over the call. */
void vault_plugin(struct call *c, struct slice bearer, struct slice body);
enum plugin_seal { PLUGIN_SEALED, PLUGIN_PLAIN };
/*
 * The answer to a guest: encrypts it to the guest's key, records the release, answers.
 * @detail: for the audit log, at most 40 bytes; may be ""
 */
void vault_plugin_deliver(
	struct call *c, struct slice plain, enum plugin_seal seal, const char *detail);
/* Counts an error. */
void vault_plugin_error(struct call *c);
/* Likewise, logs it, and answers that the plugin failed; admins learn the reason. */
void vault_plugin_fail(struct call *c, const char *reason);
/* vault-resource.c: each takes over the call */
void vault_resource_admin(struct call *c, struct slice body);
void vault_resource_release(struct call *c, struct slice body);
void vault_resource_deliver(struct call *c, struct slice plain, int64_t version);
void vault_make_etag(int64_t version, char ret[ETAG_SIZE]);
/* An admin's change is in the audit log before it is answered. */
void vault_plugin_note(struct call *c, const char *action, const char *detail);
/* The guest's way: its token and the policy, then the plugin. The call's body is kept already. */
void vault_plugin_guest(struct call *c, struct slice bearer);
/* True when the call may go on; otherwise it has been answered. */
must_check bool vault_admit_admin(struct call *c, struct slice bearer);
/* vault-external.c: each takes over the call, whose body is kept in it */
void vault_external_ask(struct call *c, struct slice bearer);
void vault_external_admin(struct call *c, struct slice body);
void vault_external_release(struct call *c, struct slice body);
/* vault-hsm.c: likewise */
void vault_hsm_admin(struct call *c, struct slice body);
void vault_hsm_release(struct call *c, struct slice body);
/* vault-nebula.c: likewise */
void vault_nebula_admin(struct call *c, struct slice body);
void vault_nebula_release(struct call *c, struct slice body);
/* vault-provisioner.c: likewise */
void vault_provisioner_admin(struct call *c, struct slice body);
void vault_provisioner_release(struct call *c, struct slice body);
/* vault-backend.c: each takes over the call, whose path is valid */
void vault_backend_get(struct call *c);
void vault_backend_put(struct call *c, const struct store_put *put);
void vault_backend_delete(struct call *c, int64_t if_version);
/* vault-admin.c */
void vault_admin(struct call *c, struct slice body);
/* vault-audit.c: lists, heads and proofs */
must_check int vault_audit_read(struct call *c, unsigned limit, json_t **ret, struct err *reterr);
/* vault-house.c */
void vault_house(struct call *c, struct slice body);
/* The end of an attestation: refused with a record, or with the session's token. */
void vault_attest_refuse(
	struct call *c, const char *stage, const char *reason, const json_t *outcome);
void vault_attest_token(struct call *c, const char *token, const char *reason);
/* vault-remote.c */
/* Lets another service attest; @header is consumed. Return: as pool_submit(). */
must_check int vault_remote_attest(struct call *c, json_t *header, struct slice body);
/* Lets another service make the challenge of a handshake; takes over the call. */
void vault_remote_challenge(struct call *c);
/* Submits work of which policies are part; @header is consumed. Return: as pool_submit(). */
must_check int vault_submit_evidence(
	struct call *c, json_t *header, struct slice body, pool_done_fn done);
/* Whether the work is under way again, with values that it asked for. */
bool vault_values_wanted(struct call *c, const json_t *outcome);
/* Each returns whether another service takes this; the call is answered later then. */
bool vault_remote_policy(struct call *c);
bool vault_remote_reference(struct call *c, bool set, struct slice body);
/* vault-service.c: requests to husk-as and husk-rvps */
void vault_service(struct call *c, struct slice body);
/* vault-policy.c */
must_check int vault_install_defaults(struct vault *v, const char *tenant, struct err *reterr);
void vault_policy_set(struct call *c, struct slice body);
/*
 * Takes policy_id and policy out of the body. Return: 0 or negative errno with the reason.
 * @ret_root: the body; NULL: not wanted
 */
must_check int vault_read_upload(
	struct call *c, struct slice body, json_t **ret_root, struct err *reterr);
/* vault-dry-run.c */
void vault_dry_run(struct call *c, struct slice body);
struct dry_run;
void dry_run_free(struct dry_run *d);
/* vault-claims.c */
/* What policies were asked about, as text to keep with a verdict; NULL: nothing. Free with free(). */
char *claims_text(const struct call *c, const json_t *result);
/* What the resource policy is given for a guest that got the verdict @id; NULL: it got no token. */
json_t *claims_to_token(const struct call *c, const json_t *kept, const char *id);
/* GET admin/verdicts/ID */
must_check int vault_verdict_read(struct call *c, json_t **ret, struct err *reterr);
/* vault-plugin.c: what the resource policy is given beside the token; @query is consumed */
json_t *vault_policy_data(enum kbs_plugin plugin, const char *path, json_t *query);
/* vault-state.c */
/* Reads whom manifests of reference values may be signed by; array, new reference. */
must_check int vault_read_anchors(const struct kbs_config *c, json_t **ret, struct err *reterr);
/* What was fetched and kept, and over it [husk] collateral where that is not older. */
must_check int vault_read_collateral(const struct kbs_config *c, struct store *store,
	struct collateral_store **ret, struct err *reterr);
struct collateral_provider;
/* vault-se.c: does nothing when it is not configured */
must_check int vault_se_load(const struct kbs_config *c, const struct collateral_provider *p,
	struct vault_se *ret, struct err *reterr);
#define SE_CHALLENGE_MAX ((size_t)64 << 10)
/* @text: the challenge; @digest: what a session keeps of it, base64 */
must_check int vault_se_challenge(
	struct vault *v, struct buf *text, struct buf *digest, struct err *reterr);
/* Appends what a session keeps of a challenge that another service made. */
must_check int vault_se_digest(struct slice challenge, struct buf *digest);
/* Gives all of it to all verifiers that are up, or @items in addition. */
must_check int vault_push_collateral(struct vault *v);
must_check int vault_add_collateral(struct vault *v, const struct collateral_store *items);
/* What there is, its kind and when it expires; no content. */
must_check int vault_list_collateral(const struct vault *v, json_t **ret);
/* vault-jwks.c */
/* Makes room for the sets of @c; those of before stay until jwks_apply(). */
must_check int jwks_configure(struct vault *v, const struct kbs_config *c);
/* Gives @keys and @admin what has come already and is wanted by @c, and forgets the rest. */
must_check int jwks_apply(
	struct vault *v, const struct kbs_config *c, struct token_keys *keys, struct admin *admin);
/* A token came whose key is unknown: perhaps it is new. */
void jwks_unknown_key(struct vault *v, enum key_users users);
void jwks_tick(struct vault *v);
void jwks_free(struct jwks *j);
/* vault-fetch.c */
must_check int fetch_new(struct vault *v);
void fetch_free(struct fetch *f);
/*
 * Gives evidence to a verifier, as pool_submit() with @c as cookie. When the verifier misses
 * collateral that vendors publish, that is fetched, and the evidence is given once more.
 */
must_check int vault_verify(struct call *c, json_t *header, struct slice body, pool_done_fn done);
/* vault-nras.c: evidence in @header may be about devices that NVIDIA's service verifies */
must_check int vault_nras_begin(const struct vault *v, json_t *header);
/* Gives the questions of a verifier to a fetcher. As pool_submit(). */
must_check int vault_nras_ask(struct vault *v, json_t *questions, pool_done_fn done, void *cookie);
/* Puts what came of it into @header. */
must_check int vault_nras_answer(
	const struct vault *v, json_t *header, int error, const json_t *result);
/* Asks for what expires soon, once in a while. */
void fetch_tick(struct vault *v);
/* Brings a fresh verifier up to date. */
must_check int vault_push_state(struct vault *v, unsigned index);
/* Brings all verifiers up to date with the store; work submitted afterwards sees it. */
must_check int vault_sync(struct vault *v);
bool vault_tenant_known(const struct vault *v, const char *tenant);
/* vault-session.c */
/**
 * struct guest_session - a copy of a session, wherever it lives; see session.h
 * @token, @claims: owned, ATTESTED only
 */
struct guest_session {
	enum session_state state;
	char tee[SESSION_TEE_SIZE];
	char nonce[SESSION_NONCE_SIZE];
	enum as_protocol protocol;
	int64_t expires_unix;
	uint8_t request_digest[32];
	char *token;
	json_t *claims;
};
void guest_session_done(struct guest_session *g);
/* Return: 0, -EAGAIN (too many pending), -EPIPE (the store is away), other errno. */
must_check int vault_session_new(
	struct call *c, const char *id, const char *nonce, int64_t *ret_expires);
/* The session of the call's cookie; a pending one becomes busy, and belongs to this call.
 * Return: 0, -ENOENT, -ESTALE, -EPIPE and -EAGAIN (the store is away). */
must_check int vault_session_take(struct call *c, struct guest_session *ret);
/* Likewise without taking it. */
must_check int vault_session_read(struct call *c, struct guest_session *ret);
must_check int vault_session_attested(struct call *c, const char *token);
void vault_session_drop(struct call *c);
void vault_session_tick(struct vault *v);
void vault_session_counts(const struct vault *v, uint64_t *ret_pending, uint64_t *ret_attested);
/* vault-verdict.c */
/**
 * verdict_record() - keep why a guest was refused (or accepted), and log refusals
 * @id: receives the correlation id
 * @kind: "attestation" or "resource"
 * @result: the verifier's outcome, or NULL
 */
void verdict_record(struct call *c, const char *kind, const char *status, const char *stage,
	const char *reason, const json_t *result, char id[STORE_ID_SIZE]);
/** verdict_record_as() - likewise under an id of verdict_new_id() */
void verdict_record_as(struct call *c, const char *id, const char *kind, const char *status,
	const char *stage, const char *reason, const json_t *result);
void verdict_new_id(char id[STORE_ID_SIZE]);
/* vault-metrics.c */
void vault_metrics(struct vault *v, struct buf *out);
/* Counts the time that a plugin took to answer. */
void vault_metrics_plugin(struct vault *v, enum kbs_plugin plugin, int64_t ms);
/*
 * Who is asked for what the store has not: where resources are, or one of the external plugins, each
 * counted under its configured name and no other. @index: BACKEND_OF_RESOURCES, or BACKEND_EXTERNAL +
 * its place in the configuration.
 */
enum { BACKEND_OF_RESOURCES, BACKEND_EXTERNAL };
void vault_metrics_ask(struct call *c, unsigned index);
/* @error: of the answer; 0, and what says no more than that something is not there, is no failure. */
void vault_metrics_answer(struct call *c, int error);
