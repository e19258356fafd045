"""Could the endpoint be measured? The share of examples that were answered.

Never says ``regressed``: an outage is ``inconclusive``, with an alert of its own kind, and spends none of the
false-alarm budget.
"""

from __future__ import annotations

from dataclasses import dataclass

from checks.base import Answer
from checks.types import ALL, Finding, Measurement, Subject, Verdict


@dataclass(frozen=True, slots=True)
class State:
    """Answered examples and examples asked, over all measured runs."""

    answered: float = 0.0
    asked: float = 0.0


class Availability:
    """No hypothesis is tested: what could not be measured is said, not judged."""

    name = "availability"
    weight = 0.0
    state_types = (State,)

    def initial(self, subject: Subject) -> State:
        """Nothing asked yet."""
        del subject
        return State()

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        del share, learn
        finding = self._finding(subject, state, run, Verdict.OK)
        after = State(state.answered + float(run.answered.sum()), state.asked + subject.examples)
        return after, Answer((finding,))

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        return Answer((self._finding(subject, state, run, Verdict.INCONCLUSIVE),))

    def _finding(self, subject: Subject, state: State, run: Measurement, verdict: Verdict) -> Finding:
        answered = int(run.answered.sum())
        current = answered / subject.examples
        baseline = state.answered / state.asked if state.asked else None
        reason = None
        if verdict is Verdict.INCONCLUSIVE and run.measured and current >= subject.min_answered:
            reason = f"{answered} of {subject.examples} examples answered, and none could be scored"
        elif verdict is Verdict.INCONCLUSIVE:
            reason = (
                f"{answered} of {subject.examples} examples answered; {subject.min_answered:.0%} are needed"
            )
        elif answered < subject.examples:
            reason = f"{answered} of {subject.examples} examples answered"
        effect = None if baseline is None else current - baseline
        return Finding(
            self.name, None, ALL, verdict, effect=effect, baseline=baseline, current=current, reason=reason
        )


CHECK = Availability()
