"""Where does the demo show its metrics and pages? The daemon's own web application, on a loopback port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from service.config import Config
from service.demo.loopback import LoopbackServer, Receive, Reply, Scope, Send
from service.errors import UserError
from service.facts import TargetFacts
from service.records import BaselineRecord, RunKind

Application = Callable[[Scope, Receive, Send], Awaitable[Any]]


class DemoFacts:
    """What metrics and pages know of the demo's configuration; see :class:`service.facts.Facts`.

    ``run`` starts a replay when a page asks for one; None while the story is being told.
    """

    token: str | None = None

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._config, self._clock = config, clock
        self.external_url = config.web.external_url
        self.show_texts = config.web.show_texts
        self.slices = config.metrics.slices
        self.run: Callable[[], bool] | None = None

    def now(self) -> float:
        """The demo's time, in seconds since 1970."""
        return self._clock()

    def targets(self) -> Sequence[TargetFacts]:
        """The targets as they are configured."""
        return [
            TargetFacts(
                name=target.name,
                severity=target.severity,
                labels=target.labels,
                kind=target.endpoint.kind,
                url=target.endpoint.url,
                model=target.endpoint.model_name,
                reference=target.reference.model_name if target.reference is not None else None,
                schedule="each replay stands for an hour",
                interval_s=target.schedule.every_s,
                baseline_runs=target.baseline.runs,
                floors={s.scorer_name: s.min for s in target.scorers if s.min is not None},
                promises=target.promises.limits,
                pager=self._config.alerting.owner,
            )
            for target in self._config.targets
        ]

    def next_run_at(self, _target: str, /) -> float | None:
        """Unknown: the demo replays when its story does."""
        return None

    def reload_successful(self) -> bool | None:
        """The configuration was read."""
        return True

    def finds(self, _target: str, /) -> Sequence[str]:
        """Nothing: the demo's story is told in hours that are no hours."""
        return ()

    def accept_baseline(self, _target: str, _reason: str, /) -> BaselineRecord:
        """Refuse: the story is about the one baseline that it began with."""
        raise UserError(
            "the demo keeps the baseline that it began with", "watch a model of your own: goldwatch init"
        )

    async def request_run(self, _target: str, _kind: RunKind, /) -> bool:
        """Replay once more, if the story has been told and no replay is under way."""
        return self.run is not None and self.run()


class WebServer(LoopbackServer):
    """Serves an application that is given once it can be made; until then it answers 503."""

    application: Application | None = None

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.application is None:
            await Reply.of(503, {"detail": "starting"}).send(send)
            return
        await self.application(scope, receive, send)
