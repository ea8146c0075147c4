#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write an OCI layout with one gzip layer that does what KIND says.

usage: evil_image.py KIND LAYOUT
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

GIB = 1 << 30


def entry(tar, name, kind=tarfile.REGTYPE, link="", data=b"", **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def sparse(size):
    """Old GNU sparse header: one byte of data at the end of a hole of @size bytes."""
    def octal(n, width):
        # Base 256 where octal has no room.
        return b"%0*o\0" % (width - 1, n) if n < 8 ** (width - 1) else \
            b"\x80" + n.to_bytes(width - 1, "big")
    h = bytearray(512)
    h[0:6] = b"sparse"
    h[100:108] = b"0000644\0"
    h[108:116] = h[116:124] = b"0000000\0"
    h[124:136] = octal(512, 12)
    h[136:148] = octal(0, 12)
    h[156:157] = b"S"
    h[257:265] = b"ustar  \0"
    h[386:398] = octal(size - 512, 12)
    h[398:410] = octal(512, 12)
    h[483:495] = octal(size, 12)
    h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h)
    return bytes(h) + b"x" * 512


def layer(kind):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        entry(tar, "etc", tarfile.DIRTYPE, mode=0o755)
        entry(tar, "etc/good", data=b"good\n")
        if kind == "symlink":
            entry(tar, "tmp", tarfile.DIRTYPE, mode=0o755)
        if kind == "dotdot":
            entry(tar, "../husk-escaped", data=b"out")
        elif kind == "symlink":
            entry(tar, "up", tarfile.SYMTYPE, "../../../../../../../../tmp")
            entry(tar, "up/husk-escaped", data=b"out")
            entry(tar, "abs", tarfile.SYMTYPE, "/tmp")
            entry(tar, "abs/husk-escaped-too", data=b"out")
        elif kind == "hardlink":
            entry(tar, "h", tarfile.LNKTYPE, "../../../../../../../../etc/passwd")
        elif kind == "hardlink-symlink":
            entry(tar, "up", tarfile.SYMTYPE, "../../../../../../../../etc")
            entry(tar, "h", tarfile.LNKTYPE, "up/passwd")
        elif kind == "device":
            entry(tar, "disk", tarfile.BLKTYPE, devmajor=8, devminor=0)
        elif kind == "bomb":
            entry(tar, "zeros", data=bytes(GIB // 2))
    data = out.getvalue()
    if kind == "tail":
        data += bytes(GIB // 2)
    elif kind == "sparse":
        data = data[:1536] + sparse(100 * GIB) + bytes(1024)
    elif kind == "huge":  # a header that promises 100 GiB and brings nothing
        info = tarfile.TarInfo("huge")
        info.size = 100 * GIB
        data = data[:1536] + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    return data


def main():
    kind, path = sys.argv[1:]
    blobs = os.path.join(path, "blobs", "sha256")
    os.makedirs(blobs)

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as f:
            f.write(data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    tar = layer(kind)
    packed = put(gzip.compress(tar, 9, mtime=0))
    diff = hashlib.sha256(b"other" if kind == "diff-id" else tar).hexdigest()
    config = put(json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff]}}).encode())
    if kind == "size":
        packed["size"] -= 10
    manifest = put(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": dict(config, mediaType="application/vnd.oci.image.config.v1+json"),
        "layers": [dict(packed, mediaType="application/vnd.oci.image.layer.v1.tar+gzip")],
    }).encode())
    with open(os.path.join(path, "index.json"), "w", encoding="ascii") as f:
        json.dump({"schemaVersion": 2, "manifests": [dict(
            manifest, mediaType="application/vnd.oci.image.manifest.v1+json",
            annotations={"org.opencontainers.image.ref.name": "v1"})]}, f)
    with open(os.path.join(path, "oci-layout"), "w", encoding="ascii") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    print(json.dumps({"config": config["digest"], "layer": packed["digest"],
                      "manifest": manifest["digest"]}))


main()
