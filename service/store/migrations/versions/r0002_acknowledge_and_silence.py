"""Alerts can be acknowledged and silenced, and receivers' names for messages are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "goldwatch_acknowledgement",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["goldwatch_alert.id"], name="fk_goldwatch_acknowledgement_alert_id"
        ),
        sa.PrimaryKeyConstraint("alert_id", name="pk_goldwatch_acknowledgement"),
    )
    op.create_table(
        "goldwatch_silence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["goldwatch_alert.id"], name="fk_goldwatch_silence_alert_id"),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_silence"),
    )
    op.create_index("ix_goldwatch_silence_target_until", "goldwatch_silence", ["target", "until"])
    op.create_table(
        "goldwatch_receipt",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["goldwatch_alert.id"], name="fk_goldwatch_receipt_alert_id"),
        sa.PrimaryKeyConstraint("alert_id", "notifier", name="pk_goldwatch_receipt"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("goldwatch_receipt")
    op.drop_index("ix_goldwatch_silence_target_until", "goldwatch_silence")
    op.drop_table("goldwatch_silence")
    op.drop_table("goldwatch_acknowledgement")
