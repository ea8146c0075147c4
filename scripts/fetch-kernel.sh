#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetch the guest kernel from Debian and unpack it, without installing it.
#
# usage: scripts/fetch-kernel.sh [DIR]        (DIR: out/kernel)
#
# Leaves  DIR/vmlinuz                the bzImage
#         DIR/lib/modules/VERSION    its modules
#         DIR/version                VERSION, one line
#         DIR/package                package=version, one line: what a second run compares
# The package is the one that the metapackage linux-image-cloud-amd64 depends on; apt checks its
# signature chain. HUSK_KERNEL_PACKAGE=linux-image-VERSION-cloud-amd64 pins another one.
# HUSK_KERNEL_SUITE=bookworm-backports takes it from that suite of the mirror of apt's sources, with
# package lists of its own: what the machine's apt knows is not touched.
set -eu
cd "$(dirname "$0")/.."
dir=${1:-out/kernel}

die() { echo "fetch-kernel: $*" >&2; exit 1; }

lists=
if [ -n "${HUSK_KERNEL_SUITE:-}" ]; then
	mirror=${HUSK_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null | sed -n 's/^bookworm //p' | head -n 1)}
	[ -n "$mirror" ] || die "no Debian 12 mirror in apt's sources; set HUSK_DEBIAN_MIRROR"
	lists=$(mktemp -d)
	trap 'rm -rf "$lists"' EXIT
	mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
	printf 'deb [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" \
		"$HUSK_KERNEL_SUITE" >"$lists/sources.list"
	cat >"$lists/apt.conf" <<-END
	Dir::Etc::SourceList "$lists/sources.list";
	Dir::Etc::SourceParts "/dev/null";
	Dir::State::Lists "$lists/lists";
	Dir::Cache "$lists/cache";
	APT::Sandbox::User "$(id -un)";
	Acquire::Languages "none";
	END
	export APT_CONFIG="$lists/apt.conf"
	apt-get -q update >&2 || die "cannot read the package lists of $HUSK_KERNEL_SUITE"
fi

resolve() {
	apt-cache depends --no-recommends --no-suggests linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9][a-z0-9.+-]*-cloud-amd64\)$/\1/p' | head -n 1
}

package=${HUSK_KERNEL_PACKAGE:-$(resolve)}
if [ -z "$package" ]; then
	[ "$(id -u)" = 0 ] || die "apt knows no linux-image-cloud-amd64; run 'apt-get update' as root"
	apt-get -q update >&2
	package=$(resolve)
	[ -n "$package" ] || die "no package that linux-image-cloud-amd64 depends on; is this Debian?"
fi
candidate=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
[ -n "$candidate" ] && [ "$candidate" != "(none)" ] || die "apt has no candidate for $package"

if [ -f "$dir/package" ] && [ "$(cat "$dir/package")" = "$package=$candidate" ]; then
	echo "fetch-kernel: $dir is up to date ($package $candidate)" >&2
	exit 0
fi

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$(dirname "$dir")/.fetch-kernel.XXXXXX")
trap 'rm -rf "$work" ${lists:+"$lists"}' EXIT
trap 'exit 1' INT TERM
# apt drops its rights to _apt for downloads, which cannot enter a private directory.
(cd "$work" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package=$candidate" >&2) ||
	die "cannot download $package=$candidate; is the package list current ('apt-get update')?"
dpkg-deb -x "$work"/*.deb "$work/root"

version=${package#linux-image-}
version=${version%-unsigned}
mkdir "$work/new" "$work/new/lib"
mv "$work/root/boot/vmlinuz-$version" "$work/new/vmlinuz"
mv "$work/root/boot/config-$version" "$work/new/config"
modules=lib/modules
[ -d "$work/root/$modules" ] || modules=usr/lib/modules
mv "$work/root/$modules" "$work/new/lib/modules"
[ -d "$work/new/lib/modules/$version" ] || die "$package has no modules of $version"
echo "$version" >"$work/new/version"
echo "$package=$candidate" >"$work/new/package"
chmod 755 "$work/new"
rm -rf "$dir"
mv "$work/new" "$dir"
echo "fetch-kernel: $dir holds $package $candidate" >&2
