"""A target whose answers are judged by a model of its own, over HTTP, on a clock of its own."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from contextlib import asynccontextmanager, contextmanager

from service.alerting import AlertState
from service.config import load
from service.demo.endpoint import DemoEndpoint
from service.demo.loopback import LoopbackServer, Reply
from service.demo.model import GOLDEN
from service.golden import freeze
from service.pipeline import Shell, run_target
from service.store import Store

LABELS = ("billing", "login", "shipping", "bug", "refund")
CONFIG = """
version: 1
targets:
  - name: router
    endpoint:
      kind: openai_chat
      base_url: {url}
      model: ticket-router
      system: Route the ticket.
      params: {{temperature: 0, max_tokens: 16}}
    golden: golden.jsonl
    retries: 0
    baseline: {{runs: 3}}
    bursts: false
    scorers:
      - kind: judge
        endpoint: {{kind: openai_chat, base_url: "{judge}", model: judge}}
        {anchors}
        {version}
{more}
"""


class JudgeServer(LoopbackServer):
    """Says yes where the answer to grade is the reference answer. ``strict``: no wherever the reference is billing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.strict = self.down = False
        self.version = "judge-1"

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    async def respond(self, scope, body, send):
        if self.down:
            await Reply.of(503, {"error": {"message": "overloaded"}}).send(send)
            return
        if scope["method"] != "POST":
            await Reply.of(404, {}).send(send)
            return
        text = json.loads(body)["messages"][-1]["content"]
        self.asked.append(text)
        _, wanted, given = re.findall(r"^=== .*\n([^=]*)", text, re.MULTILINE) or ("", "", "?")
        given, wanted = given.strip(), wanted.strip()
        right = given == wanted and not (self.strict and wanted == "billing")
        message = {"role": "assistant", "content": "Yes." if right else "No."}
        usage = {"prompt_tokens": 10, "completion_tokens": 1}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        await Reply.of(200, {"model": self.version, "choices": [choice], "usage": usage}).send(send)


class Bench:
    """A watch over the demo's endpoint with a judge, on a clock of its own."""

    def __init__(self, folder, endpoint, judge, more, anchored) -> None:
        self.folder, self.endpoint, self.judge, self.now = folder, endpoint, judge, 1_700_000_000.0
        self.anchored = anchored
        self.configure(more)
        self.store = Store.open(f"sqlite:///{folder / 'goldwatch.db'}")

    def configure(self, more: str = "", version: str = "") -> None:
        anchors = "anchors: anchors.jsonl" if self.anchored else ""
        path = self.folder / "goldwatch.yaml"
        path.write_text(
            CONFIG.format(
                url=self.endpoint.url, judge=self.judge.url, more=more, version=version, anchors=anchors
            )
        )
        self.config = load(path)

    async def hour(self):
        shell = Shell(self.store, self.config, clock=lambda: self.now)
        runs = await run_target(shell, self.config.targets[0])
        self.now += 3600
        return runs

    def went_on(self, folder):
        """The same watch, of the same servers as they were at first, from a copy of what is stored."""
        self.store.close()
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        self.endpoint.restore()
        self.judge.strict = self.judge.down = False
        self.judge.version = "judge-1"
        self.judge.asked.clear()
        bench = Bench(folder, self.endpoint, self.judge, "", self.anchored)
        bench.now = self.now
        return bench

    def firing(self):
        return {alert.kind: alert for alert in self.store.alerts("router", AlertState.FIRING)}


@asynccontextmanager
async def judged(folder, more: str = "", *, endpoint: DemoEndpoint | None = None, anchored: bool = True):
    """A target of 60 tickets with a judge and 20 anchors: 10 right answers and 10 wrong ones."""
    async with endpoint or DemoEndpoint(latency_s=0.0) as endpoint, JudgeServer() as judge:
        tickets = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
        golden = folder / "golden.jsonl"
        golden.write_text("".join(json.dumps(t) + "\n" for t in tickets[:60]))
        freeze(golden, 1_700_000_000.0)
        anchors = []
        for i, ticket in enumerate(tickets[60:80]):
            wrong = next(label for label in LABELS if label != ticket["expected"])
            said = ticket["expected"] if i % 2 else wrong
            anchors.append(
                {
                    "id": f"a{i}",
                    "input": ticket["input"],
                    "expected": ticket["expected"],
                    "output": said,
                    "score": i % 2,
                }
            )
        (folder / "anchors.jsonl").write_text("".join(json.dumps(a) + "\n" for a in anchors))
        bench = Bench(folder, endpoint, judge, more, anchored)
        try:
            yield bench
        finally:
            bench.store.close()


@contextmanager
def quiet_hours(folder, hours: int = 5, *, endpoint: DemoEndpoint | None = None, anchored: bool = True):
    """A function ``go_on(story, folder)``: each story begins after the same healthy hours, which are watched once."""
    with asyncio.Runner() as runner:
        watch = judged(folder, endpoint=endpoint, anchored=anchored)
        bench = runner.run(watch.__aenter__())

        async def told() -> None:
            for _ in range(hours):
                await bench.hour()

        async def going_on(story, into) -> None:
            copied = bench.went_on(into)
            try:
                await story(copied)
            finally:
                copied.store.close()

        try:
            runner.run(told())
            yield lambda story, into: runner.run(going_on(story, into))
        finally:
            runner.run(watch.__aexit__(None, None, None))
