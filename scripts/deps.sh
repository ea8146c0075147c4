#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install the Debian 12 packages that building and testing husk needs; does nothing when all are
# there. usage: scripts/deps.sh [--list]
set -eu

# One line per purpose.
packages="
gcc clang-14 meson ninja-build make pkg-config binutils git
clang-format-14 clang-tidy-14 libclang-rt-14-dev cppcheck llvm-14
libssl-dev libevent-dev libjansson-dev zlib1g-dev libzstd-dev libsqlite3-dev
libnghttp2-dev libprotobuf-c-dev protobuf-c-compiler python3-grpcio python3-protobuf python3-cryptography
libpq-dev postgresql
libp11-kit-dev softhsm2 nebula
libseccomp-dev libcap-dev libxml2-dev librnp-dev libcmocka-dev libyajl-dev libyaml-dev tzdata
autoconf automake libtool-bin libtool dpkg-dev gperf python3 cpio kmod lz4
qemu-system-x86 swtpm swtpm-tools tpm2-tools
docker-registry skopeo busybox-static debootstrap openssl curl
chromium
groff man-db bash-completion jq
"

if [ "${1:-}" = --list ]; then
	# shellcheck disable=SC2086
	printf '%s\n' $packages
	exit 0
fi

missing=
for package in $packages; do
	dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps: these Debian packages are missing:$missing" >&2
	echo "deps: install them as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null; then
	echo "deps: there is no apt-get; husk builds on Debian 12. Needed:$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# The registry must not start by itself: tests start their own on a free port.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
echo "deps: installing$missing" >&2
# shellcheck disable=SC2086
if ! apt-get -qq install --no-install-recommends -y $missing >/dev/null 2>&1; then
	apt-get -qq update
	# shellcheck disable=SC2086
	apt-get -qq install --no-install-recommends -y $missing >/dev/null
fi
