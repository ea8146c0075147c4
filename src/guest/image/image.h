/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guest's image program: pulls, judges, decrypts and unpacks one image, then exits.
 *
 * Theory of operation. It is a child of PID 1 (agent/child.h has the protocol) and the only guest
 * process that talks to registries. Everything it is told by the registry is hostile; its orders
 * come from PID 1, its keys from the attestation agent. Before the first byte from the network is
 * read it gives up what it does not need: capabilities other than those for making files of any
 * owner, and the file system outside its folder.
 *
 * It unpacks into ROOT/.new and renames that to ROOT/rootfs only when all layers have been
 * verified, so the path that PID 1 gets never held unverified files.
 *
 * Without an image security policy it refuses: the absence of a policy is not permission.
 */
#include <jansson.h>

#include "base/err.h"
#include "oci/image.h"

/** struct image_config - `[image]` of cdh.toml, as far as husk uses it; see image_config_parse() */
struct image_config {
	json_t *doc;		/* owned; everything below borrows from it */
	const char *policy_uri; /* wins over @policy */
	const char *policy;
	const char *auth_uri;
	const char *registries_uri;
	json_t *registries;   /* parsed registry_config, owned */
	struct buf roots_pem; /* extra_root_certificates */
	const char *https_proxy;
};

/**
 * image_config_parse() - read cdh.toml
 * Unknown members of other components' sections are ignored; in [image] too, as upstream does.
 * Return: 0; -EBADMSG; -E2BIG; -ENOMEM.
 */
must_check int image_config_parse(
	struct image_config *ret, struct slice cdh_toml, struct err *reterr);
void image_config_done(struct image_config *c);

/** image_confine() - give up privileges; @root stays writable. Return: 0 or negative errno. */
must_check int image_confine(const char *root, struct err *reterr);
