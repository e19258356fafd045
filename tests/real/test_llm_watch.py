"""Is a real language model that loses its real fine-tune paged about, and never before?"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from checks.types import Verdict
from service.alerting import AlertState
from service.config import load
from service.demo.llm import GOLDEN, LABELS, MODEL, SYSTEM
from service.golden import lock_path
from service.pipeline import Finished, Shell, run_target
from service.store import Store

if TYPE_CHECKING:
    from conftest import RunningLlm

QUIET_RUNS = 5


def _configured(folder: Path, url: str, base_url: str) -> Path:
    for file in (GOLDEN, lock_path(GOLDEN)):
        shutil.copy(file, folder)
    path = folder / "goldwatch.yaml"
    path.write_text(
        f"""\
version: 1
targets:
  - name: {MODEL}
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: {MODEL}
      system: {SYSTEM}
      params: {{temperature: 0, max_tokens: 4}}
    reference: {{kind: openai_chat, base_url: {base_url}, model: {MODEL}}}
    golden: {GOLDEN.name}
    concurrency: 4
    baseline: {{runs: 3}}
    scorers:
      - {{kind: label, labels: [{", ".join(LABELS)}]}}
"""
    )
    return path


def test_a_lost_adapter_alerts_within_two_replays(
    llm_server: RunningLlm, base_server: RunningLlm, tmp_path: Path
) -> None:
    """At scale 1 five replays are quiet; at scale 0 the second regresses since the first, and every answer is a 200."""
    config = load(_configured(tmp_path, llm_server.url, base_server.url))
    (target,) = config.targets
    hours = 0

    def replay(shell: Shell) -> list[Finished]:
        return asyncio.run(run_target(shell, target))

    with Store.open(f"sqlite:///{tmp_path / 'goldwatch.db'}") as store:
        shell = Shell(store, config, clock=lambda: 1_790_000_000.0 + hours * 3600.0)
        healthy = []
        for _ in range(QUIET_RUNS):
            healthy += replay(shell)
            hours += 1
        assert [run.run.verdict for run in healthy] == [Verdict.LEARNING] * 3 + [Verdict.OK] * 2
        assert store.alerts(MODEL, AlertState.FIRING) == []
        llm_server.restart(scale=0.0)
        broken = replay(shell)
        assert [run.run.verdict for run in broken] == [Verdict.SUSPECT, Verdict.REGRESSED]
        assert all(run.run.requests.failed == 0 for run in broken)
        (alert,) = store.alerts(MODEL, AlertState.FIRING)
        assert (alert.opened_run, alert.onset_run) == (broken[1].run.id, broken[0].run.id)
        found = store.diagnosis(broken[1].run.id)
        assert found is not None
        assert [cause.name for cause in found.causes][:1] == ["base_model"]
        assert "adapter_applied" in {
            f.check for f in broken[1].judgement.findings if f.verdict is Verdict.REGRESSED
        }
