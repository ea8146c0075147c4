#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The broker with its resources in Vault KV, versions 1 and 2: a fake of the engine's documented HTTP
API, by TLS; who sees the token; what happens when Vault refuses, is sealed, lies or is gone.

usage: kbs-vault.py HUSK-KBS
"""
import json
import re
import shutil
import signal
import sys

try:
    import cryptography  # noqa: F401, kbs_broker needs it
    import kbs_broker
    from plugin_broker import (DENY, audit, by_role, guest_of, metric, resource_backend, set_policy,
                               start_edited)
except ImportError:
    kbs_broker = None

import ending
import fake_http
import services

TOKEN = "hvs.the-token-of-vault"
SECRET = b"a secret of the owner \x00\xff"
PATH = "/kbs/v0/resource/a/b/c"
folder = ending.folder("husk-py-")


class Vault(fake_http.Fake):
    """The key-value engine at MOUNT: /v1/MOUNT/PATH, or /v1/MOUNT/{data,metadata}/PATH."""

    def __init__(self, version, mount, identity=None):
        self.version, self.mount = version, mount
        self.secrets = {}  # path: list of versions
        super().__init__(identity)

    def serve(self, method, path, headers, body):
        if headers["Authorization"] != "Bearer " + TOKEN or headers["X-Vault-Request"] != "true":
            return 403, {"errors": ["permission denied"]}
        if self.mode == "sealed":
            return 503, {"errors": ["Vault is sealed"]}
        if self.mode == "lies":
            return 200, b"<html>"
        if self.mode == "nodata":
            return 200, {"data": {"data": {"other": "x"}, "metadata": {"version": 1}}}
        found = re.fullmatch(r"/v1/" + self.mount + (r"/(data|metadata)" if self.version == 2 else
                                                     r"()") + r"/([\w./-]+)(?:\?version=(\d+))?",
                             path)
        if not found:
            return 404, {"errors": []}
        kind, name, wanted = found.groups()
        kept = self.secrets.get(name, [])
        if method == "GET" and kind != "metadata":
            number = int(wanted or len(kept))
            if not 1 <= number <= len(kept):
                return 404, {"errors": []}
            data = kept[number - 1]
            return 200, {"data": data if self.version == 1 else {
                "data": data, "metadata": {"version": number, "destroyed": False}}}
        if method == "POST" and kind != "metadata":
            data = json.loads(body)
            if self.version == 1:
                self.secrets[name] = [data]
                return 204, None
            cas = data["options"].get("cas")
            if cas is not None and cas != len(kept):
                return 400, {"errors": ["check-and-set parameter did not match the current version"]}
            self.secrets[name] = kept + [data["data"]]
            return 200, {"data": {"version": len(kept) + 1}}
        if method == "DELETE" and kind != "data":
            self.secrets.pop(name, None)
            return 204, None
        return 405, {"errors": ["unsupported operation"]}


def plugin(url, token=TOKEN, **keys):
    return resource_backend("Vault", vault_url=url, token=token, **keys)


def entries(broker):
    return [(e["action"], e["object"]) for e in audit(broker)]


def test_version_1():
    """By TLS, as Trustee's: mount, member "data", bytes or a string."""
    identity = fake_http.Identity(folder)
    vault = Vault(1, "kv/team", identity)
    broker = start_edited(plugin(vault.url(), mount_path="kv/team", ca_certs=[identity.cert]))
    admin = kbs_broker.Client(broker, admin=True)
    status, headers, answer = admin.call("POST", PATH, SECRET)
    assert status == 200 and "ETag" not in headers, answer
    assert vault.secrets == {"a/b/c": [{"data": list(SECRET)}]}, vault.secrets
    guest = guest_of(broker)
    status, headers, answer = guest.call("GET", PATH)
    assert status == 200 and guest.decrypt(answer) == SECRET, answer
    vault.secrets["a/b/c"] = [{"data": "by hand \u00e4"}]
    assert guest.decrypt(guest.call("GET", PATH)[2]) == "by hand \u00e4".encode()
    vault.secrets["a/b/c"] = [{"data": ""}]
    assert guest.decrypt(guest.call("GET", PATH)[2]) == b""
    # No versions, no conditions; and nothing was written.
    assert admin.call("POST", PATH, b"x", If_None_Match="*")[0] == 412
    assert guest.call("GET", PATH + "?version=1")[0] == 401
    assert vault.secrets["a/b/c"] == [{"data": ""}]
    assert admin.call("DELETE", PATH)[0] == 200 and vault.secrets == {}
    status, _, answer = guest.call("GET", PATH)
    assert status == 401 and b"PluginInternalError" in answer, answer
    assert b"Vault" not in answer
    for entry in (("resource.set", "a/b/c"), ("resource.release", "a/b/c"),
                  ("resource.delete", "a/b/c")):
        assert entry in entries(broker), entry
    status, _, answer = admin.call("GET", "/kbs/v0/admin/resources")
    assert status == 404 and b"Vault" in answer, answer
    broker.remove()
    # Nobody is trusted that the roots do not certify; and no request gets there.
    count = len(vault.requests)
    broker = start_edited(plugin(vault.url(), mount_path="kv/team"))
    status, _, answer = kbs_broker.Client(broker, admin=True).call("POST", PATH, SECRET)
    assert status == 401 and b"certificate" in answer, (answer, broker.log()[-2000:])
    assert len(vault.requests) == count
    broker.remove()
    broker = start_edited(plugin(vault.url(), mount_path="kv/team", verify_ssl=False))
    assert kbs_broker.Client(broker, admin=True).call("POST", PATH, SECRET)[0] == 200
    assert "option=verify_ssl" in broker.log()
    broker.remove()
    vault.close()


def test_version_2():
    """Versions and conditions are Vault's; tenants and a prefix have folders of their own."""
    vault = Vault(2, "secret")
    broker = start_edited(plugin(vault.url(), kv_version=2, prefix="husk/x"))
    admin = kbs_broker.Client(broker, admin=True)
    status, headers, answer = admin.call("POST", PATH, b"one", If_None_Match="*")
    assert status == 200 and headers["ETag"] == '"1"', answer
    assert admin.call("POST", PATH, b"no", If_None_Match="*")[0] == 412
    status, headers, answer = admin.call("POST", PATH, b"two", If_Match='"1"')
    assert status == 200 and headers["ETag"] == '"2"', answer
    assert admin.call("POST", PATH, b"no", If_Match='"1"')[0] == 412
    assert [bytes(s["data"]) for s in vault.secrets["husk/x/a/b/c"]] == [b"one", b"two"]
    guest = guest_of(broker)
    status, headers, answer = guest.call("GET", PATH)
    assert status == 200 and headers["ETag"] == '"2"' and guest.decrypt(answer) == b"two"
    assert guest.decrypt(guest.call("GET", PATH + "?version=1")[2]) == b"one"
    assert guest.call("GET", PATH + "?version=3")[0] == 401
    assert guest.call("GET", PATH, If_None_Match='"2"')[0] == 304
    # A tenant's are elsewhere.
    status, _, answer = admin.call("PUT", "/kbs/v0/admin/tenants/acme", b"{}")
    assert status == 200, answer
    tenant = kbs_broker.Client(broker, admin=True, prefix="/tenants/acme")
    status, _, answer = tenant.call("POST", PATH, b"acme's")
    assert status == 200, answer
    assert bytes(vault.secrets["husk/x/tenants/acme/a/b/c"][0]["data"]) == b"acme's"
    assert tenant.call("DELETE", PATH)[0] == 200 and list(vault.secrets) == ["husk/x/a/b/c"]
    # What a path must not be is refused before Vault hears of it.
    count = len(vault.requests)
    for bad in ("a/b", "a/b/c/d", "a/../c", "a/b/c%3Fversion=1", "a/b/%2e%2e"):
        assert admin.call("POST", "/kbs/v0/resource/" + bad, b"x")[0] in (401, 404), bad
    # Nor is it asked for what the policy does not give.
    set_policy(broker, DENY)
    status, _, answer = guest.call("GET", PATH)
    assert status == 401 and b"PolicyDeny" in answer, answer
    assert len(vault.requests) == count, vault.requests[count:]
    assert admin.call("DELETE", PATH, If_Match='"2"')[0] == 412
    assert "husk/x/a/b/c" in vault.secrets
    assert admin.call("DELETE", PATH)[0] == 200 and vault.secrets == {}
    broker.remove()
    vault.close()


def test_failures():
    """Refusals, each with its reason for the log and the admin, none with the token."""
    vault = Vault(2, "secret")
    broker = start_edited(plugin(vault.url(), kv_version=2))
    admin = kbs_broker.Client(broker, admin=True)
    assert admin.call("POST", PATH, SECRET)[0] == 200
    guest = guest_of(broker)
    for mode, status, text in (("sealed", 503, "Vault is sealed"), ("lies", 401, "not JSON"),
                               ("nodata", 401, "no member")):
        vault.mode = mode
        got, _, answer = guest.call("GET", PATH)
        assert got == status, (mode, got, answer)
        broker.wait_log(text)
    vault.mode = "good"
    assert guest.decrypt(guest.call("GET", PATH)[2]) == SECRET
    labels = '{plugin_name="resource",backend="vault"}'
    assert metric(broker, "husk_backend_requests_total" + labels) == 5
    assert metric(broker, "husk_backend_errors_total" + labels) == 3
    # What is not there is no failure of the backend.
    assert guest.call("GET", PATH + "2")[0] == 401
    assert metric(broker, "husk_backend_errors_total" + labels) == 3
    vault.close()
    assert guest.call("GET", PATH)[0] == 503
    assert admin.call("POST", PATH, b"x")[0] == 503
    assert metric(broker, "husk_backend_errors_total" + labels) == 5
    assert metric(broker, "husk_backend_request_duration_seconds_count" + labels) == 8
    assert TOKEN not in broker.log() and SECRET.decode("latin-1")[:20] not in broker.log()
    broker.remove()
    vault = Vault(2, "secret")
    broker = start_edited(plugin(vault.url(), "hvs.wrong", kv_version=2))
    status, _, answer = kbs_broker.Client(broker, admin=True).call("POST", PATH, SECRET)
    assert status == 401 and b"permission denied" in answer, answer
    broker.remove()
    vault.close()


def test_token_is_the_backends():
    """Each process's configuration is readable by root and by itself; only backends' has the token."""
    vault = Vault(1, "secret")
    broker = start_edited(plugin(vault.url(), connections=3))
    roles = by_role(broker, lambda config, _: TOKEN.encode() in config)
    assert roles == {"vault": [False], "front": [False], "verifier": [False],
                     "backend": [True] * 3}, roles
    broker.remove()
    vault.close()


def test_reload():
    """Another Vault takes a restart, and says so; everything else is read again."""
    vault = Vault(1, "secret")
    broker = start_edited(plugin(vault.url()))
    admin = kbs_broker.Client(broker, admin=True)
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_log("kbs.reload ")
    assert admin.call("POST", PATH, SECRET)[0] == 200
    broker.edit(lambda text: text.replace(TOKEN, "hvs.another"))
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_log("a change of [[plugins]] takes a restart")
    assert admin.call("POST", PATH, SECRET)[0] == 200
    assert "hvs." not in broker.log()
    broker.remove()
    vault.close()


def main():
    if kbs_broker is None:
        services.skip("python3-cryptography is not installed")
    code = services.run([v for k, v in globals().items() if k.startswith("test_")])
    shutil.rmtree(folder)
    return code


sys.exit(main())
