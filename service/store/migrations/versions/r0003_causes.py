"""What probably changed, and what the base model answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "goldwatch_diagnosis",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["goldwatch_run.id"], name="fk_goldwatch_diagnosis_run_id"),
        sa.PrimaryKeyConstraint("run_id", name="pk_goldwatch_diagnosis"),
    )
    op.create_table(
        "goldwatch_base_answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_goldwatch_base_answers"),
    )
    op.create_index(
        "ix_goldwatch_base_answers_target_asked_at", "goldwatch_base_answers", ["target", "asked_at"]
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("goldwatch_base_answers")
    op.drop_table("goldwatch_diagnosis")
