#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images that attack who unpacks them, and registries that lie, against the guest's image program.
# Every malicious image is signed by the right key, so that its layer is what it is refused for.
# usage: image.sh HUSK GUEST-IMAGE
set -u
[ -n "${2:-}" ] || { echo "usage: $0 HUSK GUEST-IMAGE"; exit 2; }
guest=$(realpath "$2") here=$(dirname "$(realpath "$0")")
HUSK_BUILD=${HUSK_BUILD:-$(realpath "$(dirname "$1")/../..")}
skip() { echo "SKIP: $*"; [ "${CI:-}" = true ] && exit 1; exit 77; }
command -v docker-registry >/dev/null || skip "no docker-registry (apt install docker-registry)"
[ "$(id -u)" = 0 ] || skip "needs root, as in the guest"
# Mounts of the test end with it. Below a root that is no mount point (a plain chroot) their propagation
# cannot be turned off; there the one mount is undone by the trap below.
if [ -z "${ATTACK_NAMESPACE:-}" ]; then
	export ATTACK_NAMESPACE=1 HUSK_BUILD
	unshare -m true 2>/dev/null || exec unshare -m --propagation unchanged "$0" "$@"
	exec unshare -m "$0" "$@"
fi
. "$here/../../scripts/world.sh"
world_start
cd "$WORLD" || exit 1
start_registry && make_keys || skip "cannot start: $(cat registry.log)"
honest_port=${registry##*:} liar_port=$(free_port)
echo "honest -" >mode
mkfifo stop
python3 "$here/liar.py" "$liar_port" "$honest_port" mode <stop &
world_pids+=($!)
exec 7>stop
wait_port "$liar_port" $! registry.log || exit 1
registry=127.0.0.1:$liar_port guest_registry=$registry

mkdir -p resources root
cp sign.pub resources/default_keys_sign
cat >resources/default_security-policy_test <<END
{"default":[{"type":"reject"}],"transports":{"docker":{"$registry":[{"type":"sigstoreSigned","keyPath":"kbs:///default/keys/sign"}]}}}
END
cat >cdh.toml <<END
[kbc]
name = "cc_kbc"
[image]
image_security_policy_uri = "kbs:///default/security-policy/test"
[[image.registry_config.registry]]
prefix = "$registry"
insecure = true
END
# Like the guest's: what can be unpacked is bounded by memory.
mount -t tmpfs -o size=64m none root || exit 1
trap 'umount -l "$WORLD/root"; world_end || exit 1' EXIT

passed=0 bad=0
ok() { passed=$((passed + 1)); echo "ok: $*"; }
fail() { echo "FAIL: $*"; bad=$((bad + 1)); }
pull() { find root -mindepth 1 -delete; timeout 60 "$guest" "$1" cdh.toml resources "$WORLD/root" >out 2>&1; }
accepted() {
	if pull "$2" && [ "$(cat root/rootfs/etc/good)" = good ]; then ok "$1"; else fail "$1: $(cat out)"; fi
}
# refused NAME IMAGE TEXT: the reason says TEXT, nothing stays behind
refused() {
	local code reason
	pull "$2"
	code=$?
	reason=$(sed -n 's/.*"reason":"\(.*\)","id".*/\1/p' out | tail -n 1)
	if [ $code = 3 ] && grep -q -- "$3" <<<"$reason" && [ ! -e root/rootfs ]; then
		ok "$1: $reason"
	else
		fail "$1: exit $code: $reason"
	fi
}
make_image() { "$here/evil_image.py" "$1" "evil-$1" >"facts-$1" && publish "evil-$1:v1" "$1:v1" sign.key; }
fact() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "facts-$1" "$2"; }

# --- layers that attack ---
for kind in good dotdot symlink hardlink hardlink-symlink device sparse huge bomb tail diff-id; do
	make_image $kind >out 2>&1 || fail "cannot publish $kind: $(cat out)"
done
accepted "control: an honest image" "$registry/good:v1"
refused "a path with .." "$registry/dotdot:v1" "husk-escaped"
[ ! -e husk-escaped ] && [ ! -e root/husk-escaped ] && ok "nothing outside" || fail "a file outside"
accepted "symlinks that lead out stay inside" "$registry/symlink:v1"
[ -f root/rootfs/tmp/husk-escaped ] && [ -f root/rootfs/tmp/husk-escaped-too ] && ok "their files are in the image" ||
	fail "files behind symlinks: $(find root)"
[ ! -e /tmp/husk-escaped ] && [ ! -e /tmp/husk-escaped-too ] && ok "nothing in /tmp" || fail "a file in /tmp"
refused "a hard link that leads out" "$registry/hardlink:v1" "'h'"
refused "a hard link over a symlink that leads out" "$registry/hardlink-symlink:v1" "'h'"
refused "a block device" "$registry/device:v1" "device 8:0 is refused"
refused "a sparse file of 100 GiB" "$registry/sparse:v1" "sparse"
refused "a header that promises 100 GiB" "$registry/huge:v1" "may unpack to"
refused "a gzip bomb" "$registry/bomb:v1" "may unpack to"
refused "a bomb behind the end of the archive" "$registry/tail:v1" "unpacks to more than the limit"
refused "a layer that is not what the configuration names" "$registry/diff-id:v1" "diff"

# --- registries that lie ---
manifest=$(fact good manifest) layer=$(fact good layer) config=$(fact good config)
# lied NAME "MODE PART" IMAGE TEXT, between two honest answers
lied() {
	echo "$2" >mode
	refused "$1" "$3" "$4"
	echo "honest -" >mode
	accepted "control: the same without the lie" "$3"
}
lied "another manifest than the digest asked for" "append manifests/$manifest" "$registry/good@$manifest" "digest"
lied "another manifest under the tag" "append manifests/v1" "$registry/good:v1" "not signed"
lied "another configuration" "append $config" "$registry/good:v1" "larger than"
lied "one bit of the configuration" "flip $config" "$registry/good:v1" "digest"
lied "one bit of the layer" "flip $layer" "$registry/good:v1" "digest"
lied "a layer longer than its size" "append $layer" "$registry/good:v1" "larger than"
lied "a layer shorter than its size" "cut $layer" "$registry/good:v1" "ends after"
lied "no layer at all" "empty $layer" "$registry/good:v1" "ends after 0"
lied "a connection that breaks, again and again" "break $layer" "$registry/good:v1" "ended after"
lied "a layer without end" "endless $layer" "$registry/good:v1" "larger than"
lied "a manifest without end" "endless manifests/v1" "$registry/good:v1" "larger than"
echo "$passed passed, $bad failed"
[ $bad = 0 ]
