"""Did the world move? What production asks, held against the golden set and against its own beginning. Pure.

``features.py`` turns a text into numbers, ``coverage.py`` learns from the golden set what it represents, ``observe.py``
says of one sample what is counted, ``window.py`` adds samples up, ``streams.py`` judges windows in order within the
false-alarm budget, ``debt.py`` says how much of the traffic no golden example represents, and ``pick.py`` which samples
are most worth a label. None of them keeps a text.

A page from here says that the world moved. It never says that the model got worse: nobody knows the right answers.

To watch one more thing about traffic: a number in ``window.Window`` and a stream in ``streams.plan_of``.
"""

from __future__ import annotations

WINDOW_S = 21_600.0
"""The length of a window, unless told otherwise: shorter ones teach the noise a shift before they show it."""

PART = 0.1
"""Of a target's false-alarm budget, for its traffic, where that is watched; its runs have the rest."""
