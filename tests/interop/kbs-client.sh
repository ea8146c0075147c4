#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trustee's own kbs-client, every command of it, against a live husk-kbs over TLS.
# usage: KBS_CLIENT=PATH [TRUSTEE_ATTESTER=PATH] kbs-client.sh HUSK-KBS HUSK
#
# KBS_CLIENT is the program of Trustee's tools/kbs-client, TRUSTEE_ATTESTER that of guest-components'
# kbs_protocol; docs/compatibility.md says which commits were tried. Without them it is skipped.
set -u
[ $# = 2 ] || { echo "usage: KBS_CLIENT=PATH $0 HUSK-KBS HUSK"; exit 2; }
kbs=$(realpath "$1") husk=$(realpath "$2")
skip() { echo "SKIP: $*"; exit 77; }
[ -n "${KBS_CLIENT:-}" ] || skip "KBS_CLIENT does not name Trustee's kbs-client"
kbs_client=$(realpath "$KBS_CLIENT")
[ -x "$kbs_client" ] || { echo "FAIL: KBS_CLIENT=$KBS_CLIENT is no program"; exit 1; }

dir=$(mktemp -d)
broker_pid=
stop() { [ -n "$broker_pid" ] && kill "$broker_pid" 2>/dev/null && wait "$broker_pid"; broker_pid=; }
trap 'stop; rm -rf "$dir"' EXIT
passed=0 bad=0
ok() { passed=$((passed + 1)); echo "ok: $*"; }
fail() { echo "FAIL: $*"; bad=$((bad + 1)); }
# It looks for an administrator's token in its working folder and below HOME: neither is ours.
mkdir "$dir/home"
cd "$dir" || exit 1
export HOME=$dir/home RUST_LOG=warn
unset RUST_BACKTRACE RUST_LIB_BACKTRACE HTTPS_PROXY HTTP_PROXY ALL_PROXY https_proxy http_proxy all_proxy
client() { "$kbs_client" --url "$url" --cert-file "$dir/kbs/tls.crt" "$@"; }
config() { client config --admin-token-file "$dir/kbs/admin-token" "$@"; }
# gives NAME WANTED COMMAND... : must succeed and print just that; "" is anything
gives() {
	local name=$1 want=$2; shift 2
	if ! "$@" >"$dir/out" 2>"$dir/err"; then
		fail "$name: $(tail -c 1500 "$dir/err")"
	elif [ -n "$want" ] && [ "$(cat "$dir/out")" != "$want" ]; then
		fail "$name: '$(cat "$dir/out")' is not '$want'"
	else
		ok "$name"
	fi
}
# refused NAME WORDS COMMAND... : must fail and say so with these words (a regular expression)
refused() {
	local name=$1 words=$2; shift 2
	if "$@" >"$dir/out" 2>"$dir/err"; then
		fail "$name: it succeeded: $(cat "$dir/out")"
	elif ! cat "$dir/out" "$dir/err" | grep -Eq "$words"; then
		fail "$name: '$words' is not in: $(cat "$dir/out" "$dir/err" | tail -c 1500)"
	else
		ok "$name"
	fi
}

# start_broker SCHEME
start_broker() {
	rm -rf kbs
	"$kbs" init kbs --listen 127.0.0.1:0 >/dev/null || exit 1
	sed -i 's/^\[attestation_service\]$/&\ninsecure_accept_sample = true/' kbs/husk-kbs.toml
	[ "$1" = https ] || sed -i 's/^\[http_server\]$/&\ninsecure_http = true/; /^certificate =/d; /^private_key =/d' \
		kbs/husk-kbs.toml
	"$kbs" -c kbs/husk-kbs.toml >log 2>&1 &
	broker_pid=$!
	local port=
	for _ in $(seq 300); do
		port=$(sed -n 's/.*kbs\.listen .*port=\([0-9]*\).*/\1/p' log | tail -1)
		[ -z "$port" ] || break
		kill -0 "$broker_pid" 2>/dev/null || break
		sleep 0.1
	done
	[ -n "$port" ] || { cat log; fail "the broker does not start"; exit 1; }
	url=$1://127.0.0.1:$port
}
start_broker https
printf 'the secret of the owner\n' >secret
secret=$(base64 -w0 secret)
path=my_repo/resource_type/123abc
get=(client get-resource --path $path)

# Who may change anything
refused "no token" AdminAuthAccess client config set-resource --path $path --resource-file secret
printf 'eyJhbGciOiJFZERTQSJ9.e30.AAAA' >forged
refused "forged token" AdminAuthAccess client config --admin-token-file forged set-resource --path $path \
	--resource-file secret
refused "unknown certificate" "certificate" "$kbs_client" --url "$url" config --admin-token-file kbs/admin-token \
	set-resource --path $path --resource-file secret
mkdir home/.trustee && cp kbs/admin-token home/.trustee/
gives "token below HOME" "" client config set-resource --path $path --resource-file secret
rm -r home/.trustee

# Resources and who reads them
gives "set-resource" "Set resource success 
 resource: $secret" config set-resource --path $path --resource-file secret
refused "set-resource, bad path" "InvalidRequestPath|PluginInternalError" config set-resource --path a/../b \
	--resource-file secret
refused "default policy" "Access denied by policy" "${get[@]}"
gives "set-resource-policy --deny-all" "" config set-resource-policy --deny-all
refused "denied to all" "Access denied by policy" "${get[@]}"
gives "set-resource-policy --allow-all" "" config set-resource-policy --allow-all
gives "get-resource" "$secret" "${get[@]}"
head -c 1500000 /dev/urandom >large
gives "set-resource, 1.5 MB" "" config set-resource --path my_repo/resource_type/large --resource-file large
gives "get-resource, 1.5 MB" "$(base64 -w0 large)" client get-resource --path my_repo/resource_type/large
head -c 3000000 /dev/urandom >larger
refused "set-resource, 3 MB" "413|Too Large" config set-resource --path my_repo/resource_type/large \
	--resource-file larger
: >empty
gives "set-resource, empty" "" config set-resource --path a/b/empty --resource-file empty
gives "get-resource, empty" "" client get-resource --path a/b/empty
refused "no such resource" PluginInternalError client get-resource --path a/b/none
printf 'package policy\nallow if if\n' >broken.rego
refused "policy that does not compile" "broken|PolicyEngine|policy" config set-resource-policy \
	--policy-file broken.rego
gives "the old one goes on" "$secret" "${get[@]}"
printf 'package policy\nimport rego.v1\ndefault allow := false\nallow if data["resource-path"][0] == "my_repo"\n' \
	>mine.rego
gives "set-resource-policy --policy-file" "" config set-resource-policy --policy-file mine.rego
gives "allowed by it" "$secret" "${get[@]}"
refused "refused by it" "Access denied by policy" client get-resource --path a/b/empty
gives "set-resource-policy --default" "" config set-resource-policy --default
refused "refused by the default" "Access denied by policy" "${get[@]}"

# Keys of the guest's own: RSA as PKCS#1, elliptic curves as PKCS#8; tokens for them
config set-resource-policy --allow-all >/dev/null 2>&1
openssl genrsa -traditional -out rsa.pem 2048 2>/dev/null
for curve in P-256 P-521; do
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out $curve.pem 2>/dev/null
done
for key in rsa P-256 P-521; do
	gives "get-resource, $key key" "$secret" "${get[@]}" --tee-key-file $key.pem
	gives "attest, $key key" "" client attest --tee-key-file $key.pem
	cp out $key.token
	gives "get-resource, token for the $key key" "$secret" "${get[@]}" --tee-key-file $key.pem \
		--attestation-token $key.token
done
refused "token for another key" "ecrypt" "${get[@]}" --tee-key-file P-256.pem --attestation-token P-521.token
sed 's/.$/A/;s/\.[^.]*$/.AAAA/' P-256.token >bad.token
refused "altered token" "TokenVerifier|Token" "${get[@]}" --tee-key-file P-256.pem --attestation-token bad.token
gives "husk reads with its token" "$secret" env HUSK_KBS_URL="$url" HUSK_KBS_CERT=kbs/tls.crt "$husk" kbs get \
	$path --attestation-token P-256.token --tee-key-file P-256.pem
cat >initdata.toml <<'TOML'
version = "0.1.0"
algorithm = "sha256"

[data]
"cdh.toml" = '''
[image]
extra_root_certificates = ["one", "two"]
'''
"policy.rego" = '''
package agent_policy

default CreateContainerRequest := false

policy_data := {"containers": [{"OCI": {"Process": {"Args": ["/pause"], "User": {"UID": 65535}}, "Annotations":
  {"io.kubernetes.cri.image-name": "registry.example/app:1", "io.kubernetes.cri.container-type": "container"}}}]}
'''
TOML
initdata=$(cat initdata.toml)
gives "attest" "" client attest
gives "attest with initdata" "" client attest "$initdata"
claims=$(cut -d. -f2 out | tr -- '-_' '+/' | base64 -d 2>/dev/null)
case $claims in
*'"container_images":["registry.example/app:1"]'*) ok "what runs is told in the token" ;;
*) fail "no image in $claims" ;;
esac

# Appraisal: its affirming policy, an attestation policy, reference values of each form
cat >cpu.rego <<'REGO'
package policy
import rego.v1
default executables := 33
default hardware := 97
default configuration := 36
trust_claims := {"executables": executables, "hardware": hardware, "configuration": configuration}
executables := 3 if input.sample.svn in query_reference_value("client_svn")
hardware := 2 if query_reference_value("client_number") == 7
configuration := 2 if query_reference_value("client_flag") == true
REGO
gives "set-attestation-policy" "" config set-attestation-policy --policy-file cpu.rego
gives "set-attestation-policy --type --id" "" config set-attestation-policy --type rego --id other_cpu \
	--policy-file cpu.rego
refused "attestation policy that does not compile" "olicy" config set-attestation-policy \
	--policy-file broken.rego
gives "set-resource-policy --affirming" "" config set-resource-policy --affirming
refused "not affirmed yet" "Access denied by policy" "${get[@]}"
gives "set-sample-reference-value" "Reference Values Updated" config set-sample-reference-value client_svn 1
gives "... --as-integer --as-single-value" "Reference Values Updated" config set-sample-reference-value \
	client_number 7 --as-integer --as-single-value
gives "... --as-bool --as-single-value" "Reference Values Updated" config set-sample-reference-value \
	client_flag true --as-bool --as-single-value
gives "get-reference-value" '"[\"1\"]"' config get-reference-value --id client_svn
gives "get-reference-value, number" '"7"' config get-reference-value --id client_number
gives "get-reference-value, bool" '"true"' config get-reference-value --id client_flag
refused "get-reference-value without a token" AdminAuthAccess client config get-reference-value --id client_svn
gives "affirmed" "$secret" "${get[@]}"
config set-sample-reference-value client_svn 2 >/dev/null 2>&1
refused "no longer affirmed" "Access denied by policy" "${get[@]}"
config set-resource-policy --allow-all >/dev/null 2>&1

# A device beside the CPU, appraised by a policy of its own
cat >device.rego <<'REGO'
package policy
import rego.v1
default hardware := 97
trust_claims := {"executables": 3, "hardware": hardware, "configuration": 2}
hardware := 2 if input.sampledevice.svn in query_reference_value("device_svn")
REGO
cat >both.rego <<'REGO'
package policy
import rego.v1
default allow := false
allow if {
	input.submods.cpu0["ear.status"] == "affirming"
	input.submods.gpu0["ear.status"] == "affirming"
}
REGO
config set-sample-reference-value client_svn 1 >/dev/null 2>&1
config set-resource-policy --policy-file both.rego >/dev/null 2>&1
refused "no device" "Access denied by policy" "${get[@]}"
export ENABLE_SAMPLE_DEVICE=1
refused "device without a policy that affirms it" "Access denied by policy" "${get[@]}"
gives "set-attestation-policy for devices" "" config set-attestation-policy --id default_gpu --policy-file device.rego
refused "device without its reference value" "Access denied by policy" "${get[@]}"
gives "its reference value" "Reference Values Updated" config set-sample-reference-value device_svn 2
gives "CPU and device affirmed" "$secret" "${get[@]}"
unset ENABLE_SAMPLE_DEVICE

# Initdata reaches the resource policy: its digest, its files, the data of the agent's policy
digest=$(printf %s "$initdata" | openssl dgst -sha256 -binary | base64 -w0)
# holds NAME EXPRESSION: a resource policy of this expression on the CPU's claims allows it
holds() {
	printf 'package policy\nimport rego.v1\ndefault allow := false\ncpu := input.submods.cpu0\n%s\nallow if %s\n' \
		'claims := cpu["ear.veraison.annotated-evidence"]' "$2" >claims.rego
	config set-resource-policy --policy-file claims.rego >/dev/null 2>&1
	gives "$1" "$secret" "${get[@]}" "$initdata"
}
holds "a file of the initdata" 'claims.init_data_claims["cdh.toml"].image.extra_root_certificates[0] == "one"'
holds "data of the agent's policy in it" \
	'claims.init_data_claims.agent_policy_claims.containers[0].OCI.Process.Args[0] == "/pause"'
holds "digest of the initdata" "claims.init_data == \"$digest\""
refused "other initdata" "Access denied by policy" "${get[@]}" "${initdata/app:1/app:2}"
config set-resource-policy --allow-all >/dev/null 2>&1

# A tenant is a base URL
HUSK_KBS_URL=$url HUSK_KBS_CERT=kbs/tls.crt HUSK_KBS_ADMIN_TOKEN_FILE=kbs/admin-token \
	"$husk" kbs tenant set acme >/dev/null 2>&1 || fail "cannot make a tenant"
outside=$url url=$url/tenants/acme
printf theirs >theirs
gives "set-resource of a tenant" "" config set-resource --path $path --resource-file theirs
gives "set-resource-policy of a tenant" "" config set-resource-policy --allow-all
gives "get-resource of a tenant" "$(base64 -w0 theirs)" "${get[@]}"
url=$outside
gives "get-resource outside of it" "$secret" "${get[@]}"

attester() { "$TRUSTEE_ATTESTER" --url "$url" --cert-file kbs/tls.crt get-resource "$@"; }
if [ -n "${TRUSTEE_ATTESTER:-}" ]; then
	TRUSTEE_ATTESTER=$(realpath "$TRUSTEE_ATTESTER")
	# A path without kbs:/// is asked for with an empty part in front, which Trustee's kbs refuses, too.
	RUST_LOG=error gives "trustee-attester" "$secret" attester --path kbs:///$path
	refused "trustee-attester, no such resource" PluginInternalError attester --path kbs:///a/b/none
	config set-resource-policy --deny-all >/dev/null 2>&1
	refused "trustee-attester, denied" "Access denied by policy" attester --path kbs:///$path
	config set-resource-policy --allow-all >/dev/null 2>&1
fi

gives "delete-resource" "Delete resource success" config delete-resource --path $path
refused "it is gone" PluginInternalError "${get[@]}"
refused "delete-resource again" "PluginInternalError" config delete-resource --path $path
refused "delete-resource without a token" AdminAuthAccess client config delete-resource --path $path
stop

# The same without TLS, behind which something else would end it
start_broker http
client() { "$kbs_client" --url "$url" "$@"; }
gives "HTTP: set-resource" "" config set-resource --path $path --resource-file secret
gives "HTTP: set-resource-policy" "" config set-resource-policy --allow-all
gives "HTTP: get-resource" "$secret" "${get[@]}"
stop
echo "$passed passed, $bad failed"
[ $bad = 0 ]
