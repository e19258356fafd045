"""What do MLflow's webhooks tell? A new version of a registered model, or an alias that names another version.

A delivery is signed over ``ID.TIMESTAMP.BODY``: ``X-MLflow-Signature`` is ``v1,`` and the base64 of its HMAC-SHA256
with the webhook's secret. See <https://mlflow.org/docs/latest/ml/webhooks>.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

from service.deployments import Heard

SIGNATURE, TIMESTAMP, DELIVERY = "x-mlflow-signature", "x-mlflow-timestamp", "x-mlflow-delivery-id"
TOLERANCE_S = 300.0
"""How far a delivery's time may be off: an older one may have been recorded and sent again by somebody else."""


def fault(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """Why this is no delivery of MLflow's; None if it is one.

    Args:
        secret: the webhook's.
        headers: of the request, looked up in lower case.
        body: as it came.
        now: seconds since 1970.
    """
    given, at, delivery = (headers.get(name, "") for name in (SIGNATURE, TIMESTAMP, DELIVERY))
    if not (given and at and delivery):
        return "MLflow's signature is missing: does its webhook have a secret?"
    if not (at.isascii() and at.isdigit() and abs(now - float(at)) <= TOLERANCE_S):
        return "the delivery is more than 5 minutes off: are both clocks right?"
    mac = hmac.digest(secret.encode(), f"{delivery}.{at}.".encode() + body, "sha256")
    right = f"v1,{base64.b64encode(mac).decode()}"
    return None if hmac.compare_digest(given.encode(), right.encode()) else "the signature is wrong"


def heard(event: Mapping[str, Any], wanted: str) -> Heard | None:
    """What the event says of the model ``NAME`` or ``NAME@ALIAS``; None if nothing.

    >>> moved = {"name": "router", "alias": "champion", "version": "7"}
    >>> heard({"entity": "model_version_alias", "action": "created", "data": moved}, "router@champion")
    Heard(version='7', note='MLflow: router is champion')
    >>> heard({"entity": "model_version", "action": "created", "data": {"name": "router", "version": "8"}}, "router")
    Heard(version='8', note='MLflow: router has a new version')
    """
    name, _, alias = wanted.partition("@")
    data, kind = event.get("data"), (event.get("entity"), event.get("action"))
    if not isinstance(data, Mapping) or data.get("name") != name:
        return None
    version = data.get("version")
    if not (isinstance(version, str | int) and 0 < len(str(version)) <= 200):
        return None
    if alias and kind == ("model_version_alias", "created") and data.get("alias") == alias:
        return Heard(str(version), f"MLflow: {name} is {alias}"[:2000])
    if not alias and kind == ("model_version", "created"):
        return Heard(str(version), f"MLflow: {name} has a new version"[:2000])
    return None
