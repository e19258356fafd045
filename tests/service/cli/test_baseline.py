"""Can people see, accept and carry a baseline with them? Against a real endpoint on loopback."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading

import pytest

from service import cli
from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN
from service.golden import freeze
from service.records import DeploymentMark, RunKind
from service.store import Store

CONFIG = """
version: 1
store: sqlite:///{store}.db
targets:
  - name: {name}
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: ticket-router
      system: Route the ticket.
      params: {{temperature: 0, max_tokens: 16}}
    golden: golden.jsonl
    baseline: {baseline}
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
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


@pytest.fixture(scope="module")
def template(tmp_path_factory, endpoint):
    """A folder whose store `one` has a pinned baseline of three runs, exported to ``base.jsonl``; to be copied."""
    path = tmp_path_factory.mktemp("template")
    endpoint.restore()
    made = Folder(path, endpoint, None)
    made.prepare()
    config = ["-c", str(path / "one.yaml")]
    for _ in range(3):
        assert cli.run(["run", "--json", *config]) == 0
    file = str(path / "base.jsonl")
    assert cli.run(["baseline", "export", "ticket-router", "--texts", "-o", file, *config]) == 0
    return path


class Folder:
    """A working folder: configurations, a golden set of 60 tickets, and commands run in it."""

    def __init__(self, path, endpoint, capsys):
        self.path, self.endpoint, self.capsys = path, endpoint, capsys

    def prepare(self):
        lines = GOLDEN.read_text().splitlines(keepends=True)[:60]
        (self.path / "golden.jsonl").write_text("".join(lines))
        freeze(self.path / "golden.jsonl", 0.0)
        self.configure()

    def configure(self, store="one", name="ticket-router", baseline="{runs: 3}", change=("", "")):
        text = CONFIG.format(store=store, name=name, url=self.endpoint.url, baseline=baseline)
        (self.path / f"{store}.yaml").write_text(text.replace(*change))

    def do(self, *arguments, config="one"):
        """Exit code, standard output, standard error."""
        self.capsys.readouterr()
        code = cli.run([*arguments, "-c", f"{config}.yaml"])
        said = self.capsys.readouterr()
        return code, said.out, " ".join(said.err.split())

    def run(self, config="one", times=1):
        """The last of the verdicts of so many replays."""
        for _ in range(times):
            _code, out, err = self.do("run", "--json", config=config)
            assert out, err
        return [json.loads(line)["verdict"] for line in out.splitlines()]

    def store(self, name="one"):
        return Store.open(f"sqlite:///{name}.db", base_dir=self.path)


@pytest.fixture
def folder(tmp_path, monkeypatch, endpoint, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    endpoint.restore()
    made = Folder(tmp_path, endpoint, capsys)
    made.prepare()
    return made


@pytest.fixture
def exported(folder, template):
    """A folder whose store `one` has a pinned baseline that was exported to ``base.jsonl``."""
    shutil.copytree(template, folder.path, dirs_exist_ok=True)
    return folder


def test_an_empty_store_judges_its_first_run_against_an_exported_baseline(exported):
    """A healthy first run is ok, not learning; and the baseline that it was judged by is the other store's."""
    exported.configure("two", baseline="{from: base.jsonl}")
    assert exported.run("two") == ["ok"]
    with exported.store("one") as one, exported.store("two") as two:
        there, here = one.baseline("ticket-router"), two.baseline("ticket-router")
        for old, new in zip(there.runs, here.runs, strict=True):
            a, b = one.vectors(old)[0], two.vectors(new)[0]
            assert a.values.tolist() == b.values.tolist()
            assert a.labels == b.labels
            assert one.run(old).summaries == two.run(new).summaries
            assert one.responses(old)[0].output == two.responses(new)[0].output


def test_a_broken_candidate_is_regressed_at_its_first_run_elsewhere(exported):
    """In an empty store under another name a model that lost its adapter fails the gate at once, with exit 1."""
    exported.configure("two", name="candidate", baseline="{from: base.jsonl}")
    exported.endpoint.drop_adapter()
    code, out, _ = exported.do("run", config="two")
    assert code == 1
    assert "REGRESSED" in out


def test_a_file_without_texts_holds_no_answer(exported):
    """Answers leave the store only with --texts."""
    code, out, _ = exported.do("baseline", "export", "ticket-router")
    assert code == 0
    assert all("outputs" not in json.loads(line) for line in out.splitlines())
    assert "outputs" in (exported.path / "base.jsonl").read_text()


def test_runs_are_taken_in_once_however_often_it_is_tried(exported):
    """A second run takes nothing in again; neither does one after a process died before pinning."""
    exported.configure("two", baseline="{from: base.jsonl}")
    with exported.store("two") as store:
        store.open_baseline("ticket-router", 1, None, 0.0)  # and there the process died
    exported.run("two", times=2)
    with exported.store("two") as store:
        kinds = [run.kind for run in store.runs("ticket-router", limit=None)]
        assert kinds.count(RunKind.IMPORTED) == 3
        assert len(store.baseline("ticket-router").runs) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("temperature: 0", "temperature: 1"), "question[1].params.temperature: 0 there, 1 here"),
        (("Route the ticket.", "Route it."), "question"),
        (
            ("bug, refund]", "bug, refund], anywhere: false"),
            "scorer label.anywhere: nothing there, false here",
        ),
        (("{kind: label", "{name: x, kind: label"), "scorer x: not in the file"),
    ],
)
def test_a_baseline_of_something_else_is_refused_and_the_difference_is_named(exported, change, said):
    """Another question or other scorers leave with 2, and nothing is opened in the store."""
    exported.configure("two", baseline="{from: base.jsonl}", change=change)
    code, _, err = exported.do("run", config="two")
    assert code == 2
    assert said in err
    with exported.store("two") as store:
        assert store.baseline("ticket-router") is None


def test_a_baseline_of_another_golden_set_is_refused(exported):
    """Another golden set leaves with 2, and both are named."""
    lines = (exported.path / "golden.jsonl").read_text().splitlines(keepends=True)
    (exported.path / "golden.jsonl").write_text("".join(lines[:50]))
    freeze(exported.path / "golden.jsonl", 0.0)
    exported.configure("two", baseline="{from: base.jsonl}")
    code, _, err = exported.do("run", config="two")
    assert code == 2
    assert "of 60 examples there" in err
    assert "of 50 here" in err


def test_a_missing_file_is_refused(folder):
    """A file that is not there leaves with 2 and says how to write one."""
    folder.configure("two", baseline="{from: nowhere.jsonl}")
    code, _, err = folder.do("run", config="two")
    assert code == 2
    assert "nowhere.jsonl: cannot be read: No such file" in err
    assert "goldwatch baseline export" in err


def test_nothing_is_exported_before_a_baseline_is_pinned(folder):
    """Two of three runs are no baseline."""
    folder.run(times=2)
    code, _, err = folder.do("baseline", "export", "ticket-router")
    assert code == 2
    assert "no pinned baseline yet" in err


def test_nothing_is_exported_under_changed_scorers(exported):
    """Scores measured with other scorers than the configured ones are not passed off as theirs."""
    exported.configure(change=("bug, refund]", "bug, refund], anywhere: false"))
    code, _, err = exported.do("baseline", "export", "ticket-router")
    assert code == 2
    assert "changed since its baseline was measured" in err


def test_accepting_starts_a_new_baseline_and_resolves_the_alert(exported):
    """After a regression is accepted the next run learns, the alert is over, and the reason stays on record."""
    folder = exported
    folder.endpoint.drop_adapter()
    assert folder.run()[-1] == "regressed"
    code, out, _ = folder.do("baseline", "accept", "ticket-router", "--reason", "the base model is enough")
    assert code == 0
    assert "baseline 2 is 2 runs since the change began with run 4" in out
    assert "learning for 1 more measured runs" in out
    assert "the alert that is firing resolves at the next measured run" in out
    assert folder.run() == ["learning"]
    with folder.store() as store:
        assert {alert.state.value for alert in store.alerts("ticket-router")} == {"resolved"}
        assert store.baseline("ticket-router").reason == "the base model is enough"
    assert folder.run() == ["ok"]


@pytest.mark.parametrize("reason", [[], ["--reason", "  "]])
def test_accepting_needs_a_reason(folder, reason):
    """Without a reason, or with a blank one, nothing is accepted."""
    folder.run()
    code, _, err = folder.do("baseline", "accept", "ticket-router", *reason)
    assert code == 2
    assert "--reason" in err
    with folder.store() as store:
        assert len(store.baselines("ticket-router")) == 1


def test_what_never_ran_cannot_be_accepted(folder):
    """There is nothing to accept, and what to do is said."""
    code, _, err = folder.do("baseline", "accept", "ticket-router", "--reason", "x")
    assert code == 2
    assert "never ran" in err
    assert "goldwatch run ticket-router" in err


def test_show_says_runs_means_and_what_changed(exported):
    """The pinned runs, their means, the verdicts since then, deployments and a changed prompt are all told."""
    folder = exported
    folder.run()
    with folder.store() as store:
        at = store.last_run("ticket-router").started_at
        store.add_mark(DeploymentMark("ticket-router", at, "server 0.32", "by \x1b[31mhand"))
    folder.configure(change=("Route the ticket.", "Route it."))
    code, out, _ = folder.do("baseline", "show", "ticket-router")
    assert code == 0
    assert "pinned" in out
    assert "3: 1 to 3" in out
    assert "label" in out
    assert "runs: 1 ok" in out
    assert "deployed server 0.32" in out
    assert "\x1b" not in out
    assert "the scorers or the question were changed" in out
    facts = json.loads(folder.do("baseline", "show", "ticket-router", "--json")[1])
    assert [run["run"] for run in facts["runs"]] == [1, 2, 3]
    headline = facts["scores"][0]
    assert headline["low"] <= headline["mean"] <= headline["high"]


def test_show_says_how_far_learning_is(folder):
    """Before it is complete a baseline says how many runs it has."""
    code, _, err = folder.do("baseline", "show", "ticket-router")
    assert code == 2
    assert "never ran" in err
    folder.run(times=2)
    out = folder.do("baseline", "show", "ticket-router")[1]
    assert "collecting" in out
    assert "2 of 3 measured runs, from run 1 on" in out


def test_show_lists_earlier_baselines(exported):
    """A replaced baseline stays visible, and what replaced it says why."""
    folder = exported
    folder.do("baseline", "accept", "ticket-router", "--reason", "adapter v3")
    out = folder.do("baseline", "show", "ticket-router")[1]
    assert "adapter v3" in out
    assert "earlier baselines" in out
