"""Does a bundle reproduce its run anywhere, and is anything else refused?"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from checks.types import Verdict
from service import cli
from service.bundle.format import SEAL, SEAL_BYTES, BundleError
from service.bundle.read import opened
from service.bundle.recompute import recompute
from service.bundle.write import export
from service.errors import UserError


def clean(text: str) -> str:
    return text


@pytest.fixture(scope="module")
def made(watched, tmp_path_factory):
    """A bundle of the regressed run."""
    path = tmp_path_factory.mktemp("bundles") / "run.zip"
    with watched.store() as store:
        export(store, watched.config.targets[0], watched.last.id, path, texts=True, clean=clean)
    return path


def sealed(body: bytes) -> bytes:
    """The bytes with a seal that fits them."""
    return body[:-SEAL_BYTES] + (SEAL + hashlib.sha256(body[:-SEAL_BYTES]).hexdigest()).encode()


def rebuilt(path, change, *, manifest=True, info=None) -> bytes:
    """The bundle with its members changed by somebody who knows the format: digests and seal fit."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if manifest:
        head = json.loads(members["manifest.json"])
        for name in head["members"]:
            data = members[name]
            head["members"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        members["manifest.json"] = json.dumps(head).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if info is not None:
                info(entry)
            archive.writestr(entry, data)
        archive.comment = (SEAL + "0" * 64).encode()
    return sealed(out.getvalue())


def test_it_reproduces(made, watched):
    """From the file alone, scores, findings and verdict are those of the stored run."""
    with opened(made) as bundle:
        found = recompute(bundle)
    assert found.recorded is found.verdict is Verdict.REGRESSED is watched.last.verdict
    assert found.differences == ()
    assert found.same_code
    assert found.scored == ("label", "exact")
    assert found.answers == 2 * watched.last.golden_examples
    assert found.earlier_runs >= 7


def test_the_same_run_is_the_same_bytes(made, watched, tmp_path):
    """Exporting again gives the same file."""
    with watched.store() as store:
        seal = export(
            store, watched.config.targets[0], watched.last.id, tmp_path / "b.zip", texts=True, clean=clean
        )
    assert (tmp_path / "b.zip").read_bytes() == made.read_bytes()
    assert made.read_bytes().endswith(seal.encode())


def test_another_process_without_network_or_store(made, tmp_path):
    """A process that can open no socket and has only the file verifies it, and leaves with the verdict's code."""
    program = (
        "import socket, sys\n"
        "def never(*a, **k): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = never\n"
        "from service import cli\nsys.exit(cli.main(['verify', sys.argv[1], '--json']))"
    )
    root = str(Path(cli.__path__[0]).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program, str(made)],
        cwd=tmp_path,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["reproduced"]
    assert told["verdict"] == "regressed"


def test_any_changed_byte_is_found(made, tmp_path):
    """Whatever byte is changed, the file is refused."""
    whole = made.read_bytes()
    dice = random.Random(1)
    places = {
        0,
        4,
        len(whole) - 1,
        len(whole) - SEAL_BYTES - 1,
        *(dice.randrange(len(whole)) for _ in range(300)),
    }
    path = tmp_path / "x.zip"
    for place in places:
        bad = bytearray(whole)
        bad[place] ^= 1 << dice.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(BundleError, match="altered"), opened(path):
            pass
    for end in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(BundleError, match="altered"), opened(path):
            pass


def test_a_changed_answer_does_not_reproduce(made, tmp_path):
    """Somebody who changes one answer and makes every digest fit is found by the scores."""

    def change(members):
        lines = members["answers.jsonl"].splitlines(keepends=True)
        one = json.loads(lines[0])
        one["output"] = "something else altogether"
        lines[0] = json.dumps(one).encode() + b"\n"
        members["answers.jsonl"] = b"".join(lines)

    path = tmp_path / "x.zip"
    path.write_bytes(rebuilt(made, change))
    with opened(path) as bundle:
        found = recompute(bundle)
    assert any("score of" in line or "length" in line for line in found.differences)
    assert cli.run(["verify", str(path)]) == 2


@pytest.mark.parametrize("old", [b'"regressed"', b'"measured":true'])
def test_a_changed_verdict_does_not_reproduce(made, tmp_path, old):
    """Nor does a bundle whose verdict, or whose measurement, was rewritten."""

    def change(members):
        members["verdict.json"] = members["verdict.json"].replace(old, b'"ok"')
        members["run.jsonl"] = members["run.jsonl"].replace(old, b'"measured":false')

    path = tmp_path / "x.zip"
    path.write_bytes(rebuilt(made, change))
    assert cli.run(["verify", str(path)]) == 2


def _bomb(members):
    members["history.jsonl"] = b"[" * (40 << 20)


def _deep(members):
    members["context.json"] = b"[" * 200_000


def _outside(members):
    members["../../evil"] = b"x"


def _long_row(members):
    one = json.loads(members["run.jsonl"])
    one["latency_s"].append(1.0)
    members["run.jsonl"] = json.dumps(one).encode()


def _nan(members):
    members["run.jsonl"] = members["run.jsonl"].replace(b'"period_h":2160.0', b'"period_h":NaN')


def _golden(members):
    members["golden.jsonl"] = members["golden.jsonl"].replace(b"a", b"b")


def _position(members):
    one = json.loads(members["run.jsonl"])
    one["answered"].append(10**9)
    members["run.jsonl"] = json.dumps(one).encode()


def _pattern(members):
    one = json.loads(members["subject.json"])
    one["scorers"][0] = {"kind": "regex", "name": "label", "pattern": "("}
    members["subject.json"] = json.dumps(one).encode()


def _unknown_scorer(members):
    one = json.loads(members["subject.json"])
    one["scorers"][0]["kind"] = "os.system"
    members["subject.json"] = json.dumps(one).encode()


def _many_slices(members):
    one = json.loads(members["subject.json"])
    one["slices"] = [{"name": f"a={i}", "at": []} for i in range(300_000)]
    one["examples"], one["ids"] = 10_000, [str(i) for i in range(10_000)]
    members["subject.json"] = json.dumps(one).encode()


def _empty(members):
    members["subject.json"] = b""


@pytest.mark.parametrize(
    "change",
    [
        _bomb,
        _deep,
        _outside,
        _long_row,
        _nan,
        _golden,
        _position,
        _pattern,
        _unknown_scorer,
        _many_slices,
        _empty,
    ],
)
def test_hostile_content_is_refused_in_words(made, tmp_path, change, capsys):
    """Bombs, nesting, foreign names, lists of another length, NaN and code are an error that names the file."""
    path = tmp_path / "x.zip"
    path.write_bytes(rebuilt(made, change))
    assert cli.run(["verify", str(path)]) == 2
    said = capsys.readouterr()
    assert str(path) in said.err
    assert "Traceback" not in said.err + said.out


def test_a_link_is_refused(made, tmp_path):
    """A member that is a symbolic link is refused, and nothing is written anywhere."""

    def link(entry):
        entry.external_attr = 0o120777 << 16

    path = tmp_path / "x.zip"
    path.write_bytes(rebuilt(made, lambda _members: None, info=link))
    with pytest.raises(BundleError, match="link"), opened(path):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_a_size_that_lies_is_refused(made, tmp_path):
    """A manifest that states another size than is there is refused before the content is read."""

    def change(members):
        head = json.loads(members["manifest.json"])
        head["members"]["history.jsonl"]["bytes"] = 5
        members["manifest.json"] = json.dumps(head).encode()

    path = tmp_path / "x.zip"
    path.write_bytes(rebuilt(made, change, manifest=False))
    with pytest.raises(BundleError, match="not as long"), opened(path):
        pass


def test_files_that_are_no_files_are_refused(tmp_path):
    """A pipe, a folder and a missing file are refused at once."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "missing"):
        with pytest.raises(BundleError), opened(tmp_path / name):
            pass


def test_without_texts_no_text_is_in_it(watched, tmp_path):
    """`texts none` leaves out inputs, expected answers, prompts and answers, and the verdict still reproduces."""
    path = tmp_path / "x.zip"
    with watched.store() as store:
        export(store, watched.config.targets[0], watched.last.id, path, texts=False, clean=clean)
        golden = store.golden(watched.last.golden_digest)
        outputs = {r.output for r in store.responses(watched.last.id)}
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        whole = b"".join(archive.read(name) for name in names).decode()
    assert names.isdisjoint({"golden.jsonl", "answers.jsonl"})
    assert "Route the ticket." not in whole
    assert not [e.id for e in golden.examples if str(e.input) in whole]
    assert outputs
    with opened(path) as bundle:
        found = recompute(bundle)
    assert found.differences == ()
    assert found.scored == ()


def test_no_secret_no_address_no_header_is_in_it(watched, tmp_path, monkeypatch):
    """Neither the key nor the endpoint's address is in a bundle."""
    monkeypatch.setenv("ROUTER_KEY", "canary-7f3a9b-key")
    monkeypatch.chdir(watched.folder)
    path = tmp_path / "x.zip"
    assert cli.run(["export", str(watched.last.id), "-o", str(path)]) == 0
    with zipfile.ZipFile(path) as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert b"canary-7f3a9b" not in whole
    assert b"127.0.0.1" not in whole
    assert b"ROUTER_KEY" not in whole


def test_an_echoed_secret_is_replaced_and_the_bundle_still_verifies(watched, tmp_path):
    """A secret inside an answer is hidden; the example keeps its recorded score."""
    with watched.store() as store:
        word = next(r.output for r in store.responses(watched.last.id) if r.output)
        path = tmp_path / "x.zip"
        target = watched.config.targets[0]
        export(store, target, watched.last.id, path, texts=True, clean=lambda t: t.replace(word, "***"))
    with opened(path) as bundle:
        found = recompute(bundle)
        answers = b"".join(one for _, one in bundle.lines("answers.jsonl"))
    assert found.differences == ()
    assert word.encode() not in answers


def test_a_digest_that_was_told_apart_is_held_to(made, capsys):
    """`--digest` refuses any other bundle, however sound it is."""
    seal = made.read_bytes()[-SEAL_BYTES:].decode()
    assert cli.run(["verify", str(made), "--digest", seal, "--fail-on", "none"]) == 0
    assert cli.run(["verify", str(made), "--digest", SEAL + "0" * 64]) == 2
    assert "not the one" in capsys.readouterr().err


def test_what_cannot_be_exported_is_told(watched, tmp_path, capsys, monkeypatch):
    """A run that is not there, and scorers that changed since, are errors with a way out."""
    monkeypatch.chdir(watched.folder)
    assert cli.run(["export", "999"]) == 2
    assert cli.run(["export", "x"]) == 2
    assert "goldwatch history" in capsys.readouterr().err
    target = watched.config.targets[0].model_copy(update={"scorers": watched.config.targets[0].scorers[:1]})
    with watched.store() as store, pytest.raises(UserError, match="changed since"):
        export(store, target, watched.last.id, tmp_path / "x.zip", texts=True, clean=clean)
