"""Is the image small, harmless and whole? Built and run for real: read-only, without rights, as nobody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service.demo.model import GOLDEN
from service.golden import freeze

OWN_MB = 250
IDLE_MB = 111
"""Resident, in millions of bytes; the goal is 110, which ``python -m tests.bench container`` measures."""
LOCKED_DOWN = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")
CONFIG = """
version: 1
store: sqlite:////data/goldwatch.db
web: {{listen: "127.0.0.1:{port}"}}
targets:
  - name: router
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:{model}/v1", model: ticket-router,
               system: Route the ticket., params: {{temperature: 0, max_tokens: 16}}}}
    golden: golden.jsonl
    schedule: {{every: 1h}}
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
"""


def until(what: Callable[[], Any], why: str, patience_s: float = 120.0) -> Any:
    """The first true answer; fails after a long while."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.1)
    pytest.fail(f"never came: {why}")


def get(url: str) -> str:
    """The body of a page; empty while nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def configured(folder: Path, port: int, model: int) -> Path:
    """A folder as somebody mounts it: configuration, golden set, lock."""
    folder.mkdir(mode=0o755)
    shutil.copyfile(GOLDEN, folder / "golden.jsonl")
    freeze(folder / "golden.jsonl", 0.0)
    (folder / "goldwatch.yaml").write_text(CONFIG.format(port=port, model=model), "utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def test_hadolint_finds_no_fault(tool: Any) -> None:
    """The Dockerfile keeps to what its linter knows, but for the two lines that say why not."""
    done = tool("hadolint", str(Path(__file__).parents[2] / "deploy/Dockerfile"))
    assert done.returncode == 0, done.stdout


def test_it_is_small_and_says_what_it_is(engine: Any, image: str) -> None:
    """At most 250 MB over its base; a numeric user, a volume, no shell in front of the program."""
    said = json.loads(engine.call("podman", "image", "inspect", image))[0]
    assert engine.size_mb(image) - engine.size_mb("docker.io/library/python:3.11-slim") <= OWN_MB
    config = said["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["goldwatch"]
    assert "/data" in config["Volumes"]
    assert said["Healthcheck"]["Test"] == ["CMD", "python", "-m", "service.healthcheck"]


def test_every_module_is_there(engine: Any, image: str) -> None:
    """What was taken out to make it small is missed by no module of goldwatch."""
    loading = (
        "import importlib, pkgutil, service, checks\n"
        "names = [m.name for r in (service, checks) for m in pkgutil.walk_packages(r.__path__, r.__name__ + '.')]\n"
        "for name in names:\n"
        "    if not name.endswith('__main__') and '.migrations.' not in name: importlib.import_module(name)\n"
        "from scipy.special import bdtr; import apprise, psycopg, sacrebleu\n"
        "print('all', bdtr(0, 1, 0.25))"
    )
    run = engine.start(*LOCKED_DOWN, "--entrypoint", "python", image, "-c", loading)
    said, _ = run.communicate(timeout=300)
    assert "all 0.75" in said


SCAN = """
import importlib.metadata as metadata, json, os, stat
found = {"special": [], "writable": [], "foreign": [], "keys": [], "tools": []}
for folder, names, files in os.walk("/opt/goldwatch"):
    for name in names + files:
        path = os.path.join(folder, name)
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            continue
        runs_as = about.st_mode & (stat.S_ISUID | stat.S_ISGID)
        found["special"] += [path] * bool(runs_as and stat.S_ISREG(about.st_mode))
        found["writable"] += [path] * bool(about.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        found["foreign"] += [path] * bool(about.st_uid or about.st_gid)
        found["tools"] += [path] * (name in {"pip", "setuptools", "ensurepip", "gcc", "uv", ".git", ".env", ".netrc"})
        if stat.S_ISREG(about.st_mode) and b"-----BEGIN PRIVATE" in open(path, "rb").read():
            found["keys"] += [path]
found["packages"] = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in metadata.distributions()}
print(json.dumps(found))
"""


def test_nothing_got_in_that_is_not_locked(engine: Any, image: str) -> None:
    """A scan from inside, without a network: each package is the locked one, and no file has rights, an owner, a key
    or a tool that serve has no need of.
    """
    run = engine.start(*LOCKED_DOWN, "--user", "0", "--entrypoint", "python", image, "-c", SCAN)
    said, _ = run.communicate(timeout=300)
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    packages = found.pop("packages")
    assert packages.pop("goldwatch")
    lock = (Path(__file__).parents[2] / "deploy/requirements-image.lock").read_text("utf-8")
    pins = re.findall(r"(?m)^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", lock)  # of some one version per Python
    unlocked = packages.items() - {(name.lower().replace("_", "-"), version) for name, version in pins}
    assert not unlocked
    assert len(packages) > 30
    assert not any(found.values()), found


def test_it_watches_and_leaves_and_remembers(
    engine: Any, image: str, tmp_path: Path, free_port: Callable[[], int], closing: list[Any]
) -> None:
    """On a read-only root, without capabilities: it judges, stays small, answers its health check, drains, goes on."""
    port, model_port, volume = free_port(), free_port(), f"goldwatch-{uuid4().hex[:8]}"
    mounted = configured(tmp_path / "etc", port, model_port)
    model = [sys.executable, "-m", "service.demo", "--port", str(model_port)]
    closing.append(subprocess.Popen(model, stdout=subprocess.DEVNULL, text=True))

    def watch(name: str) -> subprocess.Popen[str]:
        binds = ("-v", f"{mounted}:/etc/goldwatch:ro", "-v", f"{volume}:/data")
        closing.append(engine.start("--name", name, *LOCKED_DOWN, *binds, image))
        return closing[-1]

    def health() -> int:
        url = f"http://127.0.0.1:{port}/healthz"
        check = engine.start(*LOCKED_DOWN, "--entrypoint", "python", image, "-m", "service.healthcheck", url)
        check.communicate(timeout=300)
        return int(check.returncode)

    def resident_mb() -> float:
        reading = "print([r for r in open('/proc/1/status') if r.startswith('VmRSS')][0])"
        said = engine.call(*engine.podman("exec", f"{volume}-a", "python", "-c", reading))
        return int(said.split()[1]) * 1024 / 1e6

    def runs() -> list[Any]:
        return json.loads(get(f"http://127.0.0.1:{port}/api/v1/targets/router/runs") or '{"runs": []}')[
            "runs"
        ]

    try:
        until(lambda: get(f"http://127.0.0.1:{model_port}/v1/models"), "the model")
        assert health() == 1
        first = watch(f"{volume}-a")
        until(lambda: get(f"http://127.0.0.1:{port}/healthz") or first.poll() is not None, "an answer")
        until(lambda: [r for r in runs() if r["verdict"] == "learning"], "a judged run")
        assert health() == 0
        assert resident_mb() <= IDLE_MB
        engine.call(*engine.podman("kill", "--signal", "TERM", f"{volume}-a"))
        said, _ = first.communicate(timeout=120)
        assert first.returncode == 0, said
        assert '"stopped"' in said
        second = watch(f"{volume}-b")
        until(lambda: runs() or second.poll() is not None, "the run of before")
        assert [run["verdict"] for run in runs()] == ["learning"]
    finally:
        for name in (f"{volume}-a", f"{volume}-b"):
            subprocess.run(
                engine.podman("rm", "--force", "--ignore", name),
                env=engine.environ,
                capture_output=True,
                check=False,
            )
        subprocess.run(
            engine.podman("volume", "rm", "--force", volume),
            env=engine.environ,
            capture_output=True,
            check=False,
        )


def test_beside_a_model_it_ends_only_when_told(
    engine: Any, image: str, tmp_path: Path, free_port: Callable[[], int], closing: list[Any]
) -> None:
    """As process 1 of the sidecar: it outlives a refused configuration, begins anew at SIGHUP, ends at SIGTERM."""
    port, name = free_port(), f"goldwatch-{uuid4().hex[:8]}"
    mounted = configured(tmp_path / "etc", port, free_port())
    right = (mounted / "goldwatch.yaml").read_text("utf-8")
    (mounted / "goldwatch.yaml").write_text("version: 1\n", "utf-8")
    binds = ("-v", f"{mounted}:/etc/goldwatch:ro", "--tmpfs", "/data:mode=1777", "--entrypoint", "python")
    first = engine.start("--name", name, *LOCKED_DOWN, *binds, image, "-m", "service.sidecar")
    closing.append(first)
    try:
        said = ""
        while "the model's Pod is not affected" not in said:
            said = first.stdout.readline()
            assert said, "it ended"
        (mounted / "goldwatch.yaml").write_text(right, "utf-8")
        engine.call(*engine.podman("kill", "--signal", "HUP", name))
        until(lambda: get(f"http://127.0.0.1:{port}/healthz") or first.poll() is not None, "an answer")
        engine.call(*engine.podman("kill", "--signal", "TERM", name))
        said, _ = first.communicate(timeout=120)
        assert first.returncode == 0, said
    finally:
        subprocess.run(
            engine.podman("rm", "--force", "--ignore", name),
            env=engine.environ,
            capture_output=True,
            check=False,
        )
