# SPDX-License-Identifier: Apache-2.0
"""A SoftHSM2 token in a folder of its own, for integration tests."""
import os
import shutil
import subprocess

import ending

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "8472-pin-of-the-token"


def available():
    return os.path.exists(MODULE) and shutil.which("softhsm2-util") is not None


class Token:
    def __init__(self, label="husk"):
        self.folder = ending.folder("husk-hsm-")
        self.label = label
        os.mkdir(self.path("tokens"))
        with open(self.path("softhsm2.conf"), "w") as f:
            f.write("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n" %
                    self.path("tokens"))
        self.run("--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN)

    def path(self, name):
        return os.path.join(self.folder, name)

    def environment(self):
        return ["SOFTHSM2_CONF=" + self.path("softhsm2.conf")]

    def run(self, *args):
        subprocess.run(["softhsm2-util", *args], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, SOFTHSM2_CONF=self.path("softhsm2.conf")))

    def import_key(self, label, kind, number="01"):
        """A key pair of the kind "rsa" or of a curve's name. Returns the file with it."""
        path = self.path(label + ".pem")
        options = (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if kind == "rsa" else
                   ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + kind])
        subprocess.run(["openssl", "genpkey", *options, "-out", path], check=True,
                       stderr=subprocess.DEVNULL)
        self.run("--import", path, "--token", self.label, "--label", label, "--id", number,
                 "--pin", PIN)
        return path

    def objects(self):
        """How many there are; their labels are encrypted, as they are private."""
        return sum(name.endswith(".object") and name != "token.object"
                   for _, _, names in os.walk(self.path("tokens")) for name in names)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
