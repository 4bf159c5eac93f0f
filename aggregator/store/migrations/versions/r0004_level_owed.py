"""An unacknowledged alarm tells the highest level that nobody has answered for yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alarms", sa.Column("level_owed", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE alarms SET level_owed = (SELECT level_max FROM alarm_instances WHERE id = alarms.instance) "
        "WHERE instance IS NOT NULL"
    )
