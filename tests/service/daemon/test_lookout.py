"""Is it told when the watch itself does not work? Real configuration, real golden set, real store; a clock by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from checks.types import Served, Verdict
from service.alerting import AlertEvent, AlertKind, AlertState
from service.config import load
from service.daemon.lookout import Lookout
from service.demo.model import GOLDEN
from service.golden import check_lock, freeze
from service.records import NewRun, Requests, RunKind
from service.retirement import start_of
from service.selfwatch import MIN_ATTEMPTS
from service.store import Store

HOUR = 3600.0
START = 1_700_002_800.0  # a full hour

CONFIG = """
version: 1
store: sqlite:///goldwatch.db
alerting: {{owner: {owner}}}
targets:
  - name: router
    severity: critical
    labels: {{team: ml}}
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: router}}
    golden: golden.jsonl
    schedule: {{every: 1h}}
    deadline: 30m
    scorers: [{{kind: exact_match}}]
notifiers:
  - {{name: hook, kind: webhook, url: "http://127.0.0.1:9/a"}}
  - {{name: spare, kind: webhook, url: "http://127.0.0.1:9/b"}}
"""


@dataclass
class Post:
    """A watch whose time moves only when told."""

    folder: Path
    owner: str = "goldwatch"
    now: float = START
    hindered: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "golden.jsonl").write_text(
            "".join(Path(GOLDEN).read_text().splitlines(keepends=True)[:5])
        )
        freeze(self.folder / "golden.jsonl", 0.0)
        path = self.folder / "goldwatch.yaml"
        path.write_text(CONFIG.format(owner=self.owner))
        self.config = load(path)
        self.store = Store.open("sqlite:///goldwatch.db", base_dir=self.folder)
        self.begin()

    def begin(self) -> None:
        """A daemon's start."""
        self.lookout = Lookout(self.store, lambda: self.now)

    def look(self, wait_s: float = 0.0) -> list[list[str]]:
        """What is told anew: topic, event, notifier."""
        self.now += wait_s
        before = {i for i, *_ in self.messages()}
        self.troubles = self.lookout.look(self.config, self.hindered)
        return sorted(rest for i, *rest in self.messages() if i not in before)

    def messages(self) -> list[tuple[str, str, str, str]]:
        return [
            (i.notification.id, a.topic, i.notification.event.removeprefix("alert."), i.notification.notifier)
            for a in self.store.alerts()
            if a.kind is AlertKind.WATCH
            for i in self.store.notifications(a.id)
        ]

    def run(self, *, done: bool = True) -> int:
        golden = check_lock(self.folder / "golden.jsonl")
        self.store.put_golden(golden)
        new = NewRun("router", RunKind.MANUAL, None, golden.digest, "s", None, 1.0, 2160.0)
        run = self.store.claim_run(new, owner="me", now=self.now, lease_s=60.0)
        assert run is not None
        if done:
            self.store.finish_run(
                run, verdict=Verdict.OK, reason=None, measured=True, requests=Requests(1, 0, 0),
                input_tokens=None, output_tokens=None, cost_usd=None, served=None, summaries=(), findings=(),
                vectors=(), answered=None, latency_s=None, now=self.now,
            )  # fmt: skip
        return run


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    yield made
    made.store.close()


BOTH = ("hook", "spare")


def both(topic: str, event: str) -> list[list[str]]:
    return [[topic, event, name] for name in BOTH]


def test_a_run_that_never_starts_is_told_once_and_mended_by_a_run(post: Post) -> None:
    """Three ticks without a run are told to everybody, once; nobody is told before, and a run ends it."""
    post.run()
    assert post.look(60.0) == []
    assert post.look(2 * HOUR) == []
    post.hindered = {"router": "internal error: ValueError"}
    assert post.look(HOUR) == both("overdue", "firing")
    assert post.troubles["router"].endswith("internal error: ValueError")
    assert post.look(60.0) == []
    (alert,) = post.store.alerts()
    assert (alert.kind, alert.severity, alert.labels, alert.opened_run) == (
        AlertKind.WATCH,
        "critical",
        {"team": "ml"},
        None,
    )
    body = post.store.notifications(alert.id)[0].notification.body
    assert body["alert"]["title"].startswith("router: no run has begun though at least two were due")
    assert (body["run"], body["alert"]["answered"], body["finding"]["verdict"]) == (
        None,
        None,
        "inconclusive",
    )
    assert post.look(4 * HOUR) == both("overdue", "repeated")
    post.run()
    assert post.look(60.0) == both("overdue", "resolved")
    assert post.look(60.0) == []


def test_a_wedged_run_is_overdue_after_its_deadline(post: Post) -> None:
    """A run that goes on has its deadline and two intervals more; then it is told."""
    post.run(done=False)
    assert post.look() == []
    assert post.look(2.9 * HOUR) == []
    assert post.look(0.1 * HOUR) == both("overdue", "firing")


def test_a_daemon_that_begins_late_gives_its_runs_time(post: Post) -> None:
    """After a weekend off nothing is told at once; a restart while an alert fires does not mend it."""
    post.run()
    post.now += 60 * HOUR
    post.begin()
    assert post.look(60.0) == []
    assert post.look(4 * HOUR) == both("overdue", "firing")
    post.begin()
    assert post.look(60.0) == []
    (alert,) = post.store.alerts()
    assert alert.state is AlertState.FIRING


def test_a_target_that_never_ran_is_overdue_too(post: Post) -> None:
    """Nothing runs at all: silence is not health."""
    assert post.look() == []
    assert post.look(4 * HOUR) == both("overdue", "firing")


def test_a_golden_set_that_changed_on_disk_is_told(post: Post) -> None:
    """An edit is told at once and as itself, not as an overdue run; freezing it anew ends it."""
    post.run()
    assert post.look() == []
    golden = post.folder / "golden.jsonl"
    golden.write_text(golden.read_text().replace("billing", "shipping"))
    assert post.look(30.0) == both("golden_set", "firing")
    assert "golden set cannot be replayed" in post.troubles["router"]
    assert post.look(3.5 * HOUR) == []
    post.now += HOUR
    freeze(golden, post.now)
    post.run()
    assert post.look() == both("golden_set", "resolved")
    assert post.troubles == {}


def test_a_notifier_that_fails_is_told_through_the_others(post: Post) -> None:
    """The failing one is not asked to say that it fails; when it delivers, the others hear that too."""
    post.run()
    golden = post.folder / "golden.jsonl"
    whole = golden.read_text()
    golden.write_text(whole.replace("billing", "shipping"))
    post.look()
    stuck = next(m for m in post.messages() if m[3] == "hook")[0]
    for _ in range(MIN_ATTEMPTS):
        assert post.look(1.0) == []
        post.store.mark_failed(stuck, post.now, post.now, "127.0.0.1:9 answered 503")
    assert post.look(1.0) == [["notifier:hook", "firing", "spare"]]
    (alert,) = [a for a in post.store.alerts() if a.topic == "notifier:hook"]
    assert (alert.target, alert.severity) == ("goldwatch", "critical")
    title = post.store.notifications(alert.id)[0].notification.body["alert"]["title"]
    assert title == "goldwatch: messages through hook are not delivered: 127.0.0.1:9 answered 503"
    post.store.mark_sent(stuck, post.now)
    assert post.look(1.0) == [["notifier:hook", "resolved", "spare"]]


def test_nobody_is_told_where_prometheus_pages(tmp_path: Path) -> None:
    """The alerts are there to be seen, and there is no message."""
    post = Post(tmp_path, owner="prometheus")
    post.look()
    assert post.look(4 * HOUR) == []
    assert [a.topic for a in post.store.alerts()] == ["overdue"]
    post.store.close()


def test_a_silence_of_the_target_covers_the_watch(post: Post) -> None:
    """What is silenced is told after the silence, if it still stands."""
    from service.acts import silence_target

    post.look()
    silence_target(post.store, "router", by="kim", reason="moving house", for_s=5 * HOUR, now=post.now)
    assert post.look(4 * HOUR) == []
    assert post.look(2 * HOUR) == both("overdue", "firing")


def test_events_are_the_contracts(post: Post) -> None:
    """The events of these alerts are those of all others."""
    post.look()
    post.look(4 * HOUR)
    (alert,) = post.store.alerts()
    events = {i.notification.event for i in post.store.notifications(alert.id)}
    assert events == {AlertEvent.FIRING}


def test_a_models_end_is_told_once_per_threshold(post: Post) -> None:
    """At 90, 30 and 7 days somebody is told, more urgently each time, and in between nobody."""
    target = post.config.targets[0].model_copy(update={"retires_on": date(2024, 3, 1)})
    post.config = post.config.model_copy(update={"targets": (target,)})
    told: list[tuple[int, str, str]] = []
    for days in range(100, -3, -1):
        post.now = start_of(date(2024, 3, 1)) - days * 24 * HOUR
        post.run()
        post.look()
        told += [
            (days, alert.severity, str(alert.findings[0].reason).partition(",")[0])
            for alert in post.store.alerts()
            if alert.kind is AlertKind.NOTICE and alert.notified_at == post.now
        ]
        assert post.troubles == {}
    ahead = "its model retires on 2024-03-01: {} days or less are left"
    assert told == [
        (90, "info", ahead.format(90)),
        (30, "warning", ahead.format(30)),
        (7, "critical", ahead.format(7)),
        (0, "critical", "its model retired on 2024-03-01"),
    ]
    (notice,) = [a for a in post.store.alerts() if a.kind is AlertKind.NOTICE]
    assert len(post.store.notifications(notice.id)) == len(told) * len(BOTH)


def test_a_models_end_is_routed_by_the_urgency_of_each_threshold(post: Post) -> None:
    """What knows alerts by their labels, as an Alertmanager does, gets the severity of now, not the first."""
    target = post.config.targets[0].model_copy(update={"retires_on": date(2024, 3, 1)})
    post.config = post.config.model_copy(update={"targets": (target,)})
    for days in (80, 20, 5):
        post.now = start_of(date(2024, 3, 1)) - days * 24 * HOUR
        post.run()
        post.look()
    (notice,) = [a for a in post.store.alerts() if a.kind is AlertKind.NOTICE]
    told = [m.notification.body["alert"]["identity"] for m in post.store.notifications(notice.id)]
    assert {(labels["severity"], labels["team"]) for labels in told} == {
        ("info", "ml"),
        ("warning", "ml"),
        ("critical", "ml"),
    }


def test_a_date_that_is_moved_ends_the_notice(post: Post) -> None:
    """Once the configured day is far off again, the notice is resolved."""
    target = post.config.targets[0]
    for day in (date(2023, 11, 20), date(2026, 1, 1)):
        moved = target.model_copy(update={"retires_on": day})
        post.config = post.config.model_copy(update={"targets": (moved,)})
        post.look(60.0)
    (notice,) = [a for a in post.store.alerts() if a.kind is AlertKind.NOTICE]
    assert notice.state is AlertState.RESOLVED


def test_what_the_model_list_says_is_taken_from_the_newest_run_that_read_it(post: Post) -> None:
    """Without a configured day the provider's list counts, also where the last run could not read it."""
    golden = check_lock(post.folder / "golden.jsonl")
    post.store.put_golden(golden)
    for served in (Served(model="m", retires_at=START + 20 * 24 * HOUR), None):
        new = NewRun("router", RunKind.MANUAL, None, golden.digest, "s", None, 1.0, 2160.0)
        run = post.store.claim_run(new, owner="me", now=post.now, lease_s=60.0)
        assert run is not None
        post.store.finish_run(
            run, verdict=Verdict.OK, reason=None, measured=True, requests=Requests(1, 0, 0),
            input_tokens=None, output_tokens=None, cost_usd=None, served=served, summaries=(), findings=(),
            vectors=(), answered=None, latency_s=None, now=post.now,
        )  # fmt: skip
    post.look()
    (notice,) = [a for a in post.store.alerts() if a.kind is AlertKind.NOTICE]
    assert (notice.severity, notice.topic) == ("warning", "retirement")
