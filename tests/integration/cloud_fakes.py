# SPDX-License-Identifier: Apache-2.0
"""Fakes of cloud vendors' secret stores and of what gives credentials for them, after their documented
HTTP interfaces. Each checks signatures and claims by itself, with python3-cryptography, and answers a
request that is not as it should be with the vendor's own error."""
import base64
import datetime
import hashlib
import hmac
import json
import re
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import fake_http
from services import unb64url


class Cloud(fake_http.Fake):
    """What any vendor's service may do wrong; `serve` does it right."""

    def misbehave(self):
        if self.mode == "busy":
            return 429, b"slow down"
        if self.mode == "broken":
            return 503, b"<html>"
        if self.mode == "html":
            return 200, b"<html>"
        if self.mode == "huge":
            return 200, b"x" * (3 << 20)
        if isinstance(self.mode, tuple):  # ("redirect", where to)
            return 307, b"", {"Location": self.mode[1]}
        return None


def later(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- AWS ---

class Aws(Cloud):
    """Secrets Manager, and STS at /sts."""
    REGION = "eu-test-1"

    def __init__(self, identity, keys):
        super().__init__(identity)
        self.keys = keys  # access key: (secret, session token or None)
        self.secrets = {}  # name: ("SecretString" or "SecretBinary", text)
        self.web_token = None
        self.lie = None

    def refuse(self, kind, text="refused"):
        return 400, {"__type": kind, "Message": text}

    def check(self, headers, body):
        """Signature Version 4, from its specification. Returns what is wrong, or None."""
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request,"
                             r"SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})",
                             headers["Authorization"] or "")
        if not found:
            return "IncompleteSignatureException"
        access, day, region, service, names, signature = found.groups()
        stamp = headers["X-Amz-Date"]
        if access not in self.keys:
            return "UnrecognizedClientException"
        secret, token = self.keys[access]
        if headers["X-Amz-Security-Token"] != token:
            return "ExpiredTokenException" if token else "UnrecognizedClientException"
        if (region, service, day) != (self.REGION, "secretsmanager", stamp[:8]):
            return "InvalidSignatureException"
        when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
        if abs((datetime.datetime.utcnow() - when).total_seconds()) > 300:
            return "RequestExpired"
        names = names.split(";")
        wanted = {"content-type", "host", "x-amz-date", "x-amz-target"} | (
            {"x-amz-security-token"} if token else set())
        if names != sorted(names) or not wanted <= set(names):
            return "IncompleteSignatureException"
        canonical = "\n".join(["POST", "/", ""] + ["%s:%s" % (n, headers[n].strip()) for n in names]
                              + ["", ";".join(names), hashlib.sha256(body).hexdigest()])
        scope = "%s/%s/%s/aws4_request" % (day, region, service)
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + secret).encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        good = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return None if hmac.compare_digest(good, signature) else "InvalidSignatureException"

    def serve(self, method, path, headers, body):
        if path == "/sts":
            return self.assume(headers, body)
        wrong = self.check(headers, body)
        if wrong or method != "POST" or path != "/":
            return self.refuse(wrong or "UnknownOperationException")
        if headers["Content-Type"] != "application/x-amz-json-1.1":
            return self.refuse("UnknownOperationException")
        operation = headers["X-Amz-Target"].rpartition("secretsmanager.")[2]
        ask = json.loads(body)
        name = ask.get("SecretId") or ask.get("Name")
        if operation == "CreateSecret":
            if name in self.secrets:
                return self.refuse("ResourceExistsException")
            self.secrets[name] = ("SecretBinary", ask["SecretBinary"])
            return 200, {"Name": name}
        if name not in self.secrets:
            return self.refuse("ResourceNotFoundException", "can't find the specified secret.")
        if operation == "GetSecretValue":
            kind, value = self.secrets[name]
            return 200, {"ARN": "arn:aws:x", "Name": self.lie or name, kind: value,
                         "CreatedDate": 1.5e9}
        if operation == "PutSecretValue":
            self.secrets[name] = ("SecretBinary", ask["SecretBinary"])
        elif operation == "DeleteSecret":
            del self.secrets[name]
        else:
            return self.refuse("UnknownOperationException")
        return 200, {"Name": name}

    def assume(self, headers, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if form["Action"] != "AssumeRoleWithWebIdentity" or form["Version"] != "2011-06-15" or \
                form["RoleArn"] != "arn:aws:iam::1:role/husk" or headers["Authorization"] or \
                form["WebIdentityToken"] != self.web_token or \
                headers["Accept"] != "application/json":
            return 400, {"Error": {"Code": "InvalidIdentityToken", "Message": "bad identity"}}
        access, (secret, token) = [(a, k) for a, k in self.keys.items() if k[1]][0]
        return 200, {"AssumeRoleWithWebIdentityResponse": {"AssumeRoleWithWebIdentityResult": {
            "Credentials": {"AccessKeyId": access, "SecretAccessKey": secret, "SessionToken": token,
                            "Expiration": time.time() + 3600}}}}


class AwsMetadata(Cloud):
    """The instance's metadata service, version 2 only, and a container's endpoint at /v2/credentials."""

    def __init__(self, access, secret, token, life=3600):
        super().__init__()
        self.credentials = (access, secret, token)
        self.life = life
        self.given = 0
        self.role = "husk-role"

    def serve(self, method, path, headers, body):
        if path == "/v2/credentials":
            if headers["Authorization"] != "pod-token":
                return 401, b""
            return 200, self.answer()
        if method == "PUT" and path == "/latest/api/token":
            good = headers["X-aws-ec2-metadata-token-ttl-seconds"].isdigit()
            return (200, b"imds-token") if good else (400, b"")
        if headers["X-aws-ec2-metadata-token"] != "imds-token":
            return 401, b""
        if path == "/latest/meta-data/placement/region":
            return 200, Aws.REGION.encode()
        if path == "/latest/meta-data/iam/security-credentials/":
            return (200, self.role.encode()) if self.role is not None else (404, b"")
        if path == "/latest/meta-data/iam/security-credentials/husk-role":
            return 200, dict(self.answer(), Code="Success", Type="AWS-HMAC")
        return 404, b""

    def answer(self):
        self.given += 1
        access, secret, token = self.credentials
        return {"AccessKeyId": access, "SecretAccessKey": secret, "Token": token,
                "Expiration": later(self.life)}


# --- Google ---

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Gcp(Cloud):
    """Secret Manager, the token endpoint at /token, the metadata server's path."""

    def __init__(self, identity=None, public=None, key_id="key-1", email="husk@p.example"):
        super().__init__(identity)
        self.public, self.key_id, self.email = public, key_id, email
        self.secrets = {}  # name: list of versions
        self.tokens = set()
        self.life = 3600
        self.sum = None

    def give(self):
        token = "ya29.%d.%d" % (self.port, len(self.tokens))
        self.tokens.add(token)
        return 200, {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}

    def check_jwt(self, jwt):
        head, claims, signature = jwt.split(".")
        self.public.verify(unb64url(signature), (head + "." + claims).encode(),
                           padding.PKCS1v15(), hashes.SHA256())
        head, claims = json.loads(unb64url(head)), json.loads(unb64url(claims))
        assert head == {"alg": "RS256", "typ": "JWT", "kid": self.key_id}, head
        assert set(claims) == {"iss", "scope", "aud", "iat", "exp"}, claims
        assert claims["iss"] == self.email and claims["aud"] == self.url() + "/token"
        assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
        assert abs(claims["iat"] - time.time()) < 60 and claims["exp"] - claims["iat"] <= 3600

    def serve(self, method, path, headers, body):
        if path == "/token":
            form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
            try:
                assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
                self.check_jwt(form["assertion"])
            except Exception as e:  # pylint: disable=broad-except
                return 400, {"error": "invalid_grant", "error_description": repr(e)[:80]}
            return self.give()
        if path == "/computeMetadata/v1/instance/service-accounts/default/token":
            return self.give() if headers["Metadata-Flavor"] == "Google" else (403, b"")
        if (headers["Authorization"] or "")[len("Bearer "):] not in self.tokens:
            return 401, {"error": {"code": 401, "message": "invalid credentials"}}
        return self.secret(method, path, body)

    def secret(self, method, path, body):
        missing = 404, {"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}
        found = re.fullmatch(r"/v1/projects/my-project/secrets(?:/([\w-]+))?(.*)", path)
        if not found:
            return missing
        name, rest = found.groups()
        if method == "POST" and name is None:
            name = re.fullmatch(r"\?secretId=([\w-]+)", rest).group(1)
            assert json.loads(body) == {"replication": {"automatic": {}}}
            if name in self.secrets:
                return 409, {"error": {"message": "already exists"}}
            self.secrets[name] = []
            return 200, {"name": "projects/7/secrets/" + name}
        if name not in self.secrets:
            return missing
        versions = self.secrets[name]
        if method == "DELETE" and rest == "":
            del self.secrets[name]
            return 200, {}
        if method == "POST" and rest == ":addVersion":
            payload = json.loads(body)["payload"]
            data = base64.b64decode(payload["data"], validate=True)
            if int(payload["dataCrc32c"]) != crc32c(data):
                return 400, {"error": {"message": "checksum"}}
            versions.append(data)
            return 200, {"name": "projects/7/secrets/%s/versions/%d" % (name, len(versions))}
        found = re.fullmatch(r"/versions/(latest|\d+):access", rest)
        number = len(versions) if found and found.group(1) == "latest" else int(
            found.group(1)) if found else 0
        if method != "GET" or not 1 <= number <= len(versions):
            return missing
        data = versions[number - 1]
        return 200, {"name": "projects/7/secrets/%s/versions/%d" % (name, number), "payload": {
            "data": base64.b64encode(data).decode(),
            "dataCrc32c": str(crc32c(data) if self.sum is None else self.sum)}}


# --- Azure ---

class Azure(Cloud):
    """Key Vault, Entra ID's token endpoint, the metadata service's path."""
    TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"

    def __init__(self, identity=None):
        super().__init__(identity)
        self.secrets = {}  # lower-case name: (value, tags)
        self.tokens = set()
        self.client_secret = self.certificate = self.federated = None
        self.seen_jti = set()

    def give(self, as_text=False):
        token = "eyJ.%d.%d" % (self.port, len(self.tokens))
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer",
                     "expires_in": "3599" if as_text else 3599}

    def check_assertion(self, jwt):
        if jwt == self.federated:
            return
        head, claims, signature = jwt.split(".")
        with open(self.certificate, "rb") as f:
            cert = x509.load_pem_x509_certificate(f.read())
        cert.public_key().verify(
            unb64url(signature), (head + "." + claims).encode(),
            padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        head, claims = json.loads(unb64url(head)), json.loads(unb64url(claims))
        print_ = hashlib.sha256(cert.public_bytes(serialization.Encoding.DER)).digest()
        assert head["alg"] == "PS256" and head["typ"] == "JWT"
        assert unb64url(head["x5t#S256"]) == print_, head
        assert claims["iss"] == claims["sub"] == self.CLIENT
        assert claims["aud"] == "%s/%s/oauth2/v2.0/token" % (self.url(), self.TENANT), claims
        assert claims["nbf"] <= time.time() + 5 and claims["exp"] - claims["nbf"] <= 600
        assert claims["jti"] not in self.seen_jti
        self.seen_jti.add(claims["jti"])

    def token(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        try:
            assert form["grant_type"] == "client_credentials", form
            assert form["scope"] == "https://vault.azure.net/.default"
            assert form["client_id"] == self.CLIENT
            if self.client_secret:
                assert form["client_secret"] == self.client_secret
            else:
                assert form["client_assertion_type"] == \
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                self.check_assertion(form["client_assertion"])
        except Exception as e:  # pylint: disable=broad-except
            return 401, {"error": "invalid_client", "error_description": type(e).__name__}
        return self.give()

    def serve(self, method, path, headers, body):
        where = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(where.query))
        if where.path == "/%s/oauth2/v2.0/token" % self.TENANT:
            return self.token(body)
        if where.path == "/metadata/identity/oauth2/token":
            good = headers["Metadata"] == "true" and query.get("api-version") == "2018-02-01" and \
                query.get("resource") == "https://vault.azure.net"
            return self.give(True) if good else (400, {"error": "invalid_request"})
        if (headers["Authorization"] or "")[len("Bearer "):] not in self.tokens:
            return 401, {"error": {"code": "Unauthorized", "message": "AKV10000"}}
        found = re.fullmatch(r"/secrets/([0-9A-Za-z-]{1,127})", where.path)
        if not found or query != {"api-version": "7.4"}:
            return 400, {"error": {"code": "BadParameter", "message": "bad request"}}
        name = found.group(1).lower()
        if method == "PUT":
            ask = json.loads(body)
            self.secrets[name] = (ask["value"], ask.get("tags"))
        if name not in self.secrets:
            return 404, {"error": {"code": "SecretNotFound", "message": "was not found"}}
        value, tags = self.secrets[name]
        if method == "DELETE":
            del self.secrets[name]
        return 200, {"value": value, "tags": tags, "attributes": {"enabled": True},
                     "id": "https://v.vault.azure.net/secrets/%s/%032x" % (name, 7)}


# --- Alibaba Cloud ---

def proto_read(data):
    """Fields of a message of varints and bytes, as {number: value}."""
    out, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            out[key >> 3] = varint()
        else:
            assert key & 7 == 2, key
            size = varint()
            out[key >> 3] = data[at:at + size]
            at += size
    return out


def proto_bytes(number, value):
    size, out = len(value), bytes([number << 3 | 2])
    while size > 127:
        out += bytes([size & 127 | 128])
        size >>= 7
    return out + bytes([size]) + value


class Aliyun(Cloud):
    """The gateway of a KMS instance."""

    def __init__(self, identity, key_id, public):
        super().__init__(identity)
        self.key_id, self.public = key_id, public
        self.secrets = {}

    def error(self, status, code, text):
        return status, b"\x08\x94\x03" + proto_bytes(2, code.encode()) + proto_bytes(
            3, text.encode()) + proto_bytes(4, b"request-1")

    def check(self, headers, body):
        digest = hashlib.sha256(body).hexdigest().upper()
        assert headers["Content-Sha256"] == digest
        assert headers["Accept"] == headers["Content-Type"] == "application/x-protobuf"
        when = datetime.datetime.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        assert abs((datetime.datetime.utcnow() - when).total_seconds()) < 300
        mine = sorted((k.lower(), v) for k, v in headers.items() if k.lower().startswith("x-kms-"))
        assert dict(mine) == {"x-kms-acccesskeyid": self.key_id, "x-kms-apiname": "GetSecretValue",
                              "x-kms-apiversion": "dkms-gcs-0.2",
                              "x-kms-signaturemethod": "RSA_PKCS1_SHA_256"}, mine
        text = "POST\n%s\napplication/x-protobuf\n%s\n%s/" % (
            digest, headers["Date"], "".join("%s:%s\n" % pair for pair in mine))
        scheme, _, signature = headers["Authorization"].partition(" ")
        assert scheme == "Bearer"
        self.public.verify(base64.b64decode(signature, validate=True), text.encode(),
                           padding.PKCS1v15(), hashes.SHA256())

    def serve(self, method, path, headers, body):
        try:
            assert (method, path) == ("POST", "/")
            self.check(headers, body)
        except Exception as e:  # pylint: disable=broad-except
            return self.error(403, "Forbidden.InvalidSignature", repr(e)[:60])
        ask = proto_read(body)
        assert ask[4] == 1
        name = ask[1].decode()
        if name not in self.secrets:
            return self.error(404, "Forbidden.ResourceNotFound", "no such secret")
        return 200, proto_bytes(1, ask[1]) + proto_bytes(2, b"Generic") + proto_bytes(
            3, self.secrets[name]) + proto_bytes(4, b"text") + proto_bytes(5, b"ACSCurrent")
