#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The broker with services elsewhere: attestation by gRPC (husk-as, and one that lies), reference
values by gRPC (husk-rvps), Intel Trust Authority (a fake of its documented interface), and tokens that
guests got somewhere else (passport).

usage: kbs-remote.py HUSK-KBS HUSK-AS HUSK-RVPS HUSK
"""
import base64
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

try:
    import grpc
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
except ImportError:
    grpc = None

import ending
import fake_http
import services
from services import b64url, canonical

SECRET = b"a secret of the owner"
ALLOW = "package policy\nallow = true\n"
AFFIRM = """package policy
import rego.v1
default executables := 33
prefix := "sv"
executables := 3 if input.sample.svn in query_reference_value(concat("", [prefix, "n"]))
trust_claims := {"executables": executables, "hardware": 2, "configuration": 2}
"""
AFFIRMED = """package policy
import rego.v1
default allow := false
allow if input.submods.cpu0["ear.status"] == "affirming"
"""
folder = ending.folder("husk-py-")


def number(n, size):
    return b64url(n.to_bytes(size, "big"))


class Guest:
    """A client of protocol 0.4.0 with an EC key."""

    def __init__(self, kbs, tee="sample", algorithm="sha384"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        n = self.key.public_key().public_numbers()
        self.jwk = {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW",
                    "x": number(n.x, 32), "y": number(n.y, 32)}
        self.client = services.Client(kbs)
        self.tee = tee
        self.algorithm = algorithm

    def auth(self):
        status, answer = self.client.request("POST", "/kbs/v0/auth", {
            "version": "0.4.0", "tee": self.tee,
            "extra-params": {"supported-hash-algorithms": ["sha256", "sha384", "sha512"]}})
        assert status == 200, answer
        self.challenge = json.loads(answer)
        return self.challenge

    def runtime(self):
        return {"additional-evidence": "", "nonce": self.challenge["nonce"],
                "tee-pubkey": self.jwk}

    def attest(self, evidence=None):
        self.auth()
        return self.client.request("POST", "/kbs/v0/attest", {
            "init-data": None,
            "runtime-data": {"nonce": self.challenge["nonce"], "tee-pubkey": self.jwk},
            "tee-evidence": {"primary_evidence": evidence or services.sample_evidence(
                self.runtime(), self.algorithm), "additional_evidence": ""}})

    def resource(self, headers=None):
        return self.client.request("GET", "/kbs/v0/resource/a/b/c", headers=headers)


def with_as(section, extra=""):
    """Replaces the type in [attestation_service] by @section, and puts @extra in front of [husk]."""
    def edit(text):
        assert 'type = "coco_as_builtin"\n' in text
        text = text.replace('type = "coco_as_builtin"\n', section + "\n")
        return text.replace("\n[husk]\n", "\n" + extra + "\n[husk]\n")
    return edit


def make_kbs(section, extra="", policy=ALLOW):
    kbs = services.Kbs(sys.argv[1], "auth_rate = 0\n", with_as(section, extra))
    kbs.policy(policy)
    status, answer = kbs.admin("POST", "/kbs/v0/resource/a/b/c", SECRET)
    assert status == 200, answer
    return kbs


def last_verdict(kbs):
    _, answer = kbs.admin("GET", "/kbs/v0/admin/verdicts?limit=1")
    _, answer = kbs.admin("GET", "/kbs/v0/admin/why/" + json.loads(answer)[0]["id"])
    return json.loads(answer)


def start_as(name, port=0, **config):
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    if not os.path.exists(path + "/key"):
        os.system("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %s/key "
                  "2>/dev/null" % path)
    with open(path + "/as.json", "w") as f:
        json.dump(dict({"husk": {"store": path + "/db"}, "attestation_token_broker": {
            "signer": {"key_path": path + "/key"}}}, **config), f)
    return services.Service([sys.argv[2], "-c", path + "/as.json", "-s", "127.0.0.1:%d" % port],
                            path)


def key_set(service):
    path = os.path.join(service.folder, "jwks.json")
    with urllib.request.urlopen("http://127.0.0.1:%d/.well-known/jwks.json" %
                                service.ports[0]) as f, open(path, "wb") as out:
        out.write(f.read())
    return path


def set_policy(kbs, name, text):
    return kbs.admin("POST", "/kbs/v0/attestation-policy", json.dumps(
        {"policy_id": name, "policy": b64url(text.encode())}).encode())


def set_value(kbs, values):
    return kbs.admin("POST", "/kbs/v0/reference-value", json.dumps({
        "version": "0.1.0", "type": "sample", "payload": base64.b64encode(
            json.dumps(values).encode()).decode()}).encode())


def test_grpc_attestation():
    """Everything through husk-as: evidence, policies, reference values; its death and return."""
    service = start_as("grpc")
    kbs = make_kbs('type = "coco_as_grpc"\nas_addr = "http://127.0.0.1:%d"' % service.ports[0],
                   '[attestation_token]\ntrusted_jwk_sets = ["%s"]\n' % key_set(service), AFFIRMED)
    guest = Guest(kbs)
    status, answer = guest.attest()
    assert status == 200, answer
    status, answer = guest.resource()
    assert status == 401 and b"PolicyDeny" in answer, answer  # not affirmed yet
    status, answer = set_policy(kbs, "default_cpu", AFFIRM)
    assert status == 200, answer
    status, answer = set_value(kbs, {"svn": ["1"]})
    assert status == 200, answer
    assert json.loads(kbs.admin("GET", "/kbs/v0/reference-value/svn")[1]) == ["1"]
    assert kbs.admin("GET", "/kbs/v0/reference-value/none")[0] == 401
    guest = Guest(kbs)
    status, answer = guest.attest()
    assert status == 200, answer
    assert guest.resource()[0] == 200
    # Evidence that is not bound is refused over there, and the reason is kept here.
    status, answer = Guest(kbs).attest(services.sample_evidence({"a": 1}))
    assert status == 401, answer
    record = last_verdict(kbs)
    assert record["stage"] == "attestation service", record
    assert "ABORTED" in record["reason"] and "evidence" in record["reason"], record
    # Policies that do not compile do not get there.
    assert set_policy(kbs, "default_cpu", "package policy\nx := {")[0] == 401
    # Gone, and back on the same port.
    port = service.ports[0]
    assert service.stop() == 0
    status, answer = Guest(kbs).attest()
    assert status == 401
    assert "UNAVAILABLE" in last_verdict(kbs)["reason"], last_verdict(kbs)
    service = start_as("grpc", port)
    guest = Guest(kbs)
    assert guest.attest()[0] == 200 and guest.resource()[0] == 200
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for status, answer in pool.map(lambda _: Guest(kbs).attest(), range(40)):
            assert status == 200, answer
    kbs.close()
    assert service.stop() == 0


def test_lying_service():
    """Answers that are no token, or one that nobody here trusts."""
    other = start_as("other")
    trusted = start_as("trusted")
    answers = {}

    def field(n, value):
        size, out = len(value), b""
        while size > 127:
            out, size = out + bytes([size & 127 | 128]), size >> 7
        return bytes([n << 3 | 2]) + out + bytes([size]) + value

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            assert details.method == "/attestation.AttestationService/AttestationEvaluate"
            return grpc.unary_unary_rpc_method_handler(lambda request, context: answers["now"])

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    kbs = make_kbs('type = "coco_as_grpc"\nas_addr = "127.0.0.1:%d"' % port,
                   '[attestation_token]\ntrusted_jwk_sets = ["%s"]\n' % key_set(trusted))
    genuine = make_kbs('type = "coco_as_grpc"\nas_addr = "127.0.0.1:%d"' % other.ports[0],
                       '[attestation_token]\ntrusted_jwk_sets = ["%s"]\n' % key_set(other))
    status, answer = Guest(genuine).attest()
    assert status == 200, answer
    foreign = json.loads(answer)["token"].encode()
    header, claims, signature = foreign.split(b".")
    unsigned = b64url(b'{"alg":"none"}').encode() + b"." + claims + b"."
    for name, bytes_ in (("another key", field(1, foreign)), ("unsigned", field(1, unsigned)),
                         ("no token", field(1, b"x")), ("empty", b""), ("garbage", b"\xff\xff"),
                         ("not text", field(1, b"\xff"))):
        answers["now"] = bytes_
        guest = Guest(kbs)
        status, answer = guest.attest()
        assert status == 401, name
        assert guest.resource()[0] == 401, name
    genuine.close()
    kbs.close()
    server.stop(0)
    assert other.stop() == 0 and trusted.stop() == 0


def test_remote_reference_values():
    """Policies here, values there: in the broker and in husk-as."""
    with open(folder + "/rvps.json", "w") as f:
        json.dump({"husk": {"store": folder + "/rvps.db"}}, f)
    rvps = services.Service([sys.argv[3], "-c", folder + "/rvps.json", "-a", "127.0.0.1:0"],
                            folder)
    address = "127.0.0.1:%d" % rvps.ports[0]
    kbs = make_kbs('type = "coco_as_builtin"',
                   '[attestation_service.rvps_config]\ntype = "GrpcRemote"\naddress = "%s"\n' %
                   address, AFFIRMED)
    assert set_policy(kbs, "default_cpu", AFFIRM)[0] == 200
    guest = Guest(kbs)
    status, answer = guest.attest()
    assert status == 200, answer
    assert guest.resource()[0] == 401
    assert set_value(kbs, {"svn": ["0", "1"]})[0] == 200
    assert json.loads(kbs.admin("GET", "/kbs/v0/reference-value/svn")[1]) == ["0", "1"]
    for _ in range(2):  # the second time the name is known beforehand
        guest = Guest(kbs)
        assert guest.attest()[0] == 200
        assert guest.resource()[0] == 200
    assert set_value(kbs, {"svn": ["2"]})[0] == 200
    guest = Guest(kbs)
    assert guest.attest()[0] == 200
    assert guest.resource()[0] == 401, "the value of before"
    # The same for the attestation service.
    service = start_as("withrvps", rvps_config={"type": "GrpcRemote", "address": address})
    front = make_kbs('type = "coco_as_grpc"\nas_addr = "127.0.0.1:%d"' % service.ports[0],
                     '[attestation_token]\ntrusted_jwk_sets = ["%s"]\n' % key_set(service),
                     AFFIRMED)
    assert set_policy(front, "default_cpu", AFFIRM)[0] == 200
    assert set_value(front, {"svn": ["1"]})[0] == 200
    guest = Guest(front)
    assert guest.attest()[0] == 200 and guest.resource()[0] == 200
    # Without its provider nobody is judged.
    assert rvps.stop() == 0
    assert Guest(kbs).attest()[0] == 401
    assert "UNAVAILABLE" in last_verdict(kbs)["reason"]
    front.close()
    kbs.close()
    assert service.stop() == 0


def test_roll_out():
    """Staged reference values with the CLI: old and new guests are accepted until one is chosen."""
    kbs = make_kbs('type = "coco_as_builtin"', policy=AFFIRMED)
    assert set_policy(kbs, "default_cpu", AFFIRM)[0] == 200
    environment = dict(os.environ, HUSK_KBS_URL="https://localhost:%d" % kbs.ports[0],
                       HUSK_KBS_CERT=kbs.folder + "/tls.crt",
                       HUSK_KBS_ADMIN_TOKEN_FILE=kbs.folder + "/admin-token")

    def husk(*args, fails=False):
        p = subprocess.run((sys.argv[4], "kbs", "reference") + args, env=environment,
                           capture_output=True, text=True, check=False)
        assert (p.returncode != 0) == fails, p.stdout + p.stderr
        return p.stdout + p.stderr

    def accepted(svn):
        guest = Guest(kbs)
        guest.auth()
        evidence = services.sample_evidence(guest.runtime())
        status, answer = guest.client.request("POST", "/kbs/v0/attest", {
            "init-data": None,
            "runtime-data": {"nonce": guest.challenge["nonce"], "tee-pubkey": guest.jwk},
            "tee-evidence": {"primary_evidence": dict(evidence, svn=svn),
                             "additional_evidence": ""}})
        assert status == 200, answer
        return guest.resource()[0] == 200

    husk("set", "svn", "1")
    assert accepted("1") and not accepted("2")
    husk("set", "svn", "2", "--stage")
    assert accepted("1") and accepted("2") and not accepted("3")
    text = husk("list")
    assert "sample by admin" in text and '["1"]' in text and '["2"]' in text, text
    husk("promote", "svn")
    assert not accepted("1") and accepted("2")
    assert "nothing staged" in husk("promote", "svn", fails=True)
    husk("set", "svn", "3", "--stage")
    husk("withdraw", "svn")
    assert accepted("2") and not accepted("3")
    with open(folder + "/m", "w") as f:
        f.write("no manifest")
    assert "CoRIM" in husk("import", "--type", "corim", "--file", folder + "/m", fails=True)
    kbs.close()


def test_passport():
    """The token of one broker opens the resources of another that trusts its keys."""
    issuer = make_kbs('type = "coco_as_builtin"')
    with open(folder + "/issuer.json", "wb") as f:
        f.write(services.Client(issuer).request("GET", "/.well-known/jwks.json")[1])
    relying = make_kbs('type = "coco_as_builtin"',
                       '[attestation_token]\ntrusted_jwk_sets = ["%s/issuer.json"]\n' % folder)
    stranger = make_kbs('type = "coco_as_builtin"')
    guest = Guest(issuer)
    status, answer = guest.attest()
    assert status == 200, answer
    bearer = {"Authorization": "Bearer " + json.loads(answer)["token"]}
    status, answer = services.Client(relying).request(
        "GET", "/kbs/v0/resource/a/b/c", headers=bearer)
    assert status == 200 and json.loads(answer)["ciphertext"], answer
    status, answer = services.Client(stranger).request(
        "GET", "/kbs/v0/resource/a/b/c", headers=bearer)
    assert status == 401 and b"TokenVerifierError" in answer, answer
    for kbs in (issuer, relying, stranger):
        kbs.close()


class Intel(fake_http.Fake):
    """What Intel documents of its attestation interface: POST /appraisal/v2/attest with x-api-key."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 3072)
        self.other = rsa.generate_private_key(65537, 3072)
        super().__init__()

    def token(self, claims, key):
        text = b64url(json.dumps({"alg": "PS384", "kid": "intel-1", "typ": "JWT"}).encode())
        text += "." + b64url(json.dumps(claims).encode())
        return text + "." + b64url(key.sign(text.encode(), padding.PSS(
            padding.MGF1(hashes.SHA384()), hashes.SHA384().digest_size), hashes.SHA384()))

    def serve(self, method, path, headers, body):
        body = json.loads(body)
        if method != "POST":
            return 405, {}
        if headers["x-api-key"] != "the-key":
            return 401, {"error": "bad API key"}
        if self.mode == "refuse":
            return 400, {"error": "quote verification failed"}
        if self.mode == "empty":
            return 200, {}
        part = body.get("tdx") or body.get("sgx")
        runtime = json.loads(base64.b64decode(part.get("user_data", part["runtime_data"])))
        claims = {"exp": int(time.time()) + (-600 if self.mode == "expired" else 300),
                  "tdx": {"attester_runtime_data": runtime}}
        return 200, {"token": self.token(claims, self.other if self.mode == "forged" else self.key)}

    def key_set(self, path):
        n = self.key.public_key().public_numbers()
        with open(path, "w") as f:
            json.dump({"keys": [{"kty": "RSA", "alg": "PS384", "kid": "intel-1",
                                 "n": number(n.n, 384), "e": "AQAB"}]}, f)
        return path


def test_intel_trust_authority():
    intel = Intel()
    kbs = make_kbs(
        'type = "intel_ta"\nbase_url = "%s"\napi_key = "the-key"\n'
        'certs_file = "%s"\npolicy_ids = ["p1", "p2"]' % (
            intel.url(), intel.key_set(folder + "/intel.json")))
    guest = Guest(kbs, "tdx")
    assert guest.auth()["extra-params"] == {"selected-hash-algorithm": "sha512"}
    assert Guest(kbs, "sgx").auth()["extra-params"] == {"selected-hash-algorithm": "sha256"}
    quote = base64.b64encode(b"a quote").decode()
    status, answer = guest.attest({"quote": quote, "cc_eventlog": "bG9n"})
    assert status == 200, (answer, last_verdict(kbs))
    _, path, headers, body = intel.requests[-1]
    body = json.loads(body)
    assert path == "/appraisal/v2/attest"
    assert headers["Accept"] == headers["Content-Type"] == "application/json"
    assert body["policy_ids"] == ["p1", "p2"] and body["policy_must_match"] is True
    assert body["tdx"]["quote"] == quote and body["tdx"]["event_log"] == "bG9n"
    # What the guest hashed is what the service gets to hash.
    assert base64.b64decode(body["tdx"]["runtime_data"]) == canonical(guest.runtime())
    assert guest.resource()[0] == 200
    # Azure: the quote is bound to the variable data of the report.
    variable = b'{"keys":[]}'
    azure = hcl_report(variable)
    guest = Guest(kbs, "az-tdx-vtpm")
    status, answer = guest.attest({"version": "1", "hcl_report": b64url(azure), "td_quote": b64url(
        b"a quote")})
    assert status == 200, (answer, last_verdict(kbs))
    _, path, _, body = intel.requests[-1]
    body = json.loads(body)
    assert path == "/appraisal/v2/attest/azure"
    assert base64.b64decode(body["tdx"]["runtime_data"]) == variable
    assert base64.b64decode(body["tdx"]["user_data"]) == canonical(guest.runtime())
    # Refusals, each with its reason.
    for mode, stage, text in (("refuse", "attestation service", "quote verification failed"),
                              ("empty", "attestation service", "no token"),
                              ("forged", "token of the attestation service", ""),
                              ("expired", "token of the attestation service", "expired")):
        intel.mode = mode
        guest = Guest(kbs, "tdx")
        status, answer = guest.attest({"quote": quote})
        assert status == 401, mode
        record = last_verdict(kbs)
        assert record["stage"] == stage and text in record["reason"], (mode, record)
        assert "the-key" not in json.dumps(record) + answer.decode() + kbs.text()
        assert guest.resource()[0] == 401
    intel.mode = "good"
    # It does not know the sample attester, and sets its own policies.
    status, answer = services.Client(kbs).request("POST", "/kbs/v0/auth", {
        "version": "0.4.0", "tee": "snp", "extra-params": {"supported-hash-algorithms": []}})
    assert status == 401, answer
    status, answer = services.Client(kbs).request("POST", "/kbs/v0/auth", {
        "version": "0.4.0", "tee": "tdx", "extra-params": {"supported-hash-algorithms": ["sm3"]}})
    assert status == 401, answer
    assert set_policy(kbs, "default_cpu", AFFIRM)[0] == 401
    kbs.close()
    intel.close()


def hcl_report(variable):
    """Header of 32 bytes, 1184 bytes of the hardware, five numbers, the variable data."""
    hardware = bytes(1184)
    tail = b"".join(n.to_bytes(4, "little") for n in (
        20 + len(variable), 1, 4, 1, len(variable))) + variable
    body = hardware + tail
    header = b"HCLA" + b"".join(n.to_bytes(4, "little") for n in (2, len(body), 1)) + bytes(16)
    return header + body


def main():
    if grpc is None:
        services.skip("python3-grpcio or python3-cryptography is not installed")
    code = services.run([v for k, v in globals().items() if k.startswith("test_")])
    shutil.rmtree(folder)
    return code


sys.exit(main())
