"""What does a request's body hold, where the sender's own form is read and no model of ours? A JSON object."""

from __future__ import annotations

import json
from typing import Any

from fastapi import HTTPException


def described(what: str) -> dict[str, Any]:
    """A route's ``openapi_extra``: it takes a JSON object, which is ``what``."""
    return {
        "requestBody": {
            "required": True,
            "description": what,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    }


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a body holds.

    Raises:
        HTTPException: 400 where it is no JSON, or no object.
    """
    try:
        held = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(held, dict):
        raise HTTPException(400, "the body is not an object")
    return held
