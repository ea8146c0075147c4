/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where an image is, as typed: a registry reference, an OCI layout (PATH or PATH:NAME) or an
 * archive file. Shared by the `husk image` commands.
 */
#include "base/temp_dir.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "oci/build.h"
#include "oci/registry.h"

/**
 * struct image_loc - an opened place; release with image_loc_done()
 * @source: to read from
 * @ref: for a registry; for layouts only what --identity says
 * @name: of the image in a layout; NULL for the only one
 */
struct image_loc {
	bool is_registry;
	struct oci_ref ref;
	struct oci_registry *registry;
	struct oci_layout *layout;
	char *name;
	struct oci_source source;
	struct temp_dir unpacked; /* an archive's content */
	struct buf roots;
};
void image_loc_done(struct image_loc *l);

/** image_loc_open() - open for reading; @create makes a missing layout. Return: 0 or errno. */
must_check int image_loc_open(struct image_loc *ret, const struct cli *cli, const char *text,
	bool create, struct err *reterr);
/** image_loc_resolve() - the image there; @ret_digest: of what its name points to */
must_check int image_loc_resolve(
	struct image_loc *l, const struct cli *cli, struct oci_image *ret, struct err *reterr);

/* Options that every command with a registry has. */
#define IMAGE_REGISTRY_OPTIONS                                                                    \
	{"insecure-registry", .arg = "HOST", .many = true,                                        \
		.help = "use plain HTTP for this registry (HOST or HOST:PORT)"},                  \
		{"authfile", .arg = "FILE",                                                       \
			.help = "registry credentials, as docker and podman write "               \
				"them",                                                           \
			.complete = CLI_COMPLETE_FILE},                                           \
		{"ca", .arg = "FILE", .help = "trust these certificates instead of the system's", \
			.complete = CLI_COMPLETE_FILE},                                           \
	{                                                                                         \
		"platform", .arg = "ARCH",                                                        \
			    .help = "architecture to take from an index (amd64, ...)"             \
	}

int image_run_push(struct cli *cli);
int image_run_pull(struct cli *cli);
int image_run_sign(struct cli *cli);
int image_run_verify(struct cli *cli);
int image_run_build(struct cli *cli);
int image_run_encrypt(struct cli *cli);
int image_run_decrypt(struct cli *cli);
int image_run_inspect(struct cli *cli);

/**
 * struct kek_files - KEKs given as --key FILE or --key KID=FILE
 * A FILE without KID answers for every kid.
 */
struct kek_files {
	const struct cli *cli;
};
/** image_kek_get() - an oci_fetcher over struct kek_files */
must_check int image_kek_get(void *user, const char *kid, struct buf *out, struct err *reterr);
/** image_progress() - feeds a progress bar */
struct oci_progress image_progress(struct progress *p);
/** image_descriptor_json() - {"digest","size","media_type"} (new reference) */
json_t *image_descriptor_json(const struct oci_descriptor *d);
