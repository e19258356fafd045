"""Does the first process of a container leave when it is told to, whatever it is doing?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW = """
import time, service.cli as cli
cli.run = lambda _: (print("begun", flush=True), time.sleep(600))
cli.main([])
"""


def test_sigterm_before_the_daemon_watches_ends_it() -> None:
    """As process 1 of its own namespace, where the kernel drops signals that nobody handles."""
    enter = ["unshare", "--pid", "--fork", "--kill-child"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*enter, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine gives nobody a process namespace")
    outer = subprocess.Popen([*enter, sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True)
    try:
        assert outer.stdout is not None
        assert outer.stdout.readline() == "begun\n"
        [inner] = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        os.kill(int(inner), signal.SIGTERM)
        end = time.monotonic() + 60
        while outer.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert outer.poll() == 128 + signal.SIGTERM
    finally:
        outer.kill()
        outer.communicate()
