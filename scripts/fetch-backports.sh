#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetch QEMU 10 and the 6.12 cloud kernel of bookworm-backports, without installing them.
#
# usage: scripts/fetch-backports.sh [DIR]      (DIR: out/backports)
#
# apt works on a sources list and a state directory of its own under DIR: the machine's package
# lists, sources and installed packages stay as they are. Signatures are checked with Debian's
# archive key ring. Leaves
#   DIR/qemu      unpacked qemu-system-x86 and its data packages
#   DIR/vmlinuz   the kernel, DIR/lib/modules/VERSION its modules, DIR/version its VERSION
#   DIR/env       HUSK_QEMU, HUSK_QEMU_DATA and HUSK_KERNEL for tests and benches: `. DIR/env`
# HUSK_DEBIAN_MIRROR names another mirror than the one of the machine's own sources.
set -eu
cd "$(dirname "$0")/.."
dir=${1:-out/backports}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() { echo "fetch-backports: $*" >&2; exit 1; }

mirror=${HUSK_DEBIAN_MIRROR:-$(apt-cache policy 2>/dev/null |
	sed -n 's|^ *[0-9]* *\(https\{0,1\}://[^ ]*\) bookworm/main amd64 Packages$|\1|p' | head -n 1)}
[ -n "$mirror" ] || die "no Debian 12 mirror in apt's sources; set HUSK_DEBIAN_MIRROR"
[ -f "$keyring" ] || die "no $keyring; install debian-archive-keyring"

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$dir/.work
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/debs"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
for suite in bookworm bookworm-backports; do
	echo "deb [signed-by=$keyring arch=amd64] $mirror $suite main"
done >"$work/sources.list"
: >"$work/status"

# shellcheck disable=SC2046
apt_own() {
	tool=$1
	shift
	"$tool" -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/parts" \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$work/parts" \
		-o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" \
		-o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" \
		-o APT::Default-Release=bookworm-backports "$@"
}

apt_own apt-get update >&2
kernel=$(apt_own apt-cache depends --no-recommends --no-suggests linux-image-cloud-amd64 |
	sed -n 's/^ *Depends: \(linux-image-[0-9][a-z0-9.+-]*-cloud-amd64\)$/\1/p' |
	head -n 1)
[ -n "$kernel" ] || die "no cloud kernel in bookworm-backports"
# What QEMU itself needs besides the libraries that Debian 12's own QEMU has installed already.
(cd "$work/debs" && apt_own apt-get download qemu-system-x86 qemu-system-common qemu-system-data \
	seabios ipxe-qemu "$kernel" >&2) || die "download failed"

rm -rf "$dir/qemu" "$dir/lib" "$work/kernel"
for deb in "$work"/debs/*.deb; do
	case $deb in
	*/linux-image-*) dpkg-deb -x "$deb" "$work/kernel" ;;
	*) dpkg-deb -x "$deb" "$dir/qemu" ;;
	esac
done
version=${kernel#linux-image-}
mv "$work/kernel/boot/vmlinuz-$version" "$dir/vmlinuz"
modules=$work/kernel/lib/modules
[ -d "$modules" ] || modules=$work/kernel/usr/lib/modules
mkdir -p "$dir/lib"
mv "$modules" "$dir/lib/modules"
echo "$version" >"$dir/version"

qemu=$dir/qemu/usr/bin/qemu-system-x86_64
missing=$(ldd "$qemu" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p' | tr '\n' ' ')
[ -z "$missing" ] || die "QEMU needs libraries that are not installed: $missing"
cat >"$dir/env" <<END
export HUSK_QEMU='$qemu'
export HUSK_QEMU_DATA='$dir/qemu/usr/share/qemu:$dir/qemu/usr/share/seabios'
export QEMU_MODULE_DIR='$dir/qemu/usr/lib/x86_64-linux-gnu/qemu'
export HUSK_KERNEL='$dir/vmlinuz'
END
"$qemu" --version | head -n 1 >&2
echo "fetch-backports: $dir holds it and kernel $version; use it with '. $dir/env'" >&2
