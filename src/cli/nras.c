/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nras.h"

#include "base/fd.h"
#include "collateral/nras.h"
#include "evidence/nvidia_nras.h"
#include "fmt/json.h"

#define ROOTS_MAX ((size_t)4 << 20)

void nras_done(struct nras *n)
{
	http_client_free(n->http);
	json_decref(n->keys);
	*n = (struct nras){0};
}

static int ask(
	void *ctx, const char *endpoint, struct slice body, struct buf *answer, struct err *reterr)
{
	struct nras *n = ctx;

	return nras_ask(n->http, n->url, endpoint, body, answer, reterr);
}

int nras_open(struct nras *n, const char *url, const char *cert_file, struct err *reterr)
{
	cleanup_with(buf_done) struct buf roots = buf_init(ROOTS_MAX),
					  text = buf_init(NRAS_ANSWER_MAX);
	struct http_client_options options = {0};

	*n = (struct nras){.url = url};
	int r = cert_file ? file_read(cert_file, ROOTS_MAX, &roots, reterr) : 0;
	options.roots_pem = buf_slice(&roots);
	if (r == 0)
		r = http_client_new(&options, &n->http, reterr);
	if (r == 0)
		r = nras_keys(n->http, n->url, &text, reterr);
	if (r == 0) {
		r = json_parse(buf_slice(&text), NRAS_ANSWER_MAX, &n->keys, reterr);
		if (r < 0)
			r = err_wrap(reterr, r, "keys of NRAS");
	}
	n->remote = (struct evidence_remote){ask, n, n->keys};
	return r;
}
