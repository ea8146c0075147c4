#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two key brokers on one PostgreSQL under load, while each of the three is killed.

Every write that was acknowledged is there at the end, every client goes on by itself, a nonce
serves once among the replicas. usage: kbs-replicas.py HUSK-KBS HUSK [SECONDS]
"""
import http.client
import json
import os
import random
import shutil
import signal
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kbs_broker import Broker, Client, b64url  # noqa: E402
from postgres_server import Postgres  # noqa: E402

ALLOW = b"package policy\nimport rego.v1\ndefault allow := false\n" \
        b"allow if data.plugin == \"resource\"\n"
RECOVERY_S = 40  # longest silence that a client may see; crash recovery of the database included


def make_replicas(program, husk, postgres):
    """The first reaches the database by its unix socket, the second by name over TCP."""
    replicas = []
    for i in range(2):
        broker = Broker(program, husk, "auth_rate = 0\n")
        broker.edit(lambda t: "\n".join(line for line in t.split("\n")
                                        if not line.startswith("store = ")).replace(
            "[attestation_service]\n", "[attestation_service]\ninsecure_accept_sample = true\n", 1)
            + '\n[storage_backend]\nstorage_type = "Postgres"\n'
              '[storage_backend.backends.postgres]\nhost = "%s"\nport = %d\ndb = "husk"\n'
              'username = "postgres"\nstatement_timeout_ms = 3000\n'
            % ((postgres.dir, "localhost")[i], postgres.port))
        if i == 1:
            for name in ("admin.pub", "admin.key", "admin-token", "token.key"):
                shutil.copy(replicas[0].path(name), broker.path(name))
        replicas.append(broker)
    for broker in replicas:
        broker.start()
    return replicas


class Anywhere:
    """A client of the service: whichever replica answers. Sessions are not tied to one."""

    def __init__(self, replicas, admin=False):
        self.replicas = replicas
        self.clients = [Client(r, admin=admin) for r in replicas]
        for c in self.clients[1:]:
            c.key = self.clients[0].key
        self.silence = 0.0

    def once(self, index, *args, **headers):
        client = self.clients[index]
        client.cookie = self.cookie = getattr(self, "cookie", None)
        answer = client.call(*args, **headers)
        self.cookie = client.cookie
        return answer

    def call(self, *args, **headers):
        """Tries until somebody answers with anything but "not now"."""
        begin = time.monotonic()
        while time.monotonic() - begin < RECOVERY_S:
            try:
                answer = self.once(random.randrange(len(self.clients)), *args, **headers)
                if answer[0] != 503:
                    self.silence = max(self.silence, time.monotonic() - begin)
                    return answer
            except (OSError, ssl.SSLError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        raise AssertionError("no answer for %d s: %s" % (RECOVERY_S, args[:2]))


class Worker(threading.Thread):
    def __init__(self, replicas, number, stop):
        super().__init__()
        self.number, self.stop = number, stop
        self.service = Anywhere(replicas, admin=isinstance(self, Writer))
        self.error = None
        self.done = 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
                self.done += 1
        except Exception as error:  # shown by the main thread
            self.error = "%s %d: %s: %s" % (type(self).__name__, self.number,
                                            type(error).__name__, error)


class Writer(Worker):
    """Unique resources, and one counter that both replicas change only from the version they saw."""

    def __init__(self, *args):
        super().__init__(*args)
        self.acknowledged = {}

    def step(self):
        path = "load/w%d/%d" % (self.number, self.done)
        content = ("%s " % path).encode() * (1 + self.done % 50)
        status, headers, body = self.service.call("POST", "/kbs/v0/resource/" + path, content)
        if status != 200:
            raise AssertionError("write: %d %s" % (status, body))
        self.acknowledged[path] = content
        if self.done % 10 == 0:
            value = b64url(json.dumps({"w%d.%d" % (self.number, self.done): [self.done]}).encode())
            status, _, body = self.service.call("POST", "/kbs/v0/reference-value", json.dumps(
                {"version": "0.1.0", "type": "sample", "payload": value}))
            if status != 200:
                raise AssertionError("reference value: %d %s" % (status, body))


class Guest(Worker):
    """Each request of a handshake may reach another replica; a lost session starts again."""

    def step(self):
        for _ in range(50):
            status, _, body = self.service.call("POST", "/kbs/v0/auth", json.dumps(
                {"version": "0.4.0", "tee": "sample", "extra-params": {}}))
            if status != 200:
                raise AssertionError("auth: %d %s" % (status, body))
            message = self.service.clients[0].message(json.loads(body)["nonce"])
            status, _, body = self.service.call("POST", "/kbs/v0/attest", message)
            if status != 200:
                time.sleep(0.1)
                continue  # as guests do: from the start
            status, _, body = self.service.call("GET", "/kbs/v0/resource/default/key/shared")
            if status == 200:
                return
            time.sleep(0.1)
        raise AssertionError("50 handshakes in a row failed: %d %s" % (status, body))


def test_nonce_serves_once(replicas):
    """Two different attestations of one session at the same moment, one at each replica."""
    for _ in range(20):
        first = Client(replicas[0])
        nonce = first.auth()
        second = Client(replicas[1])
        second.cookie = first.cookie
        results, ready = [], threading.Barrier(2)

        def send(client):
            message = client.message(nonce)
            client.call("GET", "/healthz")
            ready.wait()
            results.append(client.call("POST", "/kbs/v0/attest", message)[0])

        threads = [threading.Thread(target=send, args=(c,)) for c in (first, second)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if sorted(results) != [200, 401]:
            raise AssertionError("a nonce served %s" % results)


def test_changes_are_seen(replicas):
    """A policy that one replica was given decides on the other one's next request."""
    admin, guest = Client(replicas[0], admin=True), Client(replicas[1])
    guest.attest()
    deny = ALLOW.replace(b"allow if data.plugin == \"resource\"\n", b"")
    for _ in range(10):
        for text, want in ((deny, 401), (ALLOW, 200)):
            status, _, body = admin.call("POST", "/kbs/v0/resource-policy",
                                         json.dumps({"policy": b64url(text)}))
            if status != 200:
                raise AssertionError(body)
            status, _, body = guest.call("GET", "/kbs/v0/resource/default/key/shared")
            if status != want:
                raise AssertionError("policy of the other replica: %d %s" % (status, body))


def shake(replicas, postgres, seconds):
    """Kills each of the three in turn."""
    steps = [("replica 0", lambda: (replicas[0].kill(), time.sleep(1), replicas[0].start())),
             ("replica 1", lambda: (replicas[1].kill(), time.sleep(1), replicas[1].start())),
             ("database, kill -9", lambda: (postgres.stop(signal.SIGKILL), time.sleep(1),
                                            postgres.start())),
             ("database, restart", lambda: (postgres.stop(signal.SIGINT), postgres.start()))]
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end or count < len(steps):
        time.sleep(1.5)
        name, step = steps[count % len(steps)]
        step()
        count += 1
    time.sleep(2)
    return count


def check(replicas, writers, husk):
    admin = Anywhere(replicas, admin=True)
    guest = Client(replicas[1])
    if not guest.attest():
        raise AssertionError("no token at the end")
    have = {r["path"] for r in json.loads(admin.call("GET", "/kbs/v0/admin/resources")[2])}
    acknowledged = 0
    for writer in writers:
        for path, content in writer.acknowledged.items():
            acknowledged += 1
            if path not in have:
                raise AssertionError("LOST: %s was acknowledged" % path)
            if acknowledged % 7 == 0:
                status, _, body = guest.call("GET", "/kbs/v0/resource/" + path)
                if status != 200 or guest.decrypt(body) != content:
                    raise AssertionError("CHANGED: %s, %d" % (path, status))
    values = {v["name"] for v in json.loads(admin.call("GET", "/kbs/v0/admin/reference-values")[2])}
    for writer in writers:
        for n in range(0, writer.done, 10):
            if "w%d.%d" % (writer.number, n) not in values:
                raise AssertionError("LOST: reference value w%d.%d" % (writer.number, n))
    for broker in replicas:
        broker.cli("audit", "verify")
    return acknowledged


def main():
    program, husk = sys.argv[1:3]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 15
    postgres = Postgres()
    replicas = []
    try:
        replicas = make_replicas(program, husk, postgres)
        admin = Client(replicas[0], admin=True)
        admin.call("POST", "/kbs/v0/resource-policy", json.dumps({"policy": b64url(ALLOW)}))
        admin.call("POST", "/kbs/v0/resource/default/key/shared", b"shared")
        test_nonce_serves_once(replicas)
        test_changes_are_seen(replicas)
        stop = threading.Event()
        writers = [Writer(replicas, i, stop) for i in range(3)]
        guests = [Guest(replicas, i, stop) for i in range(3)]
        for worker in writers + guests:
            worker.start()
        kills = shake(replicas, postgres, seconds)
        stop.set()
        for worker in writers + guests:
            worker.join(RECOVERY_S + 60)
        errors = [w.error for w in writers + guests if w.error]
        if errors:
            raise AssertionError("; ".join(errors))
        for guest in guests:
            if guest.done == 0:
                raise AssertionError("a guest got nothing")
        total = check(replicas, writers, husk)
        print("%d kills, %d acknowledged resources, none lost; %d handshakes; longest silence %.1f s"
              % (kills, total, sum(g.done for g in guests),
                 max(w.service.silence for w in writers + guests)))
        return 0
    except Exception as error:
        print("FAIL: %s: %s" % (type(error).__name__, error))
        for broker in replicas:
            print(broker.log()[-2500:])
        raise
    finally:
        for broker in replicas:
            broker.remove()
        postgres.remove()


sys.exit(main())
