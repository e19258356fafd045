"""What probably changed? Diagnoses of bad runs, and the base model's answers that they lean on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, delete, select

from checks.causes import Cause, Diagnosis
from service.records import BaseModelAnswers
from service.store import counters, packing
from service.store.database import Database
from service.store.tables import BASE_ANSWERS, DIAGNOSIS, RUN

_KEPT_S = 30 * 86_400.0


class Causes(Database):
    """Diagnoses by run, base answers by target."""

    def put_diagnosis(self, run_id: int, diagnosis: Diagnosis) -> None:
        """Keep what is thought of a run; a later thought replaces it."""
        body = packing.pack_json(_from_diagnosis(diagnosis))
        statement = self._insert(DIAGNOSIS).values(run_id=run_id, body=body)
        with self._write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=[DIAGNOSIS.c.run_id], set_={"body": body})
            )

    def diagnosis(self, run_id: int) -> Diagnosis | None:
        """What is thought of a run; None if nobody looked, as for a run that is not bad."""
        with self._read() as connection:
            body = connection.scalar(select(DIAGNOSIS.c.body).where(DIAGNOSIS.c.run_id == run_id))
        return None if body is None else _to_diagnosis(packing.unpack_json(body))

    def newest_diagnosis(self, target: str, first_run: int, last_run: int) -> Diagnosis | None:
        """The newest thought of a target's runs from one to another, as of an alert's runs; None if there is none."""
        query = (
            select(DIAGNOSIS.c.body)
            .join(RUN, RUN.c.id == DIAGNOSIS.c.run_id)
            .where(RUN.c.target == target, DIAGNOSIS.c.run_id >= first_run, DIAGNOSIS.c.run_id <= last_run)
            .order_by(DIAGNOSIS.c.run_id.desc())
            .limit(1)
        )
        with self._read() as connection:
            body = connection.scalar(query)
        return None if body is None else _to_diagnosis(packing.unpack_json(body))

    def put_base_answers(self, answers: BaseModelAnswers) -> None:
        """Keep what a target's base model answered. Its tokens and cost count in the target's totals and limits."""
        row = {
            "target": answers.target,
            "asked": answers.asked,
            "asked_at": answers.asked_at,
            "input_tokens": answers.input_tokens,
            "output_tokens": answers.output_tokens,
            "cost_usd": answers.cost_usd,
            "body": packing.pack_json({"name": answers.name, "texts": dict(answers.texts)}),
        }
        totals: dict[counters.Key, float] = {
            ("tokens", answers.target, "", "input"): answers.input_tokens or 0,
            ("tokens", answers.target, "", "output"): answers.output_tokens or 0,
        }
        if answers.cost_usd is not None:
            totals["cost", answers.target, "", "usd"] = answers.cost_usd
        old = (BASE_ANSWERS.c.target == answers.target, BASE_ANSWERS.c.asked_at < answers.asked_at - _KEPT_S)
        with self._write() as connection:
            connection.execute(delete(BASE_ANSWERS).where(*old))
            connection.execute(BASE_ANSWERS.insert().values(row))
            counters.add(connection, self._insert, totals)

    def base_answers(self, target: str, asked: str, *, all_kept: bool = False) -> list[BaseModelAnswers]:
        """The newest answers to that question, or all that are kept, newest first; empty if it was not asked lately."""
        query = select(BASE_ANSWERS).where(BASE_ANSWERS.c.target == target, BASE_ANSWERS.c.asked == asked)
        query = query.order_by(BASE_ANSWERS.c.asked_at.desc(), BASE_ANSWERS.c.id.desc())
        with self._read() as connection:
            rows = connection.execute(query if all_kept else query.limit(1)).all()
        return [_to_answers(row) for row in rows]


def _to_answers(row: Row[Any]) -> BaseModelAnswers:
    body = packing.unpack_json(row.body)
    return BaseModelAnswers(
        target=row.target,
        asked=row.asked,
        asked_at=row.asked_at,
        name=body["name"],
        texts=body["texts"],
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
    )


def _from_diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return asdict(diagnosis)


def _to_diagnosis(row: Mapping[str, Any]) -> Diagnosis:
    causes = tuple(Cause(**{**cause, "facts": tuple(cause["facts"])}) for cause in row["causes"])
    return Diagnosis(causes, tuple(row["looked_at"]), tuple(row["not_looked_at"]))
