"""Does ``goldwatch compare`` gate a candidate, from files, from the store and from live targets?"""

from __future__ import annotations

import asyncio
import json
import threading
from xml.etree import ElementTree as ET

import pytest

from service import cli
from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.golden import freeze
from service.store import Store

KEYS = {
    "target", "run", "scheduled_at", "started_at", "golden", "verdict", "reason", "scores", "findings", "requests",
    "tokens", "cost_usd",
}  # fmt: skip
N = 60
CONFIG = """
version: 1
store: sqlite:///w.db
targets:
  - &router
    name: ticket-router
    endpoint: {{kind: openai_chat, base_url: {url}, model: ticket-router, params: {{max_tokens: 16}}}}
    golden: golden.jsonl
    baseline: {{runs: 3}}
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
  - <<: *router
    name: base-model
    endpoint: {{kind: openai_chat, base_url: {url}, model: base, params: {{max_tokens: 16}}}}
  - <<: *router
    name: nobody
    retries: 0
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: m}}
"""


@pytest.fixture(scope="module")
def endpoint():
    """The demo's endpoint on a thread of its own, because a command runs its own event loop."""
    made = DemoEndpoint(latency_s=0.0)
    ready, done, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    async def serve():
        async with made:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(30)
    yield made
    loop.call_soon_threadsafe(done.set)
    thread.join(30)
    loop.close()


def answers(path, wrong, text="no"):
    rows = [{"id": f"q{i}", "output": text if i in wrong else "yes"} for i in range(N)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Sixty questions in two slices; ``a`` is good, ``b`` lost most of half=a, ``c`` is as good as ``a``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    rows = [
        {"id": f"q{i}", "input": "?", "expected": "yes", "slices": {"half": "ab"[i % 2]}} for i in range(N)
    ]
    (tmp_path / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers(tmp_path / "a.jsonl", {1})
    answers(tmp_path / "b.jsonl", {1, *range(0, N, 3)})
    answers(tmp_path / "c.jsonl", {3})
    return tmp_path


@pytest.fixture
def live(tmp_path, monkeypatch, endpoint):
    """A configuration of three targets over a frozen golden set of 60 tickets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    endpoint.restore()
    (tmp_path / "golden.jsonl").write_text("".join(GOLDEN.read_text().splitlines(keepends=True)[:N]))
    freeze(tmp_path / "golden.jsonl", 0.0)
    (tmp_path / "goldwatch.yaml").write_text(CONFIG.format(url=endpoint.url))
    return tmp_path


def compare(a, b, *arguments):
    return cli.run(
        ["compare", f"{a}.jsonl", f"{b}.jsonl", "-g", "golden.jsonl", "--scorer", "exact_match", *arguments]
    )


def told(capsys):
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


@pytest.mark.parametrize(
    ("a", "b", "verdict", "code"),
    [("a", "b", "regressed", 1), ("b", "a", "improved", 0), ("a", "c", "ok", 0), ("a", "a", "ok", 0)],
)
def test_verdict_and_exit_code(files, capsys, a, b, verdict, code):
    """B is judged against A: a loss leaves with 1, a gain and no difference with 0."""
    assert compare(a, b, "--json") == code
    assert told(capsys)["verdict"] == verdict


def test_json_is_one_object_with_the_contracts_keys(files, capsys):
    """A is the baseline, B current; evidence is an adjusted p-value and the threshold alpha."""
    compare("a", "b", "--json", "--alpha", "0.01")
    found = told(capsys)
    assert set(found) == KEYS
    assert found["run"] is None
    headline = found["findings"][0]
    assert (headline["check"], headline["scorer"], headline["slice"]) == ("quality", "exact_match", "all")
    assert headline["threshold"] == 0.01
    assert 0 < headline["evidence"] < 0.01
    assert headline["baseline"] == pytest.approx(59 / 60)
    assert headline["current"] == pytest.approx(39 / 60)
    assert headline["effect"] == pytest.approx(-20 / 60)
    assert found["requests"] == {"ok": N, "failed": 0, "retried": 0}


def test_the_terminal_says_what_fell_where_and_what_broke(files, capsys):
    """The headline, slices with the most damaged first, and examples that broke."""
    assert compare("a", "b", "--limit", "2") == 1
    out = capsys.readouterr().out
    assert "REGRESSED" in out
    assert "exact_match 98.3% → 65.0%  −33.3 points  (95% CI" in out
    assert "20 broke, 0 fixed" in out
    assert "… 18 more: --limit 20" in out
    assert "adjusted over 3 tests (Holm)" in out
    assert "exit 1 (regressed)" in out
    rows = [line for line in out.splitlines() if line.startswith("  half=")]
    changes = [float(row.split()[4].replace("−", "-")) for row in rows]
    assert changes == sorted(changes)


def test_hostile_answers_are_shown_harmlessly(files, capsys):
    """Terminal escapes in answers are made visible."""
    answers(files / "b.jsonl", set(range(0, N, 2)), "\x1b[2Jgone")
    compare("a", "b")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "␛[2Jgone" in out


def test_an_outage_is_inconclusive(files, capsys):
    """Where B has too few answers nothing is judged: exit 3, and the reasons are counted."""
    rows = [{"id": f"q{i}", "error": "timeout: no answer in 30 s"} for i in range(N)]
    (files / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert compare("a", "b") == 3
    out = capsys.readouterr().out
    assert "INCONCLUSIVE" in out
    assert "60×  no answer in 30 s" in out


def test_junit_and_github(files, capsys, monkeypatch):
    """CI reads a failure from JUnit XML, an annotation, and a step summary."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files / "summary.md"))
    assert compare("a", "b", "--junit", "out.xml", "--github") == 1
    suite = ET.parse(files / "out.xml").getroot()
    assert int(suite.get("failures")) >= 1
    assert "::error title=" in capsys.readouterr().out
    assert "regressed" in (files / "summary.md").read_text()


def test_an_edited_golden_set_is_refused(files, capsys):
    """Frozen and edited is 2; never frozen is a note."""
    assert compare("a", "c") == 0
    assert "not frozen" in capsys.readouterr().err
    freeze(files / "golden.jsonl", 0.0)
    (files / "golden.jsonl").write_text((files / "golden.jsonl").read_text().replace('"yes"', '"no"', 1))
    assert compare("a", "c") == 2
    assert "1 changed (q0)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.jsonl", "nowhere.jsonl", "-g", "golden.jsonl", "--scorer", "exact_match"], "neither a file nor"),
        (["a.jsonl", "b.jsonl", "--scorer", "exact_match"], "no golden set"),
        (["a.jsonl", "b.jsonl", "-g", "golden.jsonl"], "no scorer"),
        (["a.jsonl", "b.jsonl", "-g", "golden.jsonl", "--scorer", "exact_match", "--alpha", "2"], "--alpha"),
        (
            ["a.jsonl", "b.jsonl", "-g", "golden.jsonl", "--scorer", "exact_match", "--fail-on", "bad"],
            "--fail-on",
        ),
        (["run:1", "run:2"], "goldwatch.yaml: no such file"),
    ],
)
def test_usage_errors_leave_with_2(files, capsys, arguments, said):
    """What is missing or wrong is said, with what to write."""
    assert cli.run(["compare", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_targets_are_replayed_now_and_nothing_is_stored(live, capsys):
    """The base model is worse than its fine-tune; both are asked now, and no run is made of it."""
    assert cli.run(["compare", "ticket-router", "target:base-model", "--json"]) == 1
    found = told(capsys)
    assert found["verdict"] == "regressed"
    assert found["target"] == "base-model"
    assert found["run"] is None
    assert found["requests"]["ok"] == N
    assert found["started_at"] is not None
    with Store.open("sqlite:///w.db", base_dir=live) as store:
        assert store.runs("ticket-router", limit=None) == []
        assert store.runs("base-model", limit=None) == []


def test_a_target_that_cannot_be_reached_is_inconclusive(live, capsys):
    """A candidate that is down has not regressed: exit 3."""
    assert cli.run(["compare", "ticket-router", "nobody", "--json"]) == 3
    assert told(capsys)["verdict"] == "inconclusive"


def test_stored_runs_are_compared(live, capsys, endpoint):
    """Two runs in the store, before and after the adapter was lost, need no more than their numbers."""
    cli.run(["run", "ticket-router", "--json"])
    endpoint.drop_adapter()
    cli.run(["run", "ticket-router", "--json"])
    capsys.readouterr()
    assert cli.run(["compare", "run:1", "run:2", "--json"]) == 1
    found = told(capsys)
    assert (found["run"], found["target"], found["verdict"]) == (2, "ticket-router", "regressed")
    assert found["golden"]["version"] == 1
    assert cli.run(["compare", "run:1", "ticket-router", "--json"]) == 1
    assert told(capsys)["run"] is None


@pytest.mark.parametrize(("run", "said"), [("run:7", "there is no run 7"), ("run:x", "'run:x' is no run")])
def test_a_run_that_is_not_there_is_told(live, capsys, run, said):
    """A wrong number leaves with 2."""
    assert cli.run(["compare", run, "ticket-router"]) == 2
    assert said in capsys.readouterr().err


def test_a_run_of_another_golden_set_is_refused(live, capsys):
    """Answers to other examples are not compared."""
    cli.run(["run", "ticket-router", "--json"])
    (live / "other.jsonl").write_text('{"id": "x", "input": "?", "expected": "bug"}\n')
    capsys.readouterr()
    assert cli.run(["compare", "run:1", "run:1", "-g", "other.jsonl"]) == 2
    assert "run 1 asked another golden set" in capsys.readouterr().err
