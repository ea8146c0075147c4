# SPDX-License-Identifier: Apache-2.0
"""Start and stop husk's services for tests that are peers written in Python (Debian's, with
python3-cryptography and python3-grpcio). Only loopback, only processes started here."""
import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
import traceback

import ending

START_S = 30


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value):
    """RFC 8785 for what the tests use: no names outside ASCII, no numbers but small integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sample_evidence(runtime, algorithm="sha384"):
    """Evidence of the sample attester, bound to the canonical form of @runtime."""
    digest = hashlib.new(algorithm, canonical(runtime)).digest()
    return {"svn": "1", "report_data": base64.b64encode(digest).decode()}


class Service:
    """A program in a folder of its own; its ports are read from its log."""

    def __init__(self, command, folder, ports=1):
        self.folder = folder
        self.log = os.path.join(folder, "log-%d" % time.monotonic_ns())
        with open(self.log, "wb") as log:
            self.process = ending.start(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.ports = self.wait(ports)

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def wait(self, count):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            found = re.findall(r" port=(\d+)(?=[ \n])", self.text())
            if len(found) >= count:
                return [int(p) for p in found]
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        self.stop()
        raise AssertionError("did not start: " + self.text())

    def stop(self):
        """Return: the exit code of a clean stop."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15 * ending.SLOWER)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                raise
        ending.clean(self.text())
        return self.process.returncode


class Kbs(Service):
    """@extra: lines for [husk]; @edit: what else to do with the configuration's text."""

    def __init__(self, program, extra="", edit=None):
        folder = ending.folder("husk-py-")
        subprocess.run([program, "init", folder, "--listen", "127.0.0.1:0"], check=True,
                       stdout=subprocess.DEVNULL)
        path = os.path.join(folder, "husk-kbs.toml")
        with open(path) as config:
            text = config.read() + extra
        with open(path, "w") as config:
            config.write(edit(text) if edit else text)
        super().__init__([program, "-c", os.path.join(folder, "husk-kbs.toml")], folder)
        self.tls = ssl.create_default_context(cafile=os.path.join(folder, "tls.crt"))
        with open(os.path.join(folder, "admin-token")) as token:
            self.token = token.read().strip()

    def admin(self, method, path, body=b""):
        return Client(self).request(method, path, body, {"Authorization": "Bearer " + self.token})

    def policy(self, rego):
        body = json.dumps({"policy": b64url(rego.encode())}).encode()
        status, answer = self.admin("POST", "/kbs/v0/resource-policy", body)
        assert status == 200, answer

    def close(self):
        code = self.stop()
        shutil.rmtree(self.folder)
        assert code == 0, "exit code %d" % code


class Client:
    """HTTP with a cookie; a JSON value as body is sent as JSON."""

    def __init__(self, kbs):
        self.kbs = kbs
        self.cookie = None

    def request(self, method, path, body=b"", headers=None):
        headers = dict(headers or {})
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if self.cookie:
            headers["Cookie"] = self.cookie
        connection = http.client.HTTPSConnection("localhost", self.kbs.ports[0],
                                                 context=self.kbs.tls, timeout=20)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        if answer.getheader("Set-Cookie"):
            self.cookie = answer.getheader("Set-Cookie").split(";")[0]
        data = answer.read()
        connection.close()
        return answer.status, data


def succeeds(test):
    try:
        test()
        print("ok   " + test.__name__, flush=True)
        return True
    except Exception as e:  # a test may fail in any way
        traceback.print_exc()
        print("FAIL %s: %s" % (test.__name__, e), flush=True)
        return False


def run(tests):
    """Runs functions, says which failed. Return: exit code."""
    failed = [succeeds(test) for test in tests].count(False)
    print("%d passed, %d failed" % (len(tests) - failed, failed))
    return 1 if failed else 0


def run_together(tests):
    """The same side by side, each in a process of its own: for tests that mostly wait. They
    end with this process, and what they started with them."""
    parent, pids = os.getpid(), []
    for test in tests:
        sys.stdout.flush()
        pids.append(os.fork())
        if pids[-1] == 0:
            ending.bind(parent, signal.SIGTERM)
            sys.exit(0 if succeeds(test) else 1)
    failed = [os.waitpid(pid, 0)[1] == 0 for pid in pids].count(False)
    print("%d passed, %d failed" % (len(tests) - failed, failed))
    return 1 if failed else 0


def skip(reason):
    """What is missing on a developer's machine must not be missing where changes are judged."""
    print("skipped: " + reason)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)
