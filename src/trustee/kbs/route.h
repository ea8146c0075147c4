/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The HTTP surface as one table: method and path to a route, and what a caller must show. The front
 * uses it to answer 404 and 405 by itself, the vault uses the same table to decide what a request
 * may do; neither trusts the other's reading.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"
#include "trustee/kbs/config.h"

enum kbs_route {
	ROUTE_NONE,	/* no such plugin: 404 */
	ROUTE_METHOD,	/* path exists, method does not: 405 */
	ROUTE_BAD_PATH, /* 404 InvalidRequestPath */
	ROUTE_HEALTHZ,
	ROUTE_READYZ,
	ROUTE_OPENAPI,
	ROUTE_CONSOLE,
	ROUTE_METRICS,
	ROUTE_JWKS,
	ROUTE_AUTH,
	ROUTE_ATTEST,
	ROUTE_ATTESTATION_POLICY_SET,
	ROUTE_REFERENCE_GET,
	ROUTE_REFERENCE_SET,
	ROUTE_RESOURCE_POLICY_SET,
	ROUTE_RESOURCE_POLICY_LIST,
	ROUTE_RESOURCE_GET,
	ROUTE_RESOURCE_SET,
	ROUTE_RESOURCE_DELETE,
	ROUTE_PLUGIN, /* of another plugin than resource */
	/* of husk-as and husk-rvps only; who may ask is their front's business */
	ROUTE_AS_EVALUATE,
	ROUTE_AS_POLICY_SET,
	ROUTE_AS_POLICY_LIST,
	ROUTE_AS_POLICY_GET,
	ROUTE_AS_CHALLENGE,
	ROUTE_RVPS_REGISTER,
	ROUTE_RVPS_QUERY,
	ROUTE_ADMIN_WHY,
	ROUTE_ADMIN_VERDICTS,
	ROUTE_ADMIN_VERDICT,
	ROUTE_ADMIN_DRY_RUN,
	ROUTE_ADMIN_RESOURCES,
	ROUTE_ADMIN_POLICIES,
	ROUTE_ADMIN_POLICY,
	ROUTE_ADMIN_REFERENCES,
	ROUTE_ADMIN_REFERENCE_DELETE,
	ROUTE_ADMIN_AUDIT,
	ROUTE_ADMIN_RESOURCE_VERSIONS,
	ROUTE_ADMIN_POLICY_VERSIONS,
	ROUTE_ADMIN_AUDIT_HEAD,
	ROUTE_ADMIN_AUDIT_PROOF,
	ROUTE_ADMIN_AUDIT_CONSISTENCY,
	ROUTE_ADMIN_TENANTS,
	ROUTE_ADMIN_TENANT_SET,
	ROUTE_ADMIN_TENANT_DELETE,
	ROUTE_ADMIN_BACKUP,
	ROUTE_ADMIN_COLLATERAL,
	ROUTE_MAX_,
};

enum route_need {
	NEED_NOTHING,
	NEED_SESSION, /* the cookie of auth */
	NEED_TOKEN,   /* attested session or bearer attestation token */
	NEED_ADMIN,
	NEED_PLUGIN, /* what the plugin says that this request needs: an admin or a token */
};

#define ROUTE_TARGET_MAX 4096
#define ROUTE_TAIL_MAX 1024
#define REQUEST_ID_SIZE 65
#define ROUTE_TENANT_SIZE 49 /* that of the store, with its NUL */

/**
 * struct kbs_target - a request target taken apart
 * @tenant: from the prefix /tenants/NAME before /kbs/v0/; "" for the default tenant
 * @need: what a caller must show
 * @method: of a request to a plugin
 * @plugin: first element of the path below /kbs/v0/
 * @plugin_id: PLUGIN_COUNT_ when it is no plugin's name
 * @tail: percent-decoded rest of the path after the route's own part, of ROUTE_PLUGIN after the
 * plugin's name; never holds NUL
 * @query: raw text after '?', "" when absent
 */
struct kbs_target {
	enum kbs_route route;
	enum route_need need;
	enum kbs_plugin plugin_id;
	char method[8];
	char plugin[64];
	char tenant[ROUTE_TENANT_SIZE];
	char tail[ROUTE_TAIL_MAX];
	char query[ROUTE_TAIL_MAX];
};

/**
 * kbs_route_parse() - take a method and request target ("/kbs/v0/...?...") apart
 *
 * Always fills @ret; unknown, malformed and oversized targets become ROUTE_NONE, ROUTE_METHOD or
 * ROUTE_BAD_PATH.
 */
void kbs_route_parse(const char *method, struct slice target, struct kbs_target *ret);
#define ROUTE_ALLOW_SIZE 32
/** kbs_route_allowed() - the methods that @target has, as the field Allow lists them; "" for none */
void kbs_route_allowed(struct slice target, char ret[ROUTE_ALLOW_SIZE]);
/**
 * service_route_parse() - likewise for husk-as and husk-rvps, whose targets have no prefix
 * @with_as: whether the routes of the attestation service exist
 */
void service_route_parse(
	const char *method, struct slice target, bool with_as, struct kbs_target *ret);
/**
 * kbs_route_row() - row @index of the table, for those who describe it
 * @ret_path: below the host, with {tail} where a tail follows
 * Return: false past the end.
 */
bool kbs_route_row(size_t index, const char **ret_method, char *ret_path, size_t path_size,
	enum kbs_route *ret_route, enum route_need *ret_need);
/** kbs_route_name() - for metrics and logs */
const char *kbs_route_name(enum kbs_route route);
/** kbs_query_get() - value of @name in a raw query, percent-decoded. Return: 0, -ENOENT, -EBADMSG. */
must_check int kbs_query_get(const char *query, const char *name, char *dst, size_t size);
/**
 * kbs_query_map() - all of a raw query as an object of strings
 * @ret: new reference
 *
 * Return: 0, -EBADMSG (bad escapes, or a name that is there twice), -E2BIG, -ENOMEM.
 */
must_check int kbs_query_map(const char *query, json_t **ret);
/** kbs_path_list() - the elements of a path as an array of strings; new reference, NULL on ENOMEM */
json_t *kbs_path_list(const char *path);
