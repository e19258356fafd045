"""Which golden set and which scorers does a command line name?

``--scorer`` holds a kind (``exact_match``) or the YAML that would stand in a configuration's list of scorers
(``{kind: regex, pattern: '...'}``), and is held to the same rules. ``--golden`` may name a set that nobody froze,
because recorded answers are judged as they are; one that was edited since it was frozen is refused as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from checks.registry import UnknownKindError, find, kinds
from service.config import source, translate
from service.config.errors import Problem, did_you_mean, list_of
from service.errors import UserError
from service.golden import check_lock, load, read_lock

if TYPE_CHECKING:
    from checks.scorers import Scorer
    from checks.types import Example
    from service.records import Golden

ROOM = "checks.scorers"
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_NAMED_PROBLEMS = 3


class ScorerOptionError(UserError):
    """One or more ``--scorer`` options cannot be used; the message has a line for every fault."""


def scorers_of(options: Sequence[str]) -> tuple[Scorer, ...]:
    """The scorers of the ``--scorer`` options, in their order.

    >>> [s.scorer_name for s in scorers_of(["exact_match", "{kind: contains, name: has}"])]
    ['exact_match', 'has']

    Raises:
        ScorerOptionError: with every fault of every option.
    """
    found: list[Scorer] = []
    faults: list[str] = []
    names: dict[str, int] = {}
    for number, text in enumerate(options, 1):
        scorer, problems = _parse(text)
        if scorer is not None:
            first = names.setdefault(scorer.scorer_name, number)
            if first != number:
                why = f"the scorer name {scorer.scorer_name!r} is already that of --scorer {first}"
                problems = [Problem(None, "name", f"{why}: give one a name of its own")]
            found.append(scorer)
        faults += [problem.render(f"--scorer {number}") for problem in problems]
    if faults:
        remedy = "write a kind, or YAML in quotes: --scorer '{kind: regex, pattern: \"...\"}'"
        raise ScorerOptionError("\n".join(faults), remedy)
    return tuple(found)


def golden_of(path: Path) -> Golden:
    """The golden set that ``--golden`` names; its ``version`` is None if nobody froze it.

    Raises:
        GoldenError: it has faults, or was edited since it was frozen.
    """
    return load(path) if read_lock(path) is None else check_lock(path)


def unfrozen_note(path: Path) -> str:
    """The one line that is said of a set without a lock."""
    return f"note: {path} is not frozen, so a later edit would go unnoticed; run: goldwatch freeze {path}"


def check_scorable(scorers: Sequence[Scorer], examples: Sequence[Example]) -> list[str]:
    """What the scorers cannot score of the golden set, one line per scorer; nothing where they can score all.

    Raises:
        UserError: a scorer can score no example at all, or asks a model of its own.
    """
    notes = []
    for scorer in scorers:
        if getattr(scorer, "asks", False):
            raise UserError(
                f"scorer {scorer.scorer_name} asks a model of its own, and recorded answers are scored offline",
                "put it into a target's `scorers` and run that: goldwatch run",
            )
        problems = [(e.id, why) for e in examples if (why := scorer.problem(e)) is not None]
        if not problems:
            continue
        named = "; ".join(f"{example_id}: {why}" for example_id, why in problems[:_NAMED_PROBLEMS])
        count = f"{len(problems)} of {len(examples)} examples cannot be scored"
        more = f"; and {len(problems) - _NAMED_PROBLEMS} more" if len(problems) > _NAMED_PROBLEMS else ""
        line = f"scorer {scorer.scorer_name}: {count}: {named}{more}"
        if len(problems) == len(examples):
            raise UserError(line, "correct `expected` in the golden set, or choose another scorer")
        notes.append(f"note: {line}")
    return notes


def _parse(text: str) -> tuple[Scorer | None, list[Problem]]:
    """The scorer, or what is wrong with the option. Places are left out of options of one line."""
    text = text.strip()
    if not text:
        return None, [Problem(None, "", "is empty")]
    if _BARE.fullmatch(text):
        text = f"{{kind: {text}}}"
    document = source.read(text.encode("utf-8", "surrogateescape"))
    problems = list(document.problems)
    scorer = None
    if document.data is not None or not problems:
        scorer, more = _validated(document)
        problems += more
    if "\n" not in text:
        problems = [Problem(None, p.key, p.message, p.column) for p in problems]
    return (None if problems else scorer), problems


def _validated(document: source.Document) -> tuple[Scorer | None, list[Problem]]:
    data, known = document.data, kinds(ROOM)
    if not isinstance(data, dict):
        return None, [Problem(None, "", f"must be a kind or a mapping with a kind; kinds: {list_of(known)}")]
    kind = data.get("kind")
    if not isinstance(kind, str):
        what = "must be one of" if "kind" in data else "required key is missing; one of"
        return None, [Problem(None, "kind", f"{what} {list_of(known)}")]
    try:
        cls = find(ROOM, kind)
    except UnknownKindError:
        hint = did_you_mean(kind, known)
        return None, [Problem(None, "kind", f"unknown kind {kind!r}{hint or ';'} known: {list_of(known)}")]
    try:
        return cls.model_validate(data, context={"base_dir": Path.cwd()}), []
    except ValidationError as error:
        return None, translate.problems(error, document, cls)
