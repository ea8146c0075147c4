#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PID 1 under QEMU with a host that is no husk: see guest-link.py.
# usage: guest-link.sh SOURCE_ROOT      (HUSK_OUT: where 'make guest' put its results)
set -eu
root=$1
out=${HUSK_OUT:-$root/out}
image=$out/guest
if [ ! -f "$image/initrd.cpio" ]; then
	echo "skip: $image/initrd.cpio does not exist; run 'make guest'" >&2
	[ "${CI:-}" = true ] && exit 1
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ninja -C "$image/build" guest-image/husk-guest-crash >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
start=$image/build/guest-image/sanitized-init
[ -x "$start" ] && set -- --sanitized-init "$start" || set --
"$root/guest-image/mkinitrd.py" "$@" --guest "$image/build/guest-image/husk-guest-crash" \
	--crun "$out/crun/crun" --modules "$out/kernel/lib/modules/$(cat "$out/kernel/version")" \
	--list "$root/guest-image/modules.list" --output "$work/crash.cpio"
"$root/tests/integration/guest-link.py" "$out/kernel/vmlinuz" "$image/initrd.cpio" "$work/crash.cpio"
