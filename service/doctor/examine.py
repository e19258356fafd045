"""In which order are the parts looked at? All that stays on this machine, the cost, and only then requests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from service.detectability import cards_for
from service.doctor import Diagnosis, Level, Part
from service.doctor.base_model import SAMPLE, look_at_base_model, sample_of
from service.doctor.channels import look_at_notifiers, send_tests
from service.doctor.local import endpoints_of, look_at_golden, look_at_scorers, look_at_secrets
from service.doctor.spending import look_at_cost, look_at_detectability
from service.doctor.storage import look_at_store
from service.errors import UserError

if TYPE_CHECKING:
    import httpx

    from checks.detectability import Card
    from service.config import Config, Target
    from service.records import Golden, RunRecord


async def examine(
    config: Config,
    targets: Sequence[Target],
    environ: Mapping[str, str],
    *,
    examples: int = SAMPLE,
    send_test: bool = False,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Diagnosis]:
    """Look at everything that the targets need.

    Args:
        config: a configuration that was loaded.
        targets: those to look at.
        environ: the environment's variables.
        examples: how many examples the target and its base model are compared on.
        send_test: whether every notifier is sent a test message.
        clock: seconds since 1970.
    """
    yield _configured(config, targets)
    for one in look_at_secrets(config, targets, environ):
        yield one
    goldens: dict[str, Golden] = {}
    for target in targets:
        one, golden = look_at_golden(target)
        yield one
        if golden is not None:
            goldens[target.name] = golden
            for scorer in look_at_scorers(target, golden):
                yield scorer
    one, store = look_at_store(config, environ)
    yield one
    last: dict[str, RunRecord | None] = {}
    found: dict[str, tuple[Card, ...]] = {}
    if store is not None:
        with store:
            try:
                last = {target.name: store.last_measured(target.name) for target in targets}
                for target in targets:
                    if (golden := goldens.get(target.name)) is not None:
                        found[target.name] = cards_for(config, target, golden, store=store, now=clock())
            except UserError as error:
                yield Diagnosis(Part.STORE, None, Level.FAILED, error.message, error.remedy)
    for target in targets:
        if (golden := goldens.get(target.name)) is None:
            why = "unknown: the golden set cannot be read"
            yield Diagnosis(Part.COST, target.name, Level.WARNING, why, "correct the golden set first")
        else:
            yield look_at_cost(target, golden, last.get(target.name), clock())
            known = found.get(target.name)
            if known is None:
                known = cards_for(config, target, golden, store=None, now=clock())
            for card in known or (None,):
                yield look_at_detectability(target, golden, card, last.get(target.name), clock())
    from service.http import client as open_client  # noqa: PLC0415  # heavy, and nothing was asked before

    async with open_client(max(target.concurrency for target in targets)) as client:
        for target in targets:
            async for one in _asked(client, target, goldens.get(target.name), examples):
                yield one
    channels = look_at_notifiers(config, targets)
    for one in channels:
        yield one
    if send_test:
        usable = {one.subject for one in channels if one.level is Level.OK}
        wanted = {notifier.name for target in targets for notifier in config.notifiers_of(target)}
        chosen = [n for n in config.notifiers if n.name in usable & wanted]
        for one in await send_tests(chosen, clock()):
            yield one


def _configured(config: Config, targets: Sequence[Target]) -> Diagnosis:
    names = ", ".join(target.name for target in targets[:10])
    more = f" and {len(targets) - 10} more" if len(targets) > 10 else ""
    where = config.path.name if config.path is not None else "the configuration"
    message = f"{where}: no faults; looking at {names}{more}"
    return Diagnosis(Part.CONFIG, None, Level.OK, message, facts={"digest": config.digest})


async def _asked(
    client: httpx.AsyncClient, target: Target, golden: Golden | None, examples: int
) -> AsyncIterator[Diagnosis]:
    """The target's endpoints; the comparison with its base model only where the endpoint itself answers."""
    from service.doctor.asking import ask_endpoint  # noqa: PLC0415  # heavy, and nothing was asked before

    example = next(iter(sample_of(golden, 1)), None) if golden is not None else None
    own = None
    answers = golden is not None
    for key, endpoint in endpoints_of(target).items():
        one, served = await ask_endpoint(
            client, endpoint, example, target=target.name, key=key, timeout_s=target.timeout_s
        )
        yield one
        if key == "endpoint":
            own = served
        if key in ("endpoint", "reference") and one.level is Level.FAILED:
            answers = False
    for scorer in target.scorers:
        if getattr(scorer, "asks", False):
            from service.doctor.judges import look_at_judge  # noqa: PLC0415  # only where one asks

            if (judge := await look_at_judge(client, target, scorer)) is not None:  # type: ignore[arg-type]  # it asks
                yield judge
    if golden is None or own is None or not answers:
        why = "not compared: an endpoint does not answer, or there is no golden set"
        yield Diagnosis(Part.BASE_MODEL, target.name, Level.WARNING, why, "correct what failed above first")
        return
    yield await look_at_base_model(client, target, golden, own, examples)
