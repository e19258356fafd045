"""What was asked of the targets, what came back, and what it was found to be: the tables of runs and their judgement.

With them go what belongs to a target's history besides: baselines, marks of deployments, and totals.

A response row is lean, since there are many: no strings, no example ids (the golden set knows them by position), whole
microseconds, and numbers of texts that are stored once each.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, Text, UniqueConstraint, text
from sqlmodel import Field

from service.store.tables.base import Row, SafeText, table


class _Golden(Row, table=True):
    __tablename__ = "goldwatch_golden"
    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(sa_type=SafeText, unique=True)
    name: str = Field(sa_type=SafeText)
    version: int | None
    examples: int
    ids: bytes = Field(sa_type=LargeBinary)


class _Example(Row, table=True):
    """One content of an example, shared by the versions of a golden set."""

    __tablename__ = "goldwatch_example"
    id: int | None = Field(default=None, primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    content: bytes = Field(sa_type=LargeBinary)


class _GoldenExample(Row, table=True):
    __tablename__ = "goldwatch_golden_example"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)
    golden_id: int = Field(primary_key=True, foreign_key="goldwatch_golden.id")
    position: int = Field(primary_key=True)
    example_id: int = Field(foreign_key="goldwatch_example.id")


class _Run(Row, table=True):
    __tablename__ = "goldwatch_run"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("target", "scheduled_at"),
        Index(None, "target", "id"),
        Index(None, "target", "segment", "id"),
        Index(
            "ix_goldwatch_run_running",
            "target",
            sqlite_where=text("state = 'running'"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    kind: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    scheduled_at: float | None
    started_at: float
    finished_at: float | None
    golden_id: int = Field(foreign_key="goldwatch_golden.id")
    segment: str = Field(sa_type=SafeText)
    baseline_id: int | None = Field(foreign_key="goldwatch_baseline.id")
    share: float
    period_h: float
    repeats: int
    verdict: str | None = Field(sa_type=Text)
    reason: str | None = Field(sa_type=SafeText)
    measured: bool | None
    requests_ok: int = 0
    requests_failed: int = 0
    requests_retried: int = 0
    input_tokens: int | None = Field(sa_type=BigInteger)
    output_tokens: int | None = Field(sa_type=BigInteger)
    cost_usd: float | None
    served: bytes | None = Field(sa_type=LargeBinary)
    pruned: bool = False


class _Lease(Row, table=True):
    """Who makes a target's run now. One row per target: its key is what keeps runs from overlapping."""

    __tablename__ = "goldwatch_lease"
    target: str = Field(sa_type=SafeText, primary_key=True)
    run_id: int = Field(foreign_key="goldwatch_run.id")
    owner: str = Field(sa_type=SafeText)
    until: float


class _Text(Row, table=True):
    """One distinct text. No foreign key leads here: see ``texts.py``."""

    __tablename__ = "goldwatch_text"
    id: int | None = Field(default=None, primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    body: bytes = Field(sa_type=LargeBinary)


class _Response(Row, table=True):
    """``at_us`` counts from the run's start; ``detail_id`` is a text: what is rarely different."""

    __tablename__ = "goldwatch_response"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)
    run_id: int = Field(primary_key=True, foreign_key="goldwatch_run.id")
    position: int = Field(primary_key=True)
    repeat: int = Field(primary_key=True, sa_type=SmallInteger)
    text_id: int | None
    detail_id: int | None
    at_us: int | None = Field(sa_type=BigInteger)
    latency_us: int | None = Field(sa_type=BigInteger)
    ttft_us: int | None = Field(sa_type=BigInteger)
    input_tokens: int | None
    output_tokens: int | None
    logprobs: bytes | None = Field(sa_type=LargeBinary)


class _Judgement(Row, table=True):
    """What a finished run was found to be. Apart from the run, so that lists of runs stay small."""

    __tablename__ = "goldwatch_judgement"
    run_id: int = Field(primary_key=True, foreign_key="goldwatch_run.id")
    summaries: bytes = Field(sa_type=LargeBinary)
    findings: bytes = Field(sa_type=LargeBinary)
    answered: bytes | None = Field(sa_type=LargeBinary)
    latency: bytes | None = Field(sa_type=LargeBinary)
    observed: bytes | None = Field(sa_type=LargeBinary)
    headline: str | None = Field(sa_type=Text)


class _Vector(Row, table=True):
    """One scorer's scores of one run."""

    __tablename__ = "goldwatch_vector"
    run_id: int = Field(primary_key=True, foreign_key="goldwatch_run.id")
    ordinal: int = Field(primary_key=True, sa_type=SmallInteger)
    scorer: str = Field(sa_type=SafeText)
    scores: bytes = Field(sa_type=LargeBinary)
    reasons: bytes | None = Field(sa_type=LargeBinary)
    labels: bytes | None = Field(sa_type=LargeBinary)
    format_failures: bytes | None = Field(sa_type=LargeBinary)


class _Snapshot(Row, table=True):
    """A cached fold over a segment's history up to ``run_id``."""

    __tablename__ = "goldwatch_snapshot"
    target: str = Field(sa_type=SafeText, primary_key=True)
    segment: str = Field(sa_type=SafeText, primary_key=True)
    run_id: int
    body: bytes = Field(sa_type=LargeBinary)


class _Baseline(Row, table=True):
    __tablename__ = "goldwatch_baseline"
    __table_args__: ClassVar[Any] = (
        Index(
            "uq_goldwatch_baseline_in_force",
            "target",
            unique=True,
            sqlite_where=text("replaced_at IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    created_at: float
    reason: str | None = Field(sa_type=SafeText)
    from_run: int
    runs: str = Field(sa_type=Text)
    replaced_at: float | None


class _Lineage(Row, table=True):
    """Which segment a segment carries on, from which of its runs on; ``golden_id`` is the later one's golden set."""

    __tablename__ = "goldwatch_lineage"
    target: str = Field(sa_type=SafeText, primary_key=True)
    segment: str = Field(sa_type=SafeText, primary_key=True)
    parent: str = Field(sa_type=SafeText)
    from_run: int
    golden_id: int = Field(foreign_key="goldwatch_golden.id")


class _Diagnosis(Row, table=True):
    """What probably changed, as it was known when a bad run was judged."""

    __tablename__ = "goldwatch_diagnosis"
    run_id: int = Field(primary_key=True, foreign_key="goldwatch_run.id")
    body: bytes = Field(sa_type=LargeBinary)


class _Mark(Row, table=True):
    __tablename__ = "goldwatch_mark"
    __table_args__: ClassVar[Any] = (Index(None, "target", "at"),)
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    at: float
    version: str = Field(sa_type=SafeText)
    note: str | None = Field(sa_type=SafeText)


class _TargetState(Row, table=True):
    """The newest runs of a target, so that ``/metrics`` need not look for them."""

    __tablename__ = "goldwatch_target_state"
    target: str = Field(sa_type=SafeText, primary_key=True)
    last_run: int
    last_measured: int | None


class _Counter(Row, table=True):
    """Totals that never go down. ``subject`` is a target or a notifier, ``part`` a scorer or empty."""

    __tablename__ = "goldwatch_counter"
    name: str = Field(sa_type=Text, primary_key=True)
    subject: str = Field(sa_type=SafeText, primary_key=True)
    part: str = Field(sa_type=SafeText, primary_key=True)
    outcome: str = Field(sa_type=SafeText, primary_key=True)
    value: float


GOLDEN = table(_Golden)
EXAMPLE = table(_Example)
GOLDEN_EXAMPLE = table(_GoldenExample)
RUN = table(_Run)
LEASE = table(_Lease)
TEXT = table(_Text)
RESPONSE = table(_Response)
JUDGEMENT = table(_Judgement)
VECTOR = table(_Vector)
SNAPSHOT = table(_Snapshot)
BASELINE = table(_Baseline)
LINEAGE = table(_Lineage)
DIAGNOSIS = table(_Diagnosis)
MARK = table(_Mark)
TARGET_STATE = table(_TargetState)
COUNTER = table(_Counter)
