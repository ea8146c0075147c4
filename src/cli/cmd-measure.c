/* SPDX-License-Identifier: Apache-2.0 */
/* husk measure: what a guest will measure, computed from the files it boots from. */
#include "base/fd.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/guest_files.h"
#include "cli/kbs_admin.h"
#include "evidence/measure.h"
#include "fmt/json.h"

#define GUEST_FILE_MAX ((size_t)1 << 30)

/* The files of a guest, read whole. */
struct guest_bytes {
	struct buf firmware, kernel, initrd, initdata;
};

static void guest_bytes_done(struct guest_bytes *f)
{
	buf_done(&f->firmware);
	buf_done(&f->kernel);
	buf_done(&f->initrd);
	buf_done(&f->initdata);
}

static int read_files(const struct cli *cli, const struct guest_files *paths, struct guest_bytes *f,
	struct err *reterr)
{
	const struct {
		const char *path;
		struct buf *into;
	} files[] = {{paths->firmware, &f->firmware}, {paths->kernel, &f->kernel},
		{paths->initrd, &f->initrd}, {cli_opt(cli, "initdata"), &f->initdata}};

	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		*files[i].into = buf_init(GUEST_FILE_MAX);
		int r = files[i].path
				? file_read(files[i].path, GUEST_FILE_MAX, files[i].into, reterr)
				: 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int measure(const struct cli *cli, struct measurement *ret, struct err *reterr)
{
	cleanup_with(guest_bytes_done) struct guest_bytes f = {0};
	struct guest_files paths;
	int r = guest_files_get(cli, &paths, reterr);
	if (r == 0)
		r = read_files(cli, &paths, &f, reterr);
	if (r < 0)
		return r;
	const struct measure_input in = {
		.firmware = buf_slice(&f.firmware),
		.kernel = buf_slice(&f.kernel),
		.initrd = buf_slice(&f.initrd),
		.cmdline = slice_str(paths.append),
		.initdata = buf_slice(&f.initdata),
	};
	return measure_guest(&in, ret, reterr);
}

/* Keys of trusted TPMs stand beside the registers among the reference values. */
static int add_aks(const struct cli *cli, json_t *values)
{
	cleanup(json_decref) json_t *list = json_array();
	const char *ak;
	for (size_t i = 0; (ak = cli_opt_at(cli, "trusted-ak", i)) != NULL; i++) {
		if (json_array_append_new(list, json_string(ak)) < 0)
			return -ENOMEM;
	}
	return json_array_size(list) == 0 ? 0
					  : json_set_take(values, "trusted_aks", json_incref(list));
}

static void print_events(const json_t *doc)
{
	const json_t *events = json_object_get(doc, "events"),
		     *registers = json_object_get(doc, "registers");
	const char *name;
	json_t *value;

	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *e = json_array_get(events, i);
		printf("  PCR %-2lld  %-18s %s\n",
			(long long)json_integer_value(json_object_get(e, "pcr")),
			json_string_value(json_object_get(e, "source")) ?: "",
			json_string_value(json_object_get(e, "digest")) ?: "");
	}
	json_object_foreach ((json_t *)(uintptr_t)registers, name, value) {
		printf("%-10s %s\n", name, json_string_value(value) ?: "");
	}
}

static int register_values(struct cli *cli, const json_t *values)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	struct err e = {0};
	int r = kbs_admin_new(cli, &a, &e);
	if (r == 0)
		r = kbs_admin_register(a, values, cli_opt(cli, "expires"), &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot register the reference values");
	cli_note(cli, "registered %zu reference values", json_object_size(values));
	return CLI_OK;
}

static int run_measure(struct cli *cli)
{
	cleanup(json_decref) json_t *doc = NULL, *values = NULL;
	struct measurement m = {0};
	struct err e = {0};

	int r = measure(cli, &m, &e);
	if (r == 0)
		r = measure_to_json(&m, &doc);
	if (r == 0)
		r = measure_reference_values(&m, &values);
	if (r == 0)
		r = add_aks(cli, values);
	if (r < 0)
		return cli_fail(cli, r == -EINVAL ? -EBADMSG : r, &e, "cannot measure the guest");
	if (cli_flag(cli, "register"))
		return register_values(cli, values);
	if (cli_flag(cli, "values"))
		return cli_print_json(values);
	if (cli->json)
		return cli_print_json(doc);
	print_events(doc);
	return CLI_OK;
}

static const struct cli_option g_options[] = {
	GUEST_FILES_OPTIONS,
	{"initdata", .arg = "FILE", .help = "the initdata that the guest will get",
		.complete = CLI_COMPLETE_FILE},
	{"trusted-ak", .arg = "BASE64", .many = true,
		.help = "public attestation key of a TPM to trust (husk tpm show)"},
	{"values",
		.help = "print reference values as JSON, as husk kbs reference import reads them"},
	{"register", .help = "register the reference values with a key broker"},
	{"expires", .arg = "TIME",
		.help = "with --register: until when they count (default: 12 months)"},
	KBS_OPTIONS,
	{NULL},
};

const struct cli_command cmds_measure[] = {
	{.name = "measure",
		.summary = "Compute the reference values of a guest, off-line",
		.details = "Shows what a guest with a TPM measures when it boots from these files, "
			   "event by "
			   "event, and the registers that follow. Nothing is booted. The defaults "
			   "are those "
			   "of husk run, so the same options give the values of the same guest.",
		.exits = "0 computed\n1 a file cannot be read or is not what it should be\n2 wrong "
			 "usage\n3 the key broker refuses",
		.examples = "husk measure --initdata initdata.toml\n"
			    "husk measure --initdata initdata.toml --trusted-ak \"$(husk tpm show "
			    "DIR)\" --register --url https://kbs:8080",
		.options = g_options,
		.run = run_measure},
	{NULL},
};
