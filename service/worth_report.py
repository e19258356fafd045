"""Does the fine-tune still pay, on one page? The page that a manager reads, as Markdown and as HTML to print. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from checks.worth import Cost, Standing, overall
from service.before_after import BeforeAfter
from service.challengers import Beside
from service.records import RunRecord
from service.retirement import Retirement, days_left
from service.text import safe

_WORDS = {Standing.PAYS: "pays", Standing.NO_LONGER_PAYS: "no longer pays", Standing.UNDECIDED: "undecided"}
_ORDER = (Standing.NO_LONGER_PAYS, Standing.UNDECIDED, Standing.PAYS)
_UNKNOWN = "unknown"
_CSS = """
body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
h1{font-size:1.5rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #bbb}td+td,th+th{text-align:right}
.headline{font-size:1.25rem;font-weight:600}
@page{size:A4;margin:18mm}@media print{body{margin:0;max-width:none}section{break-inside:avoid}}
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page says.

    ``last`` is the last finished run, None before the first; ``before_after`` the comparison that justified the
    fine-tune, where one was kept.
    """

    target: str
    now: float
    besides: Sequence[Beside]
    last: RunRecord | None
    retires: Retirement | None
    every_s: float
    before_after: BeforeAfter | None = None


def headline(page: Page) -> str:
    """The one line: ``pays: +4.1 points, $310 a month cheaper; retires in 52 days``."""
    if not page.besides:
        said = "undecided: no challenger is configured"
    else:
        whole = overall([b.verdict.standing for b in page.besides])
        worst = min(page.besides, key=lambda b: (_ORDER.index(b.verdict.standing), _effect(b)))
        parts = [] if worst.verdict.difference is None else [f"{100 * _effect(worst):+.1f} points"]
        if worst.saved is not None:
            parts.append(_saved(worst))
        if whole is Standing.UNDECIDED:
            parts.append(worst.verdict.reason)
        said = f"{_WORDS[whole]}: {', '.join(parts) or worst.verdict.reason}"
        if len(page.besides) > 1:
            said += f" (beside {worst.challenger})"
    if page.retires is None:
        return said
    left = days_left(page.retires.at, page.now)
    return f"{said}; " + (f"retires in {left} day{'' if left == 1 else 's'}" if left > 0 else "retired")


def markdown(page: Page) -> str:
    """The page as Markdown."""
    lines = [f"# {_md(page.target)}: does it still pay?", "", f"**{_md(headline(page))}**", ""]
    lines += [*(f"- {_md(fact)}" for fact in _facts(page)), ""]
    for one in page.besides:
        lines += [f"## Beside {_md(one.challenger)} ({_md(one.model)})", "", _md(_sentence(one)), ""]
        lines += [f"| | {_md(page.target)} | {_md(one.challenger)} |", "|---|---:|---:|"]
        lines += [f"| {name} | {mine} | {theirs} |" for name, mine, theirs in _rows(one)]
        lines.append("")
    return "\n".join([*lines, _foot(page), ""])


def html(page: Page) -> str:
    """The page as one HTML file without scripts or outside parts, laid out for printing."""
    title = escape(safe(page.target, 64))
    parts = [
        f"<h1>{title}: does it still pay?</h1>",
        f'<p class="headline">{escape(safe(headline(page), 400))}</p>',
        "<ul>" + "".join(f"<li>{escape(safe(fact, 400))}</li>" for fact in _facts(page)) + "</ul>",
    ]
    for one in page.besides:
        name = escape(safe(one.challenger, 64))
        rows = "".join(
            f"<tr><th>{escape(what)}</th><td>{escape(mine)}</td><td>{escape(theirs)}</td></tr>"
            for what, mine, theirs in _rows(one)
        )
        parts.append(
            f"<section><h2>Beside {name} ({escape(safe(one.model, 120))})</h2><p>{escape(_sentence(one))}</p>"
            f"<table><tr><th></th><th>{title}</th><th>{name}</th></tr>{rows}</table></section>"
        )
    parts.append(f"<p>{escape(_foot(page))}</p>")
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_CSS}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _effect(one: Beside) -> float:
    return 0.0 if one.verdict.difference is None else one.verdict.difference.effect


def _saved(one: Beside) -> str:
    usd = one.saved or 0.0
    per = "a month" if one.by_month else "per 1,000 requests"
    if usd == 0.0:
        return "at the same cost"
    return f"{_usd(abs(usd))} {per} {'cheaper' if usd > 0 else 'dearer'}"


def _sentence(one: Beside) -> str:
    said = f"{_WORDS[one.verdict.standing]}: {one.verdict.reason}."
    found = one.verdict.difference
    if found is None:
        return said.capitalize()
    low, high = (100 * end for end in found.interval)
    many = f"{one.comparisons} comparison{'' if one.comparisons == 1 else 's'}"
    return (
        f"{said[0].upper()}{said[1:]} The difference is {100 * found.effect:+.1f} points "
        f"({low:+.1f} to {high:+.1f}), over {many} of {found.examples} examples."
    )


def _rows(one: Beside) -> list[tuple[str, str, str]]:
    mine, theirs = one.costs
    score = [_UNKNOWN if mean is None else f"{100 * mean:.1f}" for mean in one.means]
    return [
        ("Mean score, of 100", score[0], score[1]),
        ("Latency, median", _seconds(one.p50_s[0]), _seconds(one.p50_s[1])),
        ("Latency, 95th percentile", _seconds(one.p95_s[0]), _seconds(one.p95_s[1])),
        ("1,000 requests, tokens", _usd(mine.tokens_per_1k), _usd(theirs.tokens_per_1k)),
        ("A month: tokens", _usd(mine.tokens), _usd(theirs.tokens)),
        ("A month: hosting", _usd(mine.hosting), _usd(theirs.hosting)),
        ("A month: training", _usd(mine.training), _usd(theirs.training)),
        ("A month: all", _month(mine), _month(theirs)),
    ]


def _month(bill: Cost) -> str:
    return _usd(bill.month)


def _usd(usd: float | None) -> str:
    if usd is None:
        return _UNKNOWN
    return f"${usd:,.0f}" if usd >= 100 or usd == 0 else f"${usd:,.2f}" if usd >= 0.01 else f"${usd:.2g}"


def _seconds(seconds: float | None) -> str:
    return _UNKNOWN if seconds is None else f"{seconds:.3g} s"


def _facts(page: Page) -> list[str]:
    last = page.last
    if last is None or last.verdict is None:
        facts = ["No run has finished yet."]
    else:
        reason = f" ({last.reason})" if last.reason else ""
        facts = [f"Last run {last.id}, {_time(last.started_at)}: {last.verdict.value}{reason}"]
    if page.before_after is not None:
        facts.append(f"{page.before_after.words}.")
    if page.retires is not None:
        facts.append(f"The model is switched off on {page.retires.day}, says the {page.retires.said_by}.")
    return facts


def _foot(page: Page) -> str:
    return (
        f"As of {_time(page.now)}. Challengers are asked every {page.every_s / 86_400:g} days. The intervals hold at "
        "every look together: the probability that one of them is ever wrong is at most 5%."
    )


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _md(text: str) -> str:
    cleaned = safe(text, 400).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\`*[]|" else c for c in cleaned)
