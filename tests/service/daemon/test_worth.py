"""Do pages and metrics learn whether a fine-tune still pays?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.config import load
from service.daemon.worth import KEPT_S, Worths
from service.store import Store


def test_a_target_beside_a_challenger_that_was_never_asked(station: Any) -> None:
    """It is undecided, in one line and beside the challenger; what was read is kept for a minute."""
    url = station.endpoint().url
    other = {"kind": "openai_chat", "base_url": url, "model": "base"}
    station.write(station.target(url, every="1h", challengers={"other": other}))
    config = load(station.config)
    now = [1_794_700_000.0]
    with Store.open("sqlite:///goldwatch.db", base_dir=station.folder) as store:
        worths = Worths(store, lambda: now[0])
        found = worths.of(config, "router")
        assert found is not None
        assert (found.standing, [one.challenger for one in found.besides]) == ("undecided", ["other"])
        assert found.besides[0].effect is None
        assert worths.of(config, "router") is found
        now[0] += KEPT_S
        assert worths.of(config, "router") is not found


def test_nothing_is_said_where_there_is_nothing_to_compare(station: Any) -> None:
    """No challengers, no such target, or a golden set that was edited: None, and no fault."""
    url = station.endpoint().url
    station.write(station.target(url, every="1h"))
    plain = load(station.config)
    other = {"kind": "openai_chat", "base_url": url, "model": "base"}
    station.write(station.target(url, every="1h", challengers={"other": other}))
    config = load(station.config)
    Path(config.targets[0].golden).write_text("not what was frozen")
    with Store.open("sqlite:///goldwatch.db", base_dir=station.folder) as store:
        worths = Worths(store, lambda: 1_794_700_000.0)
        assert [worths.of(plain, "router"), worths.of(plain, "nobody"), worths.of(config, "router")] == [
            None
        ] * 3
