/* SPDX-License-Identifier: Apache-2.0 */
/* TCB Info and QE identities: from signed bytes to structures. */
#include "evidence/dcap_tcb.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "fmt/json.h"

#define ARENA_MAX ((size_t)1 << 20)

static const char *const g_status_names[] = {
	[TCB_NOT_SUPPORTED] = "NotSupported",
	[TCB_UP_TO_DATE] = "UpToDate",
	[TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
	[TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
	[TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
	[TCB_OUT_OF_DATE] = "OutOfDate",
	[TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
	[TCB_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
	[TCB_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
	[TCB_REVOKED] = "Revoked",
};

const char *tcb_status_name(enum tcb_status status)
{
	return (size_t)status < ARRAY_COUNT(g_status_names) ? g_status_names[status]
							    : g_status_names[0];
}

static int get_hex(const json_t *o, const char *name, uint8_t *dst, size_t size, struct err *reterr)
{
	const char *text = NULL;
	int r = json_get_str(o, name, &text, reterr);
	if (r < 0)
		return r;
	if (hex_decode_fixed(dst, size, slice_str(text)) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"member \"%s\" is not %zu bytes in hex", name, size);
	return 0;
}

static int get_date(const json_t *o, const char *name, int64_t *ret, struct err *reterr)
{
	const char *text = NULL;
	int r = json_get_str(o, name, &text, reterr);
	if (r < 0)
		return r;
	if (rfc3339_parse(slice_str(text), ret) < 0)
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, name, "member \"%s\" is not a date", name);
	return 0;
}

static int get_u16(const json_t *o, const char *name, uint16_t *ret, struct err *reterr)
{
	int64_t n = 0;
	int r = json_get_int(o, name, 0, UINT16_MAX, &n, reterr);
	if (r == 0)
		*ret = (uint16_t)n;
	return r;
}

/* What TCB levels, module levels and enclave levels have in common. */
static int parse_row(const json_t *row, struct tcb_level *l, struct err *reterr)
{
	const char *status = NULL;
	json_t *advisories = json_object_get(row, "advisoryIDs");

	int r = get_date(row, "tcbDate", &l->date, reterr);
	if (r == 0)
		r = json_get_str(row, "tcbStatus", &status, reterr);
	if (r != 0 || !status)
		return r != 0 ? r : -EBADMSG;
	for (size_t i = TCB_UP_TO_DATE; i < ARRAY_COUNT(g_status_names); i++) {
		if (streq(g_status_names[i], status))
			l->status = (enum tcb_status)i;
	}
	if (l->status == TCB_NOT_SUPPORTED)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "tcbStatus",
			"TCB level has an unknown status");
	if (!advisories)
		return 0;
	if (!json_is_array(advisories) || json_array_size(advisories) > TCB_ADVISORIES_MAX)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "advisoryIDs",
			"advisoryIDs of a TCB level is not a short array");
	for (size_t i = 0; i < json_array_size(advisories); i++) {
		if (!json_is_string(json_array_get(advisories, i)))
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "advisoryIDs",
				"advisory id is not a string");
	}
	l->advisories = advisories;
	return 0;
}

/* Version 3: an array of 16 objects. */
static int parse_components(const json_t *tcb, const char *name, uint8_t *ret, struct err *reterr)
{
	json_t *array = NULL;
	int r = json_get_array(tcb, name, SGX_TCB_COMPONENTS, &array, reterr);
	if (r < 0)
		return r;
	if (json_array_size(array) != SGX_TCB_COMPONENTS)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"member \"%s\" has %zu components, not 16", name, json_array_size(array));
	for (size_t i = 0; r == 0 && i < SGX_TCB_COMPONENTS; i++) {
		int64_t n = 0;
		r = json_get_int(json_array_get(array, i), "svn", 0, 255, &n, reterr);
		ret[i] = (uint8_t)n;
	}
	return r;
}

static int parse_platform_row(
	const json_t *row, unsigned version, bool is_tdx, struct tcb_level *l, struct err *reterr)
{
	json_t *tcb = NULL;
	int r = parse_row(row, l, reterr);
	if (r == 0)
		r = json_get_object(row, "tcb", &tcb, reterr);
	if (r == 0)
		r = get_u16(tcb, "pcesvn", &l->pce_svn, reterr);
	if (r == 0 && version >= 3)
		r = parse_components(tcb, "sgxtcbcomponents", l->sgx, reterr);
	if (r == 0 && is_tdx)
		r = parse_components(tcb, "tdxtcbcomponents", l->tdx, reterr);
	for (unsigned i = 0; r == 0 && version < 3 && i < SGX_TCB_COMPONENTS; i++) {
		char name[24];
		int64_t n = 0;
		snprintf(name, sizeof(name), "sgxtcbcomp%02usvn", i + 1);
		r = json_get_int(tcb, name, 0, 255, &n, reterr);
		l->sgx[i] = (uint8_t)n;
	}
	return r;
}

static int parse_isv_row(const json_t *row, struct tcb_level *l, struct err *reterr)
{
	json_t *tcb = NULL;
	int r = parse_row(row, l, reterr);
	if (r == 0)
		r = json_get_object(row, "tcb", &tcb, reterr);
	return r == 0 ? get_u16(tcb, "isvsvn", &l->isv_svn, reterr) : r;
}

static int new_levels(const json_t *o, struct arena *arena, struct tcb_levels *ret, json_t **rows,
	struct err *reterr)
{
	int r = json_get_array(o, "tcbLevels", TCB_LEVELS_MAX, rows, reterr);
	if (r < 0)
		return r;
	if (json_array_size(*rows) == 0)
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, "tcbLevels", "there are no TCB levels");
	ret->count = json_array_size(*rows);
	ret->at = arena_array(arena, ret->count, sizeof(*ret->at));
	return ret->at ? 0 : -ENOMEM;
}

static int parse_isv_levels(
	const json_t *o, struct arena *arena, struct tcb_levels *ret, struct err *reterr)
{
	json_t *rows = NULL;
	int r = new_levels(o, arena, ret, &rows, reterr);
	for (size_t i = 0; r == 0 && i < ret->count; i++)
		r = parse_isv_row(json_array_get(rows, i), &ret->at[i], reterr);
	return r;
}

static int parse_module(const json_t *o, struct tdx_module *m, struct err *reterr)
{
	int r = get_hex(o, "mrsigner", m->mrsigner, sizeof(m->mrsigner), reterr);
	if (r == 0)
		r = get_hex(o, "attributes", m->attributes, sizeof(m->attributes), reterr);
	if (r == 0)
		r = get_hex(o, "attributesMask", m->attributes_mask, sizeof(m->attributes_mask),
			reterr);
	return r;
}

static int parse_identity(
	const json_t *o, struct arena *arena, struct tdx_module *m, struct err *reterr)
{
	const char *id = NULL;
	uint64_t version = 0;

	int r = json_get_str(o, "id", &id, reterr);
	if (r < 0)
		return r;
	if (!str_starts(id, "TDX_") || strlen(id) != 6 ||
		parse_hex64(slice_str(id + 4), &version) < 0 || version == 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "tdxModuleIdentities",
			"id of a TDX module identity is not TDX_NN");
	m->version = (unsigned)version;
	r = parse_module(o, m, reterr);
	return r == 0 ? parse_isv_levels(o, arena, &m->levels, reterr) : r;
}

static int parse_modules(struct tcb_info *t, struct err *reterr)
{
	json_t *array = NULL, *module = NULL;
	int r = json_get_object(t->json, "tdxModule", &module, reterr);
	if (r == 0)
		r = parse_module(module, &t->module, reterr);
	if (r < 0)
		return r;
	t->has_module = true;
	if (!json_object_get(t->json, "tdxModuleIdentities"))
		return 0;
	r = json_get_array(t->json, "tdxModuleIdentities", TCB_MODULES_MAX, &array, reterr);
	if (r < 0)
		return r;
	t->module_count = json_array_size(array);
	if (t->module_count == 0)
		return 0;
	t->modules = arena_array(t->arena, t->module_count, sizeof(*t->modules));
	if (!t->modules)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < t->module_count; i++)
		r = parse_identity(json_array_get(array, i), t->arena, &t->modules[i], reterr);
	return r;
}

static int parse_times(const json_t *o, int64_t *ret_issued, int64_t *ret_next, int64_t *ret_number,
	struct err *reterr)
{
	int r = get_date(o, "issueDate", ret_issued, reterr);
	if (r == 0)
		r = get_date(o, "nextUpdate", ret_next, reterr);
	/* Absent before version 2. */
	if (r == 0 && json_object_get(o, "tcbEvaluationDataNumber"))
		r = json_get_int(o, "tcbEvaluationDataNumber", 0, UINT32_MAX, ret_number, reterr);
	return r;
}

static int parse_info(struct tcb_info *t, struct err *reterr)
{
	int64_t version = 0, type = 0;
	const char *id = NULL;
	json_t *rows = NULL;

	int r = json_get_int(t->json, "version", 0, 1000, &version, reterr);
	if (r < 0)
		return r;
	if (version != 2 && version != 3)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "version",
			"TCB Info has version %d; 2 and 3 are known", (int)version);
	t->version = (unsigned)version;
	if (version == 3) {
		r = json_get_str(t->json, "id", &id, reterr);
		if (r == 0 && (!id || (!streq(id, "SGX") && !streq(id, "TDX"))))
			r = err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "id",
				"TCB Info is for neither SGX nor TDX");
		t->is_tdx = r == 0 && id && streq(id, "TDX");
	}
	if (r == 0)
		r = parse_times(
			t->json, &t->issued, &t->next_update, &t->evaluation_number, reterr);
	if (r == 0)
		r = get_hex(t->json, "fmspc", t->fmspc, sizeof(t->fmspc), reterr);
	if (r == 0)
		r = get_hex(t->json, "pceId", t->pce_id, sizeof(t->pce_id), reterr);
	/* Type 0 says how components are compared; there is no other yet. */
	if (r == 0)
		r = json_get_int(t->json, "tcbType", 0, 0, &type, reterr);
	if (r == 0 && t->is_tdx)
		r = parse_modules(t, reterr);
	if (r == 0)
		r = new_levels(t->json, t->arena, &t->levels, &rows, reterr);
	for (size_t i = 0; r == 0 && i < t->levels.count; i++)
		r = parse_platform_row(
			json_array_get(rows, i), t->version, t->is_tdx, &t->levels.at[i], reterr);
	return r;
}

int tcb_info_parse(struct slice json, struct tcb_info **ret, struct err *reterr)
{
	struct tcb_info *t = calloc(1, sizeof(*t));
	int r = -ENOMEM;

	if (!t)
		return r;
	t->arena = arena_new(ARENA_MAX);
	if (t->arena)
		r = json_parse(json, TCB_JSON_MAX, &t->json, reterr);
	if (r == 0)
		r = parse_info(t, reterr);
	if (r != 0) {
		tcb_info_free(t);
		return err_wrap(reterr, r, "TCB Info");
	}
	*ret = t;
	return 0;
}

void tcb_info_free(struct tcb_info *t)
{
	if (!t)
		return;
	arena_free(t->arena);
	json_decref(t->json);
	free(t);
}

static int parse_qe_fields(struct qe_identity *q, struct err *reterr)
{
	int r = parse_times(q->json, &q->issued, &q->next_update, &q->evaluation_number, reterr);
	if (r == 0)
		r = get_hex(q->json, "miscselect", q->misc_select, 4, reterr);
	if (r == 0)
		r = get_hex(q->json, "miscselectMask", q->misc_select_mask, 4, reterr);
	if (r == 0)
		r = get_hex(q->json, "attributes", q->attributes, 16, reterr);
	if (r == 0)
		r = get_hex(q->json, "attributesMask", q->attributes_mask, 16, reterr);
	if (r == 0)
		r = get_hex(q->json, "mrsigner", q->mr_signer, 32, reterr);
	return r == 0 ? get_u16(q->json, "isvprodid", &q->isv_prod_id, reterr) : r;
}

/* Version 1 has one number: what is below it is out of date. */
static int parse_qe_v1(struct qe_identity *q, struct err *reterr)
{
	q->levels.count = 2;
	q->levels.at = arena_array(q->arena, 2, sizeof(*q->levels.at));
	if (!q->levels.at)
		return -ENOMEM;
	q->levels.at[0].status = TCB_UP_TO_DATE;
	q->levels.at[1].status = TCB_OUT_OF_DATE;
	q->levels.at[0].date = q->levels.at[1].date = q->issued;
	return get_u16(q->json, "isvsvn", &q->levels.at[0].isv_svn, reterr);
}

static int parse_qe(struct qe_identity *q, struct err *reterr)
{
	int64_t version = 0;
	const char *id = "QE";

	int r = json_get_int(q->json, "version", 0, 1000, &version, reterr);
	if (r < 0)
		return r;
	if (version != 1 && version != 2)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "version",
			"QE identity has version %d; 1 and 2 are known", (int)version);
	q->version = (unsigned)version;
	if (version == 2)
		r = json_get_str(q->json, "id", &id, reterr);
	if (r == 0 && (!id || (!streq(id, "QE") && !streq(id, "TD_QE"))))
		r = err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "id",
			"identity is of neither QE nor TD_QE");
	if (r != 0)
		return r;
	q->is_tdx = id && streq(id, "TD_QE");
	r = parse_qe_fields(q, reterr);
	if (r < 0)
		return r;
	return version == 1 ? parse_qe_v1(q, reterr)
			    : parse_isv_levels(q->json, q->arena, &q->levels, reterr);
}

int qe_identity_parse(struct slice json, struct qe_identity **ret, struct err *reterr)
{
	struct qe_identity *q = calloc(1, sizeof(*q));
	int r = -ENOMEM;

	if (!q)
		return r;
	q->arena = arena_new(ARENA_MAX);
	if (q->arena)
		r = json_parse(json, TCB_JSON_MAX, &q->json, reterr);
	if (r == 0)
		r = parse_qe(q, reterr);
	if (r != 0) {
		qe_identity_free(q);
		return err_wrap(reterr, r, "QE identity");
	}
	*ret = q;
	return 0;
}

void qe_identity_free(struct qe_identity *q)
{
	if (!q)
		return;
	arena_free(q->arena);
	json_decref(q->json);
	free(q);
}
