"""Are promptfoo's prompts and files read as promptfoo reads them, and nothing outside the folder?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.errors import UserError
from service.imports import Imported, read


def imported(folder: Path, config: str, **files: str) -> Imported:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    (folder / "promptfooconfig.yaml").write_text(config)
    return read(folder / "promptfooconfig.yaml", "promptfoo", {})


@pytest.mark.parametrize(
    "tests", ["file://more.csv", "more.csv", "[{path: file://more.csv}]", "[file://more.csv]"]
)
def test_tests_in_a_file_beside_it_are_read(tmp_path: Path, tests: str) -> None:
    """The prompt of the configuration asks with the file's variables."""
    found = imported(
        tmp_path,
        f"prompts: ['Route: {{{{body}}}}']\ntests: {tests}\n",
        more__csv="body,__expected\nx,bug\ny,login\n",
    )
    assert [(row["input"], row["expected"]) for row in found.rows] == [
        ("Route: x", "bug"),
        ("Route: y", "login"),
    ]
    assert not found.left


def test_a_prompt_in_a_file_is_asked(tmp_path: Path) -> None:
    """The first of several; one with a filter is not computed, and its test says so."""
    config = "prompts: [file://p.txt]\ntests: [{vars: {body: x}}]\n"
    found = imported(tmp_path, config, p__txt="Route: {{ body }}\n---\nSecond: {{ body }}\n")
    assert [row["input"] for row in found.rows] == ["Route: x"]
    assert list(found.left) == ["prompts after the first: a golden set is asked in one way"]
    found = imported(tmp_path, config, p__txt="Route: {{ body | upper }}")
    assert [row["input"] for row in found.rows] == ["x"]
    assert any(one.startswith("a prompt in a file or with logic") for one in found.left)


@pytest.mark.parametrize(
    "prompt",
    [
        json.dumps([{"role": "system", "content": "Route."}, {"role": "user", "content": "{{body}}"}]),
        "- role: system\n  content: Route.\n- role: user\n  content: '{{body}}'\n",
    ],
)
def test_a_conversation_is_asked_as_one(tmp_path: Path, prompt: str) -> None:
    """A prompt that is a list of turns is no text; quotes in a variable break nothing."""
    config = "prompts: [file://p.yaml]\ntests: [{vars: {body: 'a \"b\"\\n- c'}}]\n"
    found = imported(tmp_path, config, p__yaml=prompt)
    assert found.rows[0]["input"] == [
        {"role": "system", "content": "Route."},
        {"role": "user", "content": 'a "b"\\n- c'},
    ]


def test_a_test_without_a_variable_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    """One test that the prompt cannot ask with does not refuse the file."""
    found = imported(tmp_path, "prompts: ['{{a}}']\ntests: [{vars: {a: x}}, {vars: {b: y}}]\n")
    assert [row["input"] for row in found.rows] == ["x"]
    assert found.left == {"tests without the variable a, which the prompt asks with": 1}


@pytest.mark.parametrize(
    "named", ["file://../secret.csv", "file:///etc/hostname", "file://tests.py", "file://*.csv"]
)
def test_no_file_elsewhere_is_read(tmp_path: Path, named: str) -> None:
    """A configuration from somebody else reads nothing outside its folder, and runs nothing."""
    (tmp_path / "secret.csv").write_text("a,__expected\nsecret,x\n")
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "tests.py").write_text("raise SystemExit('run')")
    with pytest.raises(UserError, match="tests in files of their own"):
        imported(folder, f"prompts: ['{{{{a}}}}']\ntests: ['{named}']\n")


def test_a_configuration_that_names_itself_ends(tmp_path: Path) -> None:
    """A file of tests is no configuration: it is told, not followed round and round."""
    with pytest.raises(UserError, match="this is a configuration, no tests"):
        imported(tmp_path, "prompts: ['{{a}}']\ntests: [file://promptfooconfig.yaml]\n")
    with pytest.raises(UserError, match="promptfoo"):
        imported(tmp_path, "tests: [file://promptfooconfig.yaml]\n")
