#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# husk collateral: refreshes a folder from a vendor (on loopback), watches dates, carries bundles.
# usage: collateral.sh HUSK
set -u
husk=$(realpath "$1")
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
passed=0 failed=0

# expect CODE TEXT COMMAND...: exit code, and text among what it prints
expect() {
	local code=$1 text=$2 got
	shift 2
	"$@" >out 2>&1
	got=$?
	if [ "$got" = "$code" ] && grep -q -- "$text" out; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL: $*: exit $got, expected $code and \"$text\""
		cat out
	fi
}
# crl DAYS FILE: a revocation list of a made-up authority
crl() {
	openssl ca -config ca.cnf -gencrl -crldays "$1" -out list.pem 2>/dev/null &&
		openssl crl -in list.pem -outform DER -out "$2"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
	-subj /CN=authority -days 100 2>/dev/null
: >index.txt
echo 01 >number
cat >ca.cnf <<'END'
[ca]
default_ca = ca_default
[ca_default]
database = index.txt
certificate = ca.pem
private_key = ca.key
crlnumber = number
default_md = sha256
END
mkdir -p store/amd/milan/vcek www/vcek/v1/Milan
crl 2 store/amd/milan/vcek/crl.der || { echo "openssl made no revocation list"; exit 1; }
crl 30 www/vcek/v1/Milan/crl
setpriv --pdeathsig KILL python3 -u -c '
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="www")
server = http.server.HTTPServer(("127.0.0.1", 0), handler)
print(server.server_port, flush=True)
server.serve_forever()' >port 2>requests &
server=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
url=http://127.0.0.1:$(cat port)

expect 0 "holds nothing" "$husk" collateral list nowhere
expect 3 "expires soon *revocation list .*amd/milan/vcek/crl" "$husk" collateral expiry store
expect 0 "good *revocation list" "$husk" collateral expiry store --within 1d
expect 2 "--within takes" "$husk" collateral expiry store --within soon
expect 0 "1 items fetched, 0 failed" "$husk" collateral fetch store --kds-url "$url"
expect 0 "0 items fetched" "$husk" collateral fetch store --kds-url "$url"
expect 0 "good" "$husk" collateral expiry store
expect 0 '"state": "good"' "$husk" collateral list store --json
expect 1 "expired already\|older\|does not have it" "$husk" collateral fetch store --within 60d --kds-url "$url/absent"

"$husk" key generate signer.key --public signer.pub -q && "$husk" key generate other.key --public other.pub -q
expect 0 "1 items" "$husk" collateral export store bundle.json --key signer.key
expect 0 "1 items added" "$husk" collateral import bundle.json site --key other.pub --key signer.pub
expect 0 "good" "$husk" collateral expiry site
cmp -s store/amd/milan/vcek/crl.der site/amd/milan/vcek/crl.der || { echo "FAIL: the item changed"; failed=$((failed + 1)); }
expect 0 "1 the same" "$husk" collateral import bundle.json site --key signer.pub
expect 3 "none of the trusted keys" "$husk" collateral import bundle.json other --key other.pub
python3 -c '
import json
b = json.load(open("bundle.json"))
b["items"]["amd/genoa/vcek/crl"] = b["items"]["amd/milan/vcek/crl"]
json.dump(b, open("more.json", "w"))'
expect 3 "other items than those that were signed" "$husk" collateral import more.json other --key signer.pub
head -c 300 bundle.json >cut.json
expect 1 "cut.json" "$husk" collateral import cut.json other --key signer.pub
[ ! -e other ] || { echo "FAIL: a refused bundle left something"; failed=$((failed + 1)); }
# An older bundle does not take back what is newer.
sleep 1.1
crl 30 www/vcek/v1/Milan/crl
expect 0 "1 items fetched" "$husk" collateral fetch site --within 40d --kds-url "$url"
expect 0 "1 kept because they are newer" "$husk" collateral import bundle.json site --key signer.pub
echo "collateral: $passed passed, $failed failed"
[ $failed = 0 ]
