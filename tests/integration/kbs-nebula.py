#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The plugin nebula-ca: credentials of a Nebula network, checked by the real nebula-cert: Debian's, which
knows version 1 and Curve25519, or another one at $NEBULA_CERT.

usage: kbs-nebula.py HUSK-KBS HUSK
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

try:
    import cryptography  # noqa: F401, kbs_broker needs it
    import kbs_broker
    from plugin_broker import actions, guest_of, refused, set_policy, start
except ImportError:
    kbs_broker = None

import ending
import services

CREDENTIAL = "/kbs/v0/nebula-ca/credential"
CA = "/kbs/v0/nebula-ca/ca"
folder = ending.folder("husk-py-")


def write(name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


PROGRAM = os.environ.get("NEBULA_CERT", "nebula-cert")


def nebula_cert(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, check=False)


def credential(guest, query):
    status, headers, answer = guest.call("GET", CREDENTIAL + "?" + query)
    assert status == 200 and headers["Content-Type"] == "application/json", answer
    parts = json.loads(guest.decrypt(answer))
    assert sorted(parts) == ["ca_crt", "node_crt", "node_key"], parts
    return {name: bytes(value) for name, value in parts.items()}


def details(pem):
    """Details as nebula-cert prints them, in the words of the old ones."""
    done = nebula_cert("print", "-json", "-path", write("print.crt", pem))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    found = found[0] if isinstance(found, list) else found
    d = dict(found, **found["details"])
    return dict(d, ips=d.get("networks") or d.get("ips"), subnets=d.get("unsafeNetworks") or d.get("subnets"))


def verified(ca, crt):
    return nebula_cert("verify", "-ca", write("ca.crt", ca), "-crt",
                       write("node.crt", crt)).returncode == 0


def test_credentials():
    """What a guest gets is what nebula-cert would have made."""
    broker = start('[[plugins]]\nname = "nebula-ca"\n')
    guest, admin = guest_of(broker), kbs_broker.Client(broker, admin=True)
    parts = credential(guest, "name=pod1&ip=10.1.2.3/16&groups=web,%20db&subnets=10.9.8.7/24"
                       "&duration=1h30m")
    assert verified(parts["ca_crt"], parts["node_crt"])
    d = details(parts["node_crt"])
    assert (d["name"], d["ips"], d["groups"], d["subnets"], d["isCa"]) == (
        "pod1", ["10.1.2.3/16"], ["web", "db"], ["10.9.8.0/24"], False), d
    # The key is the certificate's: X25519, 32 bytes.
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    import base64
    lines = parts["node_key"].decode().splitlines()
    assert lines[0] == "-----BEGIN NEBULA X25519 PRIVATE KEY-----", lines
    key = X25519PrivateKey.from_private_bytes(base64.b64decode(lines[1]))
    assert key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex() == d["publicKey"]
    ca = details(parts["ca_crt"])
    assert ca["isCa"] and ca["name"] == "Trustee Nebula CA plugin" and ca["issuer"] == "", ca
    # Each is another one, of the same CA; without a duration it lasts as long as the CA.
    other = credential(guest, "name=pod1&ip=10.1.2.3/16")
    assert other["node_key"] != parts["node_key"] and other["ca_crt"] == parts["ca_crt"]
    assert verified(other["ca_crt"], other["node_crt"])
    assert details(other["node_crt"])["groups"] in (None, [])
    status, headers, answer = admin.call("GET", CA)
    assert (status, headers["Content-Type"], answer) == (200, "text/xml", parts["ca_crt"]), answer
    # A changed certificate is none.
    body = parts["node_crt"].decode().splitlines()
    body[1] = body[1][:20] + ("A" if body[1][20] != "A" else "B") + body[1][21:]
    assert not verified(parts["ca_crt"], "\n".join(body).encode() + b"\n")
    # It survives the broker, and is another one when it is removed.
    broker.kill()
    broker.start()
    guest, admin = guest_of(broker), kbs_broker.Client(broker, admin=True)
    assert credential(guest, "name=a&ip=10.0.0.1/8")["ca_crt"] == parts["ca_crt"]
    assert admin.call("DELETE", CA)[0] == 200
    fresh = credential(guest, "name=a&ip=10.0.0.1/8")
    assert fresh["ca_crt"] != parts["ca_crt"] and verified(fresh["ca_crt"], fresh["node_crt"])
    assert not verified(parts["ca_crt"], fresh["node_crt"])
    refused(guest.call("GET", CA), 401, b"AdminAuthAccess")
    refused(admin.call("GET", CREDENTIAL + "?name=a&ip=10.0.0.1/8"), 401, b"TokenVerifierError")
    for action in ("nebula-ca.create", "nebula-ca.delete", "nebula-ca.release"):
        assert action in actions(broker), action
    # Another tenant is another network.
    assert admin.call("PUT", "/kbs/v0/admin/tenants/acme", b"{}")[0] == 200
    theirs = kbs_broker.Client(broker, admin=True, prefix="/tenants/acme").call("GET", CA)[2]
    assert theirs.startswith(b"-----BEGIN") and theirs != fresh["ca_crt"]
    broker.remove()


def knows(version, curve):
    """What the program at hand has: P-256 since 1.7, version 2 since 1.10."""
    text = nebula_cert("ca", "-h").stdout + nebula_cert("ca", "-h").stderr
    return ("-curve" in text or curve == "25519") and ("-version" in text or version == 1)


def test_kinds():
    """Both curves and both versions; what the CA was made with counts, not what is configured since."""
    query = "name=pod1&groups=web,db&subnets=192.168.7.0/24&ip=10.1.2.3/16"
    broker = start('[[plugins]]\nname = "nebula-ca"\n[plugins.ca_config]\n#kind\n')
    for version, curve in ((1, "P256"), (2, "25519"), (2, "P256")):
        broker.kill()
        broker.edit(lambda text: re.sub(r"(?m)^#kind.*\n(version.*\ncurve.*\n)?",
                                        '#kind\nversion = %d\ncurve = "%s"\n' % (version, curve), text))
        broker.start()
        guest, admin = guest_of(broker), kbs_broker.Client(broker, admin=True)
        old = admin.call("GET", CA)[2]
        if version == 2 and curve == "25519":
            assert b"V2" not in old, "the CA is the old one"
        assert admin.call("DELETE", CA)[0] == 200
        more = ",fd00::7/64" if version == 2 else ""
        parts = credential(guest, query + more)
        kind = "NEBULA CERTIFICATE" + (" V2" if version == 2 else "")
        assert parts["ca_crt"].startswith(b"-----BEGIN %s-----\n" % kind.encode()), parts["ca_crt"]
        assert parts["node_crt"].startswith(b"-----BEGIN %s-----\n" % kind.encode()), parts["node_crt"]
        lines = parts["node_key"].decode().splitlines()
        assert lines[0] == "-----BEGIN NEBULA %s PRIVATE KEY-----" % (
            "P256" if curve == "P256" else "X25519"), lines
        assert admin.call("GET", CA)[2] == parts["ca_crt"]
        refused(guest.call("GET", CREDENTIAL + "?name=a&ip=0.0.0.0/8"), 401, b"PluginInternalError")
        if version == 1:
            refused(guest.call("GET", CREDENTIAL + "?name=a&ip=fd00::1/64"), 401, b"PluginInternalError")
        if not knows(version, curve):
            print("not checked by nebula-cert: version %d, %s" % (version, curve))
            continue
        assert verified(parts["ca_crt"], parts["node_crt"]), (version, curve)
        d = details(parts["node_crt"])
        assert (d["name"], sorted(d["ips"]), d["groups"], d["subnets"], d["isCa"]) == (
            "pod1", ["10.1.2.3/16"] + (["fd00::7/64"] if version == 2 else []), ["web", "db"],
            ["192.168.7.0/24"], False), d
        assert d["curve"] == ("P256" if curve == "P256" else "CURVE25519"), d
        ca = details(parts["ca_crt"])
        assert d["issuer"] == ca["fingerprint"] and ca["isCa"], (d, ca)
        if curve == "P256":
            from cryptography.hazmat.primitives.asymmetric import ec
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
            import base64
            key = ec.derive_private_key(int.from_bytes(base64.b64decode(lines[1]), "big"), ec.SECP256R1())
            assert key.public_key().public_bytes(
                Encoding.X962, PublicFormat.UncompressedPoint).hex() == d["publicKey"]
        # It survives the broker.
        broker.kill()
        broker.start()
        again = credential(guest_of(broker), "name=a&ip=10.0.0.1/8")
        assert again["ca_crt"] == parts["ca_crt"] and verified(again["ca_crt"], again["node_crt"])
    broker.remove()


def test_bounds():
    """Of the CA, and of the policy; and what is no request at all."""
    broker = start('[[plugins]]\nname = "nebula-ca"\n[plugins.ca_config]\nname = "pods"\n'
                   'duration = "2h"\nips = "10.0.0.0/8"\nsubnets = "192.168.0.0/16"\n'
                   'groups = "web,db"\n')
    guest = guest_of(broker)
    parts = credential(guest, "name=a&ip=10.0.0.1/8&groups=db&subnets=192.168.7.0/24")
    assert verified(parts["ca_crt"], parts["node_crt"])
    ca = details(parts["ca_crt"])
    assert (ca["name"], ca["ips"], ca["subnets"], ca["groups"]) == (
        "pods", ["10.0.0.0/8"], ["192.168.0.0/16"], ["web", "db"]), ca
    for query, reason in (("name=a&ip=11.0.0.1/8", "no such addresses"),
                          ("name=a&ip=10.0.0.1/7", "no such addresses"),
                          ("name=a&ip=10.0.0.1/8&groups=root", "no such group"),
                          ("name=a&ip=10.0.0.1/8&subnets=10.0.0.0/8", "no such subnets"),
                          ("name=a&ip=10.0.0.1/8&duration=3h", "outlive"),
                          ("name=a&ip=10.0.0.1/8&duration=1d", "duration"),
                          ("name=a&ip=10.0.0.1", "IPv4"), ("name=a&ip=10.0.0.1/8,10.0.0.2/8", "one"),
                          ("name=a", "parameter ip"), ("ip=10.0.0.1/8", "parameter name"),
                          ("name=&ip=10.0.0.1/8", "parameter name"), ("", "parameter name"),
                          ("name=" + "x" * 300 + "&ip=10.0.0.1/8", "bytes")):
        refused(guest.call("GET", CREDENTIAL + "?" + query), 401, b"PluginInternalError")
        broker.wait_log(reason)
    # The policy gives this guest this name and no other.
    set_policy(broker, 'package policy\ndefault allow = false\nallow if {\n'
               'data.plugin == "nebula-ca"\ndata.query.name == "a"\n'
               'not data.query.groups\n}\n')
    assert credential(guest, "name=a&ip=10.0.0.1/8")
    for query in ("name=b&ip=10.0.0.1/8", "name=a&ip=10.0.0.1/8&groups=db"):
        refused(guest.call("GET", CREDENTIAL + "?" + query), 401, b"PolicyDeny")
    # A CA that has ended signs nothing.
    broker.kill()
    broker.edit(lambda text: text.replace('duration = "2h"', 'duration = "2s"'))
    broker.start()
    guest, admin = guest_of(broker), kbs_broker.Client(broker, admin=True)
    assert admin.call("DELETE", CA)[0] == 200
    assert credential(guest, "name=a&ip=10.0.0.1/8")
    time.sleep(2.1)
    refused(guest.call("GET", CREDENTIAL + "?name=a&ip=10.0.0.1/8"), 401, b"PluginInternalError")
    broker.wait_log("the CA has expired")
    broker.remove()


def main():
    if kbs_broker is None:
        services.skip("python3-cryptography is not installed")
    if not shutil.which(PROGRAM):
        services.skip("nebula is not installed")
    code = services.run([v for k, v in globals().items() if k.startswith("test_")])
    shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
