"""Do the parts of compose.yaml fit together? Read by real Compose, Prometheus, Alertmanager and goldwatch, then run."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config import load
from service.demo.endpoint import BASE_MODEL, TUNED_MODEL
from service.demo.model import GOLDEN, LABELS

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose.yaml"


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
