#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build a static crun from Debian's source package, the same bytes every time.
# usage: build-crun.sh OUT
#   OUT/crun/crun is the result; OUT/crun/VERSION names what it was built from.
# The package is downloaded with apt (signature checked) through a private sources list, so the
# machine's own apt configuration and lists are not touched.
set -eu

VERSION=1.8.1-1+deb12u1
# HUSK_DEBIAN_MIRROR names another mirror than the one of the machine's own sources.
MIRROR=${HUSK_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
	'Created-By: Packages' 2>/dev/null | sed -n 's/^bookworm //p' | head -n 1)}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Change it with the recipe: a new stamp means a new build.
STAMP="crun $VERSION recipe 2"

[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
mkdir -p "$1/crun"
out=$(cd "$1/crun" && pwd)
if [ -x "$out/crun" ] && [ "$(cat "$out/VERSION" 2>/dev/null)" = "$STAMP" ]; then
	echo "crun: $out/crun is up to date"
	exit 0
fi
for tool in dpkg-source autoreconf libtoolize make gcc python3; do
	command -v "$tool" >/dev/null || { echo "crun: $tool is missing; run scripts/deps.sh" >&2; exit 1; }
done

[ -n "$MIRROR" ] || { echo "crun: no Debian 12 mirror in apt's sources; set HUSK_DEBIAN_MIRROR" >&2; exit 1; }
apt=$out/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
printf 'deb-src [signed-by=%s] %s bookworm main\n' "$KEYRING" "$MIRROR" >"$apt/sources.list"
priv_apt() {
	apt-get -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root \
		-o Acquire::Languages=none "$@"
}
if [ ! -f "$out/crun_$VERSION.dsc" ]; then
	priv_apt update >"$out/apt.log" 2>&1 || { cat "$out/apt.log" >&2; exit 1; }
	(cd "$out" && priv_apt source --download-only "crun=$VERSION") >>"$out/apt.log" 2>&1 ||
		{ cat "$out/apt.log" >&2; exit 1; }
fi

# run COMMAND...: into the log; the log's end is shown when it fails
run() {
	"$@" >>"$out/build.log" 2>&1 || { tail -n 40 "$out/build.log" >&2; exit 1; }
}
src=$out/src
rm -rf "$src" "$out/build.log"
run dpkg-source --no-check -x "$out/crun_$VERSION.dsc" "$src"
cd "$src"
# Outside of git the version comes from this header.
printf '#define GIT_VERSION "%s"\n' "$VERSION" >git-version.h
# Debian names the static yajl differently from what pkg-config says.
mkdir slib
ln -s "/usr/lib/$(gcc -print-multiarch)/libyajl_s.a" slib/libyajl.a
export SOURCE_DATE_EPOCH=1 LC_ALL=C TZ=UTC NOCONFIGURE=1 PYTHON=/usr/bin/python3
run ./autogen.sh
run ./configure --disable-systemd --disable-criu --disable-dl --disable-shared --enable-static \
	CFLAGS="-Os -g0 -ffunction-sections -fdata-sections -fstack-protector-strong \
-D_FORTIFY_SOURCE=2 -ffile-prefix-map=$src=." LDFLAGS="-static -L$src/slib"
# crun's rules do not say that it needs the headers which are generated here.
run make -j"${JOBS:-2}" -C libocispec libocispec.la
run make -j"${JOBS:-2}" crun \
	LDFLAGS="-all-static -L$src/slib -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,relro,-z,now"
run strip --strip-all --remove-section=.comment crun
install -m 0755 crun "$out/crun"
cd "$out"
rm -rf "$src"
printf '%s\n' "$STAMP" >"$out/VERSION"
echo "crun: $out/crun, $(stat -c %s "$out/crun") bytes"
