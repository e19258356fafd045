"""A fine-tune beside a challenger: asked for real, stored, judged, and told on one page."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from service import cli
from service.before_after import read_before_after
from service.challengers import ask_due, beside
from service.cli.commands.report import Format, command
from service.config import load
from service.demo.endpoint import BASE_MODEL, TUNED_MODEL, DemoEndpoint
from service.demo.model import GOLDEN
from service.errors import UserError
from service.golden import check_lock, freeze
from service.pipeline import Shell, run_target
from service.store import Store
from service.worth_report import Page, headline, html, markdown

WEEK_S = 7 * 86_400.0
BEGAN_AT = 1_700_000_000.0
CONFIG = """
version: 1
store: sqlite:///goldwatch.db
targets:
  - name: ticket-router
    endpoint: &tuned
      kind: openai_chat
      base_url: {url}
      model: {mine}
      system: Route the ticket.
      params: {{temperature: 0, max_tokens: 32}}
      price: {{input_per_mtok: {usd}, output_per_mtok: {usd}}}
    challengers:
      other:
        kind: openai_chat
        base_url: {other_url}
        model: {other}
        system: Route the ticket.
        params: {{temperature: 0, max_tokens: 32}}
        price: {{input_per_mtok: 2, output_per_mtok: 2}}
    worth: {{every: 7d, margin: 0.05, requests_per_month: 1000000}}
    golden: golden.jsonl
    retries: 0
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
"""


def _folder(folder: Path) -> Path:
    rows = [json.loads(line) for line in GOLDEN.read_text().splitlines()[:100]]
    path = folder / "golden.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    freeze(path, now=BEGAN_AT)
    return folder


def _live(folder: Path, weeks: int, *, mine=TUNED_MODEL, other=BASE_MODEL, usd=1.0, other_url=None):
    """Some weeks of one run each, and what is then said: (the target beside, the number of runs, tokens used)."""

    async def live():
        async with DemoEndpoint(latency_s=0.0) as endpoint:
            text = CONFIG.format(
                url=endpoint.url, mine=mine, other=other, usd=usd, other_url=other_url or endpoint.url
            )
            (folder / "goldwatch.yaml").write_text(text)
            config = load(folder / "goldwatch.yaml")
            store = Store.open("sqlite:///goldwatch.db", base_dir=folder)
            try:
                target = config.targets[0]
                for week in range(weeks):
                    now = BEGAN_AT + week * WEEK_S
                    shell = Shell(store, config, clock=lambda now=now: now)
                    await run_target(shell, target)
                    await ask_due(shell, target)
                    assert await ask_due(shell, target) == []
                runs = store.runs(target.name, limit=100)
                used, _ = store.usage_since(target.name, 0.0)
                last = store.last_measured(target.name)
                return beside(store, target, check_lock(Path(target.golden))), runs, used, last
            finally:
                store.close()

    return asyncio.run(live())


def test_a_better_model_pays(tmp_path, capsys) -> None:
    """The tuned model beats its base by far: it pays after two weeks, not after one; its history is its own."""
    folder = _folder(tmp_path)
    (one,), *_ = _live(folder, 1)
    assert one.verdict.standing.value == "undecided"
    (one,), runs, used, last = _live(folder, 3)
    assert one.verdict.standing.value == "pays"
    assert one.verdict.difference is not None
    assert one.verdict.difference.effect > 0.1
    assert one.saved is not None
    assert one.saved > 0
    assert all(run.golden_examples == 100 for run in runs)
    assert used > sum((run.input_tokens or 0) + (run.output_tokens or 0) for run in runs)
    page = Page("ticket-router", BEGAN_AT, [one], last, None, WEEK_S)
    assert headline(page).startswith("pays: +")
    assert "a month cheaper" in headline(page)
    assert headline(page) in html(page)
    assert "| A month: all |" in markdown(page)

    command("ticket-router", Format.MD, None, ask=False, config=folder / "goldwatch.yaml")
    assert "**pays: +" in capsys.readouterr().out
    out = folder / "page.html"
    command("ticket-router", Format.HTML, out, ask=False, config=folder / "goldwatch.yaml")
    assert out.read_text().startswith("<!doctype html>")


def test_an_equal_cheaper_model_ends_it(tmp_path) -> None:
    """A challenger that answers alike and costs less: it no longer pays."""
    (one,), *_ = _live(_folder(tmp_path), 2, other=TUNED_MODEL, usd=9.0)
    assert one.verdict.standing.value == "no_longer_pays"
    assert one.saved is not None
    assert one.saved < 0


def test_unreachable_is_not_worse(tmp_path) -> None:
    """A challenger that cannot be reached is neither better nor worse, and costs an unknown sum."""
    (one,), *_ = _live(_folder(tmp_path), 2, other_url="http://127.0.0.1:9/v1")
    assert one.verdict.standing.value == "undecided"
    assert one.verdict.difference is None
    assert one.means == (None, None)
    assert one.saved is None


@pytest.mark.parametrize("name", ["<script>alert(1)</script>"])
def test_hostile_names(name: str) -> None:
    """A name is shown, never run."""
    page = Page(name, BEGAN_AT, [], None, None, WEEK_S)
    assert "<script>" not in html(page)
    assert "<script>" not in markdown(page)


def test_the_comparison_that_justified_the_fine_tune_is_told_again(tmp_path, monkeypatch, capsys) -> None:
    """Base and tuned model are compared once, the file is kept, and the report says what was gained and when."""
    folder = _folder(tmp_path)
    monkeypatch.chdir(folder)
    _live(folder, 1)
    rows = [json.loads(line) for line in (folder / "golden.jsonl").read_text().splitlines()]
    for name, right in (("base", 40), ("tuned", 90)):
        said = [
            {"id": row["id"], "output": row["expected"] if i < right else "?", "at": BEGAN_AT}
            for i, row in enumerate(rows)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in said))
    assert (
        cli.run(["compare", "base.jsonl", "tuned.jsonl", "--target", "ticket-router", "--keep", "why.json"])
        == 0
    )
    path = folder / "goldwatch.yaml"
    path.write_text(path.read_text().replace("worth: {", "worth: {before_after: why.json, "))
    capsys.readouterr()
    command("ticket-router", Format.MD, None, ask=False, config=path)
    assert "Fine-tuned because: label 40.0% → 90.0%, +50.0 points (95% interval +" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no JSON"),
        ("[]", "findings are missing"),
        ('{"findings": []}', "says nothing of the scorer label"),
        (
            '{"findings": [{"check": "quality", "scorer": "label", "slice": "all", "baseline": "x"}]}',
            "baseline, current or effect is no number",
        ),
    ],
)
def test_a_kept_comparison_that_is_none_is_refused(text: str, says: str, tmp_path: Path) -> None:
    """The file and what it lacks are named."""
    path = tmp_path / "why.json"
    path.write_text(text)
    with pytest.raises(UserError, match=f"why.json: .*{says}"):
        read_before_after(path, "label", "sha256:0")
