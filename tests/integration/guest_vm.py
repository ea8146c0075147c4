# SPDX-License-Identifier: Apache-2.0
"""A guest under QEMU with this program as the host's end of the guest link.

The other end of docs/protocol/guest-link.md, on purpose not made from husk's own codec.
"""

import json
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time

import ending
from services import skip

HELLO, PHASE, STDOUT, STDERR, EXIT, FATAL, LOG = range(1, 8)
INITDATA, RUN, STDIN, STDIN_EOF, WINSIZE, SIGNAL = range(16, 22)

CMDLINE = ("quiet panic=-1 console=ttyS0 cryptomgr.notests tsc=reliable no_timer_check "
           "audit=0 8250.nr_uarts=1")


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            skip(f"{tool} is not installed")


def frame(kind, payload=b""):
    if isinstance(payload, (dict, list)):
        payload = json.dumps(payload).encode()
    return struct.pack(">IBBH", len(payload), kind, 0, 0) + payload


class Guest:
    def __init__(self, kernel, initrd, tpm=True, memory="384", cmdline=CMDLINE):
        memory = str(int(memory) * (2 if ending.SANITIZED else 1))
        self.dir = ending.folder("husk-guest-")
        self.procs = []
        self.buffer = b""
        self.frames = []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.dir + "/link")
        listener.listen(1)
        args = ["qemu-system-x86_64", "-M", "q35", "-cpu", os.environ.get("HUSK_TEST_CPU", "max"), "-m", memory, "-nodefaults",
                "-display", "none", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
                "-append", cmdline, "-serial", f"file:{self.dir}/serial",
                *os.environ.get("HUSK_TEST_QEMU_ARGS", "").split(),
                "-device", "virtio-serial-pci", "-chardev", f"socket,id=l,path={self.dir}/link",
                "-device", "virtserialport,chardev=l,name=husk.link.0",
                "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile="]
        if tpm:
            os.mkdir(self.dir + "/tpm")
            self.swtpm = ending.start(
                ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.dir}/tpm", "--ctrl",
                 f"type=unixio,path={self.dir}/tpm.sock", "--terminate",
                 "--flags", "startup-clear"])
            self.procs.append(self.swtpm)
            while not os.path.exists(self.dir + "/tpm.sock"):
                time.sleep(0.01)
            args += ["-chardev", f"socket,id=t,path={self.dir}/tpm.sock", "-tpmdev",
                     "emulator,id=t,chardev=t", "-device", "tpm-crb,tpmdev=t"]
        self.qemu = ending.start(args)
        self.procs.append(self.qemu)
        listener.settimeout(20)
        self.link = listener.accept()[0]
        listener.close()

    def send(self, kind, payload=b""):
        self.link.sendall(frame(kind, payload))

    def next(self, timeout=60 * ending.SLOWER):
        """The next frame as (kind, payload), None when the guest closed the link."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 8:
                size, kind, zero, zeros = struct.unpack(">IBBH", self.buffer[:8])
                assert zero == 0 and zeros == 0 and size <= 1 << 20, "malformed frame"
                if len(self.buffer) >= 8 + size:
                    payload = self.buffer[8:8 + size]
                    self.buffer = self.buffer[8 + size:]
                    self.frames.append((kind, payload))
                    return kind, payload
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.link], [], [], left)[0]:
                raise AssertionError(f"no frame within {timeout} s; console:\n{self.console()}")
            try:
                data = self.link.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data

    def until(self, *kinds, timeout=60 * ending.SLOWER):
        while True:
            got = self.next(timeout)
            assert got is not None, f"the link closed; console:\n{self.console()}"
            if got[0] in kinds:
                return got[0], json.loads(got[1]) if got[0] not in (STDOUT, STDERR, LOG) else got[1]

    def off(self, seconds):
        """The machine must power off by itself within this time of the end of the link."""
        start = time.monotonic()
        seconds += 30 if ending.SANITIZED else 0  # it looks for leaks first
        try:
            self.link.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the guest was faster, or the test closed it
        try:
            self.qemu.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still on after {seconds} s; console:\n{self.console()}")
        return time.monotonic() - start

    def wait_console(self, text, count=1, timeout=60):
        deadline = time.monotonic() + timeout
        while self.console(everything=True).count(text) < count:
            assert time.monotonic() < deadline, f"no {text!r}; console:\n{self.console()}"
            time.sleep(0.01)

    def console(self, everything=False):
        try:
            with open(self.dir + "/serial", errors="replace") as f:
                return f.read()[0 if everything else -3000:]
        except OSError:
            return ""

    def findings(self):
        """What a sanitizer in the guest said. The guest must have looked for leaks to the end."""
        if not ending.SANITIZED:
            return ""
        with open(self.dir + "/serial", errors="replace") as f:
            text = f.read()
        found = re.search(r"^.*(Sanitizer|runtime error:)(?s:.*)", text, re.M)
        if found:
            return found.group(0)
        return "" if "husk-guest: no leaks" in text else "it was not looked for leaks:\n" + text[-3000:]

    def close(self):
        self.link.close()
        for p in self.procs:
            if p.poll() is None:
                p.kill()
            p.wait()
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        found = self.findings()
        self.close()
        assert kind or not found, found
