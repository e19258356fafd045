"""The documentation says what the code does, or the build fails."""

from __future__ import annotations

import inspect
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from markdown_it import MarkdownIt

import service.cli
from checks.registry import find, kinds
from checks.scorers import Scorer
from checks.types import Example, Response, Score
from service.cli.app import application, load_command, present
from service.config import load
from service.config.schema import schema
from service.metrics import families
from service.reference import PAGES, REWRITE, commands, pages
from service.reference.__main__ import main
from service.reference.checks import documentation, own
from service.reference.configuration import sections
from service.reference.kinds import keys_of

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "deploy" / "reference"
ROOMS_WITH_PAGES = ("checks", "deploy", "grafana", "service", "tests")
WRITTEN = [ROOT / "README.md", *sorted(p for room in ROOMS_WITH_PAGES for p in (ROOT / room).rglob("*.md"))]
ROOMS = ("checks.scorers", "service.endpoints", "service.notifiers")
PLUGINS = [
    (room, kind) for room in ROOMS for kind in kinds(room) if find(room, kind).__module__.startswith(room)
]
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_page = pytest.mark.parametrize("path", WRITTEN, ids=name_of)


def fences(path: Path, *languages: str) -> Iterator[str]:
    for token in MARKDOWN.parse(path.read_text("utf-8")):
        if token.type == "fence" and token.info.strip() in languages:
            yield token.content


def inlines(path: Path) -> Iterator[Any]:
    for token in MARKDOWN.parse(path.read_text("utf-8")):
        yield from token.children or ()


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    tokens = MARKDOWN.parse(path.read_text("utf-8"))
    titles = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_a_page_of_the_reference_says_what_the_code_says(name: str) -> None:
    """Whoever changes a key, a metric or a command writes its page anew."""
    file = REFERENCE / name
    assert file.exists(), f"{file} is missing; write it with: {REWRITE}"
    assert file.read_text("utf-8") == pages()[name], f"{name} is out of date; write it anew with: {REWRITE}"


def test_the_reference_holds_no_page_that_nothing_writes() -> None:
    """A page that was renamed does not stay behind."""
    assert {path.name for path in REFERENCE.iterdir()} == set(pages())


def test_the_command_writes_what_has_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And names it; a second time there is nothing to do."""
    folder = tmp_path / "new" / "reference"
    assert main([str(folder)]) == 0
    assert {path.name: path.read_text("utf-8") for path in folder.iterdir()} == dict(pages())
    capsys.readouterr()
    (folder / "metrics.md").write_text("old", encoding="utf-8")
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out == f"wrote {folder / 'metrics.md'}\n"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a traceback."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main([str(tmp_path / "file")]) == 2
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "file cannot be written" in said
    assert REWRITE in said


def test_every_key_of_the_configuration_is_described() -> None:
    """One who reads the page need not read the code."""
    bare = [key.path for _, _, listed in sections(schema()) for key in listed if not key.description]
    assert bare == []


def test_every_mapping_of_the_configuration_has_a_section_of_its_own() -> None:
    """No key stands in the schema and not on the page."""
    whole = schema()
    shown = [key.path.rpartition(".")[2] for _, _, listed in sections(whole) for key in listed]
    parts = [whole, *(part for name, part in whole["$defs"].items() if "." not in name)]
    assert sorted(shown) == sorted(name for part in parts for name in part["properties"])


@pytest.mark.parametrize(("room", "kind"), PLUGINS)
def test_every_key_of_a_plug_in_is_described(room: str, kind: str) -> None:
    """Those under its keys too."""
    assert [key.path for key in keys_of(room, schema()["$defs"])[kind] if not key.description] == []


@pytest.mark.parametrize(("room", "kind"), PLUGINS)
def test_the_example_of_a_plug_in_is_one(room: str, kind: str) -> None:
    """What its page shows can be written so."""
    cls = find(room, kind)
    _, mark, block = inspect.cleandoc(cls.__doc__ or "").partition("Example:")
    assert mark, "its docstring shows no example"
    lines = [line for line in block.removeprefix(":").split("\n") if not line or line.startswith(" ")]
    shown = yaml.safe_load(textwrap.dedent("\n".join(lines)))
    written = shown[0] if isinstance(shown, list) else shown[room.rpartition(".")[2].removesuffix("s")]
    assert written["kind"] == kind
    cls.model_validate(written)


def test_every_check_is_described() -> None:
    """Its module asks a question and says what it does; none is left out."""
    found = {
        path.stem
        for path in (ROOT / "checks").glob("*.py")
        if re.search(r"^CHECK\b", path.read_text(), re.MULTILINE)
    }
    assert {type(check).__module__.removeprefix("checks.") for check in own().values()} == found
    assert all("?" in documentation(check).split("\n")[0] for check in own().values())


def test_every_metric_is_described() -> None:
    """Its help is a sentence, and Prometheus's types are the only ones."""
    assert [name for name, family in families().items() if not family.documentation.endswith(".")] == []
    assert {family.type for family in families().values()} <= {"counter", "gauge", "histogram"}


@pytest.mark.parametrize("name", present())
def test_every_command_option_and_argument_is_described(name: str) -> None:
    """Those of the commands under it too."""
    for path, command in commands.walk(load_command(name), f"goldwatch {name}"):
        assert commands.summary(command), path
        assert [written for written, said in commands.parameters(command) if not said] == [], path


def test_every_exit_code_is_described() -> None:
    """A script can rely on each."""
    codes = {value for name, value in vars(service.cli).items() if name.startswith("EXIT_")}
    assert set(commands.EXIT_CODES) == codes


@every_page
def test_every_link_points_somewhere(path: Path) -> None:
    """To a file that is there, and a heading that it has."""
    for token in inlines(path):
        target = token.attrGet("href") if token.type == "link_open" else None
        target = token.attrGet("src") if token.type == "image" else target
        if target is None or re.match(r"[a-z]+:", str(target)):
            continue
        file, _, anchor = str(target).partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), f"{name_of(path)} links to {target}, which is not there"
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place), f"{name_of(path)} links to {target}, a heading that is not there"


@every_page
def test_every_configuration_that_is_shown_loads(path: Path, tmp_path: Path) -> None:
    """It can be copied into goldwatch.yaml as it stands."""
    for number, text in enumerate(fences(path, "yaml", "yml")):
        if not text.startswith("version: 1"):
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "goldwatch.yaml").write_text(text, encoding="utf-8")
        for target in load(folder / "goldwatch.yaml").targets:
            assert target.golden.is_relative_to(folder), "an example's paths are relative"


@every_page
def test_every_file_of_the_repository_that_is_named_is_there(path: Path) -> None:
    """A file that moved takes its mentions along; KIND and NAME stand for any."""
    codes = {token.content for token in inlines(path) if token.type == "code_inline"}
    named = {
        code for code in codes if re.fullmatch(r"(checks|service|tests|deploy|grafana)/[a-z0-9_./-]+", code)
    }
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_scorer_that_shows_how_to_add_one_works() -> None:
    """It can be copied, and scores what its docstring says."""
    (code,) = fences(ROOT / "deploy" / "adding.md", "python")
    names: dict[str, Any] = {
        "Literal": Literal, "Scorer": Scorer, "Score": Score, "Example": Example, "Response": Response,
    }  # fmt: skip
    exec(compile(code, "adding.md", "exec", dont_inherit=True), names)
    cls = names["StartsWith"]
    shown = yaml.safe_load(inspect.cleandoc(cls.__doc__).partition("Example::\n")[2])
    scorer, example = cls.model_validate(shown["scorer"]), Example("a", "text", shown["expected"])
    found = [scorer.score(example, Response("a", shown[answer])).value for answer in ("right", "wrong")]
    assert found == [1.0, 0.0]
    assert scorer.problem(example) is None
    assert scorer.score(Example("a", "text"), Response("a", "text")).value is None


def calls(text: str) -> Iterator[list[str]]:
    """Each call of goldwatch in a console's lines, as its arguments."""
    lines = text.replace("\\\n", " ").split("\n")
    typed = [line for line in lines if line.startswith("$ ")]  # the others are what the commands print
    for line in typed or [line for line in lines if "goldwatch" in line]:
        tokens = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="();<>|&")
        tokens.whitespace_split = True
        words: list[str] = []
        for word in [*tokens, ";"]:
            if not set(word) <= set("();<>|&"):
                words.append(word)
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words and words[0].rpartition("/")[2] == "goldwatch":
                yield words[1:]
            words = []


def fault(arguments: list[str]) -> str | None:
    """What is wrong with a call of goldwatch: a command or an option that there is not."""
    command: Any = application()
    options = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    words = iter(arguments)
    for word in words:
        if word.startswith("-") and not re.fullmatch(r"-[0-9.]*", word):
            name, _, _ = word.partition("=")
            if name not in options:
                return f"no option {name}"
            takes = [p for p in command.params if name in p.opts and not (p.is_flag or p.count)]
            if takes and "=" not in word:
                next(words, None)
        elif command.name == "goldwatch" or getattr(command, "commands", None):
            if word.isupper():  # COMMAND, in a line that shows the usage
                return None
            if command.name == "goldwatch":
                if word not in present():
                    return f"no command {word!r}"
                command = load_command(word)
            elif word in command.commands:
                command = command.commands[word]
            else:
                return f"no command {word!r} under {command.name}"
            options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {
                "--help",
                "-h",
            }
    return None


@every_page
def test_every_call_of_goldwatch_that_is_shown_exists(path: Path) -> None:
    """Commands and options can be copied."""
    shown = [call for text in fences(path, "console", "sh", "bash", "shell") for call in calls(text)]
    codes = [token.content for token in inlines(path) if token.type == "code_inline"]
    shown += [call for text in codes if text.startswith("goldwatch ") for call in calls(text)]
    assert [(" ".join(call), said) for call in shown if (said := fault(call))] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$ goldwatch watch", "no command 'watch'"),
        ("KEY=x .venv/bin/goldwatch run --jsno | jq .", "no option --jsno"),
        ("goldwatch baseline forget x && true", "no command 'forget' under baseline"),
        ("cd x && goldwatch history \\\n  ticket-router --limit -1 --nope", "no option --nope"),
        ("$ goldwatch schema\nThat isn't a call: goldwatch nope", None),
        ("goldwatch --version; goldwatch run a -c x.yaml --fail-on=none > out", None),
    ],
)
def test_a_call_that_does_not_exist_would_be_found(text: str, said: str | None) -> None:
    """The test above can fail."""
    assert [found for call in calls(text) if (found := fault(call))] == ([said] if said else [])
