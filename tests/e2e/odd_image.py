#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write an OCI layout of an image with what images of the field are made of: many layers, whiteouts,
links over layers, set-user-ID bits, extended attributes, a named user with more groups, a working
directory that is not there, Entrypoint and Cmd, and an index with a variant for another architecture.

usage: odd_image.py LAYOUT
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

CAPABILITY = "\x01\x00\x00\x02\x00\x04" + "\x00" * 14  # cap_net_bind_service, effective
REPORT = """
id
pwd
echo "$A $B"
echo $(ls /d) $(ls /o) $(ls /many | wc -l)
stat -c '%n %a %u %g %Y' /suid /f/g
stat -c '%h' /hard
test "$(stat -c %i /hard)" = "$(stat -c %i /first)" && echo linked
ls /gone /d/a /o/old 2>/dev/null || echo gone
"""


def entry(name, kind=tarfile.REGTYPE, data=b"", link="", **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def folder(name, **more):
    return entry(name, tarfile.DIRTYPE, mode=more.pop("mode", 0o755), **more)


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layers():
    with open("/bin/busybox", "rb") as f:
        busybox = f.read()
    applets = "sh id ls stat test tr sort cat echo sleep wc env hostname true head".split()
    base = [folder("bin"), folder("etc"), folder("d"), folder("o"), folder("many"),
            entry("bin/busybox", data=busybox, mode=0o755),
            *(entry("bin/" + name, tarfile.SYMTYPE, link="busybox") for name in applets),
            entry("etc/passwd", data=b"root:x:0:0::/root:/bin/sh\nu:x:1234:1234::/var/u:/bin/sh\n"),
            entry("etc/group", data=b"root:x:0:\nu:x:1234:\nextra:x:77:u\n"),
            entry("d/a", data=b"a"), entry("d/b", data=b"b"), entry("o/old", data=b"old"),
            entry("gone", data=b"x"), entry("first", data=b"1"), entry("script", data=b"", mode=0o644)]
    return [
        layer(*base),
        layer(folder("d"), entry("d/.wh.a"), entry("o/.wh..wh..opq"), entry("o/new", data=b"new"),
              entry(".wh.gone"), entry("suid", data=b"s", mode=0o6755, mtime=1),
              entry("hard", tarfile.LNKTYPE, link="first")),
        layer(entry("f", data=b"a file, then a folder")),
        layer(folder("f")),
        layer(entry("f/g", data=b"2", uid=5, gid=6, mode=0o4711, mtime=1000000000)),
        layer(entry("attr", data=b"q", pax_headers={
            "SCHILY.xattr.user.of": "value", "SCHILY.xattr.security.capability": CAPABILITY})),
        *(layer(entry(f"many/{i:02}", data=b"%d" % i)) for i in range(60)),
    ]


def main():
    path = sys.argv[1]
    os.makedirs(path + "/blobs/sha256")

    def put(data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{path}/blobs/sha256/{digest}", "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}

    def image(architecture, tars):
        kind = "application/vnd.oci.image."
        config = {"architecture": architecture, "os": "linux",
                  "config": {"User": "u", "WorkingDir": "/not/there", "Env": ["A=1", "B=2", "A=3"],
                             "Entrypoint": ["sh", "-c"], "Cmd": [REPORT]},
                  "rootfs": {"type": "layers", "diff_ids": [
                      "sha256:" + hashlib.sha256(t).hexdigest() for t in tars]}}
        manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json",
                    "config": put(json.dumps(config).encode(), kind + "config.v1+json"),
                    "layers": [put(gzip.compress(t, mtime=0), kind + "layer.v1.tar+gzip")
                               for t in tars]}
        return put(json.dumps(manifest).encode(), kind + "manifest.v1+json",
                   platform={"os": "linux", "architecture": architecture})

    variants = [image("arm64", [layer(entry("nothing"))]), image("amd64", layers())]
    index = put(json.dumps({"schemaVersion": 2,
                            "mediaType": "application/vnd.oci.image.index.v1+json",
                            "manifests": variants}).encode(),
                "application/vnd.oci.image.index.v1+json",
                annotations={"org.opencontainers.image.ref.name": "v1"})
    with open(path + "/index.json", "w", encoding="ascii") as f:
        json.dump({"schemaVersion": 2, "manifests": [index]}, f)
    with open(path + "/oci-layout", "w", encoding="ascii") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')


main()
