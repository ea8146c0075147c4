#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The runner of golden cases on folders that are not as they should be. usage: runner.sh PROGRAM VECTORS CONTESTED
set -eu
program=$(realpath "$1") vectors=$(realpath -m "${HUSK_VECTORS:-$2}") contested=$(realpath "$3")
if [ ! -d "$vectors/ccel" ]; then
	echo "no test vectors at $vectors (set HUSK_VECTORS)"
	[ -z "${CI:-}" ] || exit 1
	exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
case_of() { # FOLDER EXPECTED
	mkdir -p "$dir/$1"
	printf '%s' "$2" >"$dir/$1/expected.json"
}
# expect STATUS LAST-LINE FOLDER [CONTESTED]
expect() {
	status=0
	"$program" "$3" ${4:+"$4"} >"$dir/out" 2>"$dir/err" || status=$?
	last=$(tail -n 1 "$dir/out")
	if [ "$status" != "$1" ] || [ "$last" != "$2" ]; then
		echo "$3: status $status and \"$last\", expected $1 and \"$2\""
		cat "$dir/out" "$dir/err"
		exit 1
	fi
}

good=$vectors/ccel/ccel-data-trustee
expect 0 "1 passed, 0 failed" "$good"
expect 0 "1 passed, 0 failed" "$good/"
expect 1 "0 passed, 0 failed" "$dir/none"
grep -q "none: No such file" "$dir/err"
mkdir "$dir/empty"
expect 1 "0 passed, 0 failed" "$dir/empty"

# Deeper than the shared folder, beside what cannot be run.
mkdir -p "$dir/a/held/back/ccel"
cp -r "$good" "$dir/a/held/back/ccel/one"
case_of a/held/back/new-tee/x '{"tee": "new-tee", "verdict": "valid", "files": {}}'
expect 0 "1 passed, 0 failed" "$dir/a"
grep -q "1 cases are of kinds without a handler" "$dir/out"
case_of a/no-json '{"tee": '
case_of a/no-files '{"tee": "ccel", "verdict": "valid"}'
case_of a/gone '{"tee": "tdx", "verdict": "invalid", "files": {"quote": "gone.bin"}}'
case_of a/outside '{"tee": "ccel", "verdict": "valid", "files": {"log": "../one/ccel.bin"}}'
expect 1 "1 passed, 4 failed" "$dir/a"
for name in no-json no-files gone outside; do
	grep -q "^FAIL $dir/a/$name: " "$dir/out"
done
# No kind falls over a case that has nothing of what it needs, whatever the verdict.
for tee in tdx sgx snp snp-measure azure nvidia imgsig-cosign imgsig-simple ocicrypt jwt \
	sealed-secret initdata sigstore-bundle ccel tcg2 cca cose csv tpm ibm-se; do
	for verdict in valid invalid parse-only; do
		case_of "bare/$tee/$verdict" "{\"tee\": \"$tee\", \"verdict\": \"$verdict\"}"
	done
done
expect 1 "0 passed, 60 failed" "$dir/bare"
grep "ended " "$dir/out" && exit 1

# A contested case is known from within its own folder, too, and only by the file.
cd "$vectors/ccel"
expect 1 "0 passed, 0 failed" neg-cos-113-duplicate-separator-google "$contested"
cd neg-cos-113-duplicate-separator-google
expect 1 "0 passed, 0 failed" . "$contested"
grep -q "^contested" "$dir/out"
expect 1 "0 passed, 1 failed" .
expect 2 "" . "$dir/no-such-list"
