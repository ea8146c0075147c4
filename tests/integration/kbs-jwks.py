#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Key sets of token issuers by https URL: fetched, refreshed, and not trusted when TLS does not
vouch for them, when they are no key sets, or before they came.

usage: kbs-jwks.py HUSK-KBS
"""
import json
import os
import shutil
import signal
import sys
import time

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
except ImportError:
    ec = None

import ending
import fake_http
import services
from services import b64url

WAIT_S = 30
folder = ending.folder("husk-py-")
identities = {}


def jwk_of(key, **more):
    n = key.public_key().public_numbers()
    return dict({"kty": "EC", "crv": "P-256", "x": b64url(n.x.to_bytes(32, "big")),
                 "y": b64url(n.y.to_bytes(32, "big"))}, **more)


class Issuer(fake_http.Fake):
    """Signs tokens; publishes whatever @pages has by path: (status, headers, body)."""

    def __init__(self, identity="issuer", port=0):
        self.pages = {}
        super().__init__(identities[identity], port)

    def serve(self, method, path, headers, body):
        status, more, page = self.pages.get(path, (404, {}, b"nothing here"))
        return status, page, more

    def publish(self, path, *keys):
        self.pages[path] = (200, {}, json.dumps({"keys": list(keys)}).encode())


class Signer:
    def __init__(self, kid):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = kid
        self.jwk = jwk_of(self.key, alg="ES256", kid=kid, use="sig")

    def admin_token(self, **more):
        return self.sign(dict({"exp": int(time.time()) + 600, "role": "operator"}, **more))

    def token(self):
        return self.sign({"exp": int(time.time()) + 600, "tee-pubkey": jwk_of(
            ec.generate_private_key(ec.SECP256R1()), alg="ECDH-ES+A256KW")})

    def sign(self, claims):
        text = b64url(json.dumps({"alg": "ES256", "kid": self.kid}).encode())
        text += "." + b64url(json.dumps(claims).encode())
        r, s = utils.decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def make_kbs(urls, more=""):
    def edit(text):
        return text.replace("\n[husk]\n", "\n[attestation_token]\ntrusted_jwk_sets = %s\n%s\n"
                            "[husk]\nremote_ca = \"%s/issuer.crt\"\n" % (
                                json.dumps(urls), more, folder))
    kbs = services.Kbs(sys.argv[1], "auth_rate = 0\n", edit)
    kbs.policy("package policy\nallow = true\n")
    assert kbs.admin("POST", "/kbs/v0/resource/a/b/c", b"secret")[0] == 200
    return kbs


def is_accepted(kbs, signer):
    status, answer = services.Client(kbs).request(
        "GET", "/kbs/v0/resource/a/b/c", headers={"Authorization": "Bearer " + signer.token()})
    assert status == 200 or (status == 401 and b"TokenVerifierError" in answer), answer
    return status == 200


def make_admin_kbs(url, more="", provider="", token_sets=()):
    """The key that `init` made stays an admin's; @url is of another identity provider."""
    def edit(text):
        acls = "[[admin.authorization.regex_acl.acls]]"
        assert acls in text
        text = text.replace(acls, "[[admin.authentication.bearer_jwt.identity_providers]]\n"
                            "jwk_set_uri = \"%s\"\n%s\n%s\nrole = \"operator\"\n"
                            "allowed_endpoints = \"^/kbs/v0/admin/policies$\"\n%s" % (
                                url, provider, acls, acls), 1)
        return text.replace("\n[husk]\n", "\n[attestation_token]\ntrusted_jwk_sets = %s\n%s\n"
                            "[husk]\nremote_ca = \"%s/issuer.crt\"\n" % (
                                json.dumps(list(token_sets)), more, folder))
    kbs = services.Kbs(sys.argv[1], "auth_rate = 0\n", edit)
    assert kbs.admin("POST", "/kbs/v0/resource/a/b/c", b"secret")[0] == 200
    return kbs


def is_admin(kbs, token, path="/kbs/v0/admin/policies"):
    status, answer = services.Client(kbs).request(
        "GET", path, headers={"Authorization": "Bearer " + token})
    assert status == 200 or (status == 401 and b"admin access denied" in answer), answer
    return status == 200


def wait_until(what, text=""):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("did not happen: " + text)


def wait_log(kbs, *texts, mark=0):
    wait_until(lambda: all(t in kbs.text()[mark:] for t in texts), "%s in %s" % (
        texts, kbs.text()[mark:]))


def test_fetched_and_rotated():
    issuer = Issuer()
    first, second, stranger = Signer("1"), Signer("2"), Signer("1")
    # Keys that are of no use to us are passed over.
    issuer.publish("/keys", {"kty": "oct", "k": "AAAA", "kid": "x"}, first.jwk,
                   jwk_of(first.key, alg="ECDH-ES", use="enc", kid="e"), {"kty": "XY"})
    kbs = make_kbs([issuer.url("/keys")])
    wait_log(kbs, "kbs.jwks.fetched")
    assert is_accepted(kbs, first)
    assert not is_accepted(kbs, second) and not is_accepted(kbs, stranger)
    # A token of an unknown key has the set fetched again, but not at once and not for each.
    count = len(issuer.requests)
    issuer.publish("/keys", second.jwk)
    for _ in range(50):
        is_accepted(kbs, second)
    wait_until(lambda: is_accepted(kbs, second), kbs.text())
    assert len(issuer.requests) - count <= 3, issuer.requests
    assert not is_accepted(kbs, first), "a key that was withdrawn"
    # What comes after a good set does not replace it, unless it is one.
    for body in (b"{", b"[]", b'{"keys": 1}', b'{"keys": []}', b'{"keys": [{"kty": "XY"}]}',
                 b'{"keys": [' + b" " * (2 << 20) + b"]}", b'{"keys": [], "keys": []}'):
        issuer.pages["/keys"] = (200, {}, body)
        mark = len(kbs.text())
        kbs.process.send_signal(signal.SIGHUP)
        wait_log(kbs, " kbs.reload ", "kbs.jwks.failed", mark=mark)
        assert is_accepted(kbs, second)
    kbs.close()
    issuer.close()


def test_not_there_yet():
    """Nothing is trusted before it came; it is asked for again until it does."""
    probe = Issuer()
    port = probe.port
    probe.close()
    signer = Signer("1")
    kbs = make_kbs(["https://localhost:%d/keys" % port])
    wait_log(kbs, "kbs.jwks.failed", "retry_s=")
    assert not is_accepted(kbs, signer)
    issuer = Issuer(port=port)
    issuer.publish("/keys", signer.jwk)
    wait_until(lambda: is_accepted(kbs, signer), kbs.text())
    kbs.close()
    issuer.close()


def test_untrusted():
    """Another CA, another protocol, a way out of TLS, sets that are none."""
    other = Issuer("other")
    issuer = Issuer()
    signer = Signer("1")
    other.publish("/keys", signer.jwk)
    issuer.publish("/good", signer.jwk)
    issuer.pages["/moved"] = (302, {"Location": issuer.url("/good")}, b"")
    issuer.pages["/none"] = (200, {}, b'{"keys": [{"kty": "oct", "k": "AAAA"}]}')
    issuer.pages["/plain/.well-known/openid-configuration"] = (
        200, {}, json.dumps({"jwks_uri": "http://localhost:%d/good" % issuer.port}).encode())
    urls = [other.url("/keys"), issuer.url("/moved"), issuer.url("/none"), issuer.url("/plain"),
            issuer.url("/absent")]
    kbs = make_kbs(urls)
    for url, reason in zip(urls, ("certificate", "HTTP 302", "no key that is of use",
                                  "not an https:// URL", "HTTP 404")):
        wait_until(lambda u=url, r=reason: any(
            "kbs.jwks.failed" in line and u in line and r in line
            for line in kbs.text().splitlines()), "%s: %s in %s" % (url, reason, kbs.text()))
    assert not is_accepted(kbs, signer)
    assert "kbs.jwks.fetched" not in kbs.text()
    kbs.close()
    other.close()
    issuer.close()
    for url in ("http://localhost/keys", "ftp://x", "https://", "https://user@host/keys"):
        try:
            make_kbs([url])
        except AssertionError as e:
            assert "trusted_jwk_sets" in str(e), e
        else:
            raise AssertionError(url)


def test_openid_and_reload():
    """Where the issuer is named instead of its set; and other sets by SIGHUP."""
    issuer = Issuer()
    first, second, third = Signer("1"), Signer("2"), Signer("3")
    issuer.pages["/realm/.well-known/openid-configuration"] = (
        200, {}, json.dumps({"issuer": "x", "jwks_uri": issuer.url("/certs")}).encode())
    issuer.publish("/certs", first.jwk)
    issuer.publish("/second", second.jwk)
    with open(folder + "/third.json", "w") as f:
        json.dump({"keys": [third.jwk]}, f)
    kbs = make_kbs([issuer.url("/realm/"), folder + "/third.json"])
    wait_until(lambda: is_accepted(kbs, first), kbs.text())
    assert is_accepted(kbs, third) and not is_accepted(kbs, second)
    path = os.path.join(kbs.folder, "husk-kbs.toml")

    def reload(old, new, expected):
        with open(path) as f:
            text = f.read()
        assert old in text
        with open(path, "w") as f:
            f.write(text.replace(old, new))
        mark = len(kbs.text())
        kbs.process.send_signal(signal.SIGHUP)
        wait_log(kbs, expected, mark=mark)

    reload('"%s"' % issuer.url("/realm/"), '"%s", "%s"' % (
        issuer.url("/realm/"), issuer.url("/second")), " kbs.reload ")
    assert is_accepted(kbs, first), "what was fetched before"
    wait_until(lambda: is_accepted(kbs, second), kbs.text())
    reload('"%s", ' % issuer.url("/realm/"), "", " kbs.reload ")
    assert not is_accepted(kbs, first) and is_accepted(kbs, second) and is_accepted(kbs, third)
    reload('"%s", ' % issuer.url("/second"), "", "takes a restart")
    assert is_accepted(kbs, second)
    kbs.close()
    issuer.close()


def test_admin():
    """Keys of admins by URL: role, issuer, rotation, and no way round any of it."""
    issuer = Issuer()
    first, second, stranger, guest = Signer("1"), Signer("2"), Signer("1"), Signer("3")
    no_kid = dict(guest.jwk)
    del no_kid["kid"]
    issuer.publish("/keys", {"kty": "oct", "k": "AAAA", "kid": "x"}, no_kid, first.jwk,
                   jwk_of(guest.key, use="enc", kid="3"), jwk_of(guest.key, alg="XY", kid="3"))
    kbs = make_admin_kbs(issuer.url("/keys"), provider='issuer = "me"\naudience = "kbs"')
    good = {"iss": "me", "aud": ["x", "kbs"]}
    wait_until(lambda: is_admin(kbs, first.admin_token(**good)), kbs.text())
    assert not is_admin(kbs, first.admin_token(**good), "/kbs/v0/admin/audit"), "the role's endpoints"
    assert is_admin(kbs, kbs.token), "the other provider's key"
    for token in (first.admin_token(iss="me", aud="y"), first.admin_token(iss="you", aud="kbs"),
                  first.admin_token(aud="kbs"), first.admin_token(**dict(good, exp=1)),
                  first.admin_token(**dict(good, role=7)), stranger.admin_token(**good),
                  guest.admin_token(**good), second.admin_token(**good), "a.b.c", ""):
        assert not is_admin(kbs, token), token
    # A key of admins does not vouch for guests.
    assert not is_accepted(kbs, first)
    count = len(issuer.requests)
    issuer.publish("/keys", second.jwk)
    for _ in range(50):
        is_admin(kbs, second.admin_token(**good))
    wait_until(lambda: is_admin(kbs, second.admin_token(**good)), kbs.text())
    assert len(issuer.requests) - count <= 3, issuer.requests
    assert not is_admin(kbs, first.admin_token(**good)), "a key that was withdrawn"
    # A token that a key verifies and that is refused for what it says, has nothing fetched.
    time.sleep(11)
    count = len(issuer.requests)
    for _ in range(20):
        is_admin(kbs, second.admin_token(iss="you", aud="kbs"))
    time.sleep(2)
    assert len(issuer.requests) == count, issuer.requests
    # What is no set, or cannot be fetched, leaves the last one; so does a reload.
    for page in ((200, {}, b'{"keys": [{"kty": "XY"}]}'), (200, {}, b"{"), (500, {}, b""),
                 (302, {"Location": issuer.url("/keys")}, b"")):
        issuer.pages["/keys"] = page
        mark = len(kbs.text())
        kbs.process.send_signal(signal.SIGHUP)
        wait_log(kbs, " kbs.reload ", "kbs.jwks.failed", mark=mark)
        assert is_admin(kbs, second.admin_token(**good)) and is_admin(kbs, kbs.token)
    kbs.close()
    issuer.close()


def test_admin_one_url_two_uses():
    """The same URL for guests and admins; then for guests only."""
    issuer = Issuer()
    signer = Signer("1")
    issuer.publish("/keys", signer.jwk)
    kbs = make_admin_kbs(issuer.url("/keys"), token_sets=[issuer.url("/keys")])
    kbs.policy("package policy\nallow = true\n")
    wait_until(lambda: is_admin(kbs, signer.admin_token()) and is_accepted(kbs, signer), kbs.text())
    path = os.path.join(kbs.folder, "husk-kbs.toml")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace('jwk_set_uri = "%s"' % issuer.url("/keys"),
                             'jwk_set_uri = "%s"' % issuer.url("/other")))
    mark = len(kbs.text())
    kbs.process.send_signal(signal.SIGHUP)
    wait_log(kbs, " kbs.reload ", "HTTP 404", mark=mark)
    assert is_accepted(kbs, signer) and not is_admin(kbs, signer.admin_token())
    assert is_admin(kbs, kbs.token)
    kbs.close()
    issuer.close()


def test_too_old():
    """Nobody is let in by keys that never came, nor by those that cannot be refreshed any more."""
    issuer = Issuer()
    signer = Signer("1")
    kbs = make_admin_kbs(issuer.url("/keys"), "jwks_refresh_min = 1\njwks_max_age_min = 1\n",
                         token_sets=[issuer.url("/keys")])
    kbs.policy("package policy\nallow = true\n")
    wait_log(kbs, "kbs.jwks.failed", "HTTP 404")
    assert not is_admin(kbs, signer.admin_token()) and is_admin(kbs, kbs.token)
    assert not is_accepted(kbs, signer)
    issuer.publish("/keys", signer.jwk)
    wait_until(lambda: is_admin(kbs, signer.admin_token()) and is_accepted(kbs, signer), kbs.text())
    issuer.close()
    end = time.monotonic() + 90
    while (is_admin(kbs, signer.admin_token()) or is_accepted(kbs, signer)) and time.monotonic() < end:
        time.sleep(1)
    assert not is_admin(kbs, signer.admin_token()) and not is_accepted(kbs, signer), kbs.text()
    assert "kbs.jwks.expired" in kbs.text() and "kbs.jwks.failed" in kbs.text()
    assert is_admin(kbs, kbs.token)
    kbs.close()


def main():
    if ec is None:
        services.skip("python3-cryptography is not installed")
    for name in ("issuer", "other"):
        identities[name] = fake_http.Identity(folder, name)
    code = services.run_together([v for k, v in globals().items() if k.startswith("test_")])
    shutil.rmtree(folder)
    return code


sys.exit(main())
