/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Intel's signed statements about TCBs: TCB Info (versions 2 and 3, SGX and TDX) and the identities
 * of quoting enclaves (versions 1 and 2), and how a platform is matched with them. No signatures
 * here: the bytes have been checked before they are parsed.
 *
 * Spec: Intel SGX and TDX provisioning certification service API version 4, "Get TCB Info" and "Get
 * Quoting Enclave Identity", with the appraisal that is described there.
 */
#include <jansson.h>

#include "evidence/dcap_pck.h"
#include "fmt/sgx_quote.h"

#define TCB_LEVELS_MAX 128
#define TCB_MODULES_MAX 32
#define TCB_ADVISORIES_MAX 128
#define TCB_JSON_MAX ((size_t)512 << 10)

/* The zero is the one that no evidence may pass with. */
enum tcb_status {
	TCB_NOT_SUPPORTED = 0,
	TCB_UP_TO_DATE,
	TCB_SW_HARDENING_NEEDED,
	TCB_CONFIGURATION_NEEDED,
	TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
	TCB_OUT_OF_DATE,
	TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
	TCB_RELAUNCH_ADVISED,
	TCB_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
	TCB_REVOKED,
};
/** tcb_status_name() - Intel's spelling, e.g. "UpToDate" */
const char *tcb_status_name(enum tcb_status status);

/** struct tcb_level - one row; @sgx, @tdx, @pce_svn for platforms, @isv_svn for modules and
 * enclaves */
struct tcb_level {
	uint8_t sgx[SGX_TCB_COMPONENTS];
	uint8_t tdx[SGX_TCB_COMPONENTS];
	uint16_t pce_svn;
	uint16_t isv_svn;
	enum tcb_status status;
	int64_t date;
	const json_t *advisories; /* array of strings, or NULL */
};

struct tcb_levels {
	struct tcb_level *at; /* from the newest on */
	size_t count;
};

/** struct tdx_module - who may have signed a TDX module; @version: of TDX_NN, 0 without identity */
struct tdx_module {
	unsigned version;
	uint8_t mrsigner[48];
	uint8_t attributes[8], attributes_mask[8];
	struct tcb_levels levels;
};

/** struct tcb_info - release with tcb_info_free() */
struct tcb_info {
	struct arena *arena; /* owns everything else */
	json_t *json;
	unsigned version;
	bool is_tdx;
	int64_t issued, next_update;
	uint8_t fmspc[6];
	uint8_t pce_id[2];
	int64_t evaluation_number;
	bool has_module;
	struct tdx_module module; /* for modules of version 0 */
	struct tdx_module *modules;
	size_t module_count;
	struct tcb_levels levels;
};
/** tcb_info_parse() - exactly the signed bytes. Return: 0, -EBADMSG, -EOPNOTSUPP, -E2BIG, -ENOMEM.
 */
must_check int tcb_info_parse(struct slice json, struct tcb_info **ret, struct err *reterr);
void tcb_info_free(struct tcb_info *t);
DEFINE_CLEANUP(struct tcb_info *, tcb_info_free);

/** struct qe_identity - release with qe_identity_free() */
struct qe_identity {
	struct arena *arena;
	json_t *json;
	unsigned version;
	bool is_tdx; /* TD_QE rather than QE */
	int64_t issued, next_update;
	int64_t evaluation_number;
	uint8_t misc_select[4], misc_select_mask[4];
	uint8_t attributes[16], attributes_mask[16];
	uint8_t mr_signer[32];
	uint16_t isv_prod_id;
	struct tcb_levels levels;
};
must_check int qe_identity_parse(struct slice json, struct qe_identity **ret, struct err *reterr);
void qe_identity_free(struct qe_identity *q);
DEFINE_CLEANUP(struct qe_identity *, qe_identity_free);

/**
 * tcb_split_signed() - find body and signature in what Intel's service delivers
 * @in: {"tcbInfo": {...}, "signature": "hex"} or {"enclaveIdentity": {...}, "signature": "hex"}
 * @name: of the body
 * @ret_body: the exact bytes that are signed; @ret_signature: 64 bytes
 * Return: 0, -EBADMSG (malformed, a member is absent, or others are present), -E2BIG.
 */
must_check int tcb_split_signed(struct slice in, const char *name, struct slice *ret_body,
	uint8_t ret_signature[64], struct err *reterr);

/**
 * struct tcb_match - outcome of the comparison
 * @status: what counts, after everything was taken together
 * @platform, @tdx_level: the rows that were found, NULL when none was
 * @module: the identity used, NULL for SGX and for modules of version 0
 * @module_level, @qe_level: rows of the module and of the quoting enclave
 * @problem: static words for TCB_NOT_SUPPORTED; NULL otherwise
 */
struct tcb_match {
	enum tcb_status status, platform_status, module_status, qe_status;
	const struct tcb_level *platform, *tdx_level, *module_level, *qe_level;
	const struct tdx_module *module;
	bool module_mismatch; /* the module's signer or attributes are not those of its identity */
	const char *problem;
};

/** qe_identity_mismatch() - which field of the QE's report is not as @id wants; NULL when all are
 */
const char *qe_identity_mismatch(const struct qe_identity *id, const struct sgx_report *qe);
/** tcb_match() - place a platform. @td is NULL for SGX. */
void tcb_match(const struct tcb_info *info, const struct qe_identity *id,
	const struct pck_info *pck, const struct sgx_report *qe, const struct td_report *td,
	struct tcb_match *ret);
/** tcb_advisories() - new array: advisory ids of all rows of @m, each once. NULL on ENOMEM. */
json_t *tcb_advisories(const struct tcb_match *m);
