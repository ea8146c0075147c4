#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""husk verify --nras against a service on loopback that has the documented API of NVIDIA's.

usage: nras.py HUSK
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

HUSK = os.path.realpath(sys.argv[1])
KEY = ec.generate_private_key(ec.SECP384R1())
NONCE = "a5" * 32
asked, status, match = [], 200, True


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims):
    text = ".".join(b64url(json.dumps(x).encode()) for x in ({"alg": "ES384", "kid": "k1"}, claims))
    r, s = utils.decode_dss_signature(KEY.sign(text.encode(), ec.ECDSA(hashes.SHA384())))
    return text + "." + b64url(r.to_bytes(48, "big") + s.to_bytes(48, "big"))


class Service(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        n = KEY.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-384", "kid": "k1", "alg": "ES384",
               "x": b64url(n.x.to_bytes(48, "big")), "y": b64url(n.y.to_bytes(48, "big"))}
        self.reply(200 if self.path == "/.well-known/jwks.json" else 404, {"keys": [jwk]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked.append((self.path, body))
        now = int(time.time())
        claims = {"iss": "x", "iat": now, "nbf": now - 5, "exp": now + 60, "eat_nonce": body["nonce"]}
        device = dict(claims, **{"x-nvidia-gpu-attestation-report-nonce-match": match,
                                 "measres": "success"})
        overall = dict(claims, **{"x-nvidia-overall-att-result": True})
        self.reply(status, [["JWT", token(overall)], {"GPU-0": token(device)}])


server = HTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "http://127.0.0.1:%d/v4/attest" % server.server_port
passed = failed = 0


def check(what, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print("FAIL:", what)


def verify(nonce):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"device_evidence_list": [
            {"arch": "HOPPER", "evidence": "cmVwb3J0", "certificate": "cGVt"}]}, f)
        f.flush()
        run = subprocess.run([HUSK, "verify", "--json", "--nras-url", url, "--report-data", nonce,
                              f.name], capture_output=True, text=True, timeout=60)
        return run.returncode, run.stdout + run.stderr


code, text = verify(NONCE)
check("accepted: " + text, code == 0 and json.loads(text)[0]["devices"][0]["claims"]["measres"] == "success")
check("endpoint", asked and asked[-1][0] == "/v4/attest/gpu")
check("question", asked and asked[-1][1] == {
    "nonce": NONCE, "arch": "HOPPER", "claims_version": "3.0",
    "evidence_list": [{"evidence": "cmVwb3J0", "certificate": "cGVt"}]})
match = False
code, text = verify(NONCE)
check("another nonce: " + text, code == 3 and "not made for this session" in text)
match, status = True, 500
code, text = verify(NONCE)
check("an error: " + text, code == 3 and "status 500" in text)
server.shutdown()
print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
