#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Policy engines side by side: husk, and regorus and OPA where cargo and go can build them. The peers
# are built from their published packages into out/bench-rego; without a toolchain they are left out.
#
# usage: bench/rego/run.sh [BUILD-FOLDER]
#   HUSK_VECTORS=DIR  the policies and inputs (../shared/vectors)
#   MS=N              processor time of a round, of which there are five for each figure (100)
#   CASES=WORDS       only these cases
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${1:-${HUSK_BUILD:-$root/build}}
vectors=${HUSK_VECTORS:-$root/../shared/vectors}
out=$root/out/bench-rego
regorus_version=0.14.1
opa_version=v1.22.3

if [ ! -d "$vectors/rego" ]; then
	[ "${CI:-}" = true ] && exit 1
	echo "bench-rego: no test vectors at $vectors: skipped"
	exit 77
fi
[ -x "$build/bench/rego-bench-husk" ] || ninja -C "$build" bench/rego-bench-husk >/dev/null
mkdir -p "$out"
python3 "$here/make-cases.py" "$vectors" "$out/cases"

# A file of the peers' builds; left alone when it is the same, so that nothing is built again.
put() {
	cat >"$1.new"
	if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi
}

build_regorus() {
	mkdir -p "$out/regorus/src"
	put "$out/regorus/src/main.rs" <"$here/regorus.rs"
	put "$out/regorus/Cargo.toml" <<-EOF
		[package]
		name = "rego-bench-regorus"
		version = "0.0.0"
		edition = "2021"

		[workspace]

		[dependencies]
		regorus = "=$regorus_version"
		anyhow = "1"
		libc = "0.2"

		[profile.release]
		lto = true
		codegen-units = 1
	EOF
	(cd "$out/regorus" && nice cargo build --release -j1 >build.log 2>&1)
}

build_opa() {
	mkdir -p "$out/opa"
	put "$out/opa/main.go" <"$here/opa.go"
	if ! grep -qs "opa $opa_version\$" "$out/opa/go.mod"; then
		put "$out/opa/go.mod" <<-EOF
			module rego-bench-opa

			go 1.24

			require github.com/open-policy-agent/opa $opa_version
		EOF
		(cd "$out/opa" && nice go mod tidy >build.log 2>&1) || return 1
	fi
	(cd "$out/opa" && nice go build -p 1 -o opa-bench . >build.log 2>&1)
}

set -- "husk=$build/bench/rego-bench-husk"
if command -v cargo >/dev/null && build_regorus; then
	peer=$out/regorus/target/release/rego-bench-regorus
	set -- "$@" "regorus=$peer" "regorus-rvm=$peer rvm"
else
	echo "bench-rego: regorus is left out (cargo is missing, or see $out/regorus/build.log)"
fi
if command -v go >/dev/null && build_opa; then
	set -- "$@" "opa=$out/opa/opa-bench"
else
	echo "bench-rego: OPA is left out (go is missing, or see $out/opa/build.log)"
fi
if [ -n "${CASES:-}" ]; then
	for c in "$out"/cases/*; do
		case " $CASES " in *" ${c##*/} "*) ;; *) rm -r "$c" ;; esac
	done
fi
exec python3 "$here/compare.py" "$out/cases" "${MS:-100}" "$@"
