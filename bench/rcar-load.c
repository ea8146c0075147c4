/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests of a broker of its own on loopback, over TLS: handshake (auth, attest) and read of a
 * resource, again and again. Connections are kept alive; with --fresh each round makes another.
 * Evidence is made by the clients on the same machine, so their signatures share its processors.
 *
 * usage: rcar-load HUSK-KBS [--tee sample|snp|tdx] [--clients N] [--seconds S] [--fresh] [--json]
 *        rcar-load --url http[s]://127.0.0.1:PORT [--ca FILE] [--admin-token FILE] [--group PID] ...
 *
 * With --url the guests are those of any broker that runs on this machine already, with sample
 * evidence; --group is the process group whose processor time and memory are counted.
 */
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "fmt/json.h"
#include "support/dcap_sim.h"
#include "support/kbs_client.h"
#include "support/snp_sim.h"

#define CLIENTS_MAX 1024
#define SAMPLES_MAX 4096 /* latencies kept per client */
#define READY_WAIT_S 120
#define PING_US 4000000

struct shared {
	atomic_uint ready;
	atomic_bool go;
	uint64_t end;
	uint64_t done[CLIENTS_MAX], failed[CLIENTS_MAX];
	uint32_t rounds[CLIENTS_MAX], requests[CLIENTS_MAX];
	uint32_t round_us[CLIENTS_MAX][SAMPLES_MAX];
	uint32_t request_us[CLIENTS_MAX][SAMPLES_MAX];
};

struct options {
	const char *program, *tee;
	const char *url, *ca, *admin_token; /* a broker that is there already */
	uint32_t clients, seconds, group;
	bool fresh, json;
};

/* The broker under load, one's own or another. */
struct target {
	struct kbs_server server;
	char ca[128];
	bool tls;
};

/* One of them is there, for the evidence that is asked for; made before the clients. */
static struct snp_sim *g_snp;
static struct dcap_sim *g_dcap;

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static json_t *make_evidence(const char *nonce, const json_t *tee_key)
{
	uint8_t binding[48];
	struct slice bound = slice_of(binding, sizeof(binding));

	if (!g_snp && !g_dcap)
		return kbs_sample_evidence(nonce, tee_key, "");
	if (kbs_binding(nonce, tee_key, "", binding) < 0)
		return NULL;
	return g_snp ? snp_sim_evidence(g_snp, &(struct snp_sim_report){.report_data = bound})
		     : dcap_sim_evidence(g_dcap, &(struct dcap_sim_report){.version = 4,
							 .body_type = 2,
							 .module_version = 1,
							 .report_data = bound});
}

struct client {
	struct kbs_client http;
	struct shared *shared;
	unsigned index;
	const char *tee;
	json_t *tee_key;
};

static void count_request(struct client *c, uint64_t began)
{
	uint32_t *n = &c->shared->requests[c->index];

	if (*n < SAMPLES_MAX)
		c->shared->request_us[c->index][(*n)++] = (uint32_t)(now_us() - began);
}

static int one_round(struct client *c)
{
	char nonce[64];
	uint64_t began = now_us();
	char *message;
	int r = kbs_client_auth(&c->http, c->tee, nonce);

	if (r < 0)
		return r;
	count_request(c, began);
	message = kbs_attestation(nonce, c->tee_key, make_evidence(nonce, c->tee_key), NULL);
	if (!message)
		return -ENOMEM;
	began = now_us();
	r = kbs_client_request(&c->http, "POST", "/kbs/v0/attest", slice_str(message));
	free(message);
	if (r < 0 || c->http.status != 200)
		return r < 0 ? r : -EPROTO;
	count_request(c, began);
	began = now_us();
	r = kbs_client_request(&c->http, "GET", "/kbs/v0/resource/default/key/bench", SLICE_EMPTY);
	if (r < 0 || c->http.status != 200)
		return r < 0 ? r : -EPROTO;
	count_request(c, began);
	return 0;
}

/* All are connected before the first one starts. */
static void wait_go(struct client *c)
{
	uint64_t pinged = 0;

	/* The broker closes connections that are idle for long, and the others may take long. */
	for (bool first = true; !atomic_load(&c->shared->go); first = false) {
		if (first || now_us() - pinged > PING_US) {
			if (kbs_client_request(&c->http, "GET", "/healthz", SLICE_EMPTY) < 0)
				_exit(1);
			pinged = now_us();
		}
		if (first)
			atomic_fetch_add(&c->shared->ready, 1);
		usleep(2000);
	}
}

static int connect_client(const struct target *t, bool admin, struct kbs_client *ret)
{
	int r = kbs_client_init(ret, t->server.port, t->tls ? t->ca : NULL);

	if (r == 0 && admin && t->server.admin_token)
		ret->bearer = strdup(t->server.admin_token);
	return r;
}

static void run_client(
	const struct target *t, const struct options *o, struct shared *m, unsigned index)
{
	struct client c = {.shared = m, .index = index, .tee = o->tee};
	cleanup(pkey_free) struct pkey *key = NULL;

	if (connect_client(t, false, &c.http) < 0 || pkey_generate(KEY_P256, 0, &key) < 0)
		_exit(1);
	c.tee_key = kbs_tee_key(key);
	wait_go(&c);
	while (now_us() < m->end) {
		uint64_t began = now_us();

		if (one_round(&c) < 0) {
			m->failed[index]++;
		} else {
			uint32_t *n = &m->rounds[index];

			m->done[index]++;
			if (*n < SAMPLES_MAX)
				m->round_us[index][(*n)++] = (uint32_t)(now_us() - began);
		}
		if (o->fresh)
			kbs_client_close(&c.http);
	}
	_exit(0);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* What @program, of awk, makes of /proc/PID/@file of all processes of a group. */
static uint64_t sum_group(pid_t group, const char *file, const char *program)
{
	char command[160];
	FILE *f;
	unsigned long sum = 0;

	if (group <= 0)
		return 0;
	snprintf(command, sizeof(command),
		"for p in $(pgrep -g %d); do cat /proc/$p/%s; done 2>/dev/null | awk '%s'",
		(int)group, file, program);
	f = popen(command, "r");
	if (f) {
		if (fscanf(f, "%lu", &sum) != 1)
			sum = 0;
		pclose(f);
	}
	return sum;
}

/* Sum of the proportional set sizes, in KiB. */
static uint64_t memory_kib(pid_t group)
{
	return sum_group(group, "smaps_rollup", "/^Pss:/ { s += $2 } END { print s }");
}

/* Processor time so far, in microseconds. */
static uint64_t cpu_us(pid_t group)
{
	uint64_t ticks =
		sum_group(group, "stat", "{ sub(/.*\\) /, \"\"); s += $12 + $13 } END { print s }");

	return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

struct percentiles {
	double p50, p99; /* milliseconds */
};

static struct percentiles percentiles_of(
	uint32_t (*samples)[SAMPLES_MAX], const uint32_t *counts, unsigned clients)
{
	uint32_t *all = calloc(clients, sizeof(*samples));
	struct percentiles p = {0};
	size_t n = 0;

	if (!all)
		return p;
	for (unsigned i = 0; i < clients; i++) {
		memcpy(all + n, samples[i], counts[i] * sizeof(*all));
		n += counts[i];
	}
	qsort(all, n, sizeof(*all), compare_u32);
	if (n > 0)
		p = (struct percentiles){all[n / 2] / 1000.0, all[n * 99 / 100] / 1000.0};
	free(all);
	return p;
}

static int report(
	const struct options *o, struct shared *m, double seconds, uint64_t kib, uint64_t cpu)
{
	struct percentiles round = percentiles_of(m->round_us, m->rounds, o->clients);
	struct percentiles request = percentiles_of(m->request_us, m->requests, o->clients);
	uint64_t done = 0, failed = 0;

	for (unsigned i = 0; i < o->clients; i++) {
		done += m->done[i];
		failed += m->failed[i];
	}
	printf(o->json ? "{\"bench\":\"rcar\",\"tee\":\"%s\",\"clients\":%u,\"fresh\":%s,"
			 "\"rounds_per_s\":%.0f,\"round_p50_ms\":%.2f,\"round_p99_ms\":%.2f,"
			 "\"request_p50_ms\":%.2f,\"request_p99_ms\":%.2f,"
			 "\"kbs_cpu_us_per_round\":%.0f,\"failed\":%llu,"
			 "\"kbs_pss_kib\":%llu}\n"
		       : "%s, %u clients, fresh connections %s: %.0f handshakes with a resource/s, "
			 "p50 %.2f ms, p99 %.2f ms; a request p50 %.2f ms, p99 %.2f ms; "
			 "%.0f us of the broker's processors a round; %llu failed; "
			 "broker memory %llu KiB (PSS)\n",
		o->tee, o->clients,
		o->json ? (o->fresh ? "true" : "false") : (o->fresh ? "yes" : "no"),
		(double)done / seconds, round.p50, round.p99, request.p50, request.p99,
		done ? (double)cpu / (double)done : 0.0, (unsigned long long)failed,
		(unsigned long long)kib);
	fflush(stdout); /* this process ends without */
	return failed == 0 && done > 0 ? 0 : 1;
}

static int write_collateral(json_t *doc, char *path)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup_fd int fd = mkstemp(path);
	int r = doc ? json_write(doc, &text) : -ENOMEM;

	json_decref(doc);
	if (r < 0 || fd < 0)
		return r < 0 ? r : -errno;
	return fd_write_full(fd, text.data, text.size);
}

/* A vendor of one's own, whose root the broker trusts. */
static int make_vendor(const struct options *o, char *path, char *append, size_t size)
{
	char root[65] = "";
	int r = 0;

	if (streq(o->tee, "snp")) {
		g_snp = snp_sim_new(
			&(struct snp_sim_options){.now = clock_unix_s(), .full_size_keys = true});
		r = g_snp ? write_collateral(snp_sim_publish_text(g_snp), path) : -ENOMEM;
		if (g_snp)
			hex_str(digest_slice(snp_sim_root(g_snp)), root, sizeof(root));
	} else if (streq(o->tee, "tdx")) {
		g_dcap = dcap_sim_new(&(struct dcap_sim_options){.now = clock_unix_s()});
		r = g_dcap ? write_collateral(dcap_sim_publish_text(g_dcap), path) : -ENOMEM;
		if (g_dcap)
			hex_str(digest_slice(dcap_sim_root(g_dcap)), root, sizeof(root));
	}
	snprintf(append, size,
		"auth_rate = 0\nsessions_pending_max = 100000\nconnections_max = 1100\n"
		"verifiers = 2\n");
	if (root[0])
		snprintf(append + strlen(append), size - strlen(append),
			"collateral = \"%s\"\ninsecure_%s_root = \"%s\"\n", path,
			g_snp ? "amd" : "intel", root);
	return r;
}

/* What is measured is the broker's work: every guest may read, whatever its appraisal. */
static int prepare(const struct target *t)
{
	static const char policy[] = "package policy\nimport rego.v1\ndefault allow := false\n"
				     "allow if data.plugin == \"resource\"\n";
	cleanup_with(buf_done) struct buf body = buf_init(0);
	struct kbs_client c;
	int r = connect_client(t, true, &c);

	if (r < 0)
		return r;
	buf_put_str(&body, "{\"policy\":\"");
	b64_encode(&body, slice_str(policy), B64_URL);
	buf_put_str(&body, "\"}");
	r = kbs_client_request(&c, "POST", "/kbs/v0/resource-policy", buf_slice(&body));
	if (r == 0 && c.status == 200)
		r = kbs_client_request(&c, "POST", "/kbs/v0/resource/default/key/bench",
			SLICE_LIT("0123456789abcdef0123456789abcdef"));
	if (r == 0 && c.status != 200)
		r = -EPROTO;
	kbs_client_done(&c);
	return r;
}

static int load(const struct options *o, const struct target *t, struct shared *m)
{
	uint64_t began, wait_end = now_us() + (uint64_t)READY_WAIT_S * 1000000;
	uint64_t kib, cpu;

	for (unsigned i = 0; i < o->clients; i++) {
		if (fork() == 0)
			run_client(t, o, m, i);
	}
	while (atomic_load(&m->ready) < o->clients && now_us() < wait_end)
		usleep(5000);
	cpu = cpu_us(t->server.pid);
	began = now_us();
	m->end = began + (uint64_t)o->seconds * 1000000;
	atomic_store(&m->go, true);
	if (atomic_load(&m->ready) < o->clients)
		fprintf(stderr, "rcar-load: only %u of %u clients could connect\n",
			atomic_load(&m->ready), o->clients);
	sleep(o->seconds);
	kib = memory_kib(t->server.pid);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	cpu = cpu_us(t->server.pid) - cpu;
	return report(o, m, (double)(now_us() - began) / 1e6, kib, cpu);
}

/* Only loopback: what this makes is a load, not for another's machine. */
static int find_broker(const struct options *o, struct target *t)
{
	static const char https[] = "https://127.0.0.1:", http[] = "http://127.0.0.1:";
	cleanup_with(buf_done) struct buf token = buf_init_secret(8192);
	const char *port;
	uint32_t number;

	t->tls = str_starts(o->url, https);
	port = o->url + strlen(t->tls ? https : http);
	if ((!t->tls && !str_starts(o->url, http)) ||
		parse_u32(slice_of(port, strcspn(port, "/")), 1, 65535, &number) < 0 ||
		t->tls != (o->ca != NULL))
		return -EINVAL;
	t->server.port = (uint16_t)number;
	t->server.pid = (pid_t)o->group;
	if (o->admin_token) {
		if (file_read(o->admin_token, 8192, &token, NULL) < 0)
			return -ENOENT;
		t->server.admin_token = strndup(buf_str(&token), strcspn(buf_str(&token), " \r\n"));
	}
	return t->tls ? str_copy(t->ca, sizeof(t->ca), o->ca) : 0;
}

static int start_broker(const struct options *o, char *collateral, struct target *t)
{
	char append[512];
	int r = make_vendor(o, collateral, append, sizeof(append));

	if (r == 0)
		r = kbs_server_start(&t->server, o->program, append);
	t->tls = true;
	snprintf(t->ca, sizeof(t->ca), "%s/tls.crt", t->server.dir);
	return r;
}

static int run(const struct options *o)
{
	char collateral[] = "/tmp/husk-collateral-XXXXXX";
	struct target t = {0};
	int segment = shmget(IPC_PRIVATE, sizeof(struct shared), IPC_CREAT | 0600);
	struct shared *m = segment < 0 ? (void *)-1 : shmat(segment, NULL, 0);
	int r;

	if (m == (void *)-1)
		return 1;
	shmctl(segment, IPC_RMID, NULL); /* goes with the last process */
	r = o->url ? find_broker(o, &t) : start_broker(o, collateral, &t);
	if (r == 0)
		r = prepare(&t);
	if (r < 0) {
		fprintf(stderr, "rcar-load: the broker %s: %s\n",
			o->url ? "cannot be prepared" : "does not start", strerror(-r));
	} else {
		/* The clients are waited for apart from the broker. */
		pid_t pid = fork();

		if (pid == 0)
			_exit(load(o, &t, m));
		r = 1;
		if (pid > 0 && waitpid(pid, &r, 0) == pid)
			r = WIFEXITED(r) ? WEXITSTATUS(r) : 1;
	}
	if (o->url) {
		free(t.server.admin_token); /* another's broker goes on */
	} else {
		(void)!kbs_server_stop(&t.server);
		kbs_server_remove(&t.server);
	}
	unlink(collateral);
	return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"tee", required_argument, NULL, 't'},
		{"clients", required_argument, NULL, 'c'},
		{"seconds", required_argument, NULL, 's'},
		{"fresh", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"url", required_argument, NULL, 'u'},
		{"ca", required_argument, NULL, 'a'},
		{"admin-token", required_argument, NULL, 'k'},
		{"group", required_argument, NULL, 'g'},
		{0},
	};
	struct options o = {.tee = "sample", .clients = 4, .seconds = 5};
	bool good = true;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 't') {
			o.tee = optarg;
			good &= streq(optarg, "sample") || streq(optarg, "snp") ||
				streq(optarg, "tdx");
		} else if (opt == 'c')
			good &= parse_u32(slice_str(optarg), 1, CLIENTS_MAX, &o.clients) == 0;
		else if (opt == 's')
			good &= parse_u32(slice_str(optarg), 1, 600, &o.seconds) == 0;
		else if (opt == 'f')
			o.fresh = true;
		else if (opt == 'j')
			o.json = true;
		else if (opt == 'u')
			o.url = optarg;
		else if (opt == 'a')
			o.ca = optarg;
		else if (opt == 'k')
			o.admin_token = optarg;
		else if (opt == 'g')
			good &= parse_u32(slice_str(optarg), 2, INT32_MAX, &o.group) == 0;
		else
			good = false;
	}
	/* Only a broker of one's own trusts a vendor of one's own. */
	if (o.url && !streq(o.tee, "sample"))
		good = false;
	if (!good || optind + (o.url ? 0 : 1) != argc) {
		fprintf(stderr, "usage: rcar-load HUSK-KBS [--tee sample|snp|tdx] [--clients N] "
				"[--seconds S] [--fresh] [--json]\n"
				"       rcar-load --url http[s]://127.0.0.1:PORT [--ca FILE] "
				"[--admin-token FILE] [--group PID] [--clients N] ...\n");
		return 2;
	}
	o.program = o.url ? NULL : argv[optind];
	signal(SIGPIPE, SIG_IGN);
	return run(&o);
}
