"""Which rollout of a Deployment is complete, and since when? Read from the API server with a service account's token.

Nothing but ``GET .../deployments/NAME`` is asked. A rollout is complete when ``kubectl rollout status`` would say so;
then the condition ``Progressing`` bears the reason ``NewReplicaSetAvailable`` and the moment at which it became true.
So what is read now says when the rollout ended, also where nobody looked at that time: no news is lost by a restart.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from service import __version__
from service.deployments import Heard
from service.errors import UserError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts the token, its certificate authority and the namespace."""

_REVISION = "deployment.kubernetes.io/revision"
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_REMEDY = "deploy/deployments.md shows the role that it needs"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A complete rollout: what it brought, and when it ended, in seconds since 1970."""

    heard: Heard
    at: float


def rollout(found: Mapping[str, Any], now: float) -> Rollout | None:
    """The rollout of a Deployment (``apps/v1``) that is complete; None while one is under way, stuck or paused.

    Its version is the image of the container that ``kubectl`` looks at by default, and the revision's number: a change
    of arguments alone is a new revision, too. A Deployment without a deadline says nothing of its progress: then it
    was complete by ``now``, seconds since 1970.
    """
    meta, spec, status = (_mapping(found.get(key)) for key in ("metadata", "spec", "status"))
    if meta.get("generation") != status.get("observedGeneration"):
        return None
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    whole = updated >= wanted and status.get("replicas", 0) <= updated <= status.get("availableReplicas", 0)
    if not whole or not wanted:
        return None
    at, done = now, next((c for c in _list(status.get("conditions")) if c.get("type") == "Progressing"), None)
    if done is not None:
        if done.get("reason") != "NewReplicaSetAvailable":
            return None
        at = datetime.fromisoformat(str(done.get("lastUpdateTime"))).timestamp()
    revision = _mapping(meta.get("annotations")).get(_REVISION)
    return Rollout(
        Heard(
            f"{_image(_mapping(spec.get('template')))[:160]}, revision {revision}",
            f"Kubernetes: {meta.get('namespace')}/{meta.get('name')}",
        ),
        at,
    )


class Cluster:
    """The API server that this Pod belongs to. Blocks.

    Args:
        account: where the service account is mounted.
        environ: holds the server's address, as Kubernetes sets it.
    """

    def __init__(self, account: Path = ACCOUNT, environ: Mapping[str, str] = os.environ) -> None:
        self._account, self._environ = account, environ

    def deployment(self, wanted: str) -> Mapping[str, Any]:
        """The Deployment ``NAMESPACE/NAME``, or ``NAME`` in the Pod's own namespace.

        Raises:
            UserError: it cannot be read; says why and what to do.
        """
        host, port = (self._environ.get(f"KUBERNETES_SERVICE_{key}") for key in ("HOST", "PORT"))
        if not host:
            raise UserError("this is no Pod of Kubernetes: KUBERNETES_SERVICE_HOST is not set", _REMEDY)
        namespace, _, name = wanted.rpartition("/")
        namespace = namespace or self._mounted("namespace")
        address = f"https://{f'[{host}]' if ':' in host else host}:{port or 443}"
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        headers = {
            "Authorization": f"Bearer {self._mounted('token')}",  # read anew: it is exchanged every hour
            "Accept": "application/json",
            "User-Agent": f"goldwatch/{__version__}",
        }
        try:
            context = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
            with httpx.Client(verify=context, timeout=10.0, trust_env=False) as client:
                answer = client.get(f"{address}{path}", headers=headers)
            if answer.status_code == 200:
                return _mapping(answer.json())
        except (OSError, httpx.HTTPError, ValueError) as error:
            raise UserError(
                f"Kubernetes does not answer for the Deployment {namespace}/{name}: {type(error).__name__}",
                _REMEDY,
            ) from None
        why = {401: "the token is refused", 403: "the service account may not get it", 404: "there is none"}
        said = why.get(answer.status_code, f"status {answer.status_code}")
        raise UserError(f"the Deployment {namespace}/{name} cannot be read: {said}", _REMEDY)

    def _mounted(self, name: str) -> str:
        try:
            return (self._account / name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"the service account is not mounted: {self._account / name}: {type(error).__name__}", _REMEDY
            ) from None


def _image(template: Mapping[str, Any]) -> str:
    chosen = _mapping(_mapping(template.get("metadata")).get("annotations")).get(_DEFAULT_CONTAINER)
    containers = _list(_mapping(template.get("spec")).get("containers"))
    first = next(
        (one for one in containers if one.get("name") == chosen), containers[0] if containers else {}
    )
    return str(first.get("image", "no image"))


def _mapping(held: Any) -> Mapping[str, Any]:
    return held if isinstance(held, Mapping) else {}


def _list(held: Any) -> list[Mapping[str, Any]]:
    return [one for one in held if isinstance(one, Mapping)] if isinstance(held, list) else []
