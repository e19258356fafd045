"""How does a CI system read a result? JUnit XML, GitHub's step summary and GitHub's annotations.

All three are made from the contract's JSON object (one per run or comparison, see ``service/report.py``), so that
``run`` and ``compare`` share them. They hold scorers' reasons, and these quote model output: every text is made
harmless first (:func:`service.text.safe`), then escaped for where it goes.

An inconclusive *finding* is a skipped test, an inconclusive *run* is a test that ended in an error: a result in
which nothing was measured must not look like one in which everything passed.

References: the JUnit schema of the Ant task and Jenkins' xunit plug-in; GitHub, *Workflow commands for GitHub
Actions* and the escaping of its ``@actions/core``; GitHub Flavored Markdown.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from checks.types import Verdict
from service import wording
from service.text import safe

Result = Mapping[str, Any]
"""One run or comparison as ``run --json`` and ``compare --json`` print it."""

ROWS = 40
"""A step summary shows so many findings per result; GitHub takes 1 MiB per step."""

ANNOTATIONS = 10
"""GitHub shows no more annotations of one level per step."""

_TEXT_CHARS = 500
_SIGNS = {
    Verdict.REGRESSED: "🔴",
    Verdict.INCONCLUSIVE: "⚪",
    Verdict.SUSPECT: "🟠",
    Verdict.IMPROVED: "🟢",
    Verdict.LEARNING: "🔵",
    Verdict.OK: "🟢",
}
_ORDER = (
    Verdict.REGRESSED,
    Verdict.SUSPECT,
    Verdict.IMPROVED,
    Verdict.INCONCLUSIVE,
    Verdict.LEARNING,
    Verdict.OK,
)
_COUNTS = ("tests", "failures", "errors", "skipped")
_SKIPPED = frozenset({Verdict.INCONCLUSIVE, Verdict.LEARNING})
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~!&$^\"']|:(?=//)|(?<=www)\.", re.IGNORECASE)


def junit(results: Sequence[Result]) -> str:
    """JUnit XML: one test suite per result, one test case per finding and one, ``run``, for the whole.

    A regressed finding is a failure; an inconclusive or learning one is skipped. ``run`` ends in an error where the
    result is inconclusive, and fails where it is regressed although no finding of its own is (an earlier
    regression stands).
    """
    suites = [_suite(result) for result in results]
    totals = [sum(counts[i] for _, counts in suites) for i in range(len(_COUNTS))]
    attributes = _attributes({"name": "goldwatch"} | dict(zip(_COUNTS, totals, strict=True)))
    body = "".join(text for text, _ in suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites{attributes}>\n{body}</testsuites>\n'


def github_step_summary(results: Sequence[Result]) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``: a heading, the reason and a table of findings per result."""
    return "\n".join(_section(result) for result in results)


def github_annotations(results: Sequence[Result]) -> list[str]:
    """Workflow commands, one a line, to print on standard output.

    Regressions are errors, what could not be measured and suspects are warnings, improvements notices. There are at
    most 10 of each level; the last one of a level that has more counts the others.
    """
    commands: dict[str, list[tuple[str, str]]] = {"error": [], "warning": [], "notice": []}
    for result in results:
        target = _target(result)
        verdict = Verdict(result["verdict"]) if result.get("verdict") else None
        regressed = _of(result, Verdict.REGRESSED)
        commands["error"] += [(f"{target}: regressed", _sentence(finding)) for finding in regressed]
        if verdict is Verdict.REGRESSED and not regressed:
            commands["error"].append((f"{target}: regressed", _reason(result) or "the regression stands"))
        if verdict is Verdict.INCONCLUSIVE:
            why = _reason(result) or "the model could not be measured"
            commands["warning"].append((f"{target}: could not measure", why))
        if verdict is Verdict.SUSPECT:
            why = _reason(result) or "one bad run, not yet confirmed by a second"
            commands["warning"].append((f"{target}: suspect", why))
        commands["notice"] += [
            (f"{target}: improved", _sentence(finding)) for finding in _of(result, Verdict.IMPROVED)
        ]
    return [
        f"::{level} title={_property(title)}::{_data(message)}"
        for level, told in commands.items()
        for title, message in _capped(level, told)
    ]


def _capped(level: str, told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(told) <= ANNOTATIONS:
        return told
    left = len(told) - ANNOTATIONS + 1
    return [*told[: ANNOTATIONS - 1], ("goldwatch", f"{left} more at level {level}: see the step summary")]


def _of(result: Result, verdict: Verdict) -> list[Mapping[str, Any]]:
    return [finding for finding in _sorted(result) if finding.get("verdict") == verdict]


def _sorted(result: Result) -> list[Mapping[str, Any]]:
    """The findings, what matters most first: by verdict, the whole before its slices, the largest effect."""
    return sorted(
        result.get("findings") or (),
        key=lambda f: (
            _ORDER.index(Verdict(f["verdict"])),
            f.get("slice") not in (None, "all"),
            -abs(f.get("effect") or 0.0),
        ),
    )


def _target(result: Result) -> str:
    return safe(str(result.get("target") or "comparison"), 80)


def _reason(result: Result) -> str:
    return safe(str(result.get("reason") or ""), _TEXT_CHARS)


def _sentence(finding: Mapping[str, Any]) -> str:
    """One finding in a sentence of plain, harmless text."""
    parts = [f"{wording.subject(finding)} {wording.happened(finding)}"]
    if finding.get("effect") is not None:
        ends = wording.interval(finding)
        parts.append(wording.change(finding) + (f" (95% CI {ends})" if ends else ""))
    parts += [sure for sure in (_evidence(finding),) if sure != wording.UNKNOWN]
    if finding.get("reason"):
        parts.append(str(finding["reason"]))
    return safe("; ".join(parts), _TEXT_CHARS)


def _evidence(finding: Mapping[str, Any]) -> str:
    """A comparison's threshold is alpha and its evidence a p-value; a run's threshold is 1 and evidence pages there."""
    evidence, threshold = finding.get("evidence"), finding.get("threshold")
    if evidence is None:
        return wording.UNKNOWN
    if threshold is not None and threshold != 1:
        shown = "< 0.0001" if evidence < 0.0001 else f"= {evidence:.2g}"
        return f"p {shown} (alpha {threshold:g})"
    return f"{evidence:.2g}× the paging threshold"


def _suite(result: Result) -> tuple[str, tuple[int, int, int, int]]:
    target, findings = _target(result), list(result.get("findings") or ())
    verdict = Verdict(result["verdict"]) if result.get("verdict") else None
    outcomes = [_outcome(finding) for finding in findings]
    whole = _whole(verdict, result, failed=any(kind == "failure" for kind, _ in outcomes))
    cases = [_case(target, "run", *whole)]
    cases += [
        _case(target, f"{finding.get('check')} {wording.subject(finding)}", *outcome)
        for finding, outcome in zip(findings, outcomes, strict=True)
    ]
    kinds = [whole[0], *(kind for kind, _ in outcomes)]
    counts = (len(cases), kinds.count("failure"), kinds.count("error"), kinds.count("skipped"))
    started_at = result.get("started_at")
    attributes = {"name": target} | dict(zip(_COUNTS, counts, strict=True))
    if started_at is not None:
        attributes["timestamp"] = datetime.fromtimestamp(started_at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    golden = result.get("golden") or {}
    facts = {"run": result.get("run"), "verdict": verdict, "golden": golden.get("digest")}
    properties = "".join(
        f"      <property{_attributes({'name': name, 'value': value})}/>\n"
        for name, value in facts.items()
        if value is not None
    )
    held = f"    <properties>\n{properties}    </properties>\n" if properties else ""
    return f"  <testsuite{_attributes(attributes)}>\n{held}{''.join(cases)}  </testsuite>\n", counts


def _whole(verdict: Verdict | None, result: Result, *, failed: bool) -> tuple[str | None, str]:
    if verdict is None or verdict is Verdict.INCONCLUSIVE:
        return "error", _reason(result) or "could not be measured"
    if verdict is Verdict.REGRESSED and not failed:
        return "failure", _reason(result) or "an earlier regression stands"
    return None, ""


def _outcome(finding: Mapping[str, Any]) -> tuple[str | None, str]:
    verdict = finding.get("verdict")
    if verdict == Verdict.REGRESSED:
        return "failure", _sentence(finding)
    if verdict in _SKIPPED:
        return "skipped", safe(str(finding.get("reason") or verdict), _TEXT_CHARS)
    return None, ""


def _case(target: str, name: str, kind: str | None, message: str) -> str:
    start = f"    <testcase{_attributes({'classname': target, 'name': name})}"
    if kind is None:
        return f"{start}/>\n"
    about = {"message": message} if kind == "skipped" else {"message": message, "type": _TYPES[kind]}
    return f"{start}>\n      <{kind}{_attributes(about)}/>\n    </testcase>\n"


_TYPES = {"failure": "regressed", "error": "inconclusive"}


def _attributes(values: Mapping[str, object]) -> str:
    """Attributes for an XML tag. ``safe`` leaves nothing that XML 1.0 cannot hold."""
    return "".join(f' {name}="{html.escape(safe(str(value)))}"' for name, value in values.items())


def _section(result: Result) -> str:
    verdict = Verdict(result["verdict"]) if result.get("verdict") else None
    sign = _SIGNS[verdict] if verdict else "⚪"
    lines = [f"### {sign} {_markdown(_target(result))}: {verdict or 'not judged'}", ""]
    if reason := _reason(result):
        lines += [_markdown(reason), ""]
    findings = _sorted(result)
    if findings:
        lines += [
            "| | check | what | before | now | change (95% CI) | how sure | reason |",
            "|---|---|---|--:|--:|--:|---|---|",
            *(_row(finding) for finding in findings[:ROWS]),
            "",
        ]
    if len(findings) > ROWS:
        lines += [f"... and {len(findings) - ROWS} more findings", ""]
    if facts := list(_facts(result)):
        lines += [" · ".join(facts), ""]
    return "\n".join(lines)


def _row(finding: Mapping[str, Any]) -> str:
    ends = wording.interval(finding)
    cells = [
        f"{_SIGNS[Verdict(finding['verdict'])]} {finding['verdict']}",
        _markdown(safe(str(finding.get("check")), 40)),
        _markdown(safe(wording.subject(finding), 80)),
        wording.value(finding, finding.get("baseline")),
        wording.value(finding, finding.get("current")),
        wording.change(finding) + (f" ({ends})" if ends else ""),
        _markdown(_evidence(finding)),
        _markdown(safe(str(finding.get("reason") or ""), 200)),
    ]
    return f"| {' | '.join(cells)} |"


def _facts(result: Result) -> Iterable[str]:
    requests = result.get("requests") or {}
    ok, failed = requests.get("ok"), requests.get("failed")
    if ok is not None and failed is not None:
        yield f"measured {ok}/{ok + failed}"
    tokens = result.get("tokens") or {}
    if tokens.get("input") is not None and tokens.get("output") is not None:
        yield f"{tokens['input'] + tokens['output']:,} tokens"
    if result.get("cost_usd") is not None:
        yield f"&#36;{result['cost_usd']:.2f}"
    if result.get("run") is not None:
        yield f"run {_markdown(safe(str(result['run']), 40))}"


def _markdown(text: str) -> str:
    r"""Text that Markdown shows as it stands: no table cell, link, HTML, formula or mention comes of it.

    >>> _markdown("a|b <i> @team")
    'a&#124;b &#60;i&#62; @&#8203;team'
    """
    return _MARKDOWN.sub(lambda m: f"&#{ord(m[0])};", text).replace("@", "@&#8203;")


def _data(text: str) -> str:
    r"""A workflow command's message.

    >>> _data("90%\nnow")
    '90%25%0Anow'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A workflow command's property.

    >>> _property("a: b, c")
    'a%3A b%2C c'
    """
    return _data(text).replace(":", "%3A").replace(",", "%2C")
