"""How long the answers were and which refused outlive the texts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column; runs that were judged before have none."""
    op.add_column("goldwatch_judgement", sa.Column("observed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("goldwatch_judgement", "observed")
