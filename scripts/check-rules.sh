#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# House rules that a grep can check. usage: scripts/check-rules.sh
set -eu
cd "$(dirname "$0")/.."
bad=0
complain() {
	if [ -n "$2" ]; then
		printf '%s\n' "$2" | sed "s|^|rule: $1: |"
		bad=1
	fi
}
sources=$(git ls-files '*.c' '*.h')
# shellcheck disable=SC2086
{
	complain "first line is the SPDX tag" "$(for f in $sources; do
		head -n 1 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$f"; done)"
	complain "headers start with #pragma once" "$(git ls-files '*.h' | grep -v banned.h |
		xargs -r grep -L '^#pragma once')"
	complain "streq(), not strcmp()" "$(grep -nE '\bstrcmp\(' $sources | grep -v __builtin_strcmp)" || true
	complain "no threads" "$(grep -nE '\bpthread_create\(' $sources)" || true
	complain "no TODO or FIXME; write NEEDSWORK with the question" \
		"$(git grep -nE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.sh' '*.md' ':!scripts/check-rules.sh')" || true
	complain "no path of one machine" \
		"$(git grep -nE '(^|[^A-Za-z0-9_.-])/(home|srv|work|mnt)/[A-Za-z0-9]' -- ':!*.lock' ':!fuzz/corpus' ':!scripts/check-rules.sh')" || true
	complain "no file over 1 MiB" "$(git ls-files -z | xargs -0 -r du -k --apparent-size 2>/dev/null | awk '$1 > 1024')"
}
[ $bad = 0 ] && echo "rules: clean"
exit $bad
