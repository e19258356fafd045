"""What can be broken on purpose? A faulty proxy between the replay and an endpoint of any protocol.

It stands where the endpoint stands, passes each question on and changes what comes back. A share of the requests is
hit, drawn at random: from the seed, the example and how often it was asked, so that the order of requests does not
matter. Nothing sleeps: added latency is added to what was measured.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from checks.types import ErrorKind, Example, Response, ResponseError
from service.errors import UserError

if TYPE_CHECKING:
    import httpx

    from checks.types import Served
    from service.config import Target
    from service.endpoints import Endpoint


class FaultKind(StrEnum):
    """What is broken."""

    MIX = "mix"
    LABELS = "labels"
    TRUNCATE = "truncate"
    LATENCY = "latency"
    FORMAT = "format"
    STALE = "stale"
    OUTAGE = "outage"


MEANS: Mapping[FaultKind, str] = {
    FaultKind.MIX: "the base model (`reference`) answers instead",
    FaultKind.LABELS: "the first two labels are swapped",
    FaultKind.TRUNCATE: "the answer ends half-way",
    FaultKind.LATENCY: "the answer takes longer by --delay",
    FaultKind.FORMAT: "the answer is wrapped in prose",
    FaultKind.STALE: "an older model answers, from --answers FILE",
    FaultKind.OUTAGE: "nobody answers",
}
"""Each fault in a few words."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. ``ratio`` is the share of requests that it hits; ``delay_s`` goes with ``latency``."""

    kind: FaultKind
    ratio: float = 1.0
    delay_s: float = 1.0
    answers: Mapping[str, Response] | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.ratio <= 1.0:
            raise ValueError(f"ratio lies in (0, 1], not {self.ratio!r}")


class Faulty:
    """An endpoint with a fault before it; see :class:`~service.endpoints.Endpoint` for what its methods do.

    ``hit`` counts the requests that were broken; ``trouble`` is why the base model could not answer in the target's
    place, None where it did.
    """

    def __init__(self, behind: Endpoint, fault: Fault, target: Target, seed: int) -> None:
        self.kind, self.price = behind.kind, behind.price
        self.hit = 0
        self.trouble: str | None = None
        self._behind, self._fault, self._seed = behind, fault, seed
        self._asked: Counter[str] = Counter()
        self._base = target.reference
        self._labels = labels_of(target)

    async def identify(self, client: httpx.AsyncClient, *, timeout_s: float) -> Served:
        """As the endpoint behind says."""
        return await self._behind.identify(client, timeout_s=timeout_s)

    async def ask(self, client: httpx.AsyncClient, example: Example, *, timeout_s: float) -> Response:
        """What the endpoint behind answers, broken where the dice say so."""
        self._asked[example.id] += 1
        dice = random.Random(f"{self._seed} {self._asked[example.id]} {example.id}")  # no secret
        if dice.random() >= self._fault.ratio:
            return await self._behind.ask(client, example, timeout_s=timeout_s)
        self.hit += 1
        kind = self._fault.kind
        if kind is FaultKind.OUTAGE:
            return Response(example.id, error=ResponseError(ErrorKind.CONNECT, "the drill's outage"))
        if kind is FaultKind.MIX and self._base is not None:
            answer: Response = await self._base.ask(client, example, timeout_s=timeout_s)
            if answer.error is not None:
                self.trouble = answer.error.message
            return answer
        answer = await self._behind.ask(client, example, timeout_s=timeout_s)
        if answer.output is None:
            return answer
        if kind is FaultKind.LATENCY:
            return replace(
                answer,
                latency_s=_later(answer.latency_s, self._fault.delay_s),
                ttft_s=_later(answer.ttft_s, self._fault.delay_s),
            )
        if kind is FaultKind.STALE:
            old = (self._fault.answers or {}).get(example.id)
            return answer if old is None or old.output is None else replace(answer, output=old.output)
        return replace(answer, output=self._changed(answer.output))

    def _changed(self, output: str) -> str:
        if self._fault.kind is FaultKind.TRUNCATE:
            return output[: len(output) // 2]
        if self._fault.kind is FaultKind.FORMAT:
            return f"Sure! I would be happy to help. The answer is:\n\n```\n{output}\n```\nAnything else?"
        return swapped(output, self._labels)


def _later(wait_s: float | None, delay_s: float) -> float | None:
    return None if wait_s is None else wait_s + delay_s


def labels_of(target: Target) -> tuple[str, ...]:
    """The labels of the target's first ``label`` scorer; none without one."""
    found: Sequence[Any] = [getattr(s, "labels", ()) for s in target.scorers if s.kind == "label"]
    return tuple(found[0]) if found else ()


def swapped(text: str, labels: Sequence[str]) -> str:
    """The text with the first two labels in each other's place.

    >>> swapped("Billing, I think", ["billing", "login"])
    'login, I think'
    """
    if len(labels) < 2:
        return text
    pair = {labels[0].casefold(): labels[1], labels[1].casefold(): labels[0]}
    either = re.compile("|".join(re.escape(label) for label in labels[:2]), re.IGNORECASE)
    return either.sub(lambda match: pair.get(match[0].casefold(), match[0]), text)


def check(fault: Fault, target: Target) -> None:
    """Whether the fault can be put before the target.

    Raises:
        UserError: what it needs is not there.
    """
    if fault.kind is FaultKind.MIX and target.reference is None:
        raise UserError(f"{target.name} names no base model", "set reference: in the configuration")
    if fault.kind is FaultKind.LABELS and len(labels_of(target)) < 2:
        raise UserError(
            f"{target.name} has no label scorer whose labels could be swapped", "choose another fault"
        )
    if fault.kind is FaultKind.STALE and not fault.answers:
        raise UserError(
            "--fault stale needs an older model's answers", "name a response file: --answers FILE"
        )
