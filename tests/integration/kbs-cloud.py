#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The broker with its resources in AWS Secrets Manager, Google Secret Manager, Azure Key Vault and an
Alibaba Cloud KMS instance: fakes of them that check every signature and claim by themselves; where
credentials come from and that they are renewed; what happens when a vendor refuses, is busy, lies,
redirects or is gone; and that no other process sees the credentials.

usage: kbs-cloud.py HUSK-KBS
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import time

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    import cloud_fakes
    import kbs_broker
    from plugin_broker import (ALLOW, DENY, audit, by_role, guest_of, set_policy, start_edited)
    from plugin_broker import resource_backend as plugin
except ImportError:
    kbs_broker = None

import ending
import fake_http
import services

SECRET = b"a secret of the owner \x00\xff"
PATH = "/kbs/v0/resource/a/b/c"
ACCESS, KEY, SESSION = "AKIDHUSK", "aws/secret+key/that-nobody-logs", "session-token-that-nobody-logs"
CLIENT_SECRET = "entra~secret that-nobody-logs"
folder = ending.folder("husk-py-")


def start(edit, env=None):
    return start_edited(edit, env=dict({"PATH": os.environ["PATH"],
                                        "AWS_EC2_METADATA_DISABLED": "true"}, **(env or {})))


def admin_of(broker):
    return kbs_broker.Client(broker, admin=True)


def get(broker, guest, path=PATH):
    status, _, answer = guest.call("GET", path)
    assert status == 200, (status, answer, broker.log()[-1500:])
    return guest.decrypt(answer)


def no_secrets(broker, *secrets):
    for text in (KEY, SESSION, CLIENT_SECRET, "PRIVATE KEY") + secrets:
        assert text not in broker.log(), text


def write(name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def failures(broker, fake, guest, away=("busy", "broken")):
    """What every store does when it is not itself; a redirect takes nothing anywhere."""
    elsewhere = cloud_fakes.AwsMetadata("A", "b", "c")
    asked = len(elsewhere.requests)
    for mode in away:
        fake.mode = mode
        status, _, answer = guest.call("GET", PATH)
        assert status == 503, (mode, status, answer)
    for mode, text in (("html", ""), ("huge", "larger than"), (("redirect", elsewhere.url() + "/"),
                                                               "redirect")):
        fake.mode = mode
        since = len(broker.log())
        status, _, answer = guest.call("GET", PATH)
        assert status == 401 and b"PluginInternalError" in answer, (mode, status, answer)
        broker.wait_log(text, since)
    assert len(elsewhere.requests) == asked, elsewhere.requests
    elsewhere.close()
    fake.mode = "good"
    status, _, answer = guest.call("GET", "/kbs/v0/resource/a/b/nothing")
    assert status == 401 and b"PluginInternalError" in answer, answer
    count = len(fake.requests)
    set_policy(broker, DENY)
    status, _, answer = guest.call("GET", PATH)
    assert status == 401 and b"PolicyDeny" in answer, answer
    assert len(fake.requests) == count, "asked for what the policy does not give"
    set_policy(broker, ALLOW)
    fake.close()
    status, _, answer = guest.call("GET", PATH)
    assert status == 503, (status, answer, broker.log()[-800:])


def actions(broker):
    return [(e["action"], e["object"], e["detail"]) for e in audit(broker)]


# --- AWS ---

def aws(keys=None):
    identity = fake_http.Identity(folder)
    fake = cloud_fakes.Aws(identity, keys or {ACCESS: (KEY, None)})
    return fake, dict(region=fake.REGION, endpoint_url=fake.url(), ca_certs=[identity.cert])


def test_aws():
    """Names are tags, as Trustee's; text and bytes; writing and deleting; refusals."""
    fake, common = aws()
    broker = start(plugin("Aws", access_key_id=ACCESS, secret_access_key=KEY, **common))
    admin, guest = admin_of(broker), guest_of(broker)
    fake.secrets["c"] = ("SecretString", "by hand \u00e4")
    assert get(broker, guest) == "by hand \u00e4".encode()
    assert get(broker, guest, "/kbs/v0/resource/x/y/c") == "by hand \u00e4".encode()
    status, headers, answer = admin.call("POST", PATH, SECRET)
    assert status == 200 and "ETag" not in headers, answer
    assert fake.secrets == {"c": ("SecretBinary", base64.b64encode(SECRET).decode())}
    assert get(broker, guest) == SECRET
    # Conditions: that there is none yet; no version is a number.
    assert admin.call("POST", PATH, b"x", If_None_Match="*")[0] == 412
    assert admin.call("POST", PATH, b"x", If_Match='"1"')[0] == 412
    assert guest.call("GET", PATH + "?version=1")[0] == 401
    assert admin.call("DELETE", PATH)[0] == 200 and fake.secrets == {}
    assert admin.call("DELETE", PATH)[0] == 200
    assert admin.call("POST", PATH, SECRET, If_None_Match="*")[0] == 200 and len(fake.secrets) == 1
    # Tenants have no names of their own.
    assert admin.call("PUT", "/kbs/v0/admin/tenants/acme", b"{}")[0] == 200
    tenant = kbs_broker.Client(broker, admin=True, prefix="/tenants/acme")
    status, _, answer = tenant.call("POST", PATH, b"x")
    assert status == 401 and b"naming" in answer, answer
    assert fake.secrets["c"][1] == base64.b64encode(SECRET).decode()
    fake.hangs_up = True
    for _ in range(4):
        assert get(broker, guest) == SECRET
    fake.hangs_up = False
    fake.lie = "another"
    assert guest.call("GET", PATH)[0] == 401
    broker.wait_log("answers with the secret another")
    fake.lie = None
    status, _, answer = admin.call("GET", "/kbs/v0/admin/resources")
    assert status == 404 and b"in AWS Secrets Manager" in answer, answer
    did = actions(broker)
    assert ("resource.set", "a/b/c", "version 0, in AWS Secrets Manager") in did, did
    assert ("resource.delete", "a/b/c", "in AWS Secrets Manager") in did, did
    failures(broker, fake, guest)
    no_secrets(broker, SECRET.decode("latin-1")[:20])
    broker.remove()


def test_aws_refused():
    """A wrong key, and a server that nobody certifies."""
    fake, common = aws()
    fake.secrets["c"] = ("SecretString", "x")
    broker = start(plugin("Aws", access_key_id=ACCESS, secret_access_key="wrong", **common))
    status, _, answer = admin_of(broker).call("POST", PATH, b"x")
    assert status == 401 and b"InvalidSignatureException" in answer, answer
    broker.remove()
    count = len(fake.requests)
    del common["ca_certs"]
    broker = start(plugin("Aws", access_key_id=ACCESS, secret_access_key=KEY, **common))
    status, _, answer = admin_of(broker).call("POST", PATH, b"x")
    assert status == 401 and b"certificate" in answer, answer
    assert len(fake.requests) == count
    broker.remove()
    fake.close()


def test_aws_paths():
    """naming = "path": the whole path, below a prefix, tenants apart."""
    fake, common = aws()
    broker = start(plugin("aws", access_key_id=ACCESS, secret_access_key=KEY, naming="path",
                          prefix="husk/", **common))
    admin = admin_of(broker)
    assert admin.call("POST", PATH, b"ours")[0] == 200
    assert admin.call("PUT", "/kbs/v0/admin/tenants/acme", b"{}")[0] == 200
    tenant = kbs_broker.Client(broker, admin=True, prefix="/tenants/acme")
    assert tenant.call("POST", PATH, b"theirs")[0] == 200
    assert sorted(fake.secrets) == ["husk/a/b/c", "husk/tenants/acme/a/b/c"], fake.secrets
    assert get(broker, guest_of(broker)) == b"ours"
    broker.remove()
    fake.close()


def test_aws_chain():
    """Where credentials are, in the order of AWS's programs; files are read again when refused."""
    fake, common = aws({ACCESS: (KEY, None), "ASIAX": (KEY, SESSION)})
    fake.secrets["c"] = ("SecretString", "x")
    metadata = cloud_fakes.AwsMetadata("ASIAX", KEY, SESSION)
    file = write("credentials", "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n"
                 "[other]\naws_access_key_id = ASIAX\naws_secret_access_key = %s\n"
                 "aws_session_token = %s\n" % (ACCESS, KEY, KEY, SESSION))
    token = write("web-token", "eyJ.web.token\n")
    pod = write("pod-token", "pod-token")
    fake.web_token = "eyJ.web.token"
    imds = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url()}
    rows = [
        ("environment", {}, {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": KEY}),
        ("session", {}, {"AWS_ACCESS_KEY_ID": "ASIAX", "AWS_SECRET_ACCESS_KEY": KEY,
                         "AWS_SESSION_TOKEN": SESSION}),
        ("file", {"credentials_file": file}, {"AWS_ACCESS_KEY_ID": "wrong",
                                              "AWS_SECRET_ACCESS_KEY": "wrong"}),
        ("profile", {"credentials_file": file, "profile": "other"}, {}),
        ("file by variable", {}, {"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": "other"}),
        ("web identity", {}, {"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS":
                              fake.url() + "/sts", "AWS_ROLE_ARN": "arn:aws:iam::1:role/husk"}),
        ("container", {}, dict(imds, AWS_CONTAINER_CREDENTIALS_FULL_URI=metadata.url() +
                               "/v2/credentials", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=pod)),
        ("instance", {}, imds),
    ]
    for name, keys, env in rows:
        broker = start(plugin("Aws", **keys, **common), env)
        assert get(broker, guest_of(broker)) == b"x", name
        no_secrets(broker, "eyJ.web.token", "pod-token")
        broker.remove()
    assert metadata.given == 2
    # Not even the region is known: the instance says it, too.
    del common["region"]
    broker = start(plugin("Aws", **common), imds)
    assert get(broker, guest_of(broker)) == b"x"
    broker.remove()
    fake.close()
    metadata.close()


def test_aws_renewal():
    """What ends is asked for anew; what is replaced is read again; and what there is not, is said."""
    fake, common = aws({"ASIAX": (KEY, SESSION)})
    fake.secrets["c"] = ("SecretString", "x")
    metadata = cloud_fakes.AwsMetadata("ASIAX", KEY, SESSION)
    imds = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url()}
    broker = start(plugin("Aws", connections=1, **common), imds)
    guest = guest_of(broker)
    for _ in range(3):
        assert get(broker, guest) == b"x"
    assert metadata.given == 1  # kept
    fake.keys = {"ASIAY": (KEY, "another-session")}
    metadata.credentials = ("ASIAY", KEY, "another-session")
    assert get(broker, guest) == b"x" and metadata.given == 2
    broker.remove()
    metadata.life = 100  # due at once; but used while there is no other
    broker = start(plugin("Aws", connections=1, **common), imds)
    guest = guest_of(broker)
    assert get(broker, guest) == b"x" and get(broker, guest) == b"x" and metadata.given == 4
    metadata.mode = "broken"
    assert get(broker, guest) == b"x"
    broker.remove()
    metadata.mode = "good"
    for role, text in ((None, b"is there a role"), ("a/../b", b"no role"), ("", b"no role")):
        metadata.role = role
        broker = start(plugin("Aws", **common), imds)
        status, _, answer = admin_of(broker).call("POST", PATH, b"x")
        assert status == 401 and text in answer, (role, answer)
        broker.remove()
    metadata.mode = "broken"
    broker = start(plugin("Aws", **common), imds)
    status, _, answer = admin_of(broker).call("POST", PATH, b"x")
    assert status == 503, answer
    broker.remove()
    broker = start(plugin("Aws", **common))
    status, _, answer = admin_of(broker).call("POST", PATH, b"x")
    assert status == 401 and b"no credentials for AWS" in answer, answer
    broker.remove()
    for bad in ("http://metadata.example/x", "ftp://127.0.0.1/x"):
        broker = start(plugin("Aws", **common), {"AWS_CONTAINER_CREDENTIALS_FULL_URI": bad})
        status, _, answer = admin_of(broker).call("POST", PATH, b"x")
        assert status == 401 and b"not this machine" in answer, answer
        broker.remove()
    fake.close()
    metadata.close()


# --- Google ---

def gcp():
    identity = fake_http.Identity(folder)
    key = rsa.generate_private_key(65537, 2048)
    fake = cloud_fakes.Gcp(identity, key.public_key())
    account = {"type": "service_account", "client_email": fake.email, "private_key_id": fake.key_id,
               "token_uri": fake.url() + "/token", "private_key": key.private_bytes(
                   serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                   serialization.NoEncryption()).decode()}
    return fake, account, dict(project_id="my-project", endpoint_url=fake.url(),
                               ca_certs=[identity.cert])


def test_gcp():
    """A service account's key; versions are Google's; checksums; refusals."""
    fake, account, common = gcp()
    broker = start(plugin("Gcp", connections=1, credentials_file=write("sa.json", json.dumps(account)),
                          **common))
    admin, guest = admin_of(broker), guest_of(broker)
    status, headers, answer = admin.call("POST", PATH, b"one", If_None_Match="*")
    assert status == 200 and headers["ETag"] == '"1"', answer
    assert admin.call("POST", PATH, b"no", If_None_Match="*")[0] == 412
    status, headers, answer = admin.call("POST", PATH, SECRET)
    assert status == 200 and headers["ETag"] == '"2"', answer
    assert fake.secrets == {"c": [b"one", SECRET]}
    status, headers, answer = guest.call("GET", PATH)
    assert status == 200 and headers["ETag"] == '"2"' and guest.decrypt(answer) == SECRET
    assert get(broker, guest, PATH + "?version=1") == b"one"
    assert guest.call("GET", PATH + "?version=3")[0] == 401
    assert guest.call("GET", PATH, If_None_Match='"2"')[0] == 304
    assert admin.call("POST", PATH, b"x", If_Match='"2"')[0] == 412
    assert len(fake.tokens) == 1  # kept
    fake.tokens = {"withdrawn", "and another"}
    assert get(broker, guest) == SECRET and len(fake.tokens) == 3
    fake.tokens, fake.life = set(), 2
    assert get(broker, guest) == SECRET and len(fake.tokens) == 1
    ended = "Bearer " + max(fake.tokens)
    time.sleep(2.1)  # due, though nobody refused it
    count = len(fake.requests)
    assert get(broker, guest) == SECRET and len(fake.tokens) == 2
    assert ended not in [r[2].get("Authorization") for r in fake.requests[count:]]
    fake.sum = 1
    assert guest.call("GET", PATH)[0] == 401
    broker.wait_log("does not fit its checksum")
    fake.sum = None
    status, _, answer = admin.call("POST", "/kbs/v0/resource/a/b/c.pem", b"x")
    assert status == 401 and b"not a name" in answer, answer
    assert admin.call("DELETE", PATH)[0] == 200 and fake.secrets == {}
    assert admin.call("DELETE", PATH)[0] == 200
    failures(broker, fake, guest)
    no_secrets(broker, "ya29.")
    broker.remove()


def test_gcp_machine():
    """The metadata server's token; whole paths as names, escaped."""
    fake, _, common = gcp()
    metadata = cloud_fakes.Gcp()
    metadata.tokens = fake.tokens
    broker = start(plugin("gcp", naming="path", **common),
                   {"GCE_METADATA_HOST": "127.0.0.1:%d" % metadata.port})
    assert admin_of(broker).call("POST", "/kbs/v0/resource/a_b/c/d.pem", b"x")[0] == 200
    assert fake.secrets == {"a_ub_sc_sd_dpem": [b"x"]}, fake.secrets
    assert get(broker, guest_of(broker), "/kbs/v0/resource/a_b/c/d.pem") == b"x"
    broker.remove()
    metadata.close()
    fake.close()


def test_gcp_refused():
    """Another's key, and a file of another kind, which is an error at the start."""
    fake, account, common = gcp()
    other = rsa.generate_private_key(65537, 2048)
    fake.public = other.public_key()
    path = write("sa.json", json.dumps(account))
    broker = start(plugin("Gcp", **common), {"GOOGLE_APPLICATION_CREDENTIALS": path})
    status, _, answer = admin_of(broker).call("POST", PATH, b"x")
    assert status == 401 and b"InvalidSignature" in answer, answer
    no_secrets(broker)
    broker.remove()
    write("sa.json", json.dumps(dict(account, type="authorized_user")))
    refused_start(plugin("Gcp", credentials_file=path, **common), "authorized_user")
    refused_start(plugin("Gcp", credentials_file=path + ".not", **common), "sa.json.not")
    fake.close()


def refused_start(edit, text):
    broker = kbs_broker.Broker(sys.argv[1], "")
    broker.edit(edit)
    try:
        broker.start({"PATH": os.environ["PATH"]})
        raise AssertionError("started")
    except RuntimeError as e:
        assert "the broker ended" in str(e) and text in str(e), e
    no_secrets(broker)
    broker.remove()


# --- Azure ---

def azure():
    identity = fake_http.Identity(folder)
    fake = cloud_fakes.Azure(identity)
    client = dict(tenant_id=fake.TENANT, client_id=fake.CLIENT, authority_url=fake.url())
    return fake, client, dict(vault_url=fake.url(), ca_certs=[identity.cert])


def test_azure():
    """A client's secret from a file; text and bytes; refusals."""
    fake, client, common = azure()
    fake.client_secret = CLIENT_SECRET
    secret = write("client-secret", CLIENT_SECRET + "\n")
    broker = start(plugin("Azure", connections=1, client_secret="file://" + secret, **client, **common))
    admin, guest = admin_of(broker), guest_of(broker)
    status, headers, answer = admin.call("POST", PATH, SECRET)
    assert status == 200 and "ETag" not in headers, answer
    assert fake.secrets["c"] == (base64.b64encode(SECRET).decode(), {"file-encoding": "base64"})
    assert get(broker, guest) == SECRET
    assert admin.call("POST", PATH, "tex\u00e4t".encode())[0] == 200
    assert fake.secrets["c"] == ("tex\u00e4t", {"file-encoding": "utf-8"})
    assert get(broker, guest) == "tex\u00e4t".encode()
    fake.secrets["c"] = ("aGk=", None)  # by hand: text is text
    assert get(broker, guest) == b"aGk="
    assert len(fake.tokens) == 1
    fake.tokens = {"withdrawn", "and another"}
    assert get(broker, guest) == b"aGk=" and len(fake.tokens) == 3
    assert admin.call("POST", PATH, b"x", If_None_Match="*")[0] == 412
    status, _, answer = admin.call("POST", "/kbs/v0/resource/a/b/c_d", b"x")
    assert status == 401 and b"not a name" in answer, answer
    assert admin.call("DELETE", PATH)[0] == 200 and fake.secrets == {}
    failures(broker, fake, guest)
    no_secrets(broker, "eyJ.")
    broker.remove()


def test_azure_identities():
    """A certificate's assertion, a federated token that is replaced, a machine's identity."""
    fake, client, common = azure()
    fake.secrets["c"] = ("x", None)
    key, cert = folder + "/app.key", folder + "/app.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                    cert, "-days", "2", "-subj", "/CN=app"], check=True, stderr=subprocess.DEVNULL)
    with open(key, encoding="ascii") as k, open(cert, encoding="ascii") as c:
        both = write("app.pem", c.read() + k.read())
    fake.certificate = cert
    broker = start(plugin("Azure", client_certificate=both, **client, **common))
    assert get(broker, guest_of(broker)) == b"x" and len(fake.seen_jti) >= 1
    no_secrets(broker, "eyJ.")
    broker.remove()
    refused_start(plugin("Azure", client_certificate=cert, **client, **common), "app.crt")
    # As a cluster gives it: by variables, and in a file that is replaced before the token ends.
    os.mkdir(folder + "/tokens")
    token = write("tokens/azure", "first-federated")
    fake.federated = "first-federated"
    broker = start(plugin("Azure", connections=1, **common),
                   {"AZURE_TENANT_ID": fake.TENANT, "AZURE_CLIENT_ID": fake.CLIENT,
                    "AZURE_AUTHORITY_HOST": fake.url() + "/", "AZURE_FEDERATED_TOKEN_FILE": token})
    guest = guest_of(broker)
    assert get(broker, guest) == b"x"
    fake.tokens, fake.federated = set(), "second-federated"
    write("tokens/new", "second-federated")
    os.rename(folder + "/tokens/new", token)
    assert get(broker, guest) == b"x"
    no_secrets(broker, "first-federated", "second-federated")
    broker.remove()
    metadata = cloud_fakes.Azure()
    metadata.tokens = fake.tokens
    broker = start(plugin("azure", **common), {"AZURE_POD_IDENTITY_AUTHORITY_HOST": metadata.url()})
    assert get(broker, guest_of(broker)) == b"x"
    broker.remove()
    metadata.close()
    fake.close()


# --- Alibaba Cloud ---

def test_aliyun():
    """A client key in PKCS#12 as the vendor hands it out; read only; refusals."""
    identity = fake_http.Identity(folder)
    key, cert, p12 = folder + "/ali.key", folder + "/ali.crt", folder + "/ali.p12"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                    cert, "-days", "2", "-subj", "/CN=client"], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "pkcs12", "-export", "-legacy", "-inkey", key, "-in", cert, "-out", p12,
                    "-passout", "pass:swordfish"], check=True, stderr=subprocess.DEVNULL)
    with open(p12, "rb") as f:
        client = {"KeyId": "KAAP.1234", "PrivateKeyData": base64.b64encode(f.read()).decode()}
    with open(key, "rb") as f:
        public = serialization.load_pem_private_key(f.read(), None).public_key()
    with open(identity.cert, encoding="ascii") as f:
        pem = f.read()
    fake = cloud_fakes.Aliyun(identity, "KAAP.1234", public)
    common = dict(kms_instance_id="kst-test", endpoint_url=fake.url(), cert_pem=pem)
    fake.secrets["c"] = "by hand \u00e4".encode() * 40
    broker = start(plugin("Aliyun", client_key=json.dumps(client), password="swordfish", **common))
    guest = guest_of(broker)
    assert get(broker, guest) == fake.secrets["c"]
    for method in ("POST", "DELETE"):
        status, _, answer = admin_of(broker).call(method, PATH, b"x" if method == "POST" else None)
        assert status == 401 and b"read only" in answer, answer
    failures(broker, fake, guest)
    no_secrets(broker, "swordfish", client["PrivateKeyData"][:40])
    broker.remove()
    # From files; the password as the vendor's file has it.
    fake = cloud_fakes.Aliyun(identity, "KAAP.1234", public)
    fake.secrets["c"] = b"x"
    common["endpoint_url"] = fake.url()
    path = write("clientKey.json", json.dumps(client))
    password = write("password.json", json.dumps({"ClientKeyPassword": "swordfish"}))
    broker = start(plugin("aliyun", client_key="file://" + path, password="file://" + password,
                          **common))
    assert get(broker, guest_of(broker)) == b"x"
    broker.remove()
    refused_start(plugin("Aliyun", client_key="file://" + path, password="wrong", **common),
                  "does not fit the password")
    common["cert_pem"] = "file://" + cert  # not who signed the gateway's
    broker = start(plugin("Aliyun", client_key="file://" + path, password="swordfish", **common))
    status, _, answer = guest_of(broker).call("GET", PATH)
    assert status == 401, answer
    broker.wait_log("certificate")
    broker.remove()
    fake.close()


# --- all ---

def test_credentials_are_the_backends():
    """What the configuration and the environment say is in backends only."""
    fake, common = aws()
    broker = start(plugin("Aws", connections=2, access_key_id=ACCESS, secret_access_key=KEY, **common),
                   {"AWS_SESSION_TOKEN": SESSION, "OTHER_SECRET": "x"})

    def look(config, environ):
        assert b"OTHER_SECRET" not in environ and b"PATH=" not in environ
        return KEY.encode() in config, SESSION.encode() in environ
    roles = by_role(broker, look)
    no = (False, False)
    assert roles == {"vault": [no], "front": [no], "verifier": [no], "backend": [(True, True)] * 2}, \
        roles
    broker.remove()
    fake.close()


def test_config():
    """Mistakes are named before anything starts."""
    for edit, text in (
            (plugin("Aws", naming="both"), "naming"),
            (plugin("Aws", access_key_id="A"), "secret_access_key together"),
            (plugin("Aws", endpoint_url="http://aws.example"), "endpoint_url"),
            (plugin("Aws", prefix="a:b"), "prefix"),
            (plugin("Aws", verify_ssl=False), "verify_ssl"),
            (plugin("Aws", proxy="socks://x"), "proxy"),
            (plugin("Gcp"), "project_id"),
            (plugin("Azure"), "vault_url"),
            (plugin("Azure", vault_url="https://v", client_secret="a", federated_token_file="b"),
             "one of"),
            (plugin("Aliyun", client_key="{}"), "kms_instance_id"),
            (plugin("S3"), "use one of kvstorage, Vault, Aws, Gcp, Azure, Aliyun")):
        refused_start(edit, text)


def main():
    if kbs_broker is None:
        services.skip("python3-cryptography is not installed")
    code = services.run([v for k, v in globals().items() if k.startswith("test_")])
    shutil.rmtree(folder)
    return code


sys.exit(main())
