/* SPDX-License-Identifier: Apache-2.0 */
/* The session with a token: loaded, initialized, logged in, lost and made again. */
#include "trustee/hsm/p11_internal.h"

#include <dlfcn.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

#define SLOTS_MAX 256

static int load(struct p11 *p, const char *module, struct err *reterr)
{
	CK_C_GetFunctionList get = NULL;
	void *symbol;
	CK_RV rv;

	if (access(module, R_OK) < 0)
		return err_set(reterr, -ENOENT, "cannot read the PKCS#11 module %s", module);
	/* Everything it links to is there before the sandbox is. */
	p->library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
	if (!p->library)
		return err_set(reterr, -ENOEXEC, "%s", dlerror());
	symbol = dlsym(p->library, "C_GetFunctionList");
	if (!symbol)
		return err_set(reterr, -ENOEXEC, "%s is no PKCS#11 module", module);
	/* ISO C has no cast from an object to a function. */
	memcpy(&get, &symbol, sizeof(get));
	rv = get(&p->f);
	if (rv != CKR_OK || !p->f)
		return err_set(reterr, -ENOEXEC, "C_GetFunctionList of %s: %s", module,
			p11_error_name(rv));
	if (p->f->version.major != 2)
		return err_set(reterr, -ENOEXEC, "%s has version %u of PKCS#11, 2 is needed",
			module, p->f->version.major);
	return 0;
}

int p11_load(const char *module, const struct p11_token *token, struct slice pin, struct p11 **ret,
	struct err *reterr)
{
	cleanup(p11_free) struct p11 *p = calloc(1, sizeof(*p));
	int r = p ? 0 : -ENOMEM;

	if (r == 0)
		p->token = *token;
	if (r == 0 && pin.size)
		r = secret_copy(&p->pin, pin);
	if (r == 0)
		r = load(p, module, reterr);
	if (r == 0)
		*ret = steal_ptr(p);
	return r;
}

/* Not only the session: many modules look for tokens when they are initialized, and never again. */
static void drop(struct p11 *p)
{
	if (p->open)
		(void)p->f->C_CloseSession(p->session);
	if (p->initialized)
		(void)p->f->C_Finalize(NULL);
	p->open = p->initialized = false;
}

void p11_free(struct p11 *p)
{
	if (!p)
		return;
	if (p->f)
		drop(p);
	if (p->library)
		dlclose(p->library);
	secret_done(&p->pin);
	free(p);
}

static CK_RV initialize(struct p11 *p)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_RV rv = p->f->C_Initialize(&args);

	/* One thread is all there is. */
	if (rv == CKR_CANT_LOCK || rv == CKR_ARGUMENTS_BAD)
		rv = p->f->C_Initialize(NULL);
	if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
		rv = CKR_OK;
	p->initialized = rv == CKR_OK;
	return rv;
}

/* Fields of tokens are padded with blanks and not terminated. */
static bool field_is(const CK_UTF8CHAR *field, size_t size, const char *want)
{
	while (size > 0 && field[size - 1] == ' ')
		size--;
	return !want[0] || slice_eq_str(slice_of(field, size), want);
}

static bool is_wanted(struct p11 *p, CK_SLOT_ID slot)
{
	CK_TOKEN_INFO info;

	memset(&info, 0, sizeof(info));
	return p->f->C_GetTokenInfo(slot, &info) == CKR_OK &&
	       field_is(info.label, sizeof(info.label), p->token.label) &&
	       field_is(info.manufacturerID, sizeof(info.manufacturerID), p->token.manufacturer) &&
	       field_is(info.serialNumber, sizeof(info.serialNumber), p->token.serial) &&
	       field_is(info.model, sizeof(info.model), p->token.model);
}

static CK_RV find_slot(struct p11 *p, CK_SLOT_ID *ret)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	unsigned index = 0;
	CK_RV rv = p->f->C_GetSlotList(CK_TRUE, slots, &count);

	if (rv != CKR_OK)
		return rv;
	for (CK_ULONG i = 0; i < count && i < SLOTS_MAX; i++) {
		if (is_wanted(p, slots[i]) && index++ == p->token.slot_index) {
			*ret = slots[i];
			return CKR_OK;
		}
	}
	return CKR_TOKEN_NOT_PRESENT;
}

static CK_RV login(struct p11 *p)
{
	CK_RV rv;

	if (p->pin.size == 0)
		return CKR_OK; /* a token without a PIN */
	rv = p->f->C_Login(p->session, CKU_USER, p->pin.data, p->pin.size);
	if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_EXPIRED ||
		rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE)
		p->pin_refused = true;
	return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

int p11_open(struct p11 *p, struct err *reterr)
{
	const char *what = "C_Initialize";
	CK_SLOT_ID slot = 0;
	CK_RV rv = CKR_OK;

	if (p->open)
		return 0;
	if (p->pin_refused)
		return err_set(reterr, -EACCES,
			"the token refused the PIN; it is not tried again before a restart, so that "
			"the token is not locked");
	if (!p->initialized)
		rv = initialize(p);
	if (rv == CKR_OK) {
		what = "the token";
		rv = find_slot(p, &slot);
	}
	if (rv == CKR_OK) {
		what = "C_OpenSession";
		rv = p->f->C_OpenSession(
			slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &p->session);
	}
	if (rv == CKR_OK) {
		p->open = true;
		what = "C_Login";
		rv = login(p);
	}
	if (rv == CKR_OK)
		return 0;
	drop(p);
	return err_set(reterr, p11_errno(rv), "%s: %s", what, p11_error_name(rv));
}

/* Whether another session may help. */
static bool is_lost(CK_RV rv)
{
	return rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED ||
	       rv == CKR_DEVICE_REMOVED || rv == CKR_DEVICE_ERROR || rv == CKR_TOKEN_NOT_PRESENT ||
	       rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_CRYPTOKI_NOT_INITIALIZED ||
	       rv == CKR_OPERATION_ACTIVE;
}

int p11_run(struct p11 *p, p11_work_fn work, void *cookie, struct err *reterr)
{
	CK_RV rv = CKR_OK;
	int r = 0;

	for (int attempt = 0; attempt < 2; attempt++) {
		int ret = 0;

		r = p11_open(p, reterr);
		if (r < 0)
			return r;
		rv = work(p, cookie, &ret, reterr);
		if (ret < 0)
			return ret;
		if (rv == CKR_OK)
			return 0;
		if (!is_lost(rv))
			break;
		log_warn("hsm.session.lost", LOG_STR("reason", p11_error_name(rv)));
		drop(p);
	}
	return err_set(reterr, p11_errno(rv), "the token: %s", p11_error_name(rv));
}

CK_RV p11_find(struct p11 *p, CK_ATTRIBUTE_PTR template, size_t count, CK_OBJECT_HANDLE *handles,
	size_t *ret_count)
{
	CK_ULONG found = 0;
	CK_RV rv = p->f->C_FindObjectsInit(p->session, template, count);
	CK_RV end;

	*ret_count = 0;
	if (rv != CKR_OK)
		return rv;
	while (*ret_count < P11_FOUND_MAX) {
		rv = p->f->C_FindObjects(
			p->session, handles + *ret_count, P11_FOUND_MAX - *ret_count, &found);
		if (rv != CKR_OK || found == 0)
			break;
		*ret_count += MIN((size_t)found, P11_FOUND_MAX - *ret_count);
	}
	end = p->f->C_FindObjectsFinal(p->session);
	return rv != CKR_OK ? rv : end;
}

CK_RV p11_attribute(
	struct p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, size_t max, struct buf *out)
{
	CK_ATTRIBUTE a = {.type = type};
	CK_RV rv = p->f->C_GetAttributeValue(p->session, object, &a, 1);
	uint8_t *room;
	size_t size;

	if (rv != CKR_OK)
		return rv;
	if (a.ulValueLen == CK_UNAVAILABLE_INFORMATION)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	size = a.ulValueLen;
	if (size > max)
		return CKR_DATA_LEN_RANGE;
	if (size == 0)
		return CKR_OK;
	room = buf_reserve(out, size);
	if (!room)
		return CKR_HOST_MEMORY;
	a.pValue = room;
	rv = p->f->C_GetAttributeValue(p->session, object, &a, 1);
	if (rv == CKR_OK)
		/* It must not have become more than there was room for. */
		buf_commit(out, MIN((size_t)a.ulValueLen, size));
	return rv;
}
