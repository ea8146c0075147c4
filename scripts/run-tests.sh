#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run meson's tests and end with the line "N passed, N failed".
# usage: scripts/run-tests.sh BUILD [ARGUMENT OF meson test...]
# Test data that others provided is looked up in HUSK_VECTORS (default ../shared/vectors); without
# it those tests are skipped. With CI=true a skipped test has failed.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
shift
: "${HUSK_VECTORS:=$(cd .. && pwd)/shared/vectors}"
export HUSK_VECTORS
log="$build/meson-logs/testlog.json"
rm -f "$log"
# One more than there are processors: some tests mostly wait.
meson test -C "$build" --print-errorlogs --num-processes "$(($(nproc) + 1))" "$@"
rc=$?
python3 - "$log" "$rc" "${CI:-}" <<'END'
import json, sys
results = {}
try:
    with open(sys.argv[1]) as log:
        for line in log:
            test = json.loads(line)
            results.setdefault(test["result"], []).append(test["name"])
except OSError:
    print("run-tests: meson left no log", file=sys.stderr)
passed = len(results.pop("OK", [])) + len(results.pop("EXPECTEDFAIL", []))
skipped = results.pop("SKIP", [])
failed = sum(len(names) for names in results.values())
if skipped:
    print("skipped: " + ", ".join(skipped))
if sys.argv[3] == "true":
    failed += len(skipped)
if sys.argv[2] != "0" and failed == 0 or passed + failed == 0:
    failed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
END
