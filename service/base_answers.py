"""What does the base model answer? Asked seldom, kept, and held against every run of the fine-tune.

With ``reference`` in the configuration the base model is asked the target's own questions before the first run is
judged, and again every :data:`REFRESH_S`, each example twice, within what is left of the target's daily limits and
at its rate. Every run's answers are then held against the stored ones, without further requests: ``likeness`` in
``scoring.py`` gives what the check ``adapter_applied`` reads. Nothing here may cost a run: whatever fails is logged,
and that run's likeness is not known.

Answers are not replaced by those of a reference that has begun to answer like the fine-tune: then it is the reference
that changed, and the fine-tune would seem to have lost its adapter.

While a regression stands, :func:`lately` asks a sample once a day at most, for the causes on the page.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from checks.types import Example, Response, Served, Verdict
from service.records import BaseModelAnswers, Golden

if TYPE_CHECKING:
    from service.conclude import Appraised
    from service.config import Target
    from service.endpoints import Endpoint
    from service.pipeline import Shell
    from service.store import Store

WAIT_S = 60.0
"""How long a page may wait for the base model's answers; what has come by then is used."""

SAMPLE = 100
"""At most so many examples are asked for a page, each twice: the base model may not always repeat itself."""

FRESH_S = 86_400.0
"""Answers that are younger are used again for a page."""

MOST = 1000
"""At most so many examples are asked for the check; of larger golden sets a sample."""

REFRESH_S = 7 * 86_400.0
RETRY_S = 3600.0

_COVERS = 0.9
_FEWEST_TELLING = 5
_log = structlog.get_logger("goldwatch")


async def to_hold_against(shell: Shell, target: Target, golden: Golden) -> BaseModelAnswers | None:
    """The answers that a run is held against: the newest whole ones; asked now where there are none.

    None without a ``reference``, or where it does not answer (it is asked again after :data:`RETRY_S`).
    """
    endpoint = _reference(target)
    if endpoint is None:
        return None
    try:
        kept, tried_at = await asyncio.to_thread(_kept, shell, target, endpoint, golden)
        if kept is not None or shell.clock() - tried_at < RETRY_S:
            return kept
        fresh = await _ask_all(shell, target, endpoint, golden)
    except Exception as error:  # noqa: BLE001  # a hint must never cost a run
        _not_asked(target, error)
        return None
    return fresh if fresh is not None and fresh.texts else None


def known_answers(store: Store, target: Target, golden: Golden) -> BaseModelAnswers | None:
    """The newest whole answers of the target's base model, without asking it; None where there are none."""
    endpoint = _reference(target)
    if endpoint is None:
        return None
    return _whole(store.base_answers(target.name, _key(endpoint, golden), all_kept=True), golden)


async def refresh(shell: Shell, target: Target, golden: Golden, appraised: Appraised) -> None:
    """Ask the base model again where its answers are old, after a run that was not bad."""
    endpoint = _reference(target)
    if endpoint is None or appraised.judgement.verdict in (Verdict.REGRESSED, Verdict.SUSPECT):
        return
    try:
        kept, tried_at = await asyncio.to_thread(_kept, shell, target, endpoint, golden)
        now = shell.clock()
        if kept is not None and now - kept.asked_at >= REFRESH_S and now - tried_at >= RETRY_S:
            await _ask_all(shell, target, endpoint, golden, instead_of=kept, beside=appraised.responses)
    except Exception as error:  # noqa: BLE001  # as above
        _not_asked(target, error)


async def lately(
    shell: Shell, target: Target, golden: Golden, served: Served | None
) -> BaseModelAnswers | None:
    """What the base model answers to (a sample of) the golden set, for a page; None if none is known, or can be had.

    The base model is ``reference``, or the ``parent`` that the server names. Fresh answers are taken from the store.
    Else it is asked, within the target's limits and for :data:`WAIT_S` at most; where it cannot be, answers that are
    older are better than none.
    """
    from service.doctor.base_model import base_model_of, sample_of  # noqa: PLC0415  # only a bad run asks

    found = base_model_of(target, served or Served())
    if found is None or found[0].question() != target.endpoint.question():
        return None
    endpoint = found[0]
    asked = _key(endpoint, golden)
    kept = await asyncio.to_thread(shell.store.base_answers, target.name, asked)
    newest = kept[0] if kept else None
    if newest is not None and shell.clock() - newest.asked_at < FRESH_S:
        return newest
    answers = await _ask(shell, target, endpoint, sample_of(golden, SAMPLE), asked, WAIT_S)
    if answers is not None:
        await asyncio.to_thread(shell.store.put_base_answers, answers)
        if answers.texts:
            return answers
    return newest


def like_the_target(
    old: Mapping[str, Sequence[str]], fresh: Mapping[str, Sequence[str]], responses: Sequence[Response]
) -> bool:
    """Whether a base model that was asked again now gives the fine-tune's answers where it used to give others."""
    telling = turned = 0
    for response in responses:
        before, now = old.get(response.example_id), fresh.get(response.example_id)
        if response.repeat or response.output is None or not before or not now:
            continue
        mine = response.output.strip()
        if mine not in [text.strip() for text in before]:
            telling += 1
            turned += mine == now[0].strip()
    return telling >= _FEWEST_TELLING and 2 * turned >= telling


def _reference(target: Target) -> Endpoint | None:
    """The configured base model, if it is asked what the target is asked."""
    if target.reference is None:
        return None
    from service.doctor.base_model import as_asked  # noqa: PLC0415  # only where one is configured

    endpoint = as_asked(target.endpoint, target.reference)
    return endpoint if endpoint.question() == target.endpoint.question() else None


def _kept(
    shell: Shell, target: Target, endpoint: Endpoint, golden: Golden
) -> tuple[BaseModelAnswers | None, float]:
    """The newest whole answers, and when the base model was last asked."""
    rows = shell.store.base_answers(target.name, _key(endpoint, golden), all_kept=True)
    whole = _whole(rows, golden)
    return whole, max((row.asked_at for row in rows if not row.texts or row is whole), default=0.0)


def _whole(rows: Sequence[BaseModelAnswers], golden: Golden) -> BaseModelAnswers | None:
    wanted = _COVERS * min(len(golden.examples), MOST)
    return next((row for row in rows if len(row.texts) >= wanted), None)


async def _ask_all(
    shell: Shell,
    target: Target,
    endpoint: Endpoint,
    golden: Golden,
    *,
    instead_of: BaseModelAnswers | None = None,
    beside: Sequence[Response] = (),
) -> BaseModelAnswers | None:
    from service.doctor.base_model import sample_of  # noqa: PLC0415  # as above

    examples = sample_of(golden, MOST)
    fresh = await _ask(shell, target, endpoint, examples, _key(endpoint, golden), target.deadline_s)
    if fresh is None:
        return None
    whole = len(fresh.texts) >= _COVERS * len(examples)
    if not whole:
        _log.warning(
            "the base model answered too little to be held against",
            target=target.name,
            answered=len(fresh.texts),
            asked=len(examples),
        )
    elif instead_of is not None and like_the_target(instead_of.texts, fresh.texts, beside):
        _log.warning("reference_answers_like_the_target", target=target.name, kept="the answers from before")
        whole = False
    fresh = fresh if whole else replace(fresh, texts={})
    await asyncio.to_thread(shell.store.put_base_answers, fresh)
    return fresh


async def _ask(
    shell: Shell, target: Target, endpoint: Endpoint, examples: Sequence[Example], asked: str, wait_s: float
) -> BaseModelAnswers | None:
    from service.conclude import cost_usd  # noqa: PLC0415  # conclude is loaded by now, and must not be circular
    from service.pipeline import plan_of  # noqa: PLC0415
    from service.replay import replay  # noqa: PLC0415

    plan = await asyncio.to_thread(plan_of, shell, target)
    if plan.tokens_left == 0 or plan.usd_left == 0:
        return None
    came: list[Response] = []
    plan = replace(plan, repeats=2, retries=0, deadline_s=wait_s, timeout_s=min(plan.timeout_s, wait_s))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s + plan.drain_s):
            await replay(examples, endpoint, plan, save=came.extend, stop=shell.stop)
    if not came:
        return None
    if failed := Counter(str(r.error.kind) for r in came if r.error is not None):
        _log.warning(
            "the base model did not answer", target=target.name, asked=len(came), failed=dict(failed)
        )
    texts: dict[str, list[str]] = {}
    for response in sorted(came, key=lambda r: r.repeat):
        if response.answered and response.output is not None:
            texts.setdefault(response.example_id, []).append(response.output)
    inputs = [r.input_tokens for r in came if r.input_tokens is not None]
    outputs = [r.output_tokens for r in came if r.output_tokens is not None]
    tokens = (sum(inputs) if inputs else None, sum(outputs) if outputs else None)
    return BaseModelAnswers(
        target=target.name,
        asked=asked,
        asked_at=shell.clock(),
        name=endpoint.model_name or endpoint.url,
        texts=texts,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost_usd=cost_usd(endpoint.price or target.endpoint.price, *tokens),
    )


def _key(endpoint: Endpoint, golden: Golden) -> str:
    content = [endpoint.kind, endpoint.url, endpoint.model_name, endpoint.question(), golden.digest]
    written = json.dumps(content, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _not_asked(target: Target, error: Exception) -> None:
    _log.warning("reference_not_asked", target=target.name, error=f"{type(error).__name__}: {error}")
