"""Is every line of a followed file read once, whatever happens to the file?"""

from __future__ import annotations

import json

import pytest

from service.traffic import follow
from service.traffic.follow import position_of, read_new, stored


def line(text):
    return json.dumps({"input": text}) + "\n"


class Reader:
    """Reads as a daemon that is killed after each look: only the stored place survives."""

    def __init__(self, path):
        self.path, self.kept, self.seen, self.rejected = path, None, [], 0

    def look(self):
        while (chunk := read_new(self.path, position_of(self.kept))) is not None:
            self.kept = json.loads(json.dumps(stored(chunk.position)))
            self.seen += [sample.input for sample in chunk.samples]
            self.rejected += chunk.rejected
        return self.seen


@pytest.fixture
def log(tmp_path):
    return tmp_path / "samples.jsonl"


@pytest.fixture
def reader(log):
    return Reader(log)


def append(path, *texts):
    with path.open("a") as file:
        file.write("".join(line(text) for text in texts))


def test_a_file_that_is_not_there_yet_has_nothing_new(reader, log):
    """It is read from its beginning once it is there."""
    assert reader.look() == []
    append(log, "a", "b")
    assert reader.look() == ["a", "b"]


def test_each_line_is_read_once_and_only_when_it_is_whole(reader, log):
    """Half a line waits for its other half."""
    append(log, "a")
    reader.look()
    with log.open("a") as file:
        file.write(line("b") + line("c")[:9])
    assert reader.look() == ["a", "b"]
    with log.open("a") as file:
        file.write(line("c")[9:])
    assert reader.look() == ["a", "b", "c"]
    assert reader.look() == ["a", "b", "c"]


def test_rotation_loses_and_doubles_nothing(reader, log):
    """What was written before the file was renamed is read from its new name, then the new file from its beginning."""
    append(log, "a", "b")
    reader.look()
    append(log, "c")
    log.rename(log.with_name("samples.jsonl.1"))
    append(log, "d")
    assert reader.look() == ["a", "b", "c", "d"]
    append(log, "e")
    assert reader.look() == ["a", "b", "c", "d", "e"]


def test_a_rotated_file_is_read_to_its_end_before_there_is_a_new_one(reader, log):
    """Between the rename and the first new line the rest of the old file counts, once."""
    append(log, "a")
    reader.look()
    append(log, "b")
    log.rename(log.with_name("samples.jsonl.1"))
    assert reader.look() == ["a", "b"]
    append(log, "c")
    assert reader.look() == ["a", "b", "c"]


def test_a_truncated_file_is_read_from_its_beginning(reader, log):
    """Shorter than the place, or as long and beginning otherwise."""
    append(log, "first", "second")
    reader.look()
    log.write_text(line("x"))
    assert reader.look() == ["first", "second", "x"]
    log.write_text(line("another beginning") * 5)
    assert reader.look() == ["first", "second", "x", *["another beginning"] * 5]


def test_what_is_no_sample_is_counted_and_passed_over(reader, log):
    """Bad JSON, other shapes, empty inputs and broken bytes keep no line after them."""
    log.write_bytes(
        b'{"no": 1}\nnot json\n\n[1]\n{"input": ""}\n\xff\xfe\n'
        + b"[" * 100_000
        + b"\n"
        + line("good").encode()
    )
    assert reader.look() == ["good"]
    assert reader.rejected == 6


def test_a_line_without_end_is_passed_over_and_memory_stays(reader, log, monkeypatch):
    """Longer than a batch: rejected once, and the line after it is read."""
    monkeypatch.setattr(follow, "BATCH_BYTES", 1000)
    monkeypatch.setattr(follow, "MOST_LINE_BYTES", 1000)
    log.write_text(line("a") + line("x" * 5000) + line("b"))
    assert reader.look() == ["a", "b"]
    assert reader.rejected == 1


def test_many_batches_are_one_stream(reader, log, monkeypatch):
    """Batches end between lines."""
    monkeypatch.setattr(follow, "BATCH_BYTES", 100)
    append(log, *(f"request {n}" for n in range(200)))
    assert reader.look() == [f"request {n}" for n in range(200)]


def test_a_place_of_another_version_begins_anew():
    """What cannot be read as a place is none."""
    assert position_of({"offset": 3}) is None
    assert position_of(None) is None


def test_a_file_that_cannot_be_read_says_so(log):
    """A folder in its place is an error, not silence."""
    log.mkdir()
    with pytest.raises(OSError, match="directory"):
        read_new(log, None)
