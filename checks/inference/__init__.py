"""How sure can one be, and how soon? The mathematics, free of I/O and of the service's nouns.

The array door, for researchers and for anyone who wants to check the promise::

    from checks.inference import watch
    result = watch(scores, baseline_runs=10)        # scores: float [runs, examples], NaN = unanswered

Inside:

- ``reference.py``: what a run is held against, and the statistic of a run.
- ``noise.py``: mean streams: one run into a z-value, with the noise model learnt.
- ``counts.py``: rare-failure streams: one run into e-values for lost answers.
- ``tails.py``: what the endpoint has done before while healthy bounds what one run may say.
- ``clock.py``: Shiryaev-Roberts on e-values against the false-alarm budget; two runs must agree.
- ``group.py``: the streams of one scorer (headline, rare failures, slices), folded over runs.
- ``onset.py``, ``resolve.py``: since when, and is it over?
- ``watch.py``: the array door over ``group.py``.
- ``paired.py``, ``multiplicity.py``: two response sets compared.

To add a stream: a module with ``initial``, ``learn`` and ``log_e`` functions over a frozen state, and a row in
``group.py`` that gives it its weight; its calibration belongs in ``tests/checks/inference/``.
"""

from __future__ import annotations

from checks.inference.watch import Watch, watch

__all__ = ["Watch", "watch"]
