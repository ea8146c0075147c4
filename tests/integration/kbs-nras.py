#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GPUs of guests verified by NVIDIA's remote service, which is one on loopback with the documented API.

usage: kbs-nras.py HUSK-KBS HUSK
"""
import base64
import hashlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kbs_broker import Broker, Client, b64url, canonical, unb64url  # noqa: E402

KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
GOOD = {"x-nvidia-gpu-attestation-report-nonce-match": True, "measres": "success", "secboot": True,
        "dbgstat": "disabled", "x-nvidia-gpu-driver-version": "570.1", "hwmodel": "GH100"}


def token(claims, key):
    text = ".".join(b64url(json.dumps(x).encode()) for x in ({"alg": "ES384", "kid": "k1"}, claims))
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA384())))
    return text + "." + b64url(r.to_bytes(48, "big") + s.to_bytes(48, "big"))


class Nras(ThreadingHTTPServer):
    """What it does wrong is set by the tests."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.keys_read = [], 0
        self.reset()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/v4/attest" % self.server_port

    def handle_error(self, *_):
        """Who asked does not read all of an answer that is too large."""

    def reset(self):
        self.status, self.key, self.nonce, self.claims, self.until, self.body = 200, KEY, None, {}, 60, None
        self.delay, self.broken = 0, None  # seconds each answer takes; a device that gets 500 at once


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, code, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        n = KEY.public_key().public_numbers()
        self.server.keys_read += 1
        self.reply(200 if self.path == "/.well-known/jwks.json" else 404, {"keys": [
            {"kty": "EC", "crv": "P-384", "kid": "k1", "alg": "ES384",
             "x": b64url(n.x.to_bytes(48, "big")), "y": b64url(n.y.to_bytes(48, "big"))}]})

    def do_POST(self):
        s = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        s.asked.append((self.path, body))
        if s.broken and any(e["evidence"] == s.broken for e in body["evidence_list"]):
            self.reply(500, {})
            return
        time.sleep(s.delay)
        now = int(time.time())
        claims = {"iss": "x", "iat": now, "nbf": now - 1, "exp": now + s.until, "eat_nonce": s.nonce or body["nonce"]}
        device = dict(claims, **dict(GOOD, **s.claims))
        self.reply(s.status, s.body or [["JWT", token(dict(claims, **{"x-nvidia-overall-att-result": True}), s.key)],
                                        {"GPU-0": token(device, s.key)}])


def expect(what, have, want):
    if have != want:
        raise AssertionError("%s: %r, not %r" % (what, have, want))


def device(name):
    return {"arch": "HOPPER", "uuid": name, "evidence": base64.b64encode(name.encode()).decode(),
            "certificate": base64.b64encode(b"chain of " + name.encode()).decode()}


def attest(broker, devices):
    """Returns the token's submods, or None, and the verdict."""
    guest, admin = Client(broker), Client(broker, admin=True)
    nonce = guest.auth()
    message = json.loads(guest.message(nonce))
    if devices is not None:
        extra = json.dumps({"nvidia": {"device_evidence_list": devices}})
        bound = dict(message["runtime-data"], **{"additional-evidence": extra})
        message["tee-evidence"]["additional_evidence"] = extra
        message["tee-evidence"]["primary_evidence"]["report_data"] = base64.b64encode(
            hashlib.sha384(canonical(bound)).digest()).decode()
    status, _, body = guest.call("POST", "/kbs/v0/attest", json.dumps(message))
    last = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=1")[2])[0]
    verdict = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts/" + last["id"])[2])
    wanted = hashlib.sha384(canonical(message["runtime-data"])).digest()[:32].hex()
    if status != 200:
        return None, verdict, wanted
    return json.loads(unb64url(json.loads(body)["token"].split(".")[1]))["submods"], verdict, wanted


def test_one(broker, nras):
    submods, verdict, nonce = attest(broker, [device("GPU-1")])
    expect("endpoint", nras.asked[-1][0], "/v4/attest/gpu")
    expect("question", nras.asked[-1][1], {
        "nonce": nonce, "arch": "HOPPER", "claims_version": "3.0",
        "evidence_list": [{"evidence": device("GPU-1")["evidence"], "certificate": device("GPU-1")["certificate"]}]})
    claims = submods["gpu0"]["ear.veraison.annotated-evidence"]["nvidia"]
    expect("claims", (claims["measres"], claims["x-nvidia-overall-att-result"]), ("success", True))
    expect("kept", [p["name"] for p in verdict["claims"]["pieces"]], ["cpu0", "gpu0"])
    expect("check", [c["ok"] for c in verdict["checks"] if c["name"] == "remote verification"], [True])


def test_several(broker, nras):
    before = len(nras.asked)
    submods, _, _ = attest(broker, [device("GPU-%d" % n) for n in range(4)] + [dict(device("SW"), arch="LS10")])
    expect("refused: a switch has other claims", submods, None)
    expect("asked in one round", sorted(p for p, _ in nras.asked[before:]), ["/v4/attest/gpu"] * 4 + ["/v4/attest/switch"])
    nras.claims = {"x-nvidia-switch-attestation-report-nonce-match": True}
    submods, _, _ = attest(broker, [device("GPU-%d" % n) for n in range(4)] + [dict(device("SW"), arch="LS10")])
    expect("submods", sorted(submods), ["cpu0", "gpu0", "gpu1", "gpu2", "gpu3", "switch0"])


def test_at_once(broker, nras):
    """A service that takes 3 s for a device takes little more for eight; one hard failure is enough."""
    nras.delay = 3
    begin = time.monotonic()
    submods, _, _ = attest(broker, [device("GPU-%d" % n) for n in range(8)])
    took = time.monotonic() - begin
    expect("devices", len(submods), 9)
    if took > 15:
        raise AssertionError("one after another: %.1f s" % took)
    nras.delay, nras.broken = 10, device("GPU-5")["evidence"]
    begin = time.monotonic()
    submods, verdict, _ = attest(broker, [device("GPU-%d" % n) for n in range(8)])
    took = time.monotonic() - begin
    expect("refused", (submods, "status 500" in verdict["reason"]), (None, True))
    if took > 9:
        raise AssertionError("waited for the others: %.1f s" % took)


def test_too_slow(broker, nras):
    """The time is for all devices together."""
    nras.delay = 29
    begin = time.monotonic()
    submods, verdict, _ = attest(broker, [device("GPU-%d" % n) for n in range(3)])
    took = time.monotonic() - begin
    expect("refused", (submods, "in time" in verdict["reason"]), (None, True))
    if took > 28:
        raise AssertionError("took %.1f s" % took)


def test_not_asked(broker, nras):
    before = len(nras.asked), nras.keys_read
    expect("cpu alone", sorted(attest(broker, None)[0]), ["cpu0"])
    expect("nobody was asked", (len(nras.asked), nras.keys_read), before)
    for bad in ([], [dict(device("x"), arch="VOLTA")], [dict(device("x"), evidence="%")], [7]):
        expect("refused", attest(broker, bad)[0], None)
    expect("nobody was asked", (len(nras.asked), nras.keys_read), before)


def refused(broker, *parts):
    submods, verdict, _ = attest(broker, [device("GPU-1")])
    expect("no token", submods, None)
    expect("status", (verdict["status"], verdict["stage"]), ("refused", "evidence"))
    for part in parts:
        if part not in verdict["reason"]:
            raise AssertionError("%r is not in %r" % (part, verdict["reason"]))


def test_refusals(broker, nras):
    for change, parts in (
            ({"key": OTHER_KEY}, ("NRAS",)),
            ({"nonce": "ab" * 32}, ("another nonce",)),
            ({"claims": {"x-nvidia-gpu-attestation-report-nonce-match": False}}, ("not made for this session",)),
            ({"claims": {"x-nvidia-gpu-attestation-report-nonce-match": "true"}}, ("not made for this session",)),
            ({"until": -3600}, ("NRAS",)),
            ({"status": 500}, ("NRAS", "status 500")),
            ({"body": b"[]"}, ("detached EAT",)),
            ({"body": b"\xff\xfe"}, ("NRAS",)),
            ({"body": b"x" * (2 << 20)}, ("NRAS",))):
        nras.reset()
        for name, value in change.items():
            setattr(nras, name, value)
        try:
            refused(broker, *parts)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (str(change)[:80], error)) from error
    nras.reset()
    expect("good again", "gpu0" in attest(broker, [device("GPU-1")])[0], True)


def test_dry_run(broker, nras):
    """Claims of the service are kept, and policies about GPUs can be tried on them."""
    _, verdict, _ = attest(broker, [device("GPU-1")])
    policy = "package policy\nimport rego.v1\ntrust_claims := {\"hardware\": 2} if input.nvidia.measres == \"success\"\n"
    status, _, body = Client(broker, admin=True).call("POST", "/kbs/v0/admin/dry-run", json.dumps(
        {"policy_id": "default_gpu", "policy": b64url(policy.encode()), "verdict": verdict["id"]}))
    expect("status", status, 200)
    expect("gpu", [(p["name"], p["candidate"]["status"]) for p in json.loads(body)["results"][0]["pieces"]],
           [("gpu0", "affirming")])


def test_away(broker, nras):
    nras.shutdown()
    nras.server_close()
    refused(broker, "NRAS")
    expect("cpu alone", sorted(attest(broker, None)[0]), ["cpu0"])


def main():
    nras = Nras()
    broker = Broker(sys.argv[1], sys.argv[2])
    broker.edit(lambda t: t.replace("[attestation_service]\n", "[attestation_service]\ninsecure_accept_sample = true\n", 1) +
                "\n[attestation_service.verifier_config.nvidia_verifier]\ntype = \"Remote\"\nverifier_url = \"%s\"\n" % nras.url)
    bad = 0
    try:
        broker.start()
        for test in (test_one, test_several, test_at_once, test_too_slow, test_not_asked, test_refusals, test_dry_run, test_away):
            nras.reset()
            try:
                test(broker, nras)
                print("ok", test.__name__)
            except Exception as error:  # each failure is one line, the others still run
                bad += 1
                print("FAIL", test.__name__, "%s: %s" % (type(error).__name__, error))
        if bad:
            print(broker.log()[-3000:])
    finally:
        broker.remove()
    return 1 if bad else 0


sys.exit(main())
