/* SPDX-License-Identifier: Apache-2.0 */
/* [storage_backend] of the configuration: where the broker keeps what it knows. */
#include "base/str.h"
#include "trustee/kbs/config-read.h"

static const struct key g_storage[] = {
	STR("storage_type", store.type, "Sqlite"),
	TABLE("backends"),
};
static const struct key g_postgres[] = {
	STR("host", postgres.host, "/run/postgresql"),
	NUM("port", postgres.port, 1, 65535, 5432),
	STR("db", postgres.db, NULL),
	STR("username", postgres.username, NULL),
	STR("password", postgres.password, NULL),
	STR("sslmode", postgres.sslmode, NULL),
	STR("sslrootcert", postgres.sslrootcert, NULL),
	STR("sslcert", postgres.sslcert, NULL),
	STR("sslkey", postgres.sslkey, NULL),
	NUM("connect_timeout_ms", postgres.connect_timeout_ms, 100, 60000, 3000),
	NUM("statement_timeout_ms", postgres.statement_timeout_ms, 100, 60000, 5000),
};

static bool is_type(const char *text, const char *name, const char *snake)
{
	return streq(text, name) || streq(text, snake);
}

static bool is_local_host(const char *host)
{
	return host[0] == '/' || streq(host, "localhost") || streq(host, "::1") ||
	       str_starts(host, "127.");
}

/* libpq's own default falls back to plaintext when somebody in between says that there is no TLS. */
static int check_postgres_tls(struct kbs_config *c, struct err *reterr)
{
	static const char section[] = "storage_backend.backends.postgres";
	static const char *const modes[] = {
		"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
	size_t i = 0;

	if (!c->postgres.sslmode && !is_local_host(c->postgres.host))
		c->postgres.sslmode = "verify-full";
	if (!c->postgres.sslmode)
		return 0;
	while (i < ARRAY_COUNT(modes) && !streq(modes[i], c->postgres.sslmode))
		i++;
	if (i == ARRAY_COUNT(modes))
		return config_bad(reterr, section, "sslmode",
			"must be verify-full, verify-ca, require, prefer, allow or disable");
	if (str_starts(c->postgres.sslmode, "verify-") && !c->postgres.sslrootcert)
		return config_bad(reterr, section, "sslrootcert",
			"is missing: name the PEM file of who certifies the server, for sslmode "
			"verify-full (which is the default for servers elsewhere) and verify-ca");
	if (!c->postgres.sslcert != !c->postgres.sslkey)
		return config_bad(reterr, section, "sslkey", "belongs together with sslcert");
	return 0;
}

int config_read_store(const json_t *root, struct kbs_config *c, struct err *reterr)
{
	const json_t *table = json_object_get(root, "storage_backend");
	const json_t *postgres = json_object_get(json_object_get(table, "backends"), "postgres");
	const char *session = json_string_value(json_object_get(root, "session_storage_type"));
	int r = config_read_section(SECTION("storage_backend", g_storage), table, c, reterr);

	if (r == 0)
		r = config_read_section(SECTION("storage_backend.backends.postgres", g_postgres),
			postgres, c, reterr);
	if (r < 0)
		return r;
	c->store.postgres = is_type(c->store.type, "Postgres", "postgres");
	if (!c->store.postgres && !is_type(c->store.type, "Sqlite", "sqlite"))
		return err_set(reterr, -EOPNOTSUPP,
			"[storage_backend] storage_type %s is not supported: use Sqlite, and name "
			"the file in [husk] store, or Postgres; `husk kbs import` moves Trustee's "
			"files",
			c->store.type);
	if (c->store.postgres && (!c->postgres.db || !c->postgres.username))
		return err_set(reterr, -EINVAL,
			"[storage_backend.backends.postgres] needs db and username");
	r = c->store.postgres ? check_postgres_tls(c, reterr) : 0;
	if (r < 0)
		return r;
	/* Sessions are where the store is: in memory for one broker, shared between several. */
	if (session && !is_type(session, "Memory", "memory") &&
		!(c->store.postgres && is_type(session, "Postgres", "postgres")))
		return err_set(reterr, -EOPNOTSUPP,
			"session_storage_type %s is not supported here: leave it out", session);
	if (c->store.postgres && !c->signer.key_path && !c->signer.key)
		return err_set(reterr, -EINVAL,
			"[attestation_service.attestation_token_broker.signer] key_path is missing: "
			"replicas that share a store need the same token key");
	return 0;
}
