/* SPDX-License-Identifier: Apache-2.0 */
/* The vault process: a struct vault with sockets around it. */
#include <event2/event.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/disk_sync.h"
#include "net/ipc.h"
#include "net/sandbox.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/vault.h"
#include "trustee/kbs/wire.h"

#define FRONT_QUEUE_MAX ((size_t)64 << 20)
#define TICK_S 1

struct vault_process;

struct verifier_link {
	struct vault_process *process;
	unsigned index;
	struct ipc *ipc;
};

struct vault_process {
	struct event_base *base;
	struct vault *vault;
	struct ipc *front;
	struct verifier_link verifiers[WORKERS_MAX];
	unsigned verifier_count;
	struct event *flush;
	struct disk_sync *disk; /* NULL: the kernel has no asynchronous sync */
	struct reload reload;	/* owns the configuration after a reload */
	int exit_code;
};

static void to_front(void *cookie, const json_t *header, struct slice body)
{
	struct vault_process *p = cookie;
	cleanup_with(buf_done) struct buf out = buf_init_secret(WIRE_BODY_MAX);
	int r = wire_pack(&out, header, body);

	/* A front that reads nothing must not make the vault grow. */
	if (r == 0 && ipc_pending(p->front) > FRONT_QUEUE_MAX)
		r = -E2BIG;
	if (r == 0)
		r = ipc_send(p->front, buf_slice(&out));
	if (r < 0)
		log_error("vault.answer.lost", LOG_STR("reason", strerror(-r)));
}

static int to_verifier(void *cookie, unsigned index, const json_t *header, struct slice body)
{
	struct vault_process *p = cookie;
	cleanup_with(buf_done) struct buf out = buf_init(IPC_MESSAGE_MAX);
	int r;

	if (index >= p->verifier_count || !p->verifiers[index].ipc)
		return -EPIPE;
	r = wire_pack(&out, header, body);
	return r < 0 ? r : ipc_send(p->verifiers[index].ipc, buf_slice(&out));
}

static int64_t now_unix(void *cookie)
{
	return clock_unix_s();
}

static int64_t now_ms(void *cookie)
{
	return (int64_t)clock_mono_ms();
}

static void flush_soon(void *cookie)
{
	struct vault_process *p = cookie;

	/* It runs behind the events at hand, so that what they write shares one commit. */
	event_active(p->flush, 0, 0);
}

static int start_sync(void *cookie, int fd)
{
	struct vault_process *p = cookie;

	return disk_sync_start(p->disk, fd);
}

static void on_disk(evutil_socket_t fd, short what, void *cookie)
{
	struct vault_process *p = cookie;
	int r = disk_sync_end(p->disk);

	if (r != -EAGAIN)
		vault_synced(p->vault, r);
}

static void on_flush(evutil_socket_t fd, short what, void *cookie)
{
	struct vault_process *p = cookie;

	vault_flush(p->vault);
}

static void on_front_message(void *cookie, struct slice message)
{
	struct vault_process *p = cookie;
	json_t *header = NULL;
	struct slice body;

	if (wire_unpack(message, &header, &body) < 0) {
		log_error("vault.front.protocol", LOG_U64("size", message.size));
		p->exit_code = 1;
		event_base_loopbreak(p->base);
		return;
	}
	vault_front_message(p->vault, header, body);
	json_decref(header);
}

static void on_front_closed(void *cookie)
{
	struct vault_process *p = cookie;

	event_base_loopbreak(p->base);
}

static void verifier_gone(struct verifier_link *link)
{
	ipc_free(steal_ptr(link->ipc));
	vault_verifier_down(link->process->vault, link->index);
}

static void on_verifier_message(void *cookie, struct slice message)
{
	struct verifier_link *link = cookie;
	json_t *header = NULL;
	struct slice body;
	int r = wire_unpack(message, &header, &body);

	if (r == 0)
		r = vault_verifier_message(link->process->vault, link->index, header);
	json_decref(header);
	if (r < 0) {
		log_error("vault.verifier.protocol", LOG_U64("verifier", link->index));
		verifier_gone(link);
	}
}

static void on_verifier_closed(void *cookie)
{
	struct verifier_link *link = cookie;

	log_error("vault.verifier.gone", LOG_U64("verifier", link->index));
	verifier_gone(link);
}

static int reload(struct vault_process *p, int fd)
{
	struct reload fresh = {0};
	struct err e = {0};
	int r = role_reload_read(fd, &fresh, &e);

	if (r == 0)
		r = vault_reload(p->vault, fresh.config, &e);
	if (r < 0) {
		role_reload_done(&fresh);
		log_error("vault.reload.refused", LOG_STR("reason", err_text(&e, r)));
		return r;
	}
	role_log(fresh.config, "vault");
	role_reload_done(&p->reload);
	p->reload = fresh;
	log_info("vault.reload",
		LOG_STR("effect", "admins, keys, collateral and limits are in use"));
	return 0;
}

/* The supervisor passes the socket of each verifier it starts. */
static void on_control(evutil_socket_t fd, short what, void *cookie)
{
	struct vault_process *p = cookie;
	struct verifier_link *link;
	uint32_t index = 0;
	int sock = -1;
	int r = ipc_recv_fd(fd, &sock, &index);

	if (r == -EAGAIN)
		return;
	if (r == 0 && index == CONTROL_RELOAD) {
		if (role_answer(reload(p, sock)) < 0)
			event_base_loopbreak(p->base);
		return;
	}
	if (r < 0 || index >= p->verifier_count) {
		/* The supervisor is gone, or confused: the end of all. */
		event_base_loopbreak(p->base);
		return;
	}
	link = &p->verifiers[index];
	if (link->ipc)
		verifier_gone(link);
	link->ipc = ipc_new(
		p->base, sock, IPC_MESSAGE_MAX, on_verifier_message, on_verifier_closed, link);
	if (link->ipc)
		vault_verifier_up(p->vault, index);
}

static void on_tick(evutil_socket_t fd, short what, void *cookie)
{
	struct vault_process *p = cookie;

	vault_tick(p->vault);
}

static void on_signal(evutil_socket_t fd, short what, void *cookie)
{
	struct vault_process *p = cookie;

	event_base_loopbreak(p->base);
}

#define PATHS_MAX 64

struct paths {
	struct sandbox_path items[PATHS_MAX];
	char folders[PATHS_MAX][PATH_MAX];
	size_t count;
};

/*
 * A reload reads these again, and a file that was replaced is another file: so their folders. What
 * is not there now cannot be read later either.
 */
static void add_folder(struct paths *p, const char *uri, enum sandbox_access access_kind)
{
	const char *path = uri ? kbs_config_path(uri) : NULL;
	char *folder;

	if (!path || p->count >= PATHS_MAX)
		return;
	folder = p->folders[p->count];
	if (str_copy(folder, PATH_MAX, path) < 0)
		return;
	p->items[p->count] = (struct sandbox_path){dirname(folder), access_kind};
	if (access(p->items[p->count].path, R_OK) == 0)
		p->count++;
}

static void add_file(struct paths *p, const char *path)
{
	if (path && p->count < PATHS_MAX && access(path, R_OK) == 0)
		p->items[p->count++] = (struct sandbox_path){path, SANDBOX_READ};
}

static void add_reloaded(struct paths *p, const struct kbs_config *c)
{
	add_folder(p, c->signer.key_path, SANDBOX_READ);
	add_folder(p, c->signer.public_key_path, SANDBOX_READ);
	add_folder(p, c->signer.cert_path, SANDBOX_READ);
	add_folder(p, c->husk.collateral, SANDBOX_READ);
	add_folder(p, c->husk.se_key, SANDBOX_READ);
	for (size_t i = 0; i < c->admin.provider_count; i++) {
		add_folder(p, c->admin.providers[i].public_key_uri, SANDBOX_READ);
		add_folder(p, c->admin.providers[i].jwk_set_uri, SANDBOX_READ);
	}
	for (size_t i = 0; i < c->husk.rvps_trusted_keys.count; i++)
		add_folder(p, c->husk.rvps_trusted_keys.items[i], SANDBOX_READ);
	for (size_t i = 0; i < c->signer.published_key_paths.count; i++)
		add_folder(p, c->signer.published_key_paths.items[i], SANDBOX_READ);
	for (size_t i = 0; i < c->token.trusted_certs_paths.count; i++)
		add_folder(p, c->token.trusted_certs_paths.items[i], SANDBOX_READ);
	for (size_t i = 0; i < c->token.trusted_jwk_sets.count; i++)
		add_folder(p, c->token.trusted_jwk_sets.items[i], SANDBOX_READ);
}

/* With PostgreSQL: sockets to the network or to a local server, never both. */
static int confine(const struct kbs_config *c, struct err *reterr)
{
	cleanup(free_ptr) struct paths *p = calloc(1, sizeof(*p));
	unsigned groups =
		SANDBOX_EVENTS | SANDBOX_SOCKETS | SANDBOX_FILES | SANDBOX_FDPASS | SANDBOX_DISK;

	if (!p)
		return -ENOMEM;
	add_reloaded(p, c);
	if (!c->store.postgres) {
		/* SQLite makes and removes its journal beside the store, and syncs the folder. */
		add_folder(p, c->store.path, SANDBOX_WRITE);
	} else {
		/* Each connection reads these, and a certificate that was renewed is another file. */
		add_folder(p, c->postgres.sslrootcert, SANDBOX_READ);
		add_folder(p, c->postgres.sslcert, SANDBOX_READ);
		add_folder(p, c->postgres.sslkey, SANDBOX_READ);
		if (c->postgres.host[0] == '/') {
			groups |= SANDBOX_UNIX;
		} else {
			groups |= SANDBOX_CONNECT;
			add_file(p, "/etc/resolv.conf");
			add_file(p, "/etc/hosts");
		}
	}
	return role_confine(c, "vault", p->items, p->count, groups, reterr);
}

static int start(struct vault_process *p, const struct kbs_config *c, struct err *reterr)
{
	const struct vault_ops ops = {
		to_front, to_verifier, flush_soon, start_sync, now_unix, now_ms, p};
	const struct timeval tick = {TICK_S, 0};
	struct event *control, *timer, *term;
	int r = vault_new(c, &ops, &p->vault, reterr);

	if (r < 0)
		return r;
	p->base = event_base_new();
	if (!p->base)
		return -ENOMEM;
	p->verifier_count = role_workers(c);
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		p->verifiers[i] = (struct verifier_link){p, i, NULL};
	p->front = ipc_new(
		p->base, ROLE_FD_LINK, IPC_MESSAGE_MAX, on_front_message, on_front_closed, p);
	control = event_new(p->base, ROLE_FD_CONTROL, EV_READ | EV_PERSIST, on_control, p);
	timer = event_new(p->base, -1, EV_PERSIST, on_tick, p);
	term = evsignal_new(p->base, SIGTERM, on_signal, p);
	p->flush = event_new(p->base, -1, 0, on_flush, p);
	if (!p->front || !control || !timer || !term || !p->flush)
		return -ENOMEM;
	event_add(control, NULL);
	event_add(timer, &tick);
	event_add(term, NULL);
	p->disk = disk_sync_new();
	if (p->disk) {
		struct event *disk = event_new(
			p->base, disk_sync_eventfd(p->disk), EV_READ | EV_PERSIST, on_disk, p);

		if (!disk)
			return -ENOMEM;
		event_add(disk, NULL);
	}
	malloc_trim(0); /* what reading collateral and keys took */
	return confine(c, reterr);
}

int role_vault(const struct kbs_config *c)
{
	static struct vault_process p; /* for the life of the process, with all that hangs on it */
	struct err e = {0};
	int r = start(&p, c, &e);

	if (r == 0)
		r = role_ready();
	if (r < 0) {
		log_error("vault.start", LOG_STR("reason", err_text(&e, r)));
		return 1;
	}
	event_base_dispatch(p.base);
	vault_free(p.vault);
	return p.exit_code;
}
