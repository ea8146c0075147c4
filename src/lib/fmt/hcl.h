/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The report that Azure's paravisor (host compatibility layer) leaves in the vTPM's NV index
 * 0x01400001: a hardware report whose report data is the digest of variable data, which is JSON and
 * names the vTPM's keys. Little-endian; the views point into the caller's bytes.
 *
 * Spec: Microsoft Learn, "Guest attestation for confidential VMs", guest attestation report layout.
 */
#include "base/rd.h"

#define HCL_REPORT_SIZE_MAX ((size_t)65536)
#define HCL_HARDWARE_SIZE ((size_t)1184)

enum hcl_type { HCL_SNP = 2, HCL_TDX = 4 };

struct hcl_report {
	enum hcl_type type;
	struct slice hardware; /* HCL_HARDWARE_SIZE bytes: SNP report, or TDREPORT and zeros */
	struct slice variable; /* exactly what the hardware's report data is the SHA-256 of */
};

/**
 * hcl_report_parse() - bytes after the variable data are ignored: the NV index is bigger
 * Return: 0; -ENODATA, -EBADMSG (magic, sizes), -EOPNOTSUPP (version, kind of report or hash),
 * -E2BIG.
 */
must_check int hcl_report_parse(struct slice in, struct hcl_report *ret, struct err *reterr);
