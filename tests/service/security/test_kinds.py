"""Does any kind of endpoint give its secrets away? Each is run against a server that says everything again.

Whatever registers is tried, as a model and as the judge of its answers, by keys and by the credentials of AWS and
Google; then every output and every file is searched for what was planted.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from checks.registry import kinds
from service import cli
from service.golden import freeze
from service.store import Store
from tests.service.endpoints.kinds import GOOD, SIGNED, minimal
from tests.service.endpoints.standins.google import account

KINDS = kinds("service.endpoints")
SECRETS = {
    "KINDS_KEY": "canary-key-1f83d9ab",
    "KINDS_HEADER": "canary-header-5be0cd19",
    "KINDS_JUDGE": "canary-judge-9b05688c",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-secret-6a09e667",
    "AWS_SESSION_TOKEN": "canary-aws-session-bb67ae85//////////",
}
TOKEN = "ya29.canary-google-3c6ef372"
MODES = ("good", "echo", "denied", "failing", "elsewhere")


class Echo(ThreadingHTTPServer):
    """Says everything again that it is sent; ``heard`` is all of it, by the target in its address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode, self.elsewhere = "good", ""
        self.heard: dict[str, str] = {}
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.thread.join(60)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Echo
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._send(404, {"error": {"message": self._heard()}})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if self.path == "/token":
            self._send(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
            return
        echo, mode = self._heard(), self.server.mode
        if mode in ("good", "echo"):
            kind = self.path.split("/")[1].removesuffix("-account").removesuffix("-judge")
            said = "billing" if mode == "good" else f"billing {echo} {body}"
            self._send(200, json.loads(json.dumps(GOOD[kind]).replace('"billing"', json.dumps(said))))
        elif mode == "elsewhere":
            self._send(307, {}, {"Location": f"{self.server.elsewhere}/steal?{echo[:2000].split()[-1]}"})
        else:
            status = 403 if mode == "denied" else 500
            self._send(
                status, {"message": echo, "error": {"message": echo}}, {"x-amzn-errortype": "SomeException"}
            )

    def _heard(self) -> str:
        echo = " ".join([self.path, *self.headers.values()])
        name = self.path.split("/")[1]
        self.server.heard[name] = self.server.heard.get(name, "") + echo
        return echo

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def targets(url: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Every kind with its key, and those that know other credentials with these."""
    key = {"api_key_env": "KINDS_KEY", "headers_env": {"X-Canary": "KINDS_HEADER"}}
    named = {
        kind: minimal(kind, f"{url}/{kind}") | ({} if kind in SIGNED else key)
        for kind in KINDS
        if kind in GOOD
    }
    (folder / "account.json").write_text(json.dumps(account(f"{url}/token")))
    named["bedrock-account"] = minimal("bedrock", f"{url}/bedrock-account")
    file = {"credentials_file": str(folder / "account.json")}
    named["vertex-account"] = minimal("vertex", f"{url}/vertex-account") | file
    return named


def judge(kind: str, url: str) -> dict[str, Any]:
    """A scorer that has the kind judge the answers, with a key of its own."""
    key = {} if kind in SIGNED else {"api_key_env": "KINDS_JUDGE"}
    endpoint = minimal(kind, f"{url}/{kind}-judge") | key
    return {"kind": "judge", "endpoint": endpoint, "verdicts": {"billing": 1, "login": 0}}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Echo, Echo]]:
    """Everything that came out: by command and by file; what the server was sent, and another one."""
    folder = tmp_path_factory.mktemp("kinds")
    echo, other = Echo(), Echo()
    echo.elsewhere = other.url
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        common = {
            "golden": "golden.jsonl",
            "schedule": {"every": "366d"},
            "retries": 0,
            "confirm": False,
        }
        made = [
            {"name": name, "endpoint": one, "scorers": [{"kind": "contains"}, judge(one["kind"], echo.url)]}
            | common
            for name, one in targets(echo.url, folder).items()
        ]
        config = {"version": 1, "log": {"level": "debug"}, "targets": made, "notifiers": []}
        Path("goldwatch.yaml").write_text(yaml.safe_dump(config))
        rows = [{"id": f"T-{n}", "input": f"Ticket {n}", "expected": "billing"} for n in range(4)]
        Path("golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        freeze(Path("golden.jsonl"), 1.0)
        shown = {}
        for mode in MODES:
            echo.mode = mode
            for command in (("run",), ("run", "--json"), ("doctor",)):
                out = io.StringIO()
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                    code = cli.run(list(command))
                assert code != 70, out.getvalue()
                shown[f"{mode}: {' '.join(command)}"] = out.getvalue()
        with Store.open("sqlite:///goldwatch.db", base_dir=folder) as store:
            for one in made:
                runs = store.runs(one["name"], limit=None)
                shown[f"store {one['name']}"] = repr(
                    [(run, list(store.responses(run.id)), store.vectors(run.id)) for run in runs]
                )
        for path in folder.iterdir():
            if path.is_file() and path.name != "account.json":
                shown[path.name] = path.read_bytes().decode("latin-1")
    try:
        yield shown, echo, other
    finally:
        echo.close()
        other.close()


def test_every_kind_was_asked_with_its_secrets(told: Any) -> None:
    """What was planted did reach the server that it belongs to."""
    shown, echo, _ = told
    assert '"verdict": "learning"' in shown["good: run --json"]
    for name in ("bedrock-account", "sagemaker"):
        assert SECRETS["AWS_SESSION_TOKEN"] in echo.heard[name]
        assert "Signature=" in echo.heard[name]
    assert TOKEN in echo.heard["vertex-account"]
    hidden = [shown[place].count("***") for place in shown if place.startswith("store ")]
    assert min(hidden) >= 8
    for kind in KINDS:
        if kind in GOOD and kind not in SIGNED:
            assert SECRETS["KINDS_KEY"] in echo.heard[kind], kind
            assert SECRETS["KINDS_HEADER"] in echo.heard[kind], kind
            assert SECRETS["KINDS_JUDGE"] in echo.heard[f"{kind}-judge"], kind
            assert SECRETS["KINDS_JUDGE"] not in echo.heard[kind], kind
            assert SECRETS["KINDS_KEY"] not in echo.heard[f"{kind}-judge"], kind


def test_no_planted_secret_of_any_kind_comes_out(told: Any) -> None:
    """Not in an output of a command, nor in the database, though it came back in answers and in errors."""
    shown, _, _ = told
    found = {place: re.search(r".{,80}canary-.{,20}", text) for place, text in shown.items()}
    assert [(place, match[0]) for place, match in found.items() if match] == []


def test_no_signature_comes_out(told: Any) -> None:
    """Nor a signature, which holds for minutes, nor a part of the account's key."""
    shown, echo, _ = told
    signatures = set(re.findall(r"Signature=(\w{64})", " ".join(echo.heard.values())))
    assert len(signatures) > 10
    everything = " ".join(shown.values())
    assert [one for one in signatures if one in everything] == []
    assert "PRIVATE KEY" not in everything


def test_nothing_goes_elsewhere(told: Any) -> None:
    """A redirect to another server is followed by no kind."""
    _, _, other = told
    assert other.heard == {}
