/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/role.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/sandbox.h"

int role_confine(const struct kbs_config *c, const char *role, const struct sandbox_path *paths,
	size_t count, unsigned groups, struct err *reterr)
{
	int r = sandbox_basic(reterr);

	/* A client that makes a process grow must not take the machine's memory. */
	if (r == 0)
		r = sandbox_memory((size_t)c->husk.memory_max_mib << 20, reterr);

	if (r < 0)
		return r;
	if (c->husk.insecure_no_sandbox) {
		log_warn("kbs.insecure", LOG_STR("option", "insecure_no_sandbox"),
			LOG_STR("role", role), LOG_STR("effect", "this process is not confined"));
		return 0;
	}
	r = sandbox_files(paths, count, reterr);
	if (r == -EOPNOTSUPP)
		/* The system-call filter still holds; only the vault may open files at all. */
		log_warn("kbs.sandbox", LOG_STR("role", role), LOG_STR("reason", reterr->text));
	else if (r < 0)
		return r;
	return sandbox_calls(groups, reterr);
}

/* Names are looked up and roots of trust read when a connection is made. */
int role_confine_network(const struct kbs_config *c, const char *role,
	const struct sandbox_path *more, size_t more_count, struct err *reterr)
{
	static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/ssl",
		"/usr/lib/ssl", "/usr/share/ca-certificates"};
	struct sandbox_path paths[ARRAY_COUNT(files) + ROLE_PATHS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		if (access(files[i], R_OK) == 0)
			paths[count++] = (struct sandbox_path){files[i], SANDBOX_READ};
	}
	for (size_t i = 0; i < more_count && i < ROLE_PATHS_MAX; i++)
		paths[count++] = more[i];
	return role_confine(c, role, paths, count,
		SANDBOX_EVENTS | SANDBOX_SOCKETS | SANDBOX_CONNECT | SANDBOX_FILES, reterr);
}

const char *role_worker_name(const struct kbs_config *c, unsigned index)
{
	static const char *const names[WORKER_KINDS_] = {[WORKER_VERIFIER] = "verifier",
		[WORKER_REMOTE] = "remote",
		[WORKER_BACKEND] = "backend",
		[WORKER_EXTERNAL] = "external",
		[WORKER_HSM] = "hsm",
		[WORKER_SIGNER] = "signer",
		[WORKER_FETCHER] = "fetcher"};
	int kind = 0;

	for (; kind < WORKER_FETCHER; kind++) {
		unsigned count = kbs_config_workers(c, (enum worker_kind)kind);

		if (index < count)
			break;
		index -= count;
	}
	return names[kind];
}

static int tell_supervisor(uint32_t tag)
{
	return send(ROLE_FD_CONTROL, &tag, sizeof(tag), MSG_NOSIGNAL) == sizeof(tag) ? 0 : -errno;
}

int role_ready(void)
{
	return tell_supervisor(CONTROL_READY);
}

int role_answer(int result)
{
	return tell_supervisor(result == 0 ? CONTROL_READY : CONTROL_REFUSED);
}

void role_log(const struct kbs_config *c, const char *role)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	static char program[64]; /* for the life of the process */
	enum log_level level = LOG_LEVEL_INFO;

	for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
		if (c->husk.log_level && streq(levels[i], c->husk.log_level))
			level = (enum log_level)i;
	}
	snprintf(program, sizeof(program), "husk-%s%s%s", c->husk.service_name, role ? "-" : "",
		role ? role : "");
	log_setup(program, level, c->husk.log_json, 2);
}

int role_reload_read(int fd, struct reload *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(CONFIG_FILE_MAX * 8);
	cleanup_fd int owned = fd;
	int r = fd_read_all(owned, &text);

	*ret = (struct reload){.config = calloc(1, sizeof(*ret->config))};
	if (r == 0 && !ret->config)
		r = -ENOMEM;
	if (r == 0)
		r = json_parse(buf_slice(&text), CONFIG_FILE_MAX * 8, &ret->root, reterr);
	if (r == 0)
		r = kbs_config_from_json(json_object_get(ret->root, "config"), ret->config, reterr);
	if (r < 0) {
		role_reload_done(ret);
		return r;
	}
	ret->certificate = json_string_value(json_object_get(ret->root, "certificate"));
	ret->private_key = json_string_value(json_object_get(ret->root, "private_key"));
	ret->client_ca = json_string_value(json_object_get(ret->root, "client_ca"));
	if (!ret->certificate || !ret->private_key || !ret->client_ca) {
		role_reload_done(ret);
		return err_set(reterr, -EPROTO, "the supervisor's message lacks a member");
	}
	return 0;
}

void role_reload_done(struct reload *r)
{
	if (r->config)
		kbs_config_done(r->config);
	free(r->config);
	json_decref(r->root);
	*r = (struct reload){0};
}

/* All roles share one open file: pread() leaves its offset alone. */
static int read_config(int fd, struct buf *out)
{
	for (;;) {
		uint8_t *room = buf_reserve(out, 4096);
		ssize_t n = room ? pread(fd, room, 4096, (off_t)out->size) : -1;

		if (n < 0)
			return room ? -errno : buf_error(out);
		if (n == 0)
			return 0;
		buf_commit(out, (size_t)n);
	}
}

int role_main(const char *role)
{
	static const struct {
		const char *name;
		int (*run)(const struct kbs_config *c);
		bool outside; /* talks to programs that are not ours, which may go away */
	} roles[] = {
		{"front", role_front, true},
		{"vault", role_vault, false},
		{"verifier", role_verifier, false},
		{"remote", role_remote, true},
		{"fetcher", role_fetcher, true},
		{"backend", role_backend, true},
		{"external", role_external, true},
		{"hsm", role_hsm, true},
		{"signer", role_signer, true},
	};
	cleanup_with(kbs_config_done) struct kbs_config config = {0};
	cleanup_with(buf_done) struct buf text = buf_init(CONFIG_FILE_MAX * 4);
	cleanup_fd int fd = ROLE_FD_CONFIG;
	struct err e = {0};
	json_t *root = NULL;
	int r = read_config(fd, &text);

	if (r == 0) {
		root = json_loadb((const char *)text.data, text.size, 0, NULL);
		r = root ? kbs_config_from_json(root, &config, &e) : -EBADMSG;
		json_decref(root);
	}
	if (r < 0) {
		fprintf(stderr, "husk: role %s: %s\n", role, err_text(&e, r));
		return 1;
	}
	for (size_t i = 0; i < ARRAY_COUNT(roles); i++) {
		if (streq(roles[i].name, role)) {
			role_log(&config, role);
			if (roles[i].outside)
				signal(SIGPIPE, SIG_IGN);
			return roles[i].run(&config);
		}
	}
	fprintf(stderr, "husk: unknown role %s\n", role);
	return 2;
}

void role_warn(const struct kbs_config *c)
{
	if (c->admin.mode == ADMIN_INSECURE_ALLOW_ALL)
		log_warn("kbs.insecure", LOG_STR("option", "InsecureAllowAll"),
			LOG_STR("effect", "everybody who reaches this port is an admin"));
	/* Plaintext on loopback is what the services' peers expect. */
	if (c->http.insecure_http && c->husk.service == SERVICE_KBS)
		log_warn("kbs.insecure", LOG_STR("option", "insecure_http"),
			LOG_STR("effect", "tokens and cookies travel in the clear"));
	if (c->token.insecure_header_jwk)
		log_warn("kbs.insecure", LOG_STR("option", "insecure_header_jwk"),
			LOG_STR("effect", "every token that brings its own key is accepted"));
	if (c->resource.backend == BACKEND_VAULT &&
		(!c->resource.verify_ssl || str_starts(c->resource.vault_url, "http://")))
		log_warn("kbs.insecure",
			LOG_STR("option", c->resource.verify_ssl ? "vault_url" : "verify_ssl"),
			LOG_STR("effect",
				"Vault's token and secrets go to whoever poses as Vault"));
	for (size_t i = 0; i < c->external.count; i++) {
		if (str_starts(c->external.backends[i].endpoint, "http://"))
			log_warn("kbs.insecure", LOG_STR("option", "endpoint"),
				LOG_STR("backend", c->external.backends[i].name),
				LOG_STR("effect", "what the plugin gives travels in the clear"));
	}
	if (c->store.postgres && c->postgres.sslmode && c->postgres.host[0] != '/' &&
		!str_starts(c->postgres.sslmode, "verify-"))
		log_warn("kbs.insecure", LOG_STR("option", "sslmode"),
			LOG_STR("effect",
				"whoever is between us and the database reads and changes "
				"the store"));
	if (c->husk.insecure_no_sandbox)
		log_warn("kbs.insecure", LOG_STR("option", "insecure_no_sandbox"),
			LOG_STR("effect", "a break-in into one process is not contained"));
	if (c->husk.insecure_no_client_auth)
		log_warn("kbs.insecure", LOG_STR("option", "insecure_no_client_auth"),
			LOG_STR("effect", "everybody who reaches a port sets policies and "
					  "reference values"));
	if (c->husk.insecure_allow_unbound_evidence)
		log_warn("kbs.insecure", LOG_STR("option", "insecure_allow_unbound_evidence"),
			LOG_STR("effect", "tokens for evidence that may be old"));
	if (!c->signer.key_path && !c->signer.key && c->husk.service != SERVICE_RVPS)
		log_warn("kbs.token.ephemeral",
			LOG_STR("effect", "no signer key_path: tokens do not outlive a restart"));
}

/* What the service manager wants to know; a plain datagram, see sd_notify(3). */
void role_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	cleanup_fd int fd = -1;
	size_t n;

	if (!path || (path[0] != '/' && path[0] != '@') ||
		str_copy(to.sun_path, sizeof(to.sun_path), path) < 0)
		return;
	n = strlen(path);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}
