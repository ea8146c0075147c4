#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The state and administration side of a live key broker. usage: kbs-admin.py HUSK-KBS HUSK"""
import base64
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kbs_broker import Broker, Client, b64url  # noqa: E402

ALLOW = b"package policy\nimport rego.v1\ndefault allow := false\n" \
        b"allow if data.plugin == \"resource\"\n"


def sample_broker(program, husk, append=""):
    broker = Broker(program, husk, append)
    broker.edit(lambda text: text.replace("[attestation_service]\n",
                                          "[attestation_service]\ninsecure_accept_sample = true\n", 1))
    return broker.start()


def expect(what, have, want):
    if have != want:
        raise AssertionError("%s: %r, not %r" % (what, have, want))


def set_policy(admin, text=ALLOW):
    status, _, body = admin.call("POST", "/kbs/v0/resource-policy",
                                 json.dumps({"policy": b64url(text)}))
    expect("policy " + body.decode(), status, 200)


def read_resource(broker, client, path, **headers):
    return client.call("GET", "/kbs/v0/resource/" + path, **headers)


def decrypted(broker, client, token, path, tenant=None, version=None):
    with tempfile.TemporaryDirectory() as d:
        client.write_key(d + "/key")
        with open(d + "/token", "w", encoding="ascii") as f:
            f.write(token)
        args = ["get", path, "--attestation-token", d + "/token", "--tee-key-file", d + "/key",
                "--out", d + "/out"]
        broker.cli(*args, *(["--version", str(version)] if version else []), tenant=tenant)
        with open(d + "/out", "rb") as f:
            return f.read()


def test_versions(broker):
    admin, guest = Client(broker, admin=True), Client(broker)
    where = "/kbs/v0/resource/default/key/etag"
    status, headers, _ = admin.call("POST", where, b"one", Content_Type="application/x-one")
    expect("first", (status, headers["ETag"]), (200, '"1"'))
    expect("exists", admin.call("POST", where, b"x", If_None_Match="*")[0], 412)
    expect("other version", admin.call("POST", where, b"x", If_Match='"7"')[0], 412)
    expect("no etag", admin.call("POST", where, b"x", If_Match="7")[0], 412)
    expect("nothing to match", admin.call("POST", where + "-absent", b"x", If_Match="*")[0], 412)
    expect("still nothing", admin.call("DELETE", where + "-absent", If_Match="*")[0], 401)
    expect("this version", admin.call("POST", where, b"two", If_Match='"1"')[0], 200)
    set_policy(admin)
    token = guest.attest()
    status, headers, _ = read_resource(broker, guest, "default/key/etag")
    expect("read", (status, headers["ETag"]), (200, '"2"'))
    expect("unchanged", read_resource(broker, guest, "default/key/etag", If_None_Match='"2"')[0], 304)
    expect("content", decrypted(broker, guest, token, "default/key/etag"), b"two")
    expect("old version", decrypted(broker, guest, token, "default/key/etag", version=1), b"one")
    expect("no version", guest.call("GET", where + "?version=9")[0], 401)
    admin.call("POST", where, b"three", Content_Type="text/plain", If_Match="*")
    _, headers, _ = read_resource(broker, guest, "default/key/etag")
    expect("type", headers["X-Husk-Content-Type"], "text/plain")
    expect("kept are two", guest.call("GET", where + "?version=1")[0], 401)
    history = json.loads(broker.cli("resource", "history", "default/key/etag", "--json"))
    expect("history", [(h["version"], h["kept"]) for h in history],
           [(3, True), (2, True), (1, False)])
    expect("list", [r["path"] for r in json.loads(
        broker.cli("resource", "list", "--prefix", "default/key/et", "--json"))],
        ["default/key/etag"])
    expect("delete other", admin.call("DELETE", where, If_Match='"1"')[0], 412)
    expect("delete", admin.call("DELETE", where, If_Match='"3"')[0], 200)
    expect("gone", admin.call("DELETE", where)[0], 401)


def dry_run(admin, policy_id, text, status=200, **more):
    have, _, body = admin.call("POST", "/kbs/v0/admin/dry-run", json.dumps(
        dict(more, policy_id=policy_id, policy=b64url(text))))
    expect("dry run " + body.decode(), have, status)
    return json.loads(body)


def state_of(admin):
    """All that a dry run must leave as it is."""
    return [admin.call("GET", "/kbs/v0/admin/" + p)[2] for p in
            ("policies", "verdicts?limit=1000", "reference-values", "audit/head?x")[:3]] + [
        json.loads(admin.call("GET", "/kbs/v0/admin/audit?limit=1")[2])[0]["seq"]]


VECTOR = b"package policy\nimport rego.v1\ndefault hardware := 97\nhardware := 2 if input.sample.svn == \"1\"\n" \
         b"default configuration := 2\ndefault executables := 3\ndefault file_system := 0\n" \
         b"trust_claims := {\"hardware\": hardware, \"configuration\": configuration, \"executables\": executables}\n"


def test_claims(broker):
    admin, guest = Client(broker, admin=True), Client(broker)
    set_policy(admin, ALLOW.replace(b"resource\"", b"nothing\""))
    guest.attest()
    refused = read_resource(broker, guest, "default/key/claims")
    expect("refused", refused[0], 401)
    resource, attestation = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=2")[2])
    expect("kinds", (resource["kind"], attestation["kind"]), ("resource", "attestation"))
    expect("vector", sorted(attestation["vector"])[:2], ["configuration", "executables"])
    v = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts/" + attestation["id"])[2])
    why = json.loads(admin.call("GET", "/kbs/v0/admin/why/" + attestation["id"])[2])
    claims = v.pop("claims")
    expect("record", v, why)
    piece = claims["pieces"][0]
    expect("piece", [piece[n] for n in ("name", "class", "tee", "policy", "status")],
           ["cpu0", "cpu", "sample", "default_cpu", attestation["status"]])
    expect("input", (piece["input"]["sample"]["svn"], piece["vector"]), ("1", attestation["vector"]))
    expect("nonce", "tee-pubkey" in piece["input"]["runtime_data_claims"], True)
    if attestation["claims"] < 100 or "eyJ" in json.dumps(claims):
        raise AssertionError("claims of %d bytes: %s" % (attestation["claims"], claims))
    v = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts/" + resource["id"])[2])
    expect("data", v["claims"]["data"]["resource-path"], ["default", "key", "claims"])
    expect("of", v["claims"]["token"]["jti"], attestation["id"])
    # Evidence that no policy saw leaves no claims, and a tenant sees its own alone.
    nonce = guest.auth()
    bad = json.loads(guest.message(nonce))
    bad["tee-evidence"]["primary_evidence"]["report_data"] = ""
    guest.call("POST", "/kbs/v0/attest", json.dumps(bad))
    last = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=1")[2])[0]
    expect("no claims", (last["claims"], last["status"]), (0, "refused"))
    expect("none", "claims" in json.loads(admin.call("GET", "/kbs/v0/admin/verdicts/" + last["id"])[2]), False)
    broker.cli("tenant", "set", "claims", "--resources", "2", "--bytes", "10")
    inside = Client(broker, admin=True, prefix="/tenants/claims")
    expect("foreign", inside.call("GET", "/kbs/v0/admin/verdicts/" + attestation["id"])[0], 404)
    expect("foreign dry run", dry_run(inside, "default_cpu", VECTOR, status=404,
                                      verdict=attestation["id"])["detail"][:19], "dry run: no verdict")
    expect("nothing there", dry_run(inside, "default_cpu", VECTOR)["tried"], 0)
    expect("no admin", Client(broker).call("POST", "/kbs/v0/admin/dry-run", "{}")[0], 401)


def test_dry_run(broker):
    admin, guest = Client(broker, admin=True), Client(broker)
    guest.attest()
    one = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=1")[2])[0]
    before = state_of(admin)
    answer = dry_run(admin, "default_cpu", VECTOR, verdict=one["id"])
    expect("counts", [answer[n] for n in ("tried", "changed", "skipped", "stopped")], [1, 1, 0, False])
    piece = answer["results"][0]["pieces"][0]
    expect("recorded", piece["recorded"]["vector"], one["vector"])
    expect("current", piece["current"]["vector"], one["vector"])
    expect("candidate", [piece["candidate"]["status"], piece["candidate"]["vector"]],
           ["affirming", {"hardware": 2, "configuration": 2, "executables": 3}])
    expect("hardware", [d for d in piece["differences"] if d["claim"] == "hardware"],
           [{"claim": "hardware", "current": one["vector"]["hardware"], "candidate": 2}])
    # What does not hold is explained; what fails says so and leaves the other one.
    worse = dry_run(admin, "default_cpu", VECTOR.replace(b'"1"', b'"7"'), verdict=one["id"])
    found = worse["results"][0]["pieces"][0]["candidate"]
    expect("explained", [found["status"], found["findings"][0]["rule"][-8:], found["findings"][0]["actual"]],
           ["contraindicated", "hardware", "1"])
    broken = dry_run(admin, "default_cpu", VECTOR.replace(b":= 97", b":= 999").replace(b'"1"', b'"7"'), verdict=one["id"])
    piece = broken["results"][0]["pieces"][0]
    expect("broken", ("-128 to 127" in piece["candidate"]["error"], piece["current"]["vector"]), (True, one["vector"]))
    same = dry_run(admin, "default_cpu", json.loads(admin.call(
        "GET", "/kbs/v0/admin/policies/default_cpu")[2])["policy"].encode(), limit=100)
    expect("same", (same["changed"], same["tried"] > 1, [r for r in same["results"] if "findings" in json.dumps(r)]),
           (0, True, []))
    new = dry_run(admin, "acme_cpu", VECTOR, verdict=one["id"])["results"][0]["pieces"][0]
    expect("a new policy", ("current" in new, new["changed"], new["candidate"]["status"]), (False, True, "affirming"))
    expect("of another class", dry_run(admin, "default_gpu", VECTOR, verdict=one["id"])["skipped"], 1)
    # The resource policy, for every guest with a token.
    set_policy(admin, ALLOW.replace(b"resource\"", b"nothing\""))
    before = state_of(admin)
    answer = dry_run(admin, "resource-policy", ALLOW, resource="default/key/new", limit=100)
    kinds = {(r["kind"], r["current"]["status"], r["candidate"]["status"]) for r in answer["results"]}
    expect("guests", kinds, {("attestation", "refused", "allowed")})
    answer = dry_run(admin, "resource-policy", ALLOW, limit=100)
    expect("requests", {(r["kind"], r["candidate"]["status"], tuple(r["resource-path"])) for r in answer["results"]},
           {("resource", "allowed", ("default", "key", "claims"))})
    narrow = ALLOW + b"# only\n"
    narrow = narrow.replace(b"allow if data.plugin == \"resource\"",
                            b"allow if input.submods.cpu0[\"ear.status\"] == \"affirming\"")
    found = dry_run(admin, "resource-policy", narrow, verdict=one["id"], resource="a/b/c")["results"][0]
    expect("explained", (found["changed"], found["candidate"]["findings"][0]["actual"]), (False, one["status"]))
    # What is no policy, or no request.
    for more, text in (({}, b"package policy\n nonsense"), ({}, b"package policy\nx := 1\n"),
                       ({"limit": 0}, VECTOR), ({"limit": 101}, VECTOR), ({"verdict": 7}, VECTOR),
                       ({"resource": "a/b/c"}, VECTOR)):
        expect("refused", dry_run(admin, "default_cpu", text, 401, **more)["type"][-16:], "ParsePolicyError")
    for more in ({"resource": "a/b"}, {"resource": "../b/c"}):
        dry_run(admin, "resource-policy", ALLOW, 401, **more)
    dry_run(admin, "default_cpu", VECTOR, 404, verdict="0" * 32)
    # A policy without an end costs its second, not the broker.
    slow = b"package policy\nimport rego.v1\ntrust_claims := {\"hardware\": n} if { " \
           b"n := count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a * b == -1]) }\n"
    found = dry_run(admin, "default_cpu", slow, limit=2)
    expect("slow", {"error" in p["candidate"] for r in found["results"] for p in r["pieces"]}, {True})
    expect("nothing changed", state_of(admin), before)
    expect("lives", guest.attest() is None, False)


def test_claims_cli(broker):
    admin, guest = Client(broker, admin=True), Client(broker)
    guest.attest()
    one = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=1")[2])[0]
    text = broker.cli("verdict", "show", one["id"])
    for part in (one["id"], "hardware", "cpu0", "svn", "default_cpu"):
        if part not in text:
            raise AssertionError("%s is not in %s" % (part, text))
    expect("json", json.loads(broker.cli("verdict", "show", one["id"], "--json"))["claims"]["pieces"][0]["name"], "cpu0")
    broker.cli("verdict", "show", "0" * 32, code=1)
    broker.cli("verdict", "look", one["id"], code=2)
    expect("list", one["id"] in broker.cli("verdicts"), True)
    path = broker.path("candidate.rego")
    with open(path, "wb") as f:
        f.write(VECTOR)
    text = broker.cli("policy", "dry-run", "default_cpu", "--file", path, "--verdict", one["id"])
    for part in (one["id"], "contraindicated", "affirming", "hardware", "1 of 1"):
        if part not in text:
            raise AssertionError("%s is not in %s" % (part, text))
    expect("json", json.loads(broker.cli("policy", "dry-run", "default_cpu", "--file", path, "--last", "2",
                                         "--json"))["tried"], 2)
    with open(path, "wb") as f:
        f.write(b"package policy\n nonsense")
    broker.cli("policy", "dry-run", "default_cpu", "--file", path, code=3)
    broker.cli("policy", "dry-run", "default_cpu", code=2)


def test_evidence(program, husk):
    """Kept on demand only, and claims within their bound; both are off with 0."""
    broker = sample_broker(program, husk, "verdict_evidence = true\nverdict_claims_mib = 1\n")
    try:
        admin, guest = Client(broker, admin=True), Client(broker)
        message = guest.message(guest.auth())
        expect("attest", guest.call("POST", "/kbs/v0/attest", message)[0], 200)
        bad = json.loads(guest.message(guest.auth()))
        bad["tee-evidence"]["primary_evidence"]["report_data"] = "x"
        guest.call("POST", "/kbs/v0/attest", json.dumps(bad))
        for v, want in zip(json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=2")[2]), (json.dumps(bad), message)):
            one = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts/" + v["id"])[2])
            expect("evidence", base64.b64decode(one["evidence"]).decode(), want)
        # Large claims: what is largest is cut, and says so. 64 of them are more than one MiB.
        for n in range(66):
            nonce = guest.auth()
            large = json.loads(guest.message(nonce))
            large["init-data"] = {"format": "toml", "body": 'version = "0.1.0"\nalgorithm = "sha384"\n'
                                  '[data]\n"a" = "1"\n"b" = "%s"\n' % ("x" * (300000 if n % 2 else 30000))}
            guest.call("POST", "/kbs/v0/attest", json.dumps(large))
        admin = Client(broker, admin=True)  # the other one may have been idle for too long
        rows = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=100")[2])
        kept = [r for r in rows if r["claims"]]
        total = sum(r["claims"] for r in kept)
        expect("bounded", (total < 3 << 20, 0 < len(kept) < 68), (True, True))
        odd = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts/" + rows[0]["id"])[2])["claims"]
        expect("cut", (odd["cut"], odd["pieces"][0]["input"]["init_data_claims"]),
               ([{"path": "/pieces/0/input/init_data_claims/b", "bytes": 300002}], {"a": "1"}))
        answer = dry_run(admin, "default_cpu", VECTOR, verdict=rows[0]["id"])
        # A guest that is long-winded has a record all the same.
        large = json.loads(guest.message(guest.auth()))
        large["tee-evidence"]["primary_evidence"]["svn"] = "y" * 400000
        guest.call("POST", "/kbs/v0/attest", json.dumps(large))
        last = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=1")[2])[0]
        one = json.loads(admin.call("GET", "/kbs/v0/admin/verdicts/" + last["id"])[2])
        expect("long-winded", (last["id"] != rows[0]["id"], one["cut"], one["claims"]["cut"][0]["path"], one["status"]),
               (True, ["findings"], "/pieces/0/input/sample/svn", "contraindicated"))
        expect("cut, too", answer["results"][0]["cut"], odd["cut"])
    finally:
        broker.remove()
    broker = sample_broker(program, husk, "verdict_claims_mib = 0\n")
    try:
        admin, guest = Client(broker, admin=True), Client(broker)
        guest.attest()
        expect("none", json.loads(admin.call("GET", "/kbs/v0/admin/verdicts?limit=1")[2])[0]["claims"], 0)
        expect("tried", dry_run(admin, "default_cpu", VECTOR)["tried"], 0)
    finally:
        broker.remove()


def test_request_ids(broker):
    client = Client(broker)
    _, headers, _ = client.call("GET", "/kbs/v0/resource/a/b/c", X_Request_Id="my-id.7")
    expect("mine", headers["X-Request-Id"], "my-id.7")
    _, headers, _ = client.call("GET", "/kbs/v0/nothing", X_Request_Id="a b\"c")
    expect("made", len(headers["X-Request-Id"]), 16)
    mark = len(broker.log())
    client.call("POST", "/kbs/v0/attest", "{}", X_Request_Id="refused-one")
    broker.wait_log("request=refused-one", mark)
    client.call("GET", "/kbs/v0/admin/audit", X_Request_Id="who-asks")
    broker.wait_log("request=who-asks", mark)


def test_endpoints(broker):
    client = Client(broker)
    for method, path, allow in (("POST", "/metrics", "GET"), ("PATCH", "/kbs/v0/auth", "POST"),
                                ("PATCH", "/kbs/v0/resource/a/b/c", "GET, POST, DELETE")):
        status, headers, _ = client.call(method, path)
        expect(path, (status, headers["Allow"]), (405, allow))
    for path in ("/healthz", "/readyz"):
        expect(path, client.call("GET", path)[0], 200)
    status, _, body = client.call("GET", "/openapi.json")
    expect("openapi", (status, json.loads(body)["openapi"]), (200, "3.0.3"))
    text = client.call("GET", "/metrics")[2].decode()
    for name in ("kbs_http_requests_total", "kbs_http_active_connections",
                 "kbs_http_request_duration_seconds_bucket", "kbs_http_request_size_bytes_bucket",
                 "kbs_http_response_size_bytes_bucket", "kbs_auth_requests_total",
                 "kbs_auth_successes_total", "kbs_auth_errors_total",
                 "kbs_attestation_requests_total", "kbs_attestation_errors_total",
                 "kbs_policy_evaluations_total", "kbs_policy_approvals_total",
                 "kbs_policy_violations_total", "kbs_policy_errors_total",
                 "kbs_resource_reads_total", "kbs_resource_writes_total",
                 "kbs_resource_deletes_total", "kbs_plugin_requests_total",
                 "kbs_plugin_request_duration_seconds_bucket", "kbs_plugin_errors_total",
                 "kbs_build_info", "husk_sessions", "husk_verifier_queue", "husk_audit_entries",
                 "husk_store_up", "husk_backend_requests_total",
                 "husk_collateral_first_expiry_timestamp_seconds"):
        if name not in text:
            raise AssertionError(name + " is not among the metrics")


def test_kbs_client(broker):
    """The requests of Trustee's kbs-client, header by header; it takes nothing but 200 for success."""
    admin = Client(broker, admin=True)
    json_type = {"Content_Type": "application/json", "Accept": "*/*"}
    policy = b64url(ALLOW)
    cpu = b64url(TRUSTEE_CPU)
    calls = [
        ("POST", "attestation-policy", {"type": "rego", "policy_id": "kbs_client_cpu", "policy": cpu},
         json_type),
        ("POST", "resource-policy", {"policy": policy}, json_type),
        ("POST", "resource/my_repo/my_type/client", b"123", {"Content_Type": "application/octet-stream"}),
        ("POST", "reference-value", {"version": "0.1.0", "type": "sample", "payload": base64.b64encode(
            json.dumps({"client_svn": ["1"]}).encode()).decode()}, json_type),
    ]
    for method, path, body, headers in calls:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, answer = admin.call(method, "/kbs/v0/" + path, data, **headers)
        expect("%s %s: %s" % (method, path, answer), status, 200)
    status, _, answer = admin.call("GET", "/kbs/v0/reference-value/client_svn", **json_type)
    expect("get-reference-value", (status, json.loads(answer)), (200, ["1"]))
    # get-resource: the handshake of its library, cookies kept, the answer a flattened JWE.
    guest = Client(broker)
    token = guest.attest()
    status, _, answer = guest.call("GET", "/kbs/v0/resource/my_repo/my_type/client")
    expect("get-resource", (status, guest.decrypt(answer)), (200, b"123"))
    passport = Client(broker)
    passport.key, passport.bearer = guest.key, token
    status, _, answer = passport.call("GET", "/kbs/v0/resource/my_repo/my_type/client")
    expect("with a token", (status, passport.decrypt(answer)), (200, b"123"))
    with tempfile.TemporaryDirectory() as d:  # our own commands for the same
        token = broker.cli("attest", "--tee-key-file", d + "/key")
        with open(d + "/token", "w", encoding="ascii") as f:
            f.write(token)
        expect("husk kbs get", broker.cli("get", "my_repo/my_type/client", "--attestation-token",
                                          d + "/token", "--tee-key-file", d + "/key").strip(),
               base64.b64encode(b"123").decode())
    expect("delete-resource", admin.call("DELETE", "/kbs/v0/resource/my_repo/my_type/client")[0], 200)
    status, _, answer = guest.call("GET", "/kbs/v0/resource/my_repo/my_type/client")
    expect("deleted", (status, "PluginInternalError" in json.loads(answer)["type"]), (401, True))
    status, _, answer = Client(broker).call("POST", "/kbs/v0/resource/a/b/c", b"x")
    expect("anonymous", (status, "AdminAuthAccess" in json.loads(answer)["type"]), (401, True))


def make_admin_token(broker, claims):
    """A token signed by the broker's own admin key."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    with open(broker.path("admin.key"), "rb") as f:
        key = load_pem_private_key(f.read(), None)
    parts = [{"alg": "EdDSA", "typ": "JWT"},
             dict({"iss": "husk-kbs-init", "aud": "husk-kbs-init", "exp": 4000000000}, **claims)]
    text = ".".join(b64url(json.dumps(p).encode()) for p in parts)
    return text + "." + b64url(key.sign(text.encode()))


def issuer_of(broker):
    payload = broker.token().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["iss"]


def test_uploads(broker):
    """Kinds and types as in Trustee's answers, and a policy that appraises nothing."""
    admin, guest = Client(broker, admin=True), Client(broker)
    for text, want in ((b"package policy\nallow if if\n", b"PolicyEngineError"), (b"", b"PolicyEngineError"),
                       (b"package policy\nx = 1\n", b"PolicyEngineError"),
                       (b"\xff\xfe", b"ParsePolicyError")):
        status, _, body = admin.call("POST", "/kbs/v0/resource-policy",
                                     json.dumps({"policy": b64url(text)}))
        expect("%r: %s" % (text, body), (status, b"/errors/" + want in body), (401, True))
    before = json.loads(admin.call("GET", "/kbs/v0/admin/policies/default_cpu")[2])["policy"]
    for text, want in (('package policy\ntrust_claims := {"hardware": 2}\n', True),
                       ("package policy\ntrust_claims := {}\n", False), (before, True)):
        status, headers, body = admin.call("POST", "/kbs/v0/attestation-policy", json.dumps({
            "policy_id": "default_cpu", "policy": b64url(text.encode())}))
        expect(text, (status, headers["Content-Type"], body), (200, None, b""))
        expect(text, guest.attest() is not None, want)


def test_tenants(broker):
    admin = Client(broker, admin=True)
    expect("unknown", Client(broker, prefix="/tenants/acme").call("POST", "/kbs/v0/auth", json.dumps(
        {"version": "0.4.0", "tee": "sample", "extra-params": {}}))[0], 404)
    broker.cli("tenant", "set", "acme", "--resources", "2", "--bytes", "100", "--policies", "1",
               "--reference-values", "1")
    broker.cli("tenant", "set", "other")
    with tempfile.NamedTemporaryFile() as f:
        f.write(b"theirs")
        f.flush()
        broker.cli("resource", "set", "default/key/t", "--file", f.name, tenant="acme")
    admin.call("POST", "/kbs/v0/resource/default/key/t", b"ours")
    inside = Client(broker, admin=True, prefix="/tenants/acme")
    expect("quota of bytes", inside.call("POST", "/kbs/v0/resource/a/b/big", b"x" * 101)[0], 403)
    expect("second", inside.call("POST", "/kbs/v0/resource/a/b/two", b"x")[0], 200)
    expect("quota of resources", inside.call("POST", "/kbs/v0/resource/a/b/three", b"x")[0], 403)
    broker.cli("reference", "set", "one", "1", tenant="acme")
    broker.cli("reference", "set", "one", "2", tenant="acme")
    status, _, body = inside.call("POST", "/kbs/v0/reference-value", json.dumps(
        {"version": "0.1.0", "type": "sample", "payload": base64.b64encode(b'{"two": ["1"]}').decode()}))
    expect("quota of values " + body.decode(), (status, b"QuotaExceeded" in body), (403, True))
    with tempfile.NamedTemporaryFile() as f:
        f.write(TRUSTEE_CPU)
        f.flush()
        expect("says which", broker.cli("policy", "set", "mine_cpu", "--file", f.name, tenant="acme"),
               "installed mine_cpu\n")
    expect("own policy", inside.call("POST", "/kbs/v0/attestation-policy", json.dumps(
        {"policy_id": "mine_cpu", "policy": b64url(TRUSTEE_CPU)}))[0], 200)
    for path, policy in (("attestation-policy", {"policy_id": "more_cpu", "policy": b64url(TRUSTEE_CPU)}),
                         ("resource-policy", {"policy": b64url(ALLOW)})):
        status, _, body = inside.call("POST", "/kbs/v0/" + path, json.dumps(policy))
        expect("quota of policies " + body.decode(), (status, b"QuotaExceeded" in body), (403, True))
    have = {t["name"]: t for t in json.loads(broker.cli("tenant", "list", "--json"))}
    expect("used", have["acme"]["used"], {"resources": 2, "bytes": 7, "policies": 1, "reference_values": 1})
    expect("used by nobody", have["other"]["used"], dict.fromkeys(have["acme"]["used"], 0))
    broker.cli("tenant", "set", "acme", "--resources", "2", "--bytes", "100")
    # Guests: the tenant's own policy decides, a token of another tenant opens nothing.
    guest, stranger = Client(broker, prefix="/tenants/acme"), Client(broker)
    token = guest.attest()
    expect("default policy", guest.call("GET", "/kbs/v0/resource/default/key/t")[0], 401)
    set_policy(inside)
    set_policy(admin)
    expect("own", decrypted(broker, guest, token, "default/key/t", tenant="acme"), b"theirs")
    theirs = stranger.attest()
    expect("outside", decrypted(broker, stranger, theirs, "default/key/t"), b"ours")
    for prefix, bearer in (("", token), ("/tenants/other", token), ("/tenants/acme", theirs)):
        c = Client(broker, prefix=prefix)
        c.bearer = bearer
        status, _, body = c.call("GET", "/kbs/v0/resource/default/key/t")
        expect("crossing " + prefix + body.decode(), (status, b"TokenVerifier" in body), (401, True))
    # Nor does the cookie of another tenant's session.
    crossing = Client(broker)
    crossing.cookie = guest.cookie
    expect("cookie", crossing.call("GET", "/kbs/v0/resource/default/key/t")[0], 401)
    # Admins: a role of one tenant, a token bound to one.
    issuer = issuer_of(broker)
    for claims, prefix, want in (({"role": "acme-admin"}, "/tenants/acme", 200),
                                 ({"role": "acme-admin"}, "", 401),
                                 ({"role": "acme-admin"}, "/tenants/other", 401),
                                 ({"role": "admin", "tenant": "acme"}, "/tenants/acme", 200),
                                 ({"role": "admin", "tenant": "acme"}, "", 401),
                                 ({"role": "admin", "tenant": 5}, "", 401),
                                 ({"role": "admin", "tenant": None}, "", 401),
                                 ({"role": "admin", "nbf": 1}, "", 200),
                                 ({"role": "admin", "nbf": 4000000000}, "", 401),
                                 ({"role": "admin", "nbf": "1"}, "", 401)):
        c = Client(broker, prefix=prefix)
        c.bearer = make_admin_token(broker, dict(claims, iss=issuer, aud=issuer))
        expect("%s at %s" % (claims, prefix), c.call("GET", "/kbs/v0/admin/resources")[0], want)
    expect("no tenants within", inside.call("GET", "/kbs/v0/admin/tenants")[0], 404)
    expect("no backup within", inside.call("POST", "/kbs/v0/admin/backup", "{}")[0], 404)
    own = json.loads(inside.call("GET", "/kbs/v0/admin/audit")[2])
    expect("audit", {e["tenant"] for e in own}, {"acme"})
    state = broker.path("audit-acme")
    said = broker.cli("audit", "verify", "--state", state, tenant="acme")
    expect("own entries: " + said, "%d entries of tenant acme" % len(own) in said, True)
    broker.cli("audit", "verify", "--state", state, tenant="acme")
    broker.cli("audit", "verify", "--state", state)
    broker.cli("tenant", "delete", "acme")
    expect("deleted", guest.call("GET", "/kbs/v0/resource/default/key/t")[0], 404)
    expect("ours stays", stranger.call("GET", "/kbs/v0/resource/default/key/t")[0], 200)
    broker.cli("tenant", "delete", "other")


def test_audit(broker):
    admin, guest = Client(broker, admin=True), Client(broker)
    state = broker.path("audit-state")
    broker.cli("audit", "verify", "--state", state)
    admin.call("POST", "/kbs/v0/resource/a/b/audited", b"x")
    set_policy(admin)
    guest.attest()
    expect("read", guest.call("GET", "/kbs/v0/resource/a/b/audited")[0], 200)
    first = json.loads(admin.call("GET", "/kbs/v0/admin/audit?limit=1")[2])[0]
    expect("release", (first["action"], first["object"], first["actor"]),
           ("resource.release", "a/b/audited", "guest"))
    broker.cli("audit", "proof", str(first["seq"]))
    broker.cli("audit", "proof", "1")
    broker.cli("audit", "proof", "999999", code=1)
    broker.cli("audit", "verify", "--state", state)
    # A head of another history is not continued.
    with open(state, encoding="utf-8") as f:
        seen = json.load(f)
    seen["root"] = "00" * 32
    seen["tree_size"] -= 1
    with open(state, "w", encoding="utf-8") as f:
        json.dump(seen, f)
    broker.cli("audit", "verify", "--state", state, code=3)
    seen["tree_size"] = 999999
    with open(state, "w", encoding="utf-8") as f:
        json.dump(seen, f)
    broker.cli("audit", "verify", "--state", state, code=3)


def test_backup(program, husk):
    broker = sample_broker(program, husk)
    try:
        check_backup(broker, program, husk)
    finally:
        broker.remove()


def check_backup(broker, program, husk):
    admin = Client(broker, admin=True)
    admin.call("POST", "/kbs/v0/resource/a/b/saved", b"secret of the backup")
    key, public, backup = (broker.path(n) for n in ("b.key", "b.pub", "b.backup"))
    subprocess.run([husk, "key", "generate", key, "--public", public], check=True,
                   stderr=subprocess.DEVNULL)
    broker.cli("backup", backup, "--recipient", key, code=1)  # a private key is refused
    broker.cli("backup", backup, "--recipient", public)
    with open(backup, "rb") as f:
        data = f.read()
    if b"secret" in data:
        raise AssertionError("the backup is readable")
    other = Broker(program, husk, "resource_versions = 2\n")
    try:
        restore = [program, "restore", "-c", other.config, "--key"]
        wrong = broker.path("wrong.key")
        subprocess.run([husk, "key", "generate", wrong], check=True, stderr=subprocess.DEVNULL)
        bad = broker.path("bad.backup")
        changed = bytearray(data)
        at = data.index(b'"ciphertext"') + 200
        changed[at] ^= 1
        with open(bad, "wb") as f:
            f.write(changed)
        for args in ([wrong, backup], [key, bad], [key, public], [key, "/nonexistent"]):
            done = subprocess.run(restore + args, capture_output=True, check=False)
            expect("bad restore %s" % args, done.returncode, 1)
        subprocess.run(restore + [key, backup], check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run(restore + [key, backup], capture_output=True, text=True, check=False)
        expect("twice", (done.returncode, "not empty" in done.stderr), (1, True))
        other.start()
        paths = [r["path"] for r in json.loads(other.cli("resource", "list", "--json"))]
        expect("restored", "a/b/saved" in paths, True)
        other.cli("audit", "verify")
        log = json.loads(other.cli("audit", "--json", "--limit", "1000"))
        expect("log goes on", ["restore" in [e["action"] for e in log],
                               "backup" in [e["action"] for e in log]], [True, True])
    finally:
        other.remove()


TRUSTEE_POLICY = b"""package policy
import rego.v1
default allow = false
allow if {
    data["resource-path"][0] == "default"
}
"""
TRUSTEE_CPU = b"""package policy
import rego.v1
default executables := 33
default hardware := 97
default configuration := 36
trust_claims := {"executables": executables, "hardware": hardware, "configuration": configuration}
executables := 3 if "1" in query_reference_value("svn")
"""


def test_trustee(program, husk):
    broker = sample_broker(program, husk)
    try:
        for layout in ("local_fs", "local_json"):
            check_trustee(broker, layout)
        out = broker.path("exported")
        broker.cli("export", "--to-trustee", out)
        with open(out + "/repository/default\\x2Fkey\\x2Fmoved", "rb") as f:
            expect("exported", f.read(), b"\x00binary local_json")
        with open(out + "/kbs/resource-policy.rego", "rb") as f:
            expect("policy", f.read(), TRUSTEE_POLICY)
        with open(out + "/reference_value/svn", "rb") as f:
            expect("value", json.load(f)["value"], ["1"])
        again = sample_broker(program, husk)
        try:
            again.cli("import", "--from-trustee", out)
            expect("round trip", [r["path"] for r in json.loads(
                again.cli("resource", "list", "--json"))],
                [r["path"] for r in json.loads(broker.cli("resource", "list", "--json"))])
        finally:
            again.remove()
        check_old_trustee(program, husk)
        broker.cli("import", "--from-trustee", "/nonexistent", code=1)
        os.mkdir(broker.path("empty"))
        broker.cli("import", "--from-trustee", broker.path("empty"), code=1)
    finally:
        broker.remove()


def write_trustee(folder, layout):
    value = {"version": "0.1.0", "name": "svn", "expiration": "2035-01-01T00:00:00Z", "value": ["1"]}
    old = dict(value, name="expired", expiration="2020-01-01T00:00:00Z")
    content = {
        "repository": {"default/key/moved": b"\x00binary " + layout.encode(),
                       "other/key/one": b"kept from guests"},
        "kbs": {"resource-policy.rego": TRUSTEE_POLICY},
        "attestation_service_policy": {"default_cpu.rego": TRUSTEE_CPU},
        "reference_value": {"svn": json.dumps(value).encode(), "expired": json.dumps(old).encode()},
        "kbs_protocol_session": {"0123": b"{}"},
    }
    os.mkdir(folder)
    for namespace, entries in content.items():
        if layout == "local_json":
            with open(os.path.join(folder, namespace), "w", encoding="ascii") as f:
                json.dump({k: base64.urlsafe_b64encode(v).decode() for k, v in entries.items()}, f)
            continue
        os.mkdir(os.path.join(folder, namespace))
        for key, data in entries.items():
            with open(os.path.join(folder, namespace, key.replace("/", "\\x2F")), "wb") as f:
                f.write(data)


def check_trustee(broker, layout):
    folder = broker.path("trustee-" + layout)
    write_trustee(folder, layout)
    said = broker.cli("import", "--from-trustee", folder)
    if "expired expired at 2020" not in said or "imported 5, left out 1" not in said:
        raise AssertionError(said)
    guest = Client(broker)
    token = guest.attest()
    expect("answer", decrypted(broker, guest, token, "default/key/moved"),
           b"\x00binary " + layout.encode())
    expect("denied", guest.call("GET", "/kbs/v0/resource/other/key/one")[0], 401)
    submods = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["submods"]
    expect("appraised", submods["cpu0"]["ear.trustworthiness-vector"]["executables"], 3)
    expect("value", json.loads(broker.cli("reference", "get", "svn")), ["1"])


def write_old_trustee(folder):
    """As Trustee kept things before its key-value storage."""
    new = {"version": "0.1.0", "name": "svn", "expiration": "2035-01-01T00:00:00Z", "value": ["1"]}
    oldest = {"version": "0.1.0", "name": "launch_digest", "expiration": "2035-01-01T00:00:00Z",
              "hash-value": [{"alg": "sha384", "value": "abcde"}]}
    files = {
        "kbs/repository/default/key/moved": b"\x00old",
        "kbs/repository/other/key/one": b"kept from guests",
        "kbs/policy.rego": TRUSTEE_POLICY,
        "attestation-service/token/ear/policies/opa/default_cpu.rego": TRUSTEE_CPU,
        "attestation-service/reference_values.json": json.dumps([new, oldest]).encode(),
        "attestation-service/reference_values/db": b"sled",
    }
    for name, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def check_old_trustee(program, husk):
    broker = sample_broker(program, husk)
    try:
        folder = broker.path("old")
        write_old_trustee(folder)
        said = broker.cli("import", "--from-trustee", folder)
        if "imported 6, left out 0" not in said or "it is a database" not in said:
            raise AssertionError(said)
        guest = Client(broker)
        token = guest.attest()
        expect("old answer", decrypted(broker, guest, token, "default/key/moved"), b"\x00old")
        expect("old denied", guest.call("GET", "/kbs/v0/resource/other/key/one")[0], 401)
        for name, value in (("svn", ["1"]), ("launch_digest", ["abcde"])):
            expect(name, json.loads(broker.cli("reference", "get", name)), value)
        # Its repository alone; a resource that is not REPOSITORY/TYPE/TAG ends the import.
        os.mkdir(broker.path("part"))
        os.rename(folder + "/kbs/repository", broker.path("part") + "/repository")
        if "imported 2, left out 0" not in broker.cli("import", "--from-trustee", broker.path("part")):
            raise AssertionError("repository alone")
        with open(broker.path("part") + "/repository/default/stray", "wb") as f:
            f.write(b"x")
        broker.cli("import", "--from-trustee", broker.path("part"), code=1)
    finally:
        broker.remove()


def test_reload(program, husk):
    broker = sample_broker(program, husk)
    try:
        old = ssl.create_default_context(cafile=broker.path("tls.crt"))
        kept = Client(broker, admin=True, context=old)
        expect("before", kept.call("GET", "/kbs/v0/admin/resources")[0], 200)
        guest = Client(broker, context=old)
        nonce = guest.auth()
        fresh = Broker(program, husk)  # only for its certificate
        for name in ("tls.crt", "tls.key"):
            os.replace(fresh.path(name), broker.path(name))
        fresh.remove()
        broker.edit(lambda t: t.replace('"^/kbs/v0/.*$"', '"^/kbs/v0/resource/.*$"')
                    .replace("[husk]\n", "[husk]\nrequest_rate = 1000\n"))
        mark = len(broker.log())
        broker.process.send_signal(signal.SIGHUP)
        broker.wait_log("vault.reload ", mark)
        broker.wait_log("front.reload ", mark)
        # The connection and the session stay, the access list is another one.
        expect("access list", kept.call("GET", "/kbs/v0/admin/resources")[0], 401)
        expect("still allowed", kept.call("POST", "/kbs/v0/resource/a/b/c", b"x")[0], 200)
        expect("session", guest.call("POST", "/kbs/v0/attest", guest.message(nonce))[0], 200)
        expect("new certificate", Client(broker).call("GET", "/healthz")[0], 200)
        try:
            Client(broker, context=old).call("GET", "/healthz")
            raise AssertionError("the old certificate is still served")
        except ssl.SSLError:
            pass
        # What is wrong changes nothing.
        broker.edit(lambda t: t + "\nnonsense = 1\n")
        mark = len(broker.log())
        broker.process.send_signal(signal.SIGHUP)
        broker.wait_log("kbs.reload.refused", mark)
        expect("lives", Client(broker).call("GET", "/readyz")[0], 200)
        broker.edit(lambda t: t.replace("\nnonsense = 1\n", ""))
        with open(broker.path("admin.pub"), "w", encoding="ascii") as f:
            f.write("no key")
        mark = len(broker.log())
        broker.process.send_signal(signal.SIGHUP)
        broker.wait_log("vault.reload.refused", mark)
        expect("old key", kept.call("POST", "/kbs/v0/resource/a/b/c", b"x")[0], 200)
    finally:
        broker.remove()


def test_request_rate(program, husk):
    broker = Broker(program, husk, "request_rate = 1\nrequest_burst = 5\n").start()
    try:
        client = Client(broker)
        answers = [client.call("GET", "/healthz") for _ in range(10)]
        expect("limited", [a[0] for a in answers[:5]] + [answers[-1][0]], [200] * 5 + [429])
        expect("when", answers[-1][1]["Retry-After"], "1")
    finally:
        broker.remove()


def test_collateral_expiry(program, husk):
    """Of each kind the first date, as the admin API has it."""
    broker = Broker(program, husk)
    folder = broker.path("collateral")
    os.makedirs(folder + "/some")
    shutil.copy(broker.path("tls.crt"), folder + "/some/chain.pem")
    with open(folder + "/some/key.json", "w", encoding="ascii") as f:
        f.write("{}")
    broker.edit(lambda t: t.replace("\n[husk]\n", "\n[husk]\ncollateral = \"%s\"\n" % folder, 1))
    broker.start()
    try:
        rows = json.loads(Client(broker, admin=True).call("GET", "/kbs/v0/admin/collateral")[2])
        until = {r["kind"]: r.get("until") for r in rows}
        text = Client(broker).call("GET", "/metrics")[2].decode()
        found = re.findall(r'^husk_collateral_first_expiry_timestamp_seconds\{kind="(\w+)"\} (\d+)$', text, re.M)
        expect("kinds", [k for k, _ in found], ["certificates"])
        expect("date", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(found[0][1]))), until["certificates"])
    finally:
        broker.remove()


def main():
    program, husk = sys.argv[1:3]
    tests = [test_versions, test_claims, test_dry_run, test_claims_cli, test_request_ids, test_endpoints, test_kbs_client, test_uploads, test_tenants, test_audit]
    broker = sample_broker(program, husk, "resource_versions = 2\n")
    broker.kill(signal.SIGTERM)
    broker.edit(lambda t: t + '\n[[admin.authorization.regex_acl.acls]]\nrole = "acme-admin"\n'
                'tenant = "acme"\nallowed_endpoints = "^/kbs/v0/.*$"\n')
    broker.start()
    bad = 0
    alone = [test_evidence, test_backup, test_trustee, test_reload, test_request_rate, test_collateral_expiry]
    for test in tests + alone:
        name = test.__name__
        try:
            test(*([broker] if test in tests else [program, husk]))
            print("ok", name)
        except Exception as error:  # each failure is one line, the others still run
            bad += 1
            print("FAIL", name, "%s: %s" % (type(error).__name__, error))
            traceback.print_exc()
    if bad:
        print(broker.log()[-3000:])
    broker.remove()
    return 1 if bad else 0


sys.exit(main())
