# SPDX-License-Identifier: Apache-2.0
"""What guests ask either broker. Each chapter notes an answer by name; a name means the same question on
either side."""
import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec

from peer_brokers import ALLOW, PATH, SECRET, Guest, b64url, policy, ready
from tee_keys import Ec, Rsa, open_jwe

TEES = ("az-snp-vtpm", "az-tdx-vtpm", "sev", "sgx", "snp", "tdx", "cca", "csv", "hygondcu", "tpm",
        "nvidia", "nvidia-dpu", "nvidiadpu", "sample", "sampledevice")
INIT_DATA = """version = "0.1.0"
algorithm = "sha384"

[data]
"a.toml" = "x = 1"
"text" = "words"
"policy.rego" = '''
package agent_policy
default CreateContainerRequest := false
policy_data := {"containers": [{"OCI": {"Process": {"Args": ["/pause"], "User": {"UID": 65535}},
  "Annotations": {"io.kubernetes.cri.image-name": "registry.example/app:1",
                  "io.kubernetes.cri.container-type": "container"}}}]}
'''
"""


def auth(side, note):
    for tee in TEES:
        answer = Guest(side, Ec()).auth(tee)
        note("auth, " + tee, answer)
        if answer.status == 200:
            note("nonce, " + tee, len(base64.b64decode(answer.json["nonce"])))
            note("extra-params, " + tee, json.dumps(answer.json["extra-params"]))
    for version in ("0.1.0", "0.1.1", "0.2.0", "0.3.0", "0.4.1", "0.5.0", "1.0.0", "0.4", "v0.4.0",
                    "0.4.0-rc1", "0.4.0+build", ""):
        note("version '%s'" % version, Guest(side, Ec()).auth(version=version))
    guest = Guest(side, Ec())
    good = {"version": "0.4.0", "tee": "sample", "extra-params": {}}
    for name in good:
        note("auth without " + name, guest.call(
            "POST", "/kbs/v0/auth", {k: v for k, v in good.items() if k != name}))
    for name, value in (("version", 4), ("version", None), ("tee", "unknown"), ("tee", 7),
                        ("tee", "SAMPLE"), ("tee", "none"), ("extra-params", None),
                        ("extra-params", ""), ("extra-params", 5), ("extra-params", [1]),
                        ("more", {"a": 1})):
        note("auth, %s %s" % (name, json.dumps(value)),
             guest.call("POST", "/kbs/v0/auth", dict(good, **{name: value})))
    text = json.dumps(good)
    for name, body in (("empty", ""), ("no JSON", "{"), ("list", "[]"), ("more behind", text + "x"),
                       ("spaces behind", text + " \n"), ("null", "null"), ("bytes", b"\xff\xfe"),
                       ("name twice", text[:-1] + ', "tee": "sample"}'),
                       ("deep", '{"extra-params":' + "[" * 200 + "]" * 200 + "}"),
                       ("zero in text", text.replace("sample", "sam\\u0000ple"))):
        note("auth, body: " + name, guest.call("POST", "/kbs/v0/auth", body))
    note("auth, of another type", guest.call("POST", "/kbs/v0/auth", text,
                                             {"Content-Type": "text/plain"}))
    note("auth, longer path", guest.call("POST", "/kbs/v0/auth/more", text))
    note("auth, slash", guest.call("POST", "/kbs/v0/auth/", text))
    note("auth, query", guest.call("POST", "/kbs/v0/auth?a=b", text))
    guest = Guest(side, Ec())
    guest.auth()
    name, _, value = guest.cookie.partition("=")
    note("cookie", "%s=%d hexadecimal digits" % (name, len("%032x" % int(value, 16))))
    note("cookie's end", "Expires" in guest.attributes)
    note("cookie's other attributes", ",".join(sorted(
        part.split("=")[0].strip() for part in guest.attributes.split(";")
        if not part.strip().startswith("Expires"))))


def attest(side, note):
    guest = Guest(side, Ec())
    guest.auth()
    message = guest.message()
    note("attest", guest.attest(message))
    note("attest, cookie again", "Expires" in guest.attributes)
    first = guest.token
    note("the same again", guest.attest(message))
    note("the same token", first == guest.token)
    other = Guest(side, Ec())
    other.cookie, other.nonce = guest.cookie, guest.nonce
    note("another message in an attested session", other.attest())
    guest = Guest(side, Ec())
    note("attest without a session", guest.call("POST", "/kbs/v0/attest", message))
    guest.cookie = "kbs-session-id=" + "0" * 32
    note("attest, unknown session", guest.call("POST", "/kbs/v0/attest", message))
    guest.cookie = "kbs-session-id=../../x"
    note("attest, strange session", guest.call("POST", "/kbs/v0/attest", message))
    guest = Guest(side, Ec())
    guest.auth()
    guest.nonce = base64.b64encode(bytes(32)).decode()
    note("attest, another nonce", guest.attest())
    guest = Guest(side, Ec())
    guest.auth()
    note("attest, bad report data", guest.attest(guest.message(report_data="AAAA")))
    note("attest, good after bad", guest.attest())
    guest.auth()
    swapped = guest.message()
    swapped["runtime-data"]["tee-pubkey"] = Ec().public()
    note("attest, another key", guest.attest(swapped))
    for path in ("init-data", "runtime-data", "tee-evidence", "runtime-data/nonce",
                 "runtime-data/tee-pubkey", "tee-evidence/primary_evidence",
                 "tee-evidence/additional_evidence"):
        guest.auth()
        cut = guest.message()
        parent, _, leaf = path.rpartition("/")
        del (cut[parent] if parent else cut)[leaf]
        note("attest without " + path, guest.attest(cut))
    guest.auth()
    old = guest.message()
    note("attest, message of 0.3.0", guest.attest(
        {"tee-pubkey": guest.key.public(), "tee-evidence": old["tee-evidence"]}))
    for name, body in (("empty", ""), ("no JSON", "{"), ("list", "[]"), ("null", "null"),
                       ("large", b" " * (2 * 1024 * 1024 + 1))):
        guest.auth()
        note("attest, body: " + name, guest.call("POST", "/kbs/v0/attest", body))
    for name, evidence in (("text", "words"), ("null", None), ("list", []), ("empty", {}),
                           ("number as svn", {"svn": 1, "report_data": ""})):
        guest.auth()
        message = guest.message()
        message["tee-evidence"]["primary_evidence"] = evidence
        note("attest, evidence: " + name, guest.attest(message))
    guest.auth("snp")
    note("attest, sample evidence as SNP", guest.attest())
    guest.auth("sampledevice")
    note("attest, a device alone", guest.attest())
    for name, text in (("no JSON", "{"), ("list", "[]"), ("unknown kind", '{"x": {}}'),
                       ("null", "null"), ("empty", "{}"), ("spaces", " ")):
        guest.auth()
        note("attest, further evidence: " + name, guest.attest(guest.message(additional=text)))
    guest.auth()
    note("attest, device with bad report data", guest.attest(
        guest.message(additional=guest.device(report_data="AAAA"))))
    for name, change in (("format", {"format": "json", "body": "{}"}),
                         ("no format", {"body": INIT_DATA}), ("no TOML", {"body": "= ="}),
                         ("no version", {"body": INIT_DATA.split("\n", 1)[1]}),
                         ("another version", {"body": INIT_DATA.replace("0.1.0", "9.9.9")}),
                         ("algorithm", {"body": INIT_DATA.replace("sha384", "md5")}),
                         ("no data", {"body": INIT_DATA.split("[data]")[0]})):
        guest.auth()
        init = dict({"format": "toml"}, **change)
        if name == "no format":
            del init["format"]
        note("attest, init-data: " + name, guest.attest(guest.message(init_data=init)))
    note("GET attest", guest.call("GET", "/kbs/v0/attest"))


def keys(side, note):
    """What guests' keys may be, and that they open what is encrypted to them."""
    policy(side, ALLOW)
    assert side.admin("POST", PATH, SECRET).status == 200
    for name, key in (("P-256", Ec()), ("P-521", Ec(ec.SECP521R1(), "P-521")),
                      ("P-384", Ec(ec.SECP384R1(), "P-384")), ("RSA-OAEP-256", Rsa("RSA-OAEP-256")),
                      ("RSA1_5", Rsa("RSA1_5")), ("RSA-OAEP", Rsa("RSA-OAEP"))):
        guest = Guest(side, key)
        guest.auth()
        answer = guest.attest()
        note("attest, key " + name, answer)
        answer = guest.call("GET", PATH)
        note("resource, key " + name, answer)
        if answer.status == 200:
            note("opened, key " + name, open_jwe(key, answer.json) == SECRET)
            header = base64.urlsafe_b64decode(answer.json["protected"] + "==")
            note("header, key " + name, list(json.loads(header)))
    good = Ec().public()
    for name, value in (("empty", {}), ("null", None), ("text", "key"), ("no kty", dict(good, kty="")),
                        ("OKP", {"kty": "OKP", "crv": "Ed25519", "x": good["x"]}),
                        ("short x", dict(good, x="AAAA")), ("padded x", dict(good, x=good["x"] + "=")),
                        ("no alg", {k: v for k, v in good.items() if k != "alg"}),
                        ("more", dict(good, kid="mine"))):
        key = Ec()
        key.public = lambda value=value: value
        guest = Guest(side, key)
        guest.auth()
        note("attest, key: " + name, guest.attest())
        note("resource, key: " + name, guest.call("GET", PATH))


def resources(side, note):
    policy(side, ALLOW)
    guest = ready(side, Ec())
    bearer = {"Authorization": "Bearer " + guest.token}
    note("set", side.admin("POST", PATH, SECRET))
    note("set again", side.admin("POST", PATH, SECRET + b"!"))
    note("get with the session", guest.call("GET", PATH))
    note("get with a token", side.call("GET", PATH, headers=bearer))
    note("get with both", guest.call("GET", PATH, headers={"Authorization": "Bearer x.y.z"}))
    note("get with neither", side.call("GET", PATH))
    note("get, unknown session and token", side.call("GET", PATH, headers=dict(
        bearer, Cookie="kbs-session-id=" + "0" * 32)))
    fresh = Guest(side, Ec())
    fresh.auth()
    note("get before attesting", fresh.call("GET", PATH))
    head, body, signature = guest.token.split(".")
    for name, value in (("no token", "Bearer "), ("one word", "Bearer"), ("Basic", "Basic YTpi"),
                        ("lower case", "bearer " + guest.token), ("garbage", "Bearer abc"),
                        ("three parts", "Bearer a.b.c"), ("empty", ""),
                        ("changed", "Bearer %s.%s.%s" % (head, body, signature[::-1])),
                        ("no signature", "Bearer %s.%s." % (head, body)),
                        ("algorithm none", "Bearer %s.%s." % (b64url(b'{"alg":"none"}'), body)),
                        ("an admin's", "Bearer " + side.material.token())):
        note("get, bearer: " + name, side.call("GET", PATH, headers={"Authorization": value}))
    for path in ("a/b/none", "a/b", "a", "", "a/b/c/d", "/kind/tag", "repo//tag", "repo/kind/",
                 ".a/b/c", "a/../c", "a/b/..", "a/b/c%2Fd", "a/b/%2e%2e", "a%20b/c/d", "a/b/c?x=y",
                 "repo/kind/tag?x=1&x=2", "a/b/%zz", "a/b/%00", "rep%6f/kind/tag"):
        note("get '%s'" % path, guest.call("GET", "/kbs/v0/resource/" + path))
    for path in ("a/b", "a/b/c/d", ".a/b/c", "a/b/c%2Fd", "a b/c/d".replace(" ", "%20"), "a/b/"):
        note("set '%s'" % path, side.admin("POST", "/kbs/v0/resource/" + path, b"x"))
    note("set, empty", side.admin("POST", "/kbs/v0/resource/a/b/empty", b""))
    note("get, empty", guest.call("GET", "/kbs/v0/resource/a/b/empty"))
    note("set, 2 MiB", side.admin("POST", "/kbs/v0/resource/a/b/large", bytes(2 * 1024 * 1024)))
    note("set, more", side.admin("POST", "/kbs/v0/resource/a/b/large", bytes(2 * 1024 * 1024 + 1)))
    note("set without an admin", side.call("POST", PATH, b"x"))
    note("set by a guest", guest.call("POST", PATH, b"x"))
    note("delete without an admin", side.call("DELETE", PATH))
    note("PUT", side.admin("PUT", PATH, b"x"))
    note("PUT with a session", guest.call("PUT", PATH, b"x"))
    note("PATCH", side.admin("PATCH", PATH, b"x"))
    note("HEAD", guest.call("HEAD", PATH))
    note("OPTIONS", guest.call("OPTIONS", PATH))
    note("delete", side.admin("DELETE", PATH))
    note("get, deleted", guest.call("GET", PATH))
    note("delete again", side.admin("DELETE", PATH))
    note("delete, bad path", side.admin("DELETE", "/kbs/v0/resource/a/b"))


def passport(side, note, other):
    """A token of the @other broker, whose signer is certified by a root that both trust."""
    policy(side, ALLOW)
    side.admin("POST", PATH, SECRET)
    guest = ready(other, Ec())
    got = side.call("GET", PATH, headers={"Authorization": "Bearer " + guest.token})
    note("resource for a token of the other", got)
    if got.status == 200:
        note("resource for a token of the other, opened", open_jwe(guest.key, got.json) == SECRET)
