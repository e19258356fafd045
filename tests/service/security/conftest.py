"""A target behind the worst server: it says hostile things and echoes every secret that it is sent.

It is watched once, for real, from healthy to paged to failing; whatever came out anywhere is kept for the tests.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from service import cli
from service.golden import freeze

PATIENCE_S = 120.0

NASTY = (
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "<!channel> <@U0123> <https://evil.example|ok> @here",
    "\x1b[2J\x1b[31mred",
    "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb\x08\x7f\x00",
    "\u2066isolate\u2069 zero\u200bwidth \ufeff",
    "line\u2028separator\u2029",
    "\ud800 alone",
    "z" + "\u0300" * 200,
    "<img src=x onerror=alert(1)>",
    "</td></table></body><h1>forged</h1>",
    "' onmouseover='alert(1)\" style=\"x",
    "{{ 7*7 }} {% include 'x' %} ${7*7}",
    "``` *bold* ```",
    'x"} 1\ngoldwatch_regressed{target="forged"} 1\n',
    '\n{"event": "forged", "level": "error"}\n',
    "\n::error::forged\n## forged",
    "| a | b |\n|---|---|",
    "[bold red]x[/] [link=http://evil.example]y[/link]",
    "]]></failure><testcase/>",
    "%s %n {0.__class__} \\N{BELL}",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
)
"""What a model may answer: one of each trick that some reader of text falls for."""

LABELS = ("billing", "login")
NOT_THERE = "%3Cscript%3E%E2%80%AE%1B[31m"
PUSH = json.dumps({
    "event": {"action": "update", "scope": "repo.content"},
    "repo": {"type": "model", "name": "acme/router"},
    "updatedRefs": [{"ref": "refs/heads/main", "oldSha": "0", "newSha": NASTY[1]}],
}).encode()  # fmt: skip
MASK = "canary"
SECRETS = {
    "GW_KEY": "canary-key-1f83d9ab",
    "GW_HEADER": "canary-header-5be0cd19",
    "GW_REFERENCE": "canary-reference-6a09e667",
    "GW_CHALLENGER": "canary-challenger-510e527f",
    "GW_TOKEN": "canary-token-bb67ae85",
    "GW_MLFLOW": "canary-mlflow-9b05688c",
    "GW_HUB": "canary-hub-1f83d9ab",
    "GW_SIGN": "whsec_Y2FuYXJ5LXNpZ24tM2M2ZWYzNzI=",
    "GW_PAGER": "canarypagerduty0a54ff53a510e527f",
    "GW_SLACK_BOT": "xoxb-canary-9b05688c",
}
EXAMPLES = 24
CONFIG = """
version: 1
web:
  listen: "127.0.0.1:0"
  token_env: GW_TOKEN
  webhooks: {{mlflow_secret_env: GW_MLFLOW, huggingface_secret_env: GW_HUB}}
log: {{level: debug}}
targets:
  - name: router
    labels: {{team: support}}
    endpoint:
      kind: openai_chat
      base_url: {url}/v1
      model: tuned
      api_key_env: GW_KEY
      headers_env: {{X-Canary: GW_HEADER}}
    reference: {{kind: openai_chat, base_url: "{url}/v1", model: base, api_key_file: reference.key}}
    challengers: {{cheap: {{kind: openai_chat, base_url: "{url}/v1", model: cheap, api_key_env: GW_CHALLENGER}}}}
    deployments: {{huggingface: acme/router}}
    golden: golden.jsonl
    schedule: {{every: 366d}}
    baseline: {{runs: 3}}
    retries: 0
    bursts: false
    scorers:
      - {{kind: label, labels: [billing, login], min: 0.5}}
      - {{kind: exact_match, name: exact}}
notifiers:
  - {{name: slack, kind: slack, url_env: GW_SLACK_URL, texts: all}}
  - {{name: bot, kind: slack, token_env: GW_SLACK_BOT, channel: C012345, url: "{url}/bot", texts: all}}
  - {{name: hook, kind: webhook, url_file: hook.url, secret_env: GW_SIGN, texts: all}}
  - {{name: pager, kind: pagerduty, url: "{url}/pager", routing_key_env: GW_PAGER, texts: all}}
  - {{name: am, kind: alertmanager, url: "{url}/am", texts: all}}
"""


class Worst(ThreadingHTTPServer):
    """A model server and receiver of alerts. ``mode``: good, nasty, denied, elsewhere, echo."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode, self.elsewhere = "good", ""
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.thread.join(PATIENCE_S)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Worst
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def _answer(self, body: bytes) -> None:
        server = self.server
        server.seen.append((self.path, dict(self.headers), body))
        echo = " ".join([self.path, *self.headers.values()])
        if not self.path.startswith("/v1"):
            if server.mode == "denied":
                self._send(500, f"receiver broke: {echo} {body!r}".encode())
            else:
                self._send(200, b'{"ok": true, "ts": "1.2", "channel": "C012345", "status": "success"}')
        elif server.mode == "denied":
            self._send(401, json.dumps({"error": {"message": f"bad key: {echo} {NASTY[0]}"}}).encode())
        elif server.mode == "elsewhere":
            self._send(307, b"", {"Location": f"{server.elsewhere}/v1/steal?{echo.split()[0]}"})
        elif not body:
            self._send(200, json.dumps({"data": [{"id": "tuned", "root": f"{NASTY[0]} {echo}"}]}).encode())
        else:
            self._send(200, json.dumps(self._completion(json.loads(body), echo)).encode())

    def _completion(self, asked: Any, echo: str) -> Any:
        number = int(asked["messages"][-1]["content"].split()[1])
        said, served = LABELS[number % 2], "tuned"
        if asked["model"] == "base":
            said = f"This is about {LABELS[(number + 1) % 2]}."
        if self.server.mode != "good" and asked["model"] != "base":
            said = NASTY[number % len(NASTY)] if self.server.mode == "nasty" else f"{said} not {echo}"
            served = f"{NASTY[(number + 3) % len(NASTY)]} {echo}"
        return {
            "model": served,
            "system_fingerprint": served,
            "choices": [{"message": {"content": said}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2},
        }

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Watched:
    """Everything that came out: by name, as text; what receivers got; what another server got; the folder."""

    folder: Path
    shown: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    metrics: str = ""
    log: str = ""
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    elsewhere: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def command(self, name: str, *arguments: str) -> int:
        """Run a command here; what it wrote to either stream is kept."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.folder):
            code = cli.run(list(arguments))
        self.shown[name] = out.getvalue() + err.getvalue()
        assert code != 70, self.shown[name]
        return code


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Three healthy runs, a page, an echo, a refusal and a redirect; every command, page and message about them."""
    folder = tmp_path_factory.mktemp("worst")
    worst, other = Worst(), Worst()
    patch = pytest.MonkeyPatch()
    for name, value in SECRETS.items():
        patch.setenv(name, value)
    patch.setenv("GW_SLACK_URL", f"{worst.url}/services/canary-slack-84caa73b")
    patch.setenv("GITHUB_STEP_SUMMARY", str(folder / "step.md"))
    (folder / "reference.key").write_text(SECRETS["GW_REFERENCE"])
    (folder / "hook.url").write_text(f"{worst.url}/hook/canary-hook-fe72f36e")
    (folder / "goldwatch.yaml").write_text(CONFIG.format(url=worst.url))
    rows = [
        {"id": f"T-{n:02}", "input": f"Ticket {n}", "expected": LABELS[n % 2], "slices": {"lang": "de"}}
        for n in range(EXAMPLES)
    ]
    (folder / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    freeze(folder / "golden.jsonl", 1.0)
    made = Watched(folder)
    try:
        _watch(made, worst, other)
        made.received, made.elsewhere = worst.seen, other.seen
        yield made
    finally:
        patch.undo()
        worst.close()
        other.close()


def _watch(made: Watched, worst: Worst, other: Worst) -> None:
    worst.elsewhere = other.url
    for number in range(3):
        made.command(f"healthy {number}", "run")
    worst.mode = "nasty"
    assert made.command("run", "run", "--github", "--junit", "junit.xml") == 1
    for name, arguments in {
        "history": ("history", "router"),
        "history json": ("history", "router", "--json"),
        "explain": ("explain", "router"),
        "explain svg": ("explain", "router", "--svg", "explain.svg"),
        "baseline": ("baseline", "show", "router"),
        "compare": ("compare", "run:1", "run:4", "--golden", "golden.jsonl", "--github"),
        "doctor": ("doctor",),
        "export": ("export", "4", "-o", "bundle.zip"),
        "verify": ("verify", "bundle.zip"),
        "baseline export": ("baseline", "export", "router", "-o", "base.jsonl"),
        "backup": ("backup", "store.backup"),
    }.items():
        made.command(name, *arguments)
    worst.mode = "echo"
    made.command("run echo", "run")
    made.command("run json", "run", "--json")
    made.command("report", "report", "router", "--ask")
    made.command("report html", "report", "router", "--format", "html", "-o", "report.html")
    worst.mode = "elsewhere"
    made.command("run elsewhere", "run")
    worst.mode = "denied"
    made.command("run denied", "run")
    made.command("doctor denied", "doctor")
    made.command("drill", "drill", "router", "--fault", "labels", "--most", "1", "--yes")
    _serve(made)


def _serve(made: Watched) -> None:
    log = made.folder / "serve.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "-c", str(made.folder / "goldwatch.yaml")],
            stdout=stream,
            stderr=stream,
            env=dict(os.environ),
        )
    try:
        base = _address(log, process)
        runs = json.loads(_get(f"{base}/api/v1/targets/router/runs"))["runs"]
        alerts = json.loads(_get(f"{base}/api/v1/alerts"))["alerts"]
        paths = ["/", "/targets/router", "/targets/router/baseline", "/api/v1/targets", "/api/v1/alerts"]
        for run in runs:
            paths += [f"/runs/{run['run']}", f"/runs/{run['run']}/examples", f"/api/v1/runs/{run['run']}"]
        paths += [f"/alerts/{alert['id']}" for alert in alerts]
        made.pages = {path: _get(base + path) for path in paths}
        for path in (
            f"/targets/{NOT_THERE}",
            f"/{NOT_THERE}?{NOT_THERE}",
            f"/api/v1/targets/{NOT_THERE}",
            "/runs/0",
        ):
            made.pages[path] = _get(base + path, known=False)
        for secret in (SECRETS["GW_HUB"], "wrong"):
            sent = {"X-Webhook-Secret": secret, "Content-Type": "application/json"}
            path = "/api/v1/webhooks/huggingface"
            made.pages[f"{path} {secret[:5]}"] = _get(base + path, sent, PUSH, known=secret != "wrong")
        made.metrics = _get(f"{base}/metrics")
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
    made.log = log.read_text("utf-8")


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text("utf-8").splitlines():
            if '"url"' in line and (url := json.loads(line).get("url")):
                return str(url)
        time.sleep(0.05)
    pytest.fail(f"serve never said its address: {log.read_text('utf-8')}")


def _get(
    url: str, headers: dict[str, str] | None = None, body: bytes | None = None, *, known: bool = True
) -> str:
    """What is answered; where it is not ``known`` that is a refusal, with the headers that every answer has."""
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        assert (answer.status < 400, answer.status < 500) == (known, True), url
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
        return str(answer.read().decode())
