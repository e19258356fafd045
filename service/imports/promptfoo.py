"""promptfoo: a configuration with ``tests`` (YAML, JSON), tests as JSON lines, or CSV with ``__expected`` columns.

A golden set is judged by the same scorers throughout, promptfoo asserts test by test. So the kind of assertion that
most tests have becomes the scorer, and its value the test's ``expected``; tests that assert otherwise are told and
left, to be imported into a set of their own. The first prompt is filled with the test's variables and asked as a text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.errors import UserError
from service.imports import Imported, objects, slices_of
from service.imports.csv import rows_of

SCORERS: Mapping[str, dict[str, Any]] = {
    "equals": {"kind": "exact_match"},
    "contains": {"kind": "contains"},
    "icontains": {"kind": "contains", "ignore_case": True},
    "contains-any": {"kind": "contains"},
    "icontains-any": {"kind": "contains", "ignore_case": True},
    "contains-all": {"kind": "contains", "match": "all"},
    "icontains-all": {"kind": "contains", "match": "all", "ignore_case": True},
}
"""Assertions that mean the same as a scorer whose ``expected`` is the assertion's value."""

_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_TYPES = (
    "agent-rubric", "answer-relevance", "bleu", "classifier", "contains", "contains-all", "contains-any",
    "contains-html", "contains-json", "contains-sql", "contains-xml", "context-faithfulness", "context-recall",
    "context-relevance", "conversation-relevance", "cost", "equals", "eval", "factuality", "finish-reason", "fn",
    "g-eval", "gleu", "grade", "guardrails", "icontains", "icontains-all", "icontains-any", "is-html", "is-json",
    "is-refusal", "is-sql", "is-valid-function-call", "is-valid-openai-function-call", "is-valid-openai-tools-call",
    "is-xml", "javascript", "latency", "levenshtein", "llm-rubric", "max-score", "meteor", "model-graded-closedqa",
    "model-graded-factuality", "moderation", "perplexity", "perplexity-score", "pi", "python", "regex", "rouge-n",
    "ruby", "search-rubric", "select-best", "similar", "starts-with", "tool-call-f1", "webhook", "word-count",
)  # fmt: skip
"""What may stand before the colon in ``__expected``, or alone; any other text is one that is equalled."""

_TYPED = re.compile(rf"(not-)?({'|'.join(_TYPES)})(\(\d+(?:\.\d+)?\))?(?::\s*(.*))?|file://(.*)", re.DOTALL)
_LIKELY = ("input", "question", "prompt", "query", "message", "text")


def read(path: Path, columns: Mapping[str, str]) -> Imported:
    """One example a test; ``--map input=VAR`` names the variable that is asked where there is no prompt."""
    found = Imported()
    config, tests = _tests(path, found)
    prompt = _prompt(config, found)
    default = config.get("defaultTest")
    default = default if isinstance(default, dict) else {}
    read_tests = [_one(path, where, _merged(default, test), prompt, columns, found) for where, test in tests]
    known = [one for one in read_tests if one is not None]
    kinds = Counter(kind for *_, kind, _ in known if kind is not None)
    chosen = kinds.most_common(1)[0][0] if kinds else None
    if chosen is not None:
        found.use(SCORERS[chosen])
    for given_id, asked, slices, kind, expected in known:
        if kind != chosen:
            found.left[
                f"tests that assert {kind or 'nothing that a scorer means'} where most assert {chosen}"
            ] += 1
            continue
        found.add(given_id, asked, expected, slices=slices)
    return found


def _tests(path: Path, found: Imported) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """The configuration (empty where the file holds tests alone) and its tests, each with where it stands."""
    if path.suffix.lower() == ".csv":
        return {}, [(where, _of_row(row)) for where, row in rows_of(path)]
    if path.suffix.lower() == ".jsonl":
        return {}, list(objects(path))
    from service.imports._yaml import load  # noqa: PLC0415  # YAML reads JSON too

    whole = load(path)
    config = _resolved(whole if isinstance(whole, dict) else {"tests": whole})
    tests = config.get("tests")
    if not isinstance(tests, list):
        raise UserError(
            f"{path}: there is no list `tests`", "import the file that `tests` names, with the same format"
        )
    named = []
    for number, test in enumerate(tests, 1):
        if isinstance(test, dict):
            named.append((f"test {number}", test))
        else:
            found.left["tests in files of their own: import those files"] += 1
    for key in ("providers", "scenarios", "transform", "nunjucksFilters"):
        if config.get(key):
            found.left[f"{key}: configured in goldwatch.yaml, or not at all"] += 1
    return config, named


def _resolved(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with each ``{$ref: '#/a/b'}`` replaced by what stands there; what is nowhere stays."""

    def pointed(reference: str) -> Any:
        held: Any = config
        for step in reference.removeprefix("#/").split("/"):
            held = held.get(step) if isinstance(held, dict) else None
        return held

    def within(held: Any, depth: int = 0) -> Any:
        if isinstance(held, dict):
            reference = held.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/") and depth < 20:
                found = pointed(reference)
                return held if found is None else within(found, depth + 1)
            return {key: within(value, depth) for key, value in held.items()}
        return [within(value, depth) for value in held] if isinstance(held, list) else held

    return {key: within(value) if key in ("tests", "defaultTest") else value for key, value in config.items()}


def _of_row(row: Mapping[str, str]) -> dict[str, Any]:
    """A CSV row as a test: ``__`` columns say how it is judged, the others are its variables."""
    asserts = [_typed(row[key]) for key in row if re.fullmatch(r"__expected\d*", key) and row[key].strip()]
    metadata = {
        key.removeprefix("__metadata:"): row[key].split(",") if key.endswith("[]") else row[key]
        for key in row
        if key.startswith("__metadata:")
    }
    made: dict[str, Any] = {
        "vars": {key: row[key] for key in row if not key.startswith("__")},
        "assert": asserts,
    }
    made |= {key[2:]: row[key] for key in ("__prefix", "__suffix", "__threshold", "__metric") if row.get(key)}
    return made | {"metadata": metadata, "description": row.get("__description")}


def _typed(text: str) -> dict[str, Any]:
    """``contains: yes`` is an assertion of that type; a text without a type is equalled."""
    match = _TYPED.fullmatch(text.strip())
    if match is None:
        return {"type": "equals", "value": text}
    negated, kind, _, value, file = match.groups()
    if file is not None:
        return {"type": "file://"}
    kind = f"{negated or ''}{kind}"
    many = kind.endswith(("-any", "-all")) and value is not None
    return {"type": kind, "value": [part.strip() for part in value.split(",")] if many else value}


def _prompt(config: Mapping[str, Any], found: Imported) -> str | None:
    prompts = config.get("prompts")
    listed = prompts if isinstance(prompts, list) else [prompts] if prompts else []
    if len(listed) > 1:
        found.left["prompts after the first: a golden set is asked in one way"] += len(listed) - 1
    first = listed[0] if listed else None
    if isinstance(first, dict):
        first = first.get("raw")
    if not isinstance(first, str):
        return None
    if (
        first.startswith("file://")
        or "{%" in first
        or re.fullmatch(r"[\w./-]+\.(txt|json|md|yaml|js|py)", first)
    ):
        found.left["a prompt in a file or with logic: the test's variable is asked alone"] += 1
        return None
    return first


def _merged(default: Mapping[str, Any], test: Mapping[str, Any]) -> dict[str, Any]:
    both = {**default, **test}
    for key in ("vars", "metadata", "options"):
        if isinstance(default.get(key), dict) and isinstance(test.get(key), dict):
            both[key] = {**default[key], **test[key]}
    both["assert"] = [*(test.get("assert") or []), *(default.get("assert") or [])]
    return both


_Test = tuple[Any, str, dict[str, str], str | None, Any]


def _one(
    path: Path,
    where: str,
    test: Mapping[str, Any],
    prompt: str | None,
    columns: Mapping[str, str],
    found: Imported,
) -> _Test | None:
    values = test.get("vars")
    values = values if isinstance(values, dict) else {}
    if any(isinstance(value, list | dict) for value in values.values()):
        found.left["tests whose variables are lists or objects: promptfoo makes several of them"] += 1
        return None
    if any(isinstance(value, str) and value.startswith("file://") for value in values.values()):
        found.left["tests whose variables are in files"] += 1
        return None
    for key in ("threshold", "metric", "prefix", "suffix", "provider", "options"):
        if test.get(key):
            found.left[f"{key}: not carried over"] += 1
    kind, expected = _assertion(test.get("assert") or [], found)
    asked = _asked(path, where, values, prompt, columns, found)
    return None, asked, slices_of(test.get("metadata"), found), kind, expected


def _asked(
    path: Path,
    where: str,
    values: Mapping[str, Any],
    prompt: str | None,
    columns: Mapping[str, str],
    found: Imported,
) -> str:
    if prompt is not None:
        absent = [name for name in _VARIABLE.findall(prompt) if name not in values]
        if absent:
            raise UserError(
                f"{path}, {where}: the prompt needs the variable {absent[0]!r}", "add it to the test"
            )
        for name in values.keys() - set(_VARIABLE.findall(prompt)):
            found.left[f"variable {name}: not in the prompt, so not asked"] += 1
        return _VARIABLE.sub(lambda match: _text(values[match[1]]), prompt)
    names = [columns["input"]] if "input" in columns else [n for n in _LIKELY if n in values] or list(values)
    if len(values) > 1 and "input" not in columns and names[0] not in _LIKELY:
        raise UserError(
            f"{path}, {where}: several variables and no prompt: which one is asked?",
            f"--map input=VAR, one of: {', '.join(values)}"[:300],
        )
    if not names or names[0] not in values:
        raise UserError(
            f"{path}, {where}: there is nothing to ask", "--map input=VAR names the variable that is asked"
        )
    for name in values.keys() - {names[0]}:
        found.left[f"variable {name}: not asked, since there is no prompt in this file"] += 1
    return _text(values[names[0]])


def _text(value: Any) -> str:
    """A variable as JavaScript writes it into a prompt.

    >>> _text(True), _text(None), _text(7)
    ('true', '', '7')
    """
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _assertion(asserts: Any, found: Imported) -> tuple[str | None, Any]:
    """The first assertion that a scorer means, and its value; the others are left."""
    chosen: tuple[str | None, Any] = (None, None)
    for one in asserts if isinstance(asserts, list) else []:
        kind = one.get("type") if isinstance(one, dict) else None
        value = one.get("value") if isinstance(one, dict) else None
        own = (isinstance(value, str | int | float) and not isinstance(value, bool)) or (
            isinstance(value, list) and value
        )
        if kind in SCORERS and own and chosen[0] is None and not (isinstance(value, str) and "{{" in value):
            chosen = (str(kind), json.loads(json.dumps(value)))
        else:
            second = " besides the first" if kind in SCORERS and chosen[0] is not None else ""
            found.left[f"assertion {kind or 'without a type'}{second}: write a scorer for it"] += 1
    return chosen
