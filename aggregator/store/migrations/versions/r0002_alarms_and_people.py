"""People in the journal's restricted part; alarms; users and their sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journal", sa.Column("salt", sa.LargeBinary(), nullable=True))
    op.add_column("journal", sa.Column("restricted", sa.LargeBinary(), nullable=True))
