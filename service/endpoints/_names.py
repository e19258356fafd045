"""Is that the name of something at a provider? A pattern for programs, words for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from service.text import safe


@dataclass(frozen=True, slots=True)
class Like:
    """An annotation: the text is like the pattern, else it is told that it is not ``what``.

    >>> Like(r"[a-z]+-[0-9]", "a region: write it like north-1").check("north-1")
    'north-1'
    """

    pattern: str
    what: str

    def check(self, value: str) -> str:
        """The value itself.

        Raises:
            ValueError: it is not like the pattern.
        """
        if not re.fullmatch(self.pattern, value, re.ASCII):
            raise ValueError(f"{safe(value, 60)!r} is not {self.what}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """For Pydantic: checked after what the type itself demands."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """For editors: the pattern."""
        return {**handler(schema), "pattern": f"^{self.pattern}$"}


def _dated(value: Any) -> Any:
    """YAML reads 2024-10-21 as a date."""
    return value.isoformat() if type(value) is date else value


ApiVersion = Annotated[
    str,
    Like(r"\d{4}-\d{2}-\d{2}(-preview)?", "the version of an API: write it like 2024-10-21"),
    BeforeValidator(_dated),
]
"""The version of an API that is named by its date, written with or without quotes."""
