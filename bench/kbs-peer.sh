#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same load on husk's key broker and on another one beside it, Trustee's `kbs` with its built-in
# attestation service: handshakes with a resource over TLS, sample evidence, on loopback. Both get
# their turn in each round; medians and ratios are printed. It builds nothing.
# usage: KBS_PEER=PATH bench/kbs-peer.sh [ROUNDS]      (3; HUSK_BUILD: the build folder; SECONDS_EACH: 5;
#        CLIENTS: "1 64 1000"). docs/compatibility.md says how Trustee's `kbs` is built.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${HUSK_BUILD:-build} rounds=${1:-3} seconds=${SECONDS_EACH:-5} clients=${CLIENTS:-1 64 1000}
if [ -z "${KBS_PEER:-}" ]; then
	echo "kbs-peer: KBS_PEER does not name Trustee's kbs: skipped"
	exit 77
fi
peer=$(realpath "$KBS_PEER") load=$build/bench/rcar-load kbs=$build/src/trustee/kbs/husk-kbs
for program in "$peer" "$load" "$kbs"; do
	[ -x "$program" ] || { echo "kbs-peer: $program is no program"; exit 1; }
done
ulimit -n "$(ulimit -Hn)" # both need a descriptor for each client
dir=$(mktemp -d)
peer_pid=
stop_peer() { [ -n "$peer_pid" ] && kill "$peer_pid" 2>/dev/null && wait "$peer_pid"; peer_pid=; }
trap 'stop_peer; rm -rf "$dir"' EXIT

# One certificate for both; the peer keeps everything in memory, husk in SQLite as always.
"$kbs" init "$dir/kbs" --listen 127.0.0.1:0 >/dev/null || exit 1
peer_config() {
	cat <<-EOF
	[http_server]
	sockets = ["127.0.0.1:$1"]
	certificate = "$dir/kbs/tls.crt"
	private_key = "$dir/kbs/tls.key"

	[admin]
	authorization_mode = "AuthenticatedAuthorization"

	[[admin.authentication.bearer_jwt.identity_providers]]
	issuer = "husk-kbs-init"
	audience = "husk-kbs-init"
	public_key_uri = "file://$dir/kbs/admin.pub"

	[[admin.authorization.regex_acl.acls]]
	role = "admin"
	allowed_endpoints = "^/kbs/v0/.*$"

	[attestation_token]
	insecure_header_jwk = true

	[attestation_service]
	type = "coco_as_builtin"

	[attestation_service.attestation_token_broker]
	duration_min = 5

	[attestation_service.rvps_config]
	type = "BuiltIn"

	[storage_backend]
	storage_type = "${PEER_STORAGE:-Memory}"

	[[plugins]]
	name = "resource"
	storage_backend_type = "kvstorage"
	EOF
}
start_peer() {
	local try
	for try in 1 2 3; do
		port=$((20000 + RANDOM % 20000))
		peer_config $port >"$dir/peer.toml"
		# A group of its own, whose processor time and memory are counted.
		set -m
		RUST_LOG=warn RUST_BACKTRACE=0 "$peer" -c "$dir/peer.toml" >"$dir/peer.log" 2>&1 &
		peer_pid=$!
		set +m
		for _ in $(seq 100); do
			kill -0 "$peer_pid" 2>/dev/null || break
			if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
			sleep 0.1
		done
	done
	cat "$dir/peer.log"
	echo "kbs-peer: $peer does not start ($try times tried)"
	exit 1
}
for _ in $(seq "$rounds"); do
	for count in $clients; do
		for fresh in "" --fresh; do
			common=(--clients "$count" --seconds "$seconds" --json $fresh)
			"$load" "$kbs" "${common[@]}" >>"$dir/husk" ||
				{ echo "kbs-peer: husk fails with $count clients"; exit 1; }
			start_peer # anew, as husk: memory once taken stays
			# What fails at the peer is a line of the table, not the end.
			"$load" --url "https://127.0.0.1:$port" --ca "$dir/kbs/tls.crt" --group "$peer_pid" \
				--admin-token "$dir/kbs/admin-token" "${common[@]}" >"$dir/one" || [ -s "$dir/one" ] ||
				{ tail -5 "$dir/peer.log"; echo "kbs-peer: the peer fails with $count clients"; exit 1; }
			cat "$dir/one" >>"$dir/peer"
			stop_peer
		done
	done
done
python3 - "$dir/husk" "$dir/peer" <<'END_OF_TABLE'
import json
import statistics
import sys


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def median(results, key, name):
    return statistics.median(r[name] for r in results if (r["clients"], r["fresh"]) == key)


husk, peer = load(sys.argv[1]), load(sys.argv[2])
keys = sorted({(r["clients"], r["fresh"]) for r in husk})
print("%d rounds, medians" % (len(husk) // len(keys)))
for key in keys:
    print("\n%-36s %10s %10s %14s" % ("%d clients, %s" % (
        key[0], "a connection for each" if key[1] else "kept alive"), "husk", "peer", "husk to peer"))
    for name, what in (("rounds_per_s", "handshakes with a resource/s"),
                       ("round_p50_ms", "p50, ms"), ("round_p99_ms", "p99, ms"),
                       ("kbs_cpu_us_per_round", "broker's processors, us each"),
                       ("kbs_pss_kib", "broker's memory, KiB (PSS)"),
                       ("failed", "failed handshakes")):
        ours, theirs = median(husk, key, name), median(peer, key, name)
        ratio = "%.2f" % (ours / theirs) if theirs else "-"
        print("%-36s %10g %10g %14s" % (what, ours, theirs, ratio))
END_OF_TABLE
