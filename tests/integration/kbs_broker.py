# SPDX-License-Identifier: Apache-2.0
"""A key broker of one's own, and a client of it, for integration tests."""
import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time

import ending
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from services import b64url, canonical, unb64url


class Broker:
    """husk-kbs in a temporary folder, ended by the test that started it."""

    def __init__(self, program, husk, append="", sections=""):
        self.program, self.husk = program, husk
        self.dir = ending.folder("husk-kbs-")
        subprocess.run([program, "init", self.dir, "--listen", "127.0.0.1:0"], check=True,
                       stdout=subprocess.DEVNULL)
        self.config = os.path.join(self.dir, "husk-kbs.toml")
        self.edit(lambda text: sections + text + append)
        self.process = None
        self.port = None

    def edit(self, change):
        with open(self.config, encoding="utf-8") as f:
            text = f.read()
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(change(text))

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, env=None):
        log = open(self.path("log"), "ab")
        begin = os.path.getsize(self.path("log"))
        self.process = ending.start([self.program, "-c", self.config], stdout=log, stderr=log,
                                    start_new_session=True, env=env)
        log.close()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = re.findall(r"kbs\.listen .*port=(\d+)", self.log()[begin:])
            if found:
                self.port = int(found[-1])
                return self
            if self.process.poll() is not None:
                raise RuntimeError("the broker ended: " + self.log()[-2000:])
            time.sleep(0.02)
        raise RuntimeError("the broker does not start")

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, text, since=0):
        deadline = time.monotonic() + 20
        while text not in self.log()[since:]:
            if time.monotonic() > deadline:
                raise RuntimeError(text + " is not in the log")
            time.sleep(0.02)

    def kill(self, signo=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            if signo == signal.SIGKILL:
                os.killpg(self.process.pid, signo)
            else:
                self.process.send_signal(signo)
            self.process.wait(20)
        self.process = None

    def remove(self):
        """Ends the broker as an administrator does: what was built for it looks for leaks then."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                print("the broker does not end")
        self.kill()
        if os.path.exists(self.path("log")):
            ending.clean(self.log())
        shutil.rmtree(self.dir, ignore_errors=True)

    def token(self):
        with open(self.path("admin-token"), encoding="ascii") as f:
            return f.read().strip()

    def cli(self, *args, code=0, tenant=None, stdin=None):
        env = dict(os.environ, HUSK_KBS_URL="https://127.0.0.1:%d" % self.port,
                   HUSK_KBS_CERT=self.path("tls.crt"),
                   HUSK_KBS_ADMIN_TOKEN_FILE=self.path("admin-token"))
        if tenant:
            env["HUSK_KBS_TENANT"] = tenant
        done = subprocess.run([self.husk, "kbs", *args], env=env, capture_output=True, text=True,
                              input=stdin, check=False)
        if done.returncode != code:
            raise AssertionError("husk kbs %s: %d, %s" % (" ".join(args), done.returncode,
                                                          done.stderr))
        return done.stdout + done.stderr


class Client:
    """One connection; `call` returns (status, headers, body)."""

    def __init__(self, broker, admin=False, prefix="", context=None):
        self.broker, self.prefix = broker, prefix
        self.bearer = broker.token() if admin else None
        self.cookie = None
        self.context = context or ssl.create_default_context(cafile=broker.path("tls.crt"))
        self.connection = None
        self.key = ec.generate_private_key(ec.SECP256R1())

    def call(self, method, path, body=None, **headers):
        if self.connection is None:
            self.connection = http.client.HTTPSConnection("127.0.0.1", self.broker.port,
                                                          context=self.context, timeout=30)
        send = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.bearer:
            send["Authorization"] = "Bearer " + self.bearer
        if self.cookie:
            send["Cookie"] = self.cookie
        try:
            self.connection.request(method, self.prefix + path, body=body, headers=send)
            answer = self.connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.headers.get("Set-Cookie"):
            self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        return answer.status, answer.headers, data

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def jwk(self):
        numbers = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW",
                "x": b64url(numbers.x.to_bytes(32, "big")),
                "y": b64url(numbers.y.to_bytes(32, "big"))}

    def write_key(self, path):
        with open(path, "wb") as f:
            f.write(self.key.private_bytes(serialization.Encoding.PEM,
                                           serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))

    def decrypt(self, jwe):
        """A resource as the guest reads it: ECDH-ES+A256KW, A256GCM (RFC 7518)."""
        jwe = json.loads(jwe)
        header = json.loads(unb64url(jwe["protected"]))
        x, y = (int.from_bytes(unb64url(header["epk"][n]), "big") for n in "xy")
        peer = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        alg = header["alg"].encode()
        info = (len(alg).to_bytes(4, "big") + alg + bytes(8) + (256).to_bytes(4, "big"))
        kek = ConcatKDFHash(hashes.SHA256(), 32, info).derive(self.key.exchange(ec.ECDH(), peer))
        cek = keywrap.aes_key_unwrap(kek, unb64url(jwe["encrypted_key"]))
        return AESGCM(cek).decrypt(unb64url(jwe["iv"]), unb64url(jwe["ciphertext"]) +
                                   unb64url(jwe["tag"]), jwe["protected"].encode())

    def auth(self):
        status, _, body = self.call("POST", "/kbs/v0/auth", json.dumps(
            {"version": "0.4.0", "tee": "sample", "extra-params": {}}))
        return json.loads(body)["nonce"] if status == 200 else None

    def message(self, nonce, init_data=None):
        runtime = {"nonce": nonce, "tee-pubkey": self.jwk()}
        bound = dict(runtime, **{"additional-evidence": ""})
        evidence = {"svn": "1", "report_data":
                    base64.b64encode(hashlib.sha384(canonical(bound)).digest()).decode()}
        init = {"format": "toml", "body": init_data} if init_data else None
        return json.dumps({"init-data": init, "runtime-data": runtime, "tee-evidence": {
            "primary_evidence": evidence, "additional_evidence": ""}})

    def attest(self, init_data=None):
        """The whole handshake. Returns the token, None when it was refused."""
        nonce = self.auth()
        if nonce is None:
            return None
        status, _, body = self.call("POST", "/kbs/v0/attest", self.message(nonce, init_data))
        return json.loads(body)["token"] if status == 200 else None
