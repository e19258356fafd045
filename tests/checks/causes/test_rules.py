"""Where does a rule stop? The limits that a broken endpoint alone does not show."""

from __future__ import annotations

from checks.causes import deployment, served_identity
from checks.causes.answer_form import form
from checks.causes.base_model import reads_as_prose
from checks.causes.facts import Facts, Mark, Side, named, rose
from checks.types import Served


def _served(*fingerprints: str) -> Facts:
    sides = [Side(i, 100.0 * i, Served(fingerprint=f)) for i, f in enumerate(fingerprints)]
    return Facts(
        now=sides[-1],
        before=sides[-2],
        identities=tuple(s.served for s in sides[:-1] if s.served),
        onset_at=1e6,
    )


def test_a_restless_fingerprint_is_a_weak_sign():
    """A fingerprint that also changes between good runs ranks below one that never did."""
    steady = served_identity.RULE.find(_served("a", "a", "a", "b"))
    restless = served_identity.RULE.find(_served("a", "b", "c", "d"))
    assert steady is not None
    assert restless is not None
    assert restless.strength < 0.5 < steady.strength
    assert served_identity.RULE.find(_served("a", "a")) is None


def test_an_adapter_whose_parent_is_gone_is_named():
    """A server that lists models and names no parent any more serves something else."""
    before = Side(1, 1.0, Served(model="ft", parent="base", models=("base", "ft")))
    now = Side(2, 2.0, Served(model="ft", models=("base", "ft")))
    found = served_identity.RULE.find(Facts(now=now, before=before))
    assert found is not None
    assert 'parent "base" → unknown' in found.facts[0]


def _marked(at: float) -> float | None:
    facts = Facts(now=Side(2, 7200.0), before=Side(1, 3600.0), onset_at=7200.0, marks=(Mark(at, "v2"),))
    found = deployment.RULE.find(facts)
    return None if found is None else found.strength


def test_a_mark_counts_by_when_it_was_set():
    """Between the last good run and the onset it is likely; shortly before, with a good run since, weak; else none."""
    between, before = _marked(6000.0), _marked(3000.0)
    assert between is not None
    assert before is not None
    assert between > 0.7 > 0.5 > before
    assert _marked(-9000.0) is None
    assert _marked(8000.0) is None


def test_what_stands_around_json_is_told():
    """Fences, prose before, text after, another shape and no JSON at all are told apart."""
    good = '{"queue": "bug"}'
    assert form(f"```json\n{good}\n```", good) == ("code fence around the JSON", True)
    assert form(f"Sure! {good}", good) == ("prose before the JSON", True)
    assert form(f"{good} Anything else?", good) == ("text after the JSON", True)
    assert form('{"queue": "login"}', good) == ("another JSON shape", False)
    assert form('{"queue": "bu', good) == ("broken JSON", False)
    assert form("no idea", good) == ("no JSON", False)
    assert form("", good) == ("empty", False)
    assert form("The queue is bug.", "bug") == ("more words than asked for", True)


def test_prose_is_told_from_labels_and_data():
    """A sentence is prose; a label, a number, JSON and code are not."""
    assert reads_as_prose("Sure, the ticket is about billing")
    assert reads_as_prose("Das Ticket betrifft die Rechnung.")
    assert not any(
        reads_as_prose(t) for t in ("billing", "not a bug", "42", '{"a": "b c d."}', "[1, 2, 3]", "")
    )


def test_few_changes_are_no_pattern():
    """Fewer than five more than went the other way never count, and many both ways do not either."""
    assert not rose(4, 0)
    assert rose(8, 0)
    assert not rose(30, 25)


def test_a_long_name_is_cut():
    """What a server calls itself takes no more room than it should."""
    assert len(named("m" * 900)) <= 64
    assert named('a"b\n') == '"a\'b\\n"'
