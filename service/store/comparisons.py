"""What did the challengers answer beside the tuned model? Comparisons by target, claimed before they are asked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import Row, delete, select, update

from checks.types import FloatArray
from service.records import Comparison, ComparisonClaim, ComparisonSide
from service.store import counters, packing
from service.store.database import Database
from service.store.tables import COMPARISON


class Comparisons(Database):
    """Each challenger's scores beside those of a run of the target; never part of the target's history."""

    def claim_comparison(self, claim: ComparisonClaim, *, stale_s: float) -> bool:
        """Take it upon this process to ask a challenger; False where that is done, or another process is at it.

        A claim that nobody has filled for ``stale_s`` is taken over.
        """
        row = {
            "target": claim.target,
            "challenger": claim.challenger,
            "tick": claim.tick,
            "asked": claim.asked,
            "asked_at": claim.asked_at,
            "run_id": claim.run_id,
        }
        statement = self._insert(COMPARISON).values(row)
        taken = statement.on_conflict_do_update(
            index_elements=[COMPARISON.c.target, COMPARISON.c.challenger, COMPARISON.c.tick],
            set_={name: row[name] for name in ("asked", "asked_at", "run_id")},
            where=COMPARISON.c.body.is_(None) & (COMPARISON.c.asked_at < claim.asked_at - stale_s),
        )
        with self._write() as connection:
            return bool(connection.execute(taken).rowcount == 1)

    def drop_comparison(self, claim: ComparisonClaim) -> None:
        """Give a claim back that was not filled, so that it can be asked later."""
        with self._write() as connection:
            connection.execute(delete(COMPARISON).where(*_is(claim), COMPARISON.c.body.is_(None)))

    def put_comparison(self, comparison: Comparison) -> None:
        """Fill a claim. What the challenger took counts in the target's totals and limits."""
        claim, other = comparison.claim, comparison.other
        body = {"scorer": comparison.scorer, "tuned": _packed(comparison.tuned), "other": _packed(other)}
        usage = other.usage
        totals: dict[counters.Key, float] = {
            ("tokens", claim.target, "", "input"): usage.input_tokens or 0,
            ("tokens", claim.target, "", "output"): usage.output_tokens or 0,
        }
        if comparison.cost_usd is not None:
            totals["cost", claim.target, "", "usd"] = comparison.cost_usd
        filled = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": comparison.cost_usd,
            "body": packing.pack_json(body),
            "answers": packing.pack_json({key: list(texts) for key, texts in comparison.texts.items()}),
        }
        unfilled = (*_is(claim), COMPARISON.c.asked_at == claim.asked_at, COMPARISON.c.body.is_(None))
        with self._write() as connection:
            if connection.execute(update(COMPARISON).where(*unfilled).values(filled)).rowcount:
                counters.add(connection, self._insert, totals)

    def comparisons(self, target: str, challenger: str, asked: str | None = None) -> list[Comparison]:
        """Those that are in, oldest first: all, or those of the same two models and the same golden set."""
        query = select(COMPARISON).where(
            COMPARISON.c.target == target,
            COMPARISON.c.challenger == challenger,
            COMPARISON.c.body.is_not(None),
        )
        if asked is not None:
            query = query.where(COMPARISON.c.asked == asked)
        with self._read() as connection:
            rows = connection.execute(query.order_by(COMPARISON.c.asked_at, COMPARISON.c.id)).all()
        return [_comparison(row) for row in rows]


def _is(claim: ComparisonClaim) -> tuple[Any, ...]:
    return (
        COMPARISON.c.target == claim.target,
        COMPARISON.c.challenger == claim.challenger,
        COMPARISON.c.tick == claim.tick,
    )


def _packed(side: ComparisonSide) -> dict[str, Any]:
    return {
        "scores": _listed(side.scores),
        "latency_s": _listed(side.latency_s),
        "usage": asdict(side.usage),
    }


def _listed(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _comparison(row: Row[Any]) -> Comparison:
    body = packing.unpack_json(row.body)
    return Comparison(
        claim=ComparisonClaim(row.target, row.challenger, row.tick, row.asked, row.asked_at, row.run_id),
        scorer=body["scorer"],
        tuned=_side(body["tuned"]),
        other=_side(body["other"]),
        texts={} if row.answers is None else packing.unpack_json(row.answers),
        cost_usd=row.cost_usd,
    )


def _side(body: dict[str, Any]) -> ComparisonSide:
    from checks.worth import Usage  # noqa: PLC0415  # heavy, and only reports need it

    scores, latency_s = (np.array(body[name], dtype=float) for name in ("scores", "latency_s"))
    return ComparisonSide(scores, latency_s, Usage(**body["usage"]))
