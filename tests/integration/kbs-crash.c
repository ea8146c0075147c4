/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 of the whole key broker during a stream of admin writes, many times over: whatever was
 * acknowledged must be in the store, whole, and the broker must start again from it.
 *
 * usage: kbs-crash HUSK-KBS [ROUNDS]
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "support/kbs_client.h"
#include "trustee/store/store.h"

#define ROUNDS 100
#define RUN_MS_MAX 120
#define WRITES_MAX 100000

struct acked {
	uint32_t resources;  /* keys crash/<round>/<n> below this */
	uint64_t counter;    /* last acknowledged value of one overwritten resource */
	uint32_t references; /* reference values below this */
	uint32_t policies;
};

/* Content that depends on its name, of a size that crosses pages. */
static void content_of(unsigned round, uint32_t n, struct buf *out)
{
	size_t size = 1 + (n * 7919u + round * 104729u) % 9000;

	while (out->size < size)
		buf_printf(out, "%u/%u;", round, n);
}

static int write_one(struct kbs_client *c, unsigned round, struct acked *a)
{
	cleanup_with(buf_done) struct buf body = buf_init(0);
	cleanup_with(buf_done) struct buf payload = buf_init(0);
	char path[128];
	int r;

	snprintf(path, sizeof(path), "/kbs/v0/resource/crash/%u/%u", round, a->resources);
	content_of(round, a->resources, &body);
	r = kbs_client_request(c, "POST", path, buf_slice(&body));
	if (r < 0 || c->status != 200)
		return r < 0 ? r : -EPROTO;
	a->resources++;

	buf_clear(&body);
	buf_printf(&body, "%llu", (unsigned long long)a->counter + 1);
	r = kbs_client_request(c, "POST", "/kbs/v0/resource/crash/all/counter", buf_slice(&body));
	if (r < 0 || c->status != 200)
		return r < 0 ? r : -EPROTO;
	a->counter++;

	snprintf(path, sizeof(path), "{\"rv.%u.%u\":[%u]}", round, a->references, a->references);
	b64_encode(&payload, slice_str(path), B64_STD);
	buf_clear(&body);
	buf_printf(&body, "{\"version\":\"0.1.0\",\"type\":\"sample\",\"payload\":\"%s\"}",
		buf_str(&payload));
	r = kbs_client_request(c, "POST", "/kbs/v0/reference-value", buf_slice(&body));
	if (r < 0 || c->status != 200)
		return r < 0 ? r : -EPROTO;
	a->references++;
	return 0;
}

static void killer(const struct kbs_server *s, unsigned after_ms)
{
	usleep(after_ms * 1000);
	kill(-s->pid, SIGKILL);
	_exit(0);
}

static int run_round(struct kbs_server *s, const char *program, unsigned round, struct acked *a)
{
	struct kbs_client c;
	/* Spread over the whole range, the same in every run. */
	unsigned after_ms = 1 + (round * 37u) % RUN_MS_MAX;
	pid_t pid;
	int r = kbs_server_start(s, program, "auth_rate = 0\n");

	if (r < 0) {
		fprintf(stderr, "round %u: the broker does not start: %s\n", round, strerror(-r));
		return r;
	}
	r = kbs_server_client(s, true, &c);
	/* From the first write on: a busy machine may take its time to get there. */
	if (r == 0)
		r = write_one(&c, round, a);
	pid = fork();
	if (pid == 0)
		killer(s, after_ms);
	while (r == 0 && a->resources < WRITES_MAX)
		r = write_one(&c, round, a);
	waitpid(pid, NULL, 0);
	kbs_client_done(&c);
	kbs_server_kill(s);
	/* Only the connection may have failed: an answer that says no is a bug. */
	return r == -EPROTO ? r : 0;
}

static int check_resource(struct store *s, unsigned round, uint32_t n)
{
	cleanup_with(secret_done) struct secret got = {0};
	cleanup_with(buf_done) struct buf want = buf_init(0);
	char key[64];

	snprintf(key, sizeof(key), "crash/%u/%u", round, n);
	content_of(round, n, &want);
	if (store_resource_get(s, "", key, 0, &got, NULL, NULL) < 0 ||
		!slice_eq(secret_slice(&got), buf_slice(&want))) {
		fprintf(stderr, "LOST: %s was acknowledged\n", key);
		return -EIO;
	}
	return 0;
}

static int check_counter(struct store *s, const struct acked *a)
{
	cleanup_with(secret_done) struct secret got = {0};
	uint64_t have = 0;

	if (a->counter == 0)
		return 0;
	if (store_resource_get(s, "", "crash/all/counter", 0, &got, NULL, NULL) < 0 ||
		parse_u64(secret_slice(&got), 1, UINT64_MAX, &have) < 0 || have < a->counter ||
		have > a->counter + 1) {
		fprintf(stderr, "LOST: the counter is %llu, %llu was acknowledged\n",
			(unsigned long long)have, (unsigned long long)a->counter);
		return -EIO;
	}
	return 0;
}

static int check_references(struct store *s, unsigned round, const struct acked *a)
{
	json_t *list = NULL;
	size_t i, found = 0;
	const json_t *item;
	char prefix[32];

	if (store_rv_list(s, "", &list, NULL) < 0)
		return -EIO;
	snprintf(prefix, sizeof(prefix), "rv.%u.", round);
	json_array_foreach (list, i, item)
		found += str_starts(json_string_value(json_object_get(item, "name")), prefix);
	json_decref(list);
	if (found < a->references) {
		fprintf(stderr, "LOST: %zu reference values, %u were acknowledged\n", found,
			a->references);
		return -EIO;
	}
	return 0;
}

static int check(const struct kbs_server *server, unsigned round, struct acked *a)
{
	cleanup(store_close) struct store *s = NULL;
	struct err e = {0};
	char path[128];
	int r;

	snprintf(path, sizeof(path), "%s/store/husk.db", server->dir);
	r = store_open(path, &s, &e);
	if (r < 0) {
		fprintf(stderr, "round %u: %s\n", round, err_text(&e, r));
		return r;
	}
	for (uint32_t n = 0; r == 0 && n < a->resources; n++)
		r = check_resource(s, round, n);
	if (r == 0)
		r = check_counter(s, a);
	if (r == 0)
		r = check_references(s, round, a);
	if (r == 0)
		r = store_audit_check(s, &e);
	if (r == 0 && a->counter > 0) {
		cleanup_with(secret_done) struct secret got = {0};

		/* The write that was under way may have become durable without its answer. */
		r = store_resource_get(s, "", "crash/all/counter", 0, &got, NULL, NULL);
		if (r == 0)
			r = parse_u64(secret_slice(&got), 1, UINT64_MAX, &a->counter);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct kbs_server s = {0};
	struct acked a = {0};
	uint32_t rounds = ROUNDS;
	uint64_t total = 0;
	int r = 0;

	if (argc < 2 || (argc > 2 && parse_u32(slice_str(argv[2]), 1, 100000, &rounds) < 0)) {
		fprintf(stderr, "usage: kbs-crash HUSK-KBS [ROUNDS]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (unsigned round = 0; r == 0 && round < rounds; round++) {
		a.resources = a.references = 0;
		r = run_round(&s, argv[1], round, &a);
		if (r == 0)
			r = check(&s, round, &a);
		total += a.resources + a.references;
	}
	kbs_server_remove(&s);
	if (r < 0) {
		fprintf(stderr, "failed: %s\n", strerror(-r));
		return 1;
	}
	printf("%u kills, %llu acknowledged writes, none lost\n", rounds,
		(unsigned long long)(total + a.counter));
	return 0;
}
