# SPDX-License-Identifier: Apache-2.0
"""Processes that end with the test, also when the test is killed."""
import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def bind(parent, signo=signal.SIGKILL):
    """This process gets @signo when the thread of the process @parent that made it ends."""
    if LIBC.prctl(PR_SET_PDEATHSIG, int(signo), 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(126)


def start(command, signo=signal.SIGKILL, **options):
    """subprocess.Popen() whose process gets @signo when the thread that made it ends."""
    parent = os.getpid()

    return subprocess.Popen(command, preexec_fn=lambda: bind(parent, signo), **options)
