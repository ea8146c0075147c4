#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time from QEMU's exec to the first instruction of the kernel, for several firmware images.

usage: firmware-entry.py HUSK_FW [RUNS]

The "kernel" is a bzImage of real size whose 16-bit and 64-bit entries write one byte to a port that
QEMU connects to us. Runs of the images alternate, so that a noisy machine hits all of them alike.
SeaBIOS measures neither kernel nor initrd; husk-fw does. Environment: HUSK_QEMU, HUSK_QEMU_DATA.
"""
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

QEMU = os.environ.get("HUSK_QEMU", "qemu-system-x86_64")
KERNEL_SIZE, INITRD_SIZE = 14 << 20, 10 << 20
SETUP_SECTORS = 31
OVMF = "/usr/share/ovmf/OVMF.fd"


def fake_kernel():
    setup = bytearray((SETUP_SECTORS + 1) * 512)
    body = bytearray(os.urandom(1 << 20) * (KERNEL_SIZE >> 20))
    setup[0x1F1] = SETUP_SECTORS
    struct.pack_into("<I", setup, 0x1F4, len(body) // 16)
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x200:0x202] = b"\xeb\x6a"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, 0x020F)
    setup[0x211] = 1
    struct.pack_into("<I", setup, 0x214, 0x100000)
    struct.pack_into("<I", setup, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<I", setup, 0x230, 0x200000)
    setup[0x234] = 1
    setup[0x236] = 1
    struct.pack_into("<I", setup, 0x238, 2047)
    struct.pack_into("<Q", setup, 0x258, 0x1000000)
    struct.pack_into("<I", setup, 0x260, 40 << 20)
    # mov dx, 0x403; mov al, 'K'; out dx, al; hlt; jmp to hlt
    setup[0x26C:0x275] = b"\xba\x03\x04\xb0K\xee\xf4\xeb\xfd"
    body[0x200:0x20A] = b"\x66\xba\x03\x04\xb0K\xee\xf4\xeb\xfd"
    return bytes(setup + body)


def start_tpm(directory):
    sock = os.path.join(directory, "s.sock")
    tpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + directory,
                            "--ctrl", "type=unixio,path=" + sock, "--terminate"],
                           stderr=subprocess.DEVNULL)
    while not os.path.exists(sock):
        time.sleep(0.01)
    return tpm, sock


def run(directory, bios, kernel, initrd, cpu):
    """Milliseconds from exec to the mark."""
    with tempfile.TemporaryDirectory(dir=directory) as d:
        tpm, tpm_sock = start_tpm(d)
        mark = os.path.join(d, "mark")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(mark)
        listener.listen(1)
        args = [QEMU, "-M", "q35,accel=tcg", "-cpu", cpu, "-m", "512", "-nodefaults", "-display",
                "none", "-chardev", "socket,id=m,path=" + mark, "-device",
                "isa-debugcon,iobase=0x403,chardev=m", "-chardev", "socket,id=c,path=" + tpm_sock,
                "-tpmdev", "emulator,id=t,chardev=c", "-device", "tpm-crb,tpmdev=t", "-kernel",
                kernel, "-initrd", initrd, "-append", "console=ttyS0", "-no-reboot"]
        for data in filter(None, os.environ.get("HUSK_QEMU_DATA", "").split(":")):
            args += ["-L", data]
        if bios:
            args += ["-bios", bios]
        start = time.monotonic()
        qemu = subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            listener.settimeout(60)
            peer, _ = listener.accept()
            peer.settimeout(60)
            if peer.recv(1) != b"K":
                raise RuntimeError("QEMU ended before the kernel was entered")
            return (time.monotonic() - start) * 1000
        finally:
            qemu.kill()
            qemu.wait()
            listener.close()
            try:
                tpm.wait(timeout=5)
            except subprocess.TimeoutExpired:
                tpm.kill()
                tpm.wait()


def main():
    husk = os.path.abspath(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    cpu = os.environ.get("HUSK_QEMU_CPU", "max")
    images = {"husk-fw": husk, "seabios": None}
    if os.path.exists(OVMF) and os.environ.get("HUSK_BENCH_OVMF"):
        images["ovmf"] = OVMF
    times = {name: [] for name in images}
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as d:
        kernel, initrd = os.path.join(d, "kernel"), os.path.join(d, "initrd")
        with open(kernel, "wb") as f:
            f.write(fake_kernel())
        with open(initrd, "wb") as f:
            f.write(os.urandom(1 << 20) * (INITRD_SIZE >> 20))
        for _ in range(runs):
            for name, bios in images.items():
                times[name].append(run(d, bios, kernel, initrd, cpu))
    for name, values in times.items():
        print("%-8s  median %5.0f ms  min %5.0f ms  (exec to kernel entry, n=%d)"
              % (name, statistics.median(values), min(values), len(values)))


main()
