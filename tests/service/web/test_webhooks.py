"""Do the webhooks of model registries make marks, and only those that know the secret?

MLflow's and the Hub's requests are made as their documentation says; the signature by the library of the standard that
MLflow follows, which knows nothing of ours.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from service.records import RunKind

MLFLOW, HUB = "/api/v1/webhooks/mlflow", "/api/v1/webhooks/huggingface"
ELSEWHERE = ("10.1.2.3", 40_000)
SECRETS = {"mlflow": "signing key of ours", "huggingface": "sent along"}
NEWS = {
    "alias": ("model_version_alias", "created", {"name": "router", "alias": "champion", "version": "7"}),
    "version": ("model_version", "created", {"name": "other", "version": "3", "source": "models:/m-1", "tags": {}}),
    "example": ("model_version_alias", "created", {"name": "example_model", "alias": "example_alias", "version": "1"}),
    "lost": ("model_version_alias", "deleted", {"name": "router", "alias": "champion"}),
    "new, unnamed": ("model_version", "created", {"name": "router", "version": "9"}),
    "other alias": ("model_version_alias", "created", {"name": "router", "alias": "challenger", "version": "8"}),
    "no data": ("model_version_alias", "created", None),
    "no version": ("model_version_alias", "created", {"name": "router", "alias": "champion", "version": ["7"]}),
}  # fmt: skip
MAIN = {"ref": "refs/heads/main", "oldSha": "ce9a4674fa83", "newSha": "575db8b7a51b"}
TAG = {"ref": "refs/tags/v2", "oldSha": None, "newSha": "575db8b7a51b"}


@pytest.fixture(autouse=True)
def listening(fleet: Any, daemon: Any) -> None:
    """Two targets wait for news; everything comes from another machine, where only a secret opens."""
    wanted = {
        "quiet": {"mlflow": "router@champion", "huggingface": "acme/router"},
        "new": {"mlflow": "other", "huggingface": "acme/router@v2"},
    }
    daemon.known = [replace(one, deployments=wanted.get(one.name, {})) for one in daemon.known]
    daemon.webhook_secrets, daemon.token = SECRETS, "another"


def delivered(
    browse: Any, news: str, *, at: float, secret: str = SECRETS["mlflow"], **headers: str | None
) -> Any:
    """One delivery as MLflow makes it."""
    entity, action, data = NEWS[news]
    when = datetime.fromtimestamp(at, UTC)
    body = json.dumps({"entity": entity, "action": action, "timestamp": when.isoformat(), "data": data})
    signed = Webhook(base64.b64encode(secret.encode()).decode()).sign("id-1", when, body)
    sent: dict[str, str | None] = {
        "content-type": "application/json", "x-mlflow-delivery-id": "id-1", "x-mlflow-timestamp": str(int(at)),
        "x-mlflow-signature": signed,
    }  # fmt: skip
    sent |= {f"x-mlflow-{key}": value for key, value in headers.items()}
    kept = {key: value for key, value in sent.items() if value is not None}
    return browse(ELSEWHERE).post(MLFLOW, content=body, headers=kept)


def pushed(browse: Any, *refs: Any, secret: str | None = SECRETS["huggingface"], **more: Any) -> Any:
    """A push as the Hub tells of it."""
    body = {
        "event": {"action": "update", "scope": "repo.content"},
        "repo": {"type": "model", "name": "acme/router", "id": "6366c000a2ab", "private": False, "headSha": "575d"},
        "updatedRefs": list(refs), "webhook": {"id": "6390e855e30d", "version": 3},
    }  # fmt: skip
    headers = {} if secret is None else {"X-Webhook-Secret": secret}
    return browse(ELSEWHERE).post(HUB, json={**body, **more}, headers=headers)


@pytest.mark.parametrize(
    ("news", "target", "version", "note"),
    [
        ("alias", "quiet", "7", "MLflow: router is champion"),
        ("version", "new", "3", "MLflow: other has a new version"),
    ],
)
def test_a_signed_delivery_of_mlflow_is_marked_and_starts_a_run(
    news: str, target: str, version: str, note: str, store: Any, browse: Any, daemon: Any
) -> None:
    """The target whose alias moved, or whose model has a new version, has a mark; no token is needed."""
    answer = delivered(browse, news, at=daemon.at)
    assert answer.status_code == 200
    assert answer.json() == {
        "marks": [{"target": target, "at": daemon.at, "version": version, "note": note, "accepted": True}],
        "reason": None,
    }  # fmt: skip
    assert [(m.version, m.note) for m in store.marks(target, 0)] == [(version, note)]
    assert daemon.asked == [(target, RunKind.MARK)]


@pytest.mark.parametrize(
    ("refs", "target"), [([MAIN], "quiet"), ([{**TAG, "ref": "refs/heads/wip"}, TAG], "new")]
)
def test_a_push_to_the_hub_is_marked_with_its_commit(
    refs: list[Any], target: str, store: Any, browse: Any, daemon: Any
) -> None:
    """A new commit on the branch, or a moved tag, that a target waits for."""
    (mark,) = pushed(browse, *refs).json()["marks"]
    assert (mark["target"], mark["version"]) == (target, "575db8b7a51b")
    assert daemon.asked == [(target, RunKind.MARK)]


@pytest.mark.parametrize("news", ["example", "lost", "new, unnamed", "other alias", "no data", "no version"])
def test_what_is_no_deployment_of_a_target_is_answered_and_changes_nothing(
    news: str, store: Any, browse: Any, daemon: Any
) -> None:
    """MLflow's test event, other aliases and what was taken away are no deployment, and no error of the sender's."""
    answer = delivered(browse, news, at=daemon.at)
    assert (answer.status_code, answer.json()["marks"]) == (200, [])
    assert (store.marks("quiet", 0), daemon.asked) == ([], [])


@pytest.mark.parametrize(
    "more",
    [
        {"updatedRefs": [{**MAIN, "newSha": None}]},
        {"updatedRefs": [{**MAIN, "ref": "refs/pr/1"}]},
        {"updatedRefs": None},
        {"repo": {"type": "dataset", "name": "acme/router"}},
        {"repo": {"type": "model", "name": "acme/router-2"}},
        {"event": {"action": "update", "scope": "repo.config"}},
        {"event": {"action": "create", "scope": "discussion"}},
        {"event": "push"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_new_commit_of_the_model_changes_nothing(more: Any, browse: Any, daemon: Any) -> None:
    """Pull requests, deleted branches, data sets, settings and discussions are no deployment."""
    answer = pushed(browse, MAIN, **more)
    assert (answer.status_code, answer.json()["marks"], daemon.asked) == (200, [], [])


def test_a_delivery_that_is_repeated_is_one_deployment(store: Any, browse: Any, daemon: Any) -> None:
    """Senders try again where an answer is lost; going back to an older version is news again."""
    for _ in range(2):
        delivered(browse, "alias", at=daemon.at)
    assert [m.version for m in store.marks("quiet", 0)] == ["7"]
    pushed(browse, MAIN)
    assert delivered(browse, "alias", at=daemon.at).json()["marks"]
    assert [m.version for m in store.marks("quiet", 0)] == ["7", "575db8b7a51b", "7"]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"signature": None}, "signature is missing"),
        ({"timestamp": None}, "signature is missing"),
        ({"signature": "v1,AAAA"}, "signature is wrong"),
        ({"signature": "v1,\u00e4"}, "signature is wrong"),
        ({"delivery-id": "id-2"}, "signature is wrong"),
        ({"timestamp": "1700000000"}, "5 minutes off"),
        ({"timestamp": "soon"}, "5 minutes off"),
        ({"timestamp": "\u00b2"}, "5 minutes off"),
    ],
)
def test_who_does_not_sign_is_refused(
    headers: dict[str, str | None], said: str, store: Any, browse: Any, daemon: Any
) -> None:
    """Without the signature over this body, this id and this time nothing is changed."""
    sent = {key: value and value.encode() for key, value in headers.items()}
    answer = delivered(browse, "alias", at=daemon.at, **sent)
    assert (answer.status_code, said in answer.json()["detail"]) == (401, True)
    assert (store.marks("quiet", 0), daemon.asked) == ([], [])


def test_another_secret_opens_nothing(browse: Any, daemon: Any) -> None:
    """Neither sender's secret is the other's, and a missing one is told."""
    assert delivered(browse, "alias", at=daemon.at, secret=SECRETS["huggingface"]).status_code == 401
    assert pushed(browse, MAIN, secret=SECRETS["mlflow"]).status_code == 401
    assert pushed(browse, MAIN, secret=None).status_code == 401
    assert daemon.asked == []


def test_without_a_configured_secret_nothing_is_taken(browse: Any, daemon: Any) -> None:
    """Not even from this machine, and not with goldwatch's own token."""
    daemon.webhook_secrets = {}
    answer = browse().post(HUB, json={}, headers={"Authorization": "Bearer another", "X-Webhook-Secret": ""})
    assert answer.status_code == 403
    assert "web.webhooks.huggingface_secret_env" in answer.json()["detail"]


def test_who_guesses_must_wait(browse: Any, daemon: Any) -> None:
    """After ten wrong secrets from one address the right one has to wait, too."""
    for _ in range(10):
        assert pushed(browse, MAIN, secret="guess").status_code == 401
    assert pushed(browse, MAIN).status_code == 429


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 50_000])
def test_a_body_that_is_no_event_is_refused(body: bytes, browse: Any) -> None:
    """What is no JSON object is a 400, not a fault of ours."""
    headers = {"X-Webhook-Secret": SECRETS["huggingface"]}
    assert browse(ELSEWHERE).post(HUB, content=body, headers=headers).status_code == 400
