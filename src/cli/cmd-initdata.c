/* SPDX-License-Identifier: Apache-2.0 */
/* husk initdata: the owner's configuration of a guest. */
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/commands.h"
#include "crypto/hash.h"
#include "fmt/initdata.h"
#include "fmt/json.h"

#define PART_MAX ((size_t)512 << 10)

/*
 * A URL or a PEM file as a TOML string. The parts are quoted once more as ''' literals, so what has
 * lines goes into a basic string here, and neither may hold what would end or change it.
 */
static int put_text(struct buf *out, const char *key, struct slice text, struct err *reterr)
{
	bool lines = text.size > 0 && memchr(text.data, '\n', text.size);

	for (size_t i = 0; i < text.size; i++) {
		if (strchr("\"'\\", text.data[i]) || text.data[i] == 0)
			return err_set(
				reterr, -EBADMSG, "%s holds a quote, a backslash or a NUL", key);
	}
	buf_printf(out, lines ? "%s = \"\"\"\n" : "%s = '", key);
	buf_put_slice(out, text);
	buf_put_str(out, lines ? "\"\"\"\n" : "'\n");
	return buf_error(out);
}

static int put_kbs(const struct cli *cli, struct buf *aa, struct buf *cdh, struct err *reterr)
{
	cleanup_with(buf_done) struct buf cert = buf_init(PART_MAX);
	const char *url = cli_opt(cli, "kbs-url"), *file = cli_opt(cli, "kbs-cert");

	buf_put_str(aa, "[token_configs.kbs]\n");
	buf_put_str(cdh, "[kbc]\nname = 'cc_kbc'\n");
	int r = put_text(aa, "url", slice_str(url), reterr);
	if (r == 0)
		r = put_text(cdh, "url", slice_str(url), reterr);
	if (r == 0 && file)
		r = file_read(file, PART_MAX, &cert, reterr);
	if (r == 0 && file)
		r = put_text(aa, "cert", buf_slice(&cert), reterr);
	if (r == 0 && file)
		r = put_text(cdh, "kbs_cert", buf_slice(&cert), reterr);
	return r;
}

static int put_image(const struct cli *cli, struct buf *cdh, struct err *reterr)
{
	const char *policy = cli_opt(cli, "image-policy-uri"), *host;
	int r = 0;

	buf_put_str(cdh, "\n[image]\n");
	if (policy)
		r = put_text(cdh, "image_security_policy_uri", slice_str(policy), reterr);
	for (size_t i = 0; r == 0 && (host = cli_opt_at(cli, "insecure-registry", i)) != NULL;
		i++) {
		buf_put_str(cdh, "[[image.registry_config.registry]]\n");
		r = put_text(cdh, "prefix", slice_str(host), reterr);
		if (r == 0)
			r = put_text(cdh, "location", slice_str(host), reterr);
		buf_put_str(cdh, "insecure = true\n");
	}
	return r < 0 ? r : buf_error(cdh);
}

static int build(const struct cli *cli, struct buf *out, struct err *reterr)
{
	/* The parts are quoted one level deeper, where ''' cannot stand: certificates use basic
	 * strings. */
	cleanup_with(buf_done) struct buf aa = buf_init(PART_MAX), cdh = buf_init(PART_MAX),
					  policy = buf_init(PART_MAX);
	cleanup(json_decref) json_t *data = json_object();

	int r = put_kbs(cli, &aa, &cdh, reterr);
	if (r == 0)
		r = put_image(cli, &cdh, reterr);
	if (r == 0)
		r = file_read(cli_opt(cli, "policy"), PART_MAX, &policy, reterr);
	if (r == 0)
		r = json_set_slice(data, "aa.toml", buf_slice(&aa));
	if (r == 0)
		r = json_set_slice(data, "cdh.toml", buf_slice(&cdh));
	if (r == 0)
		r = json_set_slice(data, "policy.rego", buf_slice(&policy));
	return r < 0 ? r
		     : initdata_write(cli_opt_or(cli, "algorithm", "sha256"), data, out, reterr);
}

static int run_create(struct cli *cli)
{
	cleanup_with(buf_done) struct buf out = buf_init(INITDATA_SIZE_MAX);
	cleanup_with(initdata_done) struct initdata check = {0};
	struct err e = {0};

	int r = build(cli, &out, &e);
	if (r == 0)
		r = initdata_parse(buf_slice(&out), &check, &e);
	if (r == 0)
		r = file_write_atomic(cli_arg(cli, 0), buf_slice(&out), 0644, &e);
	if (r < 0)
		return cli_fail(cli, r == -EINVAL ? -EBADMSG : r, &e, "cannot make initdata");
	cli_note(cli, "made %s", cli_arg(cli, 0));
	return CLI_OK;
}

static int run_show(struct cli *cli)
{
	cleanup_with(buf_done) struct buf text = buf_init(INITDATA_SIZE_MAX);
	cleanup_with(initdata_done) struct initdata i = {0};
	cleanup(json_decref) json_t *doc = json_object();
	char hex[2 * HASH_SIZE_MAX + 1];
	struct digest d = {0};
	struct err e = {0};
	const char *name;
	json_t *value;

	int r = file_read(cli_arg(cli, 0), INITDATA_SIZE_MAX, &text, &e);
	if (r == 0)
		r = initdata_parse(buf_slice(&text), &i, &e);
	if (r == 0)
		r = hash_once(hash_from_name(slice_str(i.algorithm)), buf_slice(&text), &d);
	if (r < 0)
		return cli_fail(cli, r, &e, "%s", cli_arg(cli, 0));
	hex_str(digest_slice(&d), hex, sizeof(hex));
	if (cli->json) {
		r = json_set_str(doc, "algorithm", i.algorithm);
		if (r == 0)
			r = json_set_str(doc, "digest", hex);
		if (r == 0)
			r = json_set_take(doc, "data", json_incref(i.data));
		return r < 0 ? cli_fail(cli, r, NULL, NULL) : cli_print_json(doc);
	}
	printf("%s %s\n", i.algorithm, hex);
	json_object_foreach (i.data, name, value) {
		fputs("\n# ", stdout);
		cli_put_text(stdout, name);
		printf("\n%s", json_string_value(value));
	}
	return CLI_OK;
}

static const struct cli_option g_create[] = {
	{"kbs-url", .arg = "URL", .help = "the key broker as the guest reaches it",
		.required = true},
	{"kbs-cert", .arg = "FILE", .help = "its certificate, PEM", .complete = CLI_COMPLETE_FILE},
	{"policy", .arg = "FILE", .help = "the agent policy, Rego", .complete = CLI_COMPLETE_FILE,
		.required = true},
	{"image-policy-uri", .arg = "URI",
		.help = "the image security policy, kbs:///REPOSITORY/TYPE/TAG"},
	{"insecure-registry", .arg = "HOST", .many = true,
		.help = "registry that speaks plain HTTP; its images are verified all the same"},
	{"algorithm", .arg = "NAME",
		.help = "digest that binds it (default sha256, as a TPM needs)",
		.choices = "sha256|sha384|sha512"},
	{NULL},
};

const struct cli_command cmds_initdata[] = {
	{.group = "initdata",
		.name = "create",
		.summary = "Make initdata",
		.args = "FILE",
		.args_min = 1,
		.args_max = 1,
		.details = "Initdata tells a guest which key broker to ask, which images to accept "
			   "and what its "
			   "containers may do. It is measured: another initdata is another guest.",
		.options = g_create,
		.run = run_create},
	{.group = "initdata",
		.name = "show",
		.summary = "Check initdata and show its digest and parts",
		.args = "FILE",
		.args_min = 1,
		.args_max = 1,
		.complete = CLI_COMPLETE_FILE,
		.run = run_show},
	{NULL},
};
