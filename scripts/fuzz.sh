#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run every fuzz target for SECONDS (default 300) with libFuzzer, ASan and UBSan; ends with
# "N passed, N failed". usage: scripts/fuzz.sh [SECONDS [NAME...]]
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-300}
[ $# = 0 ] || shift
build=build-fuzz
[ -f $build/build.ninja ] || CC=clang-14 meson setup $build -Dfuzz=libfuzzer -Dtests=false \
	-Db_sanitize=address,undefined -Db_lundef=false \
	-Dc_args=-fsanitize=fuzzer-no-link >/dev/null
names=${*:-$(cd fuzz && ls fuzz-*.c | sed 's/^fuzz-\(.*\)\.c$/\1/')}
passed=0 failed=0
for name in $names; do
	ninja -C $build "fuzz/fuzz-$name" >/dev/null
	mkdir -p "out/fuzz/$name" "out/fuzz/found"
	if "$build/fuzz/fuzz-$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
		-artifact_prefix="out/fuzz/found/$name-" -print_final_stats=1 \
		"out/fuzz/$name" "fuzz/corpus/$name" >"out/fuzz/$name.log" 2>&1; then
		echo "fuzz-$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "out/fuzz/$name.log") runs, clean"
		passed=$((passed + 1))
	else
		echo "fuzz-$name: FOUND SOMETHING; see out/fuzz/$name.log and out/fuzz/found/"
		tail -n 30 "out/fuzz/$name.log"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
