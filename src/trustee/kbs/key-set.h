/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Key sets (RFC 7517) that issuers of tokens publish; for the process that has the network. */
#include "net/http_client.h"

/**
 * key_set_fetch() - the text of the set at @url, or of the one that the OpenID configuration of the
 * issuer at @url names
 * @http: with @no_redirects, so that nothing but https:// URLs is asked
 * @ret_text: an object with the member "keys", whatever that is; free() it
 * Return: 0; -EINVAL (not https), -EPROTO (another status than 200), -EBADMSG (something else) and
 * errors of http_client_call(); @reterr names the URL.
 */
must_check int key_set_fetch(
	struct http_client *http, const char *url, char **ret_text, struct err *reterr);
