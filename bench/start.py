#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time to container start beside the boot floor, in one run.

usage: start.py KERNEL FIRMWARE BARE_INIT ROUNDS -- HUSK-RUN-COMMAND...

Floor: QEMU's exec to the first instruction of a bare init; the machine, CPU, memory, kernel and
command line of `husk run`, but QEMU's own firmware, no TPM, no devices, no measurement. A second
floor has husk's firmware and a vTPM: what the measured boot itself costs. HUSK-RUN-COMMAND is a
`husk run --json --verbose` whose phases say when the container started. The three take turns, so that a
noisy machine hits them alike. Environment: HUSK_CMDLINE (kernel command line), HUSK_CPUS, HUSK_CPU_TCG (QEMU's -cpu
without KVM), HUSK_MEMORY (MiB).
Prints lines "key value"; exit 1 when something could not be measured.
"""
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TIMEOUT = 120


def newc(name, data, mode):
    head = "070701" + "".join("%08x" % n for n in (
        1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    out = head.encode() + name.encode() + b"\0"
    out += b"\0" * (-len(out) % 4) + data
    return out + b"\0" * (-len(out) % 4)


def start_tpm(directory):
    path = os.path.join(directory, "tpm.sock")
    tpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + directory,
                            "--ctrl", "type=unixio,path=" + path, "--terminate"],
                           stderr=subprocess.DEVNULL)
    while not os.path.exists(path):
        time.sleep(0.005)
    return tpm, path


def floor(kernel, initrd, accel, firmware=None):
    """Milliseconds from exec to the bare init's first act."""
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as d:
        mark = os.path.join(d, "mark")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(mark)
        listener.listen(1)
        args = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display",
                "none", "-machine", "q35,accel=" + accel, "-cpu", "host" if accel == "kvm" else os.environ["HUSK_CPU_TCG"],
                "-m", os.environ["HUSK_MEMORY"], "-smp", os.environ["HUSK_CPUS"], "-kernel", kernel, "-initrd", initrd,
                "-append", os.environ["HUSK_CMDLINE"], "-chardev", "null,id=console", "-serial",
                "chardev:console", "-chardev", "socket,id=mark,path=" + mark, "-device",
                "isa-debugcon,iobase=0x403,chardev=mark"]
        tpm = None
        if firmware:
            tpm, path = start_tpm(d)
            args += ["-bios", firmware, "-chardev", "socket,id=tpm,path=" + path, "-tpmdev",
                     "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"]
        start = time.monotonic()
        qemu = subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            listener.settimeout(TIMEOUT)
            peer, _ = listener.accept()
            peer.settimeout(TIMEOUT)
            if peer.recv(1) != b"I":
                sys.exit("start.py: the bare init did not run")
            return (time.monotonic() - start) * 1000
        finally:
            qemu.kill()
            qemu.wait()
            listener.close()
            if tpm:
                tpm.wait(timeout=10)


def husk(command):
    """Phases as [(name, end in ms)], the accelerator, and the daemons' PSS in KiB."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        sys.exit("start.py: husk run ended with %d: %s" % (done.returncode, done.stderr))
    result = json.loads(done.stderr.splitlines()[-1])
    memory = re.search(r"own processes: (.*) \(PSS\)", done.stderr)
    if not memory:
        sys.exit("start.py: the guest did not report its memory")
    kib = sum(int(n) for n in re.findall(r"(\d+) KiB", memory.group(1)))
    host = {p["phase"]: p["host_ms"] for p in result["phases"]}
    # The host's clock: a guest's own is wrong on a machine that is too busy. Phases before the guest
    # link are told all at once, so the time until then is one.
    names = [p["phase"] for p in result["phases"]]
    names = names[names.index("link"):]
    phases = [("boot to the guest link", host["link"] - host["qemu"])]
    phases += [(now, host[now] - host[before]) for before, now in zip(names, names[1:])]
    return host["start"] - host["qemu"], phases, result["accel"], kib


def main():
    kernel, firmware, init, rounds = sys.argv[1:5]
    command = sys.argv[6:]
    floors, measured, starts, phases, memory = [], [], [], {}, []
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as d:
        initrd = os.path.join(d, "initrd")
        with open(initrd, "wb") as f, open(init, "rb") as i:
            f.write(newc("init", i.read(), 0o100755) + newc("TRAILER!!!", b"", 0))
        _, _, accel, _ = husk(command)  # also warms the caches
        floor(kernel, initrd, accel)
        for _ in range(int(rounds)):
            floors.append(floor(kernel, initrd, accel))
            total, parts, _, kib = husk(command)
            starts.append(total)
            memory.append(kib)
            for name, ms in parts:
                phases.setdefault(name, []).append(ms)
            measured.append(floor(kernel, initrd, accel, firmware))
    median = statistics.median
    print("accel %s" % accel)
    for name, values in (("floor", floors), ("measured", measured), ("start", starts)):
        print("raw %s %s" % (name, " ".join("%.0f" % v for v in values)))
    print("floor_ms %.0f" % median(floors))
    print("measured_floor_ms %.0f" % median(measured))
    print("start_ms %.0f" % median(starts))
    print("start_ratio %.2f" % (median(starts) / median(floors)))
    for name, values in phases.items():
        print("phase %.0f %s" % (median(values), name))
    print("guest_pss_kib %.0f" % median(memory))


main()
