#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One folder of the shared vectors; a skip where they are missing. usage: run.sh PROGRAM KIND DEFAULT CONTESTED [OPTION]
set -eu
dir=${HUSK_VECTORS:-$3}/$2
if [ ! -d "$dir" ]; then
	echo "no test vectors at $dir (set HUSK_VECTORS)"
	[ -z "${CI:-}" ] || exit 1
	exit 77
fi
exec "$1" ${5:+"$5"} "$dir" "$4"
