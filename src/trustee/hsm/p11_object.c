/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that are objects of the token, found by their label. */
#include "trustee/hsm/p11_internal.h"

struct object {
	const char *label;
	struct slice value;
	struct buf *out;
};

#define ATTRIBUTE(t, v) ((CK_ATTRIBUTE){t, &(v), sizeof(v)})

/* Templates want pointers that are not const; modules do not write through them. */
static CK_ATTRIBUTE bytes(CK_ATTRIBUTE_TYPE type, const void *data, size_t size)
{
	return (CK_ATTRIBUTE){type, (void *)(uintptr_t)data, size};
}

static CK_RV find_secrets(
	struct p11 *p, const char *label, CK_OBJECT_HANDLE *handles, size_t *ret_count)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class), bytes(CKA_LABEL, label, strlen(label))};

	return p11_find(p, template, ARRAY_COUNT(template), handles, ret_count);
}

/* Objects that others put there may be data instead. */
static CK_RV find_readable(
	struct p11 *p, const char *label, CK_OBJECT_HANDLE *handles, size_t *ret_count)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class), bytes(CKA_LABEL, label, strlen(label))};
	CK_RV rv = find_secrets(p, label, handles, ret_count);

	if (rv != CKR_OK || *ret_count > 0)
		return rv;
	return p11_find(p, template, ARRAY_COUNT(template), handles, ret_count);
}

static CK_RV get(struct p11 *p, void *cookie, int *ret, struct err *reterr)
{
	struct object *o = cookie;
	CK_OBJECT_HANDLE handles[P11_FOUND_MAX];
	size_t count;
	CK_RV rv = find_readable(p, o->label, handles, &count);

	if (rv != CKR_OK)
		return rv;
	if (count == 0) {
		*ret = err_set(reterr, -ENOENT, "the token has no object %s", o->label);
		return CKR_OK;
	}
	/* Which of two would be a matter of luck. */
	if (count > 1) {
		*ret = err_set(reterr, -EEXIST, "the token has several objects %s", o->label);
		return CKR_OK;
	}
	return p11_attribute(p, handles[0], CKA_VALUE, P11_VALUE_MAX, o->out);
}

int p11_get(struct p11 *p, const char *label, struct buf *out, struct err *reterr)
{
	struct object o = {.label = label, .out = out};

	return p11_run(p, get, &o, reterr);
}

static CK_RV create(struct p11 *p, const struct object *o, CK_OBJECT_HANDLE *ret)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),
		ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_TOKEN, yes),
		ATTRIBUTE(CKA_PRIVATE, yes),
		ATTRIBUTE(CKA_EXTRACTABLE, yes),
		ATTRIBUTE(CKA_SENSITIVE, no),
		bytes(CKA_LABEL, o->label, strlen(o->label)),
		bytes(CKA_VALUE, o->value.data, o->value.size),
	};

	return p->f->C_CreateObject(p->session, template, ARRAY_COUNT(template), ret);
}

/* All secrets of that label but @keep. Rounds are bounded: a module may find what it removed. */
static CK_RV destroy(struct p11 *p, const char *label, CK_OBJECT_HANDLE keep, size_t *ret_destroyed)
{
	CK_OBJECT_HANDLE handles[P11_FOUND_MAX];
	CK_RV rv = CKR_OK;

	*ret_destroyed = 0;
	for (int round = 0; rv == CKR_OK && round < P11_FOUND_MAX; round++) {
		size_t count, before = *ret_destroyed;

		rv = find_secrets(p, label, handles, &count);
		for (size_t i = 0; rv == CKR_OK && i < count; i++) {
			if (handles[i] == keep)
				continue;
			rv = p->f->C_DestroyObject(p->session, handles[i]);
			*ret_destroyed += rv == CKR_OK;
		}
		if (*ret_destroyed == before)
			break;
	}
	return rv;
}

static CK_RV put(struct p11 *p, void *cookie, int *ret, struct err *reterr)
{
	struct object *o = cookie;
	CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
	size_t destroyed;
	CK_RV rv = create(p, o, &made);

	/* The old ones go when the new one is there: a failure in between leaves both, and reading
	 * refuses to choose until the next write. */
	return rv == CKR_OK ? destroy(p, o->label, made, &destroyed) : rv;
}

int p11_put(struct p11 *p, const char *label, struct slice value, struct err *reterr)
{
	struct object o = {.label = label, .value = value};

	if (value.size == 0)
		return err_set(reterr, -EINVAL, "a token keeps no empty secrets");
	if (value.size > P11_VALUE_MAX)
		return err_set(reterr, -E2BIG, "%zu bytes are over the limit of %zu", value.size,
			P11_VALUE_MAX);
	return p11_run(p, put, &o, reterr);
}

static CK_RV delete (struct p11 *p, void *cookie, int *ret, struct err *reterr)
{
	struct object *o = cookie;
	size_t destroyed;
	CK_RV rv = destroy(p, o->label, CK_INVALID_HANDLE, &destroyed);

	if (rv == CKR_OK && destroyed == 0)
		*ret = err_set(reterr, -ENOENT, "the token has no object %s", o->label);
	return rv;
}

int p11_delete(struct p11 *p, const char *label, struct err *reterr)
{
	struct object o = {.label = label};

	return p11_run(p, delete, &o, reterr);
}
