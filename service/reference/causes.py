"""What may have changed? The page of the rules that name causes."""

from __future__ import annotations

import inspect
import sys

import checks.causes
from checks.causes import MOST, rules
from service.base_answers import FRESH_S, SAMPLE, WAIT_S
from service.reference.markdown import join, prose

_INTRO = f"""\
Once a run is judged `regressed`, rules look at it beside the last good runs. At most {MOST} causes are told, the
strongest first: in the alert (`cause` of the webhook's body as sentences, `alert.causes` with the facts), in
`goldwatch run`, in `goldwatch explain`, on the pages, and at
`/api/v1/alerts/ID/causes`. They are hints: they decide nothing and spend none
of the false-alarm budget. Where none fits, what was looked at is told instead.

The base model (`reference`, or the `parent` that the server names) is asked at that moment: {SAMPLE} examples at
most, each twice, within what is left of the target's daily limits and at its rate, once in
{FRESH_S / 3600:.0f} hours at most. A page waits for it {WAIT_S:.0f} s at most; what has come by then is used."""


def page() -> str:
    """The page as Markdown."""
    parts = ["# Causes", _INTRO, _strength()]
    for rule in rules():
        if rule.find.__module__.startswith("checks."):
            text = inspect.getdoc(sys.modules[rule.find.__module__]) or ""
            parts += [f"## `{rule.name}`", prose(text)]
    return join(parts)


def _strength() -> str:
    text = inspect.getdoc(checks.causes) or ""
    return prose(text[text.index("**Strength**") :])
