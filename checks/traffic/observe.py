"""What is counted of one production sample? Its input against the golden set, its answer through the scorers.

Whether the answer is right is not asked: nobody knows. The target's scorers still say which label it names and whether
it can be read in the expected form; the refusal scorer says whether it declines.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.scorers import Scorer, score
from checks.scorers.refusal import Refusal
from checks.traffic.coverage import Anchors, nearest, new_words, unknown_words
from checks.traffic.window import Seen
from checks.types import Example, Json, Message, Response

MOST_LABEL = 80
_REFUSAL = Refusal()


def asked(given: str | Sequence[Message]) -> str:
    """The part of an input that tells requests apart: the last thing a user said, else all of it.

    >>> asked((Message("system", "Route it."), Message("user", "No invoice came")))
    'No invoice came'
    """
    if isinstance(given, str):
        return given
    users = [message.content for message in given if message.role == "user"]
    return users[-1] if users else "\n".join(message.content for message in given)


def observe(
    anchors: Anchors | None,
    scorers: Sequence[Scorer],
    given: str | Sequence[Message],
    output: str | None,
    *,
    stand_in: Json = None,
    categories: frozenset[str] = frozenset(),
    near: tuple[float, int] | None = None,
) -> Seen:
    """What is counted of one sample.

    Args:
        anchors: what the golden set represents; None where it is too small to say.
        scorers: the target's.
        given: what was asked.
        output: what was answered; None where that was not sent.
        stand_in: an ``expected`` of the golden set. Some scorers read nothing without one; the value that they then
            give says nothing and is not used.
        categories: the labels that golden answers name (:func:`categories_of`); an answer that names another one is
            represented by no golden example. Empty: not categories.
        near: what ``nearest`` says of the input where it is known already.
    """
    text = asked(given)
    similarity, kind = (None, None) if anchors is None else near or nearest(anchors, text)
    novel = None if anchors is None or similarity is None else similarity < anchors.threshold
    unknown = None if anchors is None else unknown_words(anchors, text)
    new = None if anchors is None else new_words(anchors, unknown)
    if output is None:
        return Seen(len(text), None, kind, novel, similarity, unknown_words=unknown, new_words=new)
    refusal = next((s for s in scorers if isinstance(s, Refusal)), _REFUSAL)
    label, malformed = None, None
    answer = Response("sample", output)
    example = Example("sample", text, stand_in)
    for scorer in scorers:
        if isinstance(scorer, Refusal):
            continue
        got = score(scorer, example, answer)
        label = got.label if label is None else label
        if got.value is not None or got.label is not None or got.format_failure:
            malformed = bool(malformed) or got.format_failure
    if label is not None:
        label = label[:MOST_LABEL] or None
        if novel is not None and categories and label is not None:
            novel = novel or label not in categories
    refused = refusal.refuses(output)
    return Seen(len(text), len(output), kind, novel, similarity, label, malformed, refused, unknown, new)


def categories_of(scorers: Sequence[Scorer], expected: Sequence[Json]) -> frozenset[str]:
    """The labels that the golden answers name, as the scorers spell them."""
    texts = {text for one in expected for text in (one if isinstance(one, list) else [one])}
    made = (
        score(scorer, Example("sample", "", text), Response("sample", text)).label
        for text in texts
        if isinstance(text, str) and text
        for scorer in scorers
    )
    return frozenset(label[:MOST_LABEL] for label in made if label)
