"""Does anything leak or run? One hostile server, every output: secrets stay in, and what a model said stays text.

The outputs that are for machines (JSON of the API and of ``--json``, bundles, webhooks) may carry hostile text as data,
inside their format; what people read may not.
"""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
import zipfile
from html.parser import HTMLParser
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from service.runbook import RUNBOOK
from service.store import Store

LINES = frozenset("\n\t")
DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
TAGS = frozenset({"script", "img", "iframe", "object", "embed", "style"})


def hidden(text: str) -> set[str]:
    """The characters of a text that command a terminal, reorder it or cannot be seen."""
    return {c for c in text if c not in LINES and unicodedata.category(c) in DANGEROUS}


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def told(watched: Any, path: str) -> list[tuple[dict[str, str], bytes]]:
    return [(headers, body) for where, headers, body in watched.received if where.startswith(path)]


def test_the_server_was_as_bad_as_meant(watched: Any) -> None:
    """A regression was paged to every receiver, and an outage came of the refusals: all paths were taken."""
    with Store.open("sqlite:///goldwatch.db", base_dir=watched.folder) as store:
        runs = store.runs("router", limit=None, newest_first=False)
    assert [str(run.verdict) for run in runs[:3]] == ["learning"] * 3
    assert {"regressed", "inconclusive"} <= {str(run.verdict) for run in runs}
    for path in ("/services/", "/bot", "/hook/", "/pager", "/am"):
        assert told(watched, path), path
    assert "canary" in str([headers for path, headers, _ in watched.received if path.startswith("/v1")])


def test_no_planted_secret_comes_out(watched: Any) -> None:
    """Keys, tokens and secret addresses are in no output, page, metric, log, file or database, though echoed."""
    with Store.open("sqlite:///goldwatch.db", base_dir=watched.folder) as store:
        runs = store.runs("router", limit=None)
        kept = repr([(run, list(store.responses(run.id))) for run in runs]) + repr(store.alerts("router"))
    places = {
        "store": kept,
        "metrics": watched.metrics,
        "log": watched.log,
        **{f"page {path}": html for path, html in watched.pages.items()},
        **{f"command {name}": text for name, text in watched.shown.items()},
    }
    for path in watched.folder.iterdir():
        if path.name not in ("reference.key", "hook.url") and path.is_file():
            places[path.name] = path.read_bytes().decode("latin-1")
    with zipfile.ZipFile(watched.folder / "bundle.zip") as bundle:
        places |= {f"bundle {name}": bundle.read(name).decode("latin-1") for name in bundle.namelist()}
    found = {
        where: re.search(".{,60}(canary-|canarypager|Y2FuYXJ5).{,20}", text) for where, text in places.items()
    }
    leaks = [(where, match[0]) for where, match in found.items() if match]
    assert leaks == []


def test_a_secret_goes_only_where_it_belongs(watched: Any) -> None:
    """Each key reaches its own server and part; a redirect elsewhere is not followed at all."""
    assert watched.elsewhere == []
    for path, headers, body in watched.received:
        sent = json.dumps(headers) + body.decode("utf-8", "replace") + path
        allowed = {
            "/v": ("canary-key", "canary-header", "canary-reference", "canary-challenger"),
            "/servi": ("canary-slack",),
            "/bot": ("canary-9b0",),
            "/hook": ("canary-hook",),
            "/pager": ("canarypager",),
        }
        others = [s for where, own in allowed.items() if not path.startswith(where) for s in own]
        assert not [secret for secret in others if secret in sent], path
        if b'"model": "base"' in body:
            assert "canary-key" not in sent
            assert "canary-header" not in sent
        assert not re.search("canary-(mlflow|hub|token)", sent), path


def test_nothing_commands_a_terminal(watched: Any) -> None:
    """What a command writes for people holds no escape, override or invisible character, and no forged line."""
    for name, text in watched.shown.items():
        assert hidden(text) == set(), name
        for line in text.splitlines():
            assert not line.startswith(("::error::forged", "goldwatch_regressed", "## forged")), name
    assert "<script>" in watched.shown["run"] + watched.shown["explain"] + watched.shown["compare"]


def test_summaries_are_sound(watched: Any) -> None:
    """JUnit is XML that says one case per finding; the step summary has no forged heading, link or tag."""
    tree = ET.parse(watched.folder / "junit.xml")  # our own file
    assert {case.get("classname") for case in tree.iter("testcase")} <= {"goldwatch.router", "router"}
    step = (watched.folder / "step.md").read_text("utf-8")
    assert hidden(step) == set()
    assert not re.search(r"(?m)^(## forged|::error::forged|\| a \| b \|)|<script|<img", step)


def test_a_report_is_text(watched: Any) -> None:
    """What challengers answer is neither a tag nor a heading in the page that is printed or passed on."""
    html = (watched.folder / "report.html").read_text("utf-8")
    assert not {t for t, _ in Tags(html).tags} & (TAGS - {"style"})
    assert hidden(html) == set()
    assert "cheap" in html
    assert not re.search(r"(?m)^(## forged|::error::forged)|<script|<img", watched.shown["report"])


def test_pages_hold_no_foreign_markup(watched: Any) -> None:
    """Every page is our own tags alone: no script, image or handler, no link but to the runbook, nothing hidden."""
    pages = {path: html for path, html in watched.pages.items() if not path.startswith("/api")}
    assert any("/examples" in path for path in pages)
    for path, html in pages.items():
        tags = Tags(html).tags
        assert not {t for t, _ in tags} & TAGS, path
        assert not [a for _, a in tags if any(k.startswith("on") or k == "style" for k in a)], path
        leads = [a["href"] for _, a in tags if (a.get("href") or "").startswith(("http", "javascript"))]
        assert [href for href in leads if not href.startswith(f"{RUNBOOK}#")] == [], path
        assert html.count("<h1") <= 1, path
        assert hidden(html) == set(), path
    for path, text in watched.pages.items():
        if path.startswith("/api"):
            json.loads(text)


def test_metrics_hold_no_forged_sample(watched: Any) -> None:
    """Hostile names stay inside their label: every sample is a known target's, and the text can be parsed."""
    families = list(text_string_to_metric_families(watched.metrics))
    named = {s.labels["target"] for f in families for s in f.samples if "target" in s.labels}
    assert named == {"router"}
    assert 'target="forged"} 1' not in re.sub(r'\\"', "", watched.metrics)


def test_no_log_line_is_forged(watched: Any) -> None:
    """Each line of the log is one JSON object of ours."""
    events = [json.loads(line) for line in watched.log.splitlines() if line.strip()]
    assert events
    assert "forged" not in {event["event"] for event in events}
    assert hidden(watched.log) == set()


def test_nobody_is_called_in_slack(watched: Any) -> None:
    """No text that reaches Slack holds a mention, a link or a hidden character of the model's."""
    sent = [body for path in ("/services/", "/bot") for _, body in told(watched, path)]
    texts = [text for body in sent for text in _strings(json.loads(body))]
    assert any("&lt;!channel&gt;" in text for text in texts)
    for text in texts:
        assert not re.search(r"<(!|@|#|https://evil|http://evil|script|img)", text)
        assert hidden(text) == set()


def test_messages_for_machines_are_sound(watched: Any) -> None:
    """Webhooks, PagerDuty and Alertmanager get JSON in UTF-8, with titles and labels that people can read."""
    for path in ("/hook/", "/pager", "/am"):
        for _, body in told(watched, path):
            message = json.loads(body.decode("utf-8"))
            if path == "/hook/":
                assert hidden(message["alert"]["title"]) == set()
            else:
                assert {c for text in _strings(message) for c in hidden(text)} == set(), path


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [s for v in value.values() for s in _strings(v)]
    return [s for v in value for s in _strings(v)] if isinstance(value, list) else []
