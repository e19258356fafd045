"""What holds for every notifier that registers?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from checks.registry import find, kinds
from service.alerting import Notification
from service.notifiers import ROOM, Delivery, DeliveryOutcome, Notifier, SecretError
from service.notifiers._http import client

KINDS = kinds(ROOM)
SECRET = "verysecret"


NEEDS: dict[str, dict[str, Any]] = {"pagerduty": {"routing_key_env": "ROUTING_KEY"}}
"""What a kind cannot do without besides its address."""

OWN_ADDRESS = ("pagerduty",)
"""Kinds that know where their receiver is."""

TELLING = [kind for kind in KINDS if find(ROOM, kind).tells_why]


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTING_KEY", "R0123456789abcdefghijABCDEFGHIJ9")


def make(kind: str, **more: Any) -> Notifier:
    if kind == "apprise" and "url" in more:
        more["url"] = more["url"].replace("http://", "json://")
    made = find(ROOM, kind)(kind=kind, name="oncall", **NEEDS.get(kind, {}), **more)
    assert isinstance(made, Notifier)
    return made


def send(notifier: Notifier, message: Notification, now: float = 1_794_625_200.0) -> Delivery:
    async def attempt() -> Delivery:
        async with client() as c:
            return await notifier.send(c, message, now=now)

    return asyncio.run(attempt())


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_documented(kind: str) -> None:
    """Its docstring shows a configuration, and every key says what it is for."""
    cls = find(ROOM, kind)
    assert f"kind: {kind}" in (cls.__doc__ or "")
    undocumented = [k for k, f in cls.model_fields.items() if not f.description and k != "kind"]
    assert undocumented == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": "http://h/", "url_env": "U"}, "exactly one of url, url_env and url_file"),
        ({"url": "http://h/a b"}, "no spaces"),
        ({"url": "http://h/", "texts": "some"}, "none"),
        ({"url": "http://h/", "colour": "red"}, "colour"),
    ],
)
def test_a_bad_configuration_is_refused(kind: str, keys: dict[str, Any], said: str) -> None:
    """Construction names what is wrong."""
    with pytest.raises(ValidationError, match=said):
        make(kind, **keys)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OWN_ADDRESS])
def test_an_address_is_needed(kind: str) -> None:
    """Without an address nothing can be sent, and construction says so."""
    with pytest.raises(ValidationError, match="exactly one of url, url_env and url_file"):
        make(kind)


@pytest.mark.parametrize("kind", TELLING)
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gopher://h/", "http:// or https://"),
        ("http:///nohost", "names a host"),
        ("http://h:99999/", "host and port"),
        ("http://user:pw@h/", "no user name and password"),
    ],
)
def test_an_address_that_is_none_is_refused(kind: str, url: str, said: str) -> None:
    """An address is http or https with a host, and holds no password."""
    with pytest.raises(ValidationError, match=said):
        make(kind, url=url)


@pytest.mark.parametrize("kind", KINDS)
def test_an_apprise_or_http_address_alike_names_its_channel(kind: str) -> None:
    """What has no scheme is no address for any kind."""
    with pytest.raises(ValidationError, match="an address begins with"):
        find(ROOM, kind)(kind=kind, name="oncall", url="verysecret", **NEEDS.get(kind, {}))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(TELLING)))
@pytest.mark.parametrize("step", [500, 400, 404, "drop", "hang"])
def test_a_failure_without_a_reason_is_tried_again(
    kind: str, step: object, receiver: Any, make_message: Callable[..., Notification]
) -> None:
    """Where the receiver's answer stays unknown, no failure is taken for final."""
    receiver.script = [step]
    notifier = make(kind, url=receiver.url, timeout_s=0.3 if step == "hang" else 10)
    delivery = send(notifier, make_message())
    assert delivery.outcome in (DeliveryOutcome.RETRY, DeliveryOutcome.UNCLEAR)
    assert send(notifier, make_message()).outcome is DeliveryOutcome.DELIVERED


@pytest.mark.parametrize("kind", TELLING)
@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        (200, DeliveryOutcome.DELIVERED),
        (204, DeliveryOutcome.DELIVERED),
        (500, DeliveryOutcome.RETRY),
        (503, DeliveryOutcome.RETRY),
        (401, DeliveryOutcome.RETRY),
        (404, DeliveryOutcome.RETRY),
        (408, DeliveryOutcome.RETRY),
        (409, DeliveryOutcome.RETRY),
        (425, DeliveryOutcome.RETRY),
        (400, DeliveryOutcome.PERMANENT),
        ("drop", DeliveryOutcome.UNCLEAR),
        ("hang", DeliveryOutcome.UNCLEAR),
    ],
)
def test_every_answer_has_a_meaning(
    kind: str,
    step: object,
    outcome: DeliveryOutcome,
    receiver: Any,
    make_message: Callable[..., Notification],
) -> None:
    """What the receiver does decides between delivered, retry, unclear and permanent."""
    receiver.script = [step]
    delivery = send(make(kind, url=receiver.url, timeout_s=0.2 if step == "hang" else 10), make_message())
    assert delivery.outcome is outcome
    assert len(receiver.got) == 1
    assert (delivery.reason is None) == (outcome is DeliveryOutcome.DELIVERED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_not_followed(
    kind: str, receiver: Any, make_message: Callable[..., Notification]
) -> None:
    """The message goes to the configured address or nowhere."""
    receiver.script = [(307, {"location": receiver.url + "/elsewhere"}, "")]
    delivery = send(make(kind, url=receiver.url), make_message())
    assert delivery.outcome is DeliveryOutcome.RETRY
    assert "redirects" in (delivery.reason or "") or kind not in TELLING
    assert len(receiver.got) == 1


@pytest.mark.parametrize("kind", TELLING)
@pytest.mark.parametrize("wish", ["7", "Sat, 14 Nov 2026 03:00:07 GMT"])
def test_the_receiver_may_ask_for_time(
    kind: str, wish: str, receiver: Any, make_message: Callable[..., Notification]
) -> None:
    """Retry-After is understood in seconds and as a date."""
    receiver.script = [(429, {"retry-after": wish}, "slow down")]
    delivery = send(make(kind, url=receiver.url), make_message())
    assert (delivery.outcome, delivery.after_s) == (DeliveryOutcome.RETRY, 7.0)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_there_is_a_retry(kind: str, make_message: Callable[..., Notification]) -> None:
    """A closed port is worth another try, and the reason names the host."""
    delivery = send(make(kind, url=f"http://127.0.0.1:1/{SECRET}"), make_message())
    assert delivery.outcome is DeliveryOutcome.RETRY
    known = "127.0.0.1:1 cannot be reached" if kind in TELLING else "oncall did not take the message"
    assert known in (delivery.reason or "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [200, (500, {}, "bad path /services/T000/B000/verysecret"), "drop", 302])
def test_the_address_is_never_shown(
    kind: str,
    step: object,
    receiver: Any,
    make_message: Callable[..., Notification],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No reason, representation or log line holds more of a secret address than its host."""
    monkeypatch.setenv("HOOK_URL", receiver.url)
    receiver.script = [step]
    caplog.set_level(logging.DEBUG)
    for notifier in (make(kind, url_env="HOOK_URL"), make(kind, url=receiver.url)):
        delivery = send(notifier, make_message())
        assert SECRET not in f"{delivery} {notifier!r} {notifier}"
    assert SECRET not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "HOOK_URL is not set"),
        ("  ", "is empty"),
        ("verysecret", "no usable address"),
        ("a\nb", "one line"),
    ],
)
def test_a_missing_secret_is_named(
    kind: str,
    value: str | None,
    said: str,
    make_message: Callable[..., Notification],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An address that the environment lacks or garbles is named by its variable, not by its value."""
    monkeypatch.delenv("HOOK_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("HOOK_URL", value)
    notifier = make(kind, url_env="HOOK_URL")
    delivery = send(notifier, make_message())
    assert delivery.outcome is DeliveryOutcome.RETRY
    for text in (delivery.reason or "", notifier.problem() or ""):
        assert said in text
        assert SECRET not in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_address_may_stand_in_a_file(kind: str, receiver: Any, tmp_path: Any) -> None:
    """``url_file`` is read at every attempt, so that a rotated secret needs no restart."""
    file = tmp_path / "url"
    notifier = make(kind, url_file=str(file))
    with pytest.raises(SecretError, match="cannot be read"):
        notifier.address()
    address = make(kind, url=receiver.url).address()
    file.write_text(address + "\n")
    assert notifier.address() == address
    assert notifier.problem() is None
    assert notifier.secrets() == {"url_file": str(file), **NEEDS.get(kind, {})}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["none", "short", "all"])
def test_texts_go_out_as_allowed(
    kind: str, level: str, receiver: Any, make_message: Callable[..., Notification], make_evidence: Any
) -> None:
    """``none`` sends no text, ``short`` at most 120 characters of one, ``all`` more."""
    long = "w0rd" * 60
    examples = tuple(type(e)(e.id, long, long, long, long) for e in make_evidence().examples)
    send(make(kind, url=receiver.url, texts=level), make_message(examples=examples))
    content = receiver.got[0].body.decode()
    longest = max((n for n in range(61) if "w0rd" * n in content), default=0)
    assert longest == 0 if level == "none" else longest * 4 <= 120 if level == "short" else longest >= 40
    assert "T-0193" in content


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_texts_are_sent(kind: str, receiver: Any, make_message: Callable[..., Notification]) -> None:
    """Lone surrogates, NULs and a megabyte of output still make one valid, bounded request."""
    from service.message import BrokenExample

    hostile = "\ud800\x00\u202e<!channel>`" + "x" * 1_000_000
    examples = [BrokenExample(hostile, hostile, hostile, hostile, hostile)] * 7
    delivery = send(make(kind, url=receiver.url), make_message(examples=examples, reason=hostile))
    assert delivery.outcome is DeliveryOutcome.DELIVERED
    receiver.got[0].body.decode("utf-8")
