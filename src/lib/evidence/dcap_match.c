/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a platform stands: the first row whose numbers it all reaches, for platform, TDX module and
 * quoting enclave, and what these say together.
 */
#include "base/str.h"
#include "evidence/dcap_tcb.h"

static bool reaches(const uint8_t *have, const uint8_t *want, size_t from)
{
	for (size_t i = from; i < SGX_TCB_COMPONENTS; i++) {
		if (have[i] < want[i])
			return false;
	}
	return true;
}

static const struct tcb_level *isv_level(const struct tcb_levels *levels, unsigned isv_svn)
{
	for (size_t i = 0; i < levels->count; i++) {
		if (isv_svn >= levels->at[i].isv_svn)
			return &levels->at[i];
	}
	return NULL;
}

static bool masked_eq(struct slice have, const uint8_t *want, const uint8_t *mask, size_t size)
{
	if (have.size != size)
		return false;
	for (size_t i = 0; i < size; i++) {
		if ((have.data[i] & mask[i]) != (want[i] & mask[i]))
			return false;
	}
	return true;
}

const char *qe_identity_mismatch(const struct qe_identity *id, const struct sgx_report *qe)
{
	if (!masked_eq(qe->misc_select, id->misc_select, id->misc_select_mask, 4))
		return "MISCSELECT";
	if (!masked_eq(qe->attributes, id->attributes, id->attributes_mask, 16))
		return "ATTRIBUTES";
	if (!slice_eq(qe->mr_signer, slice_of(id->mr_signer, 32)))
		return "MRSIGNER";
	if (qe->isv_prod_id != id->isv_prod_id)
		return "ISVPRODID";
	return NULL;
}

static const struct tdx_module *find_module(const struct tcb_info *info, unsigned version)
{
	for (size_t i = 0; i < info->module_count; i++) {
		if (info->modules[i].version == version)
			return &info->modules[i];
	}
	return NULL;
}

static bool is_module_genuine(const struct tdx_module *m, const struct td_report *td)
{
	return slice_eq(td->mrsigner_seam, slice_of(m->mrsigner, sizeof(m->mrsigner))) &&
	       masked_eq(td->seam_attributes, m->attributes, m->attributes_mask,
		       sizeof(m->attributes));
}

/* OutOfDate of a part makes the whole out of date; configuration advice is kept beside it. */
static enum tcb_status add_out_of_date(enum tcb_status s)
{
	switch (s) {
	case TCB_UP_TO_DATE:
	case TCB_SW_HARDENING_NEEDED:
		return TCB_OUT_OF_DATE;
	case TCB_CONFIGURATION_NEEDED:
	case TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
		return TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
	default:
		return s;
	}
}

static enum tcb_status converge(enum tcb_status whole, enum tcb_status part)
{
	if (part == TCB_NOT_SUPPORTED || whole == TCB_NOT_SUPPORTED)
		return TCB_NOT_SUPPORTED;
	if (part == TCB_REVOKED || whole == TCB_REVOKED)
		return TCB_REVOKED;
	return part == TCB_OUT_OF_DATE ? add_out_of_date(whole) : whole;
}

static bool needs_configuration(enum tcb_status s)
{
	return s == TCB_CONFIGURATION_NEEDED || s == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
	       s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

/* All but the module is as Intel wants it. */
static bool can_be_cured(const struct tcb_match *m, enum tcb_status status)
{
	switch (m->platform->status) {
	case TCB_UP_TO_DATE:
	case TCB_SW_HARDENING_NEEDED:
	case TCB_CONFIGURATION_NEEDED:
	case TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
		break;
	default:
		return false;
	}
	return m->qe_status != TCB_OUT_OF_DATE && m->qe_status != TCB_REVOKED &&
	       m->qe_status != TCB_NOT_SUPPORTED && m->module_status == TCB_OUT_OF_DATE &&
	       (status == TCB_OUT_OF_DATE || status == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED);
}

/*
 * A 1.5 report also has the TCB that is loaded now. When only the module was out of date at launch
 * and has been updated since, a relaunch of the TD is all that is missing.
 */
static enum tcb_status relaunch(const struct tcb_info *info, const struct td_report *td,
	const struct tcb_match *m, enum tcb_status status)
{
	const struct tcb_level *newest = &info->levels.at[0];
	unsigned wanted = newest->tdx[0];

	if (td->tee_tcb_svn2.size != SGX_TCB_COMPONENTS || !can_be_cured(m, status))
		return status;
	const uint8_t *now = td->tee_tcb_svn2.data;
	if (now[1] != 0) {
		const struct tdx_module *current = find_module(info, now[1]);
		if (!current)
			return TCB_NOT_SUPPORTED;
		wanted = current->levels.at[0].isv_svn;
	}
	if (now[0] < wanted || now[2] < newest->tdx[2])
		return status;
	return needs_configuration(m->platform->status) || needs_configuration(status)
		       ? TCB_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
		       : TCB_RELAUNCH_ADVISED;
}

static const char *match_module(
	const struct tcb_info *info, const struct td_report *td, struct tcb_match *m)
{
	unsigned version = td->tee_tcb_svn.data[1];

	m->module_status = TCB_UP_TO_DATE;
	if (version == 0) {
		m->module_mismatch = !info->has_module || !is_module_genuine(&info->module, td);
		return m->module_mismatch ? "the TDX module is not signed by the one in TCB Info"
					  : NULL;
	}
	m->module_status = TCB_NOT_SUPPORTED;
	m->module = find_module(info, version);
	if (!m->module) {
		m->module_mismatch = true;
		return "TCB Info has no identity of this version of the TDX module";
	}
	if (!is_module_genuine(m->module, td)) {
		m->module_mismatch = true;
		return "signer or attributes of the TDX module are not those of its identity";
	}
	m->module_level = isv_level(&m->module->levels, td->tee_tcb_svn.data[0]);
	if (!m->module_level)
		return "the TDX module is older than every level of its identity";
	m->module_status = m->module_level->status;
	return NULL;
}

static const char *match_platform(const struct tcb_info *info, const struct pck_info *pck,
	const struct td_report *td, struct tcb_match *m)
{
	for (size_t i = 0; i < info->levels.count; i++) {
		const struct tcb_level *l = &info->levels.at[i];
		if (!reaches(pck->tcb, l->sgx, 0) || pck->pce_svn < l->pce_svn)
			continue;
		if (!m->platform)
			m->platform = l;
		/* From version 1 on the module's own numbers are in its identity. */
		if (td &&
			!reaches(td->tee_tcb_svn.data, l->tdx, td->tee_tcb_svn.data[1] > 0 ? 2 : 0))
			continue;
		m->tdx_level = td ? l : NULL;
		m->platform_status = l->status;
		return NULL;
	}
	return "no TCB level in TCB Info matches this platform";
}

void tcb_match(const struct tcb_info *info, const struct qe_identity *id,
	const struct pck_info *pck, const struct sgx_report *qe, const struct td_report *td,
	struct tcb_match *ret)
{
	struct tcb_match m = {0};

	m.qe_level = isv_level(&id->levels, qe->isv_svn);
	m.qe_status = m.qe_level ? m.qe_level->status : TCB_NOT_SUPPORTED;
	m.problem = match_platform(info, pck, td, &m);
	if (!m.problem && td)
		m.problem = match_module(info, td, &m);
	if (!m.problem && !m.qe_level)
		m.problem = "the quoting enclave is older than every level of its identity";
	if (!m.problem) {
		m.status = m.platform_status;
		if (td) {
			m.status = converge(m.status, m.module_status);
			m.status = relaunch(info, td, &m, m.status);
		}
		m.status = converge(m.status, m.qe_status);
		if (m.status == TCB_NOT_SUPPORTED)
			m.problem = "TCB Info has no identity of the loaded TDX module";
	}
	*ret = m;
}

static int add_ids(json_t *list, const struct tcb_level *level)
{
	size_t count = level && level->advisories ? json_array_size(level->advisories) : 0;
	for (size_t i = 0; i < count; i++) {
		json_t *id = json_array_get(level->advisories, i);
		bool known = false;
		for (size_t k = 0; !known && k < json_array_size(list); k++)
			known = json_equal(json_array_get(list, k), id);
		if (!known && json_array_append(list, id) < 0)
			return -ENOMEM;
	}
	return 0;
}

json_t *tcb_advisories(const struct tcb_match *m)
{
	json_t *list = json_array();
	if (!list)
		return NULL;
	if (add_ids(list, m->tdx_level ? m->tdx_level : m->platform) < 0 ||
		add_ids(list, m->module_level) < 0 || add_ids(list, m->qe_level) < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}
