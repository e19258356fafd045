"""Does the container that the chart puts into the model's Pod do its work? Run as the chart describes it, for real.

Two containers on one loopback and no other network, as in a Pod; podman's words are made from the chart's.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from service.demo.model import GOLDEN

CHART = Path(__file__).parents[2] / "deploy/helm/goldwatch"
PATIENCE_S = 180.0


def values(image: str) -> dict[str, Any]:
    """The chart's own example of a sidecar, with the demo's model in it and a run every second."""
    made = yaml.safe_load((CHART / "ci/sidecar-values.yaml").read_text("utf-8"))
    repository, _, tag = image.rpartition(":")
    made["image"] = {"repository": repository, "tag": tag}
    lock = Path(f"{GOLDEN}.lock").read_text("utf-8")
    made["golden"]["files"] = {"tickets.jsonl": GOLDEN.read_text("utf-8"), "tickets.jsonl.lock": lock}
    (target,) = made["config"]["targets"]
    target["endpoint"] |= {
        "model": "ticket-router",
        "system": "Route the ticket.",
        "params": {"temperature": 0},
    }
    target |= {"schedule": {"every": "1s"}, "baseline": {"runs": 3}}
    target["scorers"] = [{"kind": "label", "labels": ["billing", "login", "shipping", "bug", "refund"]}]
    return dict(made)


def laid_out(folder: Path, files: dict[str, str]) -> Path:
    """A ConfigMap as the kubelet mounts it: links to a folder whose name changes."""
    (folder / "..2026").mkdir(parents=True)
    (folder / "..data").symlink_to("..2026")
    for name, text in files.items():
        (folder / "..2026" / name).write_text(text, "utf-8")
        (folder / name).symlink_to(f"..data/{name}")
    return folder


def as_podman(pod: dict[str, Any], maps: dict[str, Path], claim: str) -> list[str]:
    """The words of ``podman run`` that say what the Pod's container ``goldwatch`` says."""
    (container,) = (one for one in pod["containers"] if one["name"] == "goldwatch")
    secured = container["securityContext"]
    assert secured["readOnlyRootFilesystem"]
    words = ["--read-only", "--user", f"{secured['runAsUser']}:{secured['runAsGroup']}"]
    words += ["--cap-drop", *secured["capabilities"]["drop"], "--security-opt", "no-new-privileges"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume, place = volumes[mount["name"]], mount["mountPath"]
        if "configMap" in volume:
            words += ["-v", f"{maps[volume['configMap']['name']]}:{place}:ro"]
        elif "persistentVolumeClaim" in volume:
            words += ["-v", f"{claim}:{place}"]
        else:
            assert "emptyDir" in volume
            words += ["--tmpfs", f"{place}:mode=1777"]
    words += [word for one in container["env"] for word in ("-e", f"{one['name']}={one['value']}")]
    program, *rest = container["command"]
    return [*words, "--entrypoint", program, container["image"], *rest, *container["args"]]


@pytest.fixture
def names(engine: Any) -> Iterator[tuple[str, str, str]]:
    """Of the model's container, goldwatch's and its volume; all gone afterwards."""
    begin = f"goldwatch-{uuid4().hex[:8]}"
    model, own, claim = f"{begin}-model", f"{begin}-own", f"{begin}-claim"
    yield model, own, claim
    for words in (
        ("rm", "--force", "--ignore", own),
        ("rm", "--force", "--ignore", model),
        ("volume", "rm", claim),
    ):
        subprocess.run(engine.podman(*words), env=engine.environ, capture_output=True, check=False)


def test_it_watches_the_model_of_its_pod(
    tool: Any, engine: Any, image: str, names: tuple[str, str, str], tmp_path: Path, closing: list[Any]
) -> None:
    """It measures the model over their loopback, finds the dropped adapter, ends at SIGTERM; the model stays."""
    model, own, claim = names
    tmp_path.chmod(0o755)
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values(image)), "utf-8")
    done = tool("helm", "template", "gw", str(CHART), "-f", str(tmp_path / "values.yaml"))
    assert done.returncode == 0, done.stderr
    data = {
        one["metadata"]["name"]: one["data"]
        for one in yaml.safe_load_all(done.stdout)
        if one and one["kind"] == "ConfigMap"
    }
    pod = yaml.safe_load(data.pop("gw-goldwatch-patch")["patch.yaml"])["spec"]["template"]["spec"]
    maps = {name: laid_out(tmp_path / name, files) for name, files in data.items()}

    def until(what: Callable[[], bool], why: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < end, f"never came: {why}"
            for process in closing:
                assert process.poll() is None, process.stdout.read()
            time.sleep(0.2)

    def inside(name: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            engine.podman("exec", name, *command),
            env=engine.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def verdicts() -> list[str]:
        said = inside(
            own, "goldwatch", "history", "ticket-router", "-c", "/etc/goldwatch/goldwatch.yaml", "--json"
        )
        return [json.loads(line)["verdict"] for line in said.stdout.splitlines() if line.startswith("{")]

    check = ("python", "-m", "service.healthcheck")
    serve = ("--entrypoint", "python", image, "-m", "service.demo", "--port", "8000")
    closing.append(engine.start("--name", model, "--network", "none", *serve))
    until(lambda: inside(model, *check, "http://127.0.0.1:8000/v1/models").returncode == 0, "the model")
    closing.append(
        engine.start("--name", own, "--network", f"container:{model}", *as_podman(pod, maps, claim))
    )
    until(lambda: inside(own, *check).returncode == 0, "a healthy goldwatch")
    until(lambda: "ok" in verdicts(), "a healthy run after the baseline")
    engine.call(*engine.podman("kill", "--signal", "USR1", model))
    until(lambda: verdicts()[-1] == "regressed", "the verdict")
    engine.call(*engine.podman("kill", "--signal", "TERM", own))
    ended = closing.pop()
    said, _ = ended.communicate(timeout=PATIENCE_S)
    assert ended.returncode == 0, said
    assert closing[0].poll() is None
