#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All static checks; ends with "N passed, N failed".
# usage: scripts/lint.sh [--changed]   (--changed: clang-tidy only over files that differ from main)
set -u
cd "$(dirname "$0")/.." || exit 1
build=${HUSK_BUILD:-build}
passed=0 failed=0
check() {
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		echo "lint: $name failed"
		failed=$((failed + 1))
	fi
}
find_tool() { command -v "$1-14" || command -v "$1"; }

format() {
	git ls-files '*.c' '*.h' | xargs -r "$(find_tool clang-format)" --dry-run --Werror --ferror-limit=3 &&
		echo "format: clean"
}
run_cppcheck() {
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j "$(nproc)" \
		--enable=warning,portability --suppressions-list=.cppcheck \
		-D_GNU_SOURCE -DHUSK_VERSION='""' -Isrc -Isrc/lib --include=src/lib/base/banned.h \
		--max-configs=1 src && echo "cppcheck: clean"
}
tidy() {
	local files
	if [ "${changed:-no}" = yes ]; then
		files=$(git diff --name-only main -- 'src/*.c')
	else
		files=$(git ls-files 'src/*.c')
	fi
	# The last argument: gcc and later clang need none for -ftrivial-auto-var-init=zero.
	# Only what this build compiles with the ordinary flags.
	files=$(for f in $files; do grep -q "\"../$f\"" "$build/compile_commands.json" && echo "$f"; done)
	[ -z "$files" ] || echo "$files" | xargs -P "$(nproc)" -n 4 "$(find_tool clang-tidy)" -p "$build" \
		--quiet --extra-arg=-Wno-unknown-warning-option \
		--extra-arg=-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang 2>/dev/null && echo "clang-tidy: clean"
}
shell() {
	local f
	for f in $(git grep -lE '^#!/bin/(ba)?sh' -- scripts tests guest-image bench .ci src); do
		case $(head -n 1 "$f") in
		*bash*) bash -n "$f" || return 1 ;;
		*) sh -n "$f" || return 1 ;;
		esac
	done
	echo "shell: parses"
}
changed=no
[ "${1:-}" = --changed ] && changed=yes

check layering scripts/check-layering.sh
check headers scripts/check-headers.sh
check rules scripts/check-rules.sh
check shell shell
check format format
check cppcheck run_cppcheck
check clang-tidy tidy
echo "$passed passed, $failed failed"
[ $failed = 0 ]
