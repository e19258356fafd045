"""Is a real fine-tune that learnt one wording only found out by the generalization gap?"""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path

from checks.generalization import FEWEST
from checks.types import Origin, Verdict
from service.config import load
from service.demo.llm import LABELS, MODEL, SYSTEM, LlmServer
from service.golden import freeze
from service.golden.lock import load as load_golden
from service.pipeline import Shell, run_target
from service.store import Store

NARROW = Path(__file__).parent / "narrow"
BASELINE = 3


def _watched(folder: Path, url: str) -> Path:
    """A watch over some examples that it was trained on and as many in other words."""
    rows = [json.loads(line) for line in (NARROW / "golden.jsonl").read_text().splitlines()]
    kept = [[r for r in rows if r["origin"] == origin][:FEWEST] for origin in (Origin.TRAIN, Origin.NOVEL)]
    golden = folder / "golden.jsonl"
    golden.write_text("".join(json.dumps(row) + "\n" for part in kept for row in part))
    freeze(golden, now=0.0)
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
      params: {{temperature: 0, max_tokens: 3}}
    golden: golden.jsonl
    concurrency: 4
    baseline: {{runs: {BASELINE}}}
    scorers: [{{kind: label, labels: [{", ".join(LABELS)}]}}]
"""
    )
    return path


def test_novel_wording_falls_behind_what_it_was_trained_on(llm_server: object, tmp_path: Path) -> None:
    """All of its own form is right and about half of what people write: a gap surely below zero, told and not paged."""

    async def story() -> list:
        async with LlmServer(adapter=NARROW / "lora.gguf") as narrow:
            config = load(_watched(tmp_path, narrow.url))
            with Store.open(f"sqlite:///{tmp_path / 'goldwatch.db'}") as store:
                for hour in range(BASELINE + 1):
                    now = 1_790_000_000.0 + 3600.0 * hour
                    (last,) = await run_target(
                        Shell(store, config, clock=lambda at=now: at), config.targets[0]
                    )
        return list(last.judgement.findings)

    (gap,) = [f for f in asyncio.run(story()) if f.check == "generalization"]
    assert (gap.verdict, gap.slice) == (Verdict.OK, "origin=novel")
    assert gap.baseline == 1.0
    assert gap.current is not None
    assert gap.current < 0.75
    assert gap.interval is not None
    assert gap.interval[1] < -0.1
    assert str(gap.reason).startswith("novel wording is answered worse by")


def test_it_was_trained_on_one_form_only() -> None:
    """What the set says it was trained on is what its trainer makes; what is held out has that form, novel has not."""
    tickets = runpy.run_path(str(NARROW / "train.py"))["tickets"]
    by_origin = {
        origin: {e.input for e in load_golden(NARROW / "golden.jsonl").examples if e.origin is origin}
        for origin in Origin
    }
    learnt = {text for text, _ in tickets(1, 96)}
    assert by_origin[Origin.TRAIN] <= learnt
    assert not by_origin[Origin.HELDOUT] & learnt
    assert all(text.startswith("Topic: ") for text in by_origin[Origin.HELDOUT])
    assert not any("Topic: " in text for text in by_origin[Origin.NOVEL])
