/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/console.h"

#include "console-page.h"

struct slice kbs_console(void)
{
	return slice_of(g_page, sizeof(g_page));
}

const char *kbs_console_csp(void)
{
	return "default-src 'none'; script-src " PAGE_SCRIPT_HASH "; style-src " PAGE_STYLE_HASH
	       "; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
	       "require-trusted-types-for 'script'; trusted-types 'none'";
}
