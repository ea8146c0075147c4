/* SPDX-License-Identifier: Apache-2.0 */
/* husk key provider: one request of the key-provider protocol of containers/ocicrypt. */
#include "cli/key_provider.h"

#include <unistd.h>

#include "base/fd.h"
#include "cli/image_loc.h"

/* A request holds one packet or option block, in base64 or as numbers, and little else. */
#define REQUEST_MAX (16u * OCICRYPT_OPTIONS_MAX)

static int get_kek(
	void *user, const char *kid, const char *path, struct secret *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf kek = buf_init_secret(4096);

	int r = path ? file_read(path, 4096, &kek, reterr) : image_kek_get(user, kid, &kek, reterr);
	return r < 0 ? r : secret_copy(ret, buf_slice(&kek));
}

int key_run_provider(struct cli *cli)
{
	cleanup_with(buf_done) struct buf request = buf_init_secret(REQUEST_MAX);
	cleanup_with(buf_done) struct buf answer = buf_init_secret(REQUEST_MAX);
	struct kek_files files = {cli};
	struct ocicrypt_kek_source source = {get_kek, &files, cli_opt(cli, "kid")};
	struct err e = {0};

	int r = fd_read_all(STDIN_FILENO, &request);
	if (r == 0)
		r = ocicrypt_provider_handle(buf_slice(&request), &source, &answer, &e);
	if (r == 0)
		r = fd_write_full(STDOUT_FILENO, answer.data, answer.size);
	return r < 0 ? cli_fail(cli, r, &e, "key provider") : CLI_OK;
}
