"""Does the sidecar's first process outlive every end of goldwatch, and end when it is told to?"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.demo.model import GOLDEN
from service.golden import freeze
from service.sidecar import next_wait_s

PATIENCE_S = 120.0
FAULTY = "version: 1\ntargets: []\n"
RIGHT = """
version: 1
web: {{listen: "127.0.0.1:{port}"}}
targets:
  - name: router
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: router}}
    golden: golden.jsonl
    schedule: {{every: 1d}}
    retries: 0
    scorers: [{{kind: exact_match}}]
"""


def until(what: Callable[[], object], why: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, f"never came: {why}"
        time.sleep(0.05)


@pytest.fixture
def port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture
def sidecar(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Begun with a configuration that goldwatch refuses; its words go to a file."""
    (tmp_path / "golden.jsonl").write_bytes(GOLDEN.read_bytes())
    freeze(tmp_path / "golden.jsonl", 0.0)
    (tmp_path / "goldwatch.yaml").write_text(FAULTY, "utf-8")
    command = [sys.executable, "-m", "service.sidecar", "serve", "-c", str(tmp_path / "goldwatch.yaml")]
    environ = os.environ | {"GOLDWATCH_HEALTH_URL": f"http://127.0.0.1:{port}/healthz"}
    with (tmp_path / "said").open("wb") as said, subprocess.Popen(command, env=environ, stderr=said) as one:
        yield one
        if one.poll() is None:
            one.send_signal(signal.SIGTERM)
            one.wait(PATIENCE_S)


def test_the_waits_grow_and_start_anew() -> None:
    """1, 2, 4 s ... at most five minutes; after ten steady minutes 1 s again."""
    waits = [0.0]
    for _ in range(12):
        waits.append(next_wait_s(waits[-1], lived_s=2.0))
    assert waits[1:5] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 300.0
    assert next_wait_s(300.0, lived_s=600.0) == 1.0


def test_it_outlives_faults_and_kills(sidecar: subprocess.Popen[bytes], tmp_path: Path, port: int) -> None:
    """A refused configuration, then a kill -9 of goldwatch: it starts it again each time, and ends at SIGTERM."""

    def ends() -> list[int]:
        lines = (tmp_path / "said").read_text("utf-8").splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{")]
        return [line["code"] for line in said if line.get("logger") == "goldwatch.sidecar"]

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    until(ends, "the end of a goldwatch that refuses its configuration")
    assert ends()[0] == 2
    assert sidecar.poll() is None
    (tmp_path / "goldwatch.yaml").write_text(RIGHT.format(port=port), "utf-8")
    sidecar.send_signal(signal.SIGHUP)
    until(answers, "a healthy goldwatch")
    (child,) = Path(f"/proc/{sidecar.pid}/task/{sidecar.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    until(lambda: ends()[-1] == -signal.SIGKILL, "the news of its end")
    until(answers, "goldwatch again")
    assert sidecar.poll() is None
    sidecar.send_signal(signal.SIGTERM)
    assert sidecar.wait(PATIENCE_S) == 0
    assert not answers()
