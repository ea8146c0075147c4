/* SPDX-License-Identifier: Apache-2.0 */
/* husk verify: evidence files, off-line, with an explained verdict. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/evidence_file.h"
#include "cli/explain.h"
#include "cli/nras.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "evidence/collateral_file.h"
#include "evidence/evidence.h"
#include "fmt/initdata.h"
#include "fmt/json.h"

static int initdata_digest(const char *file, struct digest *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(INITDATA_SIZE_MAX);
	cleanup_with(initdata_done) struct initdata i = {0};
	int r = file_read(file, INITDATA_SIZE_MAX, &text, reterr);
	if (r == 0)
		r = initdata_parse(buf_slice(&text), &i, reterr);
	return r < 0 ? r : hash_once(hash_from_name(slice_str(i.algorithm)), buf_slice(&text), ret);
}

static int fill_request(const struct cli *cli, struct evidence_request *q, struct buf *report_data,
	struct digest *init_data, struct err *reterr)
{
	const char *hex = cli_opt(cli, "report-data"), *when = cli_opt(cli, "at");
	int r = 0;

	q->now = clock_unix_s();
	if (when && rfc3339_parse(slice_str(when), &q->now) < 0)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "at",
			"--at takes a time such as "
			"2026-11-24T00:00:00Z");
	if (hex && hex_decode(report_data, slice_str(hex)) < 0)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "report-data",
			"--report-data takes hex digits");
	q->report_data = buf_slice(report_data);
	q->insecure_skip_report_data = !hex;
	q->insecure_no_revocation_list = cli_flag(cli, "insecure-no-revocation-list");
	if (cli_opt(cli, "initdata")) {
		r = initdata_digest(cli_opt(cli, "initdata"), init_data, reterr);
		q->init_data = digest_slice(init_data);
	}
	return r;
}

static json_t *make_record(const char *file, const char *tee, const struct evidence_result *result)
{
	bool good = result->verdict == EVIDENCE_ACCEPT;
	json_t *record = json_object();
	int r = json_set_str(record, "file", file);
	if (r == 0)
		r = json_set_str(record, "tee", tee);
	if (r == 0)
		r = json_set_str(record, "status", good ? "authentic" : "refused");
	if (r == 0 && !good)
		r = json_set_str(record, "reason", result->reason);
	if (r == 0)
		r = json_set_take(record, "checks", json_incref(result->checks));
	if (r == 0 && result->claims)
		r = json_set_take(record, "claims", json_incref(result->claims));
	if (r == 0 && result->devices)
		r = json_set_take(record, "devices", json_incref(result->devices));
	if (r < 0) {
		json_decref(record);
		return NULL;
	}
	return record;
}

static int verify_file(const struct cli *cli, const char *file, const struct evidence_request *base,
	json_t *records, bool *ret_good, struct err *reterr)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	cleanup(json_decref) json_t *evidence = NULL;
	struct evidence_request q = *base;
	const char *tee = NULL;

	int r = evidence_file_read(file, cli_opt(cli, "tee"), &evidence, &tee, reterr);
	if (r < 0)
		return r;
	q.evidence = evidence;
	r = evidence_verify(tee, &q, &result, reterr);
	if (r < 0)
		return r;
	*ret_good = result.verdict == EVIDENCE_ACCEPT;
	return json_array_append_new(records, make_record(file, tee, &result)) < 0 ? -ENOMEM : 0;
}

static void print_records(const json_t *records)
{
	for (size_t i = 0; i < json_array_size(records); i++) {
		const json_t *record = json_array_get(records, i);
		if (i > 0)
			putchar('\n');
		fputs("file       ", stdout);
		cli_put_text(stdout, json_string_value(json_object_get(record, "file")));
		putchar('\n');
		explain_print(stdout, record);
	}
}

static int read_collateral(const char *path, struct collateral_store **ret, struct err *reterr)
{
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();

	int r = store ? collateral_store_read(store, path, reterr) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = steal_ptr(store);
	return 0;
}

static int read_se_key(const char *path, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret((size_t)64 << 10);

	int r = file_read(path, pem.max, &pem, reterr);
	return r == 0 ? pkey_from_pem(buf_slice(&pem), ret, reterr) : r;
}

static int run_verify(struct cli *cli)
{
	cleanup_with(buf_done) struct buf report_data = buf_init(1024);
	cleanup(json_decref) json_t *records = json_array();
	cleanup(collateral_store_free) struct collateral_store *store = NULL;
	cleanup(pkey_free) struct pkey *se_key = NULL;
	cleanup_with(nras_done) struct nras nras = {0};
	struct evidence_request q = {0};
	struct digest init_data = {0};
	struct err e = {0};
	int code = CLI_OK;

	int r = fill_request(cli, &q, &report_data, &init_data, &e);
	if (r == 0 && cli_opt(cli, "collateral")) {
		r = read_collateral(cli_opt(cli, "collateral"), &store, &e);
		q.collateral = store ? collateral_store_provider(store) : NULL;
	}
	if (r == 0 && cli_opt(cli, "se-key"))
		r = read_se_key(cli_opt(cli, "se-key"), &se_key, &e);
	q.ibm_key = se_key;
	if (r == 0 && (cli_flag(cli, "nras") || cli_opt(cli, "nras-url"))) {
		r = nras_open(&nras, cli_opt(cli, "nras-url"), cli_opt(cli, "cert-file"), &e);
		q.nvidia_remote = &nras.remote;
	}
	if (r < 0)
		return cli_fail(cli, r, &e, NULL);
	if (q.insecure_skip_report_data)
		cli_note(cli,
			"note: without --report-data nothing shows that the evidence is fresh");
	size_t i = 0;
	for (; cli_arg(cli, i); i++) {
		bool good = false;
		r = verify_file(cli, cli_arg(cli, i), &q, records, &good, &e);
		if (r < 0)
			break;
		if (!good)
			code = CLI_REFUSED;
	}
	/* What came before a file that cannot be read is worth showing. */
	if (!cli->json)
		print_records(records);
	else if (cli_print_json(records) != CLI_OK)
		return CLI_FAILURE;
	return r < 0 ? cli_fail(cli, r == -EINVAL ? -EBADMSG : r, &e, "%s", cli_arg(cli, i)) : code;
}

static const struct cli_option g_options[] = {
	{"tee", .arg = "NAME", .help = "kind of the evidence (default: told from its members)",
		.choices =
			"tdx|sgx|snp|az-snp-vtpm|az-tdx-vtpm|cca|csv|hygondcu|se|tpm|nvidia|nvidia-dpu|sample"},
	{"report-data", .arg = "HEX", .help = "digest that the evidence must be bound to"},
	{"initdata", .arg = "FILE", .help = "initdata that the guest must have measured",
		.complete = CLI_COMPLETE_FILE},
	{"collateral", .arg = "FILE",
		.help = "what vendors publish: a bundle, the output of Intel's PcsClientTool, or a "
			"folder",
		.complete = CLI_COMPLETE_FILE},
	{"se-key", .arg = "FILE",
		.help = "RSA key that unwraps the measurement keys of IBM Secure Execution, PEM",
		.complete = CLI_COMPLETE_FILE},
	{"insecure-no-revocation-list",
		.help = "accept SNP and NVIDIA evidence without knowing what was revoked"},
	{"nras", .help = "let NVIDIA's service verify GPUs and switches"},
	{"nras-url", .arg = "URL", .help = "likewise this service"},
	{"cert-file", .arg = "FILE",
		.help = "trust these roots for its TLS instead of the system's",
		.complete = CLI_COMPLETE_FILE},
	{"at", .arg = "TIME", .help = "verify as of this time, RFC 3339 (default: now)"},
	{NULL},
};

const struct cli_command cmds_verify[] = {
	{.name = "verify",
		.summary = "Verify evidence files off-line",
		.args = "EVIDENCE...",
		.args_min = 1,
		.args_max = CLI_ARGS_UNLIMITED,
		.complete = CLI_COMPLETE_FILE,
		.details = "Checks that evidence is authentic and shows every check. Whether the "
			   "claims are good is for "
			   "an appraisal policy; this command applies none.\n\n"
			   "A file holds the JSON evidence of one TEE as it travels in an "
			   "attestation message, or what hardware wrote: a quote of TDX or SGX, a "
			   "report of SNP or CSV, a token of CCA.",
		.exits = "0 all evidence is authentic\n1 a file cannot be read\n2 wrong usage\n3 "
			 "evidence is refused",
		.examples = "husk verify evidence.json --report-data 5f2c...",
		.options = g_options,
		.run = run_verify},
	{NULL},
};
