"""Did a check that knows causes regress, where no other rule has anything to go by?

The checks ``adapter_applied`` and ``identity`` do not only say that something is worse but what changed. An adapter
that was never loaded leaves no good run to hold a bad one against, so the other rules are silent; a requantised model
whose answers stay right leaves nothing in the answers. What the check says is then the cause; of a model that was
swapped it is also said whether its answers come from another distribution, by the string-kernel test of
``inference/string_kernel.py`` over two good and two bad runs.
"""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.base_model import likeness
from checks.causes.facts import FEWEST, UNLIKELY, Facts
from checks.inference.string_kernel import two_sample

_ADAPTER = "see whether the adapter is loaded: the server's LoRA settings, the adapter's key names, its log"
_PROMISED = (
    "look at load, hardware, batching, prompt and answer lengths and prices; or promise less (promises:)"
)
_SERVED = "see what was rolled out to the endpoint: weights, quantisation, chat template, server version"


def _needs(facts: Facts) -> bool:
    return bool(facts.told)


def _find(facts: Facts) -> Cause | None:
    adapter, identity = facts.told.get("adapter_applied"), facts.told.get("identity")
    if adapter is not None and likeness(facts) is None:
        return Cause("told_by_check", "adapter not applied", 0.94, (adapter,), _ADAPTER)
    if identity is not None and set(facts.told) == {"identity"}:
        facts_of_it = (identity, *_of_the_answers(facts))
        return Cause(
            "told_by_check", "something else is served under the same name", 0.9, facts_of_it, _SERVED
        )
    broken = facts.told.get("promises")
    if broken is not None and set(facts.told) == {"promises"}:
        return Cause("told_by_check", "a promise is not kept, whatever was usual", 0.5, (broken,), _PROMISED)
    return None


def _of_the_answers(facts: Facts) -> tuple[str, ...]:
    """Whether the answers are those of another model, in a sentence; nothing where too few are known."""
    if not facts.earlier or not facts.again:
        return ()
    four = []
    for example in facts.examples:
        sides = (facts.earlier, facts.before, facts.again, facts.now)
        texts = [side.text(example.id) if side is not None else None for side in sides]
        if all(text is not None for text in texts):
            four.append(tuple(str(text) for text in texts))
    if len(four) < FEWEST:
        return ()
    found = two_sample(four)  # type: ignore[arg-type]  # four of them
    if found is None:
        return ()
    differ = "differ" if found.p <= UNLIKELY * 10 else "do not differ beyond chance"
    p = f"p < {UNLIKELY:g}" if found.p < UNLIKELY else f"p = {found.p:.2g}"
    size = f"string kernel: MMD² {found.discrepancy:.2g}, {p}"
    return (f"the answers to {found.questions} questions {differ} ({size})",)


RULE = Rule("told_by_check", "what the checks of adapter, identity and promises say", _find, _needs)
