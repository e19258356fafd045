"""Which border prompts is a target asked? Found once per baseline and question."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from checks.types import Example, Message
from service.records import BorderPrompts
from service.store import packing
from service.store.database import Database
from service.store.tables import BORDER


class Border(Database):
    """Border prompts by target and what they were found for."""

    def border_prompts(self, target: str, asked: str) -> BorderPrompts | None:
        """What the last search found, which may be nothing; None where nobody has searched."""
        query = select(BORDER.c.at, BORDER.c.body).where(BORDER.c.target == target, BORDER.c.asked == asked)
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        body = packing.unpack_json(row.body)
        prompts = tuple(Example(f"border-{i}", _input(one)) for i, one in enumerate(body["prompts"]))
        return BorderPrompts(prompts, body["draws"], body["as_configured"], row.at)

    def put_border_prompts(self, target: str, asked: str, found: BorderPrompts) -> None:
        """Keep what a search found in place of what an earlier one did."""
        body = {
            "prompts": [_written(prompt) for prompt in found.prompts],
            "draws": found.draws,
            "as_configured": found.as_configured,
        }
        row = {"at": found.at, "body": packing.pack_json(body)}
        statement = self._insert(BORDER).values(target=target, asked=asked, **row)
        with self._write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=[BORDER.c.target, BORDER.c.asked], set_=row)
            )


def _written(prompt: Example) -> Any:
    return prompt.input if isinstance(prompt.input, str) else [[m.role, m.content] for m in prompt.input]


def _input(written: Any) -> str | tuple[Message, ...]:
    return written if isinstance(written, str) else tuple(Message(role, content) for role, content in written)
