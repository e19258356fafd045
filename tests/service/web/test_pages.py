"""Does a person see what fell, since when and what broke, and is hostile text harmless?"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from service.store import StoreError
from service.web.chart import Event, Point, chart


class Seen(HTMLParser):
    """A page's tags, links and visible text; complains about tags that are left open."""

    void = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " " if tag in {"dt", "dd", "div", "td", "th"} else ""
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)


def test_the_worst_comes_first(fleet: Any, browse: Any) -> None:
    """The fleet page begins with what needs a person, and tells the three kinds of bad apart."""
    page = Seen(browse().get("/").text)
    names = [
        a["href"].rpartition("/")[2] for t, a in page.tags if t == "a" and "/targets/" in (a["href"] or "")
    ]
    assert names == ["ticket-router", "unreachable", "never-ran", "new", "quiet"]
    assert "label fell from 96.5% to 50.0%" in page.words
    assert "could not be measured" in page.words
    assert "has not run yet" in page.words
    assert "3 of 10 baseline runs" in page.words


def test_a_target_page_says_what_fell_and_since_when(fleet: Any, store: Any, browse: Any) -> None:
    """State, onset, change with interval, chart and served identity stand on one page."""
    page = Seen(browse().get("/targets/ticket-router").text)
    for words in (
        "ticket-router regressed",
        "since 2026-11-14 01:00 UTC",
        "measured 3 min ago",
        "next 2026-11-14 04:00 UTC",
        "Regression alert",
        "See 30 broken examples",
        "What fell",
        "−46.5 points",
        "first bad run",
        "base-8b",
        "Run now",
    ):
        assert words in page.words
    dots = [a["class"] for t, a in page.tags if t == "circle"]
    assert dots.count("dot regressed") == 4  # two runs, in the scores and in the evidence
    assert dots.count("dot suspect") == 2
    alert = store.alerts("ticket-router")[0].id
    assert f"/alerts/{alert}" in [a.get("href") for _, a in page.tags]


def test_a_target_page_says_what_the_watch_can_find(fleet: Any, browse: Any, daemon: Any) -> None:
    """The first sentence stands there, the others behind it; hostile text in them is text."""
    daemon.found = {
        "quiet": ("Finds a loss of 2 points within a day.", "Twice the examples: <b>1.4 points</b>.")
    }
    page = Seen(browse().get("/targets/quiet").text)
    assert "Finds a loss of 2 points within a day." in page.words
    assert "Twice the examples: <b>1.4 points</b>." in page.words
    assert "What it can find" not in Seen(browse().get("/targets/new").text).words


def test_a_target_page_says_whether_promises_are_kept_and_what_requests_cost(fleet: Any, browse: Any) -> None:
    """Limit and measured value stand side by side; after an outage no old value looks like today's."""
    words = Seen(browse().get("/targets/quiet").text).words
    assert "p95 latency 0.30 s ✓ 0.21 s" in words
    assert "1,000 requests $0.0067" in words
    words = Seen(browse().get("/targets/unreachable").text).words
    assert "p95 latency 0.30 s" in words
    assert "✓" not in words


def test_a_run_page_says_which_label_is_taken_for_which(
    fleet: Any, browse: Any, daemon: Any, store: Any
) -> None:
    """The pairs that moved in words, then the matrix; labels are answers, so nothing of it without texts."""
    worst = store.last_run("ticket-router").id
    words = Seen(browse().get(f"/runs/{worst}").text).words
    assert "What label takes for what" in words
    assert re.search(r'"billing" is answered without a label in \d+ of 15 \(usual: 0\.\d\)', words)
    assert "No pair of labels moved." in Seen(browse().get(f"/runs/{store.last_run('quiet').id}").text).words
    answer = browse().get(f"/api/v1/runs/{worst}/confusion").json()
    (found,) = answer["confusion"]
    assert found["expected"] == ["billing", "bug", "login", "shipping"]
    assert found["named"][-1] is None
    assert all(sum(row) == 15 for row in found["now"])
    daemon.show_texts = False
    assert "takes for what" not in Seen(browse().get(f"/runs/{worst}").text).words
    assert browse().get(f"/api/v1/runs/{worst}/confusion").json()["confusion"] == []


def test_what_is_not_measured_is_never_shown_as_healthy(fleet: Any, browse: Any) -> None:
    """After an outage the last scores stand there as those of an earlier run: no "ok", no floor that holds."""
    page = Seen(browse().get("/targets/unreachable").text)
    assert "Not measured now. The last run that was, run 42 2 h ago, found:" in page.words
    assert "above" not in page.words
    classes = [a.get("class") for t, a in page.tags if t == "span"]
    assert classes.count("ok") == 1  # the key of the chart
    assert "was 96.7%" in Seen(browse().get("/").text).words


def test_accepted_changes_add_up_against_the_original(fleet: Any, store: Any, browse: Any) -> None:
    """Under a later baseline the page holds the target against its first one, with the change and its interval."""
    assert "original baseline" not in Seen(browse().get("/targets/ticket-router").text).words
    worse = store.last_run("ticket-router").id
    baseline = store.open_baseline("ticket-router", worse + 1, "accepted", 1_794_700_000.0)
    store.pin_baseline(baseline.id, [worse])
    fleet.run("ticket-router", "bad")
    words = Seen(browse().get("/targets/ticket-router").text).words
    assert re.search(
        r"Versus the original baseline from run 15 .* label n=60 96.5% 50.0% −46.5 points", words
    )


@pytest.mark.parametrize("name", ["quiet", "unreachable", "new", "never-ran"])
def test_every_state_has_a_page(name: str, fleet: Any, browse: Any) -> None:
    """A quiet, a dark, a learning and an untouched target render, and none of them says regressed."""
    answer = browse().get(f"/targets/{name}")
    assert answer.status_code == 200
    assert "regressed" not in Seen(answer.text).words


def test_run_now_is_offered_only_where_it_would_work(fleet: Any, browse: Any, daemon: Any) -> None:
    """With a token configured, or for another machine, the page shows no button."""
    assert "<button>" in browse().get("/targets/quiet").text
    answer = browse().post("/targets/quiet/runs", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/targets/quiet")
    assert "<button>" not in browse(("10.0.0.7", 9)).get("/targets/quiet").text
    daemon.token = "t"
    assert "<button>" not in browse().get("/targets/quiet").text


def test_a_run_page_shows_what_broke(fleet: Any, store: Any, browse: Any) -> None:
    """Each broken example with what was expected, said before, and said now; more behind a link."""
    run = store.last_run("ticket-router").id
    page = Seen(browse().get(f"/runs/{run}").text)
    assert "30 broke, 0 fixed" in page.words
    assert "T-0003 no_label expected bug before bug now other" in page.words
    assert f"/runs/{run}/examples" in [a.get("href") for t, a in page.tags if t == "a"]


def test_the_broken_examples_come_page_by_page(fleet: Any, store: Any, browse: Any) -> None:
    """Each once, with input, expected, before, now, the scorer that says so, and since when it is wrong."""
    run = store.last_run("ticket-router").id
    page = Seen(browse().get(f"/runs/{run}/examples").text)
    for said in (
        "30 broke, 0 fixed",
        "1 to 25 of 30",
        "Ticket number 3: please help",
        "label 1 → 0",
        "lang=de",
    ):
        assert said in page.words
    assert f"wrong since run {run - 2}, 2 h ago" in page.words
    (link,) = [a["href"] for t, a in page.tags if t == "a" and a.get("rel") == "next"]
    rest = Seen(browse().get(f"/runs/{run}/examples{link}").text)
    ids = [re.findall(r"T-\d{4}", p.words) for p in (page, rest)]
    assert (len(set(ids[0])), len(set(ids[1])), len(set(ids[0] + ids[1]))) == (25, 5, 30)


def test_broken_examples_are_filtered_and_sorted(fleet: Any, store: Any, browse: Any) -> None:
    """A slice narrows them to its own, and the order is the reader's; what does not exist is an empty page."""
    path = f"/runs/{store.last_run('ticket-router').id}/examples"
    words = Seen(browse().get(path, params={"slice": "lang=de", "sort": "id"}).text).words
    ids = re.findall(r"T-(\d{4})", words)
    assert len(ids) == 20
    assert all(int(n) % 3 == 0 for n in ids)
    assert ids == sorted(ids)
    for odd in ({"slice": "no=such"}, {"scorer": "no-such"}, {"cursor": "500"}):
        assert "None here." in Seen(browse().get(path, params=odd).text).words


def test_a_dark_run_is_not_said_to_have_broken_anything(fleet: Any, store: Any, browse: Any) -> None:
    """Where nothing was measured, nothing is known of the examples, and the page says so."""
    words = Seen(browse().get(f"/runs/{store.last_run('unreachable').id}/examples").text).words
    assert "This run was not measured" in words
    words = Seen(browse().get(f"/runs/{store.last_run('new').id}/examples").text).words
    assert "no pinned baseline" in words


def test_an_alert_page_shows_its_messages(fleet: Any, store: Any, browse: Any) -> None:
    """What fell, what broke when it opened, and whether the message about it arrived."""
    alert = store.alerts("ticket-router")[0]
    message = store.notifications(alert.id)[0].notification
    store.mark_failed(message.id, 1.0, 2.0, "hooks.example answered 500")
    words = Seen(browse().get(f"/alerts/{alert.id}").text).words
    for said in (
        "ticket-router: label fell from",
        "firing",
        "fired after run",
        "still to tell oncall: waiting after 1 failed attempts: hooks.example answered 500",
        "first bad run",
    ):
        assert said in words
    outage = store.alerts("unreachable")[0]
    words = Seen(browse().get(f"/alerts/{outage.id}").text).words
    assert "cannot be reached: 0/60 answered" in words


@pytest.mark.parametrize("path", ["/targets/none", "/runs/99999", "/alerts/none", "/nothing", "/runs/odd"])
def test_a_missing_page_is_a_page(path: str, browse: Any) -> None:
    """A person who follows a dead link gets HTML that leads back."""
    answer = browse().get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/"' in answer.text


def test_hostile_text_is_shown_and_does_nothing(
    blank: Any, store: Any, browse: Any, daemon: Any, make_facts: Any, hostile: str
) -> None:
    """Markup, escapes and overrides from the model, the golden set or labels appear as text on every page."""
    daemon.known = [make_facts("hostile", labels={"team": hostile}, model=hostile, reference=hostile)]
    runs = blank.runs("hostile", *["good"] * 12, "bad", "bad", hostile=hostile)
    alert = store.alerts("hostile")[0]
    browse().post("/api/v1/targets/hostile/marks", json={"version": hostile, "note": hostile})
    shown = 0
    for path in (
        "/",
        "/targets/hostile",
        f"/runs/{runs[-1]}",
        f"/runs/{runs[-1]}/examples",
        "/targets/hostile/baseline",
        f"/alerts/{alert.id}",
        "/targets/%3Cscript%3E",
    ):
        html = browse().get(path).text
        page = Seen(html)
        assert not {t for t, _ in page.tags} & {"script", "img", "iframe", "object", "style"}
        assert not [a for _, a in page.tags if any(k.startswith("on") or k == "style" for k in a)]
        assert not set(html) & set("\u202e\x1b")
        shown += "⟨U+202E⟩" in page.text
    assert shown == 4


def test_a_failing_store_is_told_without_details(store: Any, browse: Any, logged: Any) -> None:
    """A store that breaks makes 503 everywhere, alive stays alive, and no path or trace leaks."""
    client = browse()
    assert client.get("/readyz").status_code == 200
    store.metrics_snapshot = store.ping = store.run = lambda *_: (_ for _ in ()).throw(
        OSError("/secret/path.db")
    )
    for path in ("/", "/metrics", "/readyz", "/api/v1/targets", "/api/v1/runs/1", "/runs/1"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "secret" not in answer.text
    assert client.get("/healthz").text == "ok\n"
    assert len(logged) == 6


def test_a_store_that_is_away_is_logged_in_a_line(store: Any, browse: Any, logged: Any) -> None:
    """Each scrape of a store that says itself what is wrong logs its reason, and no traceback."""
    store.metrics_snapshot = lambda *_: (_ for _ in ()).throw(StoreError("store x refuses connections"))
    assert browse().get("/metrics").status_code == 503
    assert [(e["event"], e["reason"], "exc_info" in e) for e in logged] == [
        ("request failed", "store x refuses connections", False)
    ]


def test_not_ready_without_a_configuration(browse: Any, daemon: Any) -> None:
    """Until a configuration is loaded the daemon is alive and not ready."""
    daemon.reloaded = None
    assert (browse().get("/healthz").status_code, browse().get("/readyz").status_code) == (200, 503)
    daemon.reloaded = False
    assert browse().get("/readyz").status_code == 200


def points(*values: float | None) -> list[Point]:
    return [Point(n, 3600.0 * n, v, "ok") for n, v in enumerate(values, start=1)]


def test_a_gap_is_never_drawn_as_a_value() -> None:
    """The line breaks where a run could not be measured, and that run has a mark of its own."""
    drawn = chart(points(0.9, 0.91, None, 0.9, 0.92), name="label")
    assert drawn is not None
    assert (drawn.count("<polyline"), drawn.count("<circle"), drawn.count('class="gap"')) == (2, 4, 1)
    assert "could not be measured" in drawn


def test_one_run_is_no_chart() -> None:
    """Two runs make a line."""
    assert chart(points(0.9), name="label") is None
    assert chart([], name="label") is None


@pytest.mark.parametrize("values", [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (None, None), (0.0, 1.0)])
def test_everything_drawn_lies_in_the_picture(values: tuple[float | None, ...]) -> None:
    """At the ends of the scale, and with nothing measured at all, coordinates stay inside."""
    drawn = chart(
        points(*values),
        name="<b>",
        band=(0.0, 1.0),
        events=[Event(3600.0, "<x>", "mark"), Event(9e9, "late", "mark")],
    )
    assert drawn is not None
    Seen(drawn)
    assert "late" not in drawn
    assert "<x>" not in drawn
    for x, y in re.findall(r'c?x="([-\d.]+)" c?y="([-\d.]+)"', drawn):
        assert 0 <= float(x) <= 720
        assert 0 <= float(y) <= 236
