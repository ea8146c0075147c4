/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a PCK certificate says of its platform: the SGX extension 1.2.840.113741.1.13.1.
 * Spec: Intel SGX PCK Certificate and Certificate Revocation List Profile, revision 1.5, 1.3.5.
 */
#include "base/err.h"
#include "base/slice.h"

#define SGX_TCB_COMPONENTS 16

struct pck_info {
	uint8_t ppid[16];
	uint8_t tcb[SGX_TCB_COMPONENTS];
	uint16_t pce_svn;
	uint8_t cpu_svn[16];
	uint8_t pce_id[2];
	uint8_t fmspc[6];
	unsigned sgx_type; /* 0 standard, 1 scalable, 2 scalable with integrity */
	bool has_platform_instance;
	uint8_t platform_instance[16];
	bool has_configuration;
	bool dynamic_platform, cached_keys, smt_enabled;
};

#define PCK_EXTENSION_OID "1.2.840.113741.1.13.1"

/**
 * pck_info_parse() - content of the extension
 * Every mandatory member must be there exactly once; unknown members are ignored.
 * Return: 0, -EBADMSG, -ENODATA; @reterr says which member.
 */
must_check int pck_info_parse(struct slice der, struct pck_info *ret, struct err *reterr);
