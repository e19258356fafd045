"""What values do several sections share? Names, days, and plug-ins that are their own configuration."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
)

from checks.plugged import Plugged
from checks.scorers import Scorer
from service.config.section import fault as _fault

NAME_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$"


def _name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise _fault(
            f"{value!r} is not a name: write letters, digits and _ . - (at most 64, the first a letter or digit)"
        )
    return value


def day(value: Any) -> date:
    """A day as YAML gives it, or as its text."""
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise _fault(f"{value!r} is not a date: write it as 2027-01-15")


Name = Annotated[str, Field(json_schema_extra={"pattern": NAME_PATTERN}), AfterValidator(_name)]


EndpointField = Annotated[Any, Plugged("service.endpoints")]


ScorerField = Annotated[Scorer, Plugged("checks.scorers")]


NotifierField = Annotated[Any, Plugged("service.notifiers")]
