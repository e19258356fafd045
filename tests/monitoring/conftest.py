"""A real watch of a real endpoint that breaks; a real Prometheus, a real Alertmanager, a webhook, a vLLM exporter."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.demo.endpoint import DemoEndpoint
from service.demo.model import GOLDEN, LABELS
from service.golden import freeze

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"
PATIENCE_S = 150.0


def need(program: str, package: str) -> str:
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed (Debian: {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def eventually(ask: Callable[[], Any], what: str | Callable[[], Any]) -> Any:
    """The first true answer of another process; fails after ``PATIENCE_S``, with ``what`` is missing."""
    until, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while time.monotonic() < until:
        try:
            if found := ask():
                return found
        except httpx.HTTPError:
            pass
        pause.wait(0.05)
    return pytest.fail(f"never came: {what() if callable(what) else what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Endpoint:
    """A ``DemoEndpoint`` in a thread of its own."""

    def __init__(self) -> None:
        self.real = DemoEndpoint(latency_s=0.0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self.real.start())
        self.url = self.real.url

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def close(self) -> None:
        self._do(self.real.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


class Local(ThreadingHTTPServer):
    """Keeps what is posted; answers each GET with what ``page`` says."""

    daemon_threads = True

    def __init__(self, page: Callable[[], str] = str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page, self.posted = page, list[Any]()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join(PATIENCE_S)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Local

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(b"{}")

    def do_GET(self) -> None:
        self._answer(self.server.page().encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def vllm_page() -> str:
    """vLLM's names and labels, with counters that rise."""
    seen, model = time.time() % 1e6 * 10, 'model_name="router",engine="0"'
    adapters = 'max_lora="4",running_lora_adapters="router",waiting_lora_adapters=""'
    lines = [
        f"vllm:num_requests_running{{{model}}} 3",
        f"vllm:num_requests_waiting{{{model}}} 0",
        f"vllm:kv_cache_usage_perc{{{model}}} 0.25",
        f"vllm:lora_requests_info{{{adapters}}} {time.time()}",
        f'vllm:request_success_total{{{model},finished_reason="stop"}} {seen}',
    ]
    for name in ("vllm:time_to_first_token_seconds", "vllm:e2e_request_latency_seconds"):
        lines += [f'{name}_bucket{{{model},le="{bound}"}} {seen}' for bound in ("0.1", "1.0", "+Inf")]
    return "\n".join(lines) + "\n"


def anchors() -> Iterator[str]:
    """Twelve right answers and twelve wrong ones, as people scored them."""
    for number, line in enumerate(Path(GOLDEN).read_text("utf-8").splitlines()[:24]):
        example = json.loads(line)
        wrong = next(label for label in LABELS if label != example["expected"])
        right = number % 2 == 0
        anchor = {"output": example["expected"] if right else wrong, "score": float(right)}
        yield json.dumps({"id": example["id"], "input": example["input"], **anchor}) + "\n"


@dataclass
class Watch:
    """Everything that runs, and how to ask it."""

    folder: Path
    endpoint: Endpoint
    hook: Local
    vllm: Local
    judge: Endpoint
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    goldwatch: str = ""
    prometheus: str = ""
    alertmanager: str = ""

    def spawn(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        return process

    def query(self, expr: str) -> list[dict[str, Any]]:
        """What Prometheus answers; its own words where the query is wrong."""
        answer = httpx.post(f"{self.prometheus}/api/v1/query", data={"query": expr}).json()
        assert answer["status"] == "success", f"{expr}: {answer['error']}"
        return list(answer["data"]["result"])

    def serve(self, owner: str, notifiers: list[Any]) -> None:
        config = {
            "version": 1,
            "web": {"listen": f"127.0.0.1:{free_port()}", "external_url": "http://goldwatch.example:9790"},
            "alerting": {"owner": owner},
            "notifiers": notifiers,
            "targets": [
                {
                    "name": "router",
                    "labels": {"team": "support-ml"},
                    "severity": "critical",
                    "endpoint": {
                        "kind": "openai_chat", "base_url": self.endpoint.url, "model": "ticket-router",
                        "system": "Route the ticket.", "params": {"temperature": 0, "max_tokens": 16},
                        "stream": True, "logprobs": True, "price": {"input_per_mtok": 3, "output_per_mtok": 9},
                    },
                    "reference": {"kind": "openai_chat", "base_url": self.endpoint.url, "model": "base"},
                    "challengers": {
                        "base-prompted": {
                            "kind": "openai_chat", "base_url": self.endpoint.url, "model": "base",
                            "system": "Route the ticket.", "price": {"input_per_mtok": 3, "output_per_mtok": 9},
                        },
                    },
                    "promises": {"latency_p95": "30s", "ttft_p95": "30s", "usd_per_1000_requests": 1000},
                    "retires_on": "2100-01-01",
                    "traffic": {"window": "1d"},
                    "golden": "golden.jsonl",
                    "schedule": {"every": "1s"},
                    "limits": {"tokens_per_day": 10_000_000, "usd_per_day": 1_000_000},
                    "baseline": {"runs": 3},
                    "scorers": [
                        {"kind": "label", "labels": list(LABELS)},
                        {
                            "kind": "judge", "anchors": "anchors.jsonl", "prompt": "{input}", "otherwise": 0,
                            "verdicts": {"{output}": 1},
                            "endpoint": {"kind": "openai_chat", "base_url": self.judge.url, "model": "base"},
                        },
                    ],
                },
                {
                    "name": "untuned",
                    "endpoint": {
                        "kind": "openai_chat", "base_url": self.endpoint.url, "model": "base",
                        "system": "Route the ticket.", "params": {"temperature": 0, "max_tokens": 16},
                    },
                    "identity": {"border_prompts": 8},
                    "golden": "golden.jsonl",
                    "schedule": {"every": "5s"},
                    "baseline": {"runs": 3},
                    "scorers": [{"kind": "label", "labels": list(LABELS)}],
                },
            ],
        }  # fmt: skip
        (self.folder / "goldwatch.yaml").write_text(json.dumps(config), "utf-8")
        (self.folder / "anchors.jsonl").write_text("".join(anchors()), "utf-8")
        self.goldwatch = f"http://{config['web']['listen']}"  # type: ignore[index]
        self.spawn("goldwatch", sys.executable, "-m", "service", "serve", "-c", "goldwatch.yaml")
        eventually(lambda: httpx.get(f"{self.goldwatch}/readyz").is_success, "a goldwatch that is ready")

    def alert(self, group_wait: str = "50ms") -> None:
        """Start Alertmanager, which posts to the hook."""
        (self.folder / "alertmanager.yml").write_text(
            f"route: {{receiver: hook, group_by: [alertname, target], group_wait: {group_wait}, group_interval: 1s}}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{self.hook.url}/'}}]}}]\n"
        )
        address = f"127.0.0.1:{free_port()}"
        self.alertmanager = f"http://{address}"
        self.spawn(
            "alertmanager", need("prometheus-alertmanager", "prometheus-alertmanager"),
            "--config.file=alertmanager.yml", "--storage.path=alertmanager", f"--web.listen-address={address}",
            "--cluster.listen-address=",
        )  # fmt: skip
        eventually(lambda: httpx.get(f"{self.alertmanager}/-/ready").is_success, "a ready Alertmanager")

    def scrape(self) -> None:
        """Start Prometheus on goldwatch and vLLM, with the shipped rules."""
        jobs = {"goldwatch": self.goldwatch, "vllm": self.vllm.url}
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "250ms"},
            "rule_files": [str(RULES)],
            "alerting": {"alertmanagers": [_static(self.alertmanager)]},
            "scrape_configs": [{"job_name": name, **_static(url)} for name, url in jobs.items()],
        }
        (self.folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")
        address = f"127.0.0.1:{free_port()}"
        self.prometheus = f"http://{address}"
        self.spawn(
            "prometheus", need("prometheus", "prometheus"), "--config.file=prometheus.yml",
            "--storage.tsdb.path=tsdb", f"--web.listen-address={address}",
        )  # fmt: skip
        eventually(lambda: httpx.get(f"{self.prometheus}/-/ready").is_success, "a ready Prometheus")

    def post(self, path: str, body: Any) -> httpx.Response:
        """Ask goldwatch's API for a change."""
        return httpx.post(f"{self.goldwatch}/api/v1{path}", json=body)

    def compare(self) -> None:
        """Ask the challenger beside the last measured run."""
        command = (sys.executable, "-m", "service", "report", "router", "--ask", "-c", "goldwatch.yaml")
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=PATIENCE_S)

    def production(self, days: int = 20, each: int = 40) -> None:
        """Some weeks of production traffic, posted as it came."""
        texts = [json.loads(line)["input"] for line in Path(GOLDEN).read_text("utf-8").splitlines()]
        for day in range(days, -1, -1):
            at = time.time() - day * 86_400
            samples = [
                {"input": texts[(day + 3 * n) % len(texts)], "output": "billing", "at": at + n}
                for n in range(each)
            ]
            answer = self.post("/targets/router/samples", {"samples": samples})
            assert answer.is_success, answer.text

    def learnt(self) -> None:
        """Wait until the target is judged and found well."""

        def verdicts() -> Any:
            page = httpx.get(f"{self.goldwatch}/metrics").text
            return re.search(r'goldwatch_runs_total\{target="router",verdict="ok"\} [1-9]', page)

        eventually(verdicts, "a run that is ok")

    def evaluated_at(self) -> str:
        """When Prometheus last looked at the rules about targets."""
        groups = httpx.get(f"{self.prometheus}/api/v1/rules").raise_for_status().json()["data"]["groups"]
        return str(next(g["lastEvaluation"] for g in groups if g["name"] == "goldwatch-targets"))

    def told(self, status: str) -> list[dict[str, Any]]:
        """The alerts of that status that the hook was posted."""
        return [a for post in self.hook.posted for a in post["alerts"] if a["status"] == status]

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for part in (self.endpoint, self.judge, self.hook, self.vllm):
            part.close()


def _static(url: str) -> dict[str, Any]:
    return {"static_configs": [{"targets": [url.removeprefix("http://")]}]}


@pytest.fixture
def make_watch(tmp_path: Path) -> Iterator[Callable[[], Watch]]:
    """Parts that are stopped at the end; what runs on them is the test's choice."""
    made: list[Watch] = []

    def make() -> Watch:
        every = [json.loads(line) for line in Path(GOLDEN).read_text("utf-8").splitlines()]
        german = [e for e in every if e["slices"]["lang"] == "de"][
            :48
        ]  # here the base model answers otherwise
        examples = [*german, *[e for e in every if e["slices"]["lang"] == "en"][:12]]
        for n, example in enumerate(examples):
            example |= {"origin": ("train", "novel")[n % 2], "as_of": f"2026-{1 + n % 12:02}-01"}
        lines = [json.dumps(example) + "\n" for example in examples]
        (tmp_path / "golden.jsonl").write_text("".join(lines), "utf-8")
        freeze(tmp_path / "golden.jsonl", time.time())
        made.append(Watch(tmp_path, Endpoint(), Local(), Local(vllm_page), Endpoint()))
        return made[0]

    yield make
    for watch in made:
        watch.close()


@pytest.fixture
def until() -> Callable[[Callable[[], Any], str], Any]:
    return eventually
