"""Is a baseline file read exactly, taken in exactly, and refused in words where it is damaged?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from checks import judge
from service import history
from service.baseline_file import bring_in, check_fits, fitting
from service.baseline_format import BaselineFileError, read
from service.config import load as load_config
from service.golden import check_lock, freeze
from service.pipeline import Shell
from service.segment import segment_key
from service.store import Store

N, DAY_S, BEGAN = 5, 86400.0, 1_700_000_000.0
SCORES = [[1, 0, None, 0.25, 1 / 3], [1, 1, 0.1, 0.25, None], [1, 0, 0.7, 0.5, 1]]

CONFIG = """
version: 1
store: sqlite:///w.db
targets:
  - name: router
    endpoint: {kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: m, params: {temperature: 0}}
    golden: golden.jsonl
    baseline: {from: base.jsonl}
    scorers: [{kind: exact_match, name: right}]
"""


class Desk:
    """A configuration, a golden set, and a hand-made baseline file that fits them."""

    def __init__(self, folder):
        self.folder = folder
        rows = [
            {"id": f"q{i}", "input": "?", "expected": "a", "slices": {"half": "ab"[i % 2]}} for i in range(N)
        ]
        (folder / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        freeze(folder / "golden.jsonl", 0.0)
        (folder / "goldwatch.yaml").write_text(CONFIG)
        self.config = load_config(folder / "goldwatch.yaml")
        self.target = self.config.targets[0]
        self.golden = check_lock(folder / "golden.jsonl")
        self.head = {
            "format": "goldwatch.baseline",
            "version": 1,
            "target": "elsewhere",
            "golden": {"digest": self.golden.digest, "version": 1},
            "scorers": [{"kind": "exact_match", "name": "right"}],
            "question": json.loads(
                json.dumps(["openai_chat", self.target.endpoint.question()], default=list)
            ),
            "pinned_at": BEGAN,
            "reason": None,
            "runs": 3,
            "ids": [f"q{i}" for i in range(N)],
        }
        self.rows = [
            {
                "started_at": BEGAN + 3600.0 * i,
                "served": {"model": "m", "models": ["m", "base"]},
                "unanswered": [2] if i == 0 else [],
                "latency_s": [0.1, 0.2, None, 0.3, 0.4],
                "scores": {"right": SCORES[i]},
                "labels": {"right": {"billing": [0, 3]}},
                "format_failures": {"right": [1]},
                "outputs": ["a", "b", None, "c", "d"],
            }
            for i in range(3)
        ]

    @property
    def path(self):
        return self.folder / "base.jsonl"

    def write(self):
        self.path.write_text("".join(json.dumps(part) + "\n" for part in [self.head, *self.rows]))

    def bring_in(self, store, now):
        shell = Shell(store, self.config, clock=lambda: now)
        opened = store.baseline("router") or store.open_baseline("router", 1, None, now)
        return bring_in(shell, self.target, self.golden, opened)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    made.write()
    return made


@pytest.fixture
def store(tmp_path):
    with Store.open("sqlite:///w.db", base_dir=tmp_path) as opened:
        yield opened


def test_scores_and_facts_are_taken_in_exactly(desk, store):
    """Scores come back bit for bit, null as NaN; so do labels, who was unanswered, latencies and answers."""
    baseline = desk.bring_in(store, BEGAN + 7300.0)
    for number, scores in zip(baseline.runs, SCORES, strict=True):
        vector = store.vectors(number)[0]
        expected = [np.nan if value is None else value for value in scores]
        np.testing.assert_array_equal(vector.values, expected)
        assert vector.labels == {0: "billing", 3: "billing"}
        assert tuple(vector.format_failures) == (1,)
    first = store.run(baseline.runs[0])
    assert first.requests.ok == N - 1
    assert first.served.models == ("m", "base")
    assert {s.slice for s in first.summaries} == {"all", "half=a", "half=b"}
    assert store.response_texts([first.id], ["q1", "q2"]) == {(first.id, "q1"): "b"}


def test_the_fold_is_armed_by_what_was_taken_in(desk, store):
    """After the import the fold over history has its baseline: the next run will be judged."""
    baseline = desk.bring_in(store, BEGAN + 7300.0)
    about = history.subject(desk.golden.examples, desk.target.scorers, baseline_runs=3, min_answered=0.5)
    segment = segment_key(desk.target, desk.golden.digest, baseline.id)
    state = history.state_before(store, "router", segment, about)
    assert state.checks["quality"].scorers["right"].baseline_runs == 3
    assert isinstance(judge.dump(state), bytes)


@pytest.mark.parametrize(("days", "moved"), [(0.2, 0), (1.5, 1), (40.5, 40), (-2.5, -3)])
def test_the_runs_move_by_whole_days_to_end_within_the_last_day(desk, store, days, moved):
    """Time that nobody watched does not count: distances and hours of the day stay, whole days go."""
    now = desk.rows[-1]["started_at"] + days * DAY_S
    runs = [store.run(number) for number in desk.bring_in(store, now).runs]
    assert [run.started_at for run in runs] == [row["started_at"] + moved * DAY_S for row in desk.rows]
    assert 0 <= now - runs[-1].started_at < DAY_S


def test_runs_are_taken_in_in_the_order_in_which_they_were_made(desk, store):
    """The order of lines does not matter."""
    desk.rows.reverse()
    desk.write()
    times = [store.run(number).started_at for number in desk.bring_in(store, BEGAN + 7300.0).runs]
    assert times == sorted(times)


def test_runs_are_taken_in_once(desk, store):
    """A second call pins the same runs and takes in none."""
    first = desk.bring_in(store, BEGAN + 7300.0)
    assert desk.bring_in(store, BEGAN + 9000.0).runs == first.runs
    assert len(store.runs("router", limit=None)) == 3


def test_answers_are_optional(desk, store):
    """A file without answers is taken in, and holds none."""
    for row in desk.rows:
        del row["outputs"]
    desk.write()
    assert store.responses(desk.bring_in(store, BEGAN + 7300.0).runs[0]) == []


def test_every_difference_is_told_at_once(desk):
    """Another golden set, another question and other scorers are told together."""
    desk.head["golden"]["digest"] = "sha256:" + "0" * 64
    desk.head["question"][1]["params"]["temperature"] = 0.7
    desk.head["scorers"][0]["ignore_case"] = True
    desk.write()
    with pytest.raises(BaselineFileError) as caught:
        fitting(desk.target, desk.golden)
    message = str(caught.value)
    assert "golden set: sha256:000000000000" in message
    assert "question[1].params.temperature: 0.7 there, 0 here" in message
    assert "scorer right.ignore_case: true there, nothing here" in message


def test_the_models_name_and_address_do_not_matter(desk):
    """A candidate behind another address is judged against what it replaces."""
    text = CONFIG.replace("model: m", "model: next").replace(":9/v1", ":10/v1").replace("router", "candidate")
    (desk.folder / "goldwatch.yaml").write_text(text)
    target = load_config(desk.folder / "goldwatch.yaml").targets[0]
    check_fits(read(desk.path), target, desk.golden)


def _set(key, value):
    return lambda desk: desk.rows[1].update({key: value})


def _head(key, value):
    return lambda desk: desk.head.update({key: value})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_head("format", "other"), "line 1: it is no baseline file"),
        (_head("version", 9), "line 1: version 9 is not 1"),
        (_head("more", 1), "line 1: more"),
        (_head("runs", 4), "it holds 3 runs and should hold 4"),
        (lambda desk: desk.rows.clear(), "it holds 0 runs and should hold 3"),
        (_set("started_at", None), "line 3: started_at"),
        (_set("scores", {"right": [1]}), "line 3: scores.right: 1 values for 5 examples"),
        (_set("scores", {"right": [7, 0, 0, 0, 0]}), "line 3: scores: a score lies in [0, 1]"),
        (_set("scores", {"right": [float("nan"), 0, 0, 0, 0]}), "line 3: scores.right.0"),
        (_set("scores", {"other": [1, 0, 0, 0, 0]}), "line 3: scores: not those of the scorers"),
        (_set("latency_s", [-1, 0, 0, 0, 0]), "line 3: latency_s: must not be negative"),
        (_set("unanswered", [5]), "line 3: a position lies outside the 5 examples"),
        (_set("labels", {"right": {"x": [-1]}}), "line 3: a position lies outside"),
        (_set("outputs", ["a"]), "line 3: outputs: 1 values"),
    ],
)
def test_a_damaged_file_is_refused_with_line_and_key(desk, damage, said):
    """Whatever is wrong with the file, where and what is said, and how to write it again."""
    damage(desk)
    desk.write()
    with pytest.raises(BaselineFileError) as caught:
        read(desk.path)
    assert said in str(caught.value)
    assert "goldwatch baseline export" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\xff\xfe", "line 1: not JSON"),
        (b"[" * 100_000, "line 1: not JSON"),
        (b"7\n", "no baseline"),
    ],
)
def test_what_is_no_such_file_at_all_is_refused(desk, content, said):
    """Empty, binary and hostile files are refused in words."""
    desk.path.write_bytes(content)
    with pytest.raises(BaselineFileError, match=said):
        read(desk.path)
