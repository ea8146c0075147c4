/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/front-core.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/ipc.h"
#include "net/sandbox.h"
#include "trustee/kbs/wire.h"

#define VAULT_QUEUE_MAX ((size_t)128 << 20)
#define FDS_OWN 32
#define GRACE_S 3 /* for what is under way when the end comes */

static void on_vault_message(void *cookie, struct slice message)
{
	struct front_core *f = cookie;
	json_t *header = NULL;
	struct slice body;
	uint64_t id;

	if (wire_unpack(message, &header, &body) < 0) {
		log_error("front.vault.protocol", LOG_U64("size", message.size));
		f->exit_code = 1;
		event_base_loopbreak(f->base);
		return;
	}
	id = (uint64_t)wire_int(header, "id");
	f->ops->answer(f->cookie, (uint32_t)id, (uint32_t)(id >> 32), header, body);
	json_decref(header);
}

static void on_vault_closed(void *cookie)
{
	struct front_core *f = cookie;

	event_base_loopbreak(f->base);
}

int front_forward(struct front_core *f, json_t *header, uint32_t index, uint32_t generation,
	struct slice body)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(IPC_MESSAGE_MAX);
	uint64_t id = (uint64_t)generation << 32 | index;
	int r = header ? json_object_set_new(header, "id", json_integer((json_int_t)id)) : -EBADMSG;

	if (r == 0)
		r = wire_pack(&out, header, body);
	json_decref(header);
	if (r == 0 && ipc_pending(f->vault) > VAULT_QUEUE_MAX)
		r = -EAGAIN;
	return r < 0 ? r : ipc_send(f->vault, buf_slice(&out));
}

void front_answered(struct front_core *f)
{
	if (f->stopping && f->ops->open(f->cookie) == 0)
		event_base_loopexit(f->base, NULL);
}

static void on_tick(evutil_socket_t fd, short what, void *cookie)
{
	const struct front_core *f = cookie;

	f->ops->tick(f->cookie);
}

static void on_term(evutil_socket_t fd, short what, void *cookie)
{
	struct front_core *f = cookie;
	const struct timeval grace = {GRACE_S, 0};

	f->stopping = true;
	f->ops->pause(f->cookie);
	event_base_loopexit(f->base, f->ops->open(f->cookie) ? &grace : NULL);
}

/* --- reload --- */

static struct tls_pem pem_of(const struct reload *fresh)
{
	return (struct tls_pem){.certificate = slice_str(fresh->certificate),
		.private_key = slice_str(fresh->private_key),
		.client_ca = slice_str(fresh->client_ca)};
}

/* Takes over @fresh when it succeeds. */
static int apply(struct front_core *f, struct reload *fresh, struct err *reterr)
{
	const struct tls_pem pem = pem_of(fresh);
	int r = f->ops->prepare ? f->ops->prepare(f->cookie, fresh->config, reterr) : 0;

	if (r == 0 && pem.certificate.size > 0)
		r = f->ops->set_tls(f->cookie, &pem, reterr);
	if (r < 0)
		return r;
	if (f->ops->commit)
		f->ops->commit(f->cookie);
	role_log(fresh->config, "front");
	role_reload_done(&f->reload);
	f->reload = *fresh;
	*fresh = (struct reload){0};
	f->config = f->reload.config;
	return 0;
}

static int reload(struct front_core *f, int fd, bool check, struct err *reterr)
{
	struct reload fresh = {0};
	int r = role_reload_read(fd, &fresh, reterr);

	if (r == 0 && check) {
		const struct tls_pem pem = pem_of(&fresh);

		r = pem.certificate.size > 0 ? tls_server_check_pem(&pem, reterr) : 0;
	} else if (r == 0) {
		r = apply(f, &fresh, reterr);
	}
	role_reload_done(&fresh);
	return r;
}

static void on_control(evutil_socket_t sock, short what, void *cookie)
{
	struct front_core *f = cookie;
	struct err e = {0};
	uint32_t tag = 0;
	int fd = -1;
	int r = ipc_recv_fd(sock, &fd, &tag);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		event_base_loopbreak(f->base); /* the supervisor is gone */
		return;
	}
	r = reload(f, fd, tag == CONTROL_CHECK, &e);
	if (r < 0)
		log_error("front.reload.refused", LOG_STR("reason", err_text(&e, r)));
	else if (tag == CONTROL_RELOAD)
		log_info("front.reload", LOG_STR("effect", f->ops->reloaded));
	if (role_answer(r) < 0)
		event_base_loopbreak(f->base);
}

/* --- start --- */

/* Accepting stops at this many descriptors; a listener then waits for one to become free. */
static int limit_connections(const struct kbs_config *c, struct err *reterr)
{
	const rlim_t want = (rlim_t)c->husk.connections_max + FDS_OWN;
	struct rlimit limit = {want, want};
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < want)
		limit = (struct rlimit){now.rlim_max, now.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set(reterr, -errno, "cannot limit descriptors: %m");
	return 0;
}

static int start(struct front_core *f, struct err *reterr)
{
	static const struct timeval second = {1, 0};
	struct event *timer, *term, *control;
	int r;

	f->base = event_base_new();
	if (!f->base)
		return -ENOMEM;
	f->vault = ipc_new(
		f->base, ROLE_FD_LINK, IPC_MESSAGE_MAX, on_vault_message, on_vault_closed, f);
	timer = event_new(f->base, -1, EV_PERSIST, on_tick, f);
	term = evsignal_new(f->base, SIGTERM, on_term, f);
	control = event_new(f->base, ROLE_FD_CONTROL, EV_READ | EV_PERSIST, on_control, f);
	if (!f->vault || !timer || !term || !control)
		return -ENOMEM;
	event_add(timer, &second);
	event_add(term, NULL);
	event_add(control, NULL);
	r = f->ops->listen(f->cookie, reterr);
	if (r == 0)
		r = limit_connections(f->config, reterr);
	return r < 0 ? r
		     : role_confine(f->config, "front", NULL, 0, SANDBOX_EVENTS | SANDBOX_SOCKETS,
			       reterr);
}

int front_run(struct front_core *f)
{
	struct err e = {0};
	int r;

	r = start(f, &e);
	if (r == 0)
		r = role_ready();
	if (r < 0) {
		log_error("front.start", LOG_STR("reason", err_text(&e, r)));
		return 1;
	}
	event_base_dispatch(f->base);
	return f->exit_code;
}
