#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# With no network at all, evidence verifies from a bundle of collateral; with the same bundle after it
# has expired, and without it, the evidence is refused, and the refusal says what it was.
# usage: offline.sh HUSK VECTORS
set -u
husk=$(realpath "$1")
vectors=${HUSK_VECTORS:-$2}
here=$(dirname "$(realpath "$0")")
if [ ! -d "$vectors/tdx" ]; then
	echo "no test vectors at $vectors (set HUSK_VECTORS)"
	[ -z "${CI:-}" ] || exit 1
	exit 77
fi
# root needs no user namespace for it, which a chroot would not give
offline=(unshare -n)
[ "$(id -u)" = 0 ] || offline=(unshare -rn)
if ! why=$("${offline[@]}" true 2>&1); then
	echo "this machine gives no empty network namespace: $why"
	[ "${CI:-}" = true ] && exit 1
	exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# expect CODE TEXT ARGUMENT...: exit code and text of husk verify where there is no network
expect() {
	local code=$1 text=$2 got
	shift 2
	"${offline[@]}" "$husk" verify "$@" >"$dir/out" 2>&1
	got=$?
	if [ "$got" = "$code" ] && grep -q -- "$text" "$dir/out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL: husk verify $*: exit $got, expected $code and \"$text\""
		cat "$dir/out"
	fi
}

while read -r tee case at late; do
	folder=$vectors/$tee/$case
	python3 "$here/../support/collateral-bundle.py" "$tee" "$folder/collateral.json" >"$dir/bundle.json"
	expect 0 "status     authentic" --collateral "$dir/bundle.json" --at "$at" "$folder/quote.bin"
	expect 3 "has expired on" --collateral "$dir/bundle.json" --at "$late" "$folder/quote.bin"
	expect 3 "among the collateral" --at "$at" "$folder/quote.bin"
done <<'CASES'
tdx v4-b0c06f000000-pcci-attestati-c42f-uptodate 2026-03-24T09:05:24Z 2026-05-23T09:05:24Z
tdx v5-90c06f000000-automata-dcap--d001-outofdate 2026-03-31T22:20:07Z 2026-06-01T00:00:00Z
sgx v3-00a067110000-dcap-qvl-f8b8-configurationandswhardeningneeded 2025-07-04T10:28:44Z 2025-09-01T00:00:00Z
CASES
echo "offline: $passed passed, $failed failed"
[ $failed = 0 ]
