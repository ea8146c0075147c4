#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The plugin pkcs11 with SoftHSM2: secrets and a wrapping key of a token, and a module in front of it that
loses sessions, hangs, crashes and has its device pulled out.

usage: kbs-pkcs11.py HUSK-KBS HUSK P11-SIM
"""
import os
import sys
import time

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    import kbs_broker
    from plugin_broker import (ALLOW, actions, by_role, guest_of, metric, refused, set_policy,
                               start)
except ImportError:
    kbs_broker = None

import services
import token_files

SECRET = b"a secret of the owner \x00\xff"
PATH = "/kbs/v0/pkcs11/resource/a/b/c"
WRAP = "/kbs/v0/pkcs11/wrap-key"
PIN = token_files.PIN


def section(hsm, module=None, **keys):
    """The plugin's section; keys over the usual ones, None leaves one out."""
    usual = dict({"module": module or token_files.MODULE, "pin": PIN, "lookup_label": "wrap",
                  "module_files": [hsm.folder], "module_environment": hsm.environment()}, **keys)
    return '[[plugins]]\nname = "pkcs11"\n' + "".join(
        "%s = %s\n" % (k, services.json.dumps(v)) for k, v in usual.items() if v is not None)


def test_secrets():
    """Written by admins, read by guests, on the token and nowhere else."""
    hsm = token_files.Token()
    with open(hsm.path("pin"), "w") as f:
        f.write(PIN + "\n")
    broker = start(section(hsm, pin=None, pin_file=hsm.path("pin")))
    admin, guest = kbs_broker.Client(broker, admin=True), guest_of(broker)
    refused(guest.call("GET", PATH), 401, b"PluginInternalError")
    status, headers, answer = admin.call("POST", PATH, SECRET)
    assert (status, headers["Content-Type"], answer) == (200, "text/xml", b""), answer
    assert hsm.objects() == 1
    status, headers, answer = guest.call("GET", PATH)
    assert status == 200 and headers["Content-Type"] == "application/json", answer
    assert guest.decrypt(answer) == SECRET
    # Another one of that name takes its place; there are never two.
    big = bytes(range(256)) * 256
    assert admin.call("POST", PATH, big)[0] == 200
    assert guest.decrypt(guest.call("GET", PATH)[2]) == big
    assert hsm.objects() == 1
    # It survives the broker.
    broker.kill()
    broker.start()
    guest = guest_of(broker)
    admin = kbs_broker.Client(broker, admin=True)
    assert guest.decrypt(guest.call("GET", PATH)[2]) == big
    refused(guest.call("POST", PATH, b"x"), 401, b"AdminAuthAccess")
    refused(guest.call("DELETE", PATH), 401, b"AdminAuthAccess")
    refused(kbs_broker.Client(broker).call("GET", PATH), 401, b"TokenNotFound")
    assert admin.call("DELETE", PATH)[0] == 200 and hsm.objects() == 0
    refused(admin.call("DELETE", PATH), 401, b"no object a/b/c")
    refused(guest.call("GET", PATH), 401, b"PluginInternalError")
    for bad in ("a/b", "a/b/c/d", "a/../c", "a/b/"):
        refused(admin.call("POST", "/kbs/v0/pkcs11/resource/" + bad, b"x"), 401, b"TAG")
    refused(admin.call("POST", PATH, b""), 401, b"empty")
    refused(admin.call("POST", PATH, bytes((1 << 20) + 1)), 401, b"limit")
    refused(admin.call("GET", "/kbs/v0/pkcs11/other"), 404, b"PluginNotFound")
    for action in ("pkcs11.set", "pkcs11.delete", "pkcs11.release"):
        assert action in actions(broker), action
    # A tenant's are elsewhere on the token.
    assert admin.call("PUT", "/kbs/v0/admin/tenants/acme", b"{}")[0] == 200
    tenant = kbs_broker.Client(broker, admin=True, prefix="/tenants/acme")
    assert tenant.call("POST", PATH, b"acme's")[0] == 200
    assert hsm.objects() == 1
    assert tenant.call("POST", "/kbs/v0/resource-policy", services.json.dumps(
        {"policy": services.b64url(ALLOW.encode())}))[0] == 200
    theirs = guest_of(broker, prefix="/tenants/acme")
    assert theirs.decrypt(theirs.call("GET", PATH)[2]) == b"acme's"
    refused(guest.call("GET", PATH), 401, b"PluginInternalError")
    refused(tenant.call("POST", WRAP, b"x"), 401, b"not for tenants")
    set_policy(broker, "package policy\ndefault allow = false\n")
    refused(guest.call("GET", PATH), 401, b"PolicyDeny")
    assert PIN not in broker.log() and SECRET[:20].decode() not in broker.log()
    broker.remove()
    hsm.remove()


def unwrap(guest, body):
    status, _, answer = guest.call("GET", WRAP, body)
    return guest.decrypt(answer) if status == 200 else (status, answer)


def test_wrapping():
    """RSA-OAEP with SHA-256, and SHA-1 where it must be, both against another implementation."""
    hsm = token_files.Token()
    with open(hsm.import_key("wrap", "rsa"), "rb") as f:
        key = load_pem_private_key(f.read(), None)
    for name, digest in ((None, hashes.SHA256()), ("RsaPkcsTest", hashes.SHA1())):
        oaep = padding.OAEP(padding.MGF1(digest), digest, None)
        broker = start(section(hsm, rsa_mechanism=name))
        admin, guest = kbs_broker.Client(broker, admin=True), guest_of(broker)
        for plain in (b"", b"x", SECRET, bytes(256 - 2 * digest.digest_size - 2)):
            status, headers, wrapped = admin.call("POST", WRAP, plain)
            assert (status, headers["Content-Type"]) == (200, "text/xml"), wrapped
            assert key.decrypt(wrapped, oaep) == plain
            assert unwrap(guest, wrapped) == plain
            assert unwrap(guest, key.public_key().encrypt(plain, oaep)) == plain
        wrapped = admin.call("POST", WRAP, SECRET)[2]
        for bad in (b"", b"x", wrapped[:-1], wrapped + b"x", bytes(256), b"\xff" * 256,
                    bytes([wrapped[0] ^ 1]) + wrapped[1:], bytes(2000)):
            status, answer = unwrap(guest, bad)
            assert status == 401 and b"PluginInternalError" in answer, (bad, answer)
        refused(admin.call("POST", WRAP, bytes(256)), 401, b"does not fit")
        refused(guest.call("POST", WRAP, b"x"), 401, b"AdminAuthAccess")
        assert unwrap(guest, wrapped) == SECRET
        assert "pkcs11.wrap" in actions(broker)
        broker.remove()
    broker = start(section(hsm, lookup_label="none"))
    refused(kbs_broker.Client(broker, admin=True).call("POST", WRAP, b"x"), 401, b"none")
    broker.remove()
    broker = start(section(hsm, lookup_label=None))
    refused(kbs_broker.Client(broker, admin=True).call("POST", WRAP, b"x"), 401, b"lookup_label")
    broker.remove()
    hsm.remove()


def test_devices_fail():
    """A lost session is made again; a device that is away is waited for; a call that hangs ends."""
    hsm = token_files.Token()
    control = hsm.path("control")
    broker = start(section(hsm, module=os.path.abspath(sys.argv[3]), module_timeout=2, module_environment=[
        "P11_SIM_MODULE=" + token_files.MODULE, "P11_SIM_CONTROL=" + control] +
        hsm.environment()))
    admin, guest = kbs_broker.Client(broker, admin=True), guest_of(broker)
    assert admin.call("POST", PATH, SECRET)[0] == 200

    def say(word):
        with open(control, "w") as f:
            f.write(word)

    say("lose")
    assert guest.decrypt(guest.call("GET", PATH)[2]) == SECRET
    broker.wait_log("hsm.session.lost")
    say("gone")
    refused(guest.call("GET", PATH), 503, b"not reachable")
    refused(admin.call("POST", PATH, b"x"), 503, b"not reachable")
    os.remove(control)
    assert guest.decrypt(guest.call("GET", PATH)[2]) == SECRET
    for word in ("hang", "crash"):
        say(word)
        begin = time.monotonic()
        refused(guest.call("GET", PATH), 503, b"not reachable")
        assert time.monotonic() - begin < 4
        os.remove(control)
        deadline = time.monotonic() + 10
        while True:
            status, _, answer = guest.call("GET", PATH)
            if status == 200 or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        assert guest.decrypt(answer) == SECRET
    assert metric(broker, 'kbs_plugin_errors_total{plugin_name="pkcs11"}') >= 4
    broker.remove()
    hsm.remove()


def test_wrong_pin_is_shown_once():
    """The token counts; the broker does not use up its patience."""
    hsm = token_files.Token()
    control = hsm.path("control")
    broker = start(section(hsm, module=os.path.abspath(sys.argv[3]), pin="wrong-pin-9", module_environment=[
        "P11_SIM_MODULE=" + token_files.MODULE, "P11_SIM_CONTROL=" + control] +
        hsm.environment()))
    admin = kbs_broker.Client(broker, admin=True)
    for _ in range(5):
        refused(admin.call("POST", PATH, b"x"), 401, b"refused the PIN")
    with open(control + ".logins") as f:
        assert f.read().count("login") == 1
    assert "CKR_PIN_INCORRECT" in broker.log() and "wrong-pin-9" not in broker.log()
    broker.remove()
    hsm.remove()


def test_no_module():
    """The broker serves what it can, and says why the rest is not there."""
    hsm = token_files.Token()
    for module, text in (("/nonexistent/module.so", "cannot read"),
                         ("/usr/lib/x86_64-linux-gnu/libz.so.1", "no PKCS#11 module"),
                         (hsm.path("softhsm2.conf"), "softhsm2.conf")):
        broker = start(section(hsm, module=module))
        broker.wait_log(text)
        assert guest_of(broker)
        assert broker.log().count("hsm.stopped") == 1
        broker.remove()
    hsm.remove()


def test_pin_is_the_hsms():
    """Of all processes only the one that has the module has the PIN."""
    hsm = token_files.Token()
    broker = start(section(hsm, connections=2, pin="PIN-of-the-token-42"))
    roles = by_role(broker, lambda config, _: b"PIN-of-the-token-42" in config)
    assert roles == {"vault": [False], "front": [False], "verifier": [False],
                     "hsm": [True] * 2}, roles
    broker.remove()
    hsm.remove()


def main():
    if kbs_broker is None:
        services.skip("python3-cryptography is not installed")
    if not token_files.available():
        services.skip("softhsm2 is not installed")
    return services.run([v for k, v in globals().items() if k.startswith("test_")])


if __name__ == "__main__":
    sys.exit(main())
