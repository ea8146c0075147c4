#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The guest's image program with a real registry: signed and encrypted images in, refusals out.
# usage: guest-image.sh HUSK GUEST-IMAGE
set -u
husk=$(realpath "$1") guest=$(realpath "$2") golden=$(realpath "$(dirname "$0")/golden")
skip() { echo "SKIP: $*"; [ "${CI:-}" = true ] && exit 1; exit 77; }
command -v docker-registry >/dev/null || skip "no docker-registry (apt install docker-registry)"
[ "$(id -u)" = 0 ] || skip "needs root, as in the guest"
dir=$(mktemp -d)
registry_pid=
cleanup() { [ -n "$registry_pid" ] && kill "$registry_pid" 2>/dev/null; rm -rf "$dir"; }
trap cleanup EXIT
passed=0 bad=0
ok() { passed=$((passed + 1)); echo "ok: $*"; }
fail() { echo "FAIL: $*"; bad=$((bad + 1)); }

for _ in 1 2 3 4 5; do
	port=$((20000 + RANDOM % 20000)) registry=
	cat >"$dir/registry.yml" <<-END
	version: 0.1
	log: {level: error, accesslog: {disabled: true}}
	storage: {filesystem: {rootdirectory: $dir/registry}}
	http: {addr: "127.0.0.1:$port"}
	END
	setpriv --pdeathsig KILL docker-registry serve "$dir/registry.yml" >"$dir/registry.log" 2>&1 &
	registry_pid=$!
	for _ in $(seq 50); do
		if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then registry=127.0.0.1:$port; break 2; fi
		sleep 0.1
	done
	kill "$registry_pid" 2>/dev/null
done
[ -n "$registry" ] || skip "docker-registry does not start: $(cat "$dir/registry.log")"
http=(--insecure-registry "$registry" -q)
cd "$dir" || exit 1

mkdir -p rootfs/{bin,etc,other} resources
cp /bin/true rootfs/bin/true
ln rootfs/bin/true rootfs/other/hard
ln -s /etc/x rootfs/etc/abs
chmod 4755 rootfs/bin/true
chown 1000:1000 rootfs/etc
head -c 400000 /dev/urandom | base64 >rootfs/etc/big
"$husk" key generate sign.pem --public resources/default_keys_sign
"$husk" key generate other.pem
"$husk" image build rootfs img:v1 --cmd /bin/true -q >/dev/null
"$husk" image encrypt img:v1 enc:v1 --key resources/default_image-key_app --keyid kbs:///default/image-key/app -q >/dev/null
"$husk" image encrypt img:v1 enc2:v1 --key elsewhere --keyid kbs:///default/image-key/absent -q >/dev/null
push() { "$husk" image push "$1" "$registry/$2" "${http[@]}" >/dev/null && "$husk" image sign "$registry/$2" --key "$3" "${http[@]}" >/dev/null || fail "push $2"; }
push enc:v1 app:v1 sign.pem
push enc2:v1 nokey:v1 sign.pem
push img:v1 stranger:v1 other.pem
for kind in zstd none; do
	"$husk" image build rootfs "img-$kind:v1" --cmd /bin/true --compression $kind -q >/dev/null
	"$husk" image encrypt "img-$kind:v1" "enc-$kind:v1" --key resources/default_image-key_app --keyid kbs:///default/image-key/app -q >/dev/null
	push "enc-$kind:v1" "app:$kind" sign.pem
done
for kind in gzip zstd; do push "$golden/skopeo-$kind.tar" "skopeo:$kind" sign.pem; done
cp "$golden/kek" resources/default_image-key_golden
"$husk" image push img:v1 "$registry/unsigned:v1" "${http[@]}" >/dev/null || fail "push unsigned"
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

# accepted NAME IMAGE CDH; refused NAME IMAGE CDH TEXT: the reason must say TEXT, nothing may remain
accepted() {
	rm -rf root && mkdir root
	if "$guest" "$2" "$3" resources "$dir/root" >out 2>&1; then ok "$1"; else fail "$1: $(cat out)"; fi
}
refused() {
	rm -rf root && mkdir root
	"$guest" "$2" "$3" resources "$dir/root" >out 2>&1
	local code=$?
	if [ $code = 3 ] && grep -q "$4" out && [ ! -e root/rootfs ]; then ok "$1"; else fail "$1 ($code): $(cat out)"; fi
}
accepted "an encrypted, signed image" "$registry/app:v1" cdh.toml
diff -r --no-dereference rootfs root/rootfs >out && ok "the tree is the same" || fail "the tree: $(cat out)"
[ "$(stat -c '%a %u %h' root/rootfs/bin/true root/rootfs/etc | tr '\n' ' ')" = "4755 0 2 755 1000 2 " ] && ok "modes, owners, links" || fail "modes: $(stat -c '%a %u %h' root/rootfs/bin/true root/rootfs/etc)"
for kind in zstd none; do
	accepted "compression $kind" "$registry/app:$kind" cdh.toml
	diff -r --no-dereference rootfs root/rootfs >out && ok "the tree is the same" || fail "the tree: $(cat out)"
done
for kind in gzip zstd; do
	accepted "encrypted by skopeo ($kind)" "$registry/skopeo:$kind" cdh.toml
	[ "$(root/rootfs/bin/hello)" = "encrypted by skopeo" ] && ok "its program runs ($kind)" || fail "its program ($kind)"
done
# Memory does not grow with the layer: 150 MB go through 64 MB of address space, which a sanitizer
# could not live in.
limit=65536
grep -q __asan_init "$guest" && limit=unlimited
mkdir -p large && head -c 100000000 /dev/zero >large/zero && head -c 50000000 /dev/urandom >large/random
for kind in gzip zstd; do
	"$husk" image build large "large-$kind:v1" --compression $kind --level 1 -q >/dev/null
	"$husk" image encrypt "large-$kind:v1" "largeenc-$kind:v1" --key resources/default_image-key_app --keyid kbs:///default/image-key/app -q >/dev/null
	push "largeenc-$kind:v1" "large:$kind" sign.pem
	(ulimit -v $limit && accepted "a large layer ($kind)" "$registry/large:$kind" cdh.toml && [ $bad = 0 ]) && passed=$((passed + 1)) || bad=$((bad + 1))
	cmp -s large/random root/rootfs/random && ok "its content" || fail "its content"
done
rm -rf large large-* largeenc-*
refused "signed by a stranger" "$registry/stranger:v1" cdh.toml "signature does not hold"
refused "unsigned" "$registry/unsigned:v1" cdh.toml "not signed"
refused "no key at the broker" "$registry/nokey:v1" cdh.toml id-42
refused "no such image" "$registry/absent:v1" cdh.toml "no manifest"
refused "another registry" "127.0.0.1:9/app:v1" cdh.toml "127.0.0.1"
grep -v policy cdh.toml >no-policy.toml
refused "no policy" "$registry/app:v1" no-policy.toml "names no image security policy"
grep -v insecure cdh.toml >tls.toml
refused "plain HTTP not listed" "$registry/app:v1" tls.toml registry
sed 's/security-policy.test/security-policy\/absent/' cdh.toml >absent.toml
refused "the policy is not there" "$registry/app:v1" absent.toml id-42

hex=$("$husk" image inspect "$registry/app:v1" --json "${http[@]}" | grep -A20 '"layers"' | grep -o 'sha256:[0-9a-f]*' | head -n 1)
blob=$(find registry -path "*blobs*/${hex#sha256:}/data")
cp "$blob" saved
printf 'altered altered' | dd of="$blob" bs=1 seek=5000 conv=notrunc status=none
refused "an altered layer" "$registry/app:v1" cdh.toml layer
cp saved "$blob" && truncate -s 9999 "$blob"
refused "a short layer" "$registry/app:v1" cdh.toml layer
cp saved "$blob"

# The same over TLS, with the certificate in initdata.
if command -v openssl >/dev/null; then
	kill "$registry_pid"; wait "$registry_pid" 2>/dev/null
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.crt -days 2 \
		-subj /CN=registry -addext subjectAltName=IP:127.0.0.1,DNS:localhost 2>/dev/null
	sed -i "s|^http:.*|http: {addr: \"127.0.0.1:$port\", tls: {certificate: $dir/tls.crt, key: $dir/tls.key}}|" registry.yml
	setpriv --pdeathsig KILL docker-registry serve registry.yml >registry.log 2>&1 &
	registry_pid=$!
	for _ in $(seq 50); do (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
	{ sed '/registry_config/,$d' cdh.toml; printf 'extra_root_certificates = ["""\n%s\n"""]\n' "$(cat tls.crt)"; } >tls.toml
	accepted "over TLS" "$registry/app:v1" tls.toml
	sed '/extra_root/,$d' tls.toml >untrusted.toml
	refused "over TLS without the certificate" "$registry/app:v1" untrusted.toml registry
	# A host name that no resolver of the test knows must end in words, not in a killed process.
	sed "s/$registry/registry.invalid:$port/" resources/default_security-policy_test >p && mv p resources/default_security-policy_test
	refused "a name that does not resolve" "registry.invalid:$port/app:v1" tls.toml registry.invalid
	refused "localhost is another name" "localhost:$port/app:v1" tls.toml .
fi

echo "$passed passed, $bad failed"
[ $bad = 0 ]
