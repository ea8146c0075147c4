#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The plugin external: programs of their own by gRPC, served by grpcio: what they see, who may ask,
how their answers travel, and what happens when they refuse, lie, are slow or are gone.

usage: kbs-external.py HUSK-KBS HUSK
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time

try:
    import cryptography  # noqa: F401, kbs_broker needs it
    import grpc
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    import kbs_broker
    from plugin_broker import actions, guest_of, metric, refused, set_policy, start
except ImportError:
    grpc = None

import ending
import services

SECRET = b"what the program gives \x00\xff"
folder = ending.folder("husk-py-")


def make_types():
    """The messages from their published numbers, independently of proto/plugin.proto."""
    f = descriptor_pb2.FileDescriptorProto(name="p.proto", package="kbs.plugin.v1", syntax="proto3")
    kinds = {"bytes": 12, "string": 9, "int32": 5, "bool": 8}
    for name, fields in {
            "PluginRequest": [("body", 1, "bytes", 1), ("path", 3, "string", 3),
                              ("method", 4, "string", 1)],
            "PluginResponse": [("body", 1, "bytes", 1), ("status_code", 2, "int32", 1),
                               ("content_type", 3, "string", 1)],
            "ValidateAuthResponse": [("requires_admin_auth", 1, "bool", 1)],
            "NeedsEncryptionResponse": [("requires_payload_encryption", 1, "bool", 1)]}.items():
        m = f.message_type.add(name=name)
        for field, number, kind, label in fields:
            m.field.add(name=field, number=number, type=kinds[kind], label=label)
    m = f.message_type[0]
    entry = m.nested_type.add(name="QueryEntry")
    entry.field.add(name="key", number=1, label=1, type=9)
    entry.field.add(name="value", number=2, label=1, type=9)
    entry.options.map_entry = True
    m.field.add(name="query", number=2, label=3, type=11,
                type_name=".kbs.plugin.v1.PluginRequest.QueryEntry")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(f)
    factory = message_factory.MessageFactory(pool)
    return lambda name: factory.GetPrototype(pool.FindMessageTypeByName("kbs.plugin.v1." + name))


class Plugin:
    """A program: its answers are attributes; what it was asked is in `seen`."""

    def __init__(self, port=0, tls=None):
        self.admin, self.encrypted, self.status, self.body = False, True, 0, SECRET
        self.fail, self.sleep, self.raw = {}, {}, {}
        self.seen = []
        answers = {
            "Handle": lambda: types("PluginResponse")(
                body=self.body, status_code=self.status, content_type="text/plain"),
            "ValidateAuth": lambda: types("ValidateAuthResponse")(requires_admin_auth=self.admin),
            "NeedsEncryption": lambda: types("NeedsEncryptionResponse")(
                requires_payload_encryption=self.encrypted)}

        def handler(name):
            def serve(request, context):
                self.seen.append((name, request.method, list(request.path), dict(request.query),
                                  request.body))
                time.sleep(self.sleep.get(name, 0))
                if name in self.fail:
                    context.abort(self.fail[name], "because " + name)
                return self.raw.get(name) or answers[name]().SerializeToString()
            return grpc.unary_unary_rpc_method_handler(
                serve, request_deserializer=types("PluginRequest").FromString)

        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=[
            ("grpc.max_send_message_length", -1)])
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
            "kbs.plugin.v1.KbsPlugin", {name: handler(name) for name in answers}),))
        address = "127.0.0.1:%d" % port
        self.port = (self.server.add_secure_port(address, tls) if tls else
                     self.server.add_insecure_port(address))
        self.server.start()

    def calls(self):
        seen, self.seen = self.seen, []
        return [s[0] for s in seen]

    def close(self):
        self.server.stop(0).wait(10)


def section(*backends, extra=""):
    return '[[plugins]]\nname = "external"\n%sbackends = [%s]\n' % (extra, ", ".join(backends))


def backend(name, endpoint, extra=""):
    return '{name = "%s", endpoint = "%s"%s}' % (name, endpoint, extra)


def http(plugin):
    return "http://127.0.0.1:%d" % plugin.port


def test_requests():
    """What a program sees, and who may ask: it says so for each request."""
    plugin = Plugin()
    broker = start(section(backend("one", http(plugin)), backend("two", http(plugin))))
    guest, admin = guest_of(broker), kbs_broker.Client(broker, admin=True)
    path = "/kbs/v0/external/one/a/b%2fc?x=1&y=%20"
    status, headers, answer = guest.call("POST", path, b"body \x00")
    assert status == 200 and headers["Content-Type"] == "application/json", answer
    assert guest.decrypt(answer) == SECRET
    want = ("POST", ["a", "b", "c"], {"x": "1", "y": " "}, b"body \x00")
    assert [s[1:] for s in plugin.seen] == [want] * 3, plugin.seen
    assert plugin.calls() == ["ValidateAuth", "NeedsEncryption", "Handle"]
    # An answer that is no secret.
    plugin.encrypted = False
    status, headers, answer = guest.call("GET", "/kbs/v0/external/two")
    assert (status, headers["Content-Type"], answer) == (200, "text/xml", SECRET)
    assert plugin.seen[0][1:] == ("GET", [], {}, b""), plugin.seen
    plugin.calls()
    # Who has a token or nothing where an admin must ask, and the reverse.
    plugin.admin = True
    refused(guest.call("GET", path), 401, b"AdminAuthAccess")
    refused(kbs_broker.Client(broker).call("GET", path), 401, b"TokenNotFound")
    assert plugin.calls() == ["ValidateAuth"]
    for method in ("GET", "POST", "PUT", "DELETE"):
        status, headers, answer = admin.call(method, path, b"x")
        assert (status, headers["Content-Type"], answer) == (200, "text/xml", SECRET), answer
        assert plugin.seen[-1][1] == method and plugin.calls() == ["ValidateAuth", "Handle"]
    plugin.admin = False
    refused(admin.call("GET", path), 401, b"TokenVerifierError")
    # The policy decides before the program is asked for the answer.
    set_policy(broker, 'package policy\ndefault allow = false\nallow if {\n'
               'data.plugin == "external"\ndata["resource-path"] == ["one", "good"]\n}\n')
    plugin.calls()
    refused(guest.call("GET", path), 401, b"PolicyDeny")
    assert plugin.calls() == ["ValidateAuth"]
    assert guest.call("GET", "/kbs/v0/external/one/good")[0] == 200
    assert "external.release" in actions(broker) and "external.call" in actions(broker)
    refused(guest.call("GET", "/kbs/v0/external/three/x"), 401, b"PluginInternalError")
    refused(guest.call("GET", "/kbs/v0/external/"), 404, b"PluginNotFound")
    refused(guest.call("GET", path + "&x=2"), 401, b"PluginInternalError")
    assert metric(broker, 'kbs_plugin_errors_total{plugin_name="external"}') == 2
    # By backend, and by none that is not configured.
    text = kbs_broker.Client(broker).call("GET", "/metrics")[2].decode()
    assert set(re.findall(r'husk_backend_requests_total\{([^}]*)\}', text)) == {
        'plugin_name="external",backend="one"', 'plugin_name="external",backend="two"'}, text
    assert metric(broker, 'husk_backend_requests_total{plugin_name="external",backend="two"}') == 2
    assert metric(broker, 'husk_backend_errors_total{plugin_name="external",backend="one"}') == 0
    assert metric(broker, 'husk_backend_request_duration_seconds_count'
                  '{plugin_name="external",backend="two"}') == 2
    assert "option=endpoint" in broker.log() and SECRET[:20].decode() not in broker.log()
    broker.remove()
    plugin.close()


def test_refusals():
    """Statuses, errors of gRPC, answers that are none: each is a refusal, admins learn why."""
    plugin = Plugin()
    broker = start(section(backend("one", http(plugin), ", timeout_ms = 1000")))
    guest, admin = guest_of(broker), kbs_broker.Client(broker, admin=True)
    path = "/kbs/v0/external/one/x"
    for status in (1, 199, 300, 404, 500, -1, 2 ** 31 - 1):
        plugin.status, plugin.body = status, b"the program's reason"
        answer = guest.call("GET", path)
        refused(answer, 401, b"PluginInternalError")
        assert b"reason" not in answer[2]
        broker.wait_log("the plugin answers status %d: the program's reason" % status)
    plugin.admin = True
    assert b"the program's reason" in admin.call("GET", path)[2]
    plugin.body = b"\xff\xfe not text"
    refused(admin.call("GET", path), 401, b"answers status")
    plugin.admin, plugin.body = False, SECRET
    for status in (0, 200, 204, 299):
        plugin.status = status
        assert guest.decrypt(guest.call("GET", path)[2]) == SECRET
    for name in ("ValidateAuth", "NeedsEncryption", "Handle"):
        plugin.calls()
        plugin.fail = {name: grpc.StatusCode.NOT_FOUND}
        refused(guest.call("GET", path), 401, b"PluginInternalError")
        broker.wait_log("NOT_FOUND: because " + name)
        assert plugin.calls()[-1] == name
        plugin.fail = {}
        plugin.raw = {name: b"\x0a\xff"}
        refused(guest.call("GET", path), 401, b"PluginInternalError")
        broker.wait_log("malformed")
        plugin.raw = {}
        plugin.sleep = {name: 3}
        begin = time.monotonic()
        refused(guest.call("GET", path), 401, b"PluginInternalError")
        assert time.monotonic() - begin < 2.9
        plugin.sleep = {}
        assert guest.decrypt(guest.call("GET", path)[2]) == SECRET
    # More than a broker takes, and then again something reasonable.
    plugin.body = bytes(17 << 20)
    refused(guest.call("GET", path), 401, b"PluginInternalError")
    plugin.body = bytes(3 << 20)
    assert guest.decrypt(guest.call("GET", path)[2]) == plugin.body
    broker.remove()
    plugin.close()


def test_gone_and_back():
    """A program that is not there is asked again with the next request; others go on."""
    plugin, other = Plugin(), Plugin()
    broker = start(section(backend("one", http(plugin)), backend("two", http(other)),
                           extra="connections = 2\n"))
    guest = guest_of(broker)
    assert guest.call("GET", "/kbs/v0/external/one/x")[0] == 200
    plugin.close()
    refused(guest.call("GET", "/kbs/v0/external/one/x"), 401, b"PluginInternalError")
    assert guest.call("GET", "/kbs/v0/external/two/x")[0] == 200
    plugin = Plugin(plugin.port)
    assert guest.decrypt(guest.call("GET", "/kbs/v0/external/one/x")[2]) == SECRET
    # One slow request does not hold up another.
    plugin.sleep = {"Handle": 4}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(guest.call, "GET", "/kbs/v0/external/one/x")
        time.sleep(0.5)
        begin = time.monotonic()
        assert guest_of(broker).call("GET", "/kbs/v0/external/two/x")[0] == 200
        assert time.monotonic() - begin < 3
        assert slow.result()[0] == 200
    broker.remove()
    plugin.close()
    other.close()


def make_certificate(name):
    cert, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, stderr=subprocess.DEVNULL)
    with open(key, "rb") as k, open(cert, "rb") as c:
        return cert, grpc.ssl_server_credentials([(k.read(), c.read())])


def test_tls():
    """By TLS under the one root that is named, and under no other."""
    cert, tls = make_certificate("plugin")
    other, _ = make_certificate("other")
    plugin = Plugin(tls=tls)
    url = "https://localhost:%d" % plugin.port
    broker = start(section(backend("one", url, ', ca_cert_path = "%s"' % cert),
                           backend("two", url, ', ca_cert_path = "%s"' % other)))
    guest = guest_of(broker)
    assert guest.decrypt(guest.call("GET", "/kbs/v0/external/one/x")[2]) == SECRET
    plugin.calls()
    refused(guest.call("GET", "/kbs/v0/external/two/x"), 401, b"PluginInternalError")
    assert plugin.calls() == [] and "option=endpoint" not in broker.log()
    broker.wait_log("certificate")
    broker.remove()
    plugin.close()


def main():
    global types
    if grpc is None:
        services.skip("python3-cryptography or python3-grpcio is not installed")
    types = make_types()
    code = services.run([v for k, v in globals().items() if k.startswith("test_")])
    shutil.rmtree(folder)
    return code


types = None
if __name__ == "__main__":
    sys.exit(main())
