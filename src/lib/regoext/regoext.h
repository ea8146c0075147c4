/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Built-in functions of Rego that need a library or the file system, beside the engine, which needs
 * neither: crypto.*, io.jwt.*, providers.aws.sign_req (OpenSSL), yaml.* (libyaml), and the system's
 * time zones. They use nothing but the engine's public header.
 *
 * Keys are those of crypto/key.h: RSA from 2048 bits, the NIST curves, Ed25519. A signature by
 * another key does not verify.
 *
 * Spec: OPA's built-in function reference.
 */
#include "rego/rego.h"

/**
 * regoext_register() - declare all of them; must precede the modules that call them
 * Return: 0, -ENOMEM.
 */
must_check int regoext_register(struct rego_compiler *c);

/**
 * regoext_time_zone() - for rego_eval_options.time_zone: reads the system's time zone database
 * Names that lead out of it are unknown. Return: 0, -ENOENT, -E2BIG, -ENOMEM, -EIO.
 */
int regoext_time_zone(void *cookie, const char *name, struct buf *out);
