"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "goldwatch_alert",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_alert"),
    )
    op.create_index("ix_goldwatch_alert_target_opened_at", "goldwatch_alert", ["target", "opened_at"])

    op.create_table(
        "goldwatch_baseline",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("from_run", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_baseline"),
    )
    op.create_index(
        "uq_goldwatch_baseline_in_force",
        "goldwatch_baseline",
        ["target"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )

    op.create_table(
        "goldwatch_counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "subject", "part", "outcome", name="pk_goldwatch_counter"),
    )
    op.create_table(
        "goldwatch_example",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_example"),
        sa.UniqueConstraint("digest", name="uq_goldwatch_example_digest"),
    )
    op.create_table(
        "goldwatch_golden",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_golden"),
        sa.UniqueConstraint("digest", name="uq_goldwatch_golden_digest"),
    )
    op.create_table(
        "goldwatch_mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_mark"),
    )
    op.create_index("ix_goldwatch_mark_target_at", "goldwatch_mark", ["target", "at"])

    op.create_table(
        "goldwatch_snapshot",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target", "segment", name="pk_goldwatch_snapshot"),
    )
    op.create_table(
        "goldwatch_target_state",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("last_run", sa.Integer(), nullable=False),
        sa.Column("last_measured", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("target", name="pk_goldwatch_target_state"),
    )
    op.create_table(
        "goldwatch_text",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_text"),
        sa.UniqueConstraint("digest", name="uq_goldwatch_text_digest"),
    )
    op.create_table(
        "goldwatch_golden_example",
        sa.Column("golden_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["example_id"], ["goldwatch_example.id"], name="fk_goldwatch_golden_example_example_id"
        ),
        sa.ForeignKeyConstraint(
            ["golden_id"], ["goldwatch_golden.id"], name="fk_goldwatch_golden_example_golden_id"
        ),
        sa.PrimaryKeyConstraint("golden_id", "position", name="pk_goldwatch_golden_example"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goldwatch_outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=True),
        sa.Column("done_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["goldwatch_alert.id"], name="fk_goldwatch_outbox_alert_id"),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_outbox"),
    )
    op.create_index("ix_goldwatch_outbox_alert_id", "goldwatch_outbox", ["alert_id"])
    op.create_index(
        "ix_goldwatch_outbox_due",
        "goldwatch_outbox",
        ["due_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )

    op.create_table(
        "goldwatch_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("scheduled_at", sa.Float(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column("golden_id", sa.Integer(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=True),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("period_h", sa.Float(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("measured", sa.Boolean(), nullable=True),
        sa.Column("requests_ok", sa.Integer(), nullable=False),
        sa.Column("requests_failed", sa.Integer(), nullable=False),
        sa.Column("requests_retried", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("served", sa.LargeBinary(), nullable=True),
        sa.Column("pruned", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["baseline_id"], ["goldwatch_baseline.id"], name="fk_goldwatch_run_baseline_id"
        ),
        sa.ForeignKeyConstraint(["golden_id"], ["goldwatch_golden.id"], name="fk_goldwatch_run_golden_id"),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_run"),
        sa.UniqueConstraint("target", "scheduled_at", name="uq_goldwatch_run_target_scheduled_at"),
    )
    op.create_index(
        "ix_goldwatch_run_running",
        "goldwatch_run",
        ["target"],
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index("ix_goldwatch_run_target_id", "goldwatch_run", ["target", "id"])
    op.create_index("ix_goldwatch_run_target_segment_id", "goldwatch_run", ["target", "segment", "id"])

    op.create_table(
        "goldwatch_judgement",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("summaries", sa.LargeBinary(), nullable=False),
        sa.Column("findings", sa.LargeBinary(), nullable=False),
        sa.Column("answered", sa.LargeBinary(), nullable=True),
        sa.Column("latency", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["goldwatch_run.id"], name="fk_goldwatch_judgement_run_id"),
        sa.PrimaryKeyConstraint("run_id", name="pk_goldwatch_judgement"),
    )
    op.create_table(
        "goldwatch_lease",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["goldwatch_run.id"], name="fk_goldwatch_lease_run_id"),
        sa.PrimaryKeyConstraint("target", name="pk_goldwatch_lease"),
    )
    op.create_table(
        "goldwatch_response",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("repeat", sa.SmallInteger(), nullable=False),
        sa.Column("text_id", sa.Integer(), nullable=True),
        sa.Column("detail_id", sa.Integer(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=True),
        sa.Column("latency_us", sa.BigInteger(), nullable=True),
        sa.Column("ttft_us", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("logprobs", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["goldwatch_run.id"], name="fk_goldwatch_response_run_id"),
        sa.PrimaryKeyConstraint("run_id", "position", "repeat", name="pk_goldwatch_response"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goldwatch_vector",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("scorer", sa.Text(), nullable=False),
        sa.Column("scores", sa.LargeBinary(), nullable=False),
        sa.Column("reasons", sa.LargeBinary(), nullable=True),
        sa.Column("labels", sa.LargeBinary(), nullable=True),
        sa.Column("format_failures", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["goldwatch_run.id"], name="fk_goldwatch_vector_run_id"),
        sa.PrimaryKeyConstraint("run_id", "ordinal", name="pk_goldwatch_vector"),
    )
