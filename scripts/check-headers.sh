#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone. usage: scripts/check-headers.sh
set -eu
cd "$(dirname "$0")/.."
cc=${CC:-gcc} # may be several words: "ccache gcc"
flags=$(pkg-config --cflags-only-I libpq libxml-2.0 p11-kit-1)
check() {
	echo "#include \"$1\"" | $cc -std=gnu17 -D_GNU_SOURCE -DHUSK_VERSION='""' -Wall -Wextra \
		-Wno-unused-parameter -Werror -fsyntax-only -Isrc -Isrc/lib $flags \
		-include src/lib/base/banned.h -x c - || { echo "$1: does not compile alone"; return 1; }
}
if [ $# = 1 ]; then
	check "$1"
	exit
fi
# The firmware is freestanding and has flags of its own.
find src -name '*.h' ! -path 'src/firmware/*' | sort | sed 's,^src/,,' |
	xargs -P "$(nproc)" -n 1 "$0"
echo "headers: self-contained"
