#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer in husk's programs, also in
# those of the guest: its image is built anew for it (out-san). The last line is "N passed, N failed".
# usage: scripts/sanitized.sh [ARGUMENT OF meson test...]     (without: all suites)
set -u
cd "$(dirname "$0")/.." || exit 1
build=build-san
[ -f $build/build.ninja ] ||
	meson setup $build --werror -Db_sanitize=address,undefined -Db_lundef=false >/dev/null || exit 1
ninja -C $build || exit 1
# Kernel, crun and Debian's root file system are those of `make guest` and of the ordinary tests.
mkdir -p out out-san
scripts/fetch-kernel.sh out/kernel && guest-image/build-crun.sh out || exit 1
[ $# -ne 0 ] || HUSK_KERNEL_SUITE=bookworm-backports scripts/fetch-kernel.sh out/kernel-backports
ln -sfn ../out/kernel ../out/crun out-san/
[ $# -ne 0 ] || tests/e2e/make-debian-image.sh out/debian-rootfs # else e2e-images says what is missing
[ ! -d out/debian-rootfs ] || ln -sfn ../out/debian-rootfs out-san/
guest-image/build.sh --sanitized $build out-san || exit 1

if [ $# -eq 0 ]; then
	# "reproducible" builds the release guest twice: no program of $build has a part in it.
	mapfile -t tests < <(meson test -C $build --list 2>/dev/null | sed -n 's/.* \/ //p' | grep -vx reproducible | sort -u)
	set -- "${tests[@]}"
fi
counts=$(scripts/run-tests.sh $build "$@" | tee /dev/stderr | tail -n 1)
# A test that expects a failure of a program must not take a finding for it.
findings=$(grep -cE 'SUMMARY: [A-Za-z]*Sanitizer|runtime error:' $build/meson-logs/testlog.txt)
[[ "$counts" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || exit 1
failed=$((BASH_REMATCH[2] + findings))
[ "$findings" = 0 ] || echo "sanitized: $findings lines with findings in $build/meson-logs/testlog.txt count as failures"
echo "${BASH_REMATCH[1]} passed, $failed failed"
[ "$failed" = 0 ]
