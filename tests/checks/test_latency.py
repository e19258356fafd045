"""Slowdowns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from checks.inference import group
from checks.latency import CHECK
from checks.types import Measurement, Subject

EXAMPLES = 20


def run(number, latency_s):
    noise = np.random.default_rng(number).standard_normal(EXAMPLES)
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={},
        answered=np.ones(EXAMPLES, dtype=bool),
        latency_s=latency_s * np.exp(0.1 * noise),
    )


def test_the_onset_of_a_slowdown_is_known_for_as_long_as_it_stands():
    """After more bad runs than are remembered the first one is still named."""
    subject = Subject(EXAMPLES, ("label",), {})
    state = CHECK.initial(subject)
    for number in range(1, 30):
        state, answer = CHECK.update(
            subject, state, run(number, 0.5 if number <= 20 else 3.0), share=1.0, learn=True
        )
    assert answer.onset_run == 21
    many = np.arange(30, 30 + 5 * group.REMEMBERED)
    state = replace(
        state, runs=many, stream=replace(state.stream, seen=state.stream.seen + len(many))
    )  # as if all these slow runs had been judged
    state, answer = CHECK.update(subject, state, run(int(many[-1]) + 1, 3.0), share=1.0, learn=False)
    assert (answer.standing, answer.onset_run) == (True, 21)
