"""How do answers become scores? The page of the scorers."""

from __future__ import annotations

from service.reference.kinds import kind_page

_INTRO = """\
A scorer turns one answer into a score from 0 to 1, or says why there is none; unscored is not 0. A target has at
least one under `scorers`; each is judged for itself, over all examples and over every slice. In the examples,
`scorer` is what stands in `goldwatch.yaml`, `expected` is the example's, and `right` and `wrong` are answers. To
try one without a configuration: `goldwatch compare before.jsonl after.jsonl --golden golden.jsonl --scorer KIND`."""


def page() -> str:
    """The page as Markdown."""
    return kind_page("checks.scorers", "Scorers", _INTRO)
