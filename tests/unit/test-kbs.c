/* SPDX-License-Identifier: Apache-2.0 */
/* The key broker's configuration: what is taken, and why what is not. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "trustee/kbs/config.h"

#define CONFIG_BASE "[http_server]\ninsecure_http = true\n[husk]\nstore = \"/tmp/x.db\"\n[admin]\n"
#define CONFIG_PROVIDER                                         \
	"authorization_mode = \"AuthenticatedAuthorization\"\n" \
	"[[admin.authentication.bearer_jwt.identity_providers]]\npublic_key_uri = \"k.pem\"\n"

#define CONFIG_ACL \
	"[[admin.authorization.regex_acl.acls]]\nrole = \"r\"\nallowed_endpoints = \"^/kbs/.*$\"\n"
#define CONFIG_ISSUER(member, uri)                                                    \
	"authorization_mode = \"AuthenticatedAuthorization\"\n"                       \
	"[[admin.authentication.bearer_jwt.identity_providers]]\n" member " = \"" uri \
	"\"\n" CONFIG_ACL

#define CONFIG_PLUGIN "[[plugins]]\nname = \"resource\"\n"
#define CONFIG_STORAGE(type) \
	"[[plugins]]\nname = \"resource\"\nstorage_backend_type = \"" type "\"\n"
#define CONFIG_ALIYUN \
	"client_key = \"{}\"\nkms_instance_id = \"k\"\npassword = \"p\"\ncert_pem = \"c\"\n"
#define CONFIG_VAULT                                                          \
	CONFIG_PLUGIN "storage_backend_type = \"Vault\"\ntoken = \"hvs.t\"\n" \
		      "vault_url = \"https://vault.example:8200\"\n"
#define CONFIG_SIGNER_IN "[attestation_service.attestation_token_broker.signer]\n"
#define CONFIG_NEBULA "[[plugins]]\nname = \"nebula-ca\"\n"
#define CONFIG_PKCS11 "[[plugins]]\nname = \"pkcs11\"\nmodule = \"/m.so\"\n"
#define CONFIG_EXTERNAL "[[plugins]]\nname = \"external\"\n"
#define CONFIG_B(name, endpoint) "{name = \"" name "\", endpoint = \"" endpoint "\"}"
#define CONFIG_POSTGRES                                    \
	"[storage_backend]\nstorage_type = \"Postgres\"\n" \
	"[storage_backend.backends.postgres]\ndb = \"husk\"\nusername = \"husk\"\n"
#define CONFIG_SIGNER "[attestation_service.attestation_token_broker.signer]\nkey_path = \"k\"\n"

#define CONFIG_NVIDIA "[attestation_service.verifier_config.nvidia_verifier]\n"

static void test_config(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *says;
	} rows[] = {
		{CONFIG_BASE, 0, NULL},
		{CONFIG_BASE "authorization_mode = \"InsecureAllowAll\"", 0, NULL},
		{CONFIG_BASE "authorization_mode = \"AllowAll\"", -EINVAL, "authorization_mode"},
		{CONFIG_BASE CONFIG_PROVIDER, -EINVAL, "acls"},
		{CONFIG_BASE CONFIG_PROVIDER "[[admin.authorization.regex_acl.acls]]\n"
					     "role = \"r\"\nallowed_endpoints = \"^/kbs/.*$\"",
			0, NULL},
		{CONFIG_BASE CONFIG_PROVIDER "[[admin.authorization.regex_acl.acls]]\n"
					     "role = \"r\"\nallowed_endpoints = \"/kbs/.*\"",
			-EINVAL, "must start"},
		{CONFIG_BASE CONFIG_PROVIDER "[[admin.authorization.regex_acl.acls]]\n"
					     "role = \"r\"\nallowed_endpoints = \"^/kbs/([$\"",
			-EINVAL, "regular expression"},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "https://idp.example/keys"), 0, NULL},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "file:///keys.json"), 0, NULL},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "http://idp.example/keys"), -EOPNOTSUPP,
			"jwk_set_uri"},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "https://a@idp.example/"), -EOPNOTSUPP,
			"jwk_set_uri"},
		{CONFIG_BASE CONFIG_ISSUER("jwk_set_uri", "https:///keys"), -EOPNOTSUPP,
			"jwk_set_uri"},
		{CONFIG_BASE CONFIG_ISSUER("public_key_uri", "https://idp.example/key"),
			-EOPNOTSUPP, "public_key_uri"},
		{CONFIG_BASE "mode = 1", -EINVAL, "not a known key"},
		{CONFIG_BASE "[unknown]\n", -EINVAL, "not a known section"},
		{CONFIG_BASE "[attestation_token]\ninsecure_header_jwk = true", 0, NULL},
		{CONFIG_BASE "[attestation_token]\ninsecure_header_jwk = 1", -EINVAL,
			"true or false"},
		{CONFIG_BASE "[attestation_service]\ntype = \"intel_ta\"", -EINVAL,
			"needs base_url"},
		{CONFIG_BASE "[attestation_service]\ntype = \"oracle\"", -EOPNOTSUPP, "oracle"},
		{CONFIG_BASE "[attestation_service]\ntype = \"coco_as_grpc\"", 0, NULL},
		{CONFIG_BASE "[attestation_service.rvps_config]\ntype = \"GrpcRemote\"", 0, NULL},
		{CONFIG_BASE "[attestation_service.rvps_config]\ntype = \"Other\"", -EOPNOTSUPP,
			"Other"},
		{CONFIG_BASE CONFIG_NVIDIA "type = \"Local\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "type = \"Remote\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "type = \"remote\"", -EINVAL, "Local or Remote"},
		{CONFIG_BASE CONFIG_NVIDIA "url = \"x\"", -EINVAL, "not a known key"},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"https://nras.example/v4\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://127.0.0.1:1/v4\"", 0, NULL},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://nras.example/v4\"", -EINVAL,
			"https://"},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://127.0.0.1.example/v4\"",
			-EINVAL, "https://"},
		{CONFIG_BASE CONFIG_NVIDIA "verifier_url = \"http://127.0.0.1:1@nras.example/\"",
			-EINVAL, "https://"},
		{CONFIG_BASE "[attestation_service]\ntimeout = 0", -EINVAL, "from 1 to"},
		{CONFIG_BASE "[attestation_service]\ntimeout = \"5\"", -EINVAL, "number"},
		{CONFIG_BASE "[storage_backend]\nstorage_type = \"Redis\"", -EOPNOTSUPP, "Redis"},
		{CONFIG_BASE "[storage_backend]\nstorage_type = \"Postgres\"", -EINVAL,
			"db and username"},
		{"[http_server]\nsockets = [\"[::]:1\", \"db:1\"]", -EINVAL,
			"db:1 is not ADDRESS:PORT"},
		{CONFIG_BASE CONFIG_POSTGRES, -EINVAL, "key_path"},
		{CONFIG_BASE CONFIG_POSTGRES CONFIG_SIGNER, 0, NULL},
		{CONFIG_BASE CONFIG_POSTGRES "hosts = \"x\"\n", -EINVAL, "not a known key"},
		{CONFIG_BASE CONFIG_POSTGRES "host = \"db\"\n", -EINVAL, "sslrootcert"},
		{CONFIG_BASE CONFIG_POSTGRES "sslmode = \"yes\"\n", -EINVAL, "sslmode"},
		{CONFIG_BASE CONFIG_POSTGRES "sslmode = \"verify-ca\"\n", -EINVAL, "sslrootcert"},
		{CONFIG_BASE CONFIG_POSTGRES "sslcert = \"c\"\nsslmode = \"require\"\n", -EINVAL,
			"sslkey"},
		{CONFIG_BASE CONFIG_POSTGRES "host = \"db\"\nsslrootcert = \"c\"\n" CONFIG_SIGNER,
			0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"pkcs12\"", -EOPNOTSUPP, "pkcs12"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"", 0, NULL},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"pkcs11:object=k\"\npublic_key_path = \"p\"",
			0, NULL},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"tpm:file=/k\"", -EINVAL, "token-key"},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"/k.pem\"\npublic_key_path = \"p\"", -EINVAL,
			"URI"},
		{CONFIG_BASE CONFIG_SIGNER_IN "key = \"tpm:file=/k\"\nkey_path = \"k\"", -EINVAL,
			"excludes"},
		{CONFIG_BASE CONFIG_SIGNER_IN "public_key_path = \"p\"", -EINVAL, "belongs to key"},
		{CONFIG_BASE CONFIG_NEBULA "", 0, NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {name = \"n\", duration = \"1h30m\", ips = "
					   "\"10.0.0.0/8\", groups = \"a,b\"}",
			0, NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {duration = \"1d\"}", -EINVAL, "duration"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {ips = \"10.0.0.0\"}", -EINVAL, "IPv4"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {curve = \"P256\"}", 0, NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {curve = \"P384\"}", -EINVAL, "curve"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {version = 2, ips = \"fd00::/8\"}", 0,
			NULL},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {ips = \"fd00::/8\"}", -EINVAL,
			"version 1"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {ips = \"0.0.0.0/0\"}", -EINVAL,
			"address 0"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {version = 3}", -EINVAL, "version"},
		{CONFIG_BASE CONFIG_NEBULA "ca_config = {name = \"\"}", -EINVAL, "name"},
		{CONFIG_BASE CONFIG_NEBULA "work_dir = \"/x\"", -EOPNOTSUPP, "work_dir"},
		{CONFIG_BASE CONFIG_PKCS11 "pin_file = \"/p\"\nrsa_mechanism = \"RsaPkcsTest\"", 0,
			NULL},
		{CONFIG_BASE CONFIG_PKCS11 "", -EINVAL, "pin_file or pin"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"\npin_file = \"/p\"", -EINVAL,
			"pin_file or pin"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"\nrsa_mechanism = \"RsaPkcs\"", -EINVAL,
			"rsa_mechanism"},
		{CONFIG_BASE CONFIG_PKCS11 "pin = \"1\"\nmodule_environment = [\"X\"]", -EINVAL,
			"NAME=VALUE"},
		{CONFIG_BASE "[[plugins]]\nname = \"pkcs11\"\nmodule = \"m.so\"", -EINVAL,
			"absolute"},
		{CONFIG_BASE CONFIG_PLUGIN "", 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Aws"), 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("aws") "region = \"eu-1\"\nprefix = \"p/\"", 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Aws") "project_id = \"p\"", -EINVAL, "project_id"},
		{CONFIG_BASE CONFIG_STORAGE("Aws") "session_token = \"t\"", -EINVAL,
			"with session_token"},
		{CONFIG_BASE CONFIG_STORAGE("Aws") "connections = 17", -EINVAL, "from 1 to 16"},
		{CONFIG_BASE CONFIG_STORAGE("Gcp") "project_id = \"p\"\nprefix = \"a/\"", -EINVAL,
			"prefix"},
		{CONFIG_BASE CONFIG_STORAGE("Gcp") "project_id = \"p\"", 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Azure") "vault_url = \"https://v.vault.azure.net\"", 0,
			NULL},
		{CONFIG_BASE CONFIG_STORAGE("Azure") "vault_url = \"http://v.vault.azure.net\"",
			-EINVAL, "https"},
		{CONFIG_BASE CONFIG_STORAGE("Aliyun") CONFIG_ALIYUN, 0, NULL},
		{CONFIG_BASE CONFIG_STORAGE("Aliyun") CONFIG_ALIYUN "ca_certs = [\"x\"]", -EINVAL,
			"cert_pem"},
		{CONFIG_BASE CONFIG_STORAGE("Oracle"), -EOPNOTSUPP, "Oracle"},
		{CONFIG_BASE CONFIG_PLUGIN "[[plugins]]\nname = \"resource\"", -EINVAL, "twice"},
		{CONFIG_BASE CONFIG_PLUGIN "[[plugins]]\nname = \"sample\"", 0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"sample\"\nitem = \"x\"\n", 0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"sample\"\nitems = \"x\"\n", -EINVAL,
			"not a known key"},
		{CONFIG_BASE "[[plugins]]\nname = \"vault\"", -EOPNOTSUPP, "vault"},
		{CONFIG_BASE CONFIG_EXTERNAL "", -EINVAL, "at least one"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = {}", -EINVAL, "array of tables"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [1]", -EINVAL, "array of tables"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a", "http://x:1") "]", 0,
			NULL},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B(
			 "a", "http://x:1") "," CONFIG_B("a", "http://y:1") "]",
			-EINVAL, "twice"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a/b", "http://x:1") "]",
			-EINVAL, "A-Za-z"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a", "https://x:1") "]",
			-EINVAL, "ca_cert_path"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [" CONFIG_B("a", "unix:x") "]", -EINVAL,
			"endpoint"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{name = \"a\"}]", -EINVAL, "endpoint"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{tls_mode = \"x\"}]", -EINVAL,
			"not a known key"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{timeout_ms = 30000}]", -EINVAL,
			"from 1 to 25000"},
		{CONFIG_BASE CONFIG_EXTERNAL "backends = [{name = 1}]", -EINVAL, "string"},
		{CONFIG_BASE "[[plugins]]\nname = \"provisioner\"", 0, NULL},
		{CONFIG_BASE "[[plugins]]\nname = \"provisioner\"\nkey_length = 8", -EINVAL,
			"from 22"},
		{CONFIG_BASE "[[plugins]]\n", -EOPNOTSUPP, "without a name"},
		{CONFIG_BASE CONFIG_PLUGIN "token = \"t\"", -EINVAL, "not a known key"},
		{CONFIG_BASE CONFIG_VAULT "", 0, NULL},
		{CONFIG_BASE CONFIG_VAULT "mount_path = \"kv/team\"\nprefix = \"a/b\"\n"
					  "kv_version = 2\nconnections = 16",
			0, NULL},
		{CONFIG_BASE CONFIG_PLUGIN "storage_backend_type = \"Vault\"", -EINVAL,
			"needs vault_url and token"},
		{CONFIG_BASE CONFIG_VAULT "kv_version = 3", -EINVAL, "from 1 to 2"},
		{CONFIG_BASE CONFIG_VAULT "mount_path = \"../sys\"", -EINVAL, "mount_path"},
		{CONFIG_BASE CONFIG_VAULT "prefix = \"a/\"", -EINVAL, "prefix"},
		{CONFIG_BASE CONFIG_VAULT "ca_certs = \"a\"", -EINVAL, "list"},
		{CONFIG_BASE CONFIG_PLUGIN "storage_backend_type = \"Vault\"\ntoken = \"t\"\n"
					   "vault_url = \"https://v/ui\"",
			-EINVAL, "vault_url"},
		{CONFIG_BASE CONFIG_PLUGIN
			"storage_backend_type = \"Vault\"\ntoken = \"t\\r\\nx\"\n"
			"vault_url = \"https://v\"",
			-EINVAL, "printable"},
		{"[http_server]\n[husk]\nstore = \"x\"", -EINVAL, "husk-kbs init"},
		{"[http_server]\ninsecure_http = true\n", -EINVAL, "store"},
		{"[http_server]\ninsecure_http = true\nprivate_key = \"k\"\n[husk]\nstore = \"x\"",
			-EINVAL, "contradicts"},
		{"[http_server", -EBADMSG, ""},
	};
	struct kbs_config c = {0};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err e = {0};
		int r = kbs_config_parse(slice_str(rows[i].text), &c, &e);

		if (r != rows[i].want)
			fail_msg("%s: %d %s", rows[i].text, r, e.text);
		if (r < 0 && !strstr(e.text, rows[i].says))
			fail_msg("%s: \"%s\" does not say %s", rows[i].text, e.text, rows[i].says);
		kbs_config_done(&c);
	}
	assert_int_equal(kbs_config_parse(slice_str(CONFIG_BASE), &c, NULL), 0);
	/* The defaults that matter. */
	assert_int_equal(c.admin.mode, ADMIN_DENY_ALL);
	assert_false(c.as.insecure_accept_sample);
	assert_int_equal(c.as.timeout_min, 5);
	assert_int_equal(c.http.body_max_mib, 2);
	assert_string_equal(c.http.sockets.items[0], "127.0.0.1:8080");
	assert_true(c.broker.verbose_token);
	assert_true(c.plugins[PLUGIN_RESOURCE]);
	assert_false(c.plugins[PLUGIN_SAMPLE]);
	kbs_config_done(&c);
	/* Who lists plugins has those and no others. */
	assert_int_equal(
		kbs_config_parse(SLICE_LIT(CONFIG_BASE "[[plugins]]\nname = \"sample\""), &c, NULL),
		0);
	assert_false(c.plugins[PLUGIN_RESOURCE]);
	assert_true(c.plugins[PLUGIN_SAMPLE]);
	kbs_config_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
