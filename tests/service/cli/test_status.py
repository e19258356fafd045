"""Does ``goldwatch status`` say in ten seconds what is wrong, and where to look?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from service.cli import run
from service.cli.render.status import _hanging
from service.config import load
from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.golden import freeze
from service.pipeline import Shell, run_target
from service.store import Store

CONFIG = """
version: 1
targets:
  - name: broken
    severity: critical
    endpoint: {{kind: openai_chat, base_url: "{url}", model: ticket-router, system: Route the ticket.}}
    golden: golden.jsonl
    baseline: {{runs: 3}}
    bursts: false
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
  - name: never-ran
    endpoint: {{kind: openai_chat, base_url: "{url}", model: ticket-router}}
    golden: elsewhere.jsonl
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A target that lost its adapter and pages, and one whose golden set is not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    lines = GOLDEN.read_text().splitlines(keepends=True)[:60]
    (tmp_path / "golden.jsonl").write_text("".join(lines))
    freeze(tmp_path / "golden.jsonl", 0.0)

    async def live() -> None:
        async with DemoEndpoint(latency_s=0.0) as endpoint:
            (tmp_path / "goldwatch.yaml").write_text(CONFIG.format(url=f"{endpoint.url}"))
            config, at = load(tmp_path / "goldwatch.yaml"), 1_700_000_000.0
            with Store.open("sqlite:///goldwatch.db", base_dir=tmp_path) as store:
                for hour in range(8):
                    if hour == 4:
                        endpoint.drop_adapter()
                    shell = Shell(store, config, clock=lambda now=at + 3600.0 * hour: now)  # type: ignore[misc]
                    await run_target(shell, config.targets[0])

    asyncio.run(live())
    return tmp_path


def test_what_does_not_fit_goes_on_under_its_target() -> None:
    """A long line keeps every word; what comes below is indented, so that names stand out on the left."""
    line = Text("router  ", style="bold").append(
        "inconclusive  could not be measured: 0 of 30 examples answered"
    )
    shown = _hanging(line, 40).plain.splitlines()
    assert len(shown) > 1
    assert all(len(one) <= 40 for one in shown)
    assert all(one.startswith("    ") for one in shown[1:])
    assert " ".join(" ".join(shown).split()) == " ".join(line.plain.split())


def test_the_worst_comes_first_with_its_cause_and_its_alert(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What fell from what to what, why, since when it fires, why another cannot be run, and what to type next."""
    assert run(["status"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "2 targets 1 regressed 1 not run"
    assert lines[2].startswith("broken regressed label")
    assert any(line.startswith(("probably: ", "possibly: ")) for line in lines)
    assert any(line.startswith("regression alert, critical, firing for ") for line in lines)
    assert any("elsewhere.jsonl" in line for line in lines)
    assert lines[-1] == "next goldwatch explain broken"


def test_a_program_reads_one_target_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the API tells it, with what is said and the likeliest cause."""
    assert run(["status", "--json"]) == 0
    made: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["name"], one["state"], len(one["alerts"])) for one in made] == [
        ("broken", "regressed", 1),
        ("never-ran", "not run", 0),
    ]
    assert made[0]["cause"]
    assert made[1]["cause"] is None


def test_looking_makes_no_store(folder: Path) -> None:
    """A typing error in a path must not leave an empty database behind."""
    (folder / "goldwatch.db").rename(folder / "moved")
    run(["status"])
    assert list(folder.glob("*.db")) == []
