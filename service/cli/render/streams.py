"""How did the verdict come about, on a terminal? Scores against the baseline, evidence stream by stream, run by run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from checks.explanation import ScorerStep, ScorerStory, Step, Stream, series
from checks.types import ALL, Verdict
from service.cli.render.plot import evidence_line, score_rows
from service.cli.render.words import MINUS, percent
from service.explanation import Told
from service.text import safe

_LABEL = 22
_FIGURE = 9
_ROWS = 6
_SLICES = 8


@dataclass(frozen=True, slots=True)
class Streams:
    """The explanation of one run, fitted to the width; ASCII where nothing else can be encoded."""

    told: Told

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Scores, evidence, contributions, onset, examples; one block per scorer, then the other checks."""
        del console
        for part in self._drawn(options):
            yield _ascii(part) if options.ascii_only and isinstance(part, Text) else part

    def _drawn(self, options: ConsoleOptions) -> Iterator[Text | Table]:
        plain = options.ascii_only
        width = max(options.max_width - _LABEL - _FIGURE - 3, 20)
        steps = self.told.explanation.steps[-width:]
        wide = max(min(width // len(steps), 3), 1)
        span = f"runs {steps[0].run} to {steps[-1].run}" if len(steps) > 1 else f"run {steps[0].run}"
        yield Text.assemble(
            ("how it came about", "bold"), (f"   {span}, oldest first; evidence of 1 pages", "dim")
        )
        if not self.told.agrees:
            yield Text(
                "  the configuration has changed since: judged anew, this run's verdict is another", "yellow"
            )
        for story in self.told.explanation.scorers:
            yield Text()
            yield from self._scorer(story, steps, wide, plain)
        others = list(_others(self.told, len(steps)))
        if others:
            yield Text()
            yield Text("other checks", style="bold")
            for name, values in others:
                yield _line(name, evidence_line(values, wide=wide, plain=plain), values[-1])

    def _scorer(
        self, story: ScorerStory, steps: Sequence[Step], wide: int, plain: bool
    ) -> Iterator[Text | Table]:
        own = [next(s for s in step.scorers if s.scorer == story.scorer) for step in steps]
        yield Text(safe(story.scorer, 64), style="bold")
        bad = [s.verdict in (Verdict.REGRESSED, Verdict.SUSPECT) for s in steps]
        for label, cells in score_rows(
            [s.mean for s in own], band=story.band, bad=bad, wide=wide, plain=plain
        ):
            yield Text(f"  {label:>{_LABEL - 2}} ").append_text(cells)
        if any(s.mean is None for s in own):
            yield Text(f"{'':{_LABEL}} {'x' if plain else '×'}: not measured", style="dim")
        for name in _shown(own):
            values = [_evidence(s, name) for s in own]
            title = "headline" if name == ALL else name
            yield _line(title, evidence_line(values, wide=wide, plain=plain), values[-1])
        if story.onset_run is not None:
            yield Text(f"  since     {_since(story, plain)}")
        if believed := _believed(own):
            yield Text(f"  noise     {believed}", style="dim")
        if (table := self._contributions(own, steps, plain)) is not None:
            yield Text()
            yield table
        if story.movers:
            yield Text()
            yield from self._moved(story)

    def _contributions(self, own: Sequence[ScorerStep], steps: Sequence[Step], plain: bool) -> Table | None:
        rows = [(s, step) for s, step in zip(own, steps, strict=True) if s.streams or s.mean is None][-_ROWS:]
        if not any(s.streams for s, _ in rows):
            return None
        table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("  run", no_wrap=True)
        table.add_column("score", justify="right", no_wrap=True)
        table.add_column("evidence", justify="right", no_wrap=True)
        table.add_column("what the run added", overflow="fold")
        for mine, step in rows:
            if not mine.streams:
                table.add_row(f"  {step.run}", "-", "-", "not measured: evidence stays as it was")
                continue
            whole = sum(t.evidence for t in mine.streams)
            added = Text(self._added(mine, step))
            table.add_row(
                f"  {step.run}", percent(mine.mean), figure(whole), _ascii(added) if plain else added
            )
        return table

    def _added(self, mine: ScorerStep, step: Step) -> str:
        said = []
        if step.run in self.told.confirms:
            said.append("a confirmation")
        headline = mine.streams[0]
        if headline.surprise is not None:
            side = "below" if headline.surprise >= 0 else "above"
            said.append(f"{abs(headline.surprise):.1f} sd {side} expectation")
        told = [t for t in mine.streams if t.factor is not None and t.factor >= 2.0]
        told.sort(key=lambda t: -(t.factor or 0.0))
        said += [f"{_name(t)} x{_factor(t.factor)}" for t in told[:2]]
        if headline.factor is None:
            said.append("the regression stands: no more evidence is gathered")
        elif not told:
            said.append("nothing bad")
        if headline.factor is None:
            return "; ".join(said)
        if mine.alone:
            said.append("as bad as one run may count; alone it does not page")
        elif mine.capped:
            said.append("as bad as one run may count; it agrees with the run before")
        return "; ".join(said)

    def _moved(self, story: ScorerStory) -> Iterator[Text]:
        over = "this run" if story.moved_runs == 1 else f"{story.moved_runs} runs"
        yield Text(f"  moved most, over {over}: expected score, and what came", style="dim")
        for mover in story.movers[:5]:
            now = "-" if mover.now is None else f"{mover.now:.2f}"
            yield Text(f"    {safe(self.told.ids[mover.example], 24):<24}  {mover.expected:.2f} -> {now}")


def _ascii(text: Text) -> Text:
    """The same with every other character as a question mark, styles kept."""
    text.plain = text.plain.replace(MINUS, "-").encode("ascii", "replace").decode("ascii")
    return text


def figure(value: float | None) -> str:
    """Evidence in few digits.

    >>> figure(0.0312), figure(41.3), figure(2e-7), figure(None)
    ('0.031', '41', '<0.0001', '-')
    """
    if value is None:
        return "-"
    if value < 1e-4:
        return "<0.0001"
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}" if value < 1e6 else f"{value:.0e}"


def _factor(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}" if value < 1e6 else " more than a million"


def _line(name: str, drawn: Text, last: float | None) -> Text:
    label = f"  {safe(name, _LABEL - 3):<{_LABEL - 2}} "
    return Text(label).append_text(drawn).append(f"  {figure(last)}", style="dim")


def _name(stream: Stream) -> str:
    return "headline" if stream.stream == ALL else safe(stream.stream, 40)


def _believed(own: Sequence[ScorerStep]) -> str | None:
    """Which models of the noise were believed at the last run that was judged."""
    known = next((s.believed for s in reversed(own) if s.believed), None)
    if known is None:
        return None
    ranked = sorted(known.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {weight:.0%}" for name, weight in ranked if weight >= 0.1)


def _shown(own: Sequence[ScorerStep]) -> list[str]:
    """The headline, rare failures, and the slices that showed most."""
    most: dict[str, float] = {}
    for step in own:
        for stream in step.streams:
            most[stream.stream] = max(most.get(stream.stream, 0.0), stream.evidence)
    if not most:
        return []
    names = list(most)
    slices = sorted((n for n in names if "=" in n), key=lambda n: -most[n])
    return [n for n in names if "=" not in n] + slices[:_SLICES]


def _evidence(mine: ScorerStep, name: str) -> float | None:
    return next((t.evidence for t in mine.streams if t.stream == name), None)


def _since(story: ScorerStory, plain: bool) -> str:
    said = f"run {story.onset_run}, most probably"
    if len(story.onset_set) > 1:
        dash = "to" if plain else "…"
        first, last = story.onset_set[0], story.onset_set[-1]
        said += f"; 90% sure within runs {first} {dash} {last} ({len(story.onset_set)} runs)"
    elif story.onset_set:
        said += "; 90% sure"
    if story.paged_run is not None:
        lead = "headline" if story.led_by == ALL else safe(story.led_by or "", 40)
        said += f". Run {story.paged_run} paged, led by {lead}"
    return said


def _others(told: Told, last: int) -> Iterator[tuple[str, list[float | None]]]:
    """The evidence of every other check that has some, over all examples and by label."""
    keys = {
        (f.check, f.scorer, f.slice): None
        for step in told.explanation.steps
        for f in step.findings
        if f.check != "quality" and f.evidence is not None
    }
    for check, scorer, name in keys:
        known = scorer is not None and check == "output_shift"
        parts = ["" if known else check.replace("_", " "), scorer or "", "" if name == ALL else name]
        yield " ".join(p for p in parts if p), series(told.explanation, check, scorer, name)[-last:]
