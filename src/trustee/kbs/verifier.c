/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier process: a blocking loop over one socket. It owns nothing worth stealing; a crash
 * fails the request at hand and the supervisor starts another.
 */
#include <malloc.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "evidence/collateral.h"
#include "fmt/json.h"
#include "net/ipc.h"
#include "net/sandbox.h"
#include "trustee/as/as.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/route.h"
#include "trustee/kbs/wire.h"
#include "trustee/rvps/extract.h"

#define WORK_LIMIT_S 10 /* a piece of work that takes longer kills the process */

/* What a tenant has: policies and reference values. Collateral and trusted roots are the house's. */
struct room {
	char tenant[ROUTE_TENANT_SIZE];
	struct as *as;
};

struct verifier {
	const struct kbs_config *config;
	struct room *rooms; /* the first is the default tenant's, and always there */
	size_t room_count;
	struct buf out;
};

static int trust_insecure_roots(const struct kbs_config *c, struct as *as, struct err *reterr);

static struct as *find_room(const struct verifier *v, const char *tenant)
{
	for (size_t i = 0; i < v->room_count; i++) {
		if (streq(v->rooms[i].tenant, tenant))
			return v->rooms[i].as;
	}
	return NULL;
}

static int add_room(struct verifier *v, const char *tenant, struct err *reterr)
{
	struct room *more = reallocarray(v->rooms, v->room_count + 1, sizeof(*more));
	struct room *room;
	int r;

	if (!more)
		return -ENOMEM;
	v->rooms = more;
	room = &more[v->room_count];
	*room = (struct room){.as = as_new()};
	if (!room->as)
		return -ENOMEM;
	v->room_count++;
	r = str_copy(room->tenant, sizeof(room->tenant), tenant);
	if (r == 0 && v->room_count > 1)
		as_share_collateral(room->as, v->rooms[0].as);
	return r < 0 ? r : trust_insecure_roots(v->config, room->as, reterr);
}

/* Rooms of exactly these tenants, besides the default one's. */
static int set_tenants(struct verifier *v, const json_t *names)
{
	const char *name;
	json_t *value;
	int r = 0;

	for (size_t i = v->room_count; i-- > 1;) {
		if (json_object_get(names, v->rooms[i].tenant))
			continue;
		as_free(v->rooms[i].as);
		v->rooms[i] = v->rooms[--v->room_count];
	}
	json_object_foreach ((json_t *)(uintptr_t)names, name, value) {
		if (r == 0 && !find_room(v, name))
			r = add_room(v, name, NULL);
	}
	return r;
}

static int set_collateral(struct verifier *v, bool add, struct slice body)
{
	cleanup(json_decref) json_t *doc = NULL;
	struct err e = {0};
	int r = json_parse(body, COLLATERAL_DOC_MAX, &doc, &e);

	if (r == 0)
		r = add ? as_add_collateral(v->rooms[0].as, doc, &e)
			: as_set_collateral(v->rooms[0].as, doc, &e);
	if (r < 0)
		log_error("verifier.collateral", LOG_STR("reason", err_text(&e, r)));
	return r;
}

static int set_state(struct verifier *v, const char *op, const json_t *header, struct slice body)
{
	struct as *as = find_room(v, wire_str(header, "tenant"));
	struct err e = {0};
	int r;

	if (streq(op, "tenants"))
		return set_tenants(v, json_object_get(header, "names"));
	if (streq(op, "collateral") || streq(op, "collateral-add"))
		return set_collateral(v, streq(op, "collateral-add"), body);
	if (streq(op, "se-key"))
		return as_set_ibm_key(v->rooms[0].as, body, &e);
	if (!as)
		return -EPROTO;
	if (streq(op, "references"))
		return as_set_references(as, json_object_get(header, "records"));
	r = as_set_policy(as, wire_str(header, "policy"), body, &e);
	if (r < 0)
		log_error("verifier.policy", LOG_STR("policy", wire_str(header, "policy")),
			LOG_STR("reason", err_text(&e, r)));
	/* Policies are checked before they are stored; a broken one here means a broken store. It
	 * must not be answered with the old policy. */
	return r;
}

static int authorize(struct as *as, const json_t *header, json_t **ret, struct err *reterr)
{
	cleanup(free_ptr) char *claims =
		json_dumps(json_object_get(header, "claims"), JSON_COMPACT);
	cleanup(free_ptr) char *data = json_dumps(json_object_get(header, "data"), JSON_COMPACT);

	if (!claims || !data)
		return -ENOMEM;
	return as_authorize(as, wire_str(header, "policy"), slice_str(claims), slice_str(data),
		wire_int(header, "now"), ret, reterr);
}

static int check(const json_t *header, struct slice body, json_t **ret)
{
	struct err e = {0};
	enum as_policy_kind kind = streq(wire_str(header, "kind"), "resource")
					   ? AS_POLICY_RESOURCE
					   : AS_POLICY_ATTESTATION;
	int r = as_check_policy(body, kind, &e);

	*ret = json_pack("{s:b, s:s}", "good", r == 0, "reason", r < 0 ? err_text(&e, r) : "");
	return *ret ? 0 : -ENOMEM;
}

static int dry_run(
	struct as *as, const json_t *header, struct slice body, json_t **ret, struct err *reterr)
{
	const struct as_dry_run request = {
		.policy = wire_str(header, "policy"),
		.kind = streq(wire_str(header, "kind"), "resource") ? AS_POLICY_RESOURCE
								    : AS_POLICY_ATTESTATION,
		.candidate = body,
		.claims = json_object_get(header, "claims"),
		.now = wire_int(header, "now"),
	};

	return as_dry_run(as, &request, ret, reterr);
}

static int extract(const json_t *header, struct slice body, json_t **ret, struct err *reterr)
{
	cleanup_with(rvps_anchors_done) struct rvps_anchors anchors = {
		.require_signed = json_is_true(json_object_get(header, "require_signed"))};
	const json_t *pem;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(header, "anchors"), i, pem) {
		if (r == 0)
			r = rvps_anchors_add(&anchors, slice_str(json_string_value(pem)), reterr);
	}
	if (r < 0)
		return err_wrap(reterr, r, "rvps_trusted_keys");
	return rvps_extract(body, &anchors, wire_int(header, "now"), ret, reterr);
}

/* Answers carry "work" back, and either "result" members or "error" and "reason". */
static json_t *do_work(struct verifier *v, const char *op, const json_t *header, struct slice body)
{
	json_t *answer = json_object(), *result = NULL;
	json_t *wanted = json_array(), *questions = json_array();
	struct as *as = find_room(v, wire_str(header, "tenant"));
	struct err e = {0};
	int r = -EPROTO;

	if (!as) {
		r = err_set(&e, -ENOENT, "the tenant was deleted");
	}
	as_use_values(as, json_object_get(header, "values"), wanted);
	int nras = as_use_nras(as, json_object_get(header, "nras"), questions, &e);
	if (nras < 0) {
		r = nras;
	} else if (!as) {
		r = r < 0 ? r : -ENOENT;
	} else if (streq(op, "attest")) {
		const struct as_request request = {
			.tee = wire_str(header, "tee"),
			.nonce = wire_str(header, "nonce"),
			.body = body,
			.protocol = (enum as_protocol)wire_int(header, "protocol"),
			.now = wire_int(header, "now"),
			.verbose_token = json_is_true(json_object_get(header, "verbose")),
		};
		r = as_attest(as, &request, &result, &e);
	} else if (streq(op, "prepare")) {
		const struct as_request request = {
			.tee = wire_str(header, "tee"),
			.nonce = wire_str(header, "nonce"),
			.body = body,
			.protocol = (enum as_protocol)wire_int(header, "protocol"),
			.now = wire_int(header, "now"),
		};
		r = json_is_true(json_object_get(header, "intel"))
			    ? as_prepare_intel(&request, json_object_get(header, "policy_ids"),
				      json_is_true(json_object_get(header, "must_match")), &result,
				      &e)
			    : as_prepare(&request, &result, &e);
	} else if (streq(op, "evaluate")) {
		const struct as_evaluation request = {
			.body = body,
			.now = wire_int(header, "now"),
			.verbose_token = json_is_true(json_object_get(header, "verbose")),
			.insecure_allow_unbound =
				json_is_true(json_object_get(header, "insecure_unbound")),
		};
		r = as_evaluate(as, &request, &result, &e);
	} else if (streq(op, "authorize")) {
		r = authorize(as, header, &result, &e);
	} else if (streq(op, "extract")) {
		r = extract(header, body, &result, &e);
	} else if (streq(op, "dry-run")) {
		r = dry_run(as, header, body, &result, &e);
	} else if (streq(op, "check")) {
		r = check(header, body, &result);
	}
	as_use_values(as, NULL, NULL);
	(void)!as_use_nras(as, NULL, NULL, NULL);
	if (json_array_size(questions) > 0 && json_is_object(result))
		json_object_set(result, "questions", questions);
	json_decref(questions);
	if (json_array_size(wanted) > 0 && json_is_object(result))
		json_object_set(result, "wanted", wanted);
	json_decref(wanted);
	json_object_set(answer, "work", json_object_get(header, "work"));
	json_object_set_new(answer, "error", json_integer(r));
	if (r < 0)
		json_object_set_new(answer, "reason", json_string(err_text(&e, r)));
	else if (streq(op, "check"))
		json_object_update(answer, result);
	else
		json_object_set(answer, "result", result);
	json_decref(result);
	return answer;
}

static int serve_one(struct verifier *v, struct slice message)
{
	json_t *header = NULL, *answer;
	struct slice body;
	const char *op;
	int r = wire_unpack(message, &header, &body);

	if (r < 0)
		return r;
	op = wire_str(header, "op");
	if (streq(op, "policy") || streq(op, "references") || streq(op, "collateral") ||
		streq(op, "collateral-add") || streq(op, "se-key") || streq(op, "tenants")) {
		r = set_state(v, op, header, body);
		json_decref(header);
		/* Reading collateral and compiling policies takes much more than what stays. */
		malloc_trim(0);
		return r;
	}
	alarm(WORK_LIMIT_S);
	answer = do_work(v, op, header, body);
	alarm(0);
	buf_clear(&v->out);
	r = wire_pack(&v->out, answer, SLICE_EMPTY);
	json_decref(answer);
	json_decref(header);
	return r < 0 ? r : ipc_write(ROLE_FD_LINK, buf_slice(&v->out));
}

static int trust_insecure_root(struct as *as, const char *option, const char *hex,
	void (*trust)(struct as *as, const struct digest *pin), const char *effect,
	struct err *reterr)
{
	struct digest pin = {.size = 32};

	if (!hex)
		return 0;
	if (hex_decode_fixed(pin.bytes, pin.size, slice_str(hex)) < 0)
		return err_set(reterr, -EINVAL, "[husk] %s is not a SHA-256 digest in hex", option);
	log_warn("kbs.insecure", LOG_STR("option", option), LOG_STR("effect", effect));
	trust(as, &pin);
	return 0;
}

static int trust_dpu_root(const struct kbs_config *c, struct as *as, struct err *reterr)
{
	struct digest pin = {.size = 32};
	const char *hex = c->husk.nvidia_dpu_root;

	if (!hex)
		return 0;
	if (hex_decode_fixed(pin.bytes, pin.size, slice_str(hex)) < 0)
		return err_set(
			reterr, -EINVAL, "[husk] nvidia_dpu_root is not a SHA-256 digest in hex");
	as_trust_nvidia_dpu_root(as, &pin);
	return 0;
}

static int trust_insecure_roots(const struct kbs_config *c, struct as *as, struct err *reterr)
{
	int r = trust_insecure_root(as, "insecure_intel_root", c->husk.insecure_intel_root,
		as_trust_insecure_intel_root,
		"evidence of SGX and TDX is not anchored in Intel's root key", reterr);

	if (r == 0)
		r = trust_insecure_root(as, "insecure_amd_root", c->husk.insecure_amd_root,
			as_trust_insecure_amd_root,
			"evidence of SNP is not anchored in AMD's root keys", reterr);
	if (r == 0)
		r = trust_insecure_root(as, "insecure_nvidia_root", c->husk.insecure_nvidia_root,
			as_trust_insecure_nvidia_root,
			"evidence of GPUs is not anchored in NVIDIA's root keys", reterr);
	return r == 0 ? trust_dpu_root(c, as, reterr) : r;
}

int role_verifier(const struct kbs_config *c)
{
	struct verifier v = {.config = c, .out = buf_init(WIRE_BODY_MAX)};
	struct buf in = buf_init(IPC_MESSAGE_MAX);
	struct err e = {0};
	int r;

	signal(SIGALRM, SIG_DFL);
	r = add_room(&v, "", &e);
	if (r == 0)
		r = role_confine(c, "verifier", NULL, 0, SANDBOX_BASE, &e);
	while (r == 0) {
		r = ipc_read(ROLE_FD_LINK, IPC_MESSAGE_MAX, &in);
		if (r == 0)
			r = serve_one(&v, buf_slice(&in));
		/* One huge request must not set the size of an idle verifier. */
		if (in.capacity > (1u << 20))
			buf_done(&in);
	}
	while (v.room_count > 0)
		as_free(v.rooms[--v.room_count].as);
	free(v.rooms);
	buf_done(&v.out);
	buf_done(&in);
	if (r == -ENODATA)
		return 0; /* the vault is gone: the end of all */
	log_error("verifier.stopped", LOG_STR("reason", err_text(&e, r)));
	return 1;
}
