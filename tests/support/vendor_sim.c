/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vendor_sim.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "collateral/source.h"

#define LIFE_S 300
#define PAGES_MAX 64
#define TEXT_MAX ((size_t)1 << 20)

static void answer(int c, const struct vendor_page *page, volatile unsigned *requests)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	char in[8192] = "", line[COLLATERAL_URL_SIZE + 32];
	ssize_t n = recv(c, in, sizeof(in) - 1, 0);

	in[n > 0 ? n : 0] = 0;
	++*requests;
	for (; page->target; page++) {
		snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", page->target);
		if (str_starts(in, line))
			break;
	}
	buf_printf(&out, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		page->target ? page->head : "404 Not Found", page->body.size);
	buf_put_slice(&out, page->body);
	/* A client that went away is its own business. */
	(void)!fd_write_full(c, out.data, out.size);
}

static noreturn_fn void serve(int fd, const struct vendor_page *pages, volatile unsigned *requests)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	alarm(LIFE_S);
	for (;;) {
		int c = accept(fd, NULL, NULL);
		if (c < 0)
			_exit(1);
		answer(c, pages, requests);
		close(c);
	}
}

int vendor_sim_start(struct vendor_sim *v, const struct vendor_page *pages)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(addr);
	cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	void *shared = mmap(NULL, sizeof(*v->requests), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || shared == MAP_FAILED || bind(fd, (struct sockaddr *)&addr, size) < 0 ||
		listen(fd, 64) < 0 || getsockname(fd, (struct sockaddr *)&addr, &size) < 0)
		return -1;
	v->requests = shared;
	v->port = ntohs(addr.sin_port);
	v->pid = fork();
	if (v->pid == 0)
		serve(fd, pages, v->requests);
	return v->pid > 0 ? 0 : -1;
}

void vendor_chain_head(struct buf *out, const char *name, struct slice pem)
{
	buf_printf(out, "200 OK\r\n%s: ", name);
	for (size_t i = 0; i < pem.size; i++) {
		if (strchr("\n %", pem.data[i]))
			buf_printf(out, "%%%02X", pem.data[i]);
		else
			buf_put_u8(out, pem.data[i]);
	}
}

/* Texts lie one behind the other in @text, each with its NUL; it must not move. */
static const char *keep(struct buf *text, size_t from)
{
	buf_put_u8(text, 0);
	return (const char *)text->data + from;
}

static void add_page(struct vendor_sim *v, size_t *count, struct buf *text,
	const struct collateral_store *s, const char *key, struct slice item)
{
	struct collateral_request q;
	const struct collateral_sources here = {"", "/root-crl", "", ""};
	char chain_key[COLLATERAL_KEY_SIZE + 8];
	struct slice chain;

	if (collateral_request_for(&here, key, &q) < 0 || !streq(q.key, key) || *count == PAGES_MAX)
		return;
	size_t at = text->size;
	buf_put_str(text, q.url);
	const char *target = keep(text, at);
	at = text->size;
	snprintf(chain_key, sizeof(chain_key), "%s/chain", key);
	if (q.chain_header && collateral_get(collateral_store_provider(s), chain_key, &chain) == 0)
		vendor_chain_head(text, q.chain_header, chain);
	else
		buf_put_str(text, "200 OK");
	v->pages[(*count)++] = (struct vendor_page){target, keep(text, at), item};
}

int vendor_sim_publish(struct vendor_sim *v, const struct collateral_store *s)
{
	cleanup_with(buf_done) struct buf text = buf_init(TEXT_MAX);
	struct slice item;
	const char *key;
	size_t count = 0;

	v->pages = calloc(PAGES_MAX + 1, sizeof(*v->pages));
	if (!v->pages || !buf_reserve(&text, TEXT_MAX / 2))
		return -1;
	for (size_t i = 0; (key = collateral_store_at(s, i, &item)) != NULL; i++)
		add_page(v, &count, &text, s, key, item);
	if (buf_error(&text) < 0 || text.size > TEXT_MAX / 2)
		return -1;
	v->text = (char *)text.data;
	text = buf_init(0);
	return vendor_sim_start(v, v->pages);
}

void vendor_sim_stop(struct vendor_sim *v)
{
	if (v->pid > 0) {
		kill(v->pid, SIGKILL);
		waitpid(v->pid, NULL, 0);
	}
	if (v->requests)
		munmap((void *)(uintptr_t)v->requests, sizeof(*v->requests));
	free(v->pages);
	free(v->text);
	*v = (struct vendor_sim){0};
}
