"""Did a check that knows causes regress, where no other rule has anything to go by?

The checks ``adapter_applied`` and ``identity`` do not only say that something is worse but what changed. An adapter
that was never loaded leaves no good run to hold a bad one against, so the other rules are silent; a requantised model
whose answers stay right leaves nothing in the answers. What the check says is then the cause.
"""

from __future__ import annotations

from checks.causes import Cause, Rule
from checks.causes.base_model import likeness
from checks.causes.facts import Facts

_ADAPTER = "see whether the adapter is loaded: the server's LoRA settings, the adapter's key names, its log"
_SERVED = "see what was rolled out to the endpoint: weights, quantisation, chat template, server version"


def _needs(facts: Facts) -> bool:
    return bool(facts.told)


def _find(facts: Facts) -> Cause | None:
    adapter, identity = facts.told.get("adapter_applied"), facts.told.get("identity")
    if adapter is not None and likeness(facts) is None:
        return Cause("told_by_check", "adapter not applied", 0.94, (adapter,), _ADAPTER)
    if identity is not None and set(facts.told) == {"identity"}:
        return Cause(
            "told_by_check", "something else is served under the same name", 0.9, (identity,), _SERVED
        )
    return None


RULE = Rule("told_by_check", "what the checks of the adapter and the identity say", _find, _needs)
