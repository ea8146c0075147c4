#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""24,000 malformed requests, and slow, silent, oversized and numerous clients: no crash, no hang,
no growth, and honest clients are served meanwhile. usage: kbs-bounds.py HUSK-KBS HUSK [COUNT]
"""
import concurrent.futures
import http.client
import json
import os
import random
import re
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kbs_broker import Broker, Client  # noqa: E402

COUNT = 24000
ANSWER_S = 20
WAIT_S = 0.1  # then the server waits for the rest of what was announced: test_silent_and_slow
TEES = ["snp", "tdx", "sgx", "az-snp-vtpm", "az-tdx-vtpm", "tpm", "cca", "se", "csv", "nvidia",
        "sample", "hygondcu", "sampledevice"]


class Raw:
    """A connection that sends whatever bytes and reads whatever comes."""

    def __init__(self, broker):
        self.broker = broker
        self.context = ssl.create_default_context(cafile=broker.path("tls.crt"))
        self.sock = None

    def open(self, tls=True):
        plain = socket.create_connection(("127.0.0.1", self.broker.port), timeout=ANSWER_S)
        self.sock = self.context.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def send(self, data):
        """Sends, and reads one answer. Returns its status, 0 when the server only closed."""
        if self.sock is None:
            self.open()
        try:
            self.sock.sendall(data)
            self.sock.settimeout(WAIT_S)
            head = b""
            while b"\r\n\r\n" not in head:
                more = self.sock.recv(65536)
                if not more:
                    self.close()
                    return 0
                head += more
            head, body = head.split(b"\r\n\r\n", 1)
            size = re.search(rb"(?i)content-length: (\d+)", head)
            while size and len(body) < int(size.group(1)):
                more = self.sock.recv(65536)
                if not more:
                    break
                body += more
            if b"close" in head.lower() or not size:
                self.close()
            return int(head.split(b" ")[1])
        except (ConnectionError, ssl.SSLError):
            self.close()
            return 0


def request(method, path, body=b"", **headers):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: x", "Content-Length: %d" % len(body)]
    lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        kind = rng.randrange(4)
        at = rng.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data = data[:at]
        elif kind == 2:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 20)))
        else:
            data[at:at] = data[at:at + rng.randint(1, 40)]
    return bytes(data)


def nested(rng):
    return rng.choice([b"[" * 5000, b"{\"a\":" * 3000, b"9" * 4000, b"\"" + b"\\u0000" * 500 + b"\"",
                       b"{\"version\":\"0.4.0\",\"tee\":\"" + b"x" * 5000 + b"\",\"extra-params\":{}}",
                       b"null", b"\xff\xfe", b"{\"version\":1e999}", b""])


def evidence_for(rng):
    value = rng.choice([None, 7, "x", [], {}, {"quote": "AAAA"}, {"quote": b"\0".hex() * 3000},
                        {"attestation_report": {"version": rng.choice([-1, 2, 3, 2 ** 40])}},
                        {"report": list(range(200)), "cert_chain": [{"data": [1, 2]}]},
                        {"ak_public": "AA==", "tpm_quote": {"signature": "AA==", "message": "/w==",
                                                            "pcrs": ["00"] * rng.randint(0, 40)}},
                        {"hcl_report": "AAAA", "quote": {"message": [1], "pcrs": [[1]]}},
                        {"token": [rng.randrange(256) for _ in range(100)]},
                        {"svn": "1", "report_data": "AAAA"},
                        {"device_evidence_list": [{"arch": "HOPPER", "evidence": "00"}]}])
    return value


class Kinds:
    """One method a kind of malformed request; each returns bytes for the wire."""

    def __init__(self, rng, admin):
        self.rng, self.admin = rng, admin
        self.good_auth = b'{"version":"0.4.0","tee":"snp","extra-params":{}}'

    def noise(self):
        return bytes(self.rng.randrange(256) for _ in range(self.rng.randint(1, 300))) + b"\r\n\r\n"

    def request_line(self):
        return mutate(self.rng, b"POST /kbs/v0/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n") + \
            b"\r\n\r\n"

    def headers(self):
        line = self.rng.choice([b"Content-Length: -1", b"Content-Length: 99999999999999999999",
                                b"Content-Length: 1\r\nContent-Length: 2", b"Transfer-Encoding: x",
                                b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b": empty", b"X" * 70000,
                                b"A: " + b"b" * 200000, b"Cookie: " + b"kbs-session-id=" * 900,
                                b"Authorization: Bearer " + b"." * 3000, b"X-Request-Id: a\tb",
                                b"Expect: 100-continue\r\nContent-Length: 5"])
        return b"POST /kbs/v0/attest HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n"

    def auth_body(self):
        body = nested(self.rng) if self.rng.random() < .5 else mutate(self.rng, self.good_auth)
        return request("POST", "/kbs/v0/auth", body)

    def path(self):
        tail = self.rng.choice(["resource/../../etc/passwd", "resource/a/b", "resource/%00/b/c",
                                "resource/%ff/b/c", "resource/a/b/c/d/e", "reference-value/%2", "x" * 3000,
                                "admin/why/" + "f" * 900, "admin/audit/proof/-1", "", "//", "resource/a/b/.c",
                                "admin/tenants/%2e%2e", "resource/a/b/c?version=zz", "auth?" + "a=b&" * 200])
        prefix = self.rng.choice(["/kbs/v0/", "/tenants/x/kbs/v0/", "/tenants/../kbs/v0/", "/kbs/v9/", "*"])
        return request(self.rng.choice(["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD"]), prefix + tail)

    def session(self):
        cookie = "".join(self.rng.choice("0123456789abcdef") for _ in range(32))
        return request("POST", "/kbs/v0/attest", nested(self.rng), Cookie="kbs-session-id=" + cookie)

    def token(self):
        part = "".join(self.rng.choice("abcXYZ019-_") for _ in range(self.rng.randint(0, 200)))
        text = self.rng.choice([part, part + "." + part, "eyJhbGciOiJub25lIn0." + part + ".",
                                "eyJhbGciOiJFUzI1NiJ9.e30." + part])
        return request("GET", "/kbs/v0/resource/default/key/1", Authorization="Bearer " + text)

    def admin_body(self):
        path = self.rng.choice(["attestation-policy", "resource-policy", "reference-value",
                                "admin/backup", "resource/a/b/c/d"])
        body = self.rng.choice([nested(self.rng), b'{"policy":"' + b"A" * 2000 + b'"}',
                                b'{"policy_id":"../x","policy":"cGFja2FnZSBwb2xpY3k"}',
                                b'{"version":"0.1.0","type":"sample","payload":"%%%"}',
                                b'{"version":"0.1.0","type":"corim","payload":"2QH0"}',
                                b'{"recipient":"-----BEGIN PUBLIC KEY-----\\nAAAA"}'])
        return request("POST", "/kbs/v0/" + path, body, Authorization="Bearer " + self.admin)

    def admin_quota(self):
        return request("PUT", "/kbs/v0/admin/tenants/" + self.rng.choice(["UP", "a" * 60, "..", "x y"]),
                       nested(self.rng), Authorization="Bearer " + self.admin)


def attest_badly(rng, raw):
    """A session that exists, with evidence that does not deserve the name."""
    tee = rng.choice(TEES)
    client = Client(raw.broker, context=raw.context)
    client.connection, raw.http = getattr(raw, "http", None), None
    status, _, body = client.call("POST", "/kbs/v0/auth", json.dumps(
        {"version": "0.4.0", "tee": tee, "extra-params": {}}))
    if status == 200:
        message = json.loads(client.message(json.loads(body)["nonce"]))
        message["tee-evidence"]["primary_evidence"] = evidence_for(rng)
        if rng.random() < .2:
            message["tee-evidence"]["additional_evidence"] = rng.choice(
                ["{", "{\"nvidia\":{}}", "[]", "x" * 2000])
        text = json.dumps(message).encode()
        if rng.random() < .3:
            text = mutate(rng, text)
        status, _, _ = client.call("POST", "/kbs/v0/attest", text)
        if status == 200:
            raise AssertionError("accepted: " + text.decode("latin-1"))
    raw.http = client.connection


def memory_kib(broker):
    total = 0
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and os.getpgid(int(pid)) == broker.process.pid:
                with open("/proc/%s/smaps_rollup" % pid, encoding="ascii") as f:
                    total += int(re.search(r"Pss:\s+(\d+)", f.read()).group(1))
        except (OSError, AttributeError):
            pass
    return total


def metric(broker, name):
    text = Client(broker).call("GET", "/metrics")[2].decode()
    return float(re.search(r"^%s ([0-9.e+]+)$" % re.escape(name), text, re.M).group(1))


def healthy(broker, what):
    begin = time.monotonic()
    client = Client(broker)
    status, _, _ = client.call("GET", "/readyz")
    client.close()
    if status != 200 or time.monotonic() - begin > ANSWER_S:
        raise AssertionError("%s: readyz %d after %.1f s" % (what, status, time.monotonic() - begin))


def flood(broker, rng, count):
    kinds = Kinds(rng, broker.token())
    names = [n for n in dir(kinds) if not n.startswith("_") and callable(getattr(kinds, n))]
    raw = Raw(broker)
    for i in range(count):
        pick = rng.randrange(len(names) + 2)
        if pick >= len(names):
            try:
                attest_badly(rng, raw)
            except (OSError, http.client.HTTPException):
                pass  # an idle connection was closed meanwhile
            continue
        data = getattr(kinds, names[pick])()
        try:
            status = raw.send(data)
        except socket.timeout:
            status = 0
        if status == 200 and names[pick] not in ("request_line", "headers", "auth_body", "path"):
            raise AssertionError("%s was accepted: %r" % (names[pick], data[:200]))
        # Without an answer the server may be waiting for more: a fresh connection.
        if status == 0:
            raw.close()
        if i % 2000 == 0:
            healthy(broker, "after %d" % i)
    raw.close()


def is_sanitized(program):
    """What was freed stays in AddressSanitizer's quarantine: memory says nothing then."""
    with open(program, "rb") as f:
        return b"__asan_init" in f.read()


def test_flood(broker, count):
    rng = random.Random(4)
    flood(broker, rng, count // 4)  # buffers and caches reach their size
    before = memory_kib(broker)
    flood(broker, rng, count - count // 4)
    after = memory_kib(broker)
    crashes = metric(broker, "husk_verifier_crashes_total")
    if crashes:
        raise AssertionError("%d verifiers crashed" % crashes)
    if after > before * 1.25 + 4096 and not is_sanitized(broker.program):
        raise AssertionError("memory grew from %d to %d KiB" % (before, after))
    print("ok %d malformed requests, memory %d -> %d KiB" % (count, before, after))


def test_silent_and_slow(broker):
    """More of them than the broker takes: they are closed, others are served."""
    idle = []
    for _ in range(150):
        s = socket.create_connection(("127.0.0.1", broker.port), timeout=ANSWER_S)
        s.sendall(b"\x16\x03\x01")  # the beginning of a TLS record
        idle.append(s)
    healthy(broker, "with silent clients")
    end = time.monotonic() + 40
    while idle and time.monotonic() < end:
        for s in list(idle):
            s.settimeout(0.05)
            try:
                if not s.recv(1000):
                    idle.remove(s)
            except socket.timeout:
                pass
            except OSError:
                idle.remove(s)
    if idle:
        raise AssertionError("%d silent connections are still open" % len(idle))
    print("ok silent and slow clients")


def test_oversized(broker):
    raw = Raw(broker)
    raw.open()
    head = b"POST /kbs/v0/attest HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
    status = raw.send(head + b"x" * 3000000)  # a client that sends first and reads then
    if status != 413:
        raise AssertionError("3 MB body: %d" % status)
    raw.close()
    status = raw.send(head.replace(b"3000000", b"900000000") + b"x" * 60000000)
    if status != 0:
        raise AssertionError("900 MB body: %d" % status)
    raw.close()
    # Many bodies that never end: bounded by the memory of the front, which goes on.
    many = []
    for _ in range(100):
        one = Raw(broker)
        try:
            one.open()
            one.sock.settimeout(2)
            one.sock.sendall(b"POST /kbs/v0/attest HTTP/1.1\r\nHost: x\r\n"
                             b"Content-Length: 2000000\r\n\r\n" + b"x" * 1900000)
        except OSError:
            pass
        many.append(one)
    # They may take all the memory that the front is given, and then nobody gets in; it lives.
    if broker.process.poll() is not None:
        raise AssertionError("unfinished bodies ended the broker")
    for one in many:
        one.close()
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            healthy(broker, "after unfinished bodies")
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    if memory_kib(broker) > 600 << 10:
        raise AssertionError("memory after unfinished bodies: %d KiB" % memory_kib(broker))
    print("ok oversized and unfinished bodies")


def test_sessions(broker):
    """The cap of pending sessions refuses new ones instead of growing."""
    client = Client(broker)
    seen = set()
    for _ in range(400):
        seen.add(client.call("POST", "/kbs/v0/auth", json.dumps(
            {"version": "0.4.0", "tee": "snp", "extra-params": {}}))[0])
    if seen != {200, 429}:
        raise AssertionError("sessions: %s" % seen)
    print("ok sessions are capped")


def main():
    program, husk = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else COUNT
    broker = Broker(program, husk, "auth_rate = 0\nmemory_max_mib = 512\n").start()
    small = Broker(program, husk, "auth_rate = 0\nconnections_max = 64\nsessions_pending_max = 200\n"
                                  "memory_max_mib = 128\n").start()
    try:
        test_sessions(small)
        # Most of the first is waiting: meanwhile the other broker gets its flood.
        with concurrent.futures.ThreadPoolExecutor() as beside:
            silent = beside.submit(test_silent_and_slow, small)
            test_flood(broker, count)
            silent.result()
        test_oversized(small)
        for b in (broker, small):
            for line in b.log().split("\n"):
                if "kbs.process." in line or "protocol" in line:
                    raise AssertionError("a process ended: " + line)
        return 0
    except BaseException:
        print(broker.log()[-1500:], small.log()[-1500:])
        raise
    finally:
        broker.remove()
        small.remove()


sys.exit(main())
