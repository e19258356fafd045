"""Is what judges replied kept by model and text, and what asking them took counted?"""

from __future__ import annotations

from typing import Any

TEXTS = ("Is it right?", "ü\x00 \ud800", "x" * 5000)


def test_replies_come_back_by_model_and_text(scene: Any) -> None:
    """Exactly the texts that were asked of that model; a later reply replaces an earlier one."""
    scene.store.put_replies("one", {text: f"yes {i}" for i, text in enumerate(TEXTS)}, 1000.0)
    scene.store.put_replies("one", {TEXTS[0]: "no", "another": ""}, 2000.0)
    wanted = {TEXTS[0]: "no", TEXTS[1]: "yes 1", TEXTS[2]: "yes 2"}
    assert scene.store.replies("one", [*TEXTS, "never"]) == wanted
    assert scene.store.replies("two", TEXTS) == {}
    assert scene.store.replies("one", ["another"]) == {"another": ""}


def test_replies_from_before_a_moment_are_passed_over(scene: Any) -> None:
    """As after a new baseline was accepted."""
    scene.store.put_replies("one", {"a": "old"}, 1000.0)
    scene.store.put_replies("one", {"b": "new"}, 2000.0)
    assert scene.store.replies("one", ["a", "b"], since=1500.0) == {"b": "new"}


def test_what_asking_took_counts_in_the_targets_limits(scene: Any) -> None:
    """Tokens and cost, from the moment on; what is unknown counts nothing."""
    scene.store.put_asking("router", 1000.0, 100, 20, 0.5)
    scene.store.put_asking("router", 2000.0, None, 5, None)
    assert scene.store.usage_since("router", 1500.0) == (5, 0.0)
    assert scene.store.usage_since("router", 0.0) == (125, 0.5)
    assert scene.store.usage_since("other", 0.0) == (0, 0.0)


def test_old_replies_go_with_old_texts(scene: Any) -> None:
    """Retention forgets them at the same age."""
    scene.store.put_replies("one", {"a": "old"}, 1000.0)
    scene.store.put_replies("one", {"b": "new"}, 9000.0)
    scene.store.prune(10_000.0, 5000.0)
    assert scene.store.replies("one", ["a", "b"]) == {"b": "new"}


def test_what_of_a_segment_does_not_depend_on_judges_is_noted_once(scene: Any) -> None:
    """The first note stays."""
    scene.store.put_unjudged("router", "segment", "rest")
    scene.store.put_unjudged("router", "segment", "other")
    assert scene.store.unjudged("router", "segment") == "rest"
    assert scene.store.unjudged("router", "another") is None
