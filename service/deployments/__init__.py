"""Who tells that a model was deployed? Registries by their webhooks, Kubernetes when it is asked.

One file each. A sender of webhooks has ``fault(...)``, why a request is not theirs, and ``heard(...)``, what was
deployed where; both are pure. ``kubernetes.py`` reads what the API server says of one Deployment.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """A deployment that somebody told of: which version, and who says so, in words."""

    version: str
    note: str
