#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the guest's initrd: a cpio archive (newc) that depends on the contents of its files only.

usage: mkinitrd.py --guest HUSK_GUEST --crun CRUN --modules LIB_MODULES_VERSION --list MODULES_LIST
                   --output FILE [--lz4]

Sorted names, owner root, time 0, inode numbers counted up, no build path: the same inputs give the
same bytes. All of it is measured at boot, so nothing goes in that the guest does not need.
"""

import argparse
import os
import stat
import struct
import subprocess
import sys


def die(text):
    sys.exit(f"mkinitrd: {text}")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def modinfo(data, key):
    """Value of a key in the .modinfo section of a kernel module (ELF64 little endian)."""
    if data[:6] != b"\x7fELF\x02\x01":
        die("a module is not an ELF64 file")
    shoff, = struct.unpack_from("<Q", data, 0x28)
    shentsize, shnum, shstrndx = struct.unpack_from("<HHH", data, 0x3A)

    def section(i):
        name, _, _, _, offset, size = struct.unpack_from("<IIQQQQ", data, shoff + i * shentsize)
        return name, offset, size

    _, names, _ = section(shstrndx)
    for i in range(shnum):
        name, offset, size = section(i)
        end = data.index(b"\0", names + name)
        if data[names + name:end] != b".modinfo":
            continue
        for entry in data[offset:offset + size].split(b"\0"):
            if entry.startswith(key.encode() + b"="):
                return entry.decode().split("=", 1)[1]
    die("a module has no .modinfo")


def without_signature(data):
    """A module without the signature behind it: the firmware measured the whole initrd, and the
    kernel would spend a tenth of a second on RSA to learn less."""
    marker = b"~Module signature appended~\n"
    if not data.endswith(marker):
        return data
    size, = struct.unpack(">I", data[-len(marker) - 4:-len(marker)])
    end = len(data) - len(marker) - 12 - size
    if end <= 0:
        die("a module has a malformed signature")
    return data[:end]


def find_modules(folder, names):
    """Contents of the modules, checked to be in an order in which they load."""
    found = {}
    for root, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".ko"):
                found.setdefault(name[:-3].replace("-", "_"), os.path.join(root, name))
    out = {}
    for name in names:
        if name not in found:
            die(f"no module {name} in {folder}")
        data = read(found[name])
        for need in filter(None, modinfo(data, "depends").split(",")):
            if need.replace("-", "_") not in out:
                die(f"module {name} needs {need}, which must come before it in the list")
        out[name] = without_signature(data)
    return out


def libraries(program):
    """The loader and what it takes for a program, under the names by which it finds them."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    for line in text.splitlines():
        path = line.split("=>")[-1].split("(")[0].strip()
        if path.startswith("/"):
            yield path
        elif not path.startswith("linux-vdso"):
            die(f"{program} needs {path}, which is not there")


class Cpio:
    """cpio newc, see Documentation/driver-api/early-userspace/buffer-format.rst of Linux."""

    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b"", rdev=(0, 0)):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.entries[path] = (mode, data, rdev)

    @staticmethod
    def record(ino, path, mode, data, rdev):
        name = path.encode() + b"\0"
        nlink = 2 if stat.S_ISDIR(mode) else 1
        fields = (ino, mode, 0, 0, nlink, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0)
        out = b"070701" + b"".join(b"%08X" % f for f in fields) + name
        out += b"\0" * (-len(out) % 4) + data
        return out + b"\0" * (-len(out) % 4)

    def bytes(self):
        out = [self.record(i + 1, path, *self.entries[path])
               for i, path in enumerate(sorted(self.entries))]
        out.append(self.record(0, "TRAILER!!!", 0, b"", (0, 0)))
        data = b"".join(out)
        return data + b"\0" * (-len(data) % 512)


def main():
    p = argparse.ArgumentParser()
    for name in ("guest", "crun", "modules", "list", "output"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--lz4", action="store_true")
    p.add_argument("--sanitized-init", help="becomes /init; the guest is linked to libraries")
    arg = p.parse_args()

    with open(arg.list, encoding="ascii") as f:
        names = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    cpio = Cpio()
    if arg.sanitized_init:
        cpio.add("init", stat.S_IFREG | 0o755, read(arg.sanitized_init))
        cpio.add("husk-guest", stat.S_IFREG | 0o755, read(arg.guest))
        for path in libraries(arg.guest):
            cpio.add(path.lstrip("/"), stat.S_IFREG | 0o755, read(path))
    else:
        cpio.add("init", stat.S_IFREG | 0o755, read(arg.guest))
    cpio.add("bin/crun", stat.S_IFREG | 0o755, read(arg.crun))
    for name, data in find_modules(arg.modules, names).items():
        cpio.add(f"lib/modules/{name}.ko", stat.S_IFREG | 0o644, data)
    cpio.add("lib/modules/load", stat.S_IFREG | 0o644, "".join(n + "\n" for n in names).encode())
    cpio.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    cpio.add("etc/resolv.conf", stat.S_IFREG | 0o644)
    cpio.add("etc/hosts", stat.S_IFREG | 0o644, b"127.0.0.1 localhost\n")
    for folder in ("proc", "sys", "run", "tmp"):
        cpio.add(folder, stat.S_IFDIR | 0o755)
    cpio.add("root", stat.S_IFDIR | 0o700)

    data = cpio.bytes()
    if arg.lz4:
        # The kernel reads the legacy frame only.
        data = subprocess.run(["lz4", "-l", "-9", "-c"], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    partial = arg.output + ".partial"
    with open(partial, "wb") as f:
        f.write(data)
    os.replace(partial, arg.output)
    print(f"initrd: {arg.output}, {len(data)} bytes, {len(cpio.entries)} entries")


if __name__ == "__main__":
    main()
