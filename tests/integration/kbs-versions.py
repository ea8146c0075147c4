#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of every version of the KBS protocol, side by side on one broker. The messages are
recorded shapes of guest-components' kbs_protocol of that time; keys and decryption are
python3-cryptography's, so nothing of husk judges itself.

usage: kbs-versions.py HUSK-KBS
"""
import json
import sys

import services

try:
    from tee_keys import Ec, Rsa, open_jwe, open_old
except ImportError:
    services.skip("python3-cryptography is not installed")

SECRET = b"a secret of the owner"
ALLOW = "package policy\nallow = true\n"
kbs = None


def old_message(nonce, key, text):
    """0.1.0 to 0.2.0: bound to nonce and key; the evidence is text (0.1.0) or a value."""
    evidence = services.sample_evidence({"nonce": nonce, "tee-pubkey": key.public()})
    return {"tee-pubkey": key.public(), "tee-evidence": json.dumps(evidence) if text else evidence}


def composite(nonce, key):
    return {"primary_evidence": services.sample_evidence(
        {"additional-evidence": "", "nonce": nonce, "tee-pubkey": key.public()}),
        "additional_evidence": ""}


def message_0_3(nonce, key):
    return {"tee-pubkey": key.public(), "tee-evidence": composite(nonce, key)}


def message_0_4(nonce, key):
    return {"init-data": None, "runtime-data": {"nonce": nonce, "tee-pubkey": key.public()},
            "tee-evidence": composite(nonce, key)}


HASHES = {"supported-hash-algorithms": ["sha256", "sha384", "sha512"]}
# version: extra-params, message, how the answer is opened, keys that its clients have
VERSIONS = {
    "0.1.0": ("", lambda n, k: old_message(n, k, True), open_old, [lambda: Rsa("RSA1_5")]),
    "0.1.1": (HASHES, lambda n, k: old_message(n, k, False), open_old, [lambda: Rsa("RSA1_5")]),
    "0.2.0": (HASHES, lambda n, k: old_message(n, k, False), open_jwe,
              [Ec, lambda: Rsa("RSA-OAEP-256")]),
    "0.3.0": (HASHES, message_0_3, open_jwe, [Ec, lambda: Rsa("RSA-OAEP-256")]),
    "0.4.0": (HASHES, message_0_4, open_jwe, [Ec, lambda: Rsa("RSA-OAEP-256")]),
}


def auth(version, broker=None):
    c = services.Client(broker or kbs)
    status, answer = c.request("POST", "/kbs/v0/auth", {
        "version": version, "tee": "sample", "extra-params": VERSIONS.get(version, HASHES)[0]
        if version in VERSIONS else ""})
    answer = json.loads(answer)
    return c, status, answer


def attest(version, key, message=None):
    c, status, challenge = auth(version)
    assert status == 200, challenge
    assert challenge["extra-params"] == ""
    message = message or VERSIONS[version][1]
    return c, c.request("POST", "/kbs/v0/attest", message(challenge["nonce"], key))


def test_every_version():
    for version, (_, _, opened, keys) in VERSIONS.items():
        for make in keys:
            key = make()
            c, (status, answer) = attest(version, key)
            assert status == 200, (version, answer)
            assert json.loads(answer)["token"].count(".") == 2
            status, answer = c.request("GET", "/kbs/v0/resource/a/b/c")
            assert status == 200, (version, answer)
            assert opened(key, json.loads(answer)) == SECRET, version


def test_interleaved():
    """Sessions of all versions at once: each keeps its own."""
    started = {}
    for version in VERSIONS:
        key = VERSIONS[version][3][0]()
        c, status, challenge = auth(version)
        assert status == 200
        started[version] = (c, key, challenge["nonce"])
    for version, (c, key, nonce) in reversed(list(started.items())):
        status, answer = c.request("POST", "/kbs/v0/attest", VERSIONS[version][1](nonce, key))
        assert status == 200, (version, answer)
    for version, (c, key, nonce) in started.items():
        status, answer = c.request("GET", "/kbs/v0/resource/a/b/c")
        assert VERSIONS[version][2](key, json.loads(answer)) == SECRET


def test_message_of_another_version():
    """What a session began with is what it must go on with."""
    for version in VERSIONS:
        for other in VERSIONS:
            if other == version or {other, version} == {"0.1.1", "0.2.0"}:
                continue  # those two differ in the answer only
            key = VERSIONS[other][3][0]()
            _, (status, answer) = attest(version, key, VERSIONS[other][1])
            assert status == 401, (version, other, answer)


def test_replay():
    for version in VERSIONS:
        key = VERSIONS[version][3][0]()
        c, status, challenge = auth(version)
        message = VERSIONS[version][1](challenge["nonce"], key)
        status, answer = c.request("POST", "/kbs/v0/attest", message)
        assert status == 200
        # The same evidence in another session: bound to the first one's nonce.
        c, status, challenge = auth(version)
        status, answer = c.request("POST", "/kbs/v0/attest", message)
        assert status == 401, version


def test_key_is_bound():
    """Another key beside good evidence, also when only its algorithm differs."""
    for version in VERSIONS:
        key, thief = VERSIONS[version][3][0](), VERSIONS[version][3][0]()

        def swapped(nonce, k):
            message = VERSIONS[version][1](nonce, k)
            holder = message.get("runtime-data", message)
            holder["tee-pubkey"] = thief.public()
            return message

        def renamed(nonce, k):
            message = VERSIONS[version][1](nonce, k)
            holder = message.get("runtime-data", message)
            holder["tee-pubkey"] = dict(holder["tee-pubkey"], alg="RSA-OAEP")
            return message

        for change in (swapped, renamed):
            _, (status, answer) = attest(version, key, change)
            assert status == 401, (version, change.__name__)


def test_weak_keys_stay_old():
    """RSA1_5 is for 0.1 only, and 0.1 gets nothing else."""
    for version, key in (("0.2.0", Rsa("RSA1_5")), ("0.3.0", Rsa("RSA1_5")),
                         ("0.4.0", Rsa("RSA1_5")), ("0.1.1", Ec()),
                         ("0.1.0", Rsa("RSA-OAEP-256"))):
        c, (status, answer) = attest(version, key)
        assert status == 200, (version, answer)
        status, answer = c.request("GET", "/kbs/v0/resource/a/b/c")
        assert status == 401 and b"JweError" in answer, (version, answer)


def test_unknown_versions():
    for version in ("0.0.9", "0.1.2", "0.5.0", "1.0.0", "0.4", ""):
        _, status, answer = auth(version)
        assert status == 401, version
        assert answer["detail"].endswith("KBS Client Protocol Version Mismatch: expect =0.4.0 "
                                         "while the request is " + version), answer


def test_oldest_is_a_setting():
    broker = services.Kbs(sys.argv[1], 'protocol_min = "0.3.0"\n')
    for version, want in (("0.4.0", 200), ("0.3.0", 200), ("0.2.0", 401), ("0.1.0", 401)):
        _, status, _ = auth(version, broker)
        assert status == want, version
    broker.close()


def main():
    global kbs
    kbs = services.Kbs(sys.argv[1], "auth_rate = 0\n")
    kbs.policy(ALLOW)
    status, answer = kbs.admin("POST", "/kbs/v0/resource/a/b/c", SECRET)
    assert status == 200, answer
    code = services.run([v for k, v in globals().items() if k.startswith("test_")])
    kbs.close()
    return code


sys.exit(main())
