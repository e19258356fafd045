"""Did answers become much faster or slower with it? Another model size, other hardware, a cache, a queue.

The median over examples of the ratio of latencies, bad run to good run. It says something changed, not what: it
stands beside other causes. Differences below 30 ms are left to the machine's noise.
"""

from __future__ import annotations

from statistics import median

from checks.causes import Cause, Rule
from checks.causes.facts import Facts, Side, upper_tail

_FEWEST_PAIRS = 20
_FACTOR = 1.8
_NOISE_S = 0.03


def _needs(facts: Facts) -> bool:
    return len(_latencies(facts, facts.before, facts.now)) >= _FEWEST_PAIRS


def _find(facts: Facts) -> Cause | None:
    pairs = _latencies(facts, facts.before, facts.now)
    if len(pairs) < _FEWEST_PAIRS:
        return None
    was, now = median(a for a, _ in pairs), median(b for _, b in pairs)
    ratio = now / was if was > 0 else 1.0
    factor = max(ratio, 1 / ratio) if ratio > 0 else 1.0
    slower = sum(b > a for a, b in pairs)
    one_way = upper_tail(max(slower, len(pairs) - slower), len(pairs), 0.5) <= 1e-6
    usual = _latencies(facts, facts.earlier, facts.before)
    wobble = abs(median(b for _, b in usual) - median(a for a, _ in usual)) if usual else 0.0
    if factor < _FACTOR or abs(now - was) < max(_NOISE_S, 3 * wobble) or not one_way:
        return None
    how = "slower" if now > was else "faster"
    return Cause(
        name="latency",
        title=f"answers became {factor:.1f}× {how} at the same time",
        strength=0.46,
        facts=(f"median latency {_said(was)} → {_said(now)} over {len(pairs)} examples",),
        next="look for another model size, quantisation, hardware or route behind the endpoint",
    )


def _said(wait_s: float) -> str:
    return f"{wait_s * 1000:.0f} ms" if wait_s < 1 else f"{wait_s:.2f} s"


def _latencies(facts: Facts, left: Side | None, right: Side | None) -> list[tuple[float, float]]:
    return [
        (a.latency_s, b.latency_s)
        for _, a, b in facts.pairs(left, right)
        if a.latency_s is not None and b.latency_s is not None
    ]


RULE = Rule("latency", "latency", _find, _needs)
