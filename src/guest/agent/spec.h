/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What exactly runs: the image's configuration merged with the host's wishes. This is what the
 * agent policy judges and what the OCI bundle is made from; there is no other way to a container.
 *
 * Spec: OCI image-spec v1.1 config.md; OCI runtime-spec v1.1 config.md, config-linux.md
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "fmt/hostlink.h"

#define SPEC_GROUPS_MAX 64u
#define SPEC_ID_MAX 0x7FFFFFFFu /* user and group ids */

struct spec {
	char *image;	/* reference as the host gave it */
	char *digest;	/* of the manifest, "sha256:..." */
	char *rootfs;	/* absolute path of the unpacked image */
	json_t *args;	/* array of strings, not empty */
	json_t *env;	/* array of NAME=value, each name once */
	char *cwd;	/* absolute */
	char *user;	/* the image's User, "" for root */
	char *hostname; /* never NULL */
	bool terminal;
	uint32_t uid, gid;
	uint32_t groups[SPEC_GROUPS_MAX];
	size_t groups_count;
	uint64_t memory;
	uint32_t cpu_millis;
};

void spec_done(struct spec *spec);

/**
 * spec_merge() - merge an image configuration with the RUN message
 * @config: OCI image configuration (borrowed)
 * @digest: of the manifest
 * As with docker: args are Entrypoint, then run->args or else Cmd; env is the image's, overridden
 * by run->env, with PATH, HOSTNAME and TERM defaulted; cwd is WorkingDir or "/". rootfs, uid, gid
 * and groups are still unset. Return: 0; -EBADMSG (configuration malformed); -EINVAL (nothing to
 * run); -E2BIG; -ENOMEM.
 */
must_check int spec_merge(json_t *config, const char *digest, const struct hostlink_run *run,
	struct spec *ret, struct err *reterr);

/**
 * spec_resolve_user() - look spec->user up in the files of the root file system
 * @rootfs_fd: folder; /etc/passwd and /etc/group are read inside of it, links cannot leave it
 * Forms: "", "user", "uid", "user:group", "uid:gid" and mixtures. Also sets HOME when env has none.
 * Return: 0; -ENOENT (unknown user or group); -EBADMSG; -E2BIG; -ENOMEM.
 */
must_check int spec_resolve_user(struct spec *spec, int rootfs_fd, struct err *reterr);

/**
 * spec_policy_input() - input of CreateContainerRequest for the agent policy
 * Return: a new object, NULL on ENOMEM.
 */
json_t *spec_policy_input(const struct spec *spec);

/**
 * spec_bundle() - the OCI runtime configuration (config.json)
 * @cgroup: cgroups path, absolute below the cgroup mount
 * Return: a new object, NULL on ENOMEM.
 */
json_t *spec_bundle(const struct spec *spec, const char *cgroup);
