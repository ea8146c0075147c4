# SPDX-License-Identifier: Apache-2.0
"""What administrators ask either broker, and what everybody may."""
import base64
import json
import time

from cryptography.hazmat.primitives.asymmetric import ed25519

from peer_brokers import ALLOW, DENY, PATH, SECRET, Guest, b64url, policy, ready, reference
from tee_keys import Ec, open_jwe


def policies(side, note):
    where = "/kbs/v0/resource-policy"
    side.admin("POST", PATH, SECRET)
    note("resource policy", policy(side, ALLOW))
    guest = ready(side, Ec())
    note("allowed", guest.call("GET", PATH))
    note("its list", side.admin("GET", where))
    note("its list, which", json.dumps(side.admin("GET", where).json))
    note("resource policy, DELETE", side.admin("DELETE", where))
    note("resource policy without an admin", side.call("POST", where, {"policy": "AAAA"}))
    for name, body in (("empty", ""), ("no JSON", "{"), ("list", "[]"), ("no policy", {}),
                       ("number", {"policy": 1}), ("no base64", {"policy": "***"}),
                       ("standard base64", {"policy": base64.b64encode(b"package policy\n?>").decode()}),
                       ("padded", {"policy": b64url(ALLOW.encode() + b"  ") + "=="}),
                       ("no UTF-8", {"policy": b64url(b"\xff\xfe")}),
                       ("no Rego", {"policy": b64url(b"package policy\nallow if if\n")}),
                       ("empty policy", {"policy": ""}),
                       ("more members", {"policy": b64url(ALLOW.encode()), "x": 1})):
        note("resource policy, body: " + name, side.admin("POST", where, body))
    policy(side, ALLOW)
    note("still allowed", guest.call("GET", PATH))
    note("deny", policy(side, DENY))
    answer = guest.call("GET", PATH)
    note("denied", answer)
    note("denied, in words", answer.detail().startswith("Access denied by policy"))
    for name, rego in (("another package", "package other\nallow = true\n"),
                       ("no allow", "package policy\nx = true\n"),
                       ("no boolean", "package policy\nallow = 1\n"),
                       ("text", 'package policy\nallow = "true"\n'),
                       ("undefined", "package policy\nimport rego.v1\nallow if input.nothing\n"),
                       ("without v1", "package policy\nallow { true }\n"),
                       ("unknown function", "package policy\nallow = nothing(1)\n"),
                       ("division by zero", "package policy\nallow = 1 / 0 == 1\n"),
                       ("two values", "package policy\nallow = true\nallow = false\n"),
                       ("plugin", 'package policy\nimport rego.v1\nallow if data.plugin == "resource"\n'),
                       ("path", 'package policy\nimport rego.v1\nallow if '
                                'data["resource-path"] == ["repo", "kind", "tag"]\n'),
                       ("query", 'package policy\nimport rego.v1\nallow if data.query.a == "b c"\n')):
        policy(side, DENY)
        note("set policy: " + name, policy(side, rego))
        note("get under policy: " + name, guest.call("GET", PATH + "?a=b%20c"))
    where = "/kbs/v0/attestation-policy"
    rego = ("package policy\nimport rego.v1\ntrust_claims := {\"executables\": 3, \"hardware\": 2, "
            "\"configuration\": 2}\n")
    for name in ("default_cpu", "default_gpu", "other_cpu", "a-b.c"):
        note("attestation policy " + name, policy(side, rego, "attestation-policy", policy_id=name))
    for name in ("", "a/b", "../x", "a b", "ü", "x" * 300):
        note("attestation policy '%.9s'" % name,
             policy(side, rego, "attestation-policy", policy_id=name))
    note("attestation policy, type", policy(side, rego, "attestation-policy",
                                            policy_id="default_cpu", type="rego"))
    for name, body in (("empty", ""), ("no id", {"policy": b64url(rego.encode())}),
                       ("no policy", {"policy_id": "default_cpu"}),
                       ("no base64", {"policy_id": "default_cpu", "policy": "***"}),
                       ("no Rego", {"policy_id": "default_cpu", "policy": b64url(b"package if")})):
        note("attestation policy, body: " + name, side.admin("POST", where, body))
    note("attestation policy without an admin", side.call("POST", where, {}))
    note("GET attestation policy", side.admin("GET", where))


def references(side, note):
    where = "/kbs/v0/reference-value"
    values = {"text": "a", "list": ["1", "2"], "number": 7, "flag": True, "nothing": None,
              "map": {"a": [1]}, "with.dot": "x", "real": 1.5}
    note("reference values", reference(side, values))
    for name in values:
        answer = side.admin("GET", where + "/" + name)
        note("reference value " + name, answer)
        note("reference value %s is" % name, answer.body.decode())
    note("reference value, none", side.admin("GET", where + "/none"))
    note("reference value, no name", side.admin("GET", where))
    note("reference value, empty name", side.admin("GET", where + "/"))
    note("reference value, name with a slash", reference(side, {"a/b": 1}))
    note("reference value a/b", side.admin("GET", where + "/a/b"))
    note("reference value, DELETE", side.admin("DELETE", where + "/text"))
    note("reference values without an admin", side.call("POST", where, {}))
    note("reference value without an admin", side.call("GET", where + "/text"))
    for name, change in (("version", {"version": "9.9.9"}), ("no version", {"version": None}),
                         ("type", {"type": "unknown"}), ("no type", {"type": None}),
                         ("no payload", {"payload": None}), ("payload", {"payload": "***"}),
                         ("no JSON in it", {"payload": "AAAA"}),
                         ("list in it", {"payload": base64.b64encode(b"[]").decode()}),
                         ("more", {"x": 1})):
        note("reference values, " + name, reference(side, {"a": 1}, **change))
    for name, body in (("empty", ""), ("no JSON", "{"), ("list", "[]"), ("no UTF-8", b"\xff")):
        note("reference values, body: " + name, side.admin("POST", where, body))


def admins(side, note):
    m = side.material
    where = "/kbs/v0/reference-value/text"
    stranger = ed25519.Ed25519PrivateKey.generate()
    now = int(time.time())

    def ask(name, header, path=where):
        answer = side.call("GET", path, headers={"Authorization": header} if header else {})
        note("admin, " + name, answer)
        return answer

    for name, token in (("good", m.token()), ("audience as text", m.token(aud="brokers")),
                        ("further audience", m.token(aud=["x", "brokers"])),
                        ("no role", m.token(role=None)), ("role is a number", m.token(role=1)),
                        ("another role", m.token(role="nobody")), ("reader", m.token(role="reader")),
                        ("another issuer", m.token(iss="x")), ("no issuer", m.token(iss=None)),
                        ("another audience", m.token(aud=["x"])), ("no audience", m.token(aud=None)),
                        ("expired", m.token(exp=now - 3600)), ("just expired", m.token(exp=now - 30)),
                        ("no end", m.token(exp=None)), ("end as text", m.token(exp=str(now + 99))),
                        ("not yet", m.token(nbf=now + 3600)),
                        ("another key", m.token(key=stranger)),
                        ("algorithm none", m.token(header={"alg": "none"})),
                        ("another algorithm", m.token(header={"alg": "HS256"})),
                        ("no algorithm", m.token(header={"typ": "JWT"})),
                        ("unknown kid", m.token(header={"alg": "EdDSA", "kid": "x"}))):
        ask(name, "Bearer " + token)
    ask("nothing", None)
    ask("Basic", "Basic YTpi")
    ask("garbage", "Bearer abc")
    answer = ask("another key, in words", "Bearer " + m.token(key=stranger))
    note("in words: no issuer", "Cannot verify token with any of the issuers" in answer.detail())
    answer = ask("role, in words", "Bearer " + m.token(role="tester"))
    note("in words: role", "Role tester not allowed" in answer.detail())
    note("reader beyond its endpoints", side.call("POST", "/kbs/v0/resource-policy", {}, {
        "Authorization": "Bearer " + m.token(role="reader")}))
    note("reader with a query", side.call("GET", where + "?x=y", None, {
        "Authorization": "Bearer " + m.token(role="reader")}))
    note("resource, another role", side.admin("POST", PATH, b"x", role="nobody"))
    note("plugin, another role", side.admin("GET", "/kbs/v0/sample/x", role="nobody"))


def plugins(side, note):
    policy(side, ALLOW)
    guest = ready(side, Ec())
    for method, path in (("GET", "unknown"), ("POST", "unknown/a"), ("DELETE", "unknown/a/b"),
                         ("GET", "auth"), ("PUT", "auth"), ("GET", "attest"),
                         ("DELETE", "resource-policy"), ("PUT", "reference-value/a"),
                         ("GET", ""), ("GET", "resource"), ("GET", "Resource/a/b/c")):
        note("%s '%s'" % (method, path), guest.call(method, "/kbs/v0/" + path))
        note("%s '%s' by an admin" % (method, path), side.admin(method, "/kbs/v0/" + path))
    for path in ("/", "/kbs", "/kbs/v0", "/kbs/v1/auth", "/kbs/v0x/auth", "//kbs/v0/auth", "/none"):
        note("GET " + path, side.call("GET", path))
    note("GET /healthz", side.call("GET", "/healthz"))
    note("POST /healthz", side.call("POST", "/healthz"))
    note("POST /metrics", side.call("POST", "/metrics"))
    note("sample, admin", side.admin("GET", "/kbs/v0/sample/x"))
    note("sample, admin, POST", side.admin("POST", "/kbs/v0/sample", b"x"))
    note("sample, admin, PUT", side.admin("PUT", "/kbs/v0/sample/x"))
    note("sample, guest", guest.call("GET", "/kbs/v0/sample/x"))
    note("sample says", side.admin("GET", "/kbs/v0/sample/x").body.decode())
    metrics = side.call("GET", "/metrics")
    note("GET /metrics", metrics.status)
    for name in ("kbs_http_requests_total", "kbs_auth_requests_total", "kbs_auth_successes_total",
                 "kbs_auth_errors_total", "kbs_attestation_requests_total",
                 'kbs_attestation_successes_total{tee_type="sample"}', "kbs_policy_evaluations_total",
                 "kbs_policy_approvals_total", "kbs_policy_violations_total",
                 "kbs_http_active_connections", "kbs_http_request_duration_seconds_bucket",
                 "kbs_http_request_size_bytes_bucket", 'kbs_plugin_requests_total{plugin_name="sample"}',
                 "kbs_build_info"):
        note("metric " + name, name.encode() in metrics.body)
    where = "/kbs/v0/provisioner/"
    answer = side.admin("POST", where + "provision", {"vm_name": "vm", "namespace": "ns"})
    note("provision", answer)
    note("provision, which", answer.body.decode())
    note("provision again", side.admin("POST", where + "provision",
                                       {"vm_name": "vm", "namespace": "ns"}).body.decode())
    note("provision, default", side.admin("POST", where + "provision", {"vm_name": "vm"}).body.decode())
    note("provision, no name", side.admin("POST", where + "provision", {}))
    note("provision, no JSON", side.admin("POST", where + "provision", "{"))
    note("provision without an admin", side.call("POST", where + "provision", {"vm_name": "x"}))
    path = where + answer.json["resource_path"]
    note("provisioned, no init-data", guest.call("GET", path))
    for name, uri in (("bound", "kbs+provisioner:///" + answer.json["resource_path"]),
                      ("bound to another", "kbs+provisioner:///default/x/root")):
        bound = Guest(side, Ec())
        bound.auth()
        text = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n"trustee.kbs.resource" = "%s"\n' % uri
        bound.attest(bound.message(init_data={"format": "toml", "body": text}))
        got = bound.call("GET", path)
        note("provisioned, " + name, got)
        if got.status == 200:
            plain = open_jwe(bound.key, got.json).decode()
            note("provisioned, what", [line.split('"')[1] if '"' in line else line
                                       for line in plain.splitlines()])
    note("deprovision", side.admin("DELETE", where + "provision/" + answer.json["uuid"]))
    note("deprovision, says", side.admin("DELETE", where + "provision/x").body.decode())
    note("deprovisioned", bound.call("GET", path))
