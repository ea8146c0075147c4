# SPDX-License-Identifier: Apache-2.0
"""A key broker with plugins of one's choice, for integration tests."""
import json
import os
import re
import sys

import kbs_broker
import services

ALLOW = "package policy\nallow = true\n"


DENY = "package policy\ndefault allow = false\n"


def start(plugins, policy=ALLOW):
    """With the sections @plugins instead of init's."""
    def edit(text):
        old = re.search(r'\[\[plugins\]\]\n(?:[^\[\n].*\n)*', text)
        return text.replace(old.group(0), plugins + "\n")
    return start_edited(edit, policy)


def start_edited(edit, policy=ALLOW, env=None):
    """With the configuration @edit makes of init's; the sample attester is believed."""
    broker = kbs_broker.Broker(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
    broker.edit(lambda text: edit(text).replace(
        'type = "coco_as_builtin"\n', 'type = "coco_as_builtin"\ninsecure_accept_sample = true\n'))
    broker.start(env)
    set_policy(broker, policy)
    return broker


def resource_backend(kind, **keys):
    """An edit of the configuration: resources are in the backend @kind."""
    lines = ['storage_backend_type = "%s"' % kind]
    lines += ["%s = %s" % (k, json.dumps(v)) for k, v in keys.items()]

    def edit(text):
        old = 'storage_backend_type = "kvstorage"\n'
        assert old in text
        return text.replace(old, "\n".join(lines) + "\n")
    return edit


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


def audit(broker):
    status, _, answer = kbs_broker.Client(broker, admin=True).call("GET", "/kbs/v0/admin/audit")
    assert status == 200, answer
    return json.loads(answer)


def actions(broker):
    return [e["action"] for e in audit(broker)]


def by_role(broker, look):
    """What @look(configuration, environment) says of each process the broker started, by role. Each
    process's configuration is its file 3; root may read it, and the process itself."""
    roles = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        def read(name, pid=pid):
            with open("/proc/%s/%s" % (pid, name), "rb") as f:
                return f.read()
        try:
            if read("stat").rpartition(b")")[2].split()[1] != b"%d" % broker.process.pid:
                continue
            role = read("cmdline").split(b"\0")[2].decode()
            roles.setdefault(role, []).append(look(read("fd/3"), read("environ")))
        except PermissionError:
            services.skip("processes that are not dumpable are readable by root only")
        except FileNotFoundError:
            continue
    return roles
