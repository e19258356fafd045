"""The border prompts that a target is asked beside its golden set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    op.create_table(
        "goldwatch_border",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target", "asked", name="pk_goldwatch_border"),
    )


def downgrade() -> None:
    """Take it away: they are searched again, and watched anew."""
    op.drop_table("goldwatch_border")
