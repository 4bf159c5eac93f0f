"""An instance tells when its newest activation began, and who acknowledged it only while that stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What stands shows the condition of its newest activation; of what is over only the first is known."""
    op.add_column("alarm_instances", sa.Column("raised_ns", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE alarm_instances SET raised_ns = coalesce((SELECT CAST(json_extract(condition, '$.on_time_ns') AS INTEGER)"
        " FROM alarms WHERE instance = alarm_instances.id), on_time_ns)"
    )
    op.execute(
        "UPDATE alarm_instances SET acknowledged_by = NULL, acknowledged_ns = NULL"
        " WHERE id IN (SELECT instance FROM alarms WHERE NOT acknowledged)"
    )
