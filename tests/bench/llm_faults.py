"""What is found of a real fine-tune that breaks, by which check, after how many requests?

    python -m tests.bench llm_faults --variants=FOLDER [--odds=tokens]

The table of checks/README.md. SmolLM2 with its adapter is replayed five times while it is healthy; then each fault
begins behind the same name, from the same past. FOLDER holds ``Q8_0.gguf``, ``Q2_K.gguf`` and ``TQ2_0.gguf``, made of
the model by llama.cpp's quantiser; without it those rows are left out. ``--only=WORDS`` makes those rows alone whose
names hold the words; ``--quiet=N`` replays the healthy model for N hours. With ``--odds=tokens`` the model gives no
log-probabilities and is asked border prompts instead (``identity: {}``).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.border import TOKENS
from checks.types import Verdict
from service.config import load
from service.demo.llm import GOLDEN, LABELS, MODEL, SYSTEM, LlmServer
from service.golden import lock_path
from service.pipeline import Finished, Shell, run_target
from service.store import Store

NARROW = Path(__file__).parents[1] / "real" / "narrow"
HEALTHY = 5
HOURS = 4
QUIET = frozenset({"nothing", "narrow from the first run"})
QUIET_BY_TOKENS = frozenset({"requantised to Q8_0"})
"""What moves odds too little for a first token to turn, save in log-probabilities."""
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "

CONFIG = """\
version: 1
targets:
  - name: {name}
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: {name}
      logprobs: {logprobs}
      system: {system}
      params: {{temperature: 0, max_tokens: 4}}
    reference: {{kind: openai_chat, base_url: {base}, model: {name}}}
    golden: {golden}
    concurrency: 4
    {identity}
    baseline: {{runs: 4}}
    scorers: [{{kind: label, labels: [{labels}]}}]
"""


@dataclass(frozen=True)
class Fault:
    """A server that is not the healthy one; ``from_start``: it never was. ``golden``: the set that is asked."""

    name: str
    server: dict[str, Any] = field(default_factory=dict)
    from_start: bool = False
    golden: Path = GOLDEN
    hours: int = HOURS


def _faults(variants: Path | None, quiet: int) -> Iterator[Fault]:
    yield Fault("nothing", hours=quiet)
    yield Fault("adapter dropped", {"scale": 0.0})
    yield Fault("adapter never loaded", {"scale": 0.0}, from_start=True)
    yield Fault("adapter at half strength", {"scale": 0.5})
    yield Fault("wrong chat template", {"chat_template": TEMPLATE})
    for name in ("Q8_0", "Q2_K", "TQ2_0") if variants is not None else ():
        yield Fault(f"requantised to {name}", {"model": variants / f"{name}.gguf"})

    narrow = {"adapter": NARROW / "lora.gguf"}
    asked = NARROW / "golden.jsonl"
    yield Fault("another fine-tune, of one narrow wording", narrow, golden=asked)
    yield Fault("narrow from the first run", narrow, from_start=True, golden=asked, hours=5)


def measure(options: Sequence[str] = ()) -> Iterator[tuple[str, str, str, bool]]:
    """A row per fault: what regressed, in which run and after how many requests, and what stayed quiet."""
    named = dict(option.lstrip("-").split("=", 1) for option in options)
    variants = Path(named["variants"]).resolve() if "variants" in named else None
    tokens = named.get("odds") == "tokens"
    with tempfile.TemporaryDirectory() as folder:
        for fault in _faults(variants, int(named.get("quiet", HOURS))):
            if named.get("only", "") not in fault.name:
                continue
            here = Path(folder) / fault.name.replace(" ", "-")
            past = Path(folder) / f"past-{fault.golden.stem}"
            if fault.from_start:
                here.mkdir()
            else:
                if not past.exists():
                    past.mkdir()
                    asyncio.run(_live(past, {}, HEALTHY, fault.golden, tokens))
                shutil.copytree(past, here)
            runs, border = asyncio.run(_live(here, fault.server, fault.hours, fault.golden, tokens))
            paged = any(run.judgement.verdict is Verdict.REGRESSED for run in runs)
            quiet = fault.name in (QUIET | QUIET_BY_TOKENS if tokens else QUIET)
            yield (
                fault.name,
                _said(runs, border),
                "nothing is paged" if quiet else "found",
                paged is not quiet,
            )


async def _live(
    folder: Path, server: dict[str, Any], hours: int, golden: Path, tokens: bool
) -> tuple[list[Finished], dict[int, int]]:
    """So many hourly replays of a server, going on where the folder's history ends, until one is regressed.

    And how many one-token requests each took.
    """
    runs: list[Finished] = []
    async with LlmServer(**server) as tuned, LlmServer(scale=0.0) as base:
        for file in (golden, lock_path(golden)):
            shutil.copy(file, folder)
        path = folder / "goldwatch.yaml"
        words = {"url": tuned.url, "base": base.url, "name": MODEL, "system": SYSTEM, "golden": golden.name}
        words |= (
            {"logprobs": "false", "identity": "identity: {}"}
            if tokens
            else {"logprobs": "true", "identity": ""}
        )
        path.write_text(CONFIG.format(labels=", ".join(LABELS), **words))
        config = load(path)
        with Store.open(f"sqlite:///{folder / 'goldwatch.db'}") as store:
            last = store.last_run(MODEL)
            now = 1_790_000_000.0 if last is None else last.started_at
            for _ in range(hours):
                now += 3600.0
                clock = now
                runs += await run_target(Shell(store, config, clock=lambda at=clock: at), config.targets[0])
                if runs[-1].judgement.verdict is Verdict.REGRESSED:
                    break
            seen = {m.run: m.judged for m in store.measurements(MODEL, runs[-1].run.segment)}
    return runs, {run: len(judged.get(TOKENS, ())) for run, judged in seen.items()}


def _said(runs: Sequence[Finished], border: Mapping[int, int]) -> str:
    told: dict[str, str] = {}
    requests = prompts = 0
    for number, finished in enumerate(runs, 1):
        requests += finished.run.requests.ok + finished.run.requests.failed
        prompts += border.get(finished.run.id, 0)
        asked = f"{prompts} border prompts" if prompts else f"{requests} requests"
        for finding in finished.judgement.findings:
            if finding.verdict is Verdict.REGRESSED and finding.check not in told:
                count = asked if finding.check == "identity" else f"{requests} requests"
                told[finding.check] = f"{finding.check} in run {number} ({count})"
    means = [s.mean for s in runs[-1].run.summaries if s.slice == "all" and s.mean is not None]
    score = f"; score {means[0]:.0%}" if means else ""
    gaps = [
        f"{f.slice}: {f.reason}"
        for f in runs[-1].judgement.findings
        if f.check == "generalization" and f.reason and f.verdict is not Verdict.LEARNING
    ]
    suspect = sum(run.judgement.verdict is Verdict.SUSPECT for run in runs)
    quiet = f"nothing is paged in {len(runs)} runs ({requests} requests), {suspect} suspect"
    return "; ".join([", ".join(told.values()) or quiet, *gaps]) + score
