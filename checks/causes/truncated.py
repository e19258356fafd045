"""Are answers cut off? ``finish_reason`` says ``length``, or what the protocol calls it, where it did not before.

A lower ``max_tokens`` in front of the model or a smaller context window cuts the answers that it used to give: they are
beginnings of the good ones. A model that has become talkative is cut off as well, but says other things; then the
cut is a symptom, and ranked as one.
"""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, rose, share
from checks.types import Response

_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "model_context_window_exceeded"})


def _needs(facts: Facts) -> bool:
    return facts.comparable and any(
        here.finish_reason is not None for _, _, here in facts.pairs(facts.before, facts.now)
    )


def _find(facts: Facts) -> Cause | None:
    pairs = facts.pairs(facts.before, facts.now)
    cut = {i for i, _, here in pairs if _is_cut(here)}
    was = {i for i, there, _ in pairs if _is_cut(there)}
    if not rose(len(cut - was), len(was - cut)):
        return None
    broke = {int(i) for i in facts.broke().nonzero()[0]}
    explained = len(broke & (cut - was)) / len(broke) if broke else 0.0
    lengths = sorted(
        {here.output_tokens for i, _, here in pairs if i in cut and here.output_tokens is not None}
    )
    said = [f"{share(len(cut), len(pairs))} answers end at the token limit (usual: {len(was)})"]
    if len(lengths) == 1:
        said.append(f"each of them after {lengths[0]} tokens")
    begun = sum(_begins(there, here) for i, there, here in pairs if i in cut - was)
    shorter = 2 * begun >= len(cut - was)
    return Cause(
        name="truncated",
        title="answers are cut off" if shorter else "answers grew and are cut off",
        strength=0.55 + 0.3 * explained if shorter else 0.5,
        facts=tuple(said),
        next="compare max_tokens and the context length of the server and of any gateway; see why answers grew",
    )


def _begins(whole: Response, cut: Response) -> bool:
    """Whether a cut answer is the beginning of the good one."""
    text = (cut.output or "").strip()
    return len(text) < len((whole.output or "").strip()) and (whole.output or "").strip().startswith(text)


def _is_cut(response: Response) -> bool:
    return response.finish_reason in _CUT


RULE = Rule("truncated", "answers cut off", _find, _needs)
