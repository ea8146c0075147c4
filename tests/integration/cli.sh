#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Man pages and completion of husk are well-formed; what its commands say of given files. usage: cli.sh HUSK
set -u
husk=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
fail() { echo "FAIL: $*"; bad=1; }

"$husk" man --write "$dir" || fail "man --write"
count=0
for page in "$dir"/*.1; do
	count=$((count + 1))
	warnings=$(groff -man -Tutf8 -ww -z "$page" 2>&1) || fail "$page: groff"
	[ -z "$warnings" ] || fail "$page: $warnings"
done
for page in "$(dirname "$0")"/../../docs/man/*.[58]; do
	warnings=$(groff -man -Tutf8 -ww -z "$page" 2>&1) || fail "$page: groff"
	[ -z "$warnings" ] || fail "$page: $warnings"
done
# Every key of [husk] is described.
config=$(dirname "$0")/../../src/trustee/kbs/config.c
for key in $(sed -n '/^static const struct key g_husk/,/^};/s/^\t[A-Z]*("\([a-z_]*\)".*/\1/p' "$config"); do
	case $key in
	service | grpc_sockets | rest_sockets | client_ca | insecure_no_client_auth | \
		insecure_allow_unbound_evidence) continue ;; # of husk-as and husk-rvps
	esac
	grep -q "$key" "$(dirname "$0")/../../docs/man/husk-kbs.5" || fail "husk-kbs(5) lacks $key"
done
for key in $(grep -oE '(STR|NUM|BOOL|LIST)\("[a-z_]+"' "${config%.c}-storage.c" | cut -d'"' -f2); do
	grep -q "$key" "$(dirname "$0")/../../docs/man/husk-kbs.5" || fail "husk-kbs(5) lacks $key"
done
[ "$count" = "$("$husk" man --list | wc -l)" ] || fail "$count pages, not one a command"
while read -r path; do
	[ "$path" = husk ] && continue
	# shellcheck disable=SC2086
	"$husk" $path --help | grep -q "^usage: husk $path" || fail "help of $path"
done < <("$husk" man --list)

"$husk" completion >"$dir/completion" || fail completion
bash -n "$dir/completion" || fail "completion does not parse"
# complete WORD... : what bash would offer for the last word
complete_words() {
	# shellcheck disable=SC1091,SC2034
	(source "$dir/completion"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _husk; echo "${COMPREPLY[*]}")
}
[ "$(complete_words husk vers)" = version ] || fail "completion of commands"
[ "$(complete_words husk version --js)" = --json ] || fail "completion of options"
[ "$(complete_words husk man --write "$dir")" = "$dir" ] || fail "completion of folders"

# Quotes of a simulated Intel: told apart as files and as evidence, refused for their root.
corpus=$(dirname "$0")/../../fuzz/corpus/quote
for row in v3-body1:sgx v4-body2:tdx v5-body3:tdx; do
	"$husk" verify "$corpus/${row%:*}" >"$dir/verdict" 2>/dev/null
	[ $? = 3 ] || fail "verify ${row%:*}: not refused"
	grep -q "^tee  *${row#*:}\$" "$dir/verdict" || fail "verify ${row%:*}: wrong TEE"
	grep -q "does not end in a trusted root key" "$dir/verdict" || fail "verify ${row%:*}: reason"
	printf '{"quote": "%s"}' "$(base64 -w 0 "$corpus/${row%:*}")" >"$dir/evidence.json"
	"$husk" verify --json "$dir/evidence.json" 2>/dev/null | grep -q "\"tee\": \"${row#*:}\"" ||
		fail "verify ${row%:*} as evidence"
done
# Damaged ones are still known, what is wrong is said, and what can be done.
quote=$corpus/v4-body2
head -c 500 "$quote" >"$dir/cut"
printf '{"quote": "%s"}' "$(base64 -w 0 "$dir/cut")" >"$dir/cut.json"
printf '{"platform": "some", "evidence": {"quote": "%s"}}' "$(base64 -w 0 "$quote")" >"$dir/envelope.json"
for file in cut cut.json envelope.json; do
	"$husk" verify "$dir/$file" >"$dir/verdict" 2>/dev/null
	[ $? = 3 ] && grep -q "^tee  *tdx\$" "$dir/verdict" || fail "verify $file"
	grep -q "^  *to do  *[a-z]" "$dir/verdict" || fail "verify $file: nothing to do"
done
"$husk" verify --json "$dir/cut" 2>/dev/null | grep -q '"fix": "' || fail "verify --json: no fix"
head -c 64 "$quote" | tr '\000-\377' '\200-\377\000-\177' >"$dir/noise"
"$husk" verify "$quote" "$dir/noise" >"$dir/verdict" 2>"$dir/error"
[ $? = 1 ] && grep -q "neither JSON nor a quote" "$dir/error" || fail "verify of noise"
grep -q "^tee  *tdx\$" "$dir/verdict" || fail "what came before an unreadable file is not shown"
"$husk" verify --tee tpm "$quote" >/dev/null 2>"$dir/error"
[ $? = 1 ] && grep -q "evidence of tpm is JSON" "$dir/error" || fail "verify --tee tpm of a quote"
echo '{"items": {"intel/crl/root": "AAAA"}}' >"$dir/collateral.json"
"$husk" verify --collateral "$dir/collateral.json" "$corpus/v4-body2" >/dev/null 2>&1
[ $? = 3 ] || fail "verify --collateral"
echo '{}' >"$dir/collateral.json"
"$husk" verify --collateral "$dir/collateral.json" "$corpus/v4-body2" >/dev/null 2>"$dir/error"
[ $? != 0 ] && grep -q "this is no collateral" "$dir/error" || fail "broken collateral"
[ $bad = 0 ] && echo "cli: $count man pages and the completion are well-formed"
exit $bad
