"""The image's container with one target and nothing to do: memory, share of a core, and start to ready.

Memory is what the kernel calls resident (RSS) of the container's only process, libraries included, in millions of
bytes: the most that it could be charged for but for the kernel's own. Needs what ``tests/deploy`` needs: root, buildah,
podman, debootstrap, and an image that its tests have built.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.idle import _cpu_s, _ready, _rss_mb
from tests.deploy.conftest import Engine
from tests.deploy.test_image import LOCKED_DOWN, configured, get

IMAGE, STARTS, WATCHED_S = "localhost/goldwatch:test", 5, 20.0


def _free() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextmanager
def _running(engine: Engine, model: int) -> Iterator[tuple[int, str]]:
    """A container that watches the demo's model; its process and its address."""
    port = _free()
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    binds = (
        "-v",
        f"{configured(folder / 'etc', port, model)}:/etc/goldwatch:ro",
        "--tmpfs",
        "/data:mode=1777",
    )
    name = f"goldwatch-bench-{port}"
    running = engine.start("--name", name, *LOCKED_DOWN, *binds, IMAGE)
    try:
        url = f"http://127.0.0.1:{port}"
        while not get(f"{url}/healthz"):
            if running.poll() is not None:
                raise RuntimeError(running.communicate()[0])
        said = engine.call(*engine.podman("inspect", "--format", "{{.State.Pid}}", name))
        yield int(said.split()[-1]), url
    finally:
        stop = engine.podman("kill", "--signal", "TERM", name)
        subprocess.run(stop, env=engine.environ, capture_output=True, check=False)
        running.communicate(timeout=60)
        shutil.rmtree(folder)


def _begun_at(pid: int) -> float:
    """When the process was started, in seconds since the machine was."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def measure() -> Iterator[tuple[str, str, str, bool]]:
    """The best of five starts; the others over twenty seconds after the first run, in which nothing is due."""
    kept = os.environ.get("GOLDWATCH_CONTAINERS")
    engine = Engine(Path(kept) if kept else Path(tempfile.gettempdir()) / "goldwatch-containers")
    port = _free()
    model = subprocess.Popen(
        [sys.executable, "-m", "service.demo", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        starts = []
        for _ in range(STARTS):
            with _running(engine, port) as (pid, _url):
                starts.append(time.clock_gettime(time.CLOCK_BOOTTIME) - _begun_at(pid))
        with _running(engine, port) as (pid, url):
            while not _ready(f"{url}/metrics"):
                time.sleep(0.2)
            before, begun = _cpu_s(pid), time.monotonic()
            time.sleep(WATCHED_S)
            share = (_cpu_s(pid) - before) / (time.monotonic() - begun)
            memory = _rss_mb(pid)
            get(f"{url}/")
            get(f"{url}/targets/router")
            after = _rss_mb(pid)
    finally:
        model.terminate()
        model.wait()
    yield "container idle, one target: memory", f"{memory:.1f} MB", "<= 110 MB", memory <= 110
    yield "the same once pages were looked at", f"{after:.1f} MB", "reported", True
    yield "container idle, one target: processor", f"{share:.2%} of a core", "<= .5%", share <= 0.005
    yield "container: process started to ready", f"{min(starts):.2f} s", "<= 2 s", min(starts) <= 2
