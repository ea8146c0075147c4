#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What husk costs, in one run: time to container start beside the boot floor, size of the guest,
# memory of its daemons and of the key broker, RCAR handshakes a second. Numbers are printed with the
# limit they are held to; the exit code is not 0 only when something could not be measured.
# usage: bench/run.sh [ROUNDS]        (5; HUSK_BUILD, HUSK_OUT as in scripts/world.sh)
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/world.sh
rounds=${1:-5}
world_need || exit 1
die() { echo "bench: $*" >&2; exit 1; }
world_start
prepare() {
	start_registry && make_keys && make_rootfs "$WORLD/rootfs" &&
		"$husk" image build "$WORLD/rootfs" "$WORLD/plain:demo" -q &&
		"$husk" image encrypt "$WORLD/plain:demo" "$WORLD/encrypted:demo" --key "$WORLD/image.key" \
			--keyid kbs:///default/image-key/demo -q &&
		publish "$WORLD/encrypted:demo" demo:latest "$WORLD/sign.key" &&
		start_kbs && register_secrets && make_initdata "$WORLD/initdata.toml" && register_guest
}
prepare >"$WORLD/log" 2>&1 || { cat "$WORLD/log"; die "cannot prepare"; }

# The floor is of the machine that husk run makes by itself.
cpus=$(($(nproc) < 2 ? 1 : 2))
memory=512 numbers=$WORLD/numbers
cmdline=$(sed -n '/define VMM_CMDLINE/,/[^\\]$/p' src/host/vmm/vmm.h | grep -o '"[^"]*"' | tr -d '"\n')
cpu_tcg=$(sed -n 's/^#define VMM_CPU_TCG "\(.*\)"$/\1/p' src/host/vmm/vmm.h)
HUSK_CMDLINE=$cmdline HUSK_CPU_TCG=$cpu_tcg HUSK_MEMORY=$memory HUSK_CPUS=$cpus bench/start.py "$WORLD/guest/vmlinuz" "$WORLD/guest/husk-fw.bin" \
	"$HUSK_BUILD/bench/bare-init" "$rounds" -- "$husk" run --verbose --json --guest "$WORLD/guest" \
	--tpm-state "$WORLD/tpm" --initdata "$WORLD/initdata.toml" --memory ${memory}M \
	"$guest_registry/demo:latest" -- /bin/true >"$numbers" || die "cannot measure the start"
get() { sed -n "s/^$1 //p" "$numbers"; }

# verdict VALUE LIMIT: whether it is within the limit
verdict() { awk -v v="$1" -v l="$2" 'BEGIN { print (v + 0 <= l + 0) ? "within" : "OVER" }'; }
# pss PID...: sum of proportional set sizes in KiB
pss() { awk '/^Pss:/ { s += $2 } END { print s + 0 }' $(printf '/proc/%s/smaps_rollup ' "$@"); }

echo "== Time to container start ($(get accel), $rounds rounds, medians)"
printf '%-44s %6d ms\n' "boot floor: QEMU to a bare init" "$(get floor_ms)" \
	"the same with husk-fw and a vTPM" "$(get measured_floor_ms)"
sed -n 's/^phase //p' "$numbers" | while read -r ms name; do printf '  %-42s %6d ms\n' "$name" "$ms"; done
printf '%-44s %6d ms\n' "husk run: QEMU to container start" "$(get start_ms)"
printf '%-44s %6.2f x  %s 1.6\n' "container start to boot floor" "$(get start_ratio)" \
	"$(verdict "$(get start_ratio)" 1.6)"

sed -n "s/^raw /  rounds: /p" "$numbers"
echo "== Size and memory"
kernel=$(stat -Lc %s "$WORLD/guest/vmlinuz") initrd=$(stat -Lc %s "$WORLD/guest/initrd.cpio")
mib() { awk -v v="$1" 'BEGIN { printf "%.1f", v / 1048576 }'; }
total=$((kernel + initrd))
printf '%-44s %6s MiB  %s 24 (kernel %s, initrd %s)\n' "guest: kernel and initrd" "$(mib $total)" \
	"$(verdict $total $((24 << 20)))" "$(mib "$kernel")" "$(mib "$initrd")"
kib=$(get guest_pss_kib)
printf '%-44s %6s MiB  %s 16\n' "guest daemons (PSS)" "$(mib $((kib << 10)))" "$(verdict "$kib" $((16 << 10)))"
family=$(ps -o pid= --ppid "$kbs_pid")
# shellcheck disable=SC2086
set -- $kbs_pid $family
kib=$(pss "$@")
[ "$kib" -gt 0 ] || die "cannot read the memory of the key broker"
printf '%-44s %6s MiB  %s 32\n' "key broker, $# processes (PSS)" "$(mib $((kib << 10)))" \
	"$(verdict "$kib" $((32 << 10)))"

echo "== RCAR handshakes (sample evidence, TLS, loopback)"
load() { "$HUSK_BUILD/bench/rcar-load" "$HUSK_BUILD/src/trustee/kbs/husk-kbs" --clients 4 --seconds 5 "$@"; }
load || die "cannot measure handshakes"
load --fresh || die "cannot measure handshakes"
