#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the guest: kernel from Debian's package, initrd with husk-guest, crun and a few modules.
#
# usage: guest-image/build.sh [OUT]        (OUT: out)
#        guest-image/build.sh --sanitized BUILD OUT
#
# Leaves  OUT/kernel/vmlinuz       the kernel
#         OUT/guest/initrd.cpio    the initrd (lz4)
#         OUT/guest/husk-guest     what became /init
# The same sources, compiler and Debian packages give the same bytes, whatever OUT is.
#
# With --sanitized, husk-guest comes from BUILD, a build folder with AddressSanitizer, and the initrd holds
# the libraries that it is linked to: a guest for tests, of any size.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sanitized=
[ "${1:-}" != --sanitized ] || { sanitized=$(cd "$2" && pwd); shift 2; }
mkdir -p "${1:-$root/out}/guest"
out=$(cd "${1:-$root/out}" && pwd)
build=$out/guest/build

"$root/scripts/fetch-kernel.sh" "$out/kernel"
"$root/guest-image/build-crun.sh" "$out"

if [ -n "$sanitized" ]; then
	rm -rf "$build"
	ln -s "$sanitized" "$build" # where tests/integration/guest-link.sh builds more
	ninja -C "$build" src/guest/agent/husk-guest guest-image/sanitized-init >"$out/guest/build.log" 2>&1 ||
		{ tail -n 30 "$out/guest/build.log" >&2; exit 1; }
	strip --strip-debug -o "$out/guest/husk-guest" "$build/src/guest/agent/husk-guest"
	exec "$root/guest-image/mkinitrd.py" --lz4 --guest "$out/guest/husk-guest" --crun "$out/crun/crun" \
		--sanitized-init "$build/guest-image/sanitized-init" \
		--modules "$out/kernel/lib/modules/$(cat "$out/kernel/version")" \
		--list "$root/guest-image/modules.list" --output "$out/guest/initrd.cpio"
fi

[ ! -L "$build" ] || rm "$build"
# Its own build folder: static, small, without debug information or a trace of where it was built.
if [ ! -f "$build/build.ninja" ]; then
	rm -rf "$build"
	flags="-Os -g0 -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"
	flags="$flags -ffile-prefix-map=$root=. -ffile-prefix-map=$build=."
	meson setup "$build" "$root" --buildtype=plain -Dprefer_static=true -Dtests=false -Dfuzz=off \
		-Dc_args="$flags" -Dc_link_args="-static-pie -Wl,--gc-sections -Wl,--build-id=none \
-Wl,-z,pack-relative-relocs" \
		>"$out/guest/build.log" 2>&1 || { tail -n 30 "$out/guest/build.log" >&2; exit 1; }
fi
ninja -C "$build" src/guest/agent/husk-guest >"$out/guest/build.log" 2>&1 ||
	{ tail -n 30 "$out/guest/build.log" >&2; exit 1; }
strip --strip-all --remove-section=.comment -o "$out/guest/husk-guest" "$build/src/guest/agent/husk-guest"

"$root/guest-image/mkinitrd.py" --lz4 --guest "$out/guest/husk-guest" --crun "$out/crun/crun" \
	--modules "$out/kernel/lib/modules/$(cat "$out/kernel/version")" \
	--list "$root/guest-image/modules.list" --output "$out/guest/initrd.cpio"
total=$(($(stat -c %s "$out/kernel/vmlinuz") + $(stat -c %s "$out/guest/initrd.cpio")))
echo "guest: kernel and initrd take $total bytes"
[ "$total" -le $((24 << 20)) ] || { echo "guest: that is over 24 MiB" >&2; exit 1; }
