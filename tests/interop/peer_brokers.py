# SPDX-License-Identifier: Apache-2.0
"""husk's key broker and Trustee's `kbs`, both with the same certificate, administrators, plugins and
roots for tokens, and what a client sees of their answers."""
import base64
import datetime
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
import ending  # noqa: E402
from services import b64url, canonical  # noqa: E402

START_S = 30
ALLOW = "package policy\nallow = true\n"
DENY = "package policy\nallow = false\n"
SECRET = b"a secret of the owner"
PATH = "/kbs/v0/resource/repo/kind/tag"
COMMON = """
[http_server]
sockets = ["127.0.0.1:{port}"]
certificate = "{dir}/kbs/tls.crt"
private_key = "{dir}/kbs/tls.key"

[admin]
authorization_mode = "AuthenticatedAuthorization"

[[admin.authentication.bearer_jwt.identity_providers]]
issuer = "interop"
audience = "brokers"
public_key_uri = "file://{dir}/admin.pub"

[[admin.authorization.regex_acl.acls]]
role = "admin"
allowed_endpoints = "^/kbs/v0/.*$"

[[admin.authorization.regex_acl.acls]]
role = "reader"
allowed_endpoints = "^/kbs/v0/reference-value/[a-zA-Z0-9_]+$"

[attestation_token]
trusted_certs_paths = ["{dir}/root.crt"]

[attestation_service]
type = "coco_as_builtin"
timeout = 5
{husk_sample}

[attestation_service.attestation_token_broker]
duration_min = 5

[attestation_service.attestation_token_broker.signer]
key_path = "{dir}/{name}.key"
cert_path = "{dir}/{name}.crt"

[attestation_service.rvps_config]
type = "BuiltIn"

[[plugins]]
name = "resource"
storage_backend_type = "kvstorage"

[[plugins]]
name = "sample"
item = "something"

[[plugins]]
name = "provisioner"
"""
HUSK = """
[husk]
store = "{dir}/kbs/store/husk.db"
auth_rate = 0
"""
PEER = """
[storage_backend]
storage_type = "Memory"
"""


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def jwt(key, claims, header=None):
    """A token of an administrator: Ed25519."""
    head = header or {"alg": "EdDSA", "typ": "JWT"}
    text = "%s.%s" % (b64url(json.dumps(head).encode()), b64url(json.dumps(claims).encode()))
    return text + "." + b64url(key.sign(text.encode()))


def certificate(name, key, issuer=None, issuer_key=None):
    """A root, or with @issuer an end entity of it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = (issuer_key or key).public_key()
    now = int(time.time())
    ca = issuer is None
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    at = datetime.datetime.utcfromtimestamp
    return (x509.CertificateBuilder().subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(at(now - 3600)).not_valid_after(at(now + 86400))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), False)
            .sign(issuer_key or key, hashes.SHA256()))


class Material:
    """What both brokers are given, in a temporary folder."""

    def __init__(self, husk_kbs):
        self.dir = tempfile.mkdtemp(prefix="husk-peer-")
        subprocess.run([husk_kbs, "init", os.path.join(self.dir, "kbs"), "--listen", "127.0.0.1:0"],
                       check=True, stdout=subprocess.DEVNULL)
        self.admin_key = ed25519.Ed25519PrivateKey.generate()
        self.write("admin.pub", self.admin_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = certificate("Root of tokens", root_key)
        self.write("root.crt", root.public_bytes(serialization.Encoding.PEM))
        for name in ("husk", "peer"):
            key = ec.generate_private_key(ec.SECP256R1())
            leaf = certificate(name, key, root, root_key)
            self.write(name + ".key", pem(key))
            self.write(name + ".crt", leaf.public_bytes(serialization.Encoding.PEM))
        self.tls = ssl.create_default_context(cafile=self.path("kbs/tls.crt"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)

    def token(self, key=None, header=None, **changes):
        claims = {"iss": "interop", "aud": ["brokers"], "role": "admin",
                  "iat": int(time.time()), "exp": int(time.time()) + 3600}
        claims.update(changes)
        claims = {k: v for k, v in claims.items() if v is not None}
        return jwt(key or self.admin_key, claims, header)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.type = (response.headers.get("Content-Type") or "").split(";")[0]
        try:
            self.json = json.loads(self.body)
        except ValueError:
            self.json = None

    def error(self):
        if self.status == 200 or not isinstance(self.json, dict):
            return None
        return str(self.json.get("type", "")).rsplit("/", 1)[-1]

    def detail(self):
        return self.json.get("detail", "") if isinstance(self.json, dict) else ""

    def brief(self):
        """Status, kind of error or type of the body, and the body's shape, in one line."""
        if self.status != 200:
            error = self.error()
            known = error and set(self.json) == {"type", "detail"}
            return "%d %s" % (self.status, error if known else "body of %d" % min(len(self.body), 1))
        shape = "empty" if not self.body else "text"
        if isinstance(self.json, dict):
            shape = ",".join(sorted(self.json))
        elif isinstance(self.json, list):
            shape = "list"
        return "200 %s %s" % (self.type or "-", shape)


class Side:
    """One of the two brokers, running."""

    def __init__(self, name, program, material):
        self.name, self.material = name, material
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        fields = {"dir": material.dir, "port": self.port, "name": name,
                  "husk_sample": "insecure_accept_sample = true" if name == "husk" else ""}
        config = material.path(name + ".toml")
        with open(config, "w", encoding="utf-8") as f:
            f.write((COMMON + (HUSK if name == "husk" else PEER)).format(**fields))
        self.log = material.path(name + ".log")
        with open(self.log, "wb") as log:
            self.process = ending.start([program, "-c", config], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log, start_new_session=True,
                                        env=dict(os.environ, RUST_BACKTRACE="0"))
        self.wait()

    def wait(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.call("GET", "/healthz").status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("%s does not start: %s" % (self.name, self.text()[-4000:]))

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return re.sub("\x1b\\[[0-9;]*m", "", f.read())

    def call(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30,
                                                 context=self.material.tls)
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def admin(self, method, path, body=None, **claims):
        bearer = {"Authorization": "Bearer " + self.material.token(**claims)}
        return self.call(method, path, body, bearer)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Guest:
    """A guest with sample evidence and a session."""

    def __init__(self, side, key):
        self.side, self.key = side, key
        self.cookie = self.nonce = self.token = None
        self.attributes = ""

    def call(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.cookie:
            headers["Cookie"] = self.cookie
        answer = self.side.call(method, path, body, headers)
        set_cookie = answer.headers.get("Set-Cookie")
        if set_cookie:
            self.cookie, _, self.attributes = set_cookie.partition(";")
        return answer

    def auth(self, tee="sample", version="0.4.0", **changes):
        request = {"version": version, "tee": tee, "extra-params": {
            "supported-hash-algorithms": ["sha256", "sha384", "sha512", "sm3"]}}
        request.update(changes)
        answer = self.call("POST", "/kbs/v0/auth", request)
        if answer.status == 200:
            self.nonce = answer.json["nonce"]
        return answer

    def evidence(self, runtime, **changes):
        digest = hashlib.sha384(canonical(runtime)).digest()
        evidence = {"svn": "1", "report_data": base64.b64encode(digest).decode()}
        evidence.update(changes)
        return evidence

    def message(self, additional="", init_data=None, **claims):
        runtime = {"nonce": self.nonce, "tee-pubkey": self.key.public()}
        bound = dict(runtime, **{"additional-evidence": additional})
        return {"init-data": init_data, "runtime-data": runtime, "tee-evidence": {
            "primary_evidence": self.evidence(bound, **claims),
            "additional_evidence": additional}}

    def device(self, **claims):
        """Text of additional evidence: a device of the sample kind."""
        runtime = {"nonce": self.nonce, "tee-pubkey": self.key.public()}
        return json.dumps({"sampledevice": self.evidence(runtime, **claims)})

    def attest(self, message=None):
        answer = self.call("POST", "/kbs/v0/attest", message or self.message())
        if answer.status == 200 and isinstance(answer.json, dict):
            self.token = answer.json.get("token")
        return answer


def policy(side, rego, where="resource-policy", **more):
    return side.admin("POST", "/kbs/v0/" + where, dict({"policy": b64url(rego.encode())}, **more))


def reference(side, values, **changes):
    message = {"version": "0.1.0", "type": "sample",
               "payload": base64.b64encode(json.dumps(values).encode()).decode()}
    message.update(changes)
    message = {k: v for k, v in message.items() if v is not None}
    return side.admin("POST", "/kbs/v0/reference-value", message)


def ready(side, key):
    """An attested guest."""
    guest = Guest(side, key)
    guest.auth()
    answer = guest.attest()
    assert answer.status == 200, answer.body
    return guest
