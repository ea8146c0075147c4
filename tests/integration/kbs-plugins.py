#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plugins of the broker: which are there, who may ask, what policies see, what is counted.

usage: kbs-plugins.py HUSK-KBS HUSK
"""
import base64
import json
import re
import signal
import sys
import uuid

try:
    import cryptography  # noqa: F401, kbs_broker needs it
    import kbs_broker
    from plugin_broker import ALLOW, actions, guest_of, metric, refused, set_policy, start
except ImportError:
    kbs_broker = None

import services

RESOURCE = '[[plugins]]\nname = "resource"\n'
SAMPLE = '[[plugins]]\nname = "sample"\nitem = "x"\n'
PATH = "/kbs/v0/resource/a/b/c"


def test_what_is_configured():
    """A plugin that is not is not found, whoever asks; resource without any section."""
    broker = start(SAMPLE)
    admin = kbs_broker.Client(broker, admin=True)
    for method in ("GET", "POST", "DELETE"):
        refused(admin.call(method, PATH, b"x"), 404, b"PluginNotFound")
    refused(kbs_broker.Client(broker).call("POST", PATH, b"x"), 404, b"PluginNotFound")
    status, headers, answer = admin.call("GET", "/kbs/v0/sample")
    assert (status, answer) == (200, b"sample plugin response"), answer
    assert headers["Content-Type"] == "text/xml"
    assert admin.call("POST", "/kbs/v0/sample/any/thing?a=b", b"x")[0] == 200
    refused(kbs_broker.Client(broker).call("GET", "/kbs/v0/sample"), 401, b"AdminAuthAccess")
    refused(guest_of(broker).call("GET", "/kbs/v0/sample"), 401, b"AdminAuthAccess")
    assert metric(broker, 'kbs_plugin_requests_total{plugin_name="sample"}') == 2
    assert metric(broker, 'kbs_plugin_request_duration_seconds_count{plugin_name="sample"}') == 2
    assert metric(broker, 'kbs_plugin_requests_total{plugin_name="resource"}') is None
    broker.remove()
    for plugins in ("", RESOURCE):
        broker = start(plugins)
        admin = kbs_broker.Client(broker, admin=True)
        refused(admin.call("GET", "/kbs/v0/sample"), 404, b"PluginNotFound")
        assert admin.call("POST", PATH, b"x")[0] == 200
        assert metric(broker, 'kbs_plugin_requests_total{plugin_name="resource"}') == 1
        assert metric(broker, 'kbs_plugin_requests_total{plugin_name="sample"}') is None
        broker.remove()


def test_policy_sees_the_request():
    """Name, path and query, and nothing that could be read in two ways."""
    broker = start(RESOURCE, 'package policy\ndefault allow = false\nallow if {\n'
                   'data.plugin == "resource"\ndata["resource-path"] == ["a", "b", "c"]\n'
                   'data.query.why == "x y"\n}\n')
    assert kbs_broker.Client(broker, admin=True).call("POST", PATH, b"secret")[0] == 200
    guest = guest_of(broker)
    status, _, answer = guest.call("GET", PATH + "?why=x%20y")
    assert status == 200 and guest.decrypt(answer) == b"secret", answer
    refused(guest.call("GET", PATH), 401, b"PolicyDeny")
    refused(guest.call("GET", PATH + "?why=x"), 401, b"PolicyDeny")
    refused(guest.call("GET", PATH + "?why=x%20y&why=z"), 401, b"PluginInternalError")
    refused(guest.call("GET", PATH + "?why=%zz"), 401, b"PluginInternalError")
    assert metric(broker, 'kbs_plugin_errors_total{plugin_name="resource"}') == 2
    broker.remove()


def bound_to(path):
    return ('version = "0.1.0"\nalgorithm = "sha256"\n[data]\n'
            '"trustee.kbs.resource" = "kbs+provisioner:///%s"\n' % path)


def provision(broker, message, prefix=""):
    admin = kbs_broker.Client(broker, admin=True, prefix=prefix)
    status, _, answer = admin.call("POST", "/kbs/v0/provisioner/provision", json.dumps(message))
    assert status == 200, answer
    return json.loads(answer)


def test_provisioner():
    """A key for each VM, for the guest whose init-data names it."""
    broker = start('[[plugins]]\nname = "provisioner"\n')
    made = provision(broker, {"vm_name": "web1", "other": 1})
    space = uuid.UUID("feab5599-6854-52bc-95f0-0241c03e620a")
    assert made == {"uuid": str(uuid.uuid5(space, "default/web1")),
                    "resource_path": "default/%s/root" % made["uuid"]}, made
    path = "/kbs/v0/provisioner/" + made["resource_path"]
    guest = guest_of(broker, bound_to(made["resource_path"]))
    status, headers, answer = guest.call("GET", path)
    assert status == 200 and headers["Content-Type"] == "application/json", answer
    text = guest.decrypt(answer).decode()
    key = re.fullmatch(r'version = "0\.1\.0"\n\n\[data\]\n'
                       r'"io\.cryptsetup\.key\.text\.root" = "([A-Za-z0-9]{32})"\n', text)
    assert key, text
    # Once more is the same VM with the same key; another namespace is another.
    assert provision(broker, {"vm_name": "web1", "namespace": "default"}) == made
    assert guest.decrypt(guest.call("GET", path)[2]).decode() == text
    other = provision(broker, {"vm_name": "web1", "namespace": "prod"})
    assert other["uuid"] == str(uuid.uuid5(space, "prod/web1"))
    # Whose init-data names another path, or none, gets nothing.
    elsewhere = guest_of(broker, bound_to(other["resource_path"]))
    for who in (elsewhere, guest_of(broker)):
        refused(who.call("GET", path), 401, b"PluginInternalError")
    text_of_other = elsewhere.decrypt(elsewhere.call(
        "GET", "/kbs/v0/provisioner/" + other["resource_path"])[2]).decode()
    assert text_of_other != text
    refused(kbs_broker.Client(broker).call("GET", path), 401, b"TokenNotFound")
    # Not an admin either; and no guest provisions.
    refused(kbs_broker.Client(broker, admin=True).call("GET", path), 401, b"TokenVerifierError")
    refused(guest.call("POST", "/kbs/v0/provisioner/provision", '{"vm_name": "x"}'), 401,
            b"AdminAuthAccess")
    assert key.group(1) not in broker.log() and "provisioner.release" in actions(broker)
    # What is no request.
    admin = kbs_broker.Client(broker, admin=True)
    for bad in (b"", b"{}", b"[]", b'{"vm_name": 1}', b'{"vm_name": ""}', b'{"vm_name": "a"',
                b'{"vm_name": "a", "namespace": 1}', b'{"vm_name": "b", "namespace": "a/b"}',
                json.dumps({"vm_name": "x" * 300}).encode()):
        refused(admin.call("POST", "/kbs/v0/provisioner/provision", bad), 401,
                b"PluginInternalError")
    # It is durable, and gone when it is deleted.
    broker.kill()
    broker.start()
    guest = guest_of(broker, bound_to(made["resource_path"]))
    assert guest.decrypt(guest.call("GET", path)[2]).decode() == text
    admin = kbs_broker.Client(broker, admin=True)
    for _ in range(2):
        status, _, answer = admin.call("DELETE", "/kbs/v0/provisioner/provision/" + made["uuid"])
        assert (status, json.loads(answer)) == (200, {"status": "deleted"}), answer
    refused(guest.call("GET", path), 401, b"PluginInternalError")
    assert provision(broker, {"vm_name": "web1"}) == made
    assert guest.decrypt(guest.call("GET", path)[2]).decode() != text
    broker.remove()


def test_provisioner_of_tenants():
    """Each tenant's VMs are its own; who has no policy for the plugin gives nothing."""
    broker = start('[[plugins]]\nname = "provisioner"\nkey_length = 64\n', "package policy\n"
                   "default allow = false\nallow if data.plugin == \"resource\"\n")
    admin = kbs_broker.Client(broker, admin=True)
    assert admin.call("PUT", "/kbs/v0/admin/tenants/acme", b"{}")[0] == 200
    made = provision(broker, {"vm_name": "web1"}, "/tenants/acme")
    path = "/kbs/v0/provisioner/" + made["resource_path"]
    tenant = kbs_broker.Client(broker, admin=True, prefix="/tenants/acme")
    allow = json.dumps({"policy": services.b64url(ALLOW.encode())})
    assert tenant.call("POST", "/kbs/v0/resource-policy", allow)[0] == 200
    guest = guest_of(broker, bound_to(made["resource_path"]), "/tenants/acme")
    status, _, answer = guest.call("GET", path)
    assert status == 200 and len(guest.decrypt(answer)) > 64, answer
    guest = guest_of(broker, bound_to(made["resource_path"]))
    refused(guest.call("GET", path), 401, b"PolicyDeny")
    set_policy(broker, ALLOW)
    refused(guest.call("GET", path), 401, b"PluginInternalError")
    broker.remove()


def test_command_line():
    """husk kbs plugin and husk kbs get, as an operator and a guest type them."""
    broker = start('[[plugins]]\nname = "provisioner"\n' + SAMPLE)
    with open(broker.path("vm.json"), "w") as f:
        f.write('{"vm_name": "web1"}')
    made = json.loads(broker.cli("plugin", "post", "provisioner/provision", "--file", f.name))
    assert broker.cli("plugin", "get", "sample") == "sample plugin response"
    with open(broker.path("init.toml"), "w") as f:
        f.write(bound_to(made["resource_path"]))
    token = broker.cli("attest", f.name, "--tee-key-file", broker.path("tee.pem"))
    with open(broker.path("token"), "w") as f:
        f.write(token)
    text = base64.b64decode(broker.cli(
        "get", "kbs+provisioner:///" + made["resource_path"], "--attestation-token", f.name,
        "--tee-key-file", broker.path("tee.pem")))
    assert b"io.cryptsetup.key.text.root" in text
    broker.cli("get", "kbs+:///x", "--attestation-token", f.name, "--tee-key-file",
               broker.path("tee.pem"), code=1)
    broker.cli("plugin", "patch", "sample", code=2)
    broker.cli("plugin", "delete", "provisioner/provision/" + made["uuid"])
    broker.kill(signal.SIGTERM)
    broker.remove()


def main():
    if kbs_broker is None:
        services.skip("python3-cryptography is not installed")
    return services.run([v for k, v in globals().items() if k.startswith("test_")])


if __name__ == "__main__":
    sys.exit(main())
