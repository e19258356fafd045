"""Does ``goldwatch backtest`` judge recorded files as live runs are judged, and say clearly what is wrong?"""

from __future__ import annotations

import json

import pytest

from service import cli
from service.golden import freeze

KEYS = {
    "target", "run", "scheduled_at", "started_at", "golden", "verdict", "reason", "scores", "findings", "requests",
    "tokens", "cost_usd",
}  # fmt: skip
N = 80


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A golden set of 80 questions and ten recorded runs: 0 to 7 healthy, 8 and 9 with a quarter lost."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = [
        {"id": f"q{i}", "input": "?", "expected": "yes", "slices": {"half": "ab"[i % 2]}} for i in range(N)
    ]
    (tmp_path / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for run in range(10):
        wrong = {run % 3} | (set(range(0, N, 4)) if run >= 8 else set())
        answers = [
            {"id": f"q{i}", "output": "no" if i in wrong else "yes", "input_tokens": 3} for i in range(N)
        ]
        (tmp_path / f"r{run}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    return tmp_path


def backtest(*arguments, runs=range(10), scorer="exact_match"):
    files = [f"r{run}.jsonl" for run in runs]
    given = ["--golden", "golden.jsonl", "--baseline-runs", "5"] + (["--scorer", scorer] if scorer else [])
    return cli.run(["backtest", *files, *given, *arguments])


def objects(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_is_one_object_per_run_with_the_contracts_keys(folder, capsys):
    """Each file is one object with exactly the contract's keys, numbered from 1, as far apart as --every says."""
    assert backtest("--json", "--every", "2h") == 1
    runs = objects(capsys)
    assert [run["run"] for run in runs] == list(range(1, 11))
    assert all(set(run) == KEYS for run in runs)
    assert [run["scheduled_at"] for run in runs] == [7200.0 * i for i in range(10)]
    assert [run["verdict"] for run in runs] == ["learning"] * 5 + ["ok"] * 3 + ["suspect", "regressed"]
    assert runs[0]["requests"] == {"ok": N, "failed": 0, "retried": 0}
    assert runs[0]["tokens"] == {"input": 3 * N, "output": None}
    assert runs[0]["golden"]["version"] is None


@pytest.mark.parametrize(("last", "code"), [(8, 0), (9, 0), (10, 1)])
def test_the_exit_code_is_the_last_runs(folder, capsys, last, code):
    """Healthy and suspect leave with 0, regressed with 1."""
    assert backtest(runs=range(last)) == code


def test_fail_on_decides_what_fails(folder, capsys):
    """A suspect last run fails where --fail-on names it; a regressed one passes where it does not."""
    assert backtest("--fail-on", "suspect", runs=range(9)) == 1
    assert backtest("--fail-on", "none") == 0


def test_files_without_answers_are_inconclusive_and_leave_with_3(folder, capsys):
    """An outage in a file is never a regression."""
    rows = [{"id": f"q{i}", "error": "timeout: no answer in 30 s"} for i in range(N)]
    (folder / "r9.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert backtest("--json") == 3
    assert objects(capsys)[-1]["verdict"] == "inconclusive"


def test_an_unfrozen_set_is_judged_and_said_on_one_line(folder, capsys):
    """A golden set without a lock is taken, with one line on standard error; a frozen one is taken in silence."""
    backtest()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "not frozen" in said[0]
    freeze(folder / "golden.jsonl", 0.0)
    backtest()
    assert capsys.readouterr().err == ""


def test_an_edited_set_is_refused(folder, capsys):
    """A golden set that was edited since it was frozen leaves with 2, and the example is named."""
    freeze(folder / "golden.jsonl", 0.0)
    path = folder / "golden.jsonl"
    path.write_text(path.read_text().replace('"yes"', '"no"', 1))
    assert backtest() == 2
    assert "1 changed (q0)" in capsys.readouterr().err


def test_the_terminal_says_what_fell_since_when_and_what_broke(folder, capsys):
    """A person reads a line per file, the drop with its interval, the onset, the worst slice and broken examples."""
    backtest("--limit", "2")
    out = capsys.readouterr().out
    assert "10  regressed" in out
    assert "r9.jsonl" in out
    assert "REGRESSED  exact_match" in out
    assert "95% CI" in out
    assert "since  run 9" in out
    assert "where  half=a" in out
    assert "exit 1 (regressed)" in out
    assert out.count("\n  q") == 2


def test_hostile_answers_are_shown_harmlessly(folder, capsys):
    """Terminal escapes in an answer are made visible."""
    for run in (8, 9):
        path = folder / f"r{run}.jsonl"
        path.write_text(path.read_text().replace('"no"', '"\\u001b[31mno"'))
    backtest()
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "␛[31mno" in out


@pytest.mark.parametrize(
    ("scorer", "said"),
    [
        (None, "no scorer"),
        ("exact_mach", "--scorer 1: kind: unknown kind 'exact_mach'; did you mean 'exact_match'?"),
        ("regex", "--scorer 1: pattern: required key is missing"),
        ("{kind: regex, pattern: '('}", '--scorer 1: pattern: "(" is no regular expression'),
        ("{kind: regex", "--scorer 1:1: not YAML"),
        ("[exact_match]", "--scorer 1: must be a kind or a mapping with a kind"),
        ("{kind: label, labels: [red, blue]}", "80 of 80 examples cannot be scored"),
    ],
)
def test_a_bad_scorer_is_told_and_leaves_with_2(folder, capsys, scorer, said):
    """A missing or wrong --scorer is a usage error that says what is allowed."""
    assert backtest(scorer=scorer) == 2
    assert said in capsys.readouterr().err


def test_the_faults_of_all_scorers_are_told_at_once(folder, capsys):
    """Two faulty scorers and a name that stands twice are told together."""
    more = ["--scorer", "regex", "--scorer", "exact_match", "--scorer", "nope"]
    assert backtest(*more) == 2
    err = capsys.readouterr().err
    assert "--scorer 2: pattern" in err
    assert "--scorer 3: name: the scorer name 'exact_match' is already that of --scorer 1" in err
    assert "--scorer 4: kind" in err


def test_the_faults_of_all_files_are_told_at_once(folder, capsys):
    """Two damaged files are both named, each with its line."""
    (folder / "r1.jsonl").write_text('{"id": "q0"}\n')
    (folder / "r2.jsonl").write_text("nonsense\n")
    assert backtest() == 2
    err = capsys.readouterr().err
    assert "r1.jsonl" in err
    assert "r2.jsonl" in err
    assert "line 1" in err


@pytest.mark.parametrize("every", ["1", "0.1s", "soon"])
def test_a_bad_interval_is_told(folder, capsys, every):
    """--every is a duration of at least a second."""
    assert backtest("--every", every) == 2
    assert "--every" in capsys.readouterr().err


def test_a_target_gives_golden_set_scorers_and_baseline(folder, capsys):
    """With --target nothing else need be said, and its golden set must be frozen."""
    (folder / "goldwatch.yaml").write_text(
        "version: 1\ntargets:\n- name: router\n  golden: golden.jsonl\n  schedule: {every: 30m}\n"
        "  endpoint: {kind: openai_chat, base_url: 'http://127.0.0.1:9/v1', model: m}\n"
        "  baseline: {runs: 6}\n  scorers: [{kind: exact_match, name: right}]\n"
    )
    files = [f"r{run}.jsonl" for run in range(10)]
    assert cli.run(["backtest", *files, "--target", "router", "--json"]) == 2
    assert "not frozen" in capsys.readouterr().err
    freeze(folder / "golden.jsonl", 0.0)
    assert cli.run(["backtest", *files, "--target", "router", "--json"]) == 1
    runs = objects(capsys)
    assert [run["verdict"] for run in runs[:7]] == ["learning"] * 6 + ["ok"]
    assert runs[0]["target"] == "router"
    assert runs[0]["scores"][0]["scorer"] == "right"
    assert runs[1]["started_at"] == 1800.0
