/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A made-up machine of IBM Z: a host key, and an ultravisor that answers attestation requests for
 * it as the real one does: opens its key slot, decrypts the request, measures.
 */
#include "crypto/key.h"
#include "fmt/se.h"

struct se_sim;
/** se_sim_new() - a machine and a relying party's RSA key; NULL on failure */
struct se_sim *se_sim_new(void);
void se_sim_free(struct se_sim *s);
DEFINE_CLEANUP(struct se_sim *, se_sim_free);
/** se_sim_host_key() - to make requests for; se_sim_wrapping_key() - RSA, private */
struct pkey *se_sim_host_key(const struct se_sim *s);
const struct pkey *se_sim_wrapping_key(const struct se_sim *s);
/** se_sim_tags() - of the image that it runs */
struct se_tags se_sim_tags(const struct se_sim *s);
/**
 * se_sim_answer() - the evidence that a guest on this machine gets for Trustee's challenge
 * @user_data: at most 256 bytes
 * Return: NULL on failure, also when no slot of the request is this machine's.
 */
json_t *se_sim_answer(const struct se_sim *s, const json_t *challenge, struct slice user_data);
