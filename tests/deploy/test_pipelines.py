"""Do the GitHub Action and the Argo Rollouts example say what goldwatch compare says, and never more?

Their own scripts are run, with the real command against a real endpoint. How Argo Rollouts makes a phase of a Job, and
of the Jobs of a metric, is written here as its documentation and its controller have it (1.9).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config import load
from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.golden import freeze

ROOT = Path(__file__).parents[2]
ACTION, ARGO = ROOT / "deploy/github-action", ROOT / "deploy/argo-rollouts"
CONFIG = """
version: 1
store: sqlite:///w.db
targets:
  - &router
    name: stable
    endpoint: {{kind: openai_chat, base_url: {url}, model: ticket-router, params: {{max_tokens: 16}}}}
    golden: golden.jsonl
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
  - <<: *router
    name: as-good
  - <<: *router
    name: worse
    endpoint: {{kind: openai_chat, base_url: {url}, model: base, params: {{max_tokens: 16}}}}
  - <<: *router
    name: away
    retries: 0
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: m}}
"""
CASES = {"as-good": 0, "worse": 1, "away": 3, "not-configured": 2}
"""Candidates, and with what goldwatch compare leaves."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a configuration whose endpoint answers."""
    folder = tmp_path_factory.mktemp("pipeline")
    made = DemoEndpoint(latency_s=0.0)
    ready, done, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with made:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(30)
    lines = Path(GOLDEN).read_text("utf-8").splitlines(keepends=True)[:60]
    (folder / "golden.jsonl").write_text("".join(lines), "utf-8")
    freeze(folder / "golden.jsonl", 0.0)
    (folder / "goldwatch.yaml").write_text(CONFIG.format(url=made.url), "utf-8")
    yield folder
    loop.call_soon_threadsafe(done.set)
    thread.join(30)
    loop.close()


def environment(**more: str) -> dict[str, str]:
    """With the goldwatch of this checkout on the path."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


@pytest.fixture(scope="module")
def action() -> Any:
    """The action's definition."""
    return yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))


def stepped(action: Any, place: Path, folder: Path, **given: str) -> tuple[int, str, dict[str, str], str]:
    """The action's last step with its defaults: exit code, what it printed, its outputs, the summary."""
    outputs, summary = folder / "output", folder / "summary"
    step = action["runs"]["steps"][-1]
    inputs = {key: str(one.get("default", "")) for key, one in action["inputs"].items()} | given
    env = {key: inputs[text.split("inputs.")[1].rstrip(" }")] for key, text in step["env"].items()}
    env |= {
        "GITHUB_ACTION_PATH": str(ACTION),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=place, env=environment(**env), capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = dict(line.split("=", 1) for line in outputs.read_text("utf-8").splitlines())
    return done.returncode, done.stdout, said, summary.read_text("utf-8") if summary.exists() else ""


@pytest.mark.parametrize(("candidate", "code"), CASES.items())
def test_the_action_leaves_as_compare_does(
    candidate: str, code: int, action: Any, place: Path, tmp_path: Path
) -> None:
    """Each exit code, its verdict as output, the summary, and an annotation where something is to be done."""
    left, printed, said, summary = stepped(action, place, tmp_path, before="stable", after=candidate)
    verdict = {0: "ok", 1: "regressed", 2: "", 3: "inconclusive"}[code]
    assert (left, said) == (code, {"verdict": verdict, "exit-code": str(code)})
    assert verdict in summary
    assert bool(summary) == bool(verdict)
    assert ("::error" in printed, "::warning" in printed) == (code == 1, code == 3)


def test_an_outage_need_not_fail_the_action(action: Any, place: Path, tmp_path: Path) -> None:
    """With fail-on of regressions alone it is a warning, and still told apart from a pass."""
    given = {"before": "stable", "after": "away", "fail-on": "regressed"}
    code, printed, said, _ = stepped(action, place, tmp_path, **given)
    assert (code, said["verdict"], "::warning" in printed) == (0, "inconclusive", True)


def test_no_input_becomes_a_command(action: Any, place: Path, tmp_path: Path) -> None:
    """Inputs are in the environment only; a name that is made to be run is a name."""
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
    hostile = '"; touch ran; $(touch ran) `touch ran`'
    given = {
        "before": hostile,
        "after": "--help",
        "scorers": f"{hostile}\n-x",
        "golden": hostile,
        "junit": hostile,
    }
    code, *_ = stepped(action, place, tmp_path, **given)
    assert code == 2
    assert not (place / "ran").exists()


def test_files_and_scorers_need_no_configuration(action: Any, place: Path, tmp_path: Path) -> None:
    """Two response files, several scorers, and JUnit."""
    rows = [json.loads(line) for line in (place / "golden.jsonl").read_text("utf-8").splitlines()]
    for name, wrong in (("a", 0), ("b", 30)):
        answers = [
            {"id": one["id"], "output": "?" if i < wrong else one["expected"]} for i, one in enumerate(rows)
        ]
        (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in answers), "utf-8")
    given = {
        "before": str(tmp_path / "a"), "after": str(tmp_path / "b"), "golden": str(place / "golden.jsonl"),
        "scorers": "exact_match\n\n{kind: contains, ignore_case: true}\n", "config": "none.yaml",
        "junit": str(tmp_path / "j"),
    }  # fmt: skip
    code, printed, *_ = stepped(action, place, tmp_path, **given)
    assert code == 1
    assert {one["scorer"] for one in json.loads(printed.splitlines()[0])["scores"]} == {
        "exact_match",
        "contains",
    }
    assert "<testsuites" in (tmp_path / "j").read_text("utf-8")


def test_every_input_is_used(action: Any) -> None:
    """No input is declared in vain."""
    whole = (ACTION / "action.yml").read_text("utf-8")
    assert [key for key in action["inputs"] if f"inputs.{key} " not in whole] == []
    script = (ACTION / "compare.sh").read_text("utf-8")
    assert [
        key for key in action["runs"]["steps"][-1]["env"] if f"${key}" not in script.replace("{", "")
    ] == []


@pytest.fixture(scope="module")
def template() -> Any:
    """The AnalysisTemplate."""
    return yaml.safe_load((ARGO / "analysis-template.yaml").read_text("utf-8"))


def job_of(metric: Any) -> Any:
    """What a metric's Job is made of."""
    return metric["provider"]["job"]["spec"]


def container_of(metric: Any) -> Any:
    """The one container of a metric's Job."""
    (container,) = job_of(metric)["template"]["spec"]["containers"]
    return container


def job_phase(metric: Any, place: Path, candidate: str) -> str:
    """The measurement: the container's own command, and Successful for exit 0, else Failed."""
    container = container_of(metric)
    config = str(place / "goldwatch.yaml")
    args = [
        {"{{args.stable}}": "stable", "{{args.candidate}}": candidate}.get(one, config)
        for one in container["args"]
    ]
    done = subprocess.run([*container["command"], *args], env=environment(), capture_output=True, check=False)
    return "Successful" if done.returncode == 0 else "Failed"


def metric_phase(metric: Any, measured: str) -> str:
    """What Argo Rollouts makes of a metric of ``count: 1``, in its controller's order."""
    assert metric["count"] == 1
    failed, succeeded = int(measured == "Failed"), int(measured == "Successful")
    if failed > metric["failureLimit"]:
        return "Failed"
    wanted = metric.get("consecutiveSuccessLimit", 0)
    if wanted > 0 and succeeded >= wanted:
        return "Successful"
    return "Inconclusive" if wanted > 0 else "Successful"


@pytest.mark.parametrize(
    ("candidate", "run"),
    [
        ("as-good", "Successful"),
        ("worse", "Failed"),
        ("away", "Inconclusive"),
        ("not-configured", "Inconclusive"),
    ],
)
def test_only_a_regression_rolls_back(candidate: str, run: str, template: Any, place: Path) -> None:
    """Exit 1 alone fails the analysis; 3 and 2 make it inconclusive, which pauses; 0 goes on."""
    phases = {
        one["name"]: metric_phase(one, job_phase(one, place, candidate))
        for one in template["spec"]["metrics"]
    }
    worst = next(phase for phase in ("Failed", "Inconclusive", "Successful") if phase in phases.values())
    assert worst == run, phases


def test_a_killed_pod_is_no_regression(template: Any) -> None:
    """Only exit 1 of the container fails the first Job: a Pod that is evicted or killed is tried again."""
    first, _ = template["spec"]["metrics"]
    fail, *ignore = job_of(first)["podFailurePolicy"]["rules"]
    name = container_of(first)["name"]
    assert fail == {
        "action": "FailJob",
        "onExitCodes": {"containerName": name, "operator": "In", "values": [1]},
    }
    assert {one["action"] for one in ignore} == {"Ignore"}
    assert ignore[0]["onExitCodes"]["operator"] == "NotIn"
    assert "activeDeadlineSeconds" not in job_of(first)


@pytest.mark.parametrize("version", ["1.31", "1.37"])  # 1.27 wrongly calls onPodConditions required
def test_kubernetes_takes_the_jobs(template: Any, tool: Any, tmp_path: Path, version: str) -> None:
    """Each metric's Job fits the schema of an older and the newest Kubernetes."""
    made = [
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": one["name"]}, "spec": job_of(one)}
        for one in template["spec"]["metrics"]
    ]
    (tmp_path / "jobs.yaml").write_text(yaml.safe_dump_all(made), "utf-8")
    done = tool(
        "kubernetes-validate", "--strict", "--quiet", "--no-warn", "-k", version, str(tmp_path / "jobs.yaml")
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_fits_together(template: Any) -> None:
    """The rollout asks the template for the targets that the configuration has, through the Services that it names."""
    rollout = yaml.safe_load((ARGO / "rollout.yaml").read_text("utf-8"))
    config = load(ARGO / "goldwatch.yaml")
    canary = rollout["spec"]["strategy"]["canary"]
    (analysis,) = (step["analysis"] for step in canary["steps"] if "analysis" in step)
    assert analysis["templates"] == [{"templateName": template["metadata"]["name"]}]
    given = {one["name"]: one["value"] for one in analysis["args"]}
    needed = {one["name"] for one in template["spec"]["args"] if "value" not in one}
    assert given.keys() == needed
    for key, service in (("stable", "stableService"), ("candidate", "canaryService")):
        assert f"//{canary[service]}:" in config.target(given[key]).endpoint.url
