/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/service/service-config.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/kbs/role.h"

/* Members of Trustee's files, and the section of ours they go to; NULL: the root. */
struct member {
	const char *name;
	const char *section;
	const char *as;
};

static const struct member g_as[] = {
	{"rvps_config", "attestation_service", "rvps_config"},
	{"attestation_token_broker", "attestation_service", "attestation_token_broker"},
	{"verifier_config", "attestation_service", "verifier_config"},
	{"storage_backend", NULL, "storage_backend"},
	{"husk", NULL, "husk"},
};
static const struct member g_rvps[] = {
	{"storage", NULL, "storage_backend"},
	{"extractors", NULL, NULL}, /* husk's need no switches but those in "husk" */
	{"husk", NULL, "husk"},
};

static json_t *section_of(json_t *root, const char *name)
{
	if (!name)
		return root;
	if (!json_object_get(root, name))
		json_object_set_new(root, name, json_object());
	return json_object_get(root, name);
}

static int take_member(const struct service_options *o, json_t *root, const char *name,
	json_t *value, struct err *reterr)
{
	const struct member *rows = o->service == SERVICE_AS ? g_as : g_rvps;
	size_t count = o->service == SERVICE_AS ? ARRAY_COUNT(g_as) : ARRAY_COUNT(g_rvps);

	for (size_t i = 0; i < count; i++) {
		if (!streq(rows[i].name, name))
			continue;
		if (!rows[i].as || json_is_null(value))
			return 0;
		return json_object_set(section_of(root, rows[i].section), rows[i].as, value) < 0
			       ? -ENOMEM
			       : 0;
	}
	return err_at(reterr, -EINVAL, ERR_NO_OFFSET, name, "%s is not a known key", name);
}

static int read_file(const struct service_options *o, json_t *root, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(CONFIG_FILE_MAX);
	cleanup(json_decref) json_t *file = NULL;
	const char *name;
	json_t *value;
	int r = file_read(o->config_file, CONFIG_FILE_MAX, &text, reterr);

	if (r < 0)
		return r; /* it names the file */
	r = json_parse(buf_slice(&text), CONFIG_FILE_MAX, &file, reterr);
	if (r == 0 && !json_is_object(file))
		r = err_set(reterr, -EBADMSG, "not a JSON object");
	json_object_foreach (file, name, value) {
		if (r == 0)
			r = take_member(o, root, name, value, reterr);
	}
	return r < 0 ? err_wrap(reterr, r, "%s", o->config_file) : 0;
}

static void set_default(json_t *section, const char *name, const char *value)
{
	if (!json_object_get(section, name))
		json_object_set_new(section, name, json_string(value));
}

static void set_sockets(json_t *husk, const char *name, const char *given, const char *preset)
{
	if (given || (preset && !json_object_get(husk, name)))
		json_object_set_new(husk, name, json_pack("[s]", given ? given : preset));
}

/* Return: as kbs_config_load() */
static int service_config_load(
	const struct service_options *o, struct kbs_config *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *root = json_object();
	json_t *husk, *http;
	int r = o->config_file ? read_file(o, root, reterr) : 0;

	if (r < 0)
		return r;
	husk = section_of(root, "husk");
	http = section_of(root, "http_server");
	if (!json_is_object(husk))
		return err_set(reterr, -EINVAL, "husk must be an object");
	json_object_set_new(husk, "service", json_string(o->service == SERVICE_AS ? "as" : "rvps"));
	set_default(husk, "store", o->default_store);
	set_sockets(husk, "grpc_sockets", o->grpc, o->default_grpc);
	set_sockets(husk, "rest_sockets", o->rest, NULL);
	json_object_set_new(http, "payload_request_size", json_integer(16));
	if (o->certificate) {
		json_object_set_new(http, "certificate", json_string(o->certificate));
		json_object_set_new(http, "private_key", json_string(o->private_key));
	} else {
		json_object_set_new(http, "insecure_http", json_true());
	}
	return kbs_config_from_json(root, ret, reterr);
}

static int load_again(const void *cookie, struct kbs_config *ret, struct err *reterr)
{
	return service_config_load(cookie, ret, reterr);
}

int service_run(const struct service_options *o)
{
	cleanup_with(kbs_config_done) struct kbs_config config = {0};
	struct err e = {0};
	int r = service_config_load(o, &config, &e);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", o->program, err_text(&e, r));
		return 1;
	}
	if (o->check) {
		printf("%s is good\n", o->config_file ? o->config_file : "the configuration");
		return 0;
	}
	role_log(&config, NULL);
	role_warn(&config);
	const struct role_source source = {
		load_again, o, o->config_file ? o->config_file : "defaults"};
	return role_supervisor(&config, &source);
}
