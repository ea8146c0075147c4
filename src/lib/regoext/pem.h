/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* PEM blocks one by one, as Go's encoding/pem finds them: text between blocks is skipped. */
#include "base/buf.h"

/**
 * pem_next() - the next well-formed block of @text
 * @text: is advanced past the block
 * @ret_type: the label ("CERTIFICATE"); a view into the text
 * @der: gets the bytes; emptied first
 * Return: 0, -ENOENT when there is none (@text is unchanged), -ENOMEM.
 */
must_check int pem_next(struct slice *text, struct slice *ret_type, struct buf *der);
