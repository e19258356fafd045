"""What does a first configuration say? What the server tells about itself, with a comment on every choice."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.errors import UserError

if TYPE_CHECKING:
    from checks.types import Served

_ASKED_MODELS = 16
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where the model is and what it was fine-tuned from; ``parent`` is None where that is unknown."""

    base_url: str
    model: str
    parent: str | None = None
    key_env: str | None = None


PLACEHOLDER = Server("http://127.0.0.1:8000/v1", "my-fine-tune")


def read_openai(model: str) -> Server:
    """What the name of a fine-tuned model of OpenAI tells: its base model is the second part.

    >>> read_openai("ft:gpt-4o-mini-2024-07-18:acme::9aXyZ12").parent
    'gpt-4o-mini-2024-07-18'

    Raises:
        UserError: it is not the name of a fine-tuned model.
    """
    match = re.fullmatch(r"ft:([A-Za-z0-9][A-Za-z0-9._-]*):[^\s]+", model)
    if match is None:
        raise UserError(
            f"{model!r} is not a fine-tuned model of OpenAI",
            "its name is like ft:gpt-4o-mini-2024-07-18:organisation:suffix:id",
        )
    return Server("https://api.openai.com/v1", model, match[1], "OPENAI_API_KEY")


def ask_vllm(url: str) -> Server:
    """What a vLLM server says on ``/v1/models``: the first adapter with its parent, else the first model.

    Raises:
        UserError: the address is not one, or no models are listed there.
    """
    import asyncio

    if not re.fullmatch(r"https?://[^\s?#@]+", url):
        raise UserError(f"{url!r} is not an address", "write it like http://127.0.0.1:8000")
    base_url = url.rstrip("/")
    if not re.search(r"/v[0-9]+$", base_url):
        base_url += "/v1"
    listed = asyncio.run(_identify(base_url))
    if not listed:
        raise UserError(
            f"no models are listed at {base_url}/models",
            "is the server up? try: curl " + base_url + "/models",
        )
    for model, served in listed.items():
        if served.parent:
            return Server(base_url, model, served.parent)
    return Server(base_url, next(iter(listed)))


def configuration(server: Server) -> str:
    """The text of a commented ``goldwatch.yaml``. It loads; a test holds it to that."""
    key = (
        f"\n      api_key_env: {server.key_env}      # secrets only ever by _env or _file"
        if server.key_env
        else ""
    )
    parent_key = f", api_key_env: {server.key_env}" if server.key_env else ""
    base_url, model = _quoted(server.base_url), _quoted(server.model)
    if server.parent:
        parent = _quoted(server.parent)
        reference = f"reference: {{kind: openai_chat, base_url: {base_url}, model: {parent}{parent_key}}}"
    else:
        reference = "# reference: {kind: openai_chat, base_url: ..., model: ...}"
    from checks.registry import kinds
    from service.endpoints import ROOM

    others = ", ".join(kind for kind in kinds(ROOM) if kind != "openai_chat")
    return _TEMPLATE.format(base_url=base_url, model=model, key=key, reference=reference, kinds=others)


async def _identify(base_url: str) -> dict[str, Served]:
    from checks.registry import find
    from service.endpoints import ROOM
    from service.http import client

    kind = find(ROOM, "openai_chat")
    async with client() as connection:
        first = await kind(base_url=base_url, model="unknown").identify(connection, timeout_s=_TIMEOUT_S)
        listed = {}
        for model in (first.models or ())[:_ASKED_MODELS]:
            endpoint = kind(base_url=base_url, model=model)
            listed[model] = await endpoint.identify(connection, timeout_s=_TIMEOUT_S)
        return listed


def _quoted(text: str) -> str:
    """A YAML double-quoted text, with everything beyond ASCII escaped: servers' names are not to be trusted."""
    return json.dumps(text)


_TEMPLATE = """\
# What goldwatch watches, how, and whom it tells. For completion in an editor: goldwatch schema
version: 1
store: sqlite:///goldwatch.db            # or postgresql+psycopg://USER@HOST/NAME
false_alarms: {{at_most: 1, per: 90d}}     # the one statistical setting, over all targets together

targets:
  - name: my-model
    severity: warning                    # critical | warning | info
    endpoint:                            # of another kind: {kinds}
      kind: openai_chat
      base_url: {base_url}
      model: {model}{key}
      # system: Route the ticket.        # the prompt that production uses; messages: [...] for few-shot
      params: {{temperature: 0}}           # merged into every request
      # price: {{input_per_mtok: 0.30, output_per_mtok: 1.20}}   # US dollars, for costs and usd_per_day
    # The base model, to tell whether the adapter is applied.
    {reference}
    golden: golden/tickets.jsonl         # then: goldwatch freeze golden/tickets.jsonl
    schedule: {{every: 1h}}                # or {{cron: "0 * * * *", timezone: Europe/Berlin}}
    # limits: {{requests_per_second: 20, tokens_per_day: 2000000}}
    # promises: {{latency_p95: 2s, usd_per_1000_requests: 0.40}}   # page when they are not kept
    scorers:
      - {{kind: label, labels: [billing, login, shipping, bug]}}   # min: 0.90 is a floor that always pages

notifiers: []
  # - {{name: ml-oncall, kind: slack, url_env: SLACK_WEBHOOK_URL, texts: short}}   # texts: none | short | all
"""

_TICKETS = (
    ("I was charged twice for my subscription this month.", "billing"),
    ("Why does my invoice show tax for the wrong country?", "billing"),
    ("Please refund the annual plan, I cancelled within the trial.", "billing"),
    ("The reset link says that it has expired as soon as I open it.", "login"),
    ("My account is locked after too many attempts.", "login"),
    ("Two-factor codes never reach my phone.", "login"),
    ("My parcel has been at the depot for six days.", "shipping"),
    ("Can you send the order to my office instead?", "shipping"),
    ("The tracking number is not known to the carrier.", "shipping"),
    ("The export button does nothing in the new version.", "bug"),
    ("The app crashes when I rotate the screen.", "bug"),
    ("Search returns no results for words with an umlaut.", "bug"),
)

GOLDEN = "".join(
    json.dumps({"id": f"T-{number:04d}", "input": text, "expected": label, "slices": {"label": label}}) + "\n"
    for number, (text, label) in enumerate(_TICKETS, 1)
)
"""A starter golden set: twelve tickets, to be replaced."""
