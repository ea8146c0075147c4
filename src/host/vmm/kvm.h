/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Does KVM work here? /dev/kvm may exist and open and still be unable to run an unmodified guest
 * (nested or paravirtual KVM), so the answer comes from booting one: a ROM of a few hundred bytes
 * that enters 64-bit mode with paging and then ends QEMU through a debug port.
 */
#include "base/err.h"

/**
 * kvm_usable() - probe, or read the answer of an earlier probe of this boot
 * @qemu: program
 * @ret_why: a static or caller-visible sentence when it is not usable; up to @why_size bytes
 *
 * The answer is kept in /run/husk or $XDG_RUNTIME_DIR/husk under the boot id and QEMU's identity,
 * where it cannot outlive a reboot. Return: true when a guest really ran.
 */
bool kvm_usable(const char *qemu, char *ret_why, size_t why_size);
