"""promptfoo: a configuration with ``tests`` (YAML, JSON), tests as JSON lines, or CSV with ``__expected`` columns.

A golden set is judged by the same scorers throughout, promptfoo asserts test by test. So the kind of assertion that
most tests have becomes the scorer, and its value the test's ``expected``; tests that assert otherwise are told and
left, to be imported into a set of their own. The first prompt is filled with the test's variables and asked as a text,
or as a conversation where it is one (JSON or YAML). Tests and prompts in files of their own are read where these stand
in the folder of the configuration.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from service.errors import UserError
from service.imports import Imported, conversation, objects, slices_of
from service.imports._yaml import load, read_yaml
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
_EXPRESSION = re.compile(r"\{\{(?!\s*[\w.-]+\s*\}\})")
"""A filter or another expression in braces, which only promptfoo computes."""
_FILE = re.compile(r"[\w./-]+\.(txt|json|md|ya?ml|[mc]?[jt]s|py|csv|j2|rb|go)(:\w+)?")
_TEST_FILES = frozenset({".csv", ".jsonl", ".yaml", ".yml", ".json"})
_PROMPT_FILES = frozenset({".txt", ".json", ".yaml", ".yml", ".md"})
_Prompt = str | list[Any] | None
_LIKELY = ("input", "question", "prompt", "query", "message", "text")


def read(path: Path, columns: Mapping[str, str]) -> Imported:
    """One example a test; ``--map input=VAR`` names the variable that is asked where there is no prompt."""
    found = Imported()
    config, tests = _tests(path, found)
    prompt = _prompt(path.parent, config, found)
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


def _tests(
    path: Path, found: Imported, *, nested: bool = False
) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """The configuration (empty where the file holds tests alone) and its tests, each with where it stands."""
    if path.suffix.lower() == ".csv":
        return {}, [(where, _of_row(row)) for where, row in rows_of(path)]
    if path.suffix.lower() == ".jsonl":
        return {}, list(objects(path))
    whole = load(path)  # YAML reads JSON too
    if isinstance(whole, dict) and "vars" in whole and "tests" not in whole:
        whole = [whole]
    config = _resolved(whole if isinstance(whole, dict) else {"tests": whole})
    tests = config.get("tests")
    if not isinstance(tests, list | str):
        raise UserError(f"{path}: there is no list `tests`", "choose another --format, or add `tests`")
    named = []
    for number, test in enumerate(tests if isinstance(tests, list) else [tests], 1):
        if isinstance(test, dict) and not (isinstance(test.get("path"), str) and "vars" not in test):
            named.append((f"test {number}", test))
            continue
        file = _beside(path.parent, test.get("path") if isinstance(test, dict) else test, _TEST_FILES)
        if file is None or nested:
            found.left["tests in files of their own: import those files"] += 1
            continue
        inner, more = _tests(file, found, nested=True)
        if inner.keys() - {"tests"}:
            raise UserError(f"{file}: this is a configuration, no tests", "import it by itself")
        named += [(f"{file.name}, {where}", one) for where, one in more]
    for key in ("providers", "scenarios", "transform", "nunjucksFilters"):
        if config.get(key):
            found.left[f"{key}: configured in goldwatch.yaml, or not at all"] += 1
    return config, named


def _beside(folder: Path, named: Any, kinds: frozenset[str]) -> Path | None:
    """The file that a configuration names, if it stands in the configuration's folder and is of one of these kinds."""
    if not isinstance(named, str) or "*" in named or named.startswith("-"):
        return None
    file = (folder / named.removeprefix("file://")).resolve()
    inside = file.is_relative_to(folder.resolve())
    return file if inside and file.suffix.lower() in kinds and file.is_file() else None


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


def _prompt(folder: Path, config: Mapping[str, Any], found: Imported) -> _Prompt:
    prompts = config.get("prompts")
    listed = prompts if isinstance(prompts, list) else [prompts] if prompts else []
    if len(listed) > 1:
        found.left["prompts after the first: a golden set is asked in one way"] += len(listed) - 1
    first = listed[0] if listed else None
    if isinstance(first, dict):
        first = first.get("raw") or first.get("id")
    if not isinstance(first, str):
        return None
    file = _beside(folder, first, _PROMPT_FILES) if "\n" not in first else None
    if file is not None:
        first = file.read_text("utf-8-sig").strip()
        if re.search(r"^---$", first, re.MULTILINE):
            found.left["prompts after the first: a golden set is asked in one way"] += 1
            first = re.split(r"^---$", first, flags=re.MULTILINE)[0].strip()
    elif first.startswith("file://") or _FILE.fullmatch(first):
        found.left["a prompt in a file or with logic: the test's variable is asked alone"] += 1
        return None
    if "{%" in first or _EXPRESSION.search(first):
        found.left["a prompt in a file or with logic: the test's variable is asked alone"] += 1
        return None
    return _turns(first) or first


def _turns(prompt: str) -> list[Any] | None:
    """The conversation that a prompt writes down as JSON or YAML; None if it is a plain text."""
    if not re.match(r"\s*(\[|- )", prompt):
        return None
    try:
        read = read_yaml(prompt)  # reads JSON too
    except yaml.YAMLError:
        return None
    whole = (
        isinstance(read, list)
        and read
        and all(isinstance(t, dict) and {"role", "content"} <= t.keys() for t in read)
    )
    return read if whole else None


def _merged(default: Mapping[str, Any], test: Mapping[str, Any]) -> dict[str, Any]:
    both = {**default, **test}
    for key in ("vars", "metadata", "options"):
        if isinstance(default.get(key), dict) and isinstance(test.get(key), dict):
            both[key] = {**default[key], **test[key]}
    both["assert"] = [*(test.get("assert") or []), *(default.get("assert") or [])]
    return both


_Test = tuple[Any, Any, dict[str, str], str | None, Any]


def _one(
    path: Path,
    where: str,
    test: Mapping[str, Any],
    prompt: _Prompt,
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
    if asked is None:
        return None
    return None, asked, slices_of(test.get("metadata"), found), kind, expected


def _asked(
    path: Path,
    where: str,
    values: Mapping[str, Any],
    prompt: _Prompt,
    columns: Mapping[str, str],
    found: Imported,
) -> Any:
    if prompt is not None:
        wanted = set(
            _VARIABLE.findall(prompt if isinstance(prompt, str) else json.dumps(prompt, default=str))
        )
        if absent := sorted(wanted - values.keys()):
            found.left[f"tests without the variable {absent[0]}, which the prompt asks with"] += 1
            return None
        for name in values.keys() - wanted:
            found.left[f"variable {name}: not in the prompt, so not asked"] += 1
        return (
            _filled(prompt, values)
            if isinstance(prompt, str)
            else conversation(_filled(prompt, values), found)
        )
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


def _filled(held: Any, values: Mapping[str, Any]) -> Any:
    """A prompt with each variable's value in its place."""
    if isinstance(held, str):
        return _VARIABLE.sub(lambda match: _text(values[match[1]]), held)
    if isinstance(held, list):
        return [_filled(one, values) for one in held]
    return {key: _filled(one, values) for key, one in held.items()} if isinstance(held, dict) else held


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
