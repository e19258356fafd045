"""Is a real language model that judges, and whose chat template is changed under it, told as judge drift?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from checks.types import Finding, Verdict
from service.alerting import AlertKind, AlertState
from service.config import load
from service.demo.llm import GOLDEN, LABELS, MODEL, SYSTEM
from service.golden import freeze
from service.pipeline import Finished, Shell, run_target
from service.store import Store

if TYPE_CHECKING:
    from conftest import RunningLlm

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
"""In place of SmolLM2's own: every request still answers 200, with a word that looks like an answer."""

GOLDEN_EXAMPLES, ANCHORS, BASELINE_RUNS, QUIET_RUNS = 10, 12, 3, 4


def _configured(folder: Path, url: str, judge_url: str) -> Path:
    """The fine-tune routes tickets; a second one judges by routing them itself and comparing."""
    tickets = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    golden = folder / "golden.jsonl"
    golden.write_text("".join(json.dumps(t) + "\n" for t in tickets[:GOLDEN_EXAMPLES]))
    freeze(golden, 1_790_000_000.0)
    anchors = []
    for i, ticket in enumerate(tickets[GOLDEN_EXAMPLES : GOLDEN_EXAMPLES + ANCHORS]):
        wrong = LABELS[(LABELS.index(ticket["expected"]) + 1) % len(LABELS)]
        right = i % 4 != 0
        said = ticket["expected"] if right else wrong
        anchors.append({"id": ticket["id"], "input": ticket["input"], "output": said, "score": int(right)})
    (folder / "anchors.jsonl").write_text("".join(json.dumps(a) + "\n" for a in anchors))
    path = folder / "goldwatch.yaml"
    asked = f"kind: openai_chat, model: {MODEL}, system: {SYSTEM}, params: {{temperature: 0, max_tokens: 4}}"
    path.write_text(
        f"""\
version: 1
targets:
  - name: {MODEL}
    endpoint: {{{asked}, base_url: "{url}"}}
    golden: golden.jsonl
    concurrency: 4
    bursts: false
    baseline: {{runs: {BASELINE_RUNS}}}
    scorers:
      - kind: judge
        endpoint: {{{asked}, base_url: "{judge_url}"}}
        prompt: "{{input}}"
        verdicts: {{"{{output}}": 1}}
        otherwise: 0
        anchors: anchors.jsonl
"""
    )
    return path


def _finding(run: Finished, check: str) -> Finding:
    return next(f for f in run.judgement.findings if f.check == check)


def test_a_judge_whose_template_is_changed_is_told_as_judge_drift(
    llm_server: RunningLlm, judge_server: RunningLlm, tmp_path: Path
) -> None:
    """Quiet before; then the judge's findings are inconclusive, its drift fires, and nothing regresses."""
    config = load(_configured(tmp_path, llm_server.url, judge_server.url))
    (target,) = config.targets
    hours = 0

    def replay(shell: Shell) -> list[Finished]:
        return asyncio.run(run_target(shell, target))

    with Store.open(f"sqlite:///{tmp_path / 'goldwatch.db'}") as store:
        shell = Shell(store, config, clock=lambda: 1_790_000_000.0 + hours * 3600.0)
        for hour in range(QUIET_RUNS):
            hours = hour
            (run,) = replay(shell)
            wanted = Verdict.LEARNING if hour < BASELINE_RUNS else Verdict.OK
            assert run.run.verdict is wanted
        assert store.alerts(MODEL, AlertState.FIRING) == []
        judge_server.change_template(TEMPLATE)
        hours = QUIET_RUNS
        changed = replay(shell)
        while not store.alerts(MODEL, AlertState.FIRING) and len(changed) < 5:
            # a busy server answers unevenly
            hours += 1
            changed += replay(shell)
        assert {run.run.verdict for run in changed} == {Verdict.INCONCLUSIVE}
        assert all(run.run.requests.failed == 0 for run in changed)
        told = _finding(changed[-1], "judge_drift")
        assert told.onset_run == changed[0].run.id
        assert told.reason is not None
        assert told.reason.startswith("the judge changed, not the model: ")
        assert {_finding(run, "quality").verdict for run in changed} == {Verdict.INCONCLUSIVE}
        (alert,) = store.alerts(MODEL, AlertState.FIRING)
        assert alert.kind is AlertKind.JUDGE
