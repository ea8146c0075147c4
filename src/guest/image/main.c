/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "crypto/selftest.h"
#include "fmt/json.h"
#include "fmt/toml.h"
#include "guest/agent/child.h"
#include "guest/image/image.h"
#include "oci/registry.h"

#define NEW_DIR ".new"
#define DONE_DIR "rootfs"
#define ORDER_MAX CHILD_PAYLOAD_MAX

/* The order of PID 1 and what has become of it. */
struct pull {
	json_t *order;
	const char *image, *root;
	struct image_config config;
	struct oci_ref ref;
	struct oci_credentials credentials;
	struct oci_registry *registry;
	struct oci_source source;
	struct oci_image resolved;
	/* The last KEK: the layers of an image usually share one. */
	char kek_uri[OCICRYPT_KID_MAX + 1];
	struct buf kek;
	char refusal_id[ERR_FIELD_SIZE]; /* the key broker's, of the last refused resource */
};

static void pull_done(struct pull *p)
{
	oci_image_done(&p->resolved);
	oci_registry_free(p->registry);
	oci_credentials_done(&p->credentials);
	image_config_done(&p->config);
	json_decref(p->order);
	buf_done(&p->kek);
}

/* Only the key broker can vouch for a resource: the guest has no other trusted source. */
static int get_resource(struct pull *p, const char *uri, struct buf *out, struct err *reterr)
{
	if (!str_starts(uri, "kbs:") && !str_starts(uri, "kbs+"))
		return err_set(reterr, -EACCES, "'%.200s' is not a kbs:// resource", uri);
	int r = child_get_resource(CHILD_FD_RESOURCE, uri, out, reterr);
	if (r == -EACCES && reterr)
		memcpy(p->refusal_id, reterr->field, sizeof(p->refusal_id));
	return r;
}

static int fetch_key(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	return get_resource(user, uri, out, reterr);
}

static int fetch_kek(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	struct pull *p = user;

	if (!streq(uri, p->kek_uri)) {
		p->kek_uri[0] = 0;
		buf_clear(&p->kek);
		int r = get_resource(p, uri, &p->kek, reterr);
		if (r == 0)
			r = str_copy(p->kek_uri, sizeof(p->kek_uri), uri);
		if (r < 0)
			return r;
	}
	buf_put_slice(out, buf_slice(&p->kek));
	return buf_error(out);
}

static int take_order(struct pull *p, struct err *reterr)
{
	cleanup_with(buf_done) struct buf frame = buf_init(ORDER_MAX);
	const char *toml = NULL;
	enum child_type type;

	int r = child_recv(CHILD_FD_AGENT, &type, &frame);
	if (r < 0)
		return r;
	if (type != CHILD_PULL)
		return err_set(reterr, -EPROTO, "unexpected order %d", type);
	r = json_parse(buf_slice(&frame), ORDER_MAX, &p->order, reterr);
	if (r == 0)
		r = json_get_str(p->order, "image", &p->image, reterr);
	if (r == 0)
		r = json_get_str(p->order, "cdh_toml", &toml, reterr);
	if (r == 0)
		r = json_get_str(p->order, "root", &p->root, reterr);
	if (r == 0)
		r = oci_ref_parse(&p->ref, p->image, reterr);
	return r < 0 ? r : image_config_parse(&p->config, slice_str(toml), reterr);
}

static int load_registries(struct pull *p, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(OCI_DOCUMENT_MAX);

	if (p->config.registries || !p->config.registries_uri)
		return 0;
	int r = get_resource(p, p->config.registries_uri, &text, reterr);
	return r < 0 ? r : toml_parse(buf_slice(&text), &p->config.registries, reterr);
}

static int need_policy(const struct pull *p, struct err *reterr)
{
	if (p->config.policy_uri || p->config.policy)
		return 0;
	return err_set(reterr, -EACCES,
		"initdata names no image security policy (cdh.toml, [image], "
		"image_security_policy_uri)");
}

static int load_policy(struct pull *p, struct oci_policy **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(OCI_POLICY_MAX);
	int r = 0;

	if (p->config.policy_uri)
		r = get_resource(p, p->config.policy_uri, &text, reterr);
	else
		buf_put_str(&text, p->config.policy);
	if (r == 0)
		r = buf_error(&text);
	return r < 0 ? r : oci_policy_parse(ret, buf_slice(&text), reterr);
}

static int load_credentials(struct pull *p, const struct oci_ref *ref, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(OCI_DOCUMENT_MAX);

	if (!p->config.auth_uri)
		return 0;
	int r = get_resource(p, p->config.auth_uri, &text, reterr);
	return r < 0 ? r : oci_credentials_find(buf_slice(&text), ref, &p->credentials, reterr);
}

/* Finds the image in the first place that has it, and makes that place the source. */
static int resolve_at(struct pull *p, const struct oci_candidate *c, struct err *reterr)
{
	int r = load_credentials(p, &c->ref, reterr);
	struct oci_registry_options opt = {.username = p->credentials.username,
		.password = p->credentials.password,
		.insecure_http = c->insecure_http,
		.roots_pem = buf_slice(&p->config.roots_pem),
		.proxy = p->config.https_proxy};

	if (r == 0)
		r = oci_registry_new(&p->registry, &c->ref, &opt, reterr);
	if (r < 0)
		return r;
	p->source = oci_registry_source(p->registry);
	r = oci_image_resolve(&p->resolved, &p->source, &c->ref, oci_host_architecture(), reterr);
	if (r < 0) {
		oci_registry_free(p->registry);
		p->registry = NULL;
	}
	return r;
}

static int resolve(struct pull *p, struct err *reterr)
{
	struct oci_candidate candidates[OCI_CANDIDATE_MAX];

	int count = oci_registries_resolve(p->config.registries, &p->ref, candidates, reterr);
	int r = count;
	for (int i = 0; i < count; i++) {
		r = resolve_at(p, &candidates[i], reterr);
		if (r == 0)
			return 0;
	}
	return r;
}

/* The policy speaks about the name the owner asked for, whatever mirror served it. */
static int judge(struct pull *p, const struct oci_policy *policy, struct err *reterr)
{
	struct oci_fetcher keys = {fetch_key, p};
	enum oci_verdict verdict = OCI_VERDICT_DENY;

	int r = oci_image_verify(
		&p->resolved, &p->ref, &p->source, policy, &keys, &verdict, reterr);
	return r == 0 && verdict != OCI_VERDICT_ALLOW ? -EACCES : r;
}

static int announce(struct pull *p, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(CHILD_PAYLOAD_MAX);
	cleanup_with(buf_done) struct buf answer = buf_init(64);
	char digest[OCI_DIGEST_TEXT_SIZE];
	enum child_type type;
	json_t *doc = json_pack("{s:s, s:O}", "digest",
		oci_digest_text(&p->resolved.digest, digest), "config", p->resolved.config.doc);

	int r = doc ? json_write(doc, &text) : -ENOMEM;
	json_decref(doc);
	if (r == 0)
		r = child_send(CHILD_FD_AGENT, CHILD_IMAGE_INFO, buf_slice(&text));
	if (r == 0)
		r = child_recv(CHILD_FD_AGENT, &type, &answer);
	if (r == 0 && type != CHILD_IMAGE_GO)
		r = -EPROTO;
	return r < 0 ? err_set(reterr, r, "PID 1 does not go on") : 0;
}

/* What the folder's file system can still take; on tmpfs that is the guest's memory. */
static uint64_t room(int fd)
{
	struct statvfs v;

	return fstatvfs(fd, &v) == 0 && v.f_bavail ? (uint64_t)v.f_bavail * v.f_frsize
						   : UNPACK_TOTAL_MAX;
}

static int unpack(struct pull *p, struct err *reterr)
{
	struct oci_fetcher keks = {fetch_kek, p};
	cleanup_fd int root = open(p->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || mkdirat(root, NEW_DIR, 0755) < 0)
		return err_set(reterr, -errno, "cannot prepare '%s'", p->root);
	cleanup_fd int dir = openat(root, NEW_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(reterr, -errno, "cannot open '%s'", p->root);
	struct unpack_options opt = {.total_max = room(dir)};
	int r = oci_image_unpack(&p->resolved, &p->source, &keks, dir, &opt, NULL, NULL, reterr);
	if (r < 0)
		return r;
	r = child_send(CHILD_FD_AGENT, CHILD_PHASE, SLICE_LIT("pull"));
	if (r == 0 && renameat(root, NEW_DIR, root, DONE_DIR) < 0)
		r = err_set(reterr, -errno, "cannot accept the image");
	return r;
}

static int report_done(struct pull *p)
{
	cleanup_with(buf_done) struct buf text = buf_init(8192);
	char path[4096 + 16];

	snprintf(path, sizeof(path), "%.4000s/" DONE_DIR, p->root);
	json_t *doc = json_pack("{s:s}", "rootfs", path);
	int r = doc ? json_write(doc, &text) : -ENOMEM;
	json_decref(doc);
	return r < 0 ? r : child_send(CHILD_FD_AGENT, CHILD_IMAGE_DONE, buf_slice(&text));
}

/*
 * The manifest is fetched before the policy: it is hostile either way, and the registry answers
 * while the attestation agent is still busy. Nothing is done with it until the policy has judged.
 */
static int run(struct pull *p, struct err *reterr)
{
	cleanup(oci_policy_free) struct oci_policy *policy = NULL;

	int r = take_order(p, reterr);
	if (r == 0)
		r = image_confine(p->root, reterr);
	if (r == 0)
		r = need_policy(p, reterr);
	if (r == 0)
		r = load_registries(p, reterr);
	if (r == 0)
		r = resolve(p, reterr);
	if (r == 0)
		r = load_policy(p, &policy, reterr);
	if (r == 0)
		r = judge(p, policy, reterr);
	if (r == 0)
		r = announce(p, reterr);
	if (r == 0)
		r = unpack(p, reterr);
	return r < 0 ? r : report_done(p);
}

int image_main(int argc, char **argv)
{
	struct pull p = {.kek = buf_init_secret(OCICRYPT_OPTIONS_MAX)};
	struct err err = {0};

	umask(022);
	/* Before the order comes: PID 1 still waits for drivers and for the host. */
	int r = crypto_selftest(SELFTEST_IMAGE, &err);
	if (r == 0)
		r = run(&p, &err);
	/* Nobody is left to tell when PID 1 does not listen any more; the exit code still speaks.
	 */
	if (r < 0 && child_send_error(CHILD_FD_AGENT, NULL, err_text(&err, r), p.refusal_id) < 0)
		r = -EPIPE;
	pull_done(&p);
	return r < 0 ? 1 : 0;
}
