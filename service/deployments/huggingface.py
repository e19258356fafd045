"""What do the Hugging Face Hub's webhooks tell? New commits on a branch of a model's repository, or a moved tag.

The Hub signs nothing: it sends the webhook's secret itself as ``X-Webhook-Secret``, so the address must be https. See
<https://huggingface.co/docs/hub/webhooks>.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from service.deployments import Heard

SECRET = "x-webhook-secret"  # noqa: S105  # a header's name


def fault(secret: str, headers: Mapping[str, str]) -> str | None:
    """Why this is no request of the Hub's; None if it is one."""
    given = headers.get(SECRET, "")
    if not given:
        return "X-Webhook-Secret is missing: does the webhook have a secret?"
    return None if hmac.compare_digest(given.encode(), secret.encode()) else "the secret is wrong"


def heard(event: Mapping[str, Any], wanted: str) -> Heard | None:
    """What the event says of ``OWNER/NAME`` (its branch ``main``) or ``OWNER/NAME@REVISION``; None if nothing.

    Discussions, pull requests, settings, deleted branches, data sets and Spaces are no deployment.

    >>> moved = {"ref": "refs/heads/main", "oldSha": "ce9a", "newSha": "575db8b7a51b"}
    >>> repo = {"type": "model", "name": "acme/router"}
    >>> event = {"action": "update", "scope": "repo.content"}
    >>> heard({"event": event, "repo": repo, "updatedRefs": [moved]}, "acme/router")
    Heard(version='575db8b7a51b', note='Hugging Face: main of acme/router')
    """
    name, _, revision = wanted.partition("@")
    revision = revision or "main"
    what, repo, refs = event.get("event"), event.get("repo"), event.get("updatedRefs")
    if not (isinstance(what, Mapping) and isinstance(repo, Mapping) and isinstance(refs, list)):
        return None
    scope = str(what.get("scope"))
    if scope != "repo.content" and not scope.startswith("repo.content."):
        return None
    if repo.get("type") != "model" or repo.get("name") != name:
        return None
    known = (f"refs/heads/{revision}", f"refs/tags/{revision}")
    for ref in refs:
        if isinstance(ref, Mapping) and ref.get("ref") in known:
            commit = ref.get("newSha")
            if isinstance(commit, str) and 0 < len(commit) <= 200:
                return Heard(commit, f"Hugging Face: {revision} of {name}"[:2000])
    return None
