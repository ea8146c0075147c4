#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `husk run` as its user knows it from docker: what images say about their containers, options, streams,
# signals and exit codes; and that nothing is left when it is killed.
# usage: run.sh      (HUSK_BUILD, HUSK_OUT: see scripts/world.sh)
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../scripts/world.sh"
skip() { echo "skip: $*"; [ "${CI:-}" = true ] && exit 1; exit 77; }
why=$(world_need) || skip "$why"
world_start
die() { echo "cannot prepare: $*"; exit 1; }
start_registry || die registry
make_keys || die keys
start_kbs || die "key broker"
register_secrets || die secrets
cat >"$WORLD/any.rego" <<'END'
package agent_policy

CreateContainerRequest := true

ReadStreamRequest := true

WriteStreamRequest := true
END
make_initdata "$WORLD/initdata.toml" "$WORLD/any.rego" || die initdata
register_guest || die measure
"$here/odd_image.py" "$WORLD/odd" && "$husk" image encrypt "$WORLD/odd:v1" "$WORLD/encrypted:v1" \
	--key "$WORLD/image.key" --keyid kbs:///default/image-key/demo -q >/dev/null &&
	publish "$WORLD/encrypted:v1" odd:v1 "$WORLD/sign.key" || die image
image=$guest_registry/odd:v1

small=256M
[ -z "${HUSK_SANITIZED:-}" ] || small=768M # AddressSanitizer's shadow
passed=0 failed=0
ok() { passed=$((passed + 1)); echo "ok: $*"; }
fail() {
	failed=$((failed + 1))
	echo "FAILED: $*"
	sed 's/^/  err| /' "$WORLD/err"
	head -n 20 "$WORLD/out" | sed 's/^/  out| /'
}
# gives NAME CODE TEXT RUN-ARGUMENT...: the exit code, and TEXT exactly on standard output
gives() {
	local name=$1 want=$2 text=$3 code
	shift 3
	run "$@" >"$WORLD/out" 2>"$WORLD/err"
	code=$?
	if [ $code = "$want" ] && [ "$(cat "$WORLD/out")" = "$text" ]; then ok "$name"; else fail "$name: exit code $code"; fi
}

gives "layers, whiteouts, links, user, folder, environment, the right architecture" 0 "uid=1234(u) gid=1234(u) groups=77(extra)
/not/there
3 2
b new 60
/suid 6755 0 0 1
/f/g 4711 5 6 1000000000
2
linked
gone" "$image" </dev/null

export FROM_HERE=yes
gives "options, input and an exit code" 42 "5
name-1 half yes" -i --rm --name name-1 --cpus 0.5 --memory "$small" -e A=half -e FROM_HERE -e NOT_SET "$image" -- \
	'wc -c; echo "$(hostname) $A $FROM_HERE$NOT_SET"; exit 42' < <(printf input)
gives "no such command" 127 "" "$guest_registry/odd:v1" -- 'exec /no/such/command' </dev/null
grep -q "not found" "$WORLD/err" && ok "which says so" || fail "no reason"

# A signal reaches the container, which ends as it likes.
(: >"$WORLD/out"; exec "$husk" run --guest "$WORLD/guest" --tpm-state "$WORLD/tpm" --initdata "$WORLD/initdata.toml" \
	"$image" -- 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.1; done') >"$WORLD/out" 2>"$WORLD/err" </dev/null &
pid=$!
for ((i = 0; i < 1200; i++)); do
	grep -q ready "$WORLD/out" && break
	kill -0 $pid 2>/dev/null || break
	sleep 0.1
done
kill -TERM $pid
wait $pid
code=$?
[ "$code $(tail -n 1 "$WORLD/out")" = "9 caught" ] && ok "SIGTERM" || fail "SIGTERM: exit code $code"

# Killed, it leaves no process and no file; the TPM is a temporary one.
mkdir "$WORLD/tmp"
TMPDIR=$WORLD/tmp "$husk" run --guest "$WORLD/guest" --initdata "$WORLD/initdata.toml" "$image" >"$WORLD/out" 2>"$WORLD/err" </dev/null &
pid=$!
kids=()
for ((i = 0; i < 600; i++)); do # QEMU, swtpm, and who removes the TPM's folder
	read -r -a kids <"/proc/$pid/task/$pid/children"
	[ ${#kids[@]} = 3 ] && [ -n "$(find "$WORLD/tmp" -mindepth 2)" ] && break
	sleep 0.1
done
kill -KILL $pid
wait $pid 2>/dev/null
for ((i = 0; i < 100; i++)); do
	left=
	for kid in "${kids[@]}"; do [ ! -d "/proc/$kid" ] || left="$left process $kid"; done
	left="$left$(find "$WORLD/tmp" -mindepth 1)"
	[ -n "$left" ] || break
	sleep 0.1
done
[ ${#kids[@]} = 3 ] && [ -z "$left" ] && ok "killed, it leaves nothing" || fail "killed, it leaves:$left (of ${kids[*]})"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
