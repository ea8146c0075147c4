/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The page that the broker serves at /console: a client of the admin API that runs in a browser. */
#include "base/slice.h"

/** kbs_console() - HTML text, static */
struct slice kbs_console(void);

/**
 * kbs_console_csp() - the Content-Security-Policy the page is served with, static
 *
 * Nothing runs but the page's own style and script, by their hashes; nothing is reached but the
 * broker itself; no markup is made from text (Trusted Types). Spec: W3C CSP level 3.
 */
const char *kbs_console_csp(void);
