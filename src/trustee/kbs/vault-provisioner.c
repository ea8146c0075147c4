/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin provisioner: a random key of the root disk for each VM. Whoever starts VMs (an admin) names
 * one and gets its UUID and a path; the guest gets the key from that path when its init-data, which is
 * part of its evidence, names the very path. A key is made once and never shown to the admin.
 */
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define NAME_MAX_ 253
#define UUID_SIZE 37
#define KEY_PATH_SIZE 64
#define CLAIM_RESOURCE "trustee.kbs.resource"
#define REQUEST_MAX ((size_t)64 << 10)

/* Version 5 (RFC 4122 section 4.3) in the namespace feab5599-6854-52bc-95f0-0241c03e620a. */
static int vm_uuid(const char *namespace, const char *vm, char ret[UUID_SIZE])
{
	static const uint8_t space[16] = {0xfe, 0xab, 0x55, 0x99, 0x68, 0x54, 0x52, 0xbc, 0x95,
		0xf0, 0x02, 0x41, 0xc0, 0x3e, 0x62, 0x0a};
	cleanup_with(buf_done) struct buf name = buf_init(1024);
	struct digest d = {0};
	uint8_t *b = d.bytes;
	int r;

	buf_put(&name, space, sizeof(space));
	buf_printf(&name, "%s/%s", namespace, vm);
	r = buf_error(&name);
	if (r == 0)
		r = hash_once(HASH_SHA1, buf_slice(&name), &d);
	if (r < 0)
		return r;
	b[6] = (uint8_t)((b[6] & 0x0F) | 0x50);
	b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
	snprintf(ret, UUID_SIZE,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
	return 0;
}

/* Letters and digits, each as likely as the others. */
static int put_random_key(struct buf *out, size_t size)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	uint8_t random[64];
	int r = 0;

	for (size_t n = 0; r == 0 && n < size;) {
		r = random_bytes(random, sizeof(random));
		for (size_t i = 0; r == 0 && i < sizeof(random) && n < size; i++) {
			uint8_t v = random[i] & 0x3F;

			if (v < sizeof(set) - 1) {
				buf_put_u8(out, (uint8_t)set[v]);
				n++;
			}
		}
	}
	explicit_bzero(random, sizeof(random));
	return r;
}

static int read_request(struct slice body, json_t **ret, const char **ret_namespace,
	const char **ret_vm, struct err *reterr)
{
	const json_t *namespace;
	int r = json_parse(body, REQUEST_MAX, ret, reterr);

	if (r < 0)
		return r;
	namespace = json_object_get(*ret, "namespace");
	*ret_vm = json_string_value(json_object_get(*ret, "vm_name"));
	*ret_namespace = namespace ? json_string_value(namespace) : "default";
	if (!*ret_vm || !*ret_namespace)
		return err_set(reterr, -EBADMSG, "vm_name and namespace must be strings");
	if (strlen(*ret_vm) > NAME_MAX_ || strlen(*ret_namespace) > NAME_MAX_ || !**ret_vm)
		return err_set(
			reterr, -EBADMSG, "vm_name and namespace have 1 to %d bytes", NAME_MAX_);
	/* The name that is hashed has a slash between the two: only one split may give it. */
	if (strchr(*ret_namespace, '/'))
		return err_set(reterr, -EBADMSG, "namespace must not have a slash");
	return 0;
}

static int make_key(struct call *c, const char *path, struct err *reterr)
{
	struct vault *v = c->vault;
	cleanup_with(buf_done) struct buf text = buf_init_secret(STORE_ITEM_MAX);
	struct store_change by = vault_change(c);
	int r;

	buf_put_str(&text, "version = \"0.1.0\"\n\n[data]\n\"io.cryptsetup.key.text.root\" = \"");
	r = put_random_key(&text, v->config->provisioner.key_length);
	buf_put_str(&text, "\"\n");
	if (r == 0)
		r = buf_error(&text);
	if (r == 0)
		r = store_item_add(v->store, &by, kbs_plugin_name(PLUGIN_PROVISIONER), path,
			buf_slice(&text), "provisioner.provision", reterr);
	/* A VM that is there already keeps its key. */
	return r == -EEXIST ? 0 : r;
}

static void provision(struct call *c, struct slice body)
{
	cleanup(json_decref) json_t *request = NULL;
	const char *namespace = NULL, *vm = NULL;
	char uuid[UUID_SIZE], path[KEY_PATH_SIZE];
	struct err e = {0};
	int r = read_request(body, &request, &namespace, &vm, &e);

	if (r == 0)
		r = vm_uuid(namespace, vm, uuid);
	if (r == 0) {
		snprintf(path, sizeof(path), "default/%s/root", uuid);
		r = make_key(c, path, &e);
	}
	if (store_is_away(r)) {
		call_unavailable(c, r, &e);
	} else if (r == -EDQUOT) {
		reply_fail(&c->reply, REPLY_QUOTA, "%s", err_text(&e, r));
		call_answer(c);
	} else if (r < 0) {
		vault_plugin_fail(c, err_text(&e, r));
	} else {
		reply_json(&c->reply, json_pack("{s:s, s:s}", "uuid", uuid, "resource_path", path));
		c->reply.type = REPLY_XML; /* as upstream says of all that plugins answer */
		call_answer(c);
	}
}

static void deprovision(struct call *c, const char *uuid)
{
	struct vault *v = c->vault;
	struct store_change by = vault_change(c);
	char path[KEY_PATH_SIZE];
	struct err e = {0};
	int r = -ENOENT;

	/* What does not fit is no UUID of ours. */
	if (snprintf(path, sizeof(path), "default/%s/root", uuid) < (int)sizeof(path))
		r = store_item_delete(v->store, &by, kbs_plugin_name(PLUGIN_PROVISIONER), path,
			"provisioner.deprovision", &e);
	if (store_is_away(r)) {
		call_unavailable(c, r, &e);
		return;
	}
	if (r < 0 && r != -ENOENT) {
		vault_plugin_fail(c, err_text(&e, r));
		return;
	}
	reply_json(&c->reply, json_pack("{s:s}", "status", "deleted"));
	c->reply.type = REPLY_XML;
	call_answer(c);
}

void vault_provisioner_admin(struct call *c, struct slice body)
{
	static const char below[] = "provision/";

	if (str_starts(c->target.tail, below))
		deprovision(c, c->target.tail + strlen(below));
	else
		provision(c, body);
}

static const char *bound_resource(const struct call *c)
{
	const json_t *cpu = json_object_get(json_object_get(c->claims, "submods"), "cpu0");
	const json_t *evidence = json_object_get(cpu, "ear.veraison.annotated-evidence");

	return json_string_value(
		json_object_get(json_object_get(evidence, "init_data_claims"), CLAIM_RESOURCE));
}

void vault_provisioner_release(struct call *c, struct slice body)
{
	cleanup_with(secret_done) struct secret key = {0};
	char want[ROUTE_TAIL_MAX + 32];
	const char *bound = bound_resource(c);
	struct err e = {0};
	int r;

	snprintf(want, sizeof(want), "kbs+provisioner:///%s", c->target.tail);
	if (!bound || !streq(bound, want)) {
		vault_plugin_fail(c, bound ? "the guest's init-data names another resource"
					   : "the guest has no init-data with " CLAIM_RESOURCE);
		return;
	}
	r = store_item_get(c->vault->store, c->target.tenant, kbs_plugin_name(PLUGIN_PROVISIONER),
		c->target.tail, &key, &e);
	if (store_is_away(r))
		call_unavailable(c, r, &e);
	else if (r < 0)
		vault_plugin_fail(c, err_text(&e, r));
	else
		vault_plugin_deliver(c, secret_slice(&key), PLUGIN_SEALED, "");
}
