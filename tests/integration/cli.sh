#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Man pages and completion of husk are well-formed. usage: cli.sh HUSK
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
[ $bad = 0 ] && echo "cli: $count man pages and the completion are well-formed"
exit $bad
