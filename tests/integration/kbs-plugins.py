#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plugins of the broker: which are there, who may ask, what policies see, what is counted.

usage: kbs-plugins.py HUSK-KBS
"""
import json
import re
import sys

try:
    import cryptography  # noqa: F401, kbs_broker needs it
    import kbs_broker
except ImportError:
    kbs_broker = None

import services

RESOURCE = '[[plugins]]\nname = "resource"\n'
SAMPLE = '[[plugins]]\nname = "sample"\nitem = "x"\n'
PATH = "/kbs/v0/resource/a/b/c"
ALLOW = "package policy\nallow = true\n"


def start(plugins, policy=ALLOW):
    """With the sections @plugins instead of init's."""
    broker = kbs_broker.Broker(sys.argv[1], "")

    def edit(text):
        old = re.search(r'\[\[plugins\]\]\n(?:[^\[\n].*\n)*', text)
        return text.replace(old.group(0), plugins + "\n").replace(
            'type = "coco_as_builtin"\n',
            'type = "coco_as_builtin"\ninsecure_accept_sample = true\n')
    broker.edit(edit)
    broker.start()
    set_policy(broker, policy)
    return broker


def set_policy(broker, text):
    status, _, answer = kbs_broker.Client(broker, admin=True).call(
        "POST", "/kbs/v0/resource-policy",
        json.dumps({"policy": services.b64url(text.encode())}))
    assert status == 200, answer


def guest_of(broker):
    guest = kbs_broker.Client(broker)
    assert guest.attest(), "not attested"
    return guest


def metric(broker, name):
    _, _, text = kbs_broker.Client(broker).call("GET", "/metrics")
    found = re.findall(r"^%s (\d+)$" % re.escape(name), text.decode(), re.M)
    return int(found[0]) if found else None


def refused(answer, status, variant):
    assert answer[0] == status and variant in answer[2], answer


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


def main():
    if kbs_broker is None:
        services.skip("python3-cryptography is not installed")
    return services.run([v for k, v in globals().items() if k.startswith("test_")])


if __name__ == "__main__":
    sys.exit(main())
