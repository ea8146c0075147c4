# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium and one page in it, driven by the DevTools protocol over a pipe."""
import base64
import json
import os
import select
import shutil
import subprocess
import time

import ending

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--ignore-certificate-errors", "--remote-debugging-pipe"]
WAIT_S = 60


class Browser:
    """`requests`, `problems`: addresses that the page asked for; what it logged, threw or was denied."""

    def __init__(self, program):
        self.dir = ending.folder("husk-chromium-")
        to_read, self.out = os.pipe()
        self.inp, to_write = os.pipe()
        # The program reads from descriptor 3 and writes to 4; sh moves ours there.
        shell = "exec \"$@\" 3<&%d 4>&%d" % (to_read, to_write)
        self.process = ending.start(
            ["bash", "-c", shell, "bash", program, *FLAGS, "--user-data-dir=" + self.dir, "about:blank"],
            pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.next_id, self.session = b"", 0, None
        self.requests, self.problems = [], []
        try:
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.send(domain + ".enable")
        except Exception:
            self.close()
            raise

    def close(self):
        self.process.kill()
        self.process.wait(20)
        os.close(self.inp)
        os.close(self.out)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _read(self, deadline):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.inp], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self.inp, 1 << 16)
            if not data:
                raise RuntimeError("the browser ended")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def _note(self, event):
        method, p = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append("exception: " + json.dumps(p["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.problems.append("console: " + json.dumps(p["args"]))
        elif method == "Log.entryAdded":
            self.problems.append("%s: %s" % (p["entry"]["source"], p["entry"]["text"]))
        elif method == "Page.javascriptDialogOpening":
            self.problems.append("dialog: " + p["message"])

    def send(self, method, **params):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + WAIT_S
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self.next_id:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]))
                return answer["result"]
            self._note(answer)

    def run(self, expression):
        result = self.send("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError("%s: %s" % (expression, result["exceptionDetails"]))
        return result["result"].get("value")

    def _holds(self, expression):
        """A page that goes away while it is asked will be asked again."""
        try:
            return self.run(expression)
        except RuntimeError as error:
            if "navigated or closed" not in str(error):
                raise
            return False

    def wait(self, expression):
        deadline = time.monotonic() + WAIT_S
        while not self._holds(expression):
            if time.monotonic() > deadline:
                raise AssertionError("never true: %s; the page says: %s" % (
                    expression, self.run("document.body.innerText")))
            time.sleep(0.05)

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href === %s" % json.dumps(url))

    def key(self, name, code=0, text=None):
        more = {"text": text} if text else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=name, code=name,
                  windowsVirtualKeyCode=code, **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    def type(self, text):
        self.send("Input.insertText", text=text)

    def look(self, width, dark):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                  mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def shot(self, path):
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
