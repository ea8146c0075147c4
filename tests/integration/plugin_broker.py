# SPDX-License-Identifier: Apache-2.0
"""A key broker with plugins of one's choice, for integration tests."""
import json
import re
import sys

import kbs_broker
import services

ALLOW = "package policy\nallow = true\n"


def start(plugins, policy=ALLOW):
    """With the sections @plugins instead of init's."""
    broker = kbs_broker.Broker(sys.argv[1], sys.argv[2])

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


def guest_of(broker, init_data=None, prefix=""):
    guest = kbs_broker.Client(broker, prefix=prefix)
    assert guest.attest(init_data), "not attested"
    return guest


def metric(broker, name):
    _, _, text = kbs_broker.Client(broker).call("GET", "/metrics")
    found = re.findall(r"^%s (\d+)$" % re.escape(name), text.decode(), re.M)
    return int(found[0]) if found else None


def refused(answer, status, variant):
    assert answer[0] == status and variant in answer[2], answer


def actions(broker):
    _, _, answer = kbs_broker.Client(broker, admin=True).call("GET", "/kbs/v0/admin/audit")
    return [e["action"] for e in json.loads(answer)]
