"""What production asks and gets: counts by window, and the texts that somebody asked to keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "goldwatch_traffic",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("target", name="pk_goldwatch_traffic"),
    )
    op.create_table(
        "goldwatch_traffic_window",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.Float(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("period_h", sa.Float(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target", "number", name="pk_goldwatch_traffic_window"),
    )
    op.create_table(
        "goldwatch_traffic_text",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rank", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target", "key", name="pk_goldwatch_traffic_text"),
    )
    op.create_index("ix_goldwatch_traffic_text_target_rank", "goldwatch_traffic_text", ["target", "rank"])


def downgrade() -> None:
    """Take them away: traffic is learnt anew."""
    op.drop_table("goldwatch_traffic_text")
    op.drop_table("goldwatch_traffic_window")
    op.drop_table("goldwatch_traffic")
