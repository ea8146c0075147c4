# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of one's own, for tests."""
import glob
import os
import shutil
import signal
import socket
import subprocess
import time

import ending
import services


class Postgres:
    """A cluster in a temporary folder, on a unix socket and on loopback, run as the user postgres."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            services.skip("PostgreSQL is not installed")
        self.bin = found[-1]
        self.dir = ending.folder("husk-pg-")
        with socket.socket() as probe:  # a port that is free now
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # setpriv does what binds a process to us behind the change of users, which would undo it.
        self.become = ["setpriv", "--pdeathsig=INT"]
        if os.geteuid() == 0:
            self.become += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(self.dir, "postgres", "postgres")
        os.chmod(self.dir, 0o755)
        self.run("initdb", "-D", self.dir + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                 "--locale=C", "--no-sync")
        self.process = None
        self.options = []
        self.start()
        self.run("createdb", "-h", self.dir, "-p", str(self.port), "-U", "postgres", "husk")

    def run(self, *args):
        subprocess.run(self.become + [os.path.join(self.bin, args[0]), *args[1:]], check=True,
                       stdout=subprocess.DEVNULL, cwd="/")

    def start(self, options=None):
        """@options: of the server, from now on; None: those of before."""
        self.options = self.options if options is None else options
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            # Only processes die here, never the machine: what the kernel has is safe.
            with open(self.dir + "/log", "ab") as log:
                self.process = subprocess.Popen(
                    [*self.become, self.bin + "/postgres",
                     "-D", self.dir + "/data", "-k", self.dir,
                     "-c", "listen_addresses=127.0.0.1", "-p", str(self.port),
                     "-c", "shared_buffers=16MB", "-c", "fsync=off", *self.options],
                    stdout=log, stderr=log, cwd="/")
            while self.process.poll() is None and time.monotonic() < deadline:
                if subprocess.run([self.bin + "/pg_isready", "-q", "-h", self.dir, "-p", str(self.port)],
                                  check=False).returncode == 0:
                    return
                time.sleep(0.05)
            time.sleep(0.1)  # after a crash the old children may still hold the memory
        raise RuntimeError("PostgreSQL does not start")

    def stop(self, signo):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signo)
            self.process.wait(30)

    def remove(self):
        self.stop(signal.SIGINT)
        shutil.rmtree(self.dir, ignore_errors=True)
