"""Do the pages learn what the watch over a target can find?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.config import load
from service.daemon.finds import Finds
from service.store import Store


def test_a_card_is_kept_until_there_is_another_run(station: Any) -> None:
    """The sentences are those of the card, reckoned once for as long as nothing was measured and nothing configured."""
    station.write(station.target(station.endpoint().url, every="1h"))
    config = load(station.config)
    with Store.open("sqlite:///goldwatch.db", base_dir=station.folder) as store:
        asked: list[float] = []

        def clock() -> float:
            asked.append(0.0)
            return 1_794_700_000.0

        finds = Finds(store, clock)
        said = finds.said(config, "router")
        assert said[0].startswith("Finds a loss of ")
        assert any(one.startswith("Assumed") for one in said)
        assert finds.said(config, "router") == said
        assert len(asked) == 1


def test_an_edited_golden_set_has_no_card(station: Any) -> None:
    """What cannot be read is not guessed: nothing is said; so for a target that is not watched."""
    station.write(station.target(station.endpoint().url, every="1h"))
    config = load(station.config)
    Path(config.targets[0].golden).write_text("not what was frozen")
    with Store.open("sqlite:///goldwatch.db", base_dir=station.folder) as store:
        finds = Finds(store, lambda: 1_794_700_000.0)
        assert finds.said(config, "router") == ()
        assert finds.said(config, "nobody") == ()
