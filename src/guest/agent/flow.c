/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in which order; see agent.h. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "guest/agent/agent.h"
#include "guest/agent/netif.h"
#include "guest/agent/policy.h"

#define IMAGE_ROOT "/run/image"
#define CONFIG_JSON_MAX ((size_t)1 << 20)

/* ---- container ---- */

static void on_started(void *cookie)
{
	struct agent *a = cookie;
	agent_phase(a, "start");
	agent_stage(a, STAGE_RUNNING);
}

static void on_failed(void *cookie, uint32_t code, const char *why)
{
	struct agent *a = cookie;
	a->fail_code = code;
	agent_fatal(a, NULL, NULL, "the container does not start: %s", why);
}

static void on_ended(void *cookie, uint32_t code, const char *reason)
{
	agent_exit(cookie, code, reason);
}

static bool on_output(void *cookie, bool is_stderr, struct slice bytes)
{
	struct agent *a = cookie;
	if (a->stage == STAGE_ENDING || !a->output_allowed)
		return true;
	hostlink_put(link_queue(a->link), is_stderr ? HOSTLINK_STDERR : HOSTLINK_STDOUT, bytes);
	link_flush(a->link);
	return link_pending(a->link) <= LINK_QUEUE_HIGH;
}

static void on_input_drained(void *cookie)
{
	struct agent *a = cookie;
	link_pause(a->link, false);
}

static int ask(struct agent *a, const char *rule, json_t *input, bool *ret, struct buf *why,
	struct err *reterr)
{
	enum policy_verdict verdict = POLICY_DENY;
	if (input == NULL)
		return -ENOMEM;
	int r = policy_ask(a->config.policy, rule, input, &verdict, why, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "agent policy, %s", rule);
	*ret = verdict == POLICY_ALLOW;
	return 0;
}

static int ask_streams(struct agent *a, struct err *reterr)
{
	cleanup(json_decref) json_t *input =
		json_pack("{s:s}", "container_id", a->run.name ? a->run.name : "app");
	int r = ask(a, "ReadStreamRequest", input, &a->output_allowed, NULL, reterr);
	if (r < 0)
		return r;
	r = ask(a, "WriteStreamRequest", input, &a->input_allowed, NULL, reterr);
	if (r < 0)
		return r;
	if (!a->output_allowed)
		agent_log(a, "the agent policy keeps the container's output inside the guest");
	return 0;
}

static int judge(struct agent *a, struct err *reterr)
{
	cleanup(json_decref) json_t *input = spec_policy_input(&a->spec);
	cleanup_with(buf_done) struct buf why = buf_init(4096);
	bool allowed = false;
	int r = ask(a, "CreateContainerRequest", input, &allowed, &why, reterr);
	if (r < 0)
		return r;
	if (!allowed)
		return err_set(reterr, -EACCES,
			"the agent policy in initdata does not allow this container (rule "
			"CreateContainerRequest, image %.100s): %.200s",
			a->spec.image, buf_str(&why));
	return ask_streams(a, reterr);
}

static int start_container(struct agent *a, struct err *reterr)
{
	static const struct container_handlers handlers = {
		.started = on_started,
		.failed = on_failed,
		.ended = on_ended,
		.output = on_output,
		.input_drained = on_input_drained,
	};
	cleanup_fd int crun = steal_fd(&a->crun);
	int r = container_start(a->base, crun, &a->spec, a->run.rows, a->run.cols, &handlers, a,
		&a->container, reterr);
	if (r < 0)
		return r;
	if (a->input_allowed && a->early_input.size > 0)
		r = container_input(a->container, buf_slice(&a->early_input));
	buf_done(&a->early_input);
	if (!a->input_allowed || a->early_eof)
		container_input_eof(a->container);
	if (r != -EAGAIN)
		link_pause(a->link, false);
	return r == -EAGAIN ? 0 : r;
}

/* ---- image ---- */

static int on_image_info(struct agent *a, struct slice payload, struct err *reterr)
{
	const char *digest;
	json_t *config;
	if (a->image_info != NULL)
		return err_set(reterr, -EPROTO, "image spoke out of turn");
	int r = json_parse(payload, CHILD_PAYLOAD_MAX, &a->image_info, reterr);
	if (r < 0 || (r = json_get_str(a->image_info, "digest", &digest, reterr)) < 0 ||
		(r = json_get_object(a->image_info, "config", &config, reterr)) < 0)
		return r;
	r = spec_merge(config, digest, &a->run, &a->spec, reterr);
	if (r < 0)
		return r;
	return channel_send(a->image.channel, CHILD_IMAGE_GO, SLICE_EMPTY);
}

static int open_rootfs(struct agent *a, struct slice payload, struct err *reterr)
{
	cleanup(json_decref) json_t *doc = NULL;
	const char *rootfs;
	/* No container without attestation, whatever image could do without a key. */
	if (a->image_info == NULL || a->image_done || !a->attested)
		return err_set(reterr, -EPROTO, "image spoke out of turn");
	int r = json_parse(payload, 4096, &doc, reterr);
	if (r < 0 || (r = json_get_str(doc, "rootfs", &rootfs, reterr)) < 0)
		return r;
	if (!str_starts(rootfs, IMAGE_ROOT "/") || strstr(rootfs, "..") != NULL)
		return err_set(reterr, -EPROTO, "image named a folder that is not its own");
	cleanup_fd int fd = open(rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot open the image's root");
	a->spec.rootfs = strdup(rootfs);
	if (a->spec.rootfs == NULL)
		return -ENOMEM;
	return spec_resolve_user(&a->spec, fd, reterr);
}

static int on_image_done(struct agent *a, struct slice payload, struct err *reterr)
{
	int r = open_rootfs(a, payload, reterr);
	if (r < 0)
		return r;
	a->image_done = a->image.done = true;
	agent_phase(a, "unpack");
	agent_stage(a, STAGE_POLICY);
	r = judge(a, reterr);
	if (r < 0)
		return r;
	agent_phase(a, "policy");
	agent_stage(a, STAGE_START);
	return start_container(a, reterr);
}

static void on_child_error(struct agent *a, const struct worker *w, struct slice payload)
{
	struct child_error e;
	if (child_parse_error(payload, &e) < 0)
		agent_fatal(a, NULL, NULL, "%s broke the protocol", w->name);
	else
		agent_fatal(a, e.stage, e.id, "%s", e.reason);
}

static void on_image_phase(struct agent *a, struct slice payload)
{
	if (!slice_eq_str(payload, "pull"))
		return;
	agent_phase(a, "pull");
	if (a->stage == STAGE_PULL)
		agent_stage(a, STAGE_UNPACK);
}

static void image_frame(void *cookie, enum child_type type, struct slice payload)
{
	struct agent *a = cookie;
	struct err e = {0};
	int r = 0;
	if (a->stage == STAGE_ENDING)
		return;
	if (type == CHILD_IMAGE_INFO)
		r = on_image_info(a, payload, &e);
	else if (type == CHILD_PHASE)
		on_image_phase(a, payload);
	else if (type == CHILD_IMAGE_DONE)
		r = on_image_done(a, payload, &e);
	else if (type == CHILD_ERROR)
		on_child_error(a, &a->image, payload);
	else
		r = err_set(&e, -EPROTO, "image broke the protocol");
	if (r < 0)
		agent_fatal_err(a, &e, r);
}

/* ---- attestation ---- */

static void aa_frame(void *cookie, enum child_type type, struct slice payload)
{
	struct agent *a = cookie;
	if (a->stage == STAGE_ENDING)
		return;
	if (type == CHILD_ERROR) {
		on_child_error(a, &a->aa, payload);
	} else if (type == CHILD_ATTESTED && !a->attested && a->stage == STAGE_ATTEST) {
		a->attested = true;
		agent_phase(a, "attest");
		agent_stage(a, STAGE_PULL);
	} else {
		agent_fatal(a, NULL, NULL, "the attestation agent broke the protocol");
	}
}

/* What the child has to say about its end may still be on the way in its socket, so the end itself
 * is judged when it is reaped. */
static void worker_closed(void *cookie, int code)
{
	struct agent *a = cookie;
	if (code != -EPIPE && code != -ECONNRESET)
		agent_fatal(a, NULL, NULL, "a process of the guest broke the protocol");
}

const struct channel_handlers flow_aa_handlers = {.frame = aa_frame, .closed = worker_closed};
const struct channel_handlers flow_image_handlers = {.frame = image_frame, .closed = worker_closed};

void flow_worker_ended(struct agent *a, struct worker *w, int status)
{
	/* Its last words first: they say more than its exit code. */
	channel_drain(w->channel);
	if (w->done || a->stage == STAGE_ENDING)
		return;
	if (WIFSIGNALED(status))
		agent_fatal(a, NULL, NULL, "%s was ended by signal %d", w->name, WTERMSIG(status));
	else
		agent_fatal(a, NULL, NULL, "%s ended with code %d before its work was done",
			w->name, WEXITSTATUS(status));
}

/* ---- network ---- */

static int send_pull(struct agent *a)
{
	cleanup_with(buf_done) struct buf text = buf_init(CHILD_PAYLOAD_MAX);
	cleanup(json_decref) json_t *doc = json_pack("{s:s,s:s,s:s}", "image", a->run.image,
		"cdh_toml", a->config.cdh_toml, "root", IMAGE_ROOT);
	if (doc == NULL)
		return -ENOMEM;
	int r = json_write(doc, &text);
	if (r < 0)
		return r;
	return channel_send(a->image.channel, CHILD_PULL, buf_slice(&text));
}

static void network_ready(struct agent *a)
{
	struct err e = {0};
	agent_phase(a, "network");
	agent_stage(a, STAGE_ATTEST);
	int r = channel_send(a->aa.channel, CHILD_NETWORK, SLICE_EMPTY);
	if (r == 0)
		r = send_pull(a);
	if (r < 0)
		r = err_set(&e, r, "cannot reach a process of the guest: %s", strerror(-r));
	/* Both are busy now, and PID 1 is not. */
	if (r == 0)
		r = container_prepare(&a->crun, &e);
	if (r < 0)
		agent_fatal_err(a, &e, r);
}

static void on_lease(void *cookie, int code, const struct dhcp_lease *lease)
{
	struct agent *a = cookie;
	struct netif_config config = {0};
	struct err e = {0};
	char name[IFNAMSIZ];
	if (code < 0) {
		agent_fatal(a, NULL, NULL, "DHCP failed: %s", strerror(-code));
		return;
	}
	config.address = lease->address;
	config.prefix = lease->prefix;
	config.gateway = lease->gateway;
	config.dns_count = lease->dns_count;
	memcpy(config.dns, lease->dns, sizeof(config.dns));
	int r = netif_find(name);
	if (r == 0)
		r = netif_configure(name, &config, &e);
	if (r < 0)
		agent_fatal_err(a, &e, r);
	else
		network_ready(a);
}

static int start_network(struct agent *a, struct err *reterr)
{
	char name[IFNAMSIZ];
	int r = netif_up("lo", reterr);
	if (r < 0)
		return r;
	if (a->run.network == HOSTLINK_NET_NONE)
		return err_set(reterr, -ENETUNREACH,
			"the host gave the guest no network, so it cannot attest or pull the "
			"image");
	r = netif_find(name);
	if (r < 0)
		return err_set(reterr, r, "the guest has no network interface");
	if (a->run.network == HOSTLINK_NET_DHCP) {
		r = netif_up(name, reterr);
		return r < 0 ? r : dhcp_client_new(a->base, name, on_lease, a, &a->dhcp, reterr);
	}
	struct netif_config config = {
		.address = a->run.address,
		.prefix = a->run.prefix,
		.gateway = a->run.gateway,
		.dns_count = a->run.dns_count,
	};
	memcpy(config.dns, a->run.dns, sizeof(config.dns));
	r = netif_configure(name, &config, reterr);
	if (r == 0)
		network_ready(a);
	return r;
}

/* ---- frames of the host ---- */

static int send_config(struct agent *a)
{
	cleanup_with(buf_done) struct buf text = buf_init(CHILD_PAYLOAD_MAX);
	cleanup(json_decref) json_t *doc = json_pack("{s:s,s:s,s:s}", "aa_toml", a->config.aa_toml,
		"cdh_toml", a->config.cdh_toml, "initdata", a->config.initdata);
	if (doc == NULL)
		return -ENOMEM;
	int r = json_write(doc, &text);
	if (r < 0)
		return r;
	return channel_send(a->aa.channel, CHILD_CONFIG, buf_slice(&text));
}

static int on_initdata(struct agent *a, struct slice payload, struct err *reterr)
{
	if (a->have_initdata)
		return err_set(reterr, -EPROTO, "the host sent initdata twice");
	a->have_initdata = true;
	int r = config_load(payload, &a->config, reterr);
	if (r < 0)
		return r;
	agent_phase(a, "initdata");
	r = send_config(a);
	return r < 0 ? err_set(reterr, r, "cannot reach the attestation agent") : 0;
}

static int on_run(struct agent *a, struct slice payload, struct err *reterr)
{
	if (!a->have_initdata || a->have_run)
		return err_set(reterr, -EPROTO, "the host sent RUN out of turn");
	a->have_run = true;
	int r = hostlink_run_parse(payload, &a->run, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "RUN of the host");
	agent_stage(a, STAGE_NETWORK);
	return start_network(a, reterr);
}

static int on_stdin(struct agent *a, struct slice payload)
{
	int r = 0;
	if (a->container == NULL) {
		buf_put_slice(&a->early_input, payload);
		if (a->early_input.size > CONTAINER_INPUT_HIGH)
			link_pause(a->link, true);
		return buf_error(&a->early_input);
	}
	if (a->input_allowed)
		r = container_input(a->container, payload);
	if (r == -EAGAIN)
		link_pause(a->link, true);
	return r == -EAGAIN ? 0 : r;
}

static int on_signal(struct agent *a, uint32_t signo, struct err *reterr)
{
	if (a->container == NULL)
		return err_set(reterr, -ECANCELED,
			"stopped on request of the host before the container started");
	container_signal(a->container, (int)signo);
	return 0;
}

static int on_control(struct agent *a, const struct hostlink_frame *frame, struct err *reterr)
{
	struct hostlink_winsize ws;
	struct hostlink_signal sig;
	int r;
	if (!a->have_run)
		return err_set(reterr, -EPROTO, "the host sent %s before RUN",
			hostlink_type_name(frame->type));
	switch (frame->type) {
	case HOSTLINK_STDIN:
		return on_stdin(a, frame->payload);
	case HOSTLINK_STDIN_EOF:
		a->early_eof = true;
		if (a->container != NULL)
			container_input_eof(a->container);
		return 0;
	case HOSTLINK_WINSIZE:
		r = hostlink_winsize_parse(frame->payload, &ws, reterr);
		if (r < 0)
			return r;
		a->run.rows = ws.rows;
		a->run.cols = ws.cols;
		if (a->container != NULL)
			container_resize(a->container, ws.rows, ws.cols);
		return 0;
	case HOSTLINK_SIGNAL:
		r = hostlink_signal_parse(frame->payload, &sig, reterr);
		return r < 0 ? r : on_signal(a, sig.signo, reterr);
	default:
		return err_set(reterr, -EPROTO, "unexpected frame");
	}
}

void flow_link_frame(void *cookie, const struct hostlink_frame *frame)
{
	struct agent *a = cookie;
	struct err e = {0};
	int r;
	if (a->stage == STAGE_ENDING)
		return;
	if (frame->type == HOSTLINK_INITDATA)
		r = on_initdata(a, frame->payload, &e);
	else if (frame->type == HOSTLINK_RUN)
		r = on_run(a, frame->payload, &e);
	else
		r = on_control(a, frame, &e);
	if (r < 0)
		agent_fatal_err(a, &e, r);
}
