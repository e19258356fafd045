"""What judges replied, what asking them took, and what of a segment does not depend on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "goldwatch_reply",
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("asked", "key", name="pk_goldwatch_reply"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_goldwatch_reply_at", "goldwatch_reply", ["at"])
    op.create_table(
        "goldwatch_unjudged",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("rest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("target", "segment", name="pk_goldwatch_unjudged"),
    )
    op.create_table(
        "goldwatch_asking",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_asking"),
    )
    op.create_index("ix_goldwatch_asking_target_asked_at", "goldwatch_asking", ["target", "asked_at"])


def downgrade() -> None:
    """Take them away: judges are asked again."""
    op.drop_table("goldwatch_asking")
    op.drop_table("goldwatch_unjudged")
    op.drop_table("goldwatch_reply")
