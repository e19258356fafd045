"""A segment may begin with runs of an earlier one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    op.create_table(
        "goldwatch_lineage",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("from_run", sa.Integer(), nullable=False),
        sa.Column("golden_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["golden_id"], ["goldwatch_golden.id"], name="fk_goldwatch_lineage_golden_id"
        ),
        sa.PrimaryKeyConstraint("target", "segment", name="pk_goldwatch_lineage"),
    )


def downgrade() -> None:
    """Drop it: such segments begin with their own runs."""
    op.drop_table("goldwatch_lineage")
