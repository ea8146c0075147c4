/* SPDX-License-Identifier: Apache-2.0 */
/* husk measure snp: the launch digest of a SEV-SNP guest, and an id block that demands it. */
#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/kbs_admin.h"
#include "evidence/measure_snp.h"
#include "fmt/json.h"

#define FILE_MAX ((size_t)1 << 30)
#define KEY_FILE_MAX ((size_t)65536)

struct snp_files {
	struct buf firmware, kernel, initrd, firmware_digest;
};

static void snp_files_done(struct snp_files *f)
{
	buf_done(&f->firmware);
	buf_done(&f->kernel);
	buf_done(&f->initrd);
	buf_done(&f->firmware_digest);
}

static int read_option(
	const struct cli *cli, const char *name, struct buf *into, struct err *reterr)
{
	*into = buf_init(FILE_MAX);
	return cli_opt(cli, name) ? file_read(cli_opt(cli, name), FILE_MAX, into, reterr) : 0;
}

static int bad_option(const char *name, const char *what, struct err *reterr)
{
	return err_at(reterr, -EINVAL, ERR_NO_OFFSET, name, "--%s takes %s", name, what);
}

/* A number, decimal or with 0x; @fallback when the option is not given. */
static int number_option(const struct cli *cli, const char *name, uint64_t fallback, uint64_t max,
	uint64_t *ret, struct err *reterr)
{
	const char *text = cli_opt(cli, name);
	*ret = fallback;
	if (!text)
		return 0;
	int r = str_starts(text, "0x") ? parse_hex64(slice_str(text), ret)
				       : parse_u64(slice_str(text), 0, max, ret);
	return r < 0 || *ret > max ? bad_option(name, "a number", reterr) : 0;
}

static int vcpu_option(const struct cli *cli, uint32_t *ret, struct err *reterr)
{
	const char *type = cli_opt(cli, "vcpu-type") ?: "EPYC-v4";
	uint64_t signature;

	if (measure_snp_vcpu(type, ret) < 0)
		return bad_option("vcpu-type", "a processor model of QEMU such as EPYC-v4", reterr);
	int r = number_option(cli, "vcpu-signature", *ret, UINT32_MAX, &signature, reterr);
	if (r == 0)
		*ret = (uint32_t)signature;
	return r;
}

static int fill_input(const struct cli *cli, struct snp_files *f, struct measure_snp_input *in,
	struct err *reterr)
{
	const char *vmm = cli_opt(cli, "vmm") ?: "qemu", *mode = cli_opt(cli, "mode") ?: "snp";
	const char *digest = cli_opt(cli, "firmware-digest");
	uint64_t vcpus = 0;

	f->firmware_digest = buf_init(0);
	int r = read_option(cli, "firmware", &f->firmware, reterr);
	if (r == 0)
		r = read_option(cli, "kernel", &f->kernel, reterr);
	if (r == 0)
		r = read_option(cli, "initrd", &f->initrd, reterr);
	if (r == 0 && digest && hex_decode(&f->firmware_digest, slice_str(digest)) < 0)
		r = bad_option("firmware-digest", "hex digits", reterr);
	if (r == 0)
		r = number_option(cli, "vcpus", 1, MEASURE_SNP_VCPUS_MAX, &vcpus, reterr);
	if (r == 0)
		r = number_option(
			cli, "guest-features", 1, UINT64_MAX, &in->guest_features, reterr);
	if (r == 0)
		r = vcpu_option(cli, &in->vcpu_signature, reterr);
	if (r < 0)
		return r;
	in->vmm = streq(vmm, "ec2") ? MEASURE_EC2 : streq(vmm, "gce") ? MEASURE_GCE : MEASURE_QEMU;
	in->mode = streq(mode, "sev")	   ? MEASURE_SEV
		   : streq(mode, "sev-es") ? MEASURE_SEV_ES
					   : MEASURE_SNP;
	in->vcpus = (unsigned)vcpus;
	in->firmware = buf_slice(&f->firmware);
	in->firmware_digest = buf_slice(&f->firmware_digest);
	in->has_kernel = cli_opt(cli, "kernel") != NULL;
	in->kernel = buf_slice(&f->kernel);
	in->initrd = buf_slice(&f->initrd);
	in->cmdline = slice_str(cli_opt(cli, "append"));
	if (!in->has_kernel && (cli_opt(cli, "initrd") || cli_opt(cli, "append")))
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "kernel",
			"--initrd and --append need --kernel: without a kernel they are not "
			"measured");
	return 0;
}

static int read_key(const struct cli *cli, const char *name, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(KEY_FILE_MAX);

	if (!cli_opt(cli, name))
		return 0;
	int r = file_read(cli_opt(cli, name), KEY_FILE_MAX, &pem, reterr);
	return r == 0 ? pkey_from_pem(buf_slice(&pem), ret, reterr) : r;
}

static int id_option(const struct cli *cli, const char *name, uint8_t ret[16], struct err *reterr)
{
	const char *hex = cli_opt(cli, name);
	return hex && hex_decode_fixed(ret, 16, slice_str(hex)) < 0
		       ? bad_option(name, "32 hex digits", reterr)
		       : 0;
}

static int add_id_block(
	const struct cli *cli, const struct digest *d, json_t *doc, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL, *author = NULL;
	struct snp_id id = {.launch_digest = digest_slice(d)};
	struct snp_id_block b;
	uint64_t svn = 0;

	if (!cli_opt(cli, "id-key"))
		return 0;
	int r = read_key(cli, "id-key", &key, reterr);
	if (r == 0)
		r = read_key(cli, "author-key", &author, reterr);
	if (r == 0)
		r = id_option(cli, "family-id", id.family_id, reterr);
	if (r == 0)
		r = id_option(cli, "image-id", id.image_id, reterr);
	if (r == 0)
		r = number_option(cli, "guest-svn", 0, UINT32_MAX, &svn, reterr);
	if (r == 0)
		r = number_option(cli, "policy", 0x30000, UINT64_MAX, &id.policy, reterr);
	id.guest_svn = (uint32_t)svn;
	if (r == 0)
		r = measure_snp_id_block(&id, key, author, &b, reterr);
	if (r == 0)
		r = json_set_b64(doc, "id_block", slice_of(b.block, sizeof(b.block)), B64_STD);
	if (r == 0)
		r = json_set_b64(doc, "id_auth", slice_of(b.auth, sizeof(b.auth)), B64_STD);
	if (r == 0)
		r = json_set_hex(doc, "id_key_digest", digest_slice(&b.id_key_digest));
	if (r == 0 && author)
		r = json_set_hex(doc, "author_key_digest", digest_slice(&b.author_key_digest));
	return r;
}

static int measure(const struct cli *cli, json_t *doc, json_t *values, struct err *reterr)
{
	cleanup_with(snp_files_done) struct snp_files f = {0};
	struct measure_snp_input in = {0};
	struct digest d;

	int r = fill_input(cli, &f, &in, reterr);
	if (r == 0)
		r = measure_snp(&in, &d, reterr);
	if (r == 0)
		r = json_set_hex(doc, "launch_digest", digest_slice(&d));
	if (r == 0)
		r = json_set_take(values, "snp_launch_measurement",
			json_pack("[O]", json_object_get(doc, "launch_digest")));
	return r == 0 ? add_id_block(cli, &d, doc, reterr) : r;
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

static int run_measure_snp(struct cli *cli)
{
	cleanup(json_decref) json_t *doc = json_object(), *values = json_object();
	struct err e = {0};
	const char *name;
	json_t *value;

	int r = measure(cli, doc, values, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot measure the guest");
	if (cli_flag(cli, "register"))
		return register_values(cli, values);
	if (cli_flag(cli, "values"))
		return cli_print_json(values);
	if (cli->json)
		return cli_print_json(doc);
	json_object_foreach (doc, name, value) {
		printf("%s %s\n", name, json_string_value(value));
	}
	return CLI_OK;
}

static const struct cli_option g_options[] = {
	{"firmware", .arg = "FILE", .required = true, .complete = CLI_COMPLETE_FILE,
		.help = "firmware image (OVMF)"},
	{"kernel", .arg = "FILE", .complete = CLI_COMPLETE_FILE,
		.help = "kernel that the hypervisor loads (kernel-hashes=on)"},
	{"initrd", .arg = "FILE", .complete = CLI_COMPLETE_FILE, .help = "its initrd"},
	{"append", .arg = "TEXT", .help = "its command line, to the byte"},
	{"vcpus", .arg = "N", .help = "number of virtual processors (default: 1)"},
	{"vcpu-type", .arg = "MODEL",
		.help = "QEMU's processor model, such as EPYC-v4 or EPYC-Genoa (default: EPYC-v4)"},
	{"vcpu-signature", .arg = "N", .help = "signature of the processor, instead of its model"},
	{"vmm", .arg = "NAME", .choices = "qemu|ec2|gce",
		.help = "hypervisor, for the state that processors start in (default: qemu)"},
	{"mode", .arg = "MODE", .choices = "snp|sev-es|sev", .help = "default: snp"},
	{"guest-features", .arg = "N", .help = "SEV features of the processors (default: 0x1)"},
	{"firmware-digest", .arg = "HEX",
		.help = "digest after the firmware's pages, where FILE has only the last of them"},
	{"id-key", .arg = "FILE", .complete = CLI_COMPLETE_FILE,
		.help = "private P-384 key: also make an id block for this launch digest"},
	{"author-key", .arg = "FILE", .complete = CLI_COMPLETE_FILE,
		.help = "private P-384 key that vouches for the id key"},
	{"policy", .arg = "N", .help = "guest policy in the id block (default: 0x30000)"},
	{"guest-svn", .arg = "N", .help = "security version in the id block (default: 0)"},
	{"family-id", .arg = "HEX", .help = "family in the id block (default: zeros)"},
	{"image-id", .arg = "HEX", .help = "image in the id block (default: zeros)"},
	{"values",
		.help = "print reference values as JSON, as husk kbs reference import reads them"},
	{"register", .help = "register the reference values with a key broker"},
	{"expires", .arg = "TIME",
		.help = "with --register: until when they count (default: 12 months)"},
	KBS_OPTIONS,
	{NULL},
};

const struct cli_command cmds_measure_snp[] = {
	{.group = "measure",
		.name = "snp",
		.summary = "Compute the launch digest of a SEV-SNP guest, off-line",
		.details =
			"The digest covers the firmware, the pages that it asks for, the state "
			"of each virtual processor and, with a kernel, the hashes of kernel, "
			"initrd and command line. It must be given what the hypervisor is given.",
		.exits = "0 computed\n1 a file cannot be read or is not what it should be\n2 wrong "
			 "usage\n3 the key broker refuses",
		.examples = "husk measure snp --firmware OVMF.amdsev.fd --kernel vmlinuz --initrd "
			    "initrd.img --append \"console=ttyS0\" --vcpus 4 --vcpu-type EPYC-v4\n"
			    "husk measure snp --firmware OVMF.fd --vcpus 2 --register --url "
			    "https://kbs:8080",
		.options = g_options,
		.run = run_measure_snp},
	{NULL},
};
