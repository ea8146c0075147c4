/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: backend process. Attacker: whoever answers in a vendor's or a metadata service's place, and
 * for the files whoever writes them. Format: one byte that chooses reader and status, then an answer of
 * AWS, Google, Azure or Alibaba Cloud, or a file of credentials. Property: a value or a token comes with
 * status 200 only, a version only where there are numbers, and nothing that cannot go into a header.
 */
#include "cloud/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int g_statuses[] = {200, 204, 302, 400, 401, 404, 429, 503};

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void fuzz_value(unsigned reader, int status, struct slice body)
{
	cleanup_with(buf_done) struct buf value = buf_init_secret(0);
	struct err e = {0};
	int64_t version = 0;
	int r;

	if (reader == 0)
		r = aws_read_value(status, body, "tag", &value, &e);
	else if (reader == 1)
		r = gcp_read_value(status, body, "tag", &value, &version, &e);
	else if (reader == 2)
		r = azure_read_value(status, body, "tag", &value, &e);
	else
		r = aliyun_read_value(status, body, "tag", &value, &e);
	check(r < 0 ? e.code == r : status == 200 && (version > 0) == (reader == 1));
}

static void fuzz_written(int status, struct slice body)
{
	struct err e = {0};
	int64_t version = 0;

	check(aws_read_done(status, body, &e) < 0 || status == 200);
	check(azure_read_done(status, body, &e) < 0 || status == 200);
	check(gcp_read_added(status, body, "tag", &version, &e) < 0 ||
		(status == 200 && version > 0));
}

static void fuzz_token(int status, struct slice body)
{
	struct cloud_token t = {0};
	struct err e = {0};
	int r = oauth_read("X", status, body, 1000, &t, &e);

	check(r < 0 ? t.value.size == 0
		    : status == 200 && cloud_printable(buf_slice(&t.value)) &&
				cloud_token_fresh(&t, 1000));
	cloud_token_done(&t);
}

static void fuzz_credentials(int status, struct slice body)
{
	struct aws_credentials c = {0};
	struct err e = {0};

	if (aws_read_credentials(body, &c, &e) == 0)
		check(aws_credentials_valid(&c, NULL) == 0 && c.expires_s > 0);
	aws_credentials_done(&c);
	if (aws_read_assumed(status, body, &c, &e) == 0)
		check(status == 200 && aws_credentials_valid(&c, NULL) == 0 && c.token.size > 0);
	aws_credentials_done(&c);
}

static void fuzz_files(struct slice body)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(0);
	struct gcp_key g = {0};
	struct aliyun_key y = {0};
	struct err e = {0};

	if (aws_ini_get(body, "default", "aws_access_key_id", &out) == 0)
		check(out.size > 0 && !memchr(out.data, '\n', out.size));
	if (gcp_key_read(body, &g, &e) == 0)
		check(pkey_is_private(g.key) && cloud_url_valid(g.token_url));
	gcp_key_done(&g);
	if (aliyun_key_read(body, "swordfish", &y, &e) == 0)
		check(pkey_is_private(y.key) && y.id[0]);
	aliyun_key_done(&y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct slice body = slice_of(data + 1, size - 1);
	int status = g_statuses[data[0] >> 3 & 7];
	unsigned reader = data[0] & 7;

	if (reader < 4)
		fuzz_value(reader, status, body);
	else if (reader == 4)
		fuzz_written(status, body);
	else if (reader == 5)
		fuzz_token(status, body);
	else if (reader == 6)
		fuzz_credentials(status, body);
	else
		fuzz_files(body);
	return 0;
}
