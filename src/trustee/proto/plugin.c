/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of plugins that are programs of their own. */
#include "plugin.pb-c.h"
#include "trustee/proto/proto-internal.h"

typedef Kbs__Plugin__V1__PluginRequest__QueryEntry query_entry;

/* The generated types want char * where they only read. */
static char *text(const json_t *s)
{
	const char *p = json_string_value(s);

	return (char *)(uintptr_t)(p ? p : "");
}

int proto_put_plugin(struct buf *out, const char *method, const json_t *path, const json_t *query,
	struct slice body)
{
	Kbs__Plugin__V1__PluginRequest m = KBS__PLUGIN__V1__PLUGIN_REQUEST__INIT;
	size_t parts = json_array_size(path), params = json_object_size(query), n = 0;
	cleanup(free_ptr) char **names = calloc(parts + 1, sizeof(*names));
	cleanup(free_ptr) query_entry *entries = calloc(params + 1, sizeof(*entries));
	cleanup(free_ptr) query_entry **pointers = calloc(params + 1, sizeof(*pointers));
	const char *key;
	json_t *value;

	if (!names || !entries || !pointers)
		return -ENOMEM;
	for (size_t i = 0; i < parts; i++)
		names[i] = text(json_array_get(path, i));
	/* json_object_foreach casts; the object is not changed. */
	json_object_foreach ((json_t *)(uintptr_t)query, key, value) {
		kbs__plugin__v1__plugin_request__query_entry__init(&entries[n]);
		entries[n].key = (char *)(uintptr_t)key;
		entries[n].value = text(value);
		pointers[n] = &entries[n];
		n++;
	}
	m.body = (ProtobufCBinaryData){body.size, (uint8_t *)(uintptr_t)body.data};
	m.query = pointers;
	m.n_query = n;
	m.path = names;
	m.n_path = parts;
	m.method = (char *)(uintptr_t)method;
	proto_pack(out, &m.base);
	return buf_error(out);
}

int proto_read_plugin_answer(
	struct slice in, int32_t *ret_status, struct buf *body, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&kbs__plugin__v1__plugin_response__descriptor, in, reterr);
	const Kbs__Plugin__V1__PluginResponse *a = (const void *)m;

	if (!m)
		return -EBADMSG;
	*ret_status = a->status_code;
	buf_put(body, a->body.data, a->body.len);
	return buf_error(body);
}

int proto_read_plugin_admin(struct slice in, bool *ret, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&kbs__plugin__v1__validate_auth_response__descriptor, in, reterr);

	if (!m)
		return -EBADMSG;
	*ret = ((const Kbs__Plugin__V1__ValidateAuthResponse *)(const void *)m)
		       ->requires_admin_auth != 0;
	return 0;
}

int proto_read_plugin_encrypted(struct slice in, bool *ret, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&kbs__plugin__v1__needs_encryption_response__descriptor, in, reterr);

	if (!m)
		return -EBADMSG;
	*ret = ((const Kbs__Plugin__V1__NeedsEncryptionResponse *)(const void *)m)
		       ->requires_payload_encryption != 0;
	return 0;
}
