"""Do the parts of compose.yaml fit together? Read by real Compose, Prometheus, Alertmanager and goldwatch, then run."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config import load
from service.demo.endpoint import BASE_MODEL, TUNED_MODEL
from service.demo.model import GOLDEN, LABELS

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
BASE = "docker.io/library/python:3.11-slim"
PATIENCE_S = 180.0
PROMETHEUS, ALERTMANAGER = "/usr/bin/prometheus", "/usr/bin/prometheus-alertmanager"
NAMES = "/usr/lib/podman/aardvark-dns"  # without it containers do not find each other
TEMPLATES = "/usr/share/prometheus/alertmanager"

# What differs here: images that can be had, Debian's programs for theirs, no Grafana; free ports; runs and scrapes a
# second apart. Without systemd podman asks for no health, so goldwatch does not wait for the model's.
INSTEAD = """
services:
  model: {{image: "{image}", build: !reset null, pull_policy: never, restart: "no"}}
  goldwatch:
    image: {image}
    build: !reset null
    pull_policy: never
    restart: "no"
    depends_on: !override {{model: {{condition: service_started}}}}
    ports: !override ["127.0.0.1:{goldwatch}:9790"]
    volumes: ["{config}:/etc/goldwatch/goldwatch.yaml:ro"]
  prometheus:
    image: {base}
    pull_policy: never
    restart: "no"
    entrypoint: [{prometheus_program}, --config.file=/etc/prometheus/prometheus.yml, --storage.tsdb.path=/prometheus]
    ports: !override ["127.0.0.1:{prometheus}:9090"]
    volumes: ["{prometheus_program}:{prometheus_program}:ro", "{scrape}:/etc/prometheus/prometheus.yml:ro"]
  alertmanager:
    image: {base}
    pull_policy: never
    restart: "no"
    entrypoint: [{alertmanager_program}, --config.file=/etc/alertmanager/alertmanager.yml, --storage.path=/tmp,
                 "--cluster.listen-address="]
    ports: !override ["127.0.0.1:{alertmanager}:9093"]
    volumes: ["{alertmanager_program}:{alertmanager_program}:ro", "{templates}:{templates}:ro"]
  grafana: {{profiles: [images]}}
"""


@pytest.fixture(scope="module")
def read(tool: Any) -> dict[str, Any]:
    """What Compose makes of the file."""
    done = tool("docker-compose", "-f", str(COMPOSE), "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip()
    return dict(json.loads(done.stdout))


def checked(program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"not installed: {program}")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_that_it_mounts_is_there(read: dict[str, Any]) -> None:
    """A missing file would be mounted as an empty folder; none is writable from inside."""
    binds = [
        one for part in read["services"].values() for one in part.get("volumes", []) if one["type"] == "bind"
    ]
    assert len(binds) >= 10
    for one in binds:
        assert Path(one["source"]).exists(), one
        assert one["read_only"], one


def test_it_is_reached_from_this_machine_only_and_has_no_rights(read: dict[str, Any]) -> None:
    """Every port is on the loopback; goldwatch and its model run read-only and without capabilities."""
    for part in read["services"].values():
        assert {one["host_ip"] for one in part.get("ports", [])} <= {"127.0.0.1"}
        assert not part.get("privileged")
    for name in ("goldwatch", "model"):
        part = read["services"][name]
        assert part["read_only"]
        assert part["cap_drop"] == ["ALL"]
        assert part["security_opt"] == ["no-new-privileges:true"]


def test_each_finds_the_other(read: dict[str, Any]) -> None:
    """Names and ports in the configurations are those of the services: endpoint, Alertmanager, Prometheus, Grafana."""
    config = load(DEPLOY / "compose/goldwatch.yaml")
    (target,) = config.targets
    assert target.endpoint.base_url == target.reference.base_url == "http://model:8000/v1"
    assert (target.endpoint.model, target.reference.model) == (TUNED_MODEL, BASE_MODEL)
    assert set(target.scorers[0].labels) == set(LABELS)
    prometheus = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text("utf-8"))
    source = DEPLOY.parent / "grafana/provisioning/datasources/prometheus.yaml"
    told = [
        *prometheus["scrape_configs"][0]["static_configs"][0]["targets"],
        *prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"],
        yaml.safe_load(source.read_text("utf-8"))["datasources"][0]["url"].removeprefix("http://"),
        config.notifiers[0].url.removeprefix("http://"),
    ]
    for name, _, port in (one.partition(":") for one in told):
        assert port in {str(one["target"]) for one in read["services"][name]["ports"]}
    mounted = {one["target"]: one["source"] for one in read["services"]["goldwatch"]["volumes"]}
    assert Path(mounted["/etc/goldwatch/golden.jsonl"]) == GOLDEN
    assert mounted["/etc/goldwatch/golden.jsonl.lock"] == f"{GOLDEN}.lock"


def test_prometheus_and_alertmanager_take_their_files(tmp_path: Path) -> None:
    """promtool with the rules beside it, and amtool, are content."""
    shutil.copy(DEPLOY / "compose/prometheus.yml", tmp_path)
    shutil.copy(DEPLOY / "prometheus/rules.yml", tmp_path)
    checked("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    checked("amtool", "check-config", str(DEPLOY / "compose/alertmanager.yml"))


def got(url: str) -> Any:
    """What a page says as JSON; None while nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.loads(answer.read())
    except (OSError, ValueError):
        return None


def until(what: Callable[[], Any], why: str) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (answer := what()):
        assert time.monotonic() < end, f"never came: {why}"
        time.sleep(0.2)
    return answer


@pytest.fixture
def socket(engine: Any, free_port: Callable[[], int]) -> Iterator[str]:
    """The address at which podman answers as Docker does."""
    for program in (PROMETHEUS, ALERTMANAGER, NAMES):
        if not Path(program).exists():
            pytest.skip(f"not installed: {program}")
    mapped = ("--network", "bridge", "-p", f"127.0.0.1:{free_port()}:9090")
    bind = (*mapped, "-v", f"{PROMETHEUS}:{PROMETHEUS}:ro", "--entrypoint", PROMETHEUS)
    tried = engine.start(*bind, BASE, "--version")
    said, _ = tried.communicate(timeout=PATIENCE_S)
    if tried.returncode != 0:
        pytest.skip(
            f"no container has a network of its own here, or Debian's programs do not fit: {said[-300:]}"
        )
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/s"
        serve = engine.podman("system", "service", "--time=0", f"unix://{place}")
        with subprocess.Popen(
            serve, env=engine.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            until(lambda: Path(place).is_socket() or process.poll() is not None, "podman's socket")
            yield f"unix://{place}"
            process.terminate()


def test_the_dropped_adapter_is_told_of(
    tool: Any, socket: str, image: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """``compose up``, ``kill --signal SIGUSR1 model``: Prometheus scrapes, and the alert stands in Alertmanager."""
    config = (DEPLOY / "compose/goldwatch.yaml").read_text("utf-8")
    assert "every: 10s}" in config
    sooner = config.replace("every: 10s}", "every: 1s}\n    baseline: {runs: 3}")
    (tmp_path / "goldwatch.yaml").write_text(sooner, "utf-8")
    scrape = (DEPLOY / "compose/prometheus.yml").read_text("utf-8").replace("interval: 15s", "interval: 1s")
    (tmp_path / "prometheus.yml").write_text(scrape, "utf-8")
    tmp_path.chmod(0o755)
    ports = {name: free_port() for name in ("goldwatch", "prometheus", "alertmanager")}
    instead = INSTEAD.format(
        image=image, base=BASE, config=tmp_path / "goldwatch.yaml", scrape=tmp_path / "prometheus.yml",
        templates=TEMPLATES, prometheus_program=PROMETHEUS, alertmanager_program=ALERTMANAGER, **ports,
    )  # fmt: skip
    (tmp_path / "instead.yaml").write_text(instead, "utf-8")

    def compose(*arguments: str) -> str:
        files = (
            "-f",
            str(COMPOSE),
            "-f",
            str(tmp_path / "instead.yaml"),
            "-p",
            f"goldwatch-{ports['goldwatch']}",
        )
        environ = {"DOCKER_HOST": socket, "DOCKER_CONFIG": str(tmp_path)}
        done = tool("docker-compose", *files, *arguments, environ=environ)
        assert done.returncode == 0, done.stderr[-3000:]
        return str(done.stdout)

    def page(name: str, path: str) -> Any:
        return got(f"http://127.0.0.1:{ports[name]}/api/{path}")

    def verdicts() -> list[str]:
        return [
            run["verdict"]
            for run in (page("goldwatch", "v1/targets/ticket-router/runs") or {"runs": []})["runs"]
        ]

    def scraped() -> list[str]:
        said = page("prometheus", "v1/targets") or {"data": {"activeTargets": []}}
        return [one["health"] for one in said["data"]["activeTargets"] if one["health"] == "up"]

    try:
        compose("up", "--detach")
        until(lambda: "ok" in verdicts(), "a healthy run after the baseline")
        compose("kill", "--signal", "SIGUSR1", "model")
        (alert,) = until(lambda: page("alertmanager", "v2/alerts"), "the alert")
        assert alert["labels"]["alertname"] == "GoldwatchModelRegressed"
        assert alert["labels"]["target"] == "ticket-router"
        until(scraped, "a scrape")
        rules = page("prometheus", "v1/rules")["data"]["groups"]
        assert {group["name"] for group in rules} == {"goldwatch-targets", "goldwatch-itself"}
    finally:
        compose("down", "--volumes", "--timeout", "5")
