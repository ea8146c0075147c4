#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""PID 1 fails closed: whatever goes wrong, the host gets one FATAL that names the stage, and the
machine powers off by itself within seconds.

usage: guest-link.py KERNEL INITRD [INITRD_WITH_CRASHING_CHILD]
"""

import os
import signal
import sys
import time

import ending
from guest_vm import CMDLINE, EXIT, FATAL, Guest, HELLO, INITDATA, RUN, SIGNAL, STDIN, need
from services import skip

POLICY = "package agent_policy\\n\\ndefault CreateContainerRequest := false\\n"
INITDATA_OK = ('version = "0.1.0"\nalgorithm = "sha256"\n[data]\n'
               '"aa.toml" = "[token_configs.kbs]\\nurl = \\"http://127.0.0.1:1\\"\\n"\n'
               f'"cdh.toml" = ""\n"policy.rego" = "{POLICY}"\n').encode()
RUN_OK = {"image": "127.0.0.1:1/app:v1", "network": {"mode": "dhcp"}}
POWER_OFF_S = 8

tests = []


def test(f):
    tests.append(f)
    return f


def expect_fatal(guest, stage, *words):
    kind, message = guest.until(FATAL, EXIT)
    assert kind == FATAL, f"the guest ended with {message}"
    assert message["stage"] == stage, message
    for word in words:
        assert word in message["reason"], message
    guest.off(POWER_OFF_S)
    assert "FATAL " + stage in guest.console(), "the console does not say it"
    assert guest.next() is None, "a frame after FATAL"


def expect_hello(guest):
    kind, message = guest.until(HELLO)
    assert message["protocol"] == 1


@test
def no_initdata(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(INITDATA)
        expect_fatal(g, "initdata", "no initdata")


@test
def malformed_initdata(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(INITDATA, b"version = \n")
        expect_fatal(g, "initdata")


@test
def initdata_without_policy(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(INITDATA, b'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"aa.toml" = ""\n')
        expect_fatal(g, "initdata", "policy")


@test
def no_tpm(kernel, initrd):
    """Initdata that cannot be measured has no effect."""
    with Guest(kernel, initrd, tpm=False) as g:
        expect_hello(g)
        g.send(INITDATA, INITDATA_OK)
        expect_fatal(g, "initdata", "TPM")


def starve(guest, mark):
    """Lets the TPM run for a moment each second, as a busy host does, until the console says @mark."""
    deadline = time.monotonic() + 60
    while mark not in guest.console(everything=True):
        assert time.monotonic() < deadline, f"no {mark!r}; console:\n{guest.console()}"
        os.kill(guest.swtpm.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(guest.swtpm.pid, signal.SIGCONT)
        time.sleep(0.003)


@test
def starved_tpm(kernel, initrd):
    """The kernel finds no TPM, since its commands take too long; later there is one."""
    with Guest(kernel, initrd, cmdline=CMDLINE.replace("quiet ", "")) as g:
        g.wait_console("Linux version")
        starve(g, "MSFT0101:00 failed")
        expect_hello(g)
        g.send(INITDATA, INITDATA_OK)
        g.send(RUN, RUN_OK)
        expect_fatal(g, "attest")


@test
def starved_tpm_command(kernel, initrd):
    """The guest's own first command to the TPM takes too long."""
    with Guest(kernel, initrd, cmdline=CMDLINE.replace("quiet ", "")) as g:
        expect_hello(g)
        g.send(INITDATA, INITDATA_OK)
        starve(g, "Operation Timed out")
        g.send(RUN, RUN_OK)
        expect_fatal(g, "attest")


@test
def run_before_initdata(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(RUN, RUN_OK)
        expect_fatal(g, "initdata", "out of turn")


@test
def unknown_frame(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(99)
        expect_fatal(g, "link", "unknown frame")


@test
def run_with_unknown_member(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(INITDATA, INITDATA_OK)
        g.send(RUN, {"image": "a", "privileged": True})
        expect_fatal(g, "initdata", "privileged")


@test
def key_broker_not_reachable(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(INITDATA, INITDATA_OK)
        g.send(RUN, RUN_OK)
        expect_fatal(g, "attest")


@test
def stop_before_start(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.send(INITDATA, INITDATA_OK)
        g.send(RUN, RUN_OK)
        g.send(STDIN, b"x" * 1000)
        g.send(SIGNAL, {"signo": 2})
        kind, message = g.until(FATAL, EXIT)
        assert kind == FATAL
        g.off(POWER_OFF_S)


@test
def link_loss(kernel, initrd):
    with Guest(kernel, initrd) as g:
        expect_hello(g)
        g.link.close()
        g.off(POWER_OFF_S)
        assert "FATAL link" in g.console()


def crash_of_a_child(kernel, initrd):
    """In a sanitized guest image loses memory, too, which must come to light."""
    with Guest(kernel, initrd) as g:
        if ending.SANITIZED:
            found, g.findings = g.findings, lambda: ""
        expect_hello(g)
        g.send(INITDATA, INITDATA_OK)
        expect_fatal(g, "initdata", "husk-aa was ended by signal 11")
        if ending.SANITIZED:
            assert "4321 byte(s) leaked" in found(), "the loss was not found: " + found()


def main():
    need("qemu-system-x86_64", "swtpm")
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    kernel, initrd = sys.argv[1:3]
    for path in (kernel, initrd):
        if not os.path.exists(path):
            skip(f"{path} does not exist; run 'make guest'")
    cases = [(f, initrd) for f in tests]
    if len(sys.argv) > 3 and os.path.exists(sys.argv[3]):
        cases.append((crash_of_a_child, sys.argv[3]))
    failed = 0
    only = os.environ.get("ONLY")
    for f, image in cases:
        if only and only != f.__name__:
            continue
        try:
            f(kernel, image)
            print("ok", f.__name__, flush=True)
        except AssertionError as e:
            failed += 1
            print("FAILED", f.__name__, e, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
