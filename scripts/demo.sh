#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The main job of husk, once, for real: an encrypted and signed image runs in a pod VM that had to
# prove itself; then six ways to cheat, each refused and explained.
# usage: scripts/demo.sh [--image ROOTFS|LAYOUT|ARCHIVE] [-- COMMAND...]
set -u
cd "$(dirname "$0")/.." || exit 1
image=
[ "${1:-}" = --image ] && { image=$(realpath "$2") || exit 1; shift 2; }
[ "${1:-}" = -- ] && shift
. scripts/world.sh
# As a test it is skipped where "make guest" was not run.
world_need || { [ -n "${MESON_TEST_ITERATION:-}" ] && [ "${CI:-}" != true ] && exit 77; exit 1; }

begin=$EPOCHREALTIME number=0
ms() { echo $(((${2/./} - ${1/./}) / 1000)); }
# step TEXT COMMAND...: one line with its time; the command's output only when it fails
step() {
	local text=$1 start=$EPOCHREALTIME took
	shift
	number=$((number + 1))
	if ! "$@" >"$WORLD/step.log" 2>&1; then
		printf '%2d. %s: FAILED\n' "$number" "$text"
		cat "$WORLD/step.log"
		exit 1
	fi
	took=$(ms "$start" "$EPOCHREALTIME")
	printf '%2d. %-86s %3d.%02d s\n' "$number" "$text" $((took / 1000)) $((took % 1000 / 10))
}
build_image() {
	make_keys || return
	if [ -z "$image" ]; then
		make_rootfs "$WORLD/rootfs" && image=$WORLD/rootfs || return
	fi
	"$husk" image build "$image" "$WORLD/plain:demo" -q &&
		"$husk" image encrypt "$WORLD/plain:demo" "$WORLD/encrypted:demo" --key "$WORLD/image.key" \
			--keyid kbs:///default/image-key/demo -q
}
publish_all() {
	publish "$WORLD/encrypted:demo" demo:latest "$WORLD/sign.key" &&
		publish "$WORLD/encrypted:demo" stranger:latest "$WORLD/stranger.key"
}
# skopeo reads it like any image, and what it gets is ciphertext
read_with_skopeo() {
	command -v skopeo >/dev/null || { echo "skopeo is not installed"; return 1; }
	skopeo inspect --tls-verify=false --raw "docker://$registry/demo:latest" | grep -q 'tar+gzip+encrypted\|tar+encrypted\|+encrypted'
}

echo "husk: an encrypted container in a pod VM that has to prove itself"
world_start
step "A container registry on loopback" start_registry
step "An image, encrypted for the guest's eyes only (AES-256-CTR, HMAC)" build_image
step "Signed (cosign format, ECDSA P-256) and pushed; a stranger signs a copy" publish_all
step "skopeo reads the same image; its layers stay encrypted" read_with_skopeo
step "The key broker starts: TLS, SQLite store, one configuration file" start_kbs
step "Image key, signature policy and release policy go in through its admin API" register_secrets
step "The owner writes initdata: which key broker, which images, what containers may do" \
	make_initdata "$WORLD/initdata.toml"
step "The guest is measured off-line from its files and registered" register_guest

echo
memory=512M
[ "$(du -sm "$WORLD/plain" | cut -f 1)" -lt 40 ] || memory=2G
if [ $# -gt 0 ]; then
	command=("$@")
elif [ -f "$image/etc/os-release" ]; then
	command=(/bin/cat /etc/os-release)
else
	command=(/bin/sh -c 'echo "Hello from inside. $(cat /etc/secret)"; uname -r -m')
fi
number=$((number + 1))
printf '%2d. husk run %s -- %s\n' "$number" "$guest_registry/demo" "${command[*]}"
start=$EPOCHREALTIME
run --timing --memory "$memory" "$guest_registry/demo:latest" -- "${command[@]}" >"$WORLD/out" 2>"$WORLD/err"
code=$?
took=$(ms "$start" "$EPOCHREALTIME")
sed 's/^/      | /' "$WORLD/out"
sed 's/^/      /' "$WORLD/err"
printf '    exit code %d after %d.%02d s\n' "$code" $((took / 1000)) $((took % 1000 / 10))
[ "$code" = 0 ] && [ -s "$WORLD/out" ] || { echo "demo: the container did not run"; tail "$WORLD/kbs.log"; exit 1; }

echo
echo "Six ways to cheat:"
failures=0 letter=0
# refused TEXT NEEDLE BECAUSE COMMAND...: must end with 125 and a reason that holds NEEDLE; unless BECAUSE
# is empty, what the key broker wrote down must hold it
refused() {
	local text=$1 needle=$2 because=$3 code id start=$EPOCHREALTIME took
	shift 3
	"$@" >"$WORLD/out" 2>"$WORLD/err"
	code=$?
	took=$(ms "$start" "$EPOCHREALTIME")
	letter=$((letter + 1))
	id=$(sed -n 's/.*husk kbs why \([^ ]*\)$/\1/p' "$WORLD/err")
	: >"$WORLD/why"
	[ -z "$id" ] || "$husk" kbs why "$id" >"$WORLD/why" 2>&1
	if [ "$code" = 125 ] && [ ! -s "$WORLD/out" ] && grep -q -- "$needle" "$WORLD/err" &&
		grep -q -- "$because" "$WORLD/err" "$WORLD/why"; then
		printf '\n %d. %-73s REFUSED  %3d.%02d s\n' "$letter" "$text" $((took / 1000)) $((took % 1000 / 10))
	else
		failures=$((failures + 1))
		printf '\n %d. %-73s NOT REFUSED AS EXPECTED (exit code %d)\n' "$letter" "$text" "$code"
	fi
	sed 's/^/      /' "$WORLD/err" "$WORLD/out"
	sed 's/^/      /' "$WORLD/why"
}

refused "A changed kernel command line (nokaslr)" "kbs why" "reference  *tpm_pcr08" \
	run --append "quiet panic=-1 console=ttyS0 no_timer_check nokaslr" "$guest_registry/demo:latest"

mkdir "$WORLD/evil" && echo evil >"$WORLD/evil/backdoor"
(cd "$WORLD/evil" && cp "$HUSK_OUT/guest/initrd.cpio" ../evil.cpio && truncate -s %4 ../evil.cpio &&
	echo backdoor | cpio --quiet -o -H newc >>../evil.cpio)
refused "A changed initrd (one more file)" "kbs why" "reference  *tpm_pcr09" \
	run --initrd "$WORLD/evil.cpio" "$guest_registry/demo:latest"

cat >"$WORLD/evil.rego" <<'END'
package agent_policy

import rego.v1

CreateContainerRequest := true

ReadStreamRequest := true

WriteStreamRequest := true
END
make_initdata "$WORLD/evil.toml" "$WORLD/evil.rego"
refused "Changed initdata (an agent policy that allows everything)" "kbs why" "reference  *tpm_pcr08" \
	run_with "$WORLD/evil.toml" "$guest_registry/demo:latest"

refused "An image signed with another key" "signature" "" run "$guest_registry/stranger:latest" -- /bin/true

layer=$(layer_file demo:latest)
cp "$layer" "$WORLD/layer.saved"
printf '\377' | dd of="$layer" bs=1 seek=$(($(stat -c %s "$layer") / 2)) conv=notrunc status=none
refused "A layer altered in the registry (one byte)" "altered" "" run "$guest_registry/demo:latest" -- /bin/true
cp "$WORLD/layer.saved" "$layer"

replay() {
	local id
	id=$("$HUSK_BUILD/tests/e2e/replay" "$kbs_port" "$WORLD/kbs/tls.crt") || return
	echo "the key broker knows why: husk kbs why $id" >&2
	return 125
}
refused "A replayed attestation (another session's evidence)" "kbs why" "replayed" replay

echo
total=$(ms "$begin" "$EPOCHREALTIME")
printf 'The run took %d.%d s. ' $((total / 1000)) $((total % 1000 / 100))
if [ "$failures" = 0 ]; then
	echo "All six were refused."
else
	echo "$failures of six were NOT refused."
	exit 1
fi
