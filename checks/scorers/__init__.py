"""How good is this answer? One scorer per file.

A scorer turns (example, response) into a :class:`~checks.types.Score`; it knows nothing of history. To add
one: a module named like its kind, holding one subclass of :class:`Scorer` with ``kind: Literal["your_kind"] =
"your_kind"`` and a ``score`` method. It is then known to the configuration, the documentation and the battery
of tests in ``tests/checks/scorers/test_every_scorer.py``.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

from pydantic import Field

from checks.registry import Plugin
from checks.types import Example, Response, Score

ROOM = "checks.scorers"


class Scorer(Plugin):
    """The base of all scorers. ``min`` is a floor that pages whatever the history."""

    kind: str
    name: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="What its scores are called; by default the kind."),
    ] = None
    min: Annotated[
        float | None,
        Field(ge=0.0, le=1.0, description="A floor for the mean score; below it pages whatever the history."),
    ] = None

    @property
    def scorer_name(self) -> str:
        """The name under which scores are kept: ``name``, by default the kind."""
        return self.name or self.kind

    def problem(self, example: Example) -> str | None:  # noqa: ARG002  # for those that override it
        """Why this scorer can never score this example (say, ``expected`` is missing), else None.

        Asked before any request is sent; ``doctor`` and ``run`` report it.
        """
        return None

    @abstractmethod
    def score(self, example: Example, response: Response) -> Score:
        """Score an answered response. Unanswered ones never come here."""


def score(scorer: Scorer, example: Example, response: Response) -> Score:
    """Score one response; an unanswered one, or a scorer that raises, is unscored with a reason."""
    if not response.answered:
        reason = response.error.message if response.error else "no answer"
        return Score.unscored(f"unanswered: {reason}")
    try:
        return scorer.score(example, response)
    except Exception as error:  # noqa: BLE001  # a faulty scorer must not look like a bad model
        return Score.unscored(f"scorer {scorer.scorer_name} failed: {type(error).__name__}: {error}")
