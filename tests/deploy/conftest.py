"""Real containers, made and run without a registry and without an engine's daemon; and the tools of tools.sh."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.11-slim"
NEEDED = ("buildah", "podman", "debootstrap", "unshare")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
UNTIL_S = 600.0

# A hybrid tree of control groups is refused by crun: podman gets a private mount of a pure one.
PRIVATELY = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"'


@dataclass
class Engine:
    """Builds with buildah and runs with podman; images stay in ``folder`` for the next time."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        storage, containers = self.folder / "storage.conf", self.folder / "containers.conf"
        storage.write_text(
            f'[storage]\ndriver = "overlay"\nrunroot = "{self.folder}/run"\ngraphroot = "{self.folder}/graph"\n'
        )
        containers.write_text(
            '[containers]\ncgroups = "disabled"\nnetns = "host"\n'
            'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        self.environ = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_CONF": str(containers),
        }

    def call(self, *command: str) -> str:
        """What a command prints; the test fails with what it said if it fails."""
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=False, timeout=UNTIL_S
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def podman(self, *arguments: str) -> list[str]:
        """A command line of podman."""
        return ["unshare", "-m", "sh", "-c", PRIVATELY, "sh", "podman", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """``podman run`` in the foreground, its output kept."""
        command = self.podman("run", "--rm", *arguments)
        return subprocess.Popen(
            command, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def base(self) -> None:
        """A Debian with its Python under the name of the base image; made once."""
        done = subprocess.run(["podman", "image", "exists", BASE], env=self.environ, check=False)
        if done.returncode == 0:
            return
        root = self.folder / "rootfs"
        packages = "python3,python3-venv,python3-pip,ca-certificates"
        shutil.rmtree(root, ignore_errors=True)
        self.call("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root))
        for heavy in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
            shutil.rmtree(root / heavy, ignore_errors=True)
        (root / "usr/bin/python").symlink_to("python3")
        for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
        archive = self.folder / "rootfs.tar"
        self.call("tar", "-C", str(root), "-cf", str(archive), ".")
        path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.call("podman", "import", "--change", path, str(archive), BASE)
        archive.unlink()
        shutil.rmtree(root)

    def size_mb(self, image: str) -> float:
        """Bytes of an image, in millions."""
        return int(self.call("podman", "image", "inspect", "--format", "{{.Size}}", image)) / 1e6


def _missing() -> str | None:
    absent = [program for program in NEEDED if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)} (Debian: buildah podman debootstrap)" if absent else None


@pytest.fixture(scope="session")
def engine() -> Engine:
    if os.geteuid() != 0:
        pytest.skip("building images here needs root")
    if (reason := _missing()) is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    tried = subprocess.run(
        ["unshare", "-m", "sh", "-c", PRIVATELY, "sh", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"this machine lets nobody mount, so no container can run: {tried.stderr.strip()[:200]}")
    kept = os.environ.get("GOLDWATCH_CONTAINERS")
    made = Engine(Path(kept) if kept else Path(tempfile.gettempdir()) / "goldwatch-containers")
    try:
        made.base()
    except AssertionError as error:
        pytest.skip(f"no base image can be made on this machine: {str(error)[-300:]}")
    return made


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image, built as its first lines say, on the base that can be had here."""
    name = "localhost/goldwatch:test"
    engine.call(
        "buildah", "bud", "--format", "docker", "--isolation", "chroot", "--network", "host", "--pull-never",
        "--build-arg", f"BASE={BASE}", "-v", f"{CERTIFICATES}:{CERTIFICATES}:ro",
        "-f", str(ROOT / "deploy/Dockerfile"), "--ignorefile", str(ROOT / "deploy/Dockerfile.dockerignore"),
        "-t", name, str(ROOT),
    )  # fmt: skip
    return name


@pytest.fixture
def free_port() -> Callable[[], int]:
    def taken() -> int:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            return int(bound.getsockname()[1])

    return taken


@pytest.fixture
def closing() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test has begun; those that are left are killed."""
    begun: list[subprocess.Popen[str]] = []
    yield begun
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def tool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs one of the programs that ``tools.sh`` brings, as (name, arguments...) -> what it said."""
    kept = os.environ.get("GOLDWATCH_TOOLS")
    folder = Path(kept) if kept else Path(tempfile.gettempdir()) / "goldwatch-tools"
    places = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def run(
        name: str, *arguments: str, said: str | None = None, environ: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        program = shutil.which(name, path=places)
        if program is None:
            reason = f"not installed: {name} (tests/deploy/tools.sh)"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return subprocess.run(
            [program, *arguments], input=said, env=os.environ | (environ or {}), capture_output=True, text=True,
            check=False, timeout=UNTIL_S,
        )  # fmt: skip

    return run
