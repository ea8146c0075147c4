/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RCAR handshakes a second against a broker of its own on loopback: sample evidence, TLS with
 * connections kept alive (and, with --fresh, a new TLS connection for each handshake).
 *
 * usage: rcar-load HUSK-KBS [--clients N] [--seconds S] [--fresh] [--json]
 */
#include <getopt.h>
#include <signal.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "support/kbs_client.h"

#define CLIENTS_MAX 256
#define SAMPLES_MAX 4096 /* latencies kept per client */

struct shared {
	uint64_t done[CLIENTS_MAX], failed[CLIENTS_MAX];
	uint32_t sample_count[CLIENTS_MAX];
	uint32_t micros[CLIENTS_MAX][SAMPLES_MAX];
};

struct options {
	const char *program;
	uint32_t clients, seconds;
	bool fresh, json;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int handshake(struct kbs_client *c, const json_t *tee_key)
{
	char nonce[64];
	char *message;
	int r = kbs_client_auth(c, "sample", nonce);

	if (r < 0)
		return r;
	message = kbs_attestation(nonce, tee_key, kbs_sample_evidence(nonce, tee_key, ""), NULL);
	if (!message)
		return -ENOMEM;
	r = kbs_client_request(c, "POST", "/kbs/v0/attest", slice_str(message));
	free(message);
	return r < 0 ? r : c->status == 200 ? 0 : -EPROTO;
}

static void run_client(const struct kbs_server *s, const struct options *o, struct shared *m,
	unsigned index, uint64_t end)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	struct kbs_client c;
	json_t *tee_key;

	if (kbs_server_client(s, false, &c) < 0 || pkey_generate(KEY_P256, 0, &key) < 0)
		_exit(1);
	tee_key = kbs_tee_key(key);
	while (now_us() < end) {
		uint64_t began = now_us();

		if (handshake(&c, tee_key) < 0) {
			m->failed[index]++;
		} else {
			uint32_t n = m->sample_count[index];

			m->done[index]++;
			if (n < ARRAY_COUNT(m->micros[0])) {
				m->micros[index][n] = (uint32_t)(now_us() - began);
				m->sample_count[index]++;
			}
		}
		if (o->fresh)
			kbs_client_close(&c);
	}
	_exit(0);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sum of the proportional set sizes of the broker's processes, in KiB. */
static uint64_t memory_kib(pid_t group)
{
	char command[160];
	FILE *f;
	unsigned long kib = 0;

	snprintf(command, sizeof(command),
		"for p in $(pgrep -g %d); do cat /proc/$p/smaps_rollup; done 2>/dev/null |"
		" awk '/^Pss:/ { s += $2 } END { print s }'",
		(int)group);
	f = popen(command, "r");
	if (f) {
		if (fscanf(f, "%lu", &kib) != 1)
			kib = 0;
		pclose(f);
	}
	return kib;
}

static int report(const struct options *o, struct shared *m, double seconds, uint64_t kib)
{
	uint32_t *all = calloc(CLIENTS_MAX, sizeof(m->micros[0]));
	uint64_t done = 0, failed = 0;
	size_t n = 0;

	if (!all)
		return 1;
	for (unsigned i = 0; i < o->clients; i++) {
		done += m->done[i];
		failed += m->failed[i];
		memcpy(all + n, m->micros[i], m->sample_count[i] * sizeof(*all));
		n += m->sample_count[i];
	}
	qsort(all, n, sizeof(*all), compare_u32);
	printf(o->json ? "{\"bench\":\"rcar-sample\",\"clients\":%u,\"fresh\":%s,"
			 "\"handshakes_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"failed\":%llu,"
			 "\"kbs_pss_kib\":%llu}\n"
		       : "%u clients, fresh connections %s: %.0f handshakes/s, p50 %.2f ms, "
			 "p99 %.2f ms, %llu failed, broker memory %llu KiB (PSS)\n",
		o->clients, o->json ? (o->fresh ? "true" : "false") : (o->fresh ? "yes" : "no"),
		(double)done / seconds, n ? all[n / 2] / 1000.0 : 0.0,
		n ? all[n * 99 / 100] / 1000.0 : 0.0, (unsigned long long)failed,
		(unsigned long long)kib);
	free(all);
	return failed == 0 && done > 0 ? 0 : 1;
}

static int run(const struct options *o)
{
	struct kbs_server s = {0};
	int segment = shmget(IPC_PRIVATE, sizeof(struct shared), IPC_CREAT | 0600);
	struct shared *m = segment < 0 ? (void *)-1 : shmat(segment, NULL, 0);
	uint64_t began, end, kib;
	int r;

	if (m == (void *)-1)
		return 1;
	shmctl(segment, IPC_RMID, NULL); /* goes with the last process */
	r = kbs_server_start(&s, o->program, "auth_rate = 0\nsessions_pending_max = 100000\n");
	if (r < 0) {
		fprintf(stderr, "rcar-load: the broker does not start: %s\n", strerror(-r));
		kbs_server_remove(&s);
		return 1;
	}
	began = now_us();
	end = began + (uint64_t)o->seconds * 1000000;
	for (unsigned i = 0; i < o->clients; i++) {
		if (fork() == 0)
			run_client(&s, o, m, i, end);
	}
	sleep(o->seconds);
	kib = memory_kib(s.pid);
	for (unsigned i = 0; i < o->clients; i++)
		wait(NULL);
	r = report(o, m, (double)(now_us() - began) / 1e6, kib);
	kbs_server_stop(&s);
	kbs_server_remove(&s);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"clients", required_argument, NULL, 'c'},
		{"seconds", required_argument, NULL, 's'},
		{"fresh", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	struct options o = {.clients = 4, .seconds = 5};
	bool good = true;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'c')
			good &= parse_u32(slice_str(optarg), 1, CLIENTS_MAX, &o.clients) == 0;
		else if (opt == 's')
			good &= parse_u32(slice_str(optarg), 1, 600, &o.seconds) == 0;
		else if (opt == 'f')
			o.fresh = true;
		else if (opt == 'j')
			o.json = true;
		else
			good = false;
	}
	if (!good || optind + 1 != argc) {
		fprintf(stderr, "usage: rcar-load HUSK-KBS [--clients N] [--seconds S] [--fresh] "
				"[--json]\n");
		return 2;
	}
	o.program = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	return run(&o);
}
