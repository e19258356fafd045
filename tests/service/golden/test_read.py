"""Reading golden files: every fault at once, in bounded memory."""

from __future__ import annotations

import json
import os
import tracemalloc

import pytest

from checks.types import Example, Message, Origin
from service.errors import UserError
from service.golden import GoldenError, load, scan

GOOD = '{"id": "%s", "input": "hi"}\n'


@pytest.fixture
def golden(tmp_path):
    """A golden file with some content."""

    def write(content: str | bytes):
        path = tmp_path / "golden.jsonl"
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return path

    return write


def faults(path) -> list[str]:
    with pytest.raises(GoldenError) as caught:
        load(path)
    with pytest.raises(GoldenError) as again:
        scan(path)
    assert [str(p) for p in again.value.problems] == [str(p) for p in caught.value.problems]
    assert isinstance(caught.value, UserError)
    return [str(problem) for problem in caught.value.problems]


def test_every_field_is_read(golden) -> None:
    """A golden set is read in order with every field of the contract."""
    full = {
        "id": "T-2",
        "input": [{"role": "system", "content": "s"}, {"role": "user", "content": "hällo"}],
        "expected": {"a": [1, 2.5]},
        "slices": {"lang": "de"},
        "group": "g",
        "as_of": "2025-03-31",
        "origin": "heldout",
        "weight": 2,
    }
    path = golden(GOOD % "T-1" + json.dumps(full) + "\r\n")
    found = load(path)
    assert (found.name, found.version) == ("golden", None)
    assert found.examples == (
        Example("T-1", "hi"),
        Example(
            "T-2",
            (Message("system", "s"), Message("user", "hällo")),
            {"a": [1, 2.5]},
            {"lang": "de"},
            "g",
            "2025-03-31",
            Origin.HELDOUT,
            2.0,
        ),
    )
    assert (scan(path).digest, scan(path).count, scan(path).slices) == (found.digest, 2, {"lang=de": 1})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 1: the end of the line: not JSON at character 2: Expecting property name"),
        ("nonsense", "line 1: nonsense: not JSON at character 1"),
        ("[1]", "line 1: [1]: must be a JSON object with id and input, one per line"),
        ('{"input": "x"}', "line 1: id: missing; give each example an id"),
        ('{"id": "a"}', "line 1: input: missing; it is what the model is asked"),
        ('{"id": 7, "input": "x"}', 'line 1: id: 7: must be a text; write "7"'),
        ('{"id": "", "input": "x"}', 'line 1: id: "": must not be empty'),
        ('{"id": "a\\nb", "input": "x"}', "line 1: id: "),
        ('{"id": "a", "input": " "}', 'line 1: input: " ": must not be empty'),
        ('{"id": "a", "input": []}', "line 1: input: []: must not be empty"),
        ('{"id": "a", "input": 3}', "line 1: input: 3: must be a text or a list"),
        ('{"id": "a", "input": [{"role": "user"}]}', 'line 1: input[0]: {"role": "user"}: must be an object'),
        (
            '{"id": "a", "input": [{"role": "user", "content": 1}]}',
            "line 1: input[0].content: 1: must be a text",
        ),
        ('{"id": "a", "input": "x", "slice": {}}', "line 1: slice: unknown key; did you mean slices?"),
        ('{"id": "a", "input": "x", "zzz": 1}', "line 1: zzz: unknown key; known keys: id, input"),
        ('{"id": "a", "input": "x", "expected": true}', "line 1: expected: true: must be text, number, list"),
        (
            '{"id": "a", "input": "x", "slices": {"n": 3}}',
            "line 1: slices.n: 3: must be a text; put it in quotes",
        ),
        ('{"id": "a", "input": "x", "slices": {"a=b": "c"}}', "line 1: slices.a=b: a slice's key"),
        ('{"id": "a", "input": "x", "slices": []}', "line 1: slices: []: must be an object"),
        ('{"id": "a", "input": "x", "group": 3}', "line 1: group: 3: must be a text"),
        ('{"id": "a", "input": "x", "as_of": "31.3.2025"}', 'line 1: as_of: "31.3.2025": must be a date'),
        (
            '{"id": "a", "input": "x", "as_of": "2025-02-30"}',
            'line 1: as_of: "2025-02-30": there is no such day',
        ),
        (
            '{"id": "a", "input": "x", "origin": "test"}',
            'line 1: origin: "test": must be one of train, heldout, novel',
        ),
        ('{"id": "a", "input": "x", "weight": 0}', "line 1: weight: 0: must be a number above 0"),
        ('{"id": "a", "input": "x", "weight": true}', "line 1: weight: true: must be a number above 0"),
        ('{"id": "a", "input": "x", "weight": NaN}', "line 1: NaN: is no JSON number"),
        ('{"id": "a", "input": "x", "expected": -Infinity}', "line 1: -Infinity: is no JSON number"),
        ('{"id": "a", "input": "x", "expected": 1e999}', "line 1: a number is too large; write it as a text"),
        ('{"id": "a", "input": "x", "expected": %s}' % ("9" * 5000), "line 1: a number has more digits"),
        ('{"id": "a", "input": "x", "expected": %s}' % ("[" * 100_000), "line 1: nested too deeply"),
        ('{"id": "a", "input": "\\ud800"}', "line 1: \\ud800: half of a surrogate pair is no text"),
        ('{"id": "a", "input": "x", "id": "b"}', "line 1: id: this key stands twice; remove one of them"),
        (b'{"id": "a", "input": "\xff"}', "line 1: byte 0xff: not UTF-8 at byte 23; save the file as UTF-8"),
        (
            "\ufeff" + GOOD % "a",
            "line 1: starts with a UTF-8 byte order mark; save the file as UTF-8 without BOM",
        ),
        (b"\xff\xfe{\x00", "line 1: starts with a UTF-16 byte order mark; save the file as UTF-8"),
        ("", "is empty; a golden set needs at least one example"),
        ("\n", "line 1: is blank; remove it"),
    ],
)
def test_a_fault_is_told_with_line_key_value_and_remedy(golden, line, told) -> None:
    """Each fault is one problem that starts with where it is and what it is."""
    (problem,) = faults(golden(line))
    assert problem.startswith(told)


def test_all_faults_are_told_at_once(golden) -> None:
    """Faults of several lines, and several of one line, are told together in the order of the lines."""
    content = [GOOD % "a", "{\n", '{"id": 1, "weight": -1}\n', "\n", GOOD % "a", b"\xc3\n", GOOD % "a"]
    path = golden(b"".join(part if isinstance(part, bytes) else part.encode() for part in content))
    told = faults(path)
    assert [problem.split(": ")[0] for problem in told] == [f"line {n}" for n in (2, 3, 3, 3, 4, 5, 6, 7)]
    assert 'line 5: id: "a": is the id of line 1 too; give each example an id of its own' in told
    assert 'line 7: id: "a": is the id of line 1 too; give each example an id of its own' in told


def test_many_faults_are_counted(golden) -> None:
    """At most 50 faults are listed and the others counted."""
    with pytest.raises(GoldenError) as caught:
        load(golden("x\n" * 80))
    assert (len(caught.value.problems), caught.value.total) == (50, 80)
    assert str(caught.value).splitlines()[0].endswith("golden.jsonl: 80 faults")
    assert str(caught.value).endswith("... and 30 more")


def test_hostile_values_are_shown_harmlessly(golden) -> None:
    """A value with terminal escapes or of great length is shown on one short, printable line."""
    path = golden(
        json.dumps({"id": "a", "input": "x", "origin": "\x1b[31m\u202e" + "y" * 9999}, ensure_ascii=False)
    )
    (problem,) = faults(path)
    assert problem.isprintable()
    assert len(problem) < 150


def test_files_that_cannot_be_read(tmp_path) -> None:
    """A missing file, a directory, a FIFO and a path through a file are told at once."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    told = {name: faults(tmp_path / name)[0] for name in ("none", ".", "fifo", "file/x", "nul\0")}
    assert told["none"] == "there is no such file"
    assert told["."].startswith("is a directory")
    assert told["fifo"].startswith("is no regular file")
    assert told["file/x"] == "cannot be read: Not a directory"
    assert told["nul\0"].startswith("cannot be read")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(golden) -> None:
    """A file that may not be read is told as such."""
    path = golden(GOOD % "a")
    path.chmod(0)
    assert faults(path) == ["cannot be read: Permission denied"]


def test_a_line_without_end_is_refused_unread(golden, monkeypatch) -> None:
    """A line above the bound is one fault, and the lines after it are still checked."""
    monkeypatch.setattr("service.golden.read.LINE_BYTES", 1024 * 1024)
    told = faults(golden(GOOD % "a" + "x" * 3_000_000 + "\n" + "{\n"))
    assert told[0] == "line 2: is longer than 1 MiB; one JSON object per line"
    assert told[1].startswith("line 3: ")


def peak_of(path) -> int:
    tracemalloc.start()
    try:
        scan(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_file_is_scanned_in_bounded_memory(golden, monkeypatch) -> None:
    """Memory grows by less than 100 bytes per example, whatever its size, and stays below 2 MB for 20 MB."""
    monkeypatch.setattr("service.golden.read.COMPARED", 100)

    def megabytes(count: int) -> str:
        filler = "x" * 2_000
        return "".join(f'{{"id": "T-{i}", "input": "{filler}"}}\n' for i in range(count * 500))

    ten = peak_of(golden(megabytes(10)))
    twenty = peak_of(golden(megabytes(20)))
    assert twenty - ten < 100 * 5_000
    assert twenty < 2_000_000
