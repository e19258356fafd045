"""Is a log line safe to read and free of secrets, for people and for machines?"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from service import logs
from service.config import parse
from service.config.schema import schema

SECRET = "correct-horse-battery"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def written(form: str, level: str = "info") -> tuple[io.StringIO, Any]:
    stream = io.StringIO()
    logs.configure(level, form, logs.Redactor([SECRET]), stream=stream)
    return stream, structlog.get_logger("test")


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_in_no_line(form: str) -> None:
    """A known secret and whatever looks like a credential are hidden in every value, also in a traceback."""
    stream, log = written(form)
    shapes = [
        f"x {SECRET} y",
        "Bearer abcdefghijkl",
        "postgresql+psycopg://me:hunter2hunter2@db/x",
        "https://hooks.slack.com/services/T0/B0/abcdefgh",
        "key sk-abcdefghijklmnop",
    ]
    for shape in shapes:
        log.info(shape, value=shape, nested={"list": [shape]})
    log.warning("asked", headers={"Authorization": "hidden-anyway"}, api_key="hidden-anyway")
    try:
        int(SECRET)
    except ValueError:
        log.exception("failed")
    logging.getLogger("uvicorn.error").error("with %s", SECRET)
    text = stream.getvalue()
    for hidden in (SECRET, "abcdefgh", "hunter2hunter2", "hidden-anyway"):
        assert hidden not in text
    assert text.count("***") >= 3 * len(shapes)
    assert "me:***@db" in text


@pytest.mark.parametrize("form", ["json", "console"])
def test_hostile_text_can_neither_forge_a_line_nor_move_the_cursor(form: str) -> None:
    """Line breaks, escapes and bidirectional overrides from outside are shown, not obeyed."""
    stream, log = written(form)
    hostile = "a\n2026 [error] forged\x1b[2J\u202e\x07"
    log.info("said", text=hostile, **{"ke\ny": 1})
    logging.getLogger("any").warning(hostile)
    text = stream.getvalue()
    assert len(text.splitlines()) == 2
    assert not set("\x1b\u202e\x07\r") & set(text)


def test_machines_read_one_object_per_line() -> None:
    """Each event is one JSON object that begins with its time, level and name; numbers stay numbers."""
    stream, log = written("json")
    log.info("run finished", run=3, duration_s=0.5, reason=None, input_tokens=7)
    try:
        {}["oh\nno"]
    except KeyError:
        log.exception("failed")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert list(first)[:3] == ["timestamp", "level", "event"]
    assert first["timestamp"].endswith("Z")
    assert {k: first[k] for k in ("event", "run", "duration_s", "reason", "input_tokens")} == {
        "event": "run finished", "run": 3, "duration_s": 0.5, "reason": None, "input_tokens": 7,
    }  # fmt: skip
    assert second["level"] == "error"
    assert "KeyError" in second["exception"]


def test_the_level_is_kept() -> None:
    """What is below the level is not written, and libraries speak from warnings on."""
    stream, log = written("json", "warning")
    log.info("quiet")
    log.warning("loud")
    logging.getLogger("apscheduler.scheduler").info("quiet too")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_a_job_that_the_end_cut_off_is_no_error() -> None:
    """What APScheduler says of a job that was cancelled at shutdown is not written; any other failure is."""
    stream, _ = written("json")
    log = logging.getLogger("apscheduler.executors.default")
    for error in (asyncio.CancelledError(), RuntimeError("broken")):
        log.error("Job raised an exception", exc_info=error)
    assert stream.getvalue().count("\n") == 1
    assert "broken" in stream.getvalue()


def test_every_secret_of_a_configuration_is_known(tmp_path: Path) -> None:
    """Variables, files, passwords in URLs and literal addresses of notifiers are all hidden."""
    (tmp_path / "key").write_text("file-secret\n", "utf-8")
    config = parse(
        f"""
version: 1
store: postgresql+psycopg://me:pass%21word@db/x
web: {{token_env: GW_TOKEN}}
targets:
  - name: a
    endpoint: {{kind: openai_chat, base_url: "http://127.0.0.1:1/v1", model: m, api_key_env: GW_KEY,
               headers_env: {{X-Key: GW_HEADER}}}}
    reference: {{kind: openai_chat, base_url: "http://127.0.0.1:1/v1", model: b, api_key_file: {tmp_path / "key"}}}
    golden: g.jsonl
    scorers: [{{kind: exact_match}}]
notifiers:
  - {{name: s, kind: slack, url_env: GW_SLACK}}
  - {{name: w, kind: webhook, url: "https://example.com/hook/abc"}}
""".encode(),
        tmp_path / "goldwatch.yaml",
    )
    environ = {"GW_TOKEN": "t-secret", "GW_KEY": "k-secret", "GW_HEADER": "h-secret", "GW_SLACK": "s-secret"}
    assert logs.secrets_of(config, environ) == {
        "t-secret", "k-secret", "h-secret", "s-secret", "file-secret", "pass%21word", "pass!word",
        "https://example.com/hook/abc",
    }  # fmt: skip


HOOK = "kind: webhook, url: http://h"
PLANTED = {
    "url_env": "kind: webhook",
    "url_file": "kind: webhook",
    "secret_env": HOOK,
    "secret_file": HOOK,
    "routing_key_env": "kind: pagerduty",
    "routing_key_file": "kind: pagerduty",
    "token_env": "kind: slack, channel: C1",
    "token_file": "kind: slack, channel: C1",
}
"""Notifiers by the key that names their secret."""


def named_in(part: Any) -> set[str]:
    """Every key of a schema that names a variable or a file with a secret."""
    if isinstance(part, dict):
        own = {key for key in part.get("properties", {}) if key.endswith(("_env", "_file"))}
        return own.union(*(named_in(one) for one in part.values()))
    return set().union(*(named_in(one) for one in part)) if isinstance(part, list) else set()


def test_whatever_key_names_a_secret_is_looked_up(tmp_path: Path) -> None:
    """Every such key that the schema has, wherever it may stand: a scorer's own model and a webhook's secret too."""
    elsewhere = {"store_env", "api_key_env", "api_key_file", "credentials_file", "headers_env"}
    elsewhere |= {f"{who}_secret_{how}" for who in ("mlflow", "huggingface") for how in ("env", "file")}
    assert named_in(schema()) == elsewhere | PLANTED.keys()
    (tmp_path / "f").mkdir()
    places: list[str] = []

    def place(key: str) -> str:
        places.append(f"S{len(places)}")
        if key.endswith("_env"):
            return places[-1]
        (tmp_path / "f" / places[-1]).write_text(f"canary-{places[-1]}\n", "utf-8")
        return str(tmp_path / "f" / places[-1])

    def model(key: str, more: str = "") -> str:
        return f"{{kind: openai_chat, base_url: http://h/v1, model: m, {key}: {place(key)}{more}}}"

    text = f"""
version: 1
store_env: {place("store_env")}
web:
  token_env: {place("token_env")}
  webhooks: {{mlflow_secret_env: {place("_env")}, huggingface_secret_file: {place("_file")}}}
targets:
  - name: a
    endpoint: {model("api_key_env", f", headers_env: {{X-Key: {place('_env')}}}")}
    reference: {model("api_key_file")}
    challengers: {{c: {model("api_key_env")}}}
    golden: g.jsonl
    scorers:
      - {{kind: judge, prompt: "{{output}}", scale: [1, 5], endpoint: {model("api_key_env")}}}
      - {{kind: embedding_similarity, low: 0.1, endpoint: {model("api_key_file")}}}
  - name: b
    endpoint: {{kind: vertex, model: m, project: my-project, location: eu-west4, credentials_file: {place("_file")}}}
    golden: g.jsonl
    scorers: [{{kind: exact_match}}]
notifiers:
""" + "".join(f"  - {{name: {key}, {rest}, {key}: {place(key)}}}\n" for key, rest in PLANTED.items())
    config = parse(text.encode(), tmp_path / "goldwatch.yaml")
    found = logs.secrets_of(config, {name: f"canary-{name}" for name in places})
    assert {f"canary-{name}" for name in places} <= found
