#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""husk-as and husk-rvps on SIGHUP: what is read again is used from then on, what cannot change
while they run is refused with the reason, and then nothing changes.

usage: service-reload.py HUSK-AS HUSK-RVPS
"""
import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time

try:
    import grpc
except ImportError:
    grpc = None

import ending
import services
from services import b64url, unb64url

WAIT_S = 30


def openssl(folder, *args):
    subprocess.run(("openssl",) + args, cwd=folder, check=True, stderr=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)


def make_pair(folder, name, extension):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext", extension, "-keyout",
            name + ".key", "-out", name + ".crt")


def make_signer(folder, name):
    openssl(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
            name)


class Served(services.Service):
    """A service whose clients need certificates, and what its clients have."""

    def __init__(self, program, options, config, ports=1):
        self.home = ending.folder("husk-py-")
        for name in ("server1", "server2"):
            make_pair(self.home, name, "subjectAltName=DNS:localhost")
        for name in ("client1", "client2"):
            make_pair(self.home, name, "extendedKeyUsage=clientAuth")
        for name in ("signer1.pem", "signer2.pem"):
            make_signer(self.home, name)
        self.use("tls", "server1")
        shutil.copy(self.path("client1.crt"), self.path("clients.crt"))
        shutil.copy(self.path("signer1.pem"), self.path("signer.pem"))
        self.config = config(self.home)
        self.write()
        super().__init__([program, "-c", self.path("config")] + options + [
            "-t", self.path("tls.crt"), "-k", self.path("tls.key")], self.home, ports)

    def path(self, name):
        return os.path.join(self.home, name)

    def use(self, name, source):
        """As operators do it: by rename."""
        for end in (".crt", ".key"):
            shutil.copy(self.path(source + end), self.path("next"))
            os.replace(self.path("next"), self.path(name + end))

    def write(self):
        with open(self.path("config"), "w") as f:
            json.dump(self.config, f)

    def hang_up(self, *expected):
        """SIGHUP; returns what was logged once all of @expected are."""
        mark = len(self.text())
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            text = self.text()[mark:]
            if all(e in text for e in expected):
                return text
            assert self.process.poll() is None, self.text()
            time.sleep(0.02)
        raise AssertionError("no %s in %s" % (expected, self.text()[mark:]))

    def connect(self, server="server1", client="client1", port=0):
        context = ssl.create_default_context(cafile=self.path(server + ".crt"))
        context.load_cert_chain(self.path(client + ".crt"), self.path(client + ".key"))
        return http.client.HTTPSConnection("localhost", self.ports[port], context=context,
                                           timeout=20)

    def get(self, path, server="server1", client="client1", port=0):
        connection = self.connect(server, client, port)
        connection.request("GET", path)
        answer = connection.getresponse()
        status, body = answer.status, answer.read()
        connection.close()
        return status, body

    def is_refused(self, **who):
        try:
            self.get("/healthz", **who)
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            return True
        return False

    def close(self):
        assert self.stop() == 0, self.text()
        shutil.rmtree(self.home)


def evaluate(connection):
    runtime = {"nonce": "n"}
    evidence = services.sample_evidence(runtime)
    connection.request("POST", "/attestation", json.dumps({
        "verification_requests": [{"tee": "sample", "runtime_data": {"structured": runtime},
                                   "evidence": b64url(json.dumps(evidence).encode())}],
        "policy_ids": []}))
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    header, claims, _ = body.decode().split(".")
    claims = json.loads(unb64url(claims))
    return json.loads(unb64url(header))["kid"], claims["exp"] - claims["iat"]


def as_config(home):
    return {"attestation_token_broker": {"duration_min": 5,
                                         "signer": {"key_path": home + "/signer.pem"}},
            "husk": {"store": home + "/as.db", "client_ca": home + "/clients.crt",
                     "rest_sockets": ["127.0.0.1:0"]}}


def start_as():
    return Served(sys.argv[1], ["-s", "127.0.0.1:0"], as_config, 2)


def kids(service, **who):
    return [k["kid"] for k in json.loads(service.get("/.well-known/jwks.json", **who)[1])["keys"]]


def test_as():
    service = start_as()
    kept = service.connect(port=1)
    kid, life = evaluate(kept)
    assert life == 300 and kids(service) == [kid]
    assert service.is_refused(client="client2")
    # Everything that may change, changes at once.
    service.use("tls", "server2")
    shutil.copy(service.path("client2.crt"), service.path("clients.crt"))
    shutil.copy(service.path("signer2.pem"), service.path("signer.pem"))
    service.config["attestation_token_broker"].update(duration_min=7)
    service.config["attestation_token_broker"]["signer"]["published_key_paths"] = [
        service.path("signer1.pem")]
    service.config["husk"]["log_level"] = "debug"
    service.write()
    text = service.hang_up("vault.reload ", "front.reload ", " kbs.reload ")
    assert "refused" not in text, text
    second = {"server": "server2", "client": "client2"}
    for port in (0, 1):
        assert service.get("/healthz", port=port, **second)[0] == 200
        assert service.is_refused(port=port, server="server1", client="client2")
        assert service.is_refused(port=port, server="server2", client="client1")
    # The connection of before lives, and its tokens are those of now.
    other, life = evaluate(kept)
    assert other != kid and life == 420
    assert kids(service, **second) == [other, kid]
    kept.close()
    service.close()


def test_as_refuses():
    service = start_as()
    kid, _ = evaluate(service.connect(port=1))
    good = json.dumps(service.config)

    def unchanged():
        for port in (0, 1):
            assert service.get("/healthz", port=port)[0] == 200
        assert evaluate(service.connect(port=1)) == (kid, 300)

    def attempt(edit, *expected):
        service.config = json.loads(good)
        service.config["attestation_token_broker"]["duration_min"] = 9
        edit(service.config)
        service.write()
        text = service.hang_up("kbs.reload.refused", *expected)
        assert " kbs.reload " not in text, text
        unchanged()

    def husk(**members):
        return lambda c: c["husk"].update(members)

    def refresh(name, text):
        def edit(_):
            with open(service.path(name), "w") as f:
                f.write(text)
        return edit

    attempt(lambda c: c.update(huks={}), "huks is not a known key")
    attempt(lambda c: c["attestation_token_broker"].update(duration_min=0), "duration_min")
    for key, value in (("store", "/elsewhere"), ("verifiers", 3), ("connections_max", 99),
                       ("rest_sockets", ["127.0.0.1:1"]), ("memory_max_mib", 512),
                       ("insecure_amd_root", "00" * 32)):
        attempt(husk(**{key: value}), "a change of [husk] %s takes a restart" % key)
    attempt(lambda c: c.update(rvps_config={"type": "GrpcRemote"}),
            "a change of [attestation_service] rvps_config takes a restart")
    attempt(lambda c: c["husk"].pop("client_ca"), "whether clients need certificates")
    attempt(lambda c: c["attestation_token_broker"]["signer"].pop("key_path"),
            "kept nowhere")
    with open(service.path("config"), "w") as f:
        f.write("{")
    service.hang_up("kbs.reload.refused")
    # What the front cannot use does not reach the vault.
    text = refresh("clients.crt", "nobody")
    attempt(text, "front.reload.refused", "client CA: ", "the front refuses")
    shutil.copy(service.path("client1.crt"), service.path("clients.crt"))
    shutil.copy(service.path("server2.key"), service.path("tls.key"))
    attempt(lambda c: None, "front.reload.refused", "TLS private key: ", "mismatch")
    # And the other way round: the front keeps its certificate when the vault refuses.
    service.use("tls", "server2")
    attempt(refresh("signer.pem", "no key"), "vault.reload.refused", "signer.pem",
            "the vault refuses")
    # All good at last.
    service.use("tls", "server1")
    shutil.copy(service.path("signer1.pem"), service.path("signer.pem"))
    service.config = json.loads(good)
    service.config["attestation_token_broker"]["duration_min"] = 9
    service.write()
    service.hang_up(" kbs.reload ")
    assert evaluate(service.connect(port=1)) == (kid, 540)
    service.close()


def register(service, server):
    """Registers an unsigned value; what the service says."""
    def read(name):
        with open(service.path(name), "rb") as f:
            return f.read()

    message = json.dumps({"version": "0.1.0", "type": "sample", "payload": base64.b64encode(
        b'{"a": [1]}').decode()}).encode()
    assert len(message) < 128
    with grpc.secure_channel("localhost:%d" % service.ports[0], grpc.ssl_channel_credentials(
            read(server + ".crt"), read("client1.key"), read("client1.crt"))) as channel:
        call = channel.unary_unary(
            "/reference.ReferenceValueProviderService/RegisterReferenceValue")
        try:
            call(bytes([10, len(message)]) + message, timeout=20)
        except grpc.RpcError as e:
            return e.details()
    return ""


def test_rvps():
    """From now on signed manifests only, and whose."""
    service = Served(sys.argv[2], ["-a", "127.0.0.1:0"], lambda home: {
        "husk": {"store": home + "/rvps.db", "client_ca": home + "/clients.crt"}})
    assert register(service, "server1") == ""
    service.use("tls", "server2")
    service.config["husk"].update(rvps_require_signed=True,
                                  rvps_trusted_keys=[service.path("server1.crt")])
    service.write()
    service.hang_up(" kbs.reload ")
    assert "sign" in register(service, "server2")
    service.config["husk"].update(rvps_require_signed=False,
                                  rvps_trusted_keys=["/nonexistent/key"])
    service.write()
    service.hang_up("vault.reload.refused", "/nonexistent/key", "kbs.reload.refused")
    assert "sign" in register(service, "server2")
    service.close()


def test_without_configuration():
    """What the command line names is read again, too."""
    home = ending.folder("husk-py-")
    for name in ("server1", "server2"):
        make_pair(home, name, "subjectAltName=DNS:localhost")
    for end in (".crt", ".key"):
        shutil.copy(home + "/server1" + end, home + "/tls" + end)
    with open(home + "/config", "w") as f:
        json.dump({"husk": {"store": home + "/s.db"}}, f)
    service = services.Service(
        [sys.argv[2], "-c", home + "/config", "-a", "127.0.0.1:0", "-t", home + "/tls.crt", "-k",
         home + "/tls.key"], home)

    def served(name):
        context = ssl.create_default_context(cafile=home + "/" + name + ".crt")
        connection = http.client.HTTPSConnection("localhost", service.ports[0], context=context,
                                                 timeout=20)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except ssl.SSLError:
            return False
        finally:
            connection.close()

    assert served("server1") and not served("server2")
    for end in (".crt", ".key"):
        shutil.copy(home + "/server2" + end, home + "/tls" + end)
    service.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + WAIT_S
    while " kbs.reload " not in service.text() and time.monotonic() < end:
        time.sleep(0.02)
    assert served("server2") and not served("server1"), service.text()
    assert service.stop() == 0
    shutil.rmtree(home)


def main():
    if grpc is None:
        services.skip("python3-grpcio is not installed")
    return services.run([v for k, v in globals().items() if k.startswith("test_")])


sys.exit(main())
