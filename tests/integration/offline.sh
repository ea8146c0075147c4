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

# The PCK list is the only thing that has expired: at a time after its next update, and an old one in
# its place.
tdx=$vectors/tdx/v4-00806f050000-go-tdx-guest-5433-uptodate
python3 "$here/../support/collateral-bundle.py" tdx "$tdx/collateral.json" >"$dir/bundle.json"
expect 3 "PCK CRL has expired on 2025-11-12T10:45:32Z" --collateral "$dir/bundle.json" \
	--at 2025-11-12T10:46:00Z "$tdx/quote.bin"
sgx=$vectors/sgx/v3-00606a000000-trustee-77bc-outofdate
old=$vectors/tdx/v5-90c06f000000-automata-dcap--d001-uptodate
python3 "$here/../support/collateral-bundle.py" sgx "$sgx/collateral.json" >"$dir/bundle.json"
python3 "$here/../support/collateral-bundle.py" tdx "$old/collateral.json" >"$dir/old.json"
expect 0 "status     authentic" --collateral "$dir/bundle.json" --at 2025-08-30T05:09:06Z "$sgx/quote.bin"
python3 - "$dir" <<'EOF'
import json, sys
new, old = (json.load(open(f"{sys.argv[1]}/{n}.json")) for n in ("bundle", "old"))
new["items"]["intel/crl/platform"] = old["items"]["intel/crl/platform"]
json.dump(new, open(f"{sys.argv[1]}/bundle.json", "w"))
EOF
expect 3 "PCK CRL has expired on 2025-07-19T10:00:35Z" --collateral "$dir/bundle.json" \
	--at 2025-08-30T05:09:06Z "$sgx/quote.bin"
expect 3 "to do      get a current list" --collateral "$dir/bundle.json" --at 2025-08-30T05:09:06Z "$sgx/quote.bin"

# AMD's lists are not published: without one a report is refused, or accepted by the switch alone.
snp=$vectors/snp/milan-v2-vcek-trustee
key=$("${offline[@]}" "$husk" verify "$snp/report.bin" 2>/dev/null | grep -o '^reason .*' | grep -o 'amd/milan/vcek/[^ ]*')
vcek=$(sed -n '1,/END CERTIFICATE/p' "$snp/certs.pem" | base64 -w 0)
printf '{"items": {"%s": "%s"}}' "$key" "$vcek" >"$dir/bundle.json"
expect 3 "there is no amd/milan/vcek/crl among the collateral" --collateral "$dir/bundle.json" "$snp/report.bin"
expect 0 "status     authentic" --insecure-no-revocation-list --collateral "$dir/bundle.json" "$snp/report.bin"
expect 3 "there is no amd/milan/vcek/" --insecure-no-revocation-list "$snp/report.bin"
echo "offline: $passed passed, $failed failed"
[ $failed = 0 ]
