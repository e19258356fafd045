"""Whom do alerts go to? The page of the notifiers."""

from __future__ import annotations

from service.reference.kinds import kind_page

_INTRO = """\
A notifier is a channel that alerts go to. It stands under `notifiers` and has a name; a target's `notify` lists the
names that its alerts go to, by default all. The address is given by exactly one of `url`, `url_env` and `url_file`.
A message is delivered at least once, under an id that stays; a failed delivery is tried again for a day."""


def page() -> str:
    """The page as Markdown."""
    return kind_page("service.notifiers", "Notifiers", _INTRO)
