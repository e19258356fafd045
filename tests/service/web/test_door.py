"""Can a person change things after logging in, and nobody else?"""

from __future__ import annotations

import re
from typing import Any

import pytest

from service.records import RunKind
from service.web.door import COOKIE, SESSION_S, Session, sign

FORM = {"content-type": "application/x-www-form-urlencoded"}
HERE = {"origin": "http://localhost:9790", "sec-fetch-site": "same-origin"}


class Person:
    """A browser that keeps its cookie."""

    def __init__(self, browser: Any) -> None:
        self.browser, self.cookie = browser, None

    def get(self, path: str) -> Any:
        return self.browser.get(path, headers=self._headers())

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Any:
        answer = self.browser.post(
            path, data=fields, headers={**HERE, **self._headers(), **(headers or {})}, follow_redirects=False
        )
        if COOKIE in answer.cookies:
            self.cookie = answer.cookies[COOKIE]
        return answer

    def csrf(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def _headers(self) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}


@pytest.fixture
def person(fleet: Any, browse: Any, daemon: Any) -> Person:
    """Somebody far away who has logged in."""
    daemon.token = "the token"
    someone = Person(browse(("10.0.0.7", 9)))
    assert someone.post("/login", token="the token", next="/targets/quiet").status_code == 303
    return someone


def test_a_login_leads_back_and_its_cookie_is_closed(fleet: Any, browse: Any, daemon: Any) -> None:
    """The right token gives a cookie that no script and no other site can use, and leads to the page before."""
    daemon.token = "the token"
    answer = Person(browse()).post("/login", token=" the token ", next="/targets/quiet")
    assert (answer.status_code, answer.headers["location"]) == (303, "/targets/quiet")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "the token" not in cookie
    assert "secure" not in cookie
    far = browse(("10.0.0.7", 9), "https://gold.example")
    secure = far.post("/login", data={"token": "the token"}, follow_redirects=False).headers["set-cookie"]
    assert "secure" in secure.lower()


@pytest.mark.parametrize("next_", ["https://evil.example", "//evil.example", "/\\evil", "javascript:x", ""])
def test_a_login_leads_nowhere_else(next_: str, browse: Any, daemon: Any) -> None:
    """What is no path of this site leads to the fleet."""
    daemon.token = "t"
    assert Person(browse()).post("/login", token="t", next=next_).headers["location"] == "/"


def test_buttons_appear_with_the_login_and_go_with_it(person: Person, daemon: Any) -> None:
    """Logged in: buttons that work. Logged out, even with the old cookie: none, and 401."""
    assert "Run now" in person.get("/targets/quiet").text
    csrf = person.csrf("/targets/quiet")
    assert person.post("/targets/quiet/runs", csrf=csrf).headers["location"] == "/targets/quiet"
    assert daemon.asked == [("quiet", RunKind.MANUAL)]
    old = person.cookie
    assert person.post("/logout", csrf=csrf).status_code == 303
    person.cookie = old
    assert "Run now" not in person.get("/targets/quiet").text
    assert person.post("/targets/quiet/runs", csrf=csrf).status_code == 401
    assert len(daemon.asked) == 1


@pytest.mark.parametrize(
    "path",
    ["/logout", "/targets/quiet/runs", "/targets/quiet/marks", "/targets/quiet/baseline",
     "/alerts/{alert}/acknowledge", "/alerts/{alert}/silence", "/alerts/{alert}/unsilence"],
)  # fmt: skip
def test_a_form_of_another_site_or_login_is_refused(
    path: str, person: Person, store: Any, daemon: Any
) -> None:
    """Without the CSRF token, with another login's, or from another origin: 403, and nothing happens."""
    alert = store.alerts("ticket-router")[0]
    path = path.format(alert=alert.id)
    good = person.csrf("/targets/quiet")
    fields = {"version": "1", "reason": "x", "by": "x", "hours": "4", "sure": "yes", "silence": "x"}
    for csrf, headers in (
        ("", {}),
        ("0" * 64, {}),
        (good, {"origin": "https://evil.example"}),
        (good, {"sec-fetch-site": "cross-site"}),
    ):
        assert person.post(path, headers=headers, csrf=csrf, **fields).status_code == 403
    assert (daemon.asked, daemon.accepted, store.marks("quiet", 0)) == ([], [], [])
    assert store.alert(alert.id).acknowledgement is None
    assert store.silences("ticket-router") == []


def test_guessing_is_slow(browse: Any, daemon: Any) -> None:
    """After ten wrong tokens in a minute even the right one waits, from there only; a session goes on."""
    daemon.token = "t"
    inside, guesser = Person(browse(("10.0.0.7", 9))), Person(browse(("10.0.0.7", 9)))
    assert inside.post("/login", token="t").status_code == 303
    seen = [guesser.post("/login", token=f"wrong {n}").status_code for n in range(12)]
    assert seen == [401] * 10 + [429] * 2
    answer = guesser.post("/login", token="t")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    bearer = {"authorization": "Bearer t"}
    assert browse(("10.0.0.7", 9)).post("/api/v1/targets/quiet/runs", headers=bearer).status_code == 429
    assert browse(("10.0.0.8", 9)).post("/api/v1/targets/quiet/runs", headers=bearer).status_code == 202
    assert inside.post("/targets/quiet/runs", csrf=inside.csrf("/targets/quiet")).status_code == 303
    daemon.at += 61
    assert guesser.post("/login", token="t").status_code == 303


def test_a_session_ends(person: Person, daemon: Any) -> None:
    """After its hours, when the token changes, and when somebody forges the cookie, there is no session."""
    cookie, token = person.cookie, daemon.token
    assert "Log out" in person.get("/").text
    for forged in ("x", "a.b.c", f"{cookie}0", sign(Session("ab", 9e9), "other"), "a.99999999999.", "é.1.x"):
        person.cookie = forged.encode("ascii", "ignore").decode()
        assert "Log out" not in person.get("/").text
    person.cookie, daemon.token = cookie, "another token"
    assert "Log out" not in person.get("/").text
    daemon.token = token
    daemon.at += SESSION_S + 1
    assert "Log out" not in person.get("/").text


def test_accepting_takes_a_reason_and_a_second_thought(person: Person, daemon: Any) -> None:
    """The baseline page shows what would become normal; without reason or tick nothing is accepted."""
    path = "/targets/ticket-router/baseline"
    page = person.get(path).text
    assert "Would become normal" in page
    assert "The alert that is firing" in page
    csrf = person.csrf(path)
    assert person.post(path, csrf=csrf, reason="  ", sure="yes").status_code == 422
    assert person.post(path, csrf=csrf, reason="adapter v3").status_code == 422
    assert daemon.accepted == []
    assert person.post(path, csrf=csrf, reason="adapter v3", sure="yes").status_code == 303
    assert daemon.accepted == [("ticket-router", "adapter v3")]


def test_an_alert_is_seen_to_silenced_and_heard_again(person: Person, store: Any) -> None:
    """Acknowledge and silence show on the alert's page with who and why; lifting the silence ends it."""
    alert = store.alerts("ticket-router")[0]
    path = f"/alerts/{alert.id}"
    csrf = person.csrf(path)
    person.post(f"{path}/acknowledge", csrf=csrf, by="Ada", reason="looking at the adapter")
    assert store.alert(alert.id).acknowledgement.by == "Ada"
    assert "Ada sees to it" in person.get(path).text
    person.post(f"{path}/silence", csrf=csrf, by="Ada", reason="rollback under way", hours="4", what="target")
    (silence,) = store.silences("ticket-router")
    assert (silence.alert_id, silence.until - silence.created_at) == (None, 4 * 3600)
    page = person.get(path).text
    assert "rollback under way" in page
    assert "The target is silenced until" in page
    person.post(f"{path}/unsilence", csrf=csrf, silence=silence.id)
    assert "The target is silenced until" not in person.get(path).text
    assert "the silence was lifted" in person.get(path).text


def test_a_deployment_is_marked_in_the_browser(person: Person, store: Any, daemon: Any) -> None:
    """A mark is kept with its note, shown on the page, and starts a run."""
    csrf = person.csrf("/targets/quiet")
    assert person.post("/targets/quiet/marks", csrf=csrf, version="0.32", note="night").status_code == 303
    assert [(m.version, m.note) for m in store.marks("quiet", 0)] == [("0.32", "night")]
    assert daemon.asked == [("quiet", RunKind.MARK)]
    assert "0.32 · night" in person.get("/targets/quiet").text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a=1" for _ in range(50)), b"%zz=%zz"])
def test_no_form_breaks_the_door(body: bytes, browse: Any, daemon: Any) -> None:
    """A body that is no form is refused in words."""
    daemon.token = "t"
    answer = browse().post("/login", content=body, headers=FORM)
    assert answer.status_code in (401, 422)


def test_there_is_nothing_to_log_in_to_without_a_token(browse: Any) -> None:
    """Where no token is configured there is no login page, and no cookie is given."""
    assert browse().get("/login").status_code == 404
    assert browse().post("/login", data={"token": ""}).status_code == 404
