"""What challengers answer beside the tuned model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    op.create_table(
        "goldwatch_comparison",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("challenger", sa.Text(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("answers", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["goldwatch_run.id"], name="fk_goldwatch_comparison_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_comparison"),
        sa.UniqueConstraint(
            "target", "challenger", "tick", name="uq_goldwatch_comparison_target_challenger_tick"
        ),
    )
    op.create_index("ix_goldwatch_comparison_target_asked_at", "goldwatch_comparison", ["target", "asked_at"])


def downgrade() -> None:
    """Take it away: comparisons begin anew."""
    op.drop_table("goldwatch_comparison")
