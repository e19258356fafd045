"""What are the parts of a configuration made of? Their base, and the values that several of them hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """The base of every part of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True)


def fault(why: str) -> PydanticCustomError:
    """An error of a configuration, in our words."""
    return PydanticCustomError("config", "{why}", {"why": why})


def _at_home(path: Path, info: ValidationInfo) -> Path:
    home = (info.context or {}).get("base_dir")
    return home / path.expanduser() if isinstance(home, Path) else path


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value, re.ASCII):
        raise fault(
            "is not the name of an environment variable: write the variable's name, not the secret itself"
        )
    return value


Variable = Annotated[str, AfterValidator(_variable)]
"""The name of an environment variable."""

HomePath = Annotated[Path, AfterValidator(_at_home)]
"""A path, absolute from the configuration file's folder."""
