"""What is kept, and in which shape? The tables; the only place that names columns.

Rows are not domain types: every method of the store takes and returns the frozen values of
``service/records.py``. All names begin with ``goldwatch_``, so that a database may be shared.

A response row is lean, since there are many: no strings, no example ids (the golden set knows them by
position), whole microseconds, and numbers of texts that are stored once each. Blobs are packed by
``packing.py``. After a change here: a new file in ``migrations/versions`` and a new ``HEAD`` in
``schema.py``; a test compares the two ways to the schema.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict
from sqlalchemy import (
    BigInteger,
    Dialect,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel


class SafeText(TypeDecorator[str]):
    """A text that any database takes: NUL and lone surrogates become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """What is written."""
        return None if value is None else clean(value)


def clean(value: str) -> str:
    r"""The text with what PostgreSQL cannot hold replaced by U+FFFD.

    >>> clean("a\x00b") == "a\ufffdb"
    True
    """
    if value.isascii() and "\x00" not in value:
        return value
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "\ufffd")


class _Row(SQLModel):
    # Rows are never validated, so start-up need not pay for it. SQLModel narrows the type.
    model_config = ConfigDict(defer_build=True)  # type: ignore[assignment]

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class _Golden(_Row, table=True):
    __tablename__ = "goldwatch_golden"
    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(sa_type=SafeText, unique=True)
    name: str = Field(sa_type=SafeText)
    version: int | None
    examples: int
    ids: bytes = Field(sa_type=LargeBinary)


class _Example(_Row, table=True):
    """One content of an example, shared by the versions of a golden set."""

    __tablename__ = "goldwatch_example"
    id: int | None = Field(default=None, primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    content: bytes = Field(sa_type=LargeBinary)


class _GoldenExample(_Row, table=True):
    __tablename__ = "goldwatch_golden_example"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)
    golden_id: int = Field(primary_key=True, foreign_key="goldwatch_golden.id")
    position: int = Field(primary_key=True)
    example_id: int = Field(foreign_key="goldwatch_example.id")


class _Run(_Row, table=True):
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


class _Lease(_Row, table=True):
    """Who makes a target's run now. One row per target: its key is what keeps runs from overlapping."""

    __tablename__ = "goldwatch_lease"
    target: str = Field(sa_type=SafeText, primary_key=True)
    run_id: int = Field(foreign_key="goldwatch_run.id")
    owner: str = Field(sa_type=SafeText)
    until: float


class _Text(_Row, table=True):
    """One distinct text. No foreign key leads here: see ``texts.py``."""

    __tablename__ = "goldwatch_text"
    id: int | None = Field(default=None, primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    body: bytes = Field(sa_type=LargeBinary)


class _Response(_Row, table=True):
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


class _Judgement(_Row, table=True):
    """What a finished run was found to be. Apart from the run, so that lists of runs stay small."""

    __tablename__ = "goldwatch_judgement"
    run_id: int = Field(primary_key=True, foreign_key="goldwatch_run.id")
    summaries: bytes = Field(sa_type=LargeBinary)
    findings: bytes = Field(sa_type=LargeBinary)
    answered: bytes | None = Field(sa_type=LargeBinary)
    latency: bytes | None = Field(sa_type=LargeBinary)
    observed: bytes | None = Field(sa_type=LargeBinary)
    headline: str | None = Field(sa_type=Text)


class _Vector(_Row, table=True):
    """One scorer's scores of one run."""

    __tablename__ = "goldwatch_vector"
    run_id: int = Field(primary_key=True, foreign_key="goldwatch_run.id")
    ordinal: int = Field(primary_key=True, sa_type=SmallInteger)
    scorer: str = Field(sa_type=SafeText)
    scores: bytes = Field(sa_type=LargeBinary)
    reasons: bytes | None = Field(sa_type=LargeBinary)
    labels: bytes | None = Field(sa_type=LargeBinary)
    format_failures: bytes | None = Field(sa_type=LargeBinary)


class _Snapshot(_Row, table=True):
    """A cached fold over a segment's history up to ``run_id``."""

    __tablename__ = "goldwatch_snapshot"
    target: str = Field(sa_type=SafeText, primary_key=True)
    segment: str = Field(sa_type=SafeText, primary_key=True)
    run_id: int
    body: bytes = Field(sa_type=LargeBinary)


class _Baseline(_Row, table=True):
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


class _Lineage(_Row, table=True):
    """Which segment a segment carries on, from which of its runs on; ``golden_id`` is the later one's golden set."""

    __tablename__ = "goldwatch_lineage"
    target: str = Field(sa_type=SafeText, primary_key=True)
    segment: str = Field(sa_type=SafeText, primary_key=True)
    parent: str = Field(sa_type=SafeText)
    from_run: int
    golden_id: int = Field(foreign_key="goldwatch_golden.id")


class _Alert(_Row, table=True):
    """The columns are what is asked for; ``body`` is the whole alert."""

    __tablename__ = "goldwatch_alert"
    __table_args__: ClassVar[Any] = (Index(None, "target", "opened_at"),)
    id: str = Field(sa_type=SafeText, primary_key=True)
    target: str = Field(sa_type=SafeText)
    state: str = Field(sa_type=Text)
    severity: str = Field(sa_type=SafeText)
    opened_at: float
    body: bytes = Field(sa_type=LargeBinary)


class _Outbox(_Row, table=True):
    __tablename__ = "goldwatch_outbox"
    __table_args__: ClassVar[Any] = (
        Index(
            "ix_goldwatch_outbox_due",
            "due_at",
            sqlite_where=text("state = 'pending'"),
        ),
    )
    id: str = Field(sa_type=SafeText, primary_key=True)
    alert_id: str = Field(sa_type=SafeText, foreign_key="goldwatch_alert.id", index=True)
    event: str = Field(sa_type=Text)
    notifier: str = Field(sa_type=SafeText)
    body: bytes = Field(sa_type=LargeBinary)
    created_at: float
    state: str = Field(sa_type=Text)
    attempts: int
    due_at: float | None
    done_at: float | None
    error: str | None = Field(sa_type=SafeText)
    owner: str | None = Field(sa_type=SafeText)
    lease_until: float | None


class _Acknowledgement(_Row, table=True):
    """Beside the alert, whose row is replaced by every run: neither overwrites the other."""

    __tablename__ = "goldwatch_acknowledgement"
    alert_id: str = Field(sa_type=SafeText, primary_key=True, foreign_key="goldwatch_alert.id")
    at: float
    by: str = Field(sa_type=SafeText)
    reason: str | None = Field(sa_type=SafeText)


class _Silence(_Row, table=True):
    """``alert_id`` is NULL where the whole target is silenced."""

    __tablename__ = "goldwatch_silence"
    __table_args__: ClassVar[Any] = (Index(None, "target", "until"),)
    id: str = Field(sa_type=SafeText, primary_key=True)
    target: str = Field(sa_type=SafeText)
    alert_id: str | None = Field(sa_type=SafeText, foreign_key="goldwatch_alert.id")
    created_at: float
    until: float
    by: str = Field(sa_type=SafeText)
    reason: str = Field(sa_type=SafeText)
    ended_at: float | None


class _Receipt(_Row, table=True):
    """What a notifier's receiver called the first message about an alert, so that later ones join it."""

    __tablename__ = "goldwatch_receipt"
    alert_id: str = Field(sa_type=SafeText, primary_key=True, foreign_key="goldwatch_alert.id")
    notifier: str = Field(sa_type=SafeText, primary_key=True)
    receipt: str = Field(sa_type=SafeText)


class _Mark(_Row, table=True):
    __tablename__ = "goldwatch_mark"
    __table_args__: ClassVar[Any] = (Index(None, "target", "at"),)
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    at: float
    version: str = Field(sa_type=SafeText)
    note: str | None = Field(sa_type=SafeText)


class _Diagnosis(_Row, table=True):
    """What probably changed, as it was known when a bad run was judged."""

    __tablename__ = "goldwatch_diagnosis"
    run_id: int = Field(primary_key=True, foreign_key="goldwatch_run.id")
    body: bytes = Field(sa_type=LargeBinary)


class _BaseAnswers(_Row, table=True):
    """What a target's base model answered. ``asked`` names whom it was asked of and what."""

    __tablename__ = "goldwatch_base_answers"
    __table_args__: ClassVar[Any] = (Index(None, "target", "asked_at"),)
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    asked: str = Field(sa_type=Text)
    asked_at: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    body: bytes = Field(sa_type=LargeBinary)


class _Comparison(_Row, table=True):
    """A challenger's answers beside a run of the tuned model. ``body`` is NULL until they are in."""

    __tablename__ = "goldwatch_comparison"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("target", "challenger", "tick"),
        Index(None, "target", "asked_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    challenger: str = Field(sa_type=SafeText)
    tick: int = Field(sa_type=BigInteger)
    asked: str = Field(sa_type=Text)
    asked_at: float
    run_id: int = Field(foreign_key="goldwatch_run.id")
    input_tokens: int | None = Field(sa_type=BigInteger)
    output_tokens: int | None = Field(sa_type=BigInteger)
    cost_usd: float | None
    body: bytes | None = Field(sa_type=LargeBinary)
    answers: bytes | None = Field(sa_type=LargeBinary)


class _Reply(_Row, table=True):
    """What a judge (or another model that a scorer asks) replied. ``asked`` names the model, ``key`` the text."""

    __tablename__ = "goldwatch_reply"
    __table_args__: ClassVar[Any] = (Index(None, "at"), {"sqlite_with_rowid": False})
    asked: str = Field(sa_type=Text, primary_key=True)
    key: bytes = Field(sa_type=LargeBinary, primary_key=True)
    at: float
    body: bytes = Field(sa_type=LargeBinary)


class _Unjudged(_Row, table=True):
    """What of a segment does not depend on its judges; where only they changed, stored answers are scored again."""

    __tablename__ = "goldwatch_unjudged"
    target: str = Field(sa_type=SafeText, primary_key=True)
    segment: str = Field(sa_type=SafeText, primary_key=True)
    rest: str = Field(sa_type=Text)


class _Asking(_Row, table=True):
    """What asking judges took lately, for the daily limits."""

    __tablename__ = "goldwatch_asking"
    __table_args__: ClassVar[Any] = (Index(None, "target", "asked_at"),)
    id: int | None = Field(default=None, primary_key=True)
    target: str = Field(sa_type=SafeText)
    asked_at: float
    input_tokens: int | None = Field(sa_type=BigInteger)
    output_tokens: int | None = Field(sa_type=BigInteger)
    cost_usd: float | None


class _Border(_Row, table=True):
    """The border prompts of a target. ``asked`` names the question and the baseline that they were found for."""

    __tablename__ = "goldwatch_border"
    target: str = Field(sa_type=SafeText, primary_key=True)
    asked: str = Field(sa_type=Text, primary_key=True)
    at: float
    body: bytes = Field(sa_type=LargeBinary)


class _Traffic(_Row, table=True):
    """How far the traffic of a target was read, the open window, and the kept fold over those that ended."""

    __tablename__ = "goldwatch_traffic"
    target: str = Field(sa_type=SafeText, primary_key=True)
    about: str = Field(sa_type=Text)
    began_at: float
    first: int
    number: int
    body: bytes = Field(sa_type=LargeBinary)
    state: bytes | None = Field(sa_type=LargeBinary)


class _TrafficWindow(_Row, table=True):
    """Counts over some time of traffic; no texts."""

    __tablename__ = "goldwatch_traffic_window"
    target: str = Field(sa_type=SafeText, primary_key=True)
    number: int = Field(primary_key=True)
    closed_at: float
    share: float
    period_h: float
    body: bytes = Field(sa_type=LargeBinary)


class _TrafficText(_Row, table=True):
    """A request that no golden example represents, where the configuration asks to keep such texts."""

    __tablename__ = "goldwatch_traffic_text"
    __table_args__: ClassVar[Any] = (Index(None, "target", "rank"),)
    target: str = Field(sa_type=SafeText, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    rank: float
    at: float
    body: bytes = Field(sa_type=LargeBinary)


class _Counter(_Row, table=True):
    """Totals that never go down. ``subject`` is a target or a notifier, ``part`` a scorer or empty."""

    __tablename__ = "goldwatch_counter"
    name: str = Field(sa_type=Text, primary_key=True)
    subject: str = Field(sa_type=SafeText, primary_key=True)
    part: str = Field(sa_type=SafeText, primary_key=True)
    outcome: str = Field(sa_type=SafeText, primary_key=True)
    value: float


class _TargetState(_Row, table=True):
    """The newest runs of a target, so that ``/metrics`` need not look for them."""

    __tablename__ = "goldwatch_target_state"
    target: str = Field(sa_type=SafeText, primary_key=True)
    last_run: int
    last_measured: int | None


class _Version(_Row, table=True):
    """The schema's revision, as Alembic keeps it."""

    __tablename__ = "goldwatch_version"
    version_num: str = Field(max_length=32, primary_key=True)


METADATA = _Row.metadata


def _table(row: type[_Row]) -> Table:
    table: Table = row.__table__  # type: ignore[attr-defined]  # SQLModel sets it
    return table


GOLDEN = _table(_Golden)
EXAMPLE = _table(_Example)
GOLDEN_EXAMPLE = _table(_GoldenExample)
RUN = _table(_Run)
LEASE = _table(_Lease)
TEXT = _table(_Text)
RESPONSE = _table(_Response)
JUDGEMENT = _table(_Judgement)
VECTOR = _table(_Vector)
SNAPSHOT = _table(_Snapshot)
BASELINE = _table(_Baseline)
LINEAGE = _table(_Lineage)
ALERT = _table(_Alert)
OUTBOX = _table(_Outbox)
ACKNOWLEDGEMENT = _table(_Acknowledgement)
SILENCE = _table(_Silence)
RECEIPT = _table(_Receipt)
MARK = _table(_Mark)
DIAGNOSIS = _table(_Diagnosis)
BASE_ANSWERS = _table(_BaseAnswers)
COMPARISON = _table(_Comparison)
REPLY = _table(_Reply)
UNJUDGED = _table(_Unjudged)
ASKING = _table(_Asking)
BORDER = _table(_Border)
TRAFFIC = _table(_Traffic)
TRAFFIC_WINDOW = _table(_TrafficWindow)
TRAFFIC_TEXT = _table(_TrafficText)
COUNTER = _table(_Counter)
TARGET_STATE = _table(_TargetState)
VERSION = _table(_Version)


def speak_postgresql() -> None:
    """Give the partial indexes their condition on PostgreSQL too.

    Named where the tables are, it would load that dialect on SQLite as well: 5 MB of an idle daemon.
    """
    for table in METADATA.tables.values():
        for index in table.indexes:
            condition = index.dialect_options["sqlite"]["where"]
            if condition is not None:
                index.dialect_kwargs["postgresql_where"] = condition
