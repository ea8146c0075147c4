/* SPDX-License-Identifier: Apache-2.0 */
/* husk image: make, encrypt, sign, move and examine container images. */
#include "cli/commands.h"
#include "cli/image_loc.h"

#define LAYOUT_HELP                                                                              \
	"An image is a registry reference (docker:// may stand in front), a folder with an OCI " \
	"image layout (PATH or PATH:NAME, oci: may stand in front), or an OCI or docker archive."

static const struct cli_option g_build_options[] = {
	{"entrypoint", .arg = "WORD", .many = true, .help = "program and fixed arguments"},
	{"cmd", .arg = "WORD", .many = true, .help = "default arguments"},
	{"env", 'e', .arg = "NAME=VALUE", .many = true, .help = "environment variable"},
	{"user", 'u', .arg = "USER[:GROUP]", .help = "user to run as"},
	{"workdir", 'w', .arg = "DIR", .help = "working directory"},
	{"label", 'l', .arg = "NAME=VALUE", .many = true, .help = "label"},
	{"compression", .arg = "HOW",
		.help = "compression of the layer (default gzip, which every reader knows; zstd is "
			"unpacked twice as fast)",
		.choices = "gzip|zstd|none"},
	{"level", .arg = "N", .help = "level of the compression, 1 to 9"},
	{"epoch", .arg = "SECONDS",
		.help = "latest time of a file, and the time of creation (default: "
			"SOURCE_DATE_EPOCH)"},
	IMAGE_REGISTRY_OPTIONS,
	{NULL},
};

static const struct cli_option g_encrypt_options[] = {
	{"key", 'k', .arg = "FILE", .required = true,
		.help = "file with the 32-byte key encryption key; made when it does not exist",
		.complete = CLI_COMPLETE_FILE},
	{"keyid", .arg = "URI", .required = true,
		.help = "where guests find the key: kbs:///REPOSITORY/TYPE/TAG"},
	IMAGE_REGISTRY_OPTIONS,
	{NULL},
};

static const struct cli_option g_decrypt_options[] = {
	{"key", 'k', .arg = "[URI=]FILE", .many = true,
		.help = "key encryption key, for every key id or for one",
		.complete = CLI_COMPLETE_FILE},
	{"private-key", .arg = "FILE",
		.help = "private key of a JWE or PKCS#7 recipient: PEM, DER or JWK",
		.complete = CLI_COMPLETE_FILE},
	{"pgp-key", .arg = "FILE", .help = "OpenPGP secret keys without pass phrase",
		.complete = CLI_COMPLETE_FILE},
	IMAGE_REGISTRY_OPTIONS,
	{NULL},
};

static const struct cli_option g_sign_options[] = {
	{"key", 'k', .arg = "FILE", .required = true, .help = "private key in PEM",
		.complete = CLI_COMPLETE_FILE},
	{"identity", .arg = "REGISTRY/IMAGE",
		.help = "name to sign (default: the repository of the image)"},
	IMAGE_REGISTRY_OPTIONS,
	{NULL},
};

static const struct cli_option g_verify_options[] = {
	{"key", 'k', .arg = "FILE", .help = "public key in PEM", .complete = CLI_COMPLETE_FILE},
	{"policy", .arg = "FILE", .help = "image security policy (containers-policy.json)",
		.complete = CLI_COMPLETE_FILE},
	{"lookaside", .arg = "FOLDER",
		.help = "where simple signatures are (signedBy): NAME@sha256=HEX/signature-1...",
		.complete = CLI_COMPLETE_FILE},
	{"identity", .arg = "REGISTRY/IMAGE",
		.help = "name that must be signed (default: the image's own)"},
	IMAGE_REGISTRY_OPTIONS,
	{NULL},
};

static const struct cli_option g_registry_options[] = {IMAGE_REGISTRY_OPTIONS, {NULL}};

const struct cli_command cmds_image[] = {
	{"image", "build", "Make an image from a folder, a layout or an archive", "SOURCE LAYOUT",
		.args_min = 2, .args_max = 2,
		.details =
			"A SOURCE that is a folder without an OCI layout is taken as a root file "
			"system and becomes an image of one layer; the same folder gives the same "
			"bytes. Any other SOURCE is copied. Device nodes and sockets are left "
			"out.\n\n" LAYOUT_HELP,
		.examples = "husk image build rootfs img:v1 --cmd /bin/sh -e LANG=C",
		.options = g_build_options, .complete = CLI_COMPLETE_FILE, .run = image_run_build},
	{"image", "encrypt", "Encrypt the layers of an image", "SOURCE LAYOUT", .args_min = 2,
		.args_max = 2,
		.details = "Each layer gets a random key (AES-256-CTR with HMAC-SHA256, as "
			   "containers/ocicrypt does it), wrapped for the key provider "
			   "attestation-agent under the key encryption key of --key. Guests fetch "
			   "that "
			   "key from the key broker under --keyid.\n\n" LAYOUT_HELP,
		.examples = "husk image encrypt img:v1 enc:v1 --key kek.bin --keyid "
			    "kbs:///default/image-key/app",
		.options = g_encrypt_options, .complete = CLI_COMPLETE_FILE,
		.run = image_run_encrypt},
	{"image", "decrypt", "Decrypt the layers of an image", "SOURCE LAYOUT", .args_min = 2,
		.args_max = 2, .details = LAYOUT_HELP, .options = g_decrypt_options,
		.complete = CLI_COMPLETE_FILE, .run = image_run_decrypt},
	{"image", "sign", "Sign an image in the format of cosign", "IMAGE", .args_min = 1,
		.args_max = 1,
		.details =
			"The signature is stored beside the image under the tag that cosign uses. "
			"Signatures of several keys can stand side by side.\n\n" LAYOUT_HELP,
		.options = g_sign_options, .complete = CLI_COMPLETE_FILE, .run = image_run_sign},
	{"image", "verify", "Check the signatures of an image", "IMAGE", .args_min = 1,
		.args_max = 1,
		.details = "With --policy the image must meet every requirement of the matching "
			   "scope, "
			   "as a guest would check it. Exit code 3 is a refusal.\n\n" LAYOUT_HELP,
		.options = g_verify_options, .complete = CLI_COMPLETE_FILE,
		.run = image_run_verify},
	{"image", "push", "Copy an image and its signatures to a registry", "SOURCE REGISTRY/IMAGE",
		.args_min = 2, .args_max = 2, .options = g_registry_options,
		.complete = CLI_COMPLETE_FILE, .run = image_run_push},
	{"image", "pull", "Copy an image and its signatures from a registry",
		"REGISTRY/IMAGE LAYOUT", .args_min = 2, .args_max = 2,
		.details = "Every blob is checked against its digest. Encrypted layers stay "
			   "encrypted.",
		.options = g_registry_options, .complete = CLI_COMPLETE_FILE,
		.run = image_run_pull},
	{"image", "inspect", "Show manifest, layers and configuration", "IMAGE", .args_min = 1,
		.args_max = 1, .details = LAYOUT_HELP, .options = g_registry_options,
		.complete = CLI_COMPLETE_FILE, .run = image_run_inspect},
	{NULL},
};
