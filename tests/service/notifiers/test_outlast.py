"""Does every alert arrive through every kind of notifier, whatever its receiver does for an hour?

The clock is moved from one due message to the next, so that an hour takes as long as its requests.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from checks.registry import find, kinds
from service.alerting import AlertEvent, AlertState
from service.dispatch import LONGEST_WAIT_S, deliver_due
from service.notifiers import ROOM, Notifier
from service.notifiers._http import client

KINDS = kinds(ROOM)
HOUR = 3600.0
NAMES = {
    "webhook": lambda request, headers: headers["webhook-id"],
    "pagerduty": lambda request, headers: request["dedup_key"],
    "alertmanager": lambda request, headers: request[0]["labels"]["target"],
    "slack": lambda request, headers: headers["idempotency-key"],
    "apprise": lambda request, headers: request["title"] + request["message"],
}
"""By what each kind's receiver knows a message again, so that one that came twice is seen to be one."""


@dataclass
class Unreliable:
    """A receiver whose behaviour is a function of the request's number."""

    behave: Callable[[int], str] = lambda _: "take"
    url: str = ""
    taken: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def unreliable() -> Iterator[Unreliable]:
    state = Unreliable()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {k.lower(): v for k, v in self.headers.items()}
            with state.lock:
                number, state.asked = state.asked, state.asked + 1
                how = state.behave(number)
                if how in ("take", "take and drop"):
                    state.taken.append((headers, json.loads(content)))
            if how.endswith("drop"):
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(200 if how == "take" else 503)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def make(kind: str, url: str) -> Notifier:
    more = {"routing_key_env": "ROUTING_KEY"} if kind == "pagerduty" else {}
    address = url.replace("http://", "json://") if kind == "apprise" else url
    made = find(ROOM, kind)(kind=kind, name="oncall", url=address, **more)
    assert isinstance(made, Notifier)
    return made


def drain(store: Any, clock: Any, notifier: Notifier, until: float | None = None) -> None:
    """Deliver whatever falls due, from one due time to the next."""

    async def all_of_it() -> None:
        async with client() as c:
            while (due := store.next_due_at(clock.at)) is not None and (until is None or due <= until):
                clock.at = due
                await deliver_due(store, {"oncall": notifier}, c, owner="a", clock=clock)

    asyncio.run(all_of_it())


def alerts(make_alert: Any, count: int) -> list[Any]:
    return [make_alert(id=f"alert-{n}", target=f"target-{n}", updated_run=n) for n in range(count)]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTING_KEY", "R0123456789abcdefghijABCDEFGHIJ9")


@pytest.mark.parametrize("kind", KINDS)
def test_an_hour_of_failure_loses_nothing(
    kind: str, unreliable: Unreliable, store: Any, write: Any, clock: Any, make_alert: Any
) -> None:
    """A receiver that refuses for an hour gets every message soon after it is back: each once, and in order."""
    began = clock.at
    unreliable.behave = lambda _: "refuse" if clock.at < began + HOUR else "take"
    firing = alerts(make_alert, 3)
    write(*((AlertEvent.FIRING, a) for a in firing), at=began)
    notifier = make(kind, unreliable.url)
    drain(store, clock, notifier, until=began + 600)
    clock.at = began + 600
    over = [
        replace(a, state=AlertState.RESOLVED, resolved_at=clock.at, updated_run=a.updated_run + 10)
        for a in firing
    ]
    write(*((AlertEvent.RESOLVED, a) for a in over), at=clock.at)
    drain(store, clock, notifier)
    assert began + HOUR <= clock.at <= began + HOUR + 2 * LONGEST_WAIT_S
    assert len(unreliable.taken) == 6
    assert all(str(i.state) == "sent" for a in firing for i in store.notifications(a.id))
    for alert in firing:
        first, last = store.notifications(alert.id)
        assert (first.notification.event, last.notification.event) == (AlertEvent.FIRING, AlertEvent.RESOLVED)
        assert first.done_at <= last.done_at
        assert last.attempts <= 2  # it waited for the first, which is no attempt
    assert store.outbox_stats()["oncall", "sent"] == 6
    assert store.outbox_stats()["oncall", "failed"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_receiver_that_takes_half_gets_the_other_half(
    kind: str, unreliable: Unreliable, store: Any, write: Any, clock: Any, make_alert: Any
) -> None:
    """Every second request is refused: all arrive, none twice, since a clear answer is believed."""
    unreliable.behave = lambda n: "take" if n % 2 else "refuse"
    firing = alerts(make_alert, 6)
    write(*((AlertEvent.FIRING, a) for a in firing), at=clock.at)
    drain(store, clock, make(kind, unreliable.url))
    names = Counter(NAMES[kind](request, headers) for headers, request in unreliable.taken)
    assert len(names) == 6
    assert set(names.values()) == {1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeat_comes_only_after_an_unclear_answer_and_under_the_same_id(
    kind: str, unreliable: Unreliable, store: Any, write: Any, clock: Any, make_alert: Any
) -> None:
    """What was taken without an answer comes again, and is known to be the same; nothing else comes twice."""
    unreliable.behave = lambda n: "take and drop" if n < 2 else "take"
    firing = alerts(make_alert, 4)
    write(*((AlertEvent.FIRING, a) for a in firing), at=clock.at)
    drain(store, clock, make(kind, unreliable.url))
    names = Counter(NAMES[kind](request, headers) for headers, request in unreliable.taken)
    assert len(names) == 4
    assert sum(names.values()) == 6
    assert all(str(i.state) == "sent" for a in firing for i in store.notifications(a.id))
