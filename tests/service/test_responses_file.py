"""Does a response file give its responses, or every fault that keeps it from doing so?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.types import ErrorKind, Example, Response, ResponseError
from service.errors import UserError
from service.responses_file import ResponseFileError, read_responses

EXAMPLES = [Example(f"T-{i}", "question") for i in range(3)]


@pytest.fixture
def read(tmp_path):
    def read(*lines, examples=EXAMPLES):
        path = tmp_path / "r.jsonl"
        path.write_bytes(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines) + b"\n")
        return read_responses(path, examples)

    return read


def line(i=0, **more):
    return json.dumps({"id": f"T-{i}", "output": "yes"} | more)


def faults(read, *lines, **more):
    with pytest.raises(ResponseFileError) as caught:
        read(*lines, **more)
    assert isinstance(caught.value, UserError)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def test_every_key_is_read(read):
    """Output, timings, tokens and time arrive in the response."""
    found = read(
        line(latency_s=1.5, ttft_s=0, input_tokens=7, output_tokens=3.0, at=1700000000.25, error=None)
    )
    assert found.responses == (
        Response("T-0", "yes", latency_s=1.5, ttft_s=0.0, input_tokens=7, output_tokens=3, at=1700000000.25),
    )


@pytest.mark.parametrize(
    "at",
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20",
        "2023-11-14T23:13:20+01:00",
        1700000000,
        " 2023-11-14 22:13:20 ",
    ],
)
def test_times_are_epoch_or_iso(read, at):
    """A time with an offset, one in UTC without it, and seconds since 1970 name the same moment."""
    assert read(line(at=at)).responses[0].at == 1700000000


def test_responses_come_in_golden_order_and_missing_ones_are_named(read):
    """The file's order does not matter, and an example without a line is missing, not an error."""
    found = read(line(2), line(0))
    assert [r.example_id for r in found.responses] == ["T-0", "T-2"]
    assert found.missing == ("T-1",)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("timeout: no answer in 30 s", ResponseError(ErrorKind.TIMEOUT, "no answer in 30 s")),
        ("rate_limited:slow down", ResponseError(ErrorKind.RATE_LIMITED, "slow down")),
        ("Boom: it broke", ResponseError(ErrorKind.SERVER, "Boom: it broke")),
        (" 502 ", ResponseError(ErrorKind.SERVER, "502")),
    ],
)
def test_an_error_is_no_answer(read, text, error):
    """A line with an error is unanswered, of the kind that it names."""
    (response,) = read(json.dumps({"id": "T-0", "error": text})).responses
    assert (response.output, response.error, response.answered) == (None, error, False)
    assert read(json.dumps({"id": "T-0", "output": None, "error": text})).responses == (response,)


def test_an_empty_output_is_an_answer(read):
    """A model that says nothing has answered; only null is no answer."""
    assert read(line(output="")).responses[0].answered


def test_halves_of_surrogates_are_made_storable(read):
    """An output that holds half a surrogate pair is kept, with U+FFFD in its place; a whole pair stays."""
    (response,) = read('{"id": "T-0", "output": "a\\ud800b \\ud83d\\ude00"}').responses
    assert response.output == "a\ufffdb \U0001f600"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b'{"id": "T-0", "output": "caf\xe9"}', "line 2: byte 0xe9: not UTF-8 at byte 29; save the file as UTF-8"),
        ("{nope", ("line 2: nope: not JSON at character 2: Expecting property name enclosed in double quotes; "
                  "one JSON object per line")),
        ("[1]", "line 2: [1]: must be a JSON object with id and output, one per line"),
        ("", "line 2: is blank; remove it"),
        ("  \t", "line 2: is blank; remove it"),
        ('{"id": "T-0", "output": "a", "output": "b"}', "line 2: output: this key stands twice; remove one of them"),
        ('{"id": "T-0", "output": "a", "latency_s": NaN}',
         "line 2: NaN: is no JSON number; write null where a value is unknown"),
        ('{"id": "T-0", "output": "a", "at": ' + "9" * 5000 + "}", "line 2: a number has more digits than can be read"),
        ("[" * 100_000, "line 2: nested too deeply; an output is a text"),
        ('{"output": "a"}', "line 2: id: missing; it names the golden example that was asked"),
        ('{"id": 7, "output": "a"}', "line 2: id: 7: must be a text; put it in quotes"),
        ('{"id": " ", "output": "a"}', 'line 2: id: " ": must not be empty'),
        ('{"id": "T-0"}', "line 2: output: missing; where there was none, say why in error"),
        (line(output=None), "line 2: output: null: missing; where there was none, say why in error"),
        (line(output={"a": 1}), 'line 2: output: {"a": 1}: must be a text; write JSON as a text, too'),
        (line(error="x"), 'line 2: error: "x": stands beside an output; keep the output or the error'),
        (line(error=""), 'line 2: error: "": must be a text that says why there is no answer, or null'),
        (line(error=500), "line 2: error: 500: must be a text that says why there is no answer, or null"),
        (line(latency_s=-1), "line 2: latency_s: -1: must be a number of seconds from 0, or null"),
        (line(latency_s=True), "line 2: latency_s: true: must be a number of seconds from 0, or null"),
        (line(ttft_s="1"), 'line 2: ttft_s: "1": must be a number of seconds from 0, or null'),
        ('{"id": "T-0", "output": "a", "ttft_s": 1e999}',
         "line 2: ttft_s: Infinity: must be a number of seconds from 0, or null"),
        (line(input_tokens=1.5), "line 2: input_tokens: 1.5: must be a whole number from 0, or null"),
        (line(output_tokens=-3), "line 2: output_tokens: -3: must be a whole number from 0, or null"),
        (line(at="soon"), ('line 2: at: "soon": must be seconds since 1970 or a time such as '
                          '"2025-03-31T09:00:00Z", or null')),
        (line(at=1700000000000), ("line 2: at: 1700000000000: is too late for seconds since 1970; "
                                 "divide milliseconds by 1000")),
        (line(latency=1), "line 2: latency: unknown key; did you mean latency_s?"),
        (line(foo=1), ("line 2: foo: unknown key; known keys: id, output, error, latency_s, ttft_s, "
                      "input_tokens, output_tokens, at")),
        (line(1), ('line 2: id: "T-1": is the id of line 1 too; keep one line per example, and each repeat in a file '
                  "of its own")),
        ('{"id": "T-2 ", "output": "a"}', 'line 2: id: "T-2 ": is not in the golden set; did you mean T-2?'),
        ('{"id": "other", "output": "a"}', ('line 2: id: "other": is not in the golden set; remove the line, or name '
                                           "the golden set that was asked")),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_line_key_value_and_remedy(read, bad, message):
    """A file with one fault tells exactly that fault."""
    assert faults(read, line(1), bad) == [message]


def test_all_faults_are_told_at_once_in_order(read):
    """Several faults, on one line and on others, come in one error."""
    found = faults(read, "{", line(latency_s=-1, at="x"), line(9), "")
    assert [f.split(":")[0] for f in found] == ["line 1", "line 2", "line 2", "line 3", "line 4"]


def test_at_most_fifty_faults_are_listed_and_all_counted(read):
    """A hopeless file lists fifty faults and counts the rest."""
    with pytest.raises(ResponseFileError) as caught:
        read(*["nope"] * 120)
    assert len(caught.value.problems) == 50
    assert "120 faults" in str(caught.value)
    assert "... and 70 more" in str(caught.value)


def test_answers_to_another_golden_set_are_one_fault(read):
    """Where no id is known, that is said once and not for every line."""
    lines = [json.dumps({"id": f"X{i}", "output": "a"}) for i in range(200)]
    assert faults(read, *lines) == [
        'line 1: id: "X0": none of the 200 ids is in the golden set; these answers belong to another one'
    ]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark_is_one_fault(read, mark):
    """A file with a byte order mark says so once, whatever encoding it announces."""
    assert faults(read, mark + line().encode(), line(1)) == [
        "line 1: starts with a byte order mark; save the file as UTF-8 without BOM"
    ]


def test_files_that_are_none_are_told(tmp_path):
    """Missing, a directory, empty: one plain sentence with the path."""
    for name, make, message in (
        ("missing.jsonl", lambda _p: None, "there is no such file"),
        ("dir", lambda p: p.mkdir(), "is a directory; name the JSONL file in it"),
        ("empty.jsonl", lambda p: p.touch(), "is empty; a response file has one JSON object per example"),
    ):
        make(tmp_path / name)
        with pytest.raises(ResponseFileError) as caught:
            read_responses(tmp_path / name, EXAMPLES)
        assert str(caught.value) == f"{tmp_path / name}: {message}"
    with pytest.raises(ResponseFileError, match="cannot be read"):
        read_responses("nul\0byte", EXAMPLES)
    with pytest.raises(ResponseFileError, match="no regular file"):
        read_responses("/dev/null", EXAMPLES)


def test_hostile_text_in_a_fault_is_harmless(read):
    """A terminal escape in an id or a key is shown as text."""
    shown = "\n".join(faults(read, json.dumps({"id": "\x1b[31m", "output": 1, "\x1b]0;k": 2})))
    assert "\x1b" not in shown


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(tmp_path_factory, data):
    """Any file gives responses or a ResponseFileError."""
    path = tmp_path_factory.mktemp("fuzz") / "r.jsonl"
    path.write_bytes(data)
    with pytest.raises(ResponseFileError):
        read_responses(path, EXAMPLES)


@given(st.lists(st.text(), min_size=3, max_size=3))
def test_any_output_survives(tmp_path_factory, outputs):
    """Whatever text a model says is read as it was written."""
    path = tmp_path_factory.mktemp("fuzz") / "r.jsonl"
    path.write_text("".join(line(i, output=o) + "\n" for i, o in enumerate(outputs)))
    assert [r.output for r in read_responses(path, EXAMPLES).responses] == outputs
