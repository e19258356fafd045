"""Does a CI system read what happened, whatever a model said?"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from checks.types import Verdict
from service.summary import github_annotations, github_step_summary, junit

HOSTILE = [
    "a|b\n| injected | row |",
    "<script>alert(1)</script>",
    "[click](https://evil.example) ![x](https://evil.example/x.png)",
    "`code` **bold** _it_ ~~no~~ $x^2$ # head",
    "https://evil.example www.evil.example @everyone a@b.example",
    "::error title=x::y",
    "%0A::error::injected\r\n::warning::z",
    "\x00\x01\x1b[31m\x9b\ud800\ufffe\uffff\u202e\u2028\x85",
    "]]> &amp; &#0; \"quotes' <!-- <![CDATA[",
    "x" * 100_000,
    "\\| \\` \\<b>",
]


def finding(verdict="regressed", **more):
    return {
        "check": "quality",
        "scorer": "label",
        "slice": "all",
        "verdict": verdict,
        "evidence": 41.0,
        "threshold": 1.0,
        "effect": -0.128,
        "interval": [-0.164, -0.091],
        "baseline": 0.943,
        "current": 0.815,
        "onset_run": 1413,
        "reason": None,
    } | more


def result(verdict="regressed", findings=None, **more):
    return {
        "target": "ticket-router",
        "run": 1413,
        "scheduled_at": None,
        "started_at": 1794625200.0,
        "golden": {"digest": "sha256:ab", "version": 1, "examples": 400},
        "verdict": verdict,
        "reason": "label fell",
        "scores": [],
        "findings": [finding()] if findings is None else findings,
        "requests": {"ok": 400, "failed": 0, "retried": 2},
        "tokens": {"input": 150000, "output": 11000},
        "cost_usd": 0.06,
    } | more


COMPARED = result(
    run=None,
    started_at=None,
    target=None,
    cost_usd=None,
    tokens={"input": None, "output": None},
    findings=[
        finding(slice="subset=prime", evidence=1.2e-9, threshold=0.05, effect=-0.952, reason="476 of 500 pairs differ"),
        finding("improved", slice="subset=composite", evidence=0.0031, threshold=0.05, effect=0.294),
        finding("inconclusive", slice="k=thin", evidence=None, threshold=0.05, reason="only 3 pairs"),
    ],
)  # fmt: skip


def suites(*results):
    return ET.fromstring(junit(results))


def cells(markdown):
    """The table's rows as a Markdown reader shows them."""
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(markdown)
    rows, row = [], None
    for token in tokens:
        if token.type == "tr_open":
            row = []
        elif token.type == "inline" and row is not None:
            row.append("".join(c.content for c in token.children))
        elif token.type == "tr_close":
            rows.append(row)
            row = None
    return tokens, rows


def test_junit_tells_each_finding_and_the_whole():
    """One suite per result, one case per finding and one for the run; counts add up."""
    root = suites(
        result(),
        result("ok", [finding("ok"), finding("learning", slice="lang=de", reason="3 of 10 baseline runs")]),
    )
    assert root.attrib == {"name": "goldwatch", "tests": "5", "failures": "1", "errors": "0", "skipped": "1"}
    first, second = root
    assert first.attrib == {
        "name": "ticket-router", "tests": "2", "failures": "1", "errors": "0", "skipped": "0",
        "timestamp": "2026-11-14T03:00:00",
    }  # fmt: skip
    assert [c.get("name") for c in first.iter("testcase")] == ["run", "quality label"]
    failure = first.find("testcase/failure")
    assert failure.attrib == {
        "type": "regressed",
        "message": "label fell from 94.3% to 81.5%; −12.8 points (95% CI −16.4 to −9.1); 41× the paging threshold",
    }
    assert [(c.get("name"), [k.tag for k in c]) for c in second.iter("testcase")] == [
        ("run", []),
        ("quality label", []),
        ("quality label lang=de", ["skipped"]),
    ]
    assert second.find("testcase/skipped").get("message") == "3 of 10 baseline runs"
    assert {p.get("name"): p.get("value") for p in first.iter("property")} == {
        "run": "1413", "verdict": "regressed", "golden": "sha256:ab",
    }  # fmt: skip


def test_an_unmeasured_run_is_an_error_and_not_a_pass():
    """With every finding skipped the suite still ends in an error, so a gate does not read it as passed."""
    skipped = [finding("inconclusive", evidence=None, effect=None, interval=None, reason="not measured")]
    (suite,) = suites(result("inconclusive", skipped, reason="8 of 400 answered"))
    assert (suite.get("errors"), suite.get("failures"), suite.get("skipped")) == ("1", "0", "1")
    assert suite.find("testcase/error").attrib == {"message": "8 of 400 answered", "type": "inconclusive"}
    (silent,) = suites(result("inconclusive", [], reason=None))
    assert silent.get("errors") == "1"


def test_a_standing_regression_fails_without_a_finding():
    """A run that is regressed because its alert stands fails, though no finding of its own does."""
    (suite,) = suites(result("regressed", [finding("ok")], reason="since run 1400"))
    assert suite.find("testcase/failure").get("message") == "since run 1400"
    assert suite.get("failures") == "1"


def test_no_result_is_still_xml():
    """An empty list gives an empty, well-formed document."""
    assert suites().get("tests") == "0"


def test_a_comparison_tells_p_values():
    """Where the threshold is alpha, evidence is told as a p-value and not as a multiple."""
    text = github_step_summary([COMPARED])
    assert "p &#60; 0.0001 (alpha 0.05)" in text
    assert "p = 0.0031 (alpha 0.05)" in text
    assert "paging" not in text + "".join(github_annotations([COMPARED])) + junit([COMPARED])


def test_the_step_summary_shows_what_matters_first():
    """A heading with the verdict, the reason, then findings: regressions before what could not be measured."""
    text = github_step_summary([result(findings=[finding("ok", slice="lang=en"), finding()])])
    assert text.startswith("### 🔴 ticket-router: regressed\n\nlabel fell\n")
    _, rows = cells(text)
    assert rows[1] == [
        "🔴 regressed", "quality", "label", "94.3%", "81.5%", "−12.8 points (−16.4 to −9.1)",
        "41× the paging threshold", "",
    ]  # fmt: skip
    assert rows[2][:3] == ["🟢 ok", "quality", "label lang=en"]
    assert "measured 400/400 · 161,000 tokens · &#36;0.06 · run 1413" in text


def test_what_is_unknown_is_left_out():
    """No null shows as a number, and nothing is said of costs that are not known."""
    text = github_step_summary([COMPARED])
    assert "tokens" not in text
    assert "None" not in text
    _, rows = cells(
        github_step_summary([result(findings=[finding(effect=None, interval=None, baseline=None)])])
    )
    assert rows[1][3:6] == ["–", "81.5%", "–"]


def test_many_findings_are_cut_and_counted():
    """A result with a hundred slices shows forty rows and says how many more there are."""
    text = github_step_summary([result(findings=[finding(slice=f"k={i}") for i in range(100)])])
    assert len(cells(text)[1]) == 41
    assert "... and 60 more findings" in text


def test_annotations_by_verdict():
    """Regressions are errors, the unmeasured and suspects warnings, improvements notices; ok says nothing."""
    assert (
        github_annotations([result("ok", [finding("ok")]), result("learning", [finding("learning")])]) == []
    )
    assert github_annotations([COMPARED]) == [
        (
            "::error title=comparison%3A regressed::label subset=prime fell from 94.3%25 to 81.5%25; −95.2 points "
            "(95%25 CI −16.4 to −9.1); p < 0.0001 (alpha 0.05); 476 of 500 pairs differ"
        ),
        (
            "::notice title=comparison%3A improved::label subset=composite rose from 94.3%25 to 81.5%25; +29.4 points "
            "(95%25 CI −16.4 to −9.1); p = 0.0031 (alpha 0.05)"
        ),
    ]
    others = [
        result("inconclusive", [], reason="down"),
        result("suspect", [], reason="once"),
        result("regressed", []),
    ]
    assert github_annotations(others) == [
        "::error title=ticket-router%3A regressed::label fell",
        "::warning title=ticket-router%3A could not measure::down",
        "::warning title=ticket-router%3A suspect::once",
    ]


def test_annotations_stay_within_what_is_shown():
    """At most ten of a level, the last of which counts those left out."""
    told = github_annotations([result(findings=[finding(slice=f"k={i}") for i in range(25)])])
    assert len(told) == 10
    assert told[-1] == "::error title=goldwatch::16 more at level error: see the step summary"


def test_titles_escape_what_ends_a_property():
    """A colon or a comma in a target's name does not end the title."""
    (line,) = github_annotations([result(target="a:b,c%")])[:1]
    assert line.startswith("::error title=a%3Ab%2Cc%25%3A regressed::")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text):
    """Whatever a model or a name says: the XML parses, the table keeps its shape, no command is injected."""
    hostile = finding(reason=text, scorer=text, slice=f"k={text}")
    skipped = finding("inconclusive", reason=text)
    given = [
        result(target=text, reason=text, findings=[hostile, skipped]),
        result("inconclusive", reason=text),
    ]

    assert [s.get("tests") for s in suites(*given)] == ["3", "2"]

    tokens, rows = cells(github_step_summary(given))
    assert {len(row) for row in rows} == {8}
    assert len(rows) == 2 + 1 + 1 + 1
    kinds = {t.type for t in tokens} | {c.type for t in tokens for c in t.children or ()}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "code_inline", "em_open", "strong_open",
                        "fence", "s_open"}  # fmt: skip
    source = github_step_summary(given)
    assert not re.search(r"://|www\.|@\w", source)
    assert len(source) < 20_000

    for line in github_annotations(given):
        assert re.fullmatch(r"::(error|warning|notice) title=[^:,\r\n]*::[^\r\n]*", line)
        line.encode()


@given(st.text(), st.sampled_from(sorted(Verdict)))
def test_any_text_in_any_verdict_is_rendered(text, verdict):
    """Every text gives well-formed XML, encodable Markdown and one-line commands."""
    given = [result(verdict, [finding(verdict, reason=text)], reason=text, target=text)]
    ET.fromstring(junit(given).encode())
    github_step_summary(given).encode()
    assert all("\n" not in line and line.startswith("::") for line in github_annotations(given))
