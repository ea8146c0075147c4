#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A root file system of Debian 12 (minbase, over 100 MB) by debootstrap, from the mirror that apt
# uses; root only. usage: make-debian-image.sh ROOTFS
# An existing ROOTFS is left as it is. Make an image of it with: husk image build ROOTFS LAYOUT
set -eu
rootfs=$1
suite=bookworm
[ ! -f "$rootfs/etc/os-release" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "make-debian-image: only root can make a root file system" >&2; exit 1; }
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
	sed -n "s/^$suite //p" | head -n 1)
[ -n "$mirror" ] || { echo "make-debian-image: no Debian 12 mirror in apt's sources" >&2; exit 1; }
rm -rf "$rootfs.new"
mkdir -p "$(dirname "$rootfs")"
debootstrap --variant=minbase "$suite" "$rootfs.new" "$mirror" \
	>"$rootfs.log" 2>&1 || { tail -n 5 "$rootfs.log" >&2; exit 1; }
# What only the installation needed.
rm -rf "$rootfs.new"/var/cache/apt/archives/*.deb "$rootfs.new"/var/lib/apt/lists/* "$rootfs.new"/var/log/*
mv "$rootfs.new" "$rootfs"
