"""What did the model answer? Responses, saved in batches as they arrive.

A batch is one transaction. Saving the same answer again changes nothing, so that a run that was killed can be
resumed from what was saved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from checks.types import Response
from service.records import RunState
from service.store import packing, texts, values
from service.store.errors import NotRunningError, StoreError
from service.store.runs import Runs
from service.store.tables import GOLDEN, RESPONSE, RUN

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects.sqlite import Insert


class Responses(Runs):
    """Responses of runs."""

    def save_responses(self, run_id: int, responses: Sequence[Response]) -> None:
        """Save a batch of a running run; the first answer for an (example, repeat) stays.

        Raises:
            NotRunningError: the run is finished, or there is none of that id.
            StoreError: an example that the golden set does not have, or the disk is full, locked, ...
        """
        if not responses:
            return
        with self._write() as connection:
            query = select(RUN.c.state, RUN.c.started_at, RUN.c.golden_id).where(RUN.c.id == run_id)
            run = connection.execute(query.with_for_update(read=True)).one_or_none()
            if run is None or run.state != RunState.RUNNING.value:
                raise NotRunningError(f"run {run_id} is not running, so nothing can be added to it")
            positions = self._golden_positions(connection, run.golden_id)
            insert_responses(connection, self._insert, run_id, run.started_at, positions, responses)

    def responses(self, run_id: int) -> list[Response]:
        """A run's responses in golden order; none once retention has deleted them."""
        with self._read() as connection:
            return self._responses(connection, run_id)

    def answered_keys(self, run_id: int) -> set[tuple[str, int]]:
        """The (example id, repeat) that a run has a response or a final error for."""
        with self._read() as connection:
            names = self._names_of(connection, run_id)
            rows = connection.execute(
                select(RESPONSE.c.position, RESPONSE.c.repeat).where(RESPONSE.c.run_id == run_id)
            )
            return {(names[position], repeat) for position, repeat in rows}

    def response_texts(
        self, run_ids: Iterable[int], example_ids: Collection[str]
    ) -> dict[tuple[int, str], str]:
        """What runs answered to some examples, as (run id, example id) -> text of the first answered repeat.

        Unanswered and deleted ones are left out.
        """
        found: dict[tuple[int, str], str] = {}
        with self._read() as connection:
            for run_id in sorted(set(run_ids)):
                golden_id = connection.scalar(select(RUN.c.golden_id).where(RUN.c.id == run_id))
                if golden_id is None:
                    continue
                known = self._golden_positions(connection, golden_id)
                wanted = {known[name]: name for name in example_ids if name in known}
                numbers: dict[str, int] = {}
                for part in texts.chunks(sorted(wanted)):
                    rows = connection.execute(
                        select(RESPONSE.c.position, RESPONSE.c.text_id)
                        .where(
                            RESPONSE.c.run_id == run_id,
                            RESPONSE.c.position.in_(part),
                            RESPONSE.c.text_id.is_not(None),
                        )
                        .order_by(RESPONSE.c.position, RESPONSE.c.repeat)
                    )
                    for position, number in rows:
                        numbers.setdefault(wanted[position], number)
                said = texts.bodies(connection, numbers.values())
                found.update(((run_id, name), said[number]) for name, number in numbers.items())
        return found

    def _responses(self, connection: Connection, run_id: int) -> list[Response]:
        run = connection.execute(
            select(RUN.c.started_at, RUN.c.golden_id).where(RUN.c.id == run_id)
        ).one_or_none()
        if run is None:
            return []
        names = list(self._golden_positions(connection, run.golden_id))
        rows = connection.execute(
            select(RESPONSE)
            .where(RESPONSE.c.run_id == run_id)
            .order_by(RESPONSE.c.position, RESPONSE.c.repeat)
        ).all()
        numbers = {row.text_id for row in rows} | {row.detail_id for row in rows}
        said = texts.bodies(connection, numbers - {None})
        details = {number: json.loads(said[number]) for number in {row.detail_id for row in rows} - {None}}
        return [_response(row, names[row.position], run.started_at, said, details) for row in rows]

    def _names_of(self, connection: Connection, run_id: int) -> list[str]:
        query = select(GOLDEN.c.id).join(RUN, RUN.c.golden_id == GOLDEN.c.id).where(RUN.c.id == run_id)
        golden_id = connection.scalar(query)
        return [] if golden_id is None else list(self._golden_positions(connection, golden_id))


def insert_responses(
    connection: Connection,
    insert: Callable[[Table], Insert],
    run_id: int,
    started_at: float,
    positions: Mapping[str, int],
    responses: Sequence[Response],
) -> None:
    """Write response rows and the texts that they need."""
    unknown = sorted({r.example_id for r in responses if r.example_id not in positions})
    if unknown:
        listed = ", ".join(map(repr, unknown[:5]))
        raise StoreError(f"run {run_id}: its golden set has no example {listed}")
    texts.keep_texts(connection)
    details = [_detail(response) for response in responses]
    needed = {r.output for r in responses if r.output is not None} | {d for d in details if d is not None}
    numbers: dict[str | None, int | None] = {None: None}
    if needed:
        numbers.update(texts.intern(connection, insert, needed))
    rows = [
        {
            "run_id": run_id,
            "position": positions[r.example_id],
            "repeat": r.repeat,
            "text_id": numbers[r.output],
            "detail_id": numbers[detail],
            "at_us": None if r.at is None else round((r.at - started_at) * 1e6),
            "latency_us": _us(r.latency_s),
            "ttft_us": _us(r.ttft_s),
            "input_tokens": r.input_tokens,
            "output_tokens": r.output_tokens,
            "logprobs": None if r.logprobs is None else packing.pack_logprobs(r.logprobs),
        }
        for r, detail in zip(responses, details, strict=True)
    ]
    rows.sort(key=_key)
    connection.execute(insert(RESPONSE).on_conflict_do_nothing(), rows)


def _key(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["position"], row["repeat"]


def _detail(response: Response) -> str | None:
    row = values.response_detail(response)
    return json.dumps(row, separators=(",", ":")) if row else None


def _us(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e6)


def _s(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


def _response(
    row: Row[Any],
    name: str,
    started_at: float,
    said: Mapping[int, str],
    details: Mapping[int, Mapping[str, Any]],
) -> Response:
    detail: Mapping[str, Any] = {} if row.detail_id is None else details[row.detail_id]
    error = detail.get("error")
    return Response(
        example_id=name,
        output=None if row.text_id is None else said[row.text_id],
        error=None if error is None else values.to_error(error),
        repeat=row.repeat,
        at=None if row.at_us is None else started_at + row.at_us / 1e6,
        latency_s=_s(row.latency_us),
        ttft_s=_s(row.ttft_us),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        finish_reason=detail.get("finish_reason"),
        served_model=detail.get("served_model"),
        fingerprint=detail.get("fingerprint"),
        logprobs=None if row.logprobs is None else packing.unpack_logprobs(row.logprobs),
        attempts=detail.get("attempts", 1),
        cached_tokens=detail.get("cached_tokens"),
    )
