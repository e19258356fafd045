"""A list of runs reads one short line of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column; of runs that were judged before, it is reckoned when it is asked for."""
    op.add_column("goldwatch_judgement", sa.Column("headline", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("goldwatch_judgement", "headline")
