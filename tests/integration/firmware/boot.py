#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots real kernels with husk-fw under QEMU and checks what the guest sees of the measured boot.

usage: boot.py FIRMWARE INIT MEASURE SOURCE_ROOT

The guest is an initrd with one static program (init.c), which prints its PCRs and the event log to
the serial port. The expectation is computed twice: here with hashlib, and by the measurement
library through measure-files. Environment: HUSK_KERNEL (a bzImage), HUSK_NEWER_KERNEL (a second one,
which 'make newer-kernel' gets: Debian's backport), HUSK_QEMU (a QEMU),
HUSK_QEMU_DATA (its data directories, separated by ':'), HUSK_QEMU_ACCEL (tcg).
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import ending  # noqa: E402
import services  # noqa: E402

TIMEOUT_S = 120
QEMU = os.environ.get("HUSK_QEMU", "qemu-system-x86_64")
ACCEL = os.environ.get("HUSK_QEMU_ACCEL", "tcg")
CMDLINE = "console=ttyS0 quiet panic=-1 cryptomgr.notests"
CPU = "max,-erms"  # as husk run has it: what QEMU 7.2 makes of "rep stosb" is slow, and not always right
LOADER_FIELDS = ((0x1FA, 2), (0x210, 1), (0x218, 8), (0x224, 4), (0x228, 4), (0x250, 8))
SHA256_ID = 0x0B


def sha256(data):
    return hashlib.sha256(data).digest()


def extend(pcr, digest):
    return sha256(pcr + digest)


def cpio(files):
    """A newc archive of regular files (name, mode, bytes), the same bytes every time."""
    out = b""
    for ino, (name, mode, data) in enumerate(files + [("TRAILER!!!", 0, b"")], 1):
        fields = [ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        out += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return out


class Machine:
    """Files of one test run, and a way to boot them."""

    def __init__(self, firmware, init, measure, kernel, directory, root):
        self.firmware, self.measure, self.kernel = firmware, measure, kernel
        newer = os.environ.get("HUSK_NEWER_KERNEL", os.path.join(root, "out/kernel-backports/vmlinuz"))
        self.newer = newer if os.path.exists(newer) else None
        self.directory = directory
        self.boots = 0
        with open(init, "rb") as f:
            program = f.read()
        self.initrd = self.write("initrd", cpio([("init", 0o100755, program)]))
        self.initrd2 = self.write(
            "initrd2", cpio([("init", 0o100755, program), ("extra", 0o100644, b"x")]))

    def check_entered(self):
        """The last boot came as far as the kernel."""
        with open(os.path.join(self.directory, "boot%d.debug" % self.boots), "rb") as f:
            debug = f.read()
        if b"husk-fw: enter kernel" not in debug:
            raise AssertionError("the firmware did not start the kernel: %r" % debug[-300:])

    def write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def start_tpm(self, directory, banks):
        os.mkdir(directory)
        if banks:
            subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", directory, "--pcr-banks", banks],
                           check=True, stdout=subprocess.DEVNULL)
        sock = os.path.join(directory, "s.sock")
        tpm = ending.start(["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + directory,
                            "--ctrl", "type=unixio,path=" + sock, "--terminate"])
        end = time.monotonic() + 10
        while not os.path.exists(sock):
            if tpm.poll() is not None or time.monotonic() > end:
                raise RuntimeError("swtpm does not start")
            time.sleep(0.02)
        return tpm, sock

    def boot(self, tpm="tpm-crb", machine="q35", memory="512", cpus="1", kernel=None, initrd=None,
             cmdline=CMDLINE, banks=None, extra=()):
        """Runs a guest to its power-off. Returns (exit code, serial text, debug text)."""
        self.boots += 1
        base = os.path.join(self.directory, "boot%d" % self.boots)
        serial, debug = base + ".serial", base + ".debug"
        args = [QEMU, "-M", "%s,accel=%s" % (machine, ACCEL), "-cpu", CPU, "-m", memory, "-smp",
                cpus, "-nodefaults", "-display", "none", "-serial", "file:" + serial, "-debugcon",
                "file:" + debug, "-global", "isa-debugcon.iobase=0x402", "-bios", self.firmware, "-no-reboot"]
        for data in filter(None, os.environ.get("HUSK_QEMU_DATA", "").split(":")):
            args += ["-L", data]
        if kernel != "":
            args += ["-kernel", kernel or self.kernel, "-append", cmdline]
            if initrd != "":
                args += ["-initrd", initrd or self.initrd]
        process = None
        try:
            if tpm:
                process, sock = self.start_tpm(base + ".tpm", banks)
                args += ["-chardev", "socket,id=c,path=" + sock, "-tpmdev",
                         "emulator,id=t,chardev=c", "-device", tpm + ",tpmdev=t"]
            code = subprocess.run(args + list(extra), timeout=TIMEOUT_S,
                                  stdin=subprocess.DEVNULL).returncode
        finally:
            if process:
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        with open(serial, "rb") as f, open(debug, "rb") as g:
            return code, f.read().decode("utf-8", "replace"), g.read().decode("utf-8", "replace")


class NoReport(AssertionError):
    pass


def parse_report(serial):
    """The lines of init.c: {"pcr": {n: bytes}, "log": bytes, ...}."""
    if "husk-test=begin" not in serial or "husk-test=end" not in serial:
        raise NoReport("the guest did not report:\n" + serial[-2000:])
    part = serial.split("husk-test=begin", 1)[1].split("husk-test=end", 1)[0]
    report = {"pcr": {}, "log": b""}
    for line in part.replace("\r", "").split("\n"):
        key, _, value = line.partition("=")
        if key.startswith("pcr") and key[3:].isdigit():
            report["pcr"][int(key[3:])] = bytes.fromhex(value)
        elif key == "log" and value != "absent":
            report["log"] += bytes.fromhex(value)
        elif key:
            report[key] = value
    return report


def predict(m, kernel, initrd, cmdline):
    """PCRs 0, 8 and 9 from the files, by the text of docs/protocol/measured-boot.md."""
    zero = bytes(32)
    with open(m.firmware, "rb") as f:
        image = f.read()
    with open(kernel, "rb") as f:
        k = bytearray(f.read())
    for offset, size in LOADER_FIELDS:
        k[offset:offset + size] = bytes(size)
    k[0x211] &= 0x7F
    with open(initrd, "rb") as f:
        i = f.read()
    start = image.rindex(b"husk-fw ")
    version = image[start:image.index(b"\0", start) + 1]
    pcr0 = extend(extend(extend(zero, sha256(version)), sha256(image)), sha256(bytes(4)))
    pcr8 = extend(zero, sha256(cmdline.encode() + b"\0"))
    pcr9 = extend(extend(zero, sha256(k)), sha256(i))
    return {0: pcr0, 8: pcr8, 9: pcr9}


def predict_by_library(m, kernel, initrd, cmdline):
    out = subprocess.run([m.measure, m.firmware, kernel, initrd, cmdline], check=True,
                         capture_output=True).stdout
    registers = json.loads(out)["registers"]
    return {int(name[3:]): bytes.fromhex(value) for name, value in registers.items()}


def replay(log):
    """SHA-256 registers from a TCG2 log."""
    def u(at, size):
        return int.from_bytes(log[at:at + size], "little")
    at = 32 + u(28, 4)
    sizes = {}
    for n in range(u(32 + 24, 4)):
        sizes[u(32 + 28 + 4 * n, 2)] = u(32 + 30 + 4 * n, 2)
    pcr = {n: bytes(32) for n in range(24)}
    while at < len(log):
        index, kind, count = u(at, 4), u(at + 4, 4), u(at + 8, 4)
        at += 12
        for _ in range(count):
            alg = u(at, 2)
            if alg == SHA256_ID and kind != 3:
                pcr[index] = extend(pcr[index], log[at + 2:at + 34])
            at += 2 + sizes[alg]
        at += 4 + u(at, 4)
    return pcr


def check_equal(what, got, expected):
    if got != expected:
        raise AssertionError("%s: got %s, expected %s" % (what, got, expected))


def check_boot(m, kernel=None, initrd=None, cmdline=CMDLINE, cpus="1", memory="512", **options):
    code, serial, _ = m.boot(kernel=kernel, initrd=initrd, cmdline=cmdline, cpus=cpus,
                             memory=memory, **options)
    check_equal("exit code", code, 0)
    report = parse_report(serial)
    want = predict(m, kernel or m.kernel, initrd or m.initrd, cmdline)
    check_equal("prediction of the library",
                predict_by_library(m, kernel or m.kernel, initrd or m.initrd, cmdline), want)
    for n, value in want.items():
        check_equal("PCR %d" % n, report["pcr"][n].hex(), value.hex())
    check_equal("cpus", report["cpus"], cpus)
    check_equal("cmdline", report["cmdline"], cmdline)
    if int(report["memory_mib"]) < int(memory) * 0.9:
        raise AssertionError("the guest sees %s MiB of %s" % (report["memory_mib"], memory))
    replayed = replay(report["log"])
    for n in range(10):
        check_equal("replayed PCR %d" % n, replayed[n].hex(), report["pcr"][n].hex())
    check_eventlog_tool(m, report)
    return report


def check_eventlog_tool(m, report):
    """A reader that is not ours must come to the same registers."""
    tool = shutil.which("tpm2_eventlog")
    if not tool:
        return
    path = m.write("log", report["log"])
    text = subprocess.run([tool, path], check=True, capture_output=True, text=True).stdout
    part = text.split("  sha256:\n", 1)[1].split("  sha384:\n", 1)[0]
    values = {int(k): v.strip()[2:] for k, _, v in
              (line.partition(":") for line in part.splitlines() if line.strip())}
    for n in (0, 8, 9):
        check_equal("tpm2_eventlog PCR %d" % n, values[n], report["pcr"][n].hex())


def check_refused(m, stage, code=0, **options):
    """The guest powers itself off, and says why on both ports."""
    got, serial, debug = m.boot(**options)
    check_equal("exit code", got, code)
    mark = "husk-fw: refused to boot: [%s]" % stage
    for name, text in (("serial", serial), ("debug", debug)):
        if mark not in text:
            raise AssertionError("%s port says %r, not %r" % (name, text[-300:], mark))


def case_interfaces(m):
    first = check_boot(m, tpm="tpm-crb")
    second = check_boot(m, tpm="tpm-tis", cpus="4")
    check_equal("PCR 9 of both", first["pcr"][9], second["pcr"][9])


def case_large(m):
    check_boot(m, memory="16384", cpus="4")


def case_3g(m):
    """RAM on both sides of the PCI hole, with the border at 2 GiB."""
    check_boot(m, memory="3072", cpus="2")


def case_changes(m):
    """One input changes one register, and nothing else."""
    a = check_boot(m)["pcr"]
    b = check_boot(m, cmdline=CMDLINE + " husk.test=1")["pcr"]
    c = check_boot(m, initrd=m.initrd2)["pcr"]
    with open(m.kernel, "rb") as f:
        kernel = bytearray(f.read())
    kernel[0x20] ^= 1  # in the boot sector, which nothing runs
    d = check_boot(m, kernel=m.write("kernel2", kernel))["pcr"]
    for n in (0, 2, 7, 8, 9):
        check_equal("PCR %d, other command line" % n, a[n] == b[n], n != 8)
        check_equal("PCR %d, other initrd" % n, a[n] == c[n], n != 9)
        check_equal("PCR %d, other kernel" % n, a[n] == d[n], n != 9)


def case_no_tpm(m):
    check_refused(m, "tpm", tpm=None)


def case_no_tpm_panic(m):
    """With a pvpanic device the host gets an exit code."""
    check_refused(m, "tpm", tpm=None, code=1,
                  extra=("-device", "pvpanic", "-action", "panic=exit-failure"))


def case_banks(m):
    check_boot(m, banks="sha256")
    check_refused(m, "tpm", banks="sha1")


def case_wrong_machine(m):
    check_refused(m, "machine", tpm=None, machine="pc")


def case_kernels(m):
    check_refused(m, "kernel", kernel="")
    with open(m.kernel, "rb") as f:
        kernel = bytearray(f.read())
    old = bytearray(kernel)
    old[0x206:0x208] = b"\x0b\x02"  # boot protocol 2.11
    check_refused(m, "kernel", kernel=m.write("kernel-old", old))
    only32 = bytearray(kernel)
    only32[0x236] &= 0xFE  # no 64-bit entry
    check_refused(m, "kernel", kernel=m.write("kernel-32", only32))
    far = bytearray(kernel)
    far[0x258:0x260] = (0x7FE00000).to_bytes(8, "little")  # no memory there
    check_refused(m, "kernel", kernel=m.write("kernel-far", far))
    check_refused(m, "kernel", kernel=m.write("kernel-cut", kernel[:1 << 20]))


def case_limits(m):
    check_refused(m, "cmdline", cmdline=CMDLINE + " " + "x" * 2100)
    check_refused(m, "memory", memory="32")


def case_newer_kernel(m):
    """The same with the second kernel. Under QEMU 7.2 it fails at random places, whatever firmware
    started it; such a boot says nothing of ours, but the firmware must have done its work."""
    def check(**options):
        for attempt in range(5):
            try:
                return check_boot(m, kernel=m.newer, **options)
            except (NoReport, subprocess.TimeoutExpired):
                m.check_entered()
        raise AssertionError("five boots of the kernel failed: %s" % options)
    if not m.newer:
        return "SKIP: no second kernel ('make newer-kernel')"
    first = check(tpm="tpm-crb")
    second = check(tpm="tpm-tis", cpus="4")
    check_equal("PCR 9 of both", first["pcr"][9], second["pcr"][9])
    check(cpus="4", memory="16384")
    return None


CASES = (case_interfaces, case_large, case_3g, case_newer_kernel, case_changes, case_no_tpm, case_no_tpm_panic,
         case_banks, case_wrong_machine, case_kernels, case_limits)


def main():
    firmware, init, measure, root = sys.argv[1:5]
    kernel = os.environ.get("HUSK_KERNEL", os.path.join(root, "out/kernel/vmlinuz"))
    for tool in (QEMU, "swtpm", "swtpm_setup"):
        if not shutil.which(tool):
            services.skip(tool + " is not installed (scripts/deps.sh)")
    if not os.path.exists(kernel):
        services.skip("no kernel at %s (scripts/fetch-kernel.sh)" % kernel)
    failed = 0
    for case in CASES:
        if len(sys.argv) > 5 and case.__name__ not in sys.argv[5:]:
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="husk-fw-") as directory:
            try:
                why = case(Machine(firmware, init, measure, kernel, directory, root))
                verdict = why or "ok"
                # A part that was left out is no success where everything must be there.
                failed += bool(why and os.environ.get("CI") == "true")
            except (AssertionError, RuntimeError, subprocess.SubprocessError, KeyError) as e:
                failed += 1
                verdict = "FAILED: %s" % e
        print("%s: %s (%.1f s)" % (case.__name__, verdict, time.monotonic() - start), flush=True)
    return 1 if failed else 0


sys.exit(main())
