"""Is the fine-tune still worth it? The tuned model against challengers: quality, latency, money, and a verdict.

A challenger is another way to the same answers: the base model with a good prompt, a smaller or a newer model. It
answers the same golden set from time to time. The difference in quality is the tuned model's score minus the
challenger's, over all comparisons so far, with an interval that stays valid however often one looks
(:mod:`checks.inference.confidence_sequence`).

The verdict, for a margin m that the user calls small:

- ``no_longer_pays``: the interval lies below m (the challenger is not worse by as much as the margin) *and* the
  challenger costs less;
- ``pays``: the interval lies above 0 (the tuned model is better); or above -m, and the tuned model costs no more;
- ``undecided``: neither can be said yet, or what the models cost is unknown where it matters; the reason says which.

Null hypothesis of ``no_longer_pays``: the challenger is worse by m or more. The probability that this is ever said
wrongly is at most alpha over all challengers, each having its equal part; likewise that "better" is said of a tuned
model that is not. One comparison never decides: a second must be there. What the models cost is counted, not estimated.

Cost of a month: requests x (tokens of one answer x their price), cached input tokens at a price of their own where the
provider reports them; hosting per hour x 730.5 hours; training spread evenly over the model's life. Where there
are costs by the month, which model is cheaper depends on the traffic: without it that is unknown.

Reference: S. Wellek, *Testing Statistical Hypotheses of Equivalence and Noninferiority* (2010), for the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from checks.inference.confidence_sequence import Difference, difference
from checks.inference.paired import Groups
from checks.types import FloatArray

HOURS_PER_MONTH = 365.25 / 12.0 * 24.0
LEAST_COMPARISONS = 2
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600.0


class Standing(StrEnum):
    """What may be said of a fine-tune beside a challenger."""

    PAYS = "pays"
    NO_LONGER_PAYS = "no_longer_pays"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Usage:
    """What answering took: sums over ``answers``. Unknown is None; ``cached_tokens`` are part of the input's."""

    answers: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars: per million tokens, per hour of hosting, and what training cost with the life it is spread over.

    ``cached_per_mtok`` None: cached tokens cost what others do. Token prices of None are unknown, not 0.
    """

    input_per_mtok: float | None = None
    output_per_mtok: float | None = None
    cached_per_mtok: float | None = None
    hosting_per_hour: float | None = None
    training_usd: float | None = None
    life_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars. ``tokens_per_1k``: of 1,000 requests; the rest: of a month. Unknown is None, not applicable 0."""

    tokens_per_1k: float | None
    tokens: float | None
    hosting: float
    training: float

    @property
    def month(self) -> float | None:
        """Of a month, all together; None where a part is unknown."""
        return None if self.tokens is None else self.tokens + self.hosting + self.training


def cost(usage: Usage, rates: Rates, requests_per_month: float | None) -> Cost:
    """What a model costs at the user's traffic.

    >>> bill = cost(Usage(100, 50_000, 1_000), Rates(0.30, 1.20, training_usd=365.25, life_s=31557600.0), 1e6)
    >>> round(bill.tokens_per_1k, 3), round(bill.month, 2)
    (0.162, 192.44)

    Args:
        usage: what the answers of a comparison took.
        rates: prices; a model that is only hosted by the hour has no token prices and costs nothing by token.
        requests_per_month: the user's traffic; None: unknown.
    """
    hosting = (rates.hosting_per_hour or 0.0) * HOURS_PER_MONTH
    training = 0.0
    if rates.training_usd and rates.life_s:
        training = rates.training_usd * SECONDS_PER_MONTH / rates.life_s
    per_request = _tokens_usd(usage, rates)
    tokens = None
    if per_request == 0.0:
        tokens = 0.0
    elif per_request is not None and requests_per_month is not None:
        tokens = per_request * requests_per_month
    return Cost(None if per_request is None else 1000.0 * per_request, tokens, hosting, training)


def _tokens_usd(usage: Usage, rates: Rates) -> float | None:
    if rates.input_per_mtok is None or rates.output_per_mtok is None:
        return 0.0 if rates.hosting_per_hour is not None else None
    if not usage.answers or usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    cheap = rates.input_per_mtok if rates.cached_per_mtok is None else rates.cached_per_mtok
    usd = (
        (usage.input_tokens - cached) * rates.input_per_mtok
        + cached * cheap
        + usage.output_tokens * rates.output_per_mtok
    )
    return usd / 1e6 / usage.answers


def saving(tuned: Cost, challenger: Cost) -> float | None:
    """How much cheaper the tuned model is than the challenger, US dollars a month; negative: dearer. None: unknown.

    Without the traffic, the saving on 1,000 requests stands in where neither side has costs by the month.
    """
    if tuned.month is not None and challenger.month is not None:
        return challenger.month - tuned.month
    fixed = tuned.hosting + tuned.training + challenger.hosting + challenger.training
    if fixed == 0.0 and tuned.tokens_per_1k is not None and challenger.tokens_per_1k is not None:
        return challenger.tokens_per_1k - tuned.tokens_per_1k
    return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said, why, and the difference in quality that it rests on (None: nothing could be compared)."""

    standing: Standing
    reason: str
    difference: Difference | None


def judge(
    looks: FloatArray,
    *,
    margin: float,
    saved: float | None,
    challengers: int = 1,
    groups: Groups = None,
    weights: FloatArray | None = None,
    alpha: float = 0.05,
) -> Verdict:
    """The verdict on the tuned model beside one of its challengers.

    Args:
        looks: float [comparisons, examples], the tuned model's score minus the challenger's, NaN where one is missing.
        margin: a difference in the mean score that is called small, in (0, 1).
        saved: how much cheaper the tuned model is, as :func:`saving` tells.
        challengers: how many share alpha.
        groups: a cluster per example.
        weights: a positive number per example.
        alpha: the probability of ever being wrong, over all challengers.
    """
    found = difference(looks, groups, weights, alpha=alpha / max(challengers, 1))
    if found is None:
        return Verdict(Standing.UNDECIDED, "nothing could be compared yet", None)
    if found.looks < LEAST_COMPARISONS:
        return Verdict(Standing.UNDECIDED, "one comparison; a second must agree", found)
    return Verdict(*_said(found, margin, saved), found)


def _said(found: Difference, margin: float, saved: float | None) -> tuple[Standing, str]:
    low, high = found.interval
    points = f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"
    if high < margin:
        as_good = f"the challenger is not worse by as much as {points}"
        if saved is not None and saved < 0.0:
            return Standing.NO_LONGER_PAYS, f"{as_good}, and it costs less"
        if saved is not None and low > -margin:
            return Standing.PAYS, f"both are as good within {points}, and the tuned model costs no more"
        if low <= 0.0:
            return Standing.UNDECIDED, (
                f"{as_good}, but what the two cost is unknown"
                if saved is None
                else f"{as_good}, but it costs more"
            )
    if low > 0.0:
        return Standing.PAYS, "the tuned model is better"
    if low > -margin and saved is not None and saved >= 0.0:
        return Standing.PAYS, f"the tuned model is not worse by as much as {points}, and it costs no more"
    return Standing.UNDECIDED, "the difference in quality is not yet known well enough"


def overall(standings: Sequence[Standing]) -> Standing:
    """Over all challengers: one that is enough ends it; it pays where it pays beside each.

    >>> overall([Standing.PAYS, Standing.NO_LONGER_PAYS]).value, overall([Standing.PAYS, Standing.UNDECIDED]).value
    ('no_longer_pays', 'undecided')
    """
    if Standing.NO_LONGER_PAYS in standings:
        return Standing.NO_LONGER_PAYS
    return Standing.PAYS if standings and set(standings) == {Standing.PAYS} else Standing.UNDECIDED


def percentile(durations_s: FloatArray, share: float) -> float | None:
    """The smallest duration that at least this share of the known ones does not exceed; None where none is known.

    >>> import numpy as np
    >>> percentile(np.array([3.0, 1.0, np.nan, 2.0, 4.0]), 0.5)
    2.0
    """
    known = durations_s[~np.isnan(durations_s)]
    return float(np.quantile(known, share, method="inverted_cdf")) if len(known) else None
