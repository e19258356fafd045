"""Does the judge judge, and as people do? Its anchors are asked once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from checks.inference.agreement import agreement
from checks.judge_drift import SCORES, in_words
from checks.scorers._asking import AskingScorer, Replies
from checks.types import Example, Json, Response
from service.anchors import load
from service.doctor import Diagnosis, Level, Part
from service.errors import UserError
from service.judging import anchor_questions, observed

if TYPE_CHECKING:
    import httpx

    from service.config import Target

MOST = 100
"""At most so many anchors are asked."""


async def look_at_judge(client: httpx.AsyncClient, target: Target, scorer: AskingScorer) -> Diagnosis | None:
    """How well the scorer agrees with people; None where it has no anchors, or they cannot be read.

    A warning where it gives too few verdicts, or agrees no better than chance (AC1's interval holds 0).
    """
    try:
        anchors = None if scorer.anchors is None else load(scorer.anchors).first(MOST)
    except UserError:
        return None
    if anchors is None:
        return None
    questions, slots = sorted(anchor_questions(scorer, anchors)), asyncio.Semaphore(target.concurrency)

    async def asked(text: str) -> Response:
        async with slots:
            reply: Response = await scorer.endpoint.ask(
                client, Example("anchor", text), timeout_s=target.timeout_s
            )
            return reply

    came = dict(zip(questions, await asyncio.gather(*map(asked, questions)), strict=True))
    replies = Replies(
        {text: r.output for text, r in came.items() if r.output is not None and r.answered},
        {text: r.error.message for text, r in came.items() if r.error is not None},
    )
    name = scorer.scorer_name
    scores = observed(scorer.having(replies), (), (), anchors)[SCORES + name]
    known, found = int((~np.isnan(scores)).sum()), agreement(scores, anchors.human)
    if found is None or known < target.min_answered * len(scores):
        why = f"{name} gave a verdict on {known} of {len(scores)} anchors"
        remedy = (
            "look at what its model replies: the prompt, the verdicts and max_tokens decide what can be read"
        )
        return Diagnosis(Part.SCORERS, target.name, Level.WARNING, why, remedy)
    facts: dict[str, Json] = {
        "scorer": name,
        "anchors": found.n,
        "agreement": found.ratio,
        "ac1": None if found.ac1 is None else [found.ac1.value, found.ac1.low, found.ac1.high],
        "kappa": None if found.kappa is None else [found.kappa.value, found.kappa.low, found.kappa.high],
    }
    chance = found.ac1 is None or found.ac1.low <= 0.0
    return Diagnosis(
        Part.SCORERS,
        target.name,
        Level.WARNING if chance else Level.OK,
        f"{name}: {in_words(found)}{': perhaps no better than chance' if chance else ''}",
        "improve its prompt, take a better judge, or add anchors" if chance else None,
        facts,
    )
