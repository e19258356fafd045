"""What does the model say to its border prompts, now? One-token requests beside the golden set, for the check identity.

With ``identity:`` in the configuration, and no log-probabilities, border prompts are searched once per baseline and
question, beside the first run that is answered (``border_search.py``), and asked in every run since, within the
target's rate and what is left of its daily limits. They count in its tokens and cost, and are never scored.

They are asked at ``identity.temperature``, 0 by default, where least is left to chance. An endpoint that refuses that
is asked with the target's own parameters. A model that does not repeat itself on most of its border prompts is asked
each of them :data:`DRAWS` times a run.

Nothing here may cost a run: whatever fails is logged, and that run says nothing of its border prompts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import structlog

from checks.border import ABOUT, FEWEST, TOKENS
from checks.types import ErrorKind, Example, FloatArray, Response
from service.border_search import search
from service.records import BorderPrompts, Golden

if TYPE_CHECKING:
    from service.config import Target
    from service.endpoints import Endpoint
    from service.pipeline import Shell

DRAWS = 3
"""Requests per prompt and run where the model does not repeat itself."""

FIRST = 4
"""So many times as often such prompts are asked in the run that found them, which all later ones are held against."""

RETRY_S = 86_400.0
"""A search that found too few prompts is made again after so long."""

_log = structlog.get_logger("goldwatch")


class _StoppedError(Exception):
    """The process was asked to stop."""


async def ask_border(
    shell: Shell, target: Target, golden: Golden, run_id: int
) -> Mapping[str, FloatArray] | None:
    """The tokens of a run's border prompts, as ``checks/border.py`` reads them; empty where there is nothing to say.

    None if the process was asked to stop meanwhile.
    """
    if not target.asks_border_prompts:
        return {}
    try:
        found, fresh = await _known(shell, target, golden, run_id)
        if len(found.prompts) < FEWEST:
            return {}
        endpoint = _endpoint(target, found.as_configured)
        draws = found.draws * (FIRST if fresh and found.draws > 1 else 1)
        said = await _asked(shell, target, endpoint, found.prompts, draws)
    except _StoppedError:
        return None
    except Exception as error:  # noqa: BLE001  # a sign of identity must never cost a run
        _log.warning("border_prompts_not_asked", target=target.name, error=f"{type(error).__name__}: {error}")
        return {}
    by_prompt: dict[str, list[float]] = {prompt.id: [] for prompt in found.prompts}
    for response in said:
        by_prompt[response.example_id].append(_number(response.output) if response.answered else np.nan)
    rows = [(row + [np.nan] * draws)[:draws] for row in by_prompt.values()]
    about = float(int(_digest([_input(p) for p in found.prompts])[:12], 16))
    return {TOKENS: np.array(rows).ravel(), ABOUT: np.array([about, len(rows)])}


def key_of(target: Target, baseline_id: int | None) -> str:
    """What border prompts were found for: another question, number or temperature, or baseline, wants others."""
    wanted = [target.identity.border_prompts, target.identity.temperature] if target.identity else []
    return _digest([target.endpoint.kind, target.endpoint.question(), wanted, baseline_id])[:32]


async def _known(shell: Shell, target: Target, golden: Golden, run_id: int) -> tuple[BorderPrompts, bool]:
    """The prompts as they are kept, and whether they were found just now: searched where they never were."""
    run = await asyncio.to_thread(shell.store.run, run_id)
    key = key_of(target, None if run is None else run.baseline_id)
    kept = await asyncio.to_thread(shell.store.border_prompts, target.name, key)
    if kept is not None and (len(kept.prompts) >= FEWEST or shell.clock() - kept.at < RETRY_S):
        return kept, False
    found = await _searched(shell, target, golden)
    await asyncio.to_thread(shell.store.put_border_prompts, target.name, key, found)
    if len(found.prompts) < FEWEST:
        _log.warning("border_prompts_too_few", target=target.name, found=len(found.prompts), needed=FEWEST)
    return found, True


async def _searched(shell: Shell, target: Target, golden: Golden) -> BorderPrompts:
    identity = target.identity
    assert identity is not None  # noqa: S101  # the target asks border prompts
    refused = 0

    async def put(prompts: Sequence[Example]) -> list[str | None]:
        nonlocal refused
        numbered = [replace(prompt, id=str(i)) for i, prompt in enumerate(prompts)]
        said = {r.example_id: r for r in await _asked(shell, target, endpoint, numbered, 1)}
        refused += all(r.error is not None and r.error.kind is ErrorKind.REFUSED for r in said.values())
        return [said[p.id].output if p.id in said and said[p.id].answered else None for p in numbered]

    as_configured = False
    endpoint = _endpoint(target, as_configured)
    prompts, steady = await search(put, golden.examples, identity.border_prompts)
    if refused and not prompts:
        as_configured = True
        endpoint = _endpoint(target, as_configured)
        prompts, steady = await search(put, golden.examples, identity.border_prompts)
    return BorderPrompts(prompts, 1 if steady else DRAWS, as_configured, shell.clock())


def _endpoint(target: Target, as_configured: bool) -> Endpoint:
    temperature = None if as_configured or target.identity is None else target.identity.temperature
    endpoint: Endpoint | None = target.endpoint.one_token(temperature)
    assert endpoint is not None  # noqa: S101  # the configuration was held against the kind
    return endpoint


async def _asked(
    shell: Shell, target: Target, endpoint: Endpoint, prompts: Sequence[Example], draws: int
) -> list[Response]:
    """Responses to prompts, as a replay asks; what they took is counted.

    Raises:
        _StoppedError: the process was asked to stop.
    """
    from service.conclude import cost_usd  # noqa: PLC0415  # conclude is loaded by now, and must not be circular
    from service.pipeline import plan_of  # noqa: PLC0415
    from service.replay import replay  # noqa: PLC0415

    if not prompts:
        return []
    plan = replace(await asyncio.to_thread(plan_of, shell, target), repeats=draws)
    result = await (shell.ask or replay)(prompts, endpoint, plan, save=lambda _: None, stop=shell.stop)
    tokens = _sum(r.input_tokens for r in result.responses), _sum(r.output_tokens for r in result.responses)
    if any(count is not None for count in tokens):
        cost = cost_usd(target.endpoint.price, *tokens)
        await asyncio.to_thread(shell.store.put_asking, target.name, shell.clock(), *tokens, cost)
    if result.interrupted:
        raise _StoppedError
    responses: list[Response] = result.responses
    return responses


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _input(prompt: Example) -> object:
    return prompt.input if isinstance(prompt.input, str) else [[m.role, m.content] for m in prompt.input]


def _number(text: str | None) -> float:
    return float(int(_digest(text or "")[:12], 16))


def _digest(content: object) -> str:
    written = json.dumps(content, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()
