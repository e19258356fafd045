"""One bad file per fault; each begins with the exact messages that it must give (``# expect: line: message``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.registry import kinds
from service.config import ConfigError, load
from service.config.errors import list_of

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
ROOMS = {
    "{endpoints}": "service.endpoints",
    "{scorers}": "checks.scorers",
    "{notifiers}": "service.notifiers",
}


def expected(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    messages = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    for mark, room in ROOMS.items():
        messages = [message.replace(mark, list_of(kinds(room))) for message in messages]
    return messages


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_its_exact_messages(path: Path) -> None:
    """Every fault is named with its line, its key, the value and what is allowed; none besides."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    shown = [problem.render("@").removeprefix("@:") for problem in caught.value.problems]
    assert shown == expected(path)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_message_shows_a_secret(path: Path) -> None:
    """The bad files write secrets as ``hunter2``, or a Slack path; no message repeats them."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert "hunter" not in str(caught.value)
    assert "services/T0" not in str(caught.value)
