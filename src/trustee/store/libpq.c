/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/store/libpq.h"

#include <dlfcn.h>
#include <stdlib.h>

int libpq_load(const struct libpq **ret, struct err *reterr)
{
	static struct libpq functions;
	void *handle;

	if (functions.PQfinish) {
		*ret = &functions;
		return 0;
	}
	/* No home directory: libpq would ask the user database for it, and look for a password, a
	 * service and certificates there that the configuration does not name. */
	if (setenv("HOME", "/nonexistent", 1) < 0)
		return -ENOMEM;
	handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return err_set(reterr, -EOPNOTSUPP,
			"PostgreSQL needs libpq (Debian package libpq5): %s", dlerror());
#define LIBPQ_LOAD(name)                                                   \
	functions.name = (__typeof__(functions.name))dlsym(handle, #name); \
	if (!functions.name)                                               \
		return err_set(reterr, -EOPNOTSUPP, "this libpq lacks the function " #name);
	LIBPQ_FUNCTIONS(LIBPQ_LOAD)
#undef LIBPQ_LOAD
	*ret = &functions;
	return 0;
}
