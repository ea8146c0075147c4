#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Arrows only go down the table of docs/architecture.md: fail on an #include that goes up or over
# to another wing. usage: scripts/check-layering.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"

# Folder of src/: folders whose headers it may include, besides its own.
rules='
lib/base:
lib/fmt: base
lib/crypto: base fmt
lib/rego: base
lib/regoext: base crypto rego
lib/net: base fmt crypto
lib/cloud: base fmt crypto net
lib/oci: base fmt crypto net
lib/evidence: base fmt crypto
lib/collateral: base fmt crypto net evidence
trustee: base fmt crypto rego regoext net cloud oci evidence collateral
guest: base fmt crypto rego net oci evidence
host: base fmt crypto rego net oci evidence
firmware:
cli: base fmt crypto rego regoext net oci evidence collateral host/vmm
'
bad=0
find src -name '*.[ch]' | sort >"${TMPDIR:-/tmp}/layering.$$"
trap 'rm -f "${TMPDIR:-/tmp}/layering.$$"' EXIT
while read -r file; do
	path=${file#src/}
	rule=$(printf '%s\n' "$rules" | awk -F: -v p="$path" \
		'$1 != "" && index(p, $1 "/") == 1 { print $1 ":" $2 }')
	if [ -z "$rule" ]; then
		echo "$file: its folder has no row in scripts/check-layering.sh"
		bad=1
		continue
	fi
	own=${rule%%:*}
	may=${rule#*:}
	for header in $(sed -n 's/^#[ \t]*include "\([^"]*\)".*/\1/p' "$file"); do
		case $header in
		*/*) folder=${header%/*} ;;
		*)
			# A bare name is a header beside the file, or one that the build generates.
			continue
			;;
		esac
		ok=no
		case $folder/ in "${own#lib/}"/*) ok=yes ;; esac
		for m in $may; do
			case $folder/ in "$m"/*) ok=yes ;; esac
		done
		if [ $ok = no ]; then
			echo "$file: includes \"$header\", which $own may not use"
			bad=1
		fi
	done
	# crypto/ alone talks to OpenSSL's crypto; net/ also to its TLS. regoext/ shows certificates to
	# policies with members that nobody else needs.
	case $own in
	lib/crypto | lib/net | lib/regoext) ;;
	*)
		if grep -n '^#[ \t]*include <openssl/' "$file"; then
			echo "$file: only lib/crypto, lib/net and lib/regoext include OpenSSL"
			bad=1
		fi
		;;
	esac
done <"${TMPDIR:-/tmp}/layering.$$"
[ $bad = 0 ] && echo "layering: clean"
exit $bad
