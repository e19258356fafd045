"""What may stand in goldwatch.yaml? The page of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.config.schema import schema
from service.reference.keys import Key, key_table, keys
from service.reference.markdown import join, prose

_INTRO = """\
`goldwatch.yaml` says which deployed models are watched, how, and whom goldwatch tells. Required are `version` and,
per target, `name`, `endpoint`, `golden` and `scorers`; the rest has defaults. Unknown keys are errors, and all
errors are told at once, each with its line.

- Durations are a number and a unit: `ms`, `s`, `m`, `h`, `d` or `w`.
- Paths and SQLite URLs are relative to the file.
- Secrets never stand in it: `..._env` names a variable, `..._file` a file.
- Editors complete it with the schema: `goldwatch schema > goldwatch.schema.json`."""

EXAMPLE = """\
version: 1
store: sqlite:///goldwatch.db
false_alarms: {at_most: 1, per: 90d}
targets:
  - name: ticket-router
    labels: {team: support-ml, env: prod}
    severity: critical
    endpoint:
      kind: openai_chat
      base_url: http://127.0.0.1:8000/v1
      model: ticket-router-ft
      api_key_env: TICKET_ROUTER_KEY
      system: Route the ticket.
      params: {temperature: 0, max_tokens: 8}
      price: {input_per_mtok: 0.30, output_per_mtok: 1.20}
    reference: {kind: openai_chat, base_url: "http://127.0.0.1:8000/v1", model: Llama-3-8B-Instruct}
    golden: golden/tickets.jsonl
    schedule: {every: 1h}
    limits: {requests_per_second: 20, usd_per_day: 5}
    scorers:
      - {kind: label, labels: [billing, login, shipping, bug], min: 0.90}
    notify: [ml-oncall]
notifiers:
  - {name: ml-oncall, kind: slack, url_env: SLACK_WEBHOOK_URL, texts: short}
"""
"""A configuration that loads."""


def page() -> str:
    """The page as Markdown."""
    parts = ["# Configuration", _INTRO, f"```yaml\n{EXAMPLE}```"]
    for path, about, listed in sections(schema()):
        parts += [f"## `{path}`" if path else "## The whole file", prose(about), key_table(listed)]
    return join(parts)


def sections(whole: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Key]]]:
    """Each mapping of the file: its path (empty for the file itself), what it is, and its keys."""
    definitions = whole["$defs"]
    ahead: list[tuple[str, Mapping[str, Any]]] = [("", whole)]
    while ahead:
        path, definition = ahead.pop(0)
        listed = list(keys(definition, definitions, f"{path}." if path else ""))
        yield path, definition.get("description", ""), listed
        inner = [
            (key.path + ("[]" if key.type.startswith("list") else ""), definitions[key.section])
            for key in listed
            if key.section
        ]
        ahead = inner + ahead
