/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The member `details` of events in the claim uefi_event_logs, in the spelling of Trustee, since
 * policies compare it: oddities (GUIDs of variables in raw byte order, descriptions that lack their
 * last character) are kept.
 */
#include <jansson.h>

#include "fmt/tcg2.h"

/**
 * eventlog_details() - fill the object @details for @e
 * What cannot be rendered, and what is malformed inside an event, leaves @details empty: a policy
 * that asks for it then does not find it.
 * Return: 0, -ENOMEM.
 */
must_check int eventlog_details(const struct tcg2_event *e, json_t *details);

/**
 * efi_device_paths() - text of each node, e.g. "File(\\EFI\\BOOT\\BOOTX64.EFI)"
 * @path: nodes without the one that ends them
 * Return: 0 with a new array, -EBADMSG, -ENOMEM.
 */
must_check int efi_device_paths(struct slice path, json_t **ret);
/** utf16_text() - UTF-16LE appended as UTF-8. @lossy: U+FFFD for lone surrogates, else -EBADMSG. */
must_check int utf16_text(struct slice in, bool lossy, struct buf *out);
