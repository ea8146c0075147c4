# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The world around a guest, for the demonstration and the tests: a registry, a key broker and a TPM
# of their own in one temporary folder, on free ports of loopback. Source it; then world_start.
#
# In:   HUSK_BUILD (default build), HUSK_OUT (default out), IMAGE (root file system, layout, archive)
# Out:  WORLD (the folder), husk, kbs_url, registry (as the host sees it), guest_registry (as the
#       guest sees it), and the functions below. Everything ends with the shell that sourced this.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HUSK_BUILD=$(cd "$root" && realpath "${HUSK_BUILD:-build}")
HUSK_OUT=$(cd "$root" && realpath "${HUSK_OUT:-out}")
husk=$HUSK_BUILD/src/cli/husk
# QEMU's user network shows the host's loopback to the guest under this address.
guest_host=10.0.2.2
WORLD= world_pids=() run_options=()

world_end() {
	local pid status
	for pid in "${world_pids[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	world_pids=()
	[ -n "$WORLD" ] || return 0
	world_clean
	status=$?
	rm -rf "$WORLD"
	WORLD=
	return $status
}

# world_clean: fails when a sanitizer said something, or when a sanitized guest did not look for leaks
world_clean() {
	local file status=0
	[ -n "${HUSK_SANITIZED:-}" ] || return 0
	sleep 1 # for the last words of consoles
	for file in "$WORLD"/*.log "$WORLD"/console.*; do
		[ -e "$file" ] || continue
		if grep -qE 'Sanitizer|runtime error:' "$file"; then
			echo "FAILED: a sanitizer said in ${file##*/}:"
		elif grep -qE 'husk-guest: (FATAL|container ended)' "$file" && ! grep -q 'husk-guest: no leaks' "$file"; then
			echo "FAILED: a guest did not look for leaks:"
		else
			continue
		fi
		cat "$file"
		status=1
	done
	return $status
}

world_need() {
	local tool file
	for tool in qemu-system-x86_64 swtpm docker-registry; do
		command -v "$tool" >/dev/null || { echo "$tool is not installed: run scripts/deps.sh"; return 1; }
	done
	for file in "$husk" "$HUSK_BUILD/src/trustee/kbs/husk-kbs" "$HUSK_BUILD/src/firmware/husk-fw.bin" \
		"$HUSK_OUT/kernel/vmlinuz" "$HUSK_OUT/guest/initrd.cpio"; do
		[ -e "$file" ] || { echo "$file does not exist: run 'make guest'"; return 1; }
	done
}

world_start() {
	WORLD=$(mktemp -d "${TMPDIR:-/tmp}/husk-world-XXXXXX")
	trap 'world_end || exit 1' EXIT
	trap 'exit 130' INT TERM
	mkdir "$WORLD/guest"
	ln -s "$HUSK_BUILD/src/firmware/husk-fw.bin" "$HUSK_OUT/kernel/vmlinuz" \
		"$HUSK_OUT/guest/initrd.cpio" "$WORLD/guest/"
	# A QEMU whose guest's console stays, with what sanitizers said in the guest
	[ -n "${HUSK_SANITIZED:-}" ] || return 0
	run_options=(--qemu "$WORLD/qemu")
	cat >"$WORLD/qemu" <<-END
	#!/bin/bash
	[[ " \$* " = *" -initrd "* ]] || exec qemu-system-x86_64 "\$@" # asked what it can do
	exec qemu-system-x86_64 "\$@" > >(exec tee "$WORLD/console.\$\$")
	END
	chmod +x "$WORLD/qemu"
}

# free_port: a port of loopback that nobody listens on
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}

# wait_port PORT PID LOG: until it listens; fails when the process ends first
wait_port() {
	local i
	for ((i = 0; i < 200; i++)); do
		(: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		kill -0 "$2" 2>/dev/null || break
		sleep 0.05
	done
	cat "$3" >&2
	return 1
}

# Debian's registry on loopback, plain HTTP: what comes from it is verified whatever the transport.
start_registry() {
	local port
	port=$(free_port)
	cat >"$WORLD/registry.yml" <<-END
	version: 0.1
	log: {level: error, accesslog: {disabled: true}}
	storage: {filesystem: {rootdirectory: $WORLD/registry}}
	http: {addr: "127.0.0.1:$port"}
	END
	setpriv --pdeathsig KILL docker-registry serve "$WORLD/registry.yml" >"$WORLD/registry.log" 2>&1 &
	world_pids+=($!)
	registry=127.0.0.1:$port guest_registry=$guest_host:$port
	wait_port "$port" $! "$WORLD/registry.log"
}

# husk-kbs with TLS, a store and an admin of its own
start_kbs() {
	kbs_port=$(free_port)
	"$HUSK_BUILD/src/trustee/kbs/husk-kbs" init "$WORLD/kbs" --listen "127.0.0.1:$kbs_port" \
		--host "$guest_host" >/dev/null || return
	setpriv --pdeathsig KILL "$HUSK_BUILD/src/trustee/kbs/husk-kbs" -c "$WORLD/kbs/husk-kbs.toml" \
		>"$WORLD/kbs.log" 2>&1 &
	kbs_pid=$!
	world_pids+=("$kbs_pid")
	kbs_url=https://127.0.0.1:$kbs_port
	export HUSK_KBS_URL=$kbs_url HUSK_KBS_CERT=$WORLD/kbs/tls.crt \
		HUSK_KBS_ADMIN_TOKEN_FILE=$WORLD/kbs/admin-token
	wait_port "$kbs_port" "$kbs_pid" "$WORLD/kbs.log"
}

# make_rootfs DIR: Debian's static busybox as a root file system
make_rootfs() {
	local applet
	mkdir -p "$1"/{bin,etc,proc,sys,dev,tmp,root} || return
	cp /bin/busybox "$1/bin/busybox" || return
	for applet in $("$1/bin/busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'A secret that only an attested guest can read.' >"$1/etc/secret"
}

# make_keys: one pair that signs images, one of a stranger, one key that encrypts
make_keys() {
	"$husk" key generate "$WORLD/sign.key" --public "$WORLD/sign.pub" -q &&
		"$husk" key generate "$WORLD/stranger.key" --public "$WORLD/stranger.pub" -q &&
		"$husk" key generate --type kek "$WORLD/image.key" -q
}

# publish LAYOUT:NAME TAG KEY: push and sign as the guest will name it
publish() {
	"$husk" image push "$1" "$registry/$2" --insecure-registry "$registry" -q >/dev/null &&
		"$husk" image sign "$registry/$2" --key "$3" --identity "$guest_registry/${2%%:*}" \
			--insecure-registry "$registry" -q >/dev/null
}

# register_secrets: keys, the signature policy, and who may have them
register_secrets() {
	cat >"$WORLD/signatures.json" <<-END
	{"default": [{"type": "reject"}],
	 "transports": {"docker": {"$guest_registry": [
	   {"type": "sigstoreSigned", "keyPath": "kbs:///default/cosign-public-key/demo"}]}}}
	END
	"$husk" kbs resource set default/image-key/demo --file "$WORLD/image.key" -q &&
		"$husk" kbs resource set default/cosign-public-key/demo --file "$WORLD/sign.pub" -q &&
		"$husk" kbs resource set default/security-policy/demo --file "$WORLD/signatures.json" -q &&
		"$husk" kbs policy set default_cpu --file "$root/src/trustee/as/policies/default_cpu.rego" -q &&
		"$husk" kbs policy set resource-policy --file "$root/deploy/policies/resource-vtpm.rego" -q
}

# make_initdata FILE [AGENT_POLICY]: the owner's configuration of the guest
make_initdata() {
	"$husk" initdata create "$1" --kbs-url "https://$guest_host:$kbs_port" \
		--kbs-cert "$WORLD/kbs/tls.crt" --policy "${2:-$root/deploy/demo/agent-policy.rego}" \
		--image-policy-uri kbs:///default/security-policy/demo \
		--insecure-registry "$guest_registry" -q
}

# register_guest: the guest that may have the secrets
register_guest() {
	local ak
	ak=$("$husk" tpm create "$WORLD/tpm") &&
		"$husk" measure --guest "$WORLD/guest" --initdata "$WORLD/initdata.toml" --trusted-ak "$ak" \
			--register -q
}

# run_with INITDATA [OPTION...] IMAGE [-- COMMAND...]; HUSK_SLOT may hold a command to run it under
run_with() {
	timeout 300 ${HUSK_SLOT:-} "$husk" run "${run_options[@]}" --guest "$WORLD/guest" --tpm-state "$WORLD/tpm" --initdata "$@"
}
# run [OPTION...] IMAGE [-- COMMAND...]: the guest as registered, unless the options say otherwise
run() { run_with "$WORLD/initdata.toml" "$@"; }

# layer_file REPOSITORY:TAG: the registry's file with the first layer of an image
layer_file() {
	local digest
	digest=$("$husk" image inspect "$registry/$1" --insecure-registry "$registry" --json |
		python3 -c 'import json,sys; print(json.load(sys.stdin)["layers"][0]["digest"])') || return
	digest=${digest#sha256:}
	echo "$WORLD/registry/docker/registry/v2/blobs/sha256/${digest:0:2}/$digest/data"
}
