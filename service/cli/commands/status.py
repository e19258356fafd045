"""``goldwatch status``: how does everything stand, and what should I look at?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.cli.options import CONFIG, AsJson, ConfigFile

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.facts import TargetFacts


def command(as_json: AsJson = False, config: ConfigFile = CONFIG) -> None:
    """Say how every target stands now, the worst first, and what is firing.

    It reads the store alone: nothing is asked, and no daemon need run.

    \b
    Examples:
      goldwatch status
      goldwatch status --json | jq 'select(.alerts != []) | .name'
    """  # noqa: D301  # Typer reads the \b
    import json
    import time

    from service.cli.opened import opened_store, read_config
    from service.web import shown, views

    loaded = read_config(config)
    seen = _Seen(loaded, time.time())
    with opened_store(loaded) as store:
        fleet = views.worst_first(views.fleet(store, seen))
        rows = [shown.fleet_row(store, seen, view) for view in fleet]
        troubles = views.own_troubles(store)
    if as_json:
        for row in rows:
            why = None if row["why"] is None else row["why"][0]
            said = {"state": row["state"][0], "says": row["says"], "cause": why}
            print(json.dumps({**row["view"].object, **said}, ensure_ascii=False, allow_nan=False))
        return
    from service.cli.render.console import console
    from service.cli.render.status import show_status

    show_status(rows, shown.tally(rows), troubles, seen.now(), console())


@dataclass(frozen=True)
class _Seen:
    """What is known without a daemon: :class:`service.facts.Known` from the configuration and one moment."""

    config: Config
    at: float

    @property
    def show_texts(self) -> bool:
        return self.config.web.show_texts

    def now(self) -> float:
        return self.at

    def targets(self) -> Sequence[TargetFacts]:
        from service.daemon.facts import facts_of

        return [facts_of(target, _trouble(target), now=self.at) for target in self.config.targets]

    def next_run_at(self, target: str, /) -> float | None:
        from service.schedule import next_tick

        return next_tick(self.config.target(target).schedule, self.at)


def _trouble(target: Target) -> str | None:
    """Why the target cannot be replayed as it stands."""
    from pathlib import Path

    from service.errors import UserError
    from service.golden import check_lock

    try:
        check_lock(Path(target.golden))
    except UserError as error:
        return error.message
    return None
