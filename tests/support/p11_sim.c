/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module in front of another one (P11_SIM_MODULE), that fails as devices do. The first word of
 * the file P11_SIM_CONTROL says how: "lose" the session (once), "gone" until the file changes, "hang",
 * "crash". Logins are counted in the file P11_SIM_CONTROL.logins.
 */
#include <p11-kit/pkcs11.h>
/* It leaves this behind, a name of ours. */
#undef hash_alg

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ret);

static CK_FUNCTION_LIST g_list;
static CK_FUNCTION_LIST_PTR g_real;

static void read_control(char word[16])
{
	const char *path = getenv("P11_SIM_CONTROL");
	FILE *f = path ? fopen(path, "r") : NULL;

	word[0] = '\0';
	if (!f)
		return;
	if (fscanf(f, "%15s", word) != 1)
		word[0] = '\0';
	fclose(f);
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count)
{
	char word[16];

	read_control(word);
	if (streq(word, "lose")) {
		(void)unlink(getenv("P11_SIM_CONTROL"));
		(void)g_real->C_CloseSession(session);
	}
	if (streq(word, "hang"))
		for (;;)
			pause();
	if (streq(word, "crash"))
		abort();
	if (streq(word, "gone"))
		return CKR_DEVICE_REMOVED;
	return g_real->C_FindObjectsInit(session, template, count);
}

static CK_RV get_slots(CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count)
{
	char word[16];

	read_control(word);
	if (streq(word, "gone")) {
		*count = 0;
		return CKR_OK;
	}
	return g_real->C_GetSlotList(present, slots, count);
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE type, CK_UTF8CHAR_PTR pin, CK_ULONG size)
{
	const char *control = getenv("P11_SIM_CONTROL");
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s.logins", control ? control : "/nonexistent");
	f = fopen(path, "a");
	if (f) {
		fputs("login\n", f);
		fclose(f);
	}
	return g_real->C_Login(session, type, pin, size);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ret)
{
	const char *path = getenv("P11_SIM_MODULE");
	void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	void *symbol = library ? dlsym(library, "C_GetFunctionList") : NULL;
	CK_C_GetFunctionList get = NULL;
	CK_RV rv;

	if (!symbol)
		return CKR_GENERAL_ERROR;
	memcpy(&get, &symbol, sizeof(get));
	rv = get(&g_real);
	if (rv != CKR_OK)
		return rv;
	g_list = *g_real;
	g_list.C_FindObjectsInit = find_init;
	g_list.C_GetSlotList = get_slots;
	g_list.C_Login = login;
	*ret = &g_list;
	return CKR_OK;
}
