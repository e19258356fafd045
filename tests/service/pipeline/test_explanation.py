"""How a stored verdict came about, from the store of a real watch."""

from __future__ import annotations

import asyncio
import json
from xml.etree import ElementTree as ET

import pytest

from checks.types import Verdict
from service.cli import run
from service.cli.render.console import console
from service.cli.render.streams import Streams
from service.demo.endpoint import Fault, FaultKind
from service.explain_svg import drawing
from service.explanation import explanation_object, explanation_of


async def _story(bench) -> None:
    """Learning, healthy, suspect and regressed, dark while regressed, resolved."""
    for _ in range(9):
        await bench.hour()
    bench.endpoint.drop_adapter()
    for _ in range(2):
        await bench.hour()
    bench.endpoint.fault = Fault(FaultKind.OUTAGE)
    await bench.hour()
    bench.endpoint.fault = None
    bench.endpoint.restore()
    for _ in range(4):
        await bench.hour()


_TOLD: list = []
"""The story is a minute of real requests: it is lived once."""


@pytest.fixture
def story(watch):
    """Every run of a whole story, told; and the store's own record of it."""

    async def told():
        async with watch() as bench:
            await _story(bench)
            runs = bench.store.runs(bench.target.name, limit=None)
            return [explanation_of(bench.store, bench.target, run) for run in reversed(runs)]

    if not _TOLD:
        _TOLD.extend(asyncio.run(told()))
    return _TOLD


def test_the_explanation_agrees_with_what_was_stored(story) -> None:
    """Verdict, findings and evidence of every run, in every state, are those of the store."""
    seen = set()
    for told in story:
        step = told.explanation.steps[-1]
        assert told.agrees
        assert (step.verdict, step.reason) == (told.run.verdict, told.run.reason)
        assert step.findings == told.run.findings
        seen.add(step.verdict)
        for mine in step.scorers:
            stored = [
                f.evidence
                for f in told.run.findings
                if (f.check, f.scorer, f.slice) == ("quality", mine.scorer, "all")
            ]
            if mine.streams and stored and stored[0] is not None and step.verdict is Verdict.OK:
                shown = sum(t.evidence for t in mine.streams if "=" not in t.stream)
                assert shown == pytest.approx(stored[0], rel=1e-6)
    assert {Verdict.LEARNING, Verdict.OK, Verdict.SUSPECT, Verdict.REGRESSED, Verdict.INCONCLUSIVE} <= seen


def test_a_drop_names_its_onset_its_page_and_its_movers(story) -> None:
    """The first bad run, the run that paged, and examples that fell."""
    told = [t for t in story if t.run.reason and t.run.reason.startswith("label 96.0%")][-1]
    assert told.run.verdict is Verdict.REGRESSED
    (label,) = told.explanation.scorers
    assert label.onset_run == 10
    assert label.onset_run in label.onset_set
    assert label.paged_run == 11
    assert label.movers
    assert all(m.moved < 0 and told.ids[m.example] for m in label.movers)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits_the_width(story, width: int) -> None:
    """No line is wider than the terminal, however narrow."""
    for told in story:
        on = console(width=width)
        with on.capture() as captured:
            on.print(Streams(told))
        assert all(len(line) <= width for line in captured.get().splitlines())


def test_ascii_is_enough(story, tmp_path) -> None:
    """A terminal that encodes nothing but ASCII gets plots all the same."""
    path = tmp_path / "out"
    with path.open("w", encoding="ascii") as file:
        console(width=80, file=file).print(Streams(story[-1]))
    assert "how it came about" in path.read_text("ascii")


def test_the_drawing_is_one_valid_file_and_escapes(story) -> None:
    """Well-formed XML with a title and a description, without scripts or links, whatever a target is called."""
    for told in story:
        text = drawing(told, 'x<script>alert("&\x1b')
        root = ET.fromstring(text)  # made here
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
        assert "<script" not in text
        assert "href" not in text
        assert "nan" not in text


def test_the_command_prints_draws_and_answers_programs(watch, tmp_path, capsys) -> None:
    """Words, plots, SVG and JSON in one go, from the first run on."""

    async def begun():
        async with watch() as bench:
            for _ in range(2):
                await bench.hour()

    asyncio.run(begun())
    config = str(tmp_path / "goldwatch.yaml")
    assert run(["explain", "ticket-router", "-c", config, "--svg", str(tmp_path / "x.svg")]) == 0
    assert "how it came about" in capsys.readouterr().out
    assert (tmp_path / "x.svg").read_text("utf-8").startswith("<svg")
    assert run(["explain", "ticket-router", "-c", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["explanation"]["judged_runs"] == 2


def test_programs_get_all_of_it(story) -> None:
    """The object is JSON without NaN, and says who confirmed whom."""
    plain = json.loads(json.dumps(explanation_object(story[-1]), allow_nan=False))
    assert [s["run"] for s in plain["steps"]] == [t.run.id for t in story]
    assert any(s["confirms"] for s in plain["steps"])
    assert {"stream", "evidence", "factor", "surprise_sd"} == set(
        plain["steps"][-1]["scorers"][0]["streams"][0]
    )
