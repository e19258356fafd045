"""Are Kubernetes' rollouts marked, each once and when it ended?

The API server is a stand-in over TLS that answers one GET with the bearer token, in the API's own JSON; what becomes of
the conditions of a Deployment is as its controller writes them.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config import Config, load
from service.daemon.rollouts import Rollouts
from service.deployments.kubernetes import Cluster, rollout
from service.golden import freeze
from service.records import NewRun, RunKind
from service.store import Store

NOW = 1_795_000_000.0
PATH = "/apis/apps/v1/namespaces/ml/deployments/ticket-router"
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment", "apiVersion": "apps/v1",
    "metadata": {
        "name": "ticket-router", "namespace": "ml", "uid": "0b1e", "resourceVersion": "811", "generation": 4,
        "annotations": {"deployment.kubernetes.io/revision": "4"},
    },
    "spec": {
        "replicas": 2, "progressDeadlineSeconds": 600,
        "selector": {"matchLabels": {"app": "ticket-router"}},
        "template": {
            "metadata": {"labels": {"app": "ticket-router"}},
            "spec": {"containers": [{"name": "model", "image": "registry.example.com/router:0.31"},
                                    {"name": "proxy", "image": "registry.example.com/proxy:9"}]},
        },
    },
    "status": {
        "observedGeneration": 4, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
        "conditions": [
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
             "lastUpdateTime": "2026-11-01T00:00:00Z", "lastTransitionTime": "2026-11-01T00:00:00Z"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
             "lastUpdateTime": "2026-11-18T10:00:00Z", "lastTransitionTime": "2026-11-01T00:00:00Z"},
        ],
    },
}  # fmt: skip
AT = 1_794_996_000.0  # 2026-11-18T10:00:00Z


def changed(**more: Any) -> dict[str, Any]:
    """The Deployment with other values, by dotted keys with ``__`` between."""
    made = deepcopy(DEPLOYMENT)
    for key, value in more.items():
        *way, last = key.split("__")
        inner: Any = made
        for step in way:
            inner = inner[int(step) if step.isdigit() else step]
        inner[last] = value
    return made


def rolled_out(revision: int, image: str, at: str) -> dict[str, Any]:
    """The Deployment after another rollout."""
    made = changed(metadata__annotations={"deployment.kubernetes.io/revision": str(revision)})
    made["spec"]["template"]["spec"]["containers"][0]["image"] = image
    made["status"]["conditions"][1]["lastUpdateTime"] = at
    return made


@dataclass
class Server:
    """What the API server says now, and what it was asked."""

    found: Any = field(default_factory=lambda: deepcopy(DEPLOYMENT))
    status: int = 200
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Cluster]]:
    """A stand-in with a certificate of a CA of its own, and a Pod's view of it."""
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("openssl is not installed")
    account, key = tmp_path / "serviceaccount", tmp_path / "key.pem"
    account.mkdir()
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=kubernetes", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", *options, *names, "-keyout", str(key), "-out", str(account / "ca.crt")]
    subprocess.run(command, check=True, capture_output=True)
    (account / "token").write_text("of the account\n")
    (account / "namespace").write_text("ml")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers["authorization"]))
            known = state.status if self.path == PATH else 404
            known = known if self.headers["authorization"] == "Bearer of the account" else 401
            body = json.dumps(state.found if known == 200 else {"kind": "Status", "code": known}).encode()
            self.send_response(known)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "ca.crt", key)
    listening = HTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    where = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(listening.server_port)}
    yield state, Cluster(account, where)
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """One target that waits for rollouts, one that does not."""
    golden = tmp_path / "golden.jsonl"
    golden.write_text('{"id": "a", "input": "x", "expected": "y"}\n')
    freeze(golden, 0.0)
    endpoint = {"kind": "openai_chat", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    one = {"endpoint": endpoint, "golden": "golden.jsonl", "scorers": [{"kind": "exact_match"}]}
    waiting = {"name": "router", "deployments": {"kubernetes": "ml/ticket-router"}, **one}
    path = tmp_path / "goldwatch.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "targets": [waiting, {"name": "other", **one}]}))
    return load(path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty one."""
    with Store.open(f"sqlite:///{tmp_path}/goldwatch.db") as opened:
        yield opened


def begun(store: Store, config: Config, at: float) -> None:
    """A run of the target begins."""
    from service.golden import check_lock

    golden = check_lock(config.target("router").golden)
    store.put_golden(golden)
    baseline = store.open_baseline("router", 1, "first runs", at)
    new = NewRun("router", RunKind.SCHEDULED, at, golden.digest, "s", baseline.id, 1.0, 2160.0)
    assert store.claim_run(new, owner="test", now=at, lease_s=60) is not None


def test_a_complete_rollout_is_marked_with_its_image_at_its_own_time(
    server: tuple[Server, Cluster], config: Config, store: Store
) -> None:
    """The mark says which image and revision; it is asked with the account's token, of the one Deployment alone."""
    state, cluster = server
    Rollouts(store, lambda: NOW, cluster).look(config)
    (mark,) = store.marks("router", 0)
    assert (mark.at, mark.version) == (AT, "registry.example.com/router:0.31, revision 4")
    assert mark.note == "Kubernetes: ml/ticket-router"
    assert state.asked == [(PATH, "Bearer of the account")]


def test_each_rollout_is_marked_once(server: tuple[Server, Cluster], config: Config, store: Store) -> None:
    """Looking again, another replica and a restart add nothing; another image, and going back to the old one, do."""
    state, cluster = server
    first, second = (Rollouts(store, lambda: NOW, cluster) for _ in range(2))
    for watcher in (first, first, second, Rollouts(store, lambda: NOW, cluster)):
        watcher.look(config)
    state.found = rolled_out(5, "registry.example.com/router:0.32", "2026-11-18T10:30:00Z")
    for watcher in (first, second, first):
        watcher.look(config)
    state.found = rolled_out(6, "registry.example.com/router:0.31", "2026-11-18T10:40:00Z")
    second.look(config)
    versions = [mark.version.rpartition(":")[2] for mark in store.marks("router", 0)]
    assert versions == ["0.31, revision 4", "0.32, revision 5", "0.31, revision 6"]


def test_a_rollout_asks_for_a_run_that_has_not_begun(
    server: tuple[Server, Cluster], config: Config, store: Store
) -> None:
    """A target that ran before it is due; one that has begun since, or never ran, is not."""
    state, cluster = server
    watcher = Rollouts(store, lambda: NOW, cluster)
    assert watcher.look(config) == []
    begun(store, config, AT + 60)
    state.found = rolled_out(5, "router:0.32", "2026-11-18T10:30:00Z")
    assert watcher.look(config) == ["router"]
    state.found = rolled_out(6, "router:0.33", "2026-11-18T10:00:30Z")
    assert watcher.look(config) == []


@pytest.mark.parametrize(
    "more",
    [
        {"status__observedGeneration": 3},
        {"status__updatedReplicas": 1},
        {"status__availableReplicas": 1},
        {"status__replicas": 3},
        {"status__conditions__1__reason": "ReplicaSetUpdated"},
        {"status__conditions__1__reason": "ProgressDeadlineExceeded"},
        {"status__conditions__1__reason": "DeploymentPaused"},
        {"spec__replicas": 0, "status__replicas": 0, "status__updatedReplicas": 0, "status__availableReplicas": 0},
        {"status": {}},
        {"status": None},
        {"metadata": []},
    ],
    ids=str,
)  # fmt: skip
def test_a_rollout_under_way_is_none(more: dict[str, Any]) -> None:
    """Not seen by the controller, not whole, old Pods still there, stuck, paused, scaled to none, or no Deployment."""
    assert rollout(changed(**more), NOW) is None


def test_without_a_deadline_it_was_complete_when_it_was_seen() -> None:
    """Kubernetes then keeps no progress condition."""
    found = rollout(changed(status__conditions=[]), NOW)
    assert found is not None
    assert (found.at, found.heard.version) == (NOW, "registry.example.com/router:0.31, revision 4")


def test_the_container_that_kubectl_looks_at_is_the_version() -> None:
    """``kubectl.kubernetes.io/default-container`` names it where a sidecar comes first."""
    annotated = {"annotations": {"kubectl.kubernetes.io/default-container": "proxy"}}
    found = rollout(changed(spec__template__metadata=annotated), NOW)
    assert found is not None
    assert found.heard.version == "registry.example.com/proxy:9, revision 4"


@pytest.mark.parametrize(
    ("status", "said"), [(403, "may not get it"), (404, "there is none"), (500, "status 500")]
)
def test_what_cannot_be_read_is_told_once_and_marks_nothing(
    status: int, said: str, server: tuple[Server, Cluster], config: Config, store: Store, capsys: Any
) -> None:
    """Not knowing is no deployment, and no fault of the target."""
    state, cluster = server
    state.status = status
    watcher = Rollouts(store, lambda: NOW, cluster)
    assert watcher.look(config) == watcher.look(config) == []
    told = capsys.readouterr().out
    assert (told.count("rollouts are not seen"), said in told) == (1, True)
    assert store.marks("router", 0) == []
    state.status = 200
    watcher.look(config)
    assert len(store.marks("router", 0)) == 1


def test_outside_of_kubernetes_it_says_so(config: Config, store: Store, tmp_path: Path, capsys: Any) -> None:
    """Neither address nor account: a sentence each, no traceback."""
    Rollouts(store, lambda: NOW, Cluster(tmp_path, {})).look(config)
    Rollouts(store, lambda: NOW, Cluster(tmp_path, {"KUBERNETES_SERVICE_HOST": "127.0.0.1"})).look(config)
    told = capsys.readouterr().out
    assert "this is no Pod of Kubernetes" in told
    assert "the service account is not mounted" in told


def test_a_server_that_nobody_vouches_for_is_not_told_the_token(
    server: tuple[Server, Cluster], config: Config, store: Store, tmp_path: Path, capsys: Any
) -> None:
    """Another certificate authority: the token is not sent."""
    state, cluster = server
    (tmp_path / "serviceaccount/ca.crt").write_text(
        Path(ssl.get_default_verify_paths().openssl_cafile).read_text()
    )
    Rollouts(store, lambda: NOW, cluster).look(config)
    assert state.asked == []
    assert "does not answer" in capsys.readouterr().out
