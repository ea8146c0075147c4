/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the vault. */
#include "crypto/hash.h"
#include "trustee/kbs/admin.h"
#include "trustee/kbs/pool.h"
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
#define TEE_COUNT 16

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
	COUNT_PLUGIN_REQUESTS,
	COUNT_PLUGIN_ERRORS,
	COUNT_VERIFIER_CRASHES,
	COUNT_MAX_,
};

struct vault {
	const struct kbs_config *config;
	struct vault_ops ops;
	struct store *store;
	struct session_table *sessions;
	struct admin *admin;
	struct token_keys *keys;
	struct pool *pool;
	struct buf collateral; /* document that verifiers get; empty when there is none */
	uint64_t counters[COUNT_MAX_];
	uint64_t attest_successes[TEE_COUNT], attest_failures[TEE_COUNT];
	int64_t log_window; /* second in which refusals were last logged */
	unsigned log_count; /* how many in it */
};

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
	char *policy_id;	   /* owned; policy upload */
	struct buf text;	   /* owned; policy upload */
	json_t *claims;		   /* owned; resource read */
	struct digest body_digest;
	struct reply reply;
};

void call_free(struct call *c);
DEFINE_CLEANUP(struct call *, call_free);
/* Sends the reply and frees the call. */
void call_answer(struct call *c);

int64_t vault_now(const struct vault *v);
struct store_change vault_change(const struct call *c);
/* Index into TEE tables; -1 for a name the service does not know. */
int vault_tee_index(const char *name);
const char *vault_tee_name(int index);

/* vault-rcar.c: each takes over the call. */
void vault_auth(struct call *c);
void vault_attest(struct call *c, struct slice body);
/* vault-resource.c */
void vault_resource_get(struct call *c, struct slice bearer);
void vault_resource_set(struct call *c, struct slice body);
void vault_resource_delete(struct call *c);
/* vault-admin.c */
void vault_admin(struct call *c, struct slice body);
/* vault-policy.c */
/* Reads and checks the document of [husk] collateral, which all verifiers get. */
must_check int vault_load_collateral(struct vault *v, struct err *reterr);
must_check int vault_install_defaults(struct vault *v, struct err *reterr);
must_check int vault_push_state(struct vault *v, unsigned index);
void vault_push_references(struct vault *v);
void vault_policy_set(struct call *c, struct slice body);
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
