#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest is built twice, from two copies of the sources in folders of different names: the bytes
# of crun, husk-guest and the initrd must be the same. The kernel and crun's source package are taken
# from 'make guest', so nothing is downloaded.
# usage: reproducible.sh SOURCE_ROOT
set -eu
root=$1
out=${HUSK_OUT:-$root/out}
if [ ! -f "$out/guest/initrd.cpio" ]; then
	echo "skip: $out/guest/initrd.cpio does not exist; run 'make guest'" >&2
	[ "${CI:-}" = true ] && exit 1
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() {
	dir=$work/$1
	mkdir -p "$dir/out/crun"
	(cd "$root" && tar -cf - --exclude './out*' --exclude './build*' --exclude ./.git .) | tar -xf - -C "$dir"
	cp -a "$out/kernel" "$dir/out/"
	cp "$out"/crun/crun_* "$dir/out/crun/"
	"$dir/guest-image/build.sh"
}
# Side by side: configuring takes most of the time, and does one thing at a time.
build one >"$work/log" 2>&1 &
failed=0
(build another/with/a/longer/path) || failed=1
wait $! || failed=1
if [ $failed = 1 ]; then
	cat "$work/log"
	exit 1
fi
for file in crun/crun guest/husk-guest guest/initrd.cpio; do
	cmp "$work/one/out/$file" "$work/another/with/a/longer/path/out/$file"
	echo "same bytes: $file $(sha256sum <"$work/one/out/$file" | cut -c1-16)"
	if strings -a "$work/one/out/$file" | grep -F "$work"; then
		echo "FAILED: $file names the folder it was built in" >&2
		exit 1
	fi
done
