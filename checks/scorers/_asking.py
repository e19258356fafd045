"""How does a scorer that asks another model stay pure? It says what to ask, and is given what was answered.

A scorer that needs a model (``judge``, ``embedding_similarity``) names the texts that must be asked for an answer;
``service/judging.py`` asks them, keeps the replies, and hands the scorer a copy that holds them. Without a reply there
is no score: unscored with the reason, never 0.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo

from checks.plugged import Plugged
from checks.scorers import Scorer
from checks.types import Example, Json, Response, Score


def _at_home(path: Path, info: ValidationInfo) -> Path:
    home = (info.context or {}).get("base_dir")
    return home / path.expanduser() if isinstance(home, Path) else path


@dataclass(frozen=True, slots=True)
class Replies:
    """What was answered to which text, and of the others why nothing was."""

    said: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


class AskingScorer(Scorer):
    """The base of the scorers that ask a model of their own.

    What was answered once is kept by the asked model and the text, so that an answer that was seen before costs
    nothing; ``version`` is for changes that goldwatch cannot see.
    """

    asks: ClassVar[bool] = True

    endpoint: Annotated[
        Any,
        Plugged("service.endpoints"),
        Field(description="The model that is asked, of any kind of endpoint."),
    ]
    anchors: Annotated[
        Annotated[Path, AfterValidator(_at_home)] | None,
        Field(
            description="A JSONL file of frozen answers with the scores that people gave: `id`, `input`, `output`, "
            "`score` (0 to 1), and `expected` where it is used. All are scored anew in every run; at least 10."
        ),
    ] = None
    version: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Any text; change it when the asked model was changed on purpose. Stored answers are then "
            "scored again.",
        ),
    ] = None

    _replies: Replies = PrivateAttr(default_factory=Replies)

    @abstractmethod
    def questions(self, example: Example, output: str) -> tuple[str, ...]:
        """The texts that must be asked before this output can be scored; empty if it never can."""

    @abstractmethod
    def from_replies(self, example: Example, output: str, replies: Sequence[str]) -> Score:
        """The score, from the replies to :meth:`questions` in their order."""

    def having(self, replies: Replies) -> Self:
        """The same scorer, knowing these replies."""
        copy = self.model_copy()
        copy._replies = replies  # noqa: SLF001  # its own
        return copy

    def score(self, example: Example, response: Response) -> Score:
        """The score, or unscored where a reply is missing."""
        problem = self.problem(example)
        if problem is not None:
            return Score.unscored(problem)
        output, replies = response.output or "", []
        for question in self.questions(example, output):
            reply = self._replies.said.get(question)
            if reply is None:
                return Score.unscored(self._replies.missing.get(question, f"{self.kind}: not asked"))
            replies.append(reply)
        return self.from_replies(example, output, replies)

    @property
    def fingerprint(self) -> str:
        """What identifies the asked model as configured, 32 hexadecimal digits: replies are kept under it."""
        content = [*self._asked(), self.version]
        written = json.dumps(content, sort_keys=True, ensure_ascii=False, default=list)
        return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def measured_by(self) -> dict[str, Any]:
        """What decides the scores: the model that is asked, without keys, headers and prices, and the options."""
        left_out = {"min", "name", "endpoint", "anchors"}
        options = self.model_dump(mode="json", by_alias=True, exclude=left_out, exclude_defaults=True)
        return {**options, "asked": self._asked(), "anchored": self.anchors is not None}

    def _asked(self) -> list[Json]:
        endpoint = self.endpoint
        return [endpoint.kind, endpoint.url, endpoint.model_name, endpoint.question()]
