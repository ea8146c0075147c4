#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images of others in pod VMs: Debian itself (over 100 MB), and what skopeo encrypted with husk's key
# provider. Everything is real: registry, key broker, TPM, QEMU, guest.
# usage: images.sh      (HUSK_BUILD, HUSK_OUT: see scripts/world.sh; HUSK_SKOPEO: a skopeo with key
# providers, see tests/integration/oci/registry.sh)
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../scripts/world.sh"
skip() { echo "skip: $*"; [ "${CI:-}" = true ] && exit 1; exit 77; }
why=$(world_need) || skip "$why"
command -v debootstrap >/dev/null || skip "no debootstrap (apt install debootstrap)"
debian=$HUSK_OUT/debian-rootfs golden=$here/../integration/oci/golden
why=$("$here/make-debian-image.sh" "$debian" 2>&1) || skip "no Debian root file system: $why"
world_start
die() { echo "cannot prepare: $*"; exit 1; }
start_registry || die registry
make_keys || die keys
start_kbs || die "key broker"
register_secrets || die secrets
"$husk" kbs resource set default/image-key/golden --file "$golden/kek" -q || die "golden key"
make_initdata "$WORLD/initdata.toml" || die initdata
register_guest || die measure

passed=0 failed=0
# shows NAME FILE RUN-ARGUMENT...: the container must end with 0 and write exactly FILE
shows() {
	local name=$1 want=$2 start=$EPOCHREALTIME took
	shift 2
	if run "$@" >"$WORLD/out" 2>"$WORLD/err" && cmp -s "$want" "$WORLD/out"; then
		took=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
		printf 'ok: %s (%d.%02d s)\n' "$name" $((took / 1000)) $((took % 1000 / 10))
		passed=$((passed + 1))
	else
		echo "FAILED: $name"
		sed 's/^/  err| /' "$WORLD/err"
		head -n 5 "$WORLD/out" | sed 's/^/  out| /'
		failed=$((failed + 1))
	fi
}

for kind in gzip zstd; do
	"$husk" image build "$debian" "$WORLD/debian-$kind:v1" --compression $kind -q >/dev/null &&
		"$husk" image encrypt "$WORLD/debian-$kind:v1" "$WORLD/enc-$kind:v1" --key "$WORLD/image.key" \
			--keyid kbs:///default/image-key/demo -q >/dev/null &&
		publish "$WORLD/enc-$kind:v1" "debian-$kind:v1" "$WORLD/sign.key" || die "Debian $kind"
	# 1 GiB: nothing but the unpacked files (half of it at most) may grow with the image.
	shows "Debian, $kind" "$debian/etc/os-release" --memory 1G "$guest_registry/debian-$kind:v1" -- \
		/bin/cat /etc/os-release
done

# What a container wrote last is still on its way when it ends; who reads slowly gets it all the same.
slowly='import sys, time
total = 0
while part := sys.stdin.buffer.read1(65536):
    total += len(part)
    time.sleep(0.02)
print(total)'
got=$(run --memory 1G "$guest_registry/debian-gzip:v1" -- /bin/dd if=/dev/zero bs=1M count=24 status=none \
	2>"$WORLD/err" | python3 -c "$slowly"; echo "exit ${PIPESTATUS[0]}")
if [ "$got" = "25165824"$'\n'"exit 0" ]; then
	echo "ok: 24 MiB to a slow reader"
	passed=$((passed + 1))
else
	echo "FAILED: 24 MiB to a slow reader:" $got
	sed 's/^/  err| /' "$WORLD/err"
	failed=$((failed + 1))
fi

echo "encrypted by skopeo" >"$WORLD/motd"
for kind in gzip zstd; do
	publish "$golden/skopeo-$kind.tar" "golden-$kind:v1" "$WORLD/sign.key" || die "golden $kind"
	shows "encrypted by skopeo, $kind" "$WORLD/motd" "$guest_registry/golden-$kind:v1"
done

# The same live, where there is such a skopeo: straight from the plain layout into the registry.
export OCICRYPT_KEYPROVIDER_CONFIG=$WORLD/ocicrypt.json
echo "{\"key-providers\":{\"attestation-agent\":{\"cmd\":{\"path\":\"$husk\",\"args\":[\"key\",\"provider\"]}}}}" >"$WORLD/ocicrypt.json"
if ! "${HUSK_SKOPEO:-skopeo}" copy -q --insecure-policy --dest-tls-verify=false \
	--encryption-key "provider:attestation-agent:keypath=$WORLD/image.key::keyid=kbs:///default/image-key/demo" \
	"oci:$WORLD/debian-gzip:v1" "docker://$registry/live:v1" >"$WORLD/out" 2>&1; then
	echo "SKIP: live: $(tail -n 1 "$WORLD/out")"
else
	"$husk" image sign "$registry/live:v1" --key "$WORLD/sign.key" --identity "$guest_registry/live" \
		--insecure-registry "$registry" -q >/dev/null || die "sign"
	shows "Debian, encrypted by skopeo now" "$debian/etc/os-release" --memory 1G "$guest_registry/live:v1" -- \
		/bin/cat /etc/os-release
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
