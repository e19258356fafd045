"""The commands that read files and the store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from checks.types import Example, Finding, Response, ScoreSummary, Verdict
from service.cli import run, starter
from service.config import load
from service.golden import load as load_golden
from service.records import NewRun, Requests, RunKind, ScoreVector
from service.store import Store

Captured = pytest.CaptureFixture[str]


class VLlm(BaseHTTPRequestHandler):
    """Lists a base model and an adapter, as vLLM does."""

    def do_GET(self) -> None:
        models = [
            {"id": "Llama-3-8B", "object": "model", "root": "meta/Llama-3-8B", "parent": None},
            {"id": "router-ft", "object": "model", "root": "/adapters/router", "parent": "Llama-3-8B"},
        ]
        body = json.dumps({"object": "list", "data": models}).encode()
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def vllm() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), VLlm) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_init_writes_loads_and_can_be_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """The first three commands of a newcomer work as written."""
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    config = load("goldwatch.yaml")
    assert config.targets[0].golden == tmp_path / "golden" / "tickets.jsonl"
    assert "goldwatch freeze golden/tickets.jsonl" in capsys.readouterr().out
    assert run(["freeze", "golden/tickets.jsonl"]) == 0
    assert run(["freeze", "--check", "golden/tickets.jsonl"]) == 0


def test_init_overwrites_nothing_unless_told(home: Path, capsys: Captured) -> None:
    """Both files are named; --force writes them anew."""
    (home / "goldwatch.yaml").write_text("mine")
    assert run(["init"]) == 2
    assert "goldwatch.yaml and golden/tickets.jsonl would be overwritten" in capsys.readouterr().err
    assert (home / "goldwatch.yaml").read_text() == "mine"
    assert run(["init", "--force"]) == 0
    assert load(home / "goldwatch.yaml").version == 1


def test_init_takes_model_and_base_model_from_vllm(home: Path, vllm: str) -> None:
    """The adapter is watched and its parent becomes the reference."""
    assert run(["init", "--vllm", vllm, "--force"]) == 0
    target = load("goldwatch.yaml").targets[0]
    assert (target.endpoint.model_name, target.reference.model_name) == ("router-ft", "Llama-3-8B")
    assert target.endpoint.url.startswith(vllm + "/v1")


def test_init_takes_the_base_model_from_a_name_of_openai(home: Path) -> None:
    """The second part of ``ft:...``; the key stays in the environment."""
    assert run(["init", "--openai", "ft:gpt-4o-mini-2024-07-18:acme::x1", "--force"]) == 0
    target = load("goldwatch.yaml").targets[0]
    assert target.endpoint.model_name == "ft:gpt-4o-mini-2024-07-18:acme::x1"
    assert target.reference.model_name == "gpt-4o-mini-2024-07-18"
    assert "OPENAI_API_KEY" in str(target.endpoint.secrets())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--openai", "gpt-4o"], "not a fine-tuned model"),
        (["--vllm", "localhost"], "not an address"),
        (["--vllm", "http://127.0.0.1:1"], "no models are listed"),
        (["--vllm", "http://a", "--openai", "ft:a:b"], "both given"),
    ],
)
def test_init_says_what_it_cannot_find_out(
    home: Path, arguments: list[str], said: str, capsys: Captured
) -> None:
    """And writes nothing."""
    assert run(["init", "-c", "new.yaml", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (home / "new.yaml").exists()


def test_a_name_from_a_server_cannot_break_the_file(home: Path) -> None:
    """Quotes, line breaks and YAML in a model's name stay within its text."""
    evil = 'x"\nversion: 2 # {{ }} \u202e\x1b'
    text = starter.configuration(starter.Server("http://127.0.0.1:1/v1", evil, evil))
    (home / "goldwatch.yaml").write_text(text)
    assert load("goldwatch.yaml").targets[0].endpoint.model_name == evil


def test_freeze_check_fails_on_an_edited_set(home: Path, capsys: Captured) -> None:
    """Exit 2 and the changed id; freezing again makes version 2."""
    assert run(["freeze", "golden/tickets.jsonl"]) == 0
    path = home / "golden" / "tickets.jsonl"
    path.write_text(path.read_text().replace("charged twice", "charged thrice"))
    assert run(["freeze", "--check", "golden/tickets.jsonl"]) == 2
    assert "T-0001" in capsys.readouterr().err
    assert run(["freeze", "golden/tickets.jsonl"]) == 0
    out = capsys.readouterr().out
    assert "version 2" in out
    assert "11 shared, 0 new, 1 changed, 0 removed" in out
    assert "the baseline stays in force" in out
    path.write_text('{"id": "T-1", "input": "Hello?"}\n')
    assert run(["freeze", "golden/tickets.jsonl"]) == 0
    assert "the next run starts a new baseline" in capsys.readouterr().out


def test_one_faulty_set_does_not_keep_the_others_from_being_frozen(home: Path, capsys: Captured) -> None:
    """All are tried; the exit code tells that one failed."""
    (home / "bad.jsonl").write_text("{}\n")
    assert run(["freeze", "bad.jsonl", "golden/tickets.jsonl"]) == 2
    shown = capsys.readouterr()
    assert "bad.jsonl" in shown.err
    assert "golden/tickets.jsonl: version 1" in shown.out


def test_lint_finds_leaks_and_duplicates(home: Path, capsys: Captured) -> None:
    """Errors leave with 2; training data may hold input, prompt or messages."""
    assert run(["lint", "golden/tickets.jsonl"]) == 0
    lines = [
        {"prompt": "my ACCOUNT is locked after too many attempts."},
        {"messages": [{"role": "user", "content": "The app crashes when I rotate the screen."},
                      {"role": "assistant", "content": "bug"}]},
        {"input": "Something else."},
    ]  # fmt: skip
    (home / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    assert run(["lint", "golden/tickets.jsonl", "--train", "train.jsonl", "--json"]) == 2
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {i for f in found if f["code"] == "leak" for i in f["ids"]} == {"T-0005", "T-0011"}


def test_twins_are_written_and_can_be_frozen(home: Path, capsys: Captured) -> None:
    """The new set holds the old one; a file that is there is not overwritten; a wrong kind is named."""
    assert run(["twins", "golden/tickets.jsonl", "--share", "1", "-o", "golden/more.jsonl"]) == 0
    assert "twins (" in capsys.readouterr().err
    before, after = load_golden(home / "golden/tickets.jsonl"), load_golden(home / "golden/more.jsonl")
    assert {e.id for e in before.examples} < {e.id for e in after.examples}
    assert run(["freeze", "golden/more.jsonl"]) == 0
    assert run(["twins", "golden/tickets.jsonl", "-o", "golden/more.jsonl"]) == 2
    assert run(["twins", "golden/tickets.jsonl", "--kinds", "case,rhyme"]) == 2
    assert "unknown kind 'rhyme'" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["[]", "{", '{"messages": [1]}', '{"answer": 1}', "[" * 100_000])
def test_lint_names_the_bad_line_of_training_data(home: Path, line: str, capsys: Captured) -> None:
    """With what is wanted, never a traceback."""
    (home / "train.jsonl").write_text('{"input": "a"}\n' + line + "\n")
    assert run(["lint", "golden/tickets.jsonl", "--train", "train.jsonl"]) == 2
    assert "train.jsonl:2: not a training example" in capsys.readouterr().err


@pytest.fixture
def history(home: Path) -> Path:
    """Four measured runs, the first three pinned as the baseline, the last one regressed."""
    golden = load_golden(home / "golden" / "tickets.jsonl")
    with Store.open("sqlite:///goldwatch.db", base_dir=home) as store:
        store.put_golden(golden)
        opened = store.open_baseline("my-model", 1, "first runs", 1000.0)
        runs = [_run(store, golden.digest, golden.examples, at, opened.id, wrong=0) for at in (1e6, 2e6, 3e6)]
        store.pin_baseline(opened.id, runs)
        _run(store, golden.digest, golden.examples, 4e6, opened.id, wrong=3)
    return home


def _run(
    store: Store, digest: str, examples: tuple[Example, ...], at: float, baseline: int, *, wrong: int
) -> int:
    new = NewRun("my-model", RunKind.SCHEDULED, at, digest, "segment", baseline, 1.0, 2160.0)
    number = store.claim_run(new, owner="test", now=at, lease_s=60.0)
    assert number is not None
    said = ["oth\x1b[31mer" if i < wrong else str(e.expected) for i, e in enumerate(examples)]
    store.save_responses(number, [Response(e.id, text) for e, text in zip(examples, said, strict=True)])
    n = len(examples)
    values = np.array([0.0 if i < wrong else 1.0 for i in range(n)])
    mean = float(values.mean())
    bad = Finding(
        "quality", "label", "all", Verdict.REGRESSED if wrong else Verdict.OK, 3.0 if wrong else 0.1, 1.0,
        mean - 1.0, (mean - 1.2, mean - 0.8), 1.0, mean, number if wrong else None,
    )  # fmt: skip
    store.finish_run(
        number, verdict=bad.verdict, reason=None, measured=True, requests=Requests(n, 0, 0), input_tokens=10,
        output_tokens=5, cost_usd=None, served=None, summaries=[ScoreSummary("label", "all", mean, n, 0)],
        findings=[bad], vectors=[ScoreVector("label", values, dict.fromkeys(range(wrong), "no_label"))],
        answered=np.ones(n, dtype=np.bool_), latency_s=np.full(n, 0.1), now=at + 2.0,
    )  # fmt: skip
    return number


def test_history_prints_every_run_oldest_first(history: Path, capsys: Captured) -> None:
    """One line per run for a person, one object per line for a program; --limit keeps the newest."""
    assert run(["history", "my-model"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-4:]] == ["1", "2", "3", "4"]
    assert "regressed" in lines[-1]
    assert run(["history", "my-model", "--json", "--limit", "2"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(o["run"], o["verdict"]) for o in objects] == [(3, "ok"), (4, "regressed")]


def test_explain_shows_the_examples_that_broke(history: Path, capsys: Captured) -> None:
    """The last run by default: its figures, its baseline, before and now, harmlessly."""
    assert run(["explain", "my-model"]) == 0
    out = capsys.readouterr().out
    assert "REGRESSED  label 100.0% → 75.0%  −25.0 points" in out
    assert "baseline: 3 runs, pinned" in out
    assert "since  this run (4); last good 3" in out
    assert "3 broke, 0 fixed" in out
    assert "T-0001" in out
    assert "oth␛[31mer   ← no_label" in out


def test_explain_of_an_earlier_run_and_of_none(history: Path, capsys: Captured) -> None:
    """--run chooses; a run that is not there is an error with a remedy."""
    assert run(["explain", "my-model", "--run", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == 2
    assert run(["explain", "my-model", "--run", "99"]) == 2
    assert "goldwatch history my-model" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["history"], ["explain"], ["baseline", "show"], ["traffic", "show"]])
def test_who_only_looks_makes_no_store(home: Path, command: list[str]) -> None:
    """A typing error in a path must not leave an empty database behind."""
    run([*command, "my-model"])
    assert list(home.glob("**/*.db*")) == []


@pytest.mark.parametrize("command", ["history", "explain"])
def test_a_faulty_configuration_is_exit_2_with_all_its_faults(
    home: Path, command: str, capsys: Captured
) -> None:
    """Each with its line."""
    (home / "goldwatch.yaml").write_text("version: 2\ntargets: []\n")
    assert run([command, "x"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "goldwatch.yaml:1: version: must be 1, not 2",
        "goldwatch.yaml:2: targets: must hold at least 1 item",
    ]


def test_the_schema_is_json(capsys: Captured) -> None:
    """An editor can read what is printed."""
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "goldwatch.yaml"
