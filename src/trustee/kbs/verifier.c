/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier process: a blocking loop over one socket. It owns nothing worth stealing; a crash
 * fails the request at hand and the supervisor starts another.
 */
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
#include "trustee/kbs/wire.h"

#define WORK_LIMIT_S 10 /* a piece of work that takes longer kills the process */

struct verifier {
	struct as *as;
	struct buf out;
};

static int set_collateral(struct verifier *v, struct slice body)
{
	cleanup(json_decref) json_t *doc = NULL;
	struct err e = {0};
	int r = json_parse(body, COLLATERAL_DOC_MAX, &doc, &e);

	if (r == 0)
		r = as_set_collateral(v->as, doc, &e);
	if (r < 0)
		log_error("verifier.collateral", LOG_STR("reason", err_text(&e, r)));
	return r;
}

static int set_state(struct verifier *v, const char *op, const json_t *header, struct slice body)
{
	struct err e = {0};
	int r;

	if (streq(op, "references"))
		return as_set_references(v->as, json_object_get(header, "records"));
	if (streq(op, "collateral"))
		return set_collateral(v, body);
	r = as_set_policy(v->as, wire_str(header, "policy"), body, &e);
	if (r < 0)
		log_error("verifier.policy", LOG_STR("policy", wire_str(header, "policy")),
			LOG_STR("reason", err_text(&e, r)));
	/* Policies are checked before they are stored; a broken one here means a broken store. It
	 * must not be answered with the old policy. */
	return r;
}

static int authorize(struct verifier *v, const json_t *header, json_t **ret, struct err *reterr)
{
	cleanup(free_ptr) char *claims =
		json_dumps(json_object_get(header, "claims"), JSON_COMPACT);
	cleanup(free_ptr) char *data = json_dumps(json_object_get(header, "data"), JSON_COMPACT);

	if (!claims || !data)
		return -ENOMEM;
	return as_authorize(v->as, wire_str(header, "policy"), slice_str(claims), slice_str(data),
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

/* Answers carry "work" back, and either "result" members or "error" and "reason". */
static json_t *do_work(struct verifier *v, const char *op, const json_t *header, struct slice body)
{
	json_t *answer = json_object(), *result = NULL;
	struct err e = {0};
	int r = -EPROTO;

	if (streq(op, "attest")) {
		const struct as_request request = {
			.tee = wire_str(header, "tee"),
			.nonce = wire_str(header, "nonce"),
			.body = body,
			.protocol = (enum as_protocol)wire_int(header, "protocol"),
			.now = wire_int(header, "now"),
			.verbose_token = json_is_true(json_object_get(header, "verbose")),
		};
		r = as_attest(v->as, &request, &result, &e);
	} else if (streq(op, "authorize")) {
		r = authorize(v, header, &result, &e);
	} else if (streq(op, "check")) {
		r = check(header, body, &result);
	}
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
	if (streq(op, "policy") || streq(op, "references") || streq(op, "collateral")) {
		r = set_state(v, op, header, body);
		json_decref(header);
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
	return r;
}

int role_verifier(const struct kbs_config *c)
{
	struct verifier v = {.as = as_new(), .out = buf_init(WIRE_BODY_MAX)};
	struct buf in = buf_init(IPC_MESSAGE_MAX);
	struct err e = {0};
	int r = v.as ? 0 : -ENOMEM;

	signal(SIGALRM, SIG_DFL);
	if (r == 0)
		r = trust_insecure_roots(c, v.as, &e);
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
	as_free(v.as);
	buf_done(&v.out);
	buf_done(&in);
	if (r == -ENODATA)
		return 0; /* the vault is gone: the end of all */
	log_error("verifier.stopped", LOG_STR("reason", err_text(&e, r)));
	return 1;
}
