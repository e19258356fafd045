"""Is what was thought of a bad run kept, and is what the base model was asked counted?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from checks.causes import Cause, Diagnosis
from service.records import BaseModelAnswers

FOUND = Diagnosis(
    (Cause("base_model", "adapter not applied", 0.96, ("398/400 answers", "ü"), "look", names_labels=True),),
    ("latency",),
    ("what the server says it is",),
)
ANSWERS = BaseModelAnswers("router", "key", 1000.0, "base", {"T-1": ["a", "b"]}, 100, 20, 0.5)


def test_a_diagnosis_comes_back_and_is_replaced(scene: Any) -> None:
    """What is thought of a run comes back as it was; a later thought replaces it; an alert reads the newest."""
    first = scene.claim()
    scene.store.put_diagnosis(first, Diagnosis())
    scene.store.put_diagnosis(first, FOUND)
    assert scene.store.diagnosis(first) == FOUND
    assert scene.store.diagnosis(first + 1) is None
    assert scene.store.newest_diagnosis("router", first, first + 5) == FOUND
    assert scene.store.newest_diagnosis("router", first + 1, first + 5) is None
    assert scene.store.newest_diagnosis("other", first, first + 5) is None


def test_base_answers_come_back_and_count(scene: Any) -> None:
    """The newest answers to a question come back; their tokens and cost count in the target's limits."""
    scene.store.put_base_answers(ANSWERS)
    newer = replace(ANSWERS, asked_at=2000.0, texts={"T-1": ["c"]})
    scene.store.put_base_answers(newer)
    assert scene.store.base_answers("router", "key") == [newer]
    assert scene.store.base_answers("router", "another") == []
    assert scene.store.usage_since("router", 1500.0) == (120, 0.5)
    assert scene.store.usage_since("router", 0.0) == (240, 1.0)
    assert scene.store.usage_since("other", 0.0) == (0, 0.0)


def test_old_base_answers_are_forgotten(scene: Any) -> None:
    """Answers that are older than two days are deleted with the next."""
    scene.store.put_base_answers(replace(ANSWERS, asked="old"))
    scene.store.put_base_answers(replace(ANSWERS, asked_at=1000.0 + 31 * 86_400))
    assert scene.store.base_answers("router", "old") == []
