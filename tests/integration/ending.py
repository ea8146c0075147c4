# SPDX-License-Identifier: Apache-2.0
"""Processes that end with the test, also when the test is killed; folders that go with it, also when it
fails or is told to end; what sanitizers said."""
import atexit
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

PR_SET_PDEATHSIG = 1
# Set by Meson for builds with sanitizers, which take their time.
SANITIZED = os.environ.get("HUSK_SANITIZED") == "1"
SLOWER = 4 if SANITIZED else 1
LIBC = ctypes.CDLL(None, use_errno=True)


def bind(parent, signo=signal.SIGKILL):
    """This process gets @signo when the thread of the process @parent that made it ends."""
    if LIBC.prctl(PR_SET_PDEATHSIG, int(signo), 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(126)


def start(command, signo=signal.SIGKILL, **options):
    """subprocess.Popen() whose process gets @signo when the thread that made it ends."""
    parent = os.getpid()

    process = subprocess.Popen(command, preexec_fn=lambda: bind(parent, signo), **options)
    atexit.register(end, process, parent)
    return process


def end(process, owner):
    """Nothing of it writes any more when its folder is removed."""
    if os.getpid() == owner and process.poll() is None:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def folder(prefix):
    """A temporary folder, removed when this process ends by itself or by SIGTERM."""
    path, owner = tempfile.mkdtemp(prefix=prefix), os.getpid()

    def remove():
        if os.getpid() == owner:
            shutil.rmtree(path, ignore_errors=True)
    atexit.register(remove)
    return path


def clean(text):
    """Fails when a sanitizer had something to say in this output."""
    assert not re.search(r"Sanitizer|runtime error:", text), text[-20000:]


# A test that takes too long gets this one first: what it opened is closed on the way out.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
