#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# husk image against a real registry (docker-registry) and real readers (skopeo). usage: registry.sh HUSK
#
# The live exchange with a key provider needs a skopeo whose ocicrypt has key providers (1.1 or later,
# Debian 12 has 1.0.3): HUSK_SKOPEO, or the installed one if it can. Without one that part is skipped
# and says so; what such a skopeo made before (golden/) is checked in any case.
set -u
husk=$(realpath "$1")
golden=$(realpath "$(dirname "$0")/golden")
[ -x "$husk" ] || { echo "usage: $0 HUSK"; exit 2; }
skip() { echo "SKIP: $*"; [ "${CI:-}" = true ] && exit 1; exit 77; }
command -v docker-registry >/dev/null || skip "no docker-registry (apt install docker-registry)"
command -v skopeo >/dev/null || skip "no skopeo (apt install skopeo)"

dir=$(mktemp -d)
registry_pid=
cleanup() { [ -n "$registry_pid" ] && kill "$registry_pid" 2>/dev/null; rm -rf "$dir"; }
trap cleanup EXIT
passed=0 bad=0
ok() { passed=$((passed + 1)); echo "ok: $*"; }
fail() { echo "FAIL: $*"; bad=$((bad + 1)); }
# run NAME COMMAND... : must succeed; refused NAME COMMAND... : must end with exit code 3
run() { local name=$1; shift; if "$@" >"$dir/out" 2>&1; then ok "$name"; else fail "$name: $(cat "$dir/out")"; fi; }
refused() {
	local name=$1; shift
	"$@" >"$dir/out" 2>&1; local code=$?
	if [ $code = 3 ]; then ok "$name"; else fail "$name: exit code $code: $(cat "$dir/out")"; fi
}
# failed NAME COMMAND... : must end with exit code 1, the work having failed
failed() {
	local name=$1; shift
	"$@" >"$dir/out" 2>&1; local code=$?
	if [ $code = 1 ]; then ok "$name"; else fail "$name: exit code $code: $(cat "$dir/out")"; fi
}
same() { if [ -n "$2" ] && [ "$2" = "$3" ]; then ok "$1"; else fail "$1: '$2' is not '$3'"; fi; }

start_registry() {
	local port
	for _ in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 20000))
		cat >"$dir/registry.yml" <<-END
		version: 0.1
		log: {level: error, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $dir/registry}, delete: {enabled: true}}
		http: {addr: "127.0.0.1:$port"}
		END
		setpriv --pdeathsig KILL docker-registry serve "$dir/registry.yml" >"$dir/registry.log" 2>&1 &
		registry_pid=$!
		for _ in $(seq 50); do
			kill -0 "$registry_pid" 2>/dev/null || break
			if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then registry=127.0.0.1:$port; return; fi
			sleep 0.1
		done
		kill "$registry_pid" 2>/dev/null
	done
	skip "docker-registry does not start: $(cat "$dir/registry.log")"
}
start_registry
http=(--insecure-registry "$registry")
cd "$dir" || exit 1

# A tree with the things that get lost: links, modes, a long name, a bigger file.
mkdir -p rootfs/{bin,etc,var/empty}
cp /bin/true rootfs/bin/true
ln rootfs/bin/true rootfs/bin/hard
ln -s ../bin/true rootfs/etc/link
chmod 4755 rootfs/bin/true
head -c 3000000 /dev/urandom | base64 >rootfs/etc/big
echo x >"rootfs/etc/$(printf 'n%.0s' $(seq 200))"

run "build" "$husk" image build rootfs img:v1 --cmd /bin/true -e A=b
run "build again" "$husk" image build rootfs img2:v1 --cmd /bin/true -e A=b
same "the same tree gives the same bytes" "$(cat img/index.json)" "$(cat img2/index.json)"
diff_id() { "$husk" image inspect "$1" --json | grep '"diff_id"' | grep -o 'sha256:[0-9a-f]*'; }
for kind in zstd none; do
	run "build with $kind" "$husk" image build rootfs "img-$kind:v1" --cmd /bin/true -e A=b --compression $kind
	same "the same tree in it" "$(diff_id "img-$kind:v1")" "$(diff_id img:v1)"
	run "skopeo reads $kind" skopeo copy -q --insecure-policy --dest-compress "oci:img-$kind:v1" "dir:dir-$kind"
done
run "build with level 1" "$husk" image build rootfs img-level:v1 --compression zstd --level 1
"$husk" image build rootfs img-level:v1 --level 10 >out 2>&1; same "level 10" $? 2
for wrong in "-e noequal" "-e =x" "-l noequal" "-w etc"; do
	"$husk" image build rootfs img-wrong:v1 $wrong >out 2>&1; same "build $wrong" $? 2
done
run "inspect for people" "$husk" image inspect img:v1
grep -q 'command  *\["/bin/true"\]' out && grep -q 'environment  *\["A=b"\]' out && ok "with the configuration" || fail "inspect: $(cat out)"
run "key for encryption" "$husk" key generate --type kek kek
same "the key is private" "$(stat -c %a kek)" 600
run "encrypt" "$husk" image encrypt img:v1 enc:v1 --key kek --keyid kbs:///default/image-key/app
for wrong in app kbs:///default/image-key kbs:///default/../app kbs:///a/b/c/d https://a/b/c; do
	"$husk" image encrypt img:v1 enc-wrong:v1 --key kek --keyid "$wrong" >out 2>&1; same "key id $wrong" $? 2
done
run "push" "$husk" image push enc:v1 "$registry/app:v1" "${http[@]}"
run "push again" "$husk" image push enc:v1 "$registry/app:v1" "${http[@]}"

# skopeo reads it; layers stay encrypted.
run "skopeo inspects" skopeo inspect --tls-verify=false "docker://$registry/app:v1"
run "skopeo copies" skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$registry/app:v1" oci:sk:v1
grep -q 'tar+gzip+encrypted' sk/blobs/sha256/* && ok "layers stay encrypted" || fail "layers stay encrypted"
run "decrypt what skopeo copied" "$husk" image decrypt sk:v1 dec:v1 --key kek
same "decryption restores the image" "$(cat dec/index.json)" "$(cat img/index.json)"
head -c 32 /dev/urandom >wrong
refused "another key is refused" "$husk" image decrypt sk:v1 dec2:v1 --key wrong

# husk pulls what skopeo pushed, as OCI and as Docker schema 2.
run "skopeo pushes" skopeo copy -q --insecure-policy --dest-tls-verify=false oci:img:v1 "docker://$registry/sk:oci"
run "skopeo pushes v2s2" skopeo copy -q --insecure-policy --dest-tls-verify=false -f v2s2 oci:img:v1 "docker://$registry/sk:v2s2"
run "pull" "$husk" image pull "$registry/sk:oci" pulled:v1 "${http[@]}"
run "pull v2s2" "$husk" image pull "$registry/sk:v2s2" pulled2:v1 "${http[@]}"
same "pulled as pushed" "$(cat pulled/index.json)" "$(cat img/index.json)"
run "archive by skopeo" skopeo copy -q --insecure-policy oci:img:v1 docker-archive:docker.tar:app:v1
run "docker archive" "$husk" image build docker.tar fromdocker:v1
run "oci archive by skopeo" skopeo copy -q --insecure-policy oci:img:v1 oci-archive:oci.tar:v1
run "oci archive" "$husk" image build oci.tar fromoci:v1

# Plain HTTP only where it was asked for.
failed "TLS unless listed" "$husk" image inspect "$registry/app:v1"

# Signatures.
run "key pair" "$husk" key generate sign.pem --public sign.pub
run "other key pair" "$husk" key generate other.pem --public other.pub
refused "unsigned" "$husk" image verify "$registry/app:v1" --key sign.pub "${http[@]}"
run "sign" "$husk" image sign "$registry/app:v1" --key sign.pem "${http[@]}"
run "verify" "$husk" image verify "$registry/app:v1" --key sign.pub "${http[@]}"
refused "another signer" "$husk" image verify "$registry/app:v1" --key other.pub "${http[@]}"
run "second signature" "$husk" image sign "$registry/app:v1" --key other.pem "${http[@]}"
run "first still holds" "$husk" image verify "$registry/app:v1" --key sign.pub "${http[@]}"
run "second holds" "$husk" image verify "$registry/app:v1" --key other.pub "${http[@]}"
run "pull with signatures" "$husk" image pull "$registry/app:v1" signed:v1 "${http[@]}"
run "the layout holds the first" "$husk" image verify signed:v1 --identity "$registry/app" --key sign.pub
run "push elsewhere" "$husk" image push signed:v1 "$registry/copy/app:v1" "${http[@]}"
run "the second holds there" "$husk" image verify "$registry/copy/app:v1" --identity "$registry/app" --key other.pub "${http[@]}"
# Signatures that cannot be read are not signatures that are not there: they must not be replaced.
cp signed/index.json index.saved
sig=$(python3 -c 'import json; print([m["digest"][7:] for m in json.load(open("signed/index.json"))["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"].endswith(".sig")][0])')
mv "signed/blobs/sha256/$sig" sig.saved && echo '{}' >"signed/blobs/sha256/$sig"
failed "signing over unreadable signatures" "$husk" image sign signed:v1 --identity "$registry/app" --key other.pem
same "they stay named" "$(cat signed/index.json)" "$(cat index.saved)"
policy() { printf '{"default":[{"type":"reject"}],"transports":{"docker":{"%s":%s}}}' "$registry/app" "$1" >policy.json; }
policy "[{\"type\":\"sigstoreSigned\",\"keyPath\":\"$dir/sign.pub\"}]"
run "policy" "$husk" image verify "$registry/app:v1" --policy policy.json "${http[@]}"
refused "policy rejects others" "$husk" image verify "$registry/sk:oci" --policy policy.json "${http[@]}"
policy "[{\"type\":\"sigstoreSigned\",\"keyData\":\"$(base64 -w0 sign.pub)\",\"signedIdentity\":{\"type\":\"matchRepository\"}}]"
run "policy with keyData" "$husk" image verify "$registry/app:v1" --policy policy.json "${http[@]}"
policy "[]"
refused "an empty list refuses" "$husk" image verify "$registry/app:v1" --policy policy.json "${http[@]}"
# A registry that alters what it stores: any change of a layer must be noticed.
hex=$("$husk" image inspect "$registry/app:v1" --json "${http[@]}" | grep -A20 '"layers"' | grep -o 'sha256:[0-9a-f]*' | head -n 1)
blob=$(find registry -path "*blobs*/${hex#sha256:}/data")
[ -n "$blob" ] || fail "the layer's blob is not found"
cp "$blob" saved && printf 'altered altered' | dd of="$blob" bs=1 seek=5000 conv=notrunc status=none
failed "an altered layer is refused" "$husk" image pull "$registry/app:v1" altered:v1 "${http[@]}"
truncate -s 10000 "$blob"
failed "a short layer is refused" "$husk" image pull "$registry/app:v1" short:v1 "${http[@]}"
cp saved "$blob"

# --- the key provider ---
# What a skopeo with key providers made.
for kind in gzip zstd; do
	run "decrypt what skopeo encrypted ($kind)" "$husk" image decrypt "$golden/skopeo-$kind.tar" "golden-$kind:v1" --key "$golden/kek"
	refused "another key ($kind)" "$husk" image decrypt "$golden/skopeo-$kind.tar" "golden2-$kind:v1" --key wrong
done
cd "$golden" || exit 1
"$husk" key provider <unwrap.json >"$dir/opts" && grep -q optsdata "$dir/opts" && ok "skopeo's request to unwrap" || fail "skopeo's request to unwrap"
"$husk" key provider <wrap.json >"$dir/packet" && grep -q annotation "$dir/packet" && ok "skopeo's request to wrap" || fail "skopeo's request to wrap"
cd "$dir" || exit 1
refused "the key provider with another key" "$husk" key provider <"$golden/unwrap.json"
cd rootfs || exit 1
failed "the key provider without a key" "$husk" key provider <"$golden/unwrap.json"
cd "$dir" || exit 1

# A skopeo with key providers, live.
provider=provider:attestation-agent
echo "{\"key-providers\":{\"attestation-agent\":{\"cmd\":{\"path\":\"$husk\",\"args\":[\"key\",\"provider\"]}}}}" >ocicrypt.json
export OCICRYPT_KEYPROVIDER_CONFIG=$dir/ocicrypt.json
knows_providers() { # or another message, or success
	! "$1" copy -q --insecure-policy --encryption-key "$provider:keyid=kbs:///a/b/c::keypath=$dir/kek" oci:img:v1 oci:probe:v1 2>&1 |
		grep -q 'protocol not recognized'
}
newer=${HUSK_SKOPEO:-skopeo}
if ! knows_providers "$newer"; then
	echo "SKIP: live key provider: $newer is built without key providers (HUSK_SKOPEO names another)"
else
	layer() { "$husk" image inspect "$1" --json "${http[@]}" | grep -A20 '"layers"' | grep -o 'sha256:[0-9a-f]*' | head -n 1; }
	run "skopeo encrypts with husk's provider" "$newer" copy -q --insecure-policy --dest-tls-verify=false \
		--encryption-key $provider:keypath=kek::keyid=kbs:///default/image-key/app::algorithm=A256GCM oci:img:v1 "docker://$registry/skenc:v1"
	run "husk pulls it" "$husk" image pull "$registry/skenc:v1" skenc:v1 "${http[@]}"
	run "husk decrypts it" "$husk" image decrypt skenc:v1 skdec:v1 --key kek
	same "the same layer" "$(layer skdec:v1)" "$(layer img:v1)"
	run "skopeo decrypts husk's image with husk's provider" "$newer" copy -q --insecure-policy --src-tls-verify=false \
		--decryption-key $provider:keypath=kek "docker://$registry/app:v1" oci:skdec2:v1
	same "the same layer again" "$(layer skdec2:v1)" "$(layer img:v1)"
	# The key from the provider's own command line, for one key id.
	sed "s|\"provider\"|&,\"--key\",\"kbs:///default/image-key/app=$dir/kek\"|" ocicrypt.json >ocicrypt2.json
	run "a key for one key id" env OCICRYPT_KEYPROVIDER_CONFIG="$dir/ocicrypt2.json" "$newer" copy -q --insecure-policy \
		--src-tls-verify=false --decryption-key $provider "docker://$registry/skenc:v1" oci:skdec3:v1
	same "the same layer, third time" "$(layer skdec3:v1)" "$(layer img:v1)"
	failed "skopeo with another key" "$newer" copy -q --insecure-policy --src-tls-verify=false \
		--decryption-key $provider:keypath=wrong "docker://$registry/app:v1" oci:skdec4:v1
	if "$newer" copy --help | grep -q -- --dest-force-compress-format; then
		run "skopeo recompresses" "$newer" copy -q --insecure-policy --dest-compress-format zstd --dest-force-compress-format oci:img:v1 oci:imgz:v1
		run "skopeo encrypts zstd layers" "$newer" copy -q --insecure-policy \
			--encryption-key $provider:keypath=kek::keyid=kbs:///default/image-key/app oci:imgz:v1 oci:skencz:v1
		run "husk decrypts zstd" "$husk" image decrypt skencz:v1 skdecz:v1 --key kek
		same "the same zstd layer" "$(layer skdecz:v1)" "$(layer imgz:v1)"
	else
		echo "SKIP: zstd by skopeo: $newer has no --dest-force-compress-format"
	fi
	# skopeo's policy engine agrees about our signature (Debian's build has no sigstore).
	mkdir -p regd && printf 'docker:\n  %s:\n    use-sigstore-attachments: true\n' "$registry" >regd/r.yaml
	for key in sign.pub stranger.pub; do
		[ -e $key ] || "$husk" key generate stranger.pem --public stranger.pub
		policy "[{\"type\":\"sigstoreSigned\",\"keyPath\":\"$dir/$key\",\"signedIdentity\":{\"type\":\"matchRepository\"}}]"
		skopeo_says=$("$newer" --policy policy.json --registries.d regd copy -q --remove-signatures \
			--src-tls-verify=false "docker://$registry/app:v1" oci:signed:v1 2>&1 && echo accepted)
		case "$key $skopeo_says" in
		"sign.pub accepted") ok "skopeo accepts the signature" ;;
		stranger.pub*[Rr]ejected*) ok "skopeo refuses a stranger's key" ;;
		*) fail "skopeo and $key: $skopeo_says" ;;
		esac
	done
fi

echo "$passed passed, $bad failed"
[ $bad = 0 ]
