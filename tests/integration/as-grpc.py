#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""husk-as and husk-rvps against gRPC's own implementation (python3-grpcio). The messages are
described here, with the field numbers of Trustee's published interface; nothing is shared with
husk's proto/ folder.

usage: as-grpc.py HUSK-AS HUSK-RVPS
"""
import base64
import http.client
import json
import os
import shutil
import subprocess
import sys
import threading

try:
    import grpc
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
except ImportError:
    grpc = None

import ending
import services
from services import b64url, unb64url

STRING, MESSAGE, ENUM = 9, 11, 14


def describe():
    """Message classes by name."""
    pool = descriptor_pool.DescriptorPool()

    def add(package, messages):
        f = descriptor_pb2.FileDescriptorProto(
            name=package + ".proto", package=package, syntax="proto3")
        for name, fields in messages.items():
            m = f.message_type.add(name=name)
            for number, field, repeated, oneof, kind in fields:
                d = m.field.add(name=field, number=number, label=3 if repeated else 1, type=STRING)
                if kind:
                    d.type = MESSAGE
                    d.type_name = kind
                if oneof:
                    names = [o.name for o in m.oneof_decl]
                    if oneof not in names:
                        m.oneof_decl.add(name=oneof)
                        names.append(oneof)
                    d.oneof_index = names.index(oneof)
                    d.proto3_optional = oneof.startswith("_")
        if package == "attestation":  # map<string, string> inner = 1
            m = next(x for x in f.message_type if x.name == "ChallengeRequest")
            entry = m.nested_type.add(name="InnerEntry")
            entry.field.add(name="key", number=1, label=1, type=STRING)
            entry.field.add(name="value", number=2, label=1, type=STRING)
            entry.options.map_entry = True
            m.field.add(name="inner", number=1, label=3, type=MESSAGE,
                        type_name=".attestation.ChallengeRequest.InnerEntry")
        if package == "grpc.health.v1":
            m = next(x for x in f.message_type if x.name == "HealthCheckResponse")
            e = m.enum_type.add(name="ServingStatus")
            for i, n in enumerate(("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")):
                e.value.add(name=n, number=i)
            m.field.add(name="status", number=1, label=1, type=ENUM,
                        type_name=".grpc.health.v1.HealthCheckResponse.ServingStatus")
        pool.Add(f)

    one = ".attestation.IndividualAttestationRequest"
    add("attestation", {
        "IndividualAttestationRequest": [
            (1, "tee", 0, None, None), (3, "evidence", 0, None, None),
            (4, "raw_runtime_data", 0, "runtime_data", None),
            (5, "structured_runtime_data", 0, "runtime_data", None),
            (6, "init_data_digest", 0, "init_data", None),
            (7, "init_data_toml", 0, "init_data", None),
            (8, "runtime_data_hash_algorithm", 0, None, None)],
        "AttestationRequest": [(1, "verification_requests", 1, None, one),
                               (2, "policy_ids", 1, None, None)],
        "AttestationResponse": [(1, "attestation_token", 0, None, None)],
        "SetPolicyRequest": [(1, "policy_id", 0, None, None), (2, "policy", 0, None, None)],
        "SetPolicyResponse": [],
        "ChallengeRequest": [],
        "ChallengeResponse": [(1, "attestation_challenge", 0, None, None)],
    })
    add("reference", {
        "ReferenceValueQueryRequest": [(1, "reference_value_id", 0, None, None)],
        "ReferenceValueQueryResponse": [(1, "reference_value_results", 0, "_optional", None)],
        "ReferenceValueRegisterRequest": [(1, "message", 0, None, None)],
        "ReferenceValueRegisterResponse": [],
    })
    add("grpc.health.v1", {"HealthCheckRequest": [(1, "service", 0, None, None)],
                           "HealthCheckResponse": []})
    factory = message_factory.MessageFactory(pool)
    return lambda name: factory.GetPrototype(pool.FindMessageTypeByName(name))


METHODS = {
    "AttestationEvaluate": ("attestation.AttestationService", "AttestationRequest",
                            "AttestationResponse"),
    "SetAttestationPolicy": ("attestation.AttestationService", "SetPolicyRequest",
                             "SetPolicyResponse"),
    "GetAttestationChallenge": ("attestation.AttestationService", "ChallengeRequest",
                                "ChallengeResponse"),
    "QueryReferenceValue": ("reference.ReferenceValueProviderService",
                            "ReferenceValueQueryRequest", "ReferenceValueQueryResponse"),
    "RegisterReferenceValue": ("reference.ReferenceValueProviderService",
                               "ReferenceValueRegisterRequest", "ReferenceValueRegisterResponse"),
    "Check": ("grpc.health.v1.Health", "HealthCheckRequest", "HealthCheckResponse"),
}
types = None
as_, rvps, stub = None, None, None


class Stub:
    def __init__(self, channel):
        self.channel = channel

    def call(self, method, timeout=20, **fields):
        service, request, response = METHODS[method]
        package = service.rsplit(".", 1)[0]
        kind = types(package + "." + request)
        return self.channel.unary_unary(
            "/%s/%s" % (service, method), request_serializer=kind.SerializeToString,
            response_deserializer=types(package + "." + response).FromString,
        )(kind(**fields), timeout=timeout)


def refused(code, text, function, *args, **fields):
    try:
        function(*args, **fields)
    except grpc.RpcError as e:
        assert e.code() == code, (e.code(), e.details())
        assert text in e.details(), e.details()
        return e.details()
    raise AssertionError("not refused: " + text)


def request(runtime, tee="sample", algorithm=None, bound=None, **more):
    evidence = services.sample_evidence(bound if bound is not None else runtime,
                                        algorithm or "sha384")
    fields = {"tee": tee, "evidence": b64url(json.dumps(evidence).encode()),
              "structured_runtime_data": json.dumps(runtime)}
    if algorithm:
        fields["runtime_data_hash_algorithm"] = algorithm
    fields.update(more)
    return fields


def evaluate(*requests, policy_ids=()):
    kind = types("attestation.IndividualAttestationRequest")
    return stub.call("AttestationEvaluate", verification_requests=[kind(**r) for r in requests],
                     policy_ids=policy_ids).attestation_token


def keys():
    connection = http.client.HTTPConnection("127.0.0.1", as_.ports[0], timeout=10)
    connection.request("GET", "/.well-known/jwks.json")
    answer = connection.getresponse()
    assert answer.status == 200
    return json.loads(answer.read())["keys"]


def verified(token):
    """Claims of a token, its signature checked with the key set of the gRPC port."""
    header, claims, signature = token.split(".")
    jwk = keys()[0]
    x, y = (int.from_bytes(unb64url(jwk[c]), "big") for c in "xy")
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    raw = unb64url(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.verify(utils.encode_dss_signature(r, s), (header + "." + claims).encode(),
               ec.ECDSA(hashes.SHA256()))
    return json.loads(unb64url(claims))


def test_evaluate():
    runtime = {"nonce": "n", "tee-pubkey": {"kty": "EC"}, "more": [1, {"z": True, "a": None}]}
    claims = verified(evaluate(request(runtime)))
    submod = claims["submods"]["cpu0"]
    assert submod["ear.status"] == "contraindicated"  # nothing vouches for the sample attester
    evidence = submod["ear.veraison.annotated-evidence"]
    assert evidence["runtime_data_claims"] == runtime
    assert claims["exp"] == claims["iat"] + 300


def test_hashes():
    for algorithm in ("sha256", "sha384", "sha512"):
        evaluate(request({"a": 1}, algorithm=algorithm))
    refused(grpc.StatusCode.ABORTED, "runtime_data_hash_algorithm must be", evaluate,
            request({"a": 1}, **{"runtime_data_hash_algorithm": "sha1"}))


def test_raw_runtime_data():
    raw = b"32 bytes of somebody's own nonce"
    fields = {"tee": "sample", "raw_runtime_data": b64url(raw), "evidence": b64url(json.dumps(
        {"svn": "1", "report_data": base64.b64encode(raw).decode()}).encode())}
    claims = verified(evaluate(fields))
    assert claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"][
        "runtime_data_claims"] is None
    fields["raw_runtime_data"] = b64url(raw[::-1])
    refused(grpc.StatusCode.ABORTED, "evidence", evaluate, fields)
    fields["raw_runtime_data"] = "***"
    refused(grpc.StatusCode.ABORTED, "raw must be base64url", evaluate, fields)


def test_not_bound():
    refused(grpc.StatusCode.ABORTED, "evidence", evaluate, request({"a": 1}, bound={"a": 2}))
    fields = request({"a": 1})
    del fields["structured_runtime_data"]
    refused(grpc.StatusCode.ABORTED, "runtime_data is missing", evaluate, fields)


def test_several_attesters():
    a, b = request({"a": 1}), request({"b": 2}, algorithm="sha256")
    claims = verified(evaluate(a, b))
    assert set(claims["submods"]) == {"cpu0", "cpu1"}
    # One that fails fails all.
    refused(grpc.StatusCode.ABORTED, "evidence", evaluate, a, request({"a": 1}, bound={"a": 2}))
    refused(grpc.StatusCode.ABORTED, "1 to 32", evaluate)
    refused(grpc.StatusCode.ABORTED, "1 to 32", evaluate, *[a] * 33)


def test_init_data():
    toml = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"note" = "hello"\n'
    refused(grpc.StatusCode.ABORTED, "init", evaluate, request({"a": 1}, init_data_toml="x = "))
    refused(grpc.StatusCode.ABORTED, "init_data_digest", evaluate,
            request({"a": 1}, init_data_digest="%"))
    evaluate(request({"a": 1}, init_data_toml=toml))


def test_malformed():
    kind = {"tee": "sample", "structured_runtime_data": "{}"}
    refused(grpc.StatusCode.ABORTED, "evidence", evaluate, dict(kind, evidence="%%"))
    refused(grpc.StatusCode.ABORTED, "evidence", evaluate,
            dict(kind, evidence=b64url(b"no json")))
    refused(grpc.StatusCode.ABORTED, "cannot verify evidence of abacus", evaluate,
            request({}, tee="abacus"))
    refused(grpc.StatusCode.INVALID_ARGUMENT, "structured_runtime_data", evaluate,
            dict(kind, evidence="e30", structured_runtime_data="{"))
    # Bytes that are no such message, and a method that nobody has.
    raw = stub.channel.unary_unary("/attestation.AttestationService/AttestationEvaluate")
    refused(grpc.StatusCode.INVALID_ARGUMENT, "malformed", raw, b"\xff\xff\xff\xff", timeout=10)
    raw = stub.channel.unary_unary("/attestation.AttestationService/Nothing")
    refused(grpc.StatusCode.UNIMPLEMENTED, "unknown method", raw, b"", timeout=10)


POLICY = """package policy
import rego.v1
default executables := 33
executables := 3 if input.sample.svn in query_reference_value("svn")
trust_claims := {"executables": executables, "hardware": 2, "configuration": 2}
"""


def set_policy(policy_id, text):
    stub.call("SetAttestationPolicy", policy_id=policy_id, policy=b64url(text.encode()))


def register(s, values, **more):
    s.call("RegisterReferenceValue", message=json.dumps(dict({
        "version": "0.1.0", "type": "sample",
        "payload": base64.b64encode(json.dumps(values).encode()).decode()}, **more)))


def query(s, name):
    answer = s.call("QueryReferenceValue", reference_value_id=name)
    if not answer.HasField("reference_value_results"):
        return None
    return json.loads(answer.reference_value_results)


def test_policies_and_values():
    set_policy("mine_cpu", POLICY)
    token = verified(evaluate(request({"a": 1}), policy_ids=["mine"]))
    assert token["submods"]["cpu0"]["ear.status"] == "warning"
    register(stub, {"svn": ["1", "2"]})
    token = verified(evaluate(request({"a": 1}), policy_ids=["mine", "ignored"]))
    assert token["submods"]["cpu0"]["ear.status"] == "affirming"
    assert query(stub, "svn") == ["1", "2"]
    assert query(stub, "none") is None
    # The other policy is as it was.
    token = verified(evaluate(request({"a": 1})))
    assert token["submods"]["cpu0"]["ear.status"] == "contraindicated"
    refused(grpc.StatusCode.ABORTED, "no attestation policy other_cpu", evaluate,
            request({"a": 1}), policy_ids=["other"])
    refused(grpc.StatusCode.ABORTED, "Set Attestation Policy failed", set_policy, "mine_cpu",
            "package policy\nx := {")
    refused(grpc.StatusCode.ABORTED, "policy_id must be", set_policy, "../x", POLICY)
    refused(grpc.StatusCode.ABORTED, "resource policy", set_policy, "resource-policy", POLICY)


def test_challenge():
    answers = {stub.call("GetAttestationChallenge", inner={"tee": "snp", "tee_params": "{}"})
               .attestation_challenge for _ in range(3)}
    assert len(answers) == 3 and all(len(base64.b64decode(a)) == 32 for a in answers)
    refused(grpc.StatusCode.ABORTED, "tee", stub.call, "GetAttestationChallenge",
            inner={"tee_params": ""})
    refused(grpc.StatusCode.ABORTED, "unknown tee", stub.call, "GetAttestationChallenge",
            inner={"tee": "abacus", "tee_params": ""})


def test_health():
    for service in ("", "attestation.AttestationService",
                    "reference.ReferenceValueProviderService"):
        assert stub.call("Check", service=service).status == 1
    refused(grpc.StatusCode.NOT_FOUND, "unknown service", stub.call, "Check", service="x")


def test_rvps():
    with grpc.insecure_channel("127.0.0.1:%d" % rvps.ports[0]) as channel:
        s = Stub(channel)
        assert s.call("Check", service="").status == 1
        assert query(s, "a/b") is None
        register(s, {"a/b": ["x"], "number": 5, "tricky%2F": True})
        assert query(s, "a/b") == ["x"] and query(s, "number") == 5
        assert query(s, "tricky%2F") is True
        register(s, {"a/b": ["y"]})
        assert query(s, "a/b") == ["y"]
        for message, text in (("{", "not a JSON object"), ('{"version":"9"}', "version"),
                              ('{"type":"x","payload":""}', "type must be"),
                              ('{"type":"sample","payload":"%"}', "base64")):
            refused(grpc.StatusCode.ABORTED, text, s.call, "RegisterReferenceValue",
                    message=message)
        refused(grpc.StatusCode.ABORTED, "past", register, s, {"old": 1},
                expiration="2001-01-01T00:00:00Z")
        refused(grpc.StatusCode.INVALID_ARGUMENT, "blanks", query, s, "")
        refused(grpc.StatusCode.UNIMPLEMENTED, "unknown method", s.call, "SetAttestationPolicy")


def test_values_outlive_a_restart():
    global rvps
    assert rvps.stop() == 0
    rvps = start_rvps(rvps.folder)
    with grpc.insecure_channel("127.0.0.1:%d" % rvps.ports[0]) as channel:
        assert query(Stub(channel), "a/b") == ["y"]


def rest(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", as_.ports[1], timeout=20)
    connection.request(method, path, json.dumps(body) if body is not None else None)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_rest():
    runtime = {"a": 1}
    one = {"tee": "sample", "evidence": request(runtime)["evidence"],
           "runtime_data": {"structured": runtime}}
    status, token = rest("POST", "/attestation",
                         {"verification_requests": [one], "policy_ids": []})
    assert status == 200, token
    assert verified(token)["submods"]["cpu0"]
    bad = dict(one, runtime_data={"structured": {"a": 2}})
    status, text = rest("POST", "/attestation",
                        {"verification_requests": [bad], "policy_ids": []})
    assert status == 500 and text.startswith("An internal error occured: "), (status, text)
    status, text = rest("POST", "/policy", {"policy_id": "rest_cpu",
                                            "policy": b64url(POLICY.encode())})
    assert status == 200, text
    status, text = rest("GET", "/policy")
    assert {"policy-id": "rest_cpu"} in json.loads(text), text
    assert "resource-policy" not in text
    assert rest("GET", "/policy/rest_cpu") == (200, POLICY)
    assert rest("GET", "/policy/none")[0] == 404
    status, text = rest("POST", "/challenge", {"tee": "tdx", "tee_params": ""})
    assert status == 200 and len(base64.b64decode(text)) == 32
    assert json.loads(rest("GET", "/.well-known/jwks.json")[1])["keys"]
    assert rest("GET", "/healthz")[0] == 200
    assert rest("GET", "/nothing")[0] == 404
    assert rest("DELETE", "/policy")[0] == 405
    assert rest("POST", "/attestation", [])[0] == 500


def test_concurrent():
    errors = []

    def work(n):
        try:
            for i in range(20):
                verified(evaluate(request({"n": [n, i]})))
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors


def test_large_and_late():
    # 20 MiB over a limit of 16.
    kind = types("attestation.IndividualAttestationRequest")
    big = kind(tee="sample", evidence="A" * (20 << 20), structured_runtime_data="{}")
    refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger", stub.call, "AttestationEvaluate",
            verification_requests=[big])
    refused(grpc.StatusCode.ABORTED, "evidence", stub.call, "AttestationEvaluate",
            verification_requests=[kind(tee="sample", evidence="A" * (8 << 20),
                                        structured_runtime_data="{}")])


def test_tls():
    """TLS, and clients that must show a certificate."""
    folder = ending.folder("husk-py-")

    def openssl(*args):
        subprocess.run(("openssl",) + args, cwd=folder, check=True, stderr=subprocess.DEVNULL)

    def read(name):
        with open(os.path.join(folder, name), "rb") as f:
            return f.read()

    for name, extension in (("server", "subjectAltName=DNS:localhost"),
                            ("client", "extendedKeyUsage=clientAuth")):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=" + name, "-addext", extension,
                "-keyout", name + ".key", "-out", name + ".crt")
    with open(os.path.join(folder, "config"), "w") as f:
        json.dump({"husk": {"store": folder + "/tls.db",
                            "client_ca": folder + "/client.crt"}}, f)
    service = services.Service(
        [sys.argv[1], "-c", folder + "/config", "-s", "127.0.0.1:0", "-t",
         folder + "/server.crt", "-k", folder + "/server.key"], folder)
    address = "localhost:%d" % service.ports[0]
    good = grpc.ssl_channel_credentials(read("server.crt"), read("client.key"),
                                        read("client.crt"))
    with grpc.secure_channel(address, good) as channel:
        assert Stub(channel).call("Check", service="").status == 1
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(read("server.crt"))) as c:
        refused(grpc.StatusCode.UNAVAILABLE, "", Stub(c).call, "Check", timeout=5, service="")
    with grpc.insecure_channel(address) as c:
        refused(grpc.StatusCode.UNAVAILABLE, "", Stub(c).call, "Check", timeout=5, service="")
    assert service.stop() == 0
    shutil.rmtree(folder)


def test_configuration():
    folder = ending.folder("husk-py-")

    def check(program, config, *args):
        with open(folder + "/c", "w") as f:
            json.dump(config, f)
        p = subprocess.run([program, "-c", folder + "/c", "--check-config", *args],
                           capture_output=True, text=True, check=False)
        return p.returncode, p.stdout + p.stderr

    for program in sys.argv[1:3]:
        assert check(program, {})[0] == 0
        code, text = check(program, {"huks": {}})
        assert code == 1 and "huks is not a known key" in text, text
        code, text = check(program, {"husk": {"grpc_sockets": ["0.0.0.0:1"]}})
        assert code == 1 and "not loopback" in text, text
        code, text = check(program, {"husk": {"grpc_sockets": ["0.0.0.0:1"],
                                              "insecure_no_client_auth": True}})
        assert code == 0, text
        for bad in ("50004", "::1:50004", "127.0.0.1:65536", "localhost", "127.evil.example:1",
                    "example.org:1", "[127.0.0.1]:1", "[::1]1", "::", ""):
            code, text = check(program, {"husk": {"grpc_sockets": [bad]}})
            assert code == 1 and "grpc_sockets: %s is not ADDRESS:PORT" % bad in text, text
        for good in ("localhost:0", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"):
            code, text = check(program, {"husk": {"grpc_sockets": [good]}})
            assert code == 0, text
        for far in ("[::]:1", "[::ffff:10.0.0.1]:1", "128.0.0.1:1"):
            code, text = check(program, {"husk": {"grpc_sockets": ["[::1]:1", far]}})
            assert code == 1 and far + " is not loopback" in text, text
        code, text = check(program, {"husk": {"client_ca": "/x"}})
        assert code == 1 and "needs TLS" in text, text
        p = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
        assert "Usage: " in p.stdout
        assert subprocess.run([program, "--what"], capture_output=True,
                              check=False).returncode == 2
    code, text = check(sys.argv[1], {
        "rvps_config": {"type": "BuiltIn"}, "attestation_token_broker": {"duration_min": 7},
        "verifier_config": None, "storage_backend": {"storage_type": "Sqlite"}})
    assert code == 0, text
    code, text = check(sys.argv[1], {"storage_backend": {"storage_type": "LocalFs"}})
    assert code == 1 and "LocalFs" in text, text
    shutil.rmtree(folder)


def test_both_families():
    """[::] takes IPv4 too, for gRPC and for REST; [::1] does not."""
    folder = ending.folder("husk-py-")
    with open(folder + "/c", "w") as f:
        json.dump({"husk": {"store": folder + "/s.db", "insecure_no_client_auth": True}}, f)
    for address, reached in (("[::]:0", ("127.0.0.1", "::1")), ("[::1]:0", ("::1",))):
        try:
            service = services.Service(
                [sys.argv[1], "-c", folder + "/c", "-s", address, "--rest", address], folder, 2)
        except AssertionError as e:
            if "Address family not supported" in str(e) or "Cannot assign" in str(e):
                print("     no IPv6 on this machine")
                break
            raise
        for port in service.ports:
            for host in ("127.0.0.1", "::1"):
                try:
                    connection = http.client.HTTPConnection(host, port, timeout=10)
                    connection.request("GET", "/healthz")
                    assert connection.getresponse().status == 200 and host in reached
                except ConnectionRefusedError:
                    assert host not in reached, (address, host)
        assert service.stop() == 0
    shutil.rmtree(folder)


def start_as(folder):
    with open(folder + "/as.json", "w") as f:
        json.dump({"husk": {"store": folder + "/as.db", "verifiers": 2}}, f)
    return services.Service([sys.argv[1], "-c", folder + "/as.json", "-s", "127.0.0.1:0",
                             "--rest", "127.0.0.1:0"], folder, 2)


def start_rvps(folder):
    with open(folder + "/rvps.json", "w") as f:
        json.dump({"husk": {"store": folder + "/rvps.db"}}, f)
    return services.Service([sys.argv[2], "-c", folder + "/rvps.json", "-a", "127.0.0.1:0"],
                            folder)


def main():
    global types, as_, rvps, stub
    if grpc is None:
        services.skip("python3-grpcio, python3-protobuf or python3-cryptography is not installed")
    types = describe()
    folder = ending.folder("husk-py-")
    as_ = start_as(folder)
    rvps = start_rvps(folder)
    with grpc.insecure_channel(
            "127.0.0.1:%d" % as_.ports[0],
            options=[("grpc.max_send_message_length", 64 << 20)]) as channel:
        stub = Stub(channel)
        code = services.run([v for k, v in globals().items() if k.startswith("test_")])
    assert as_.stop() == 0 and rvps.stop() == 0
    shutil.rmtree(folder)
    return code


sys.exit(main())
