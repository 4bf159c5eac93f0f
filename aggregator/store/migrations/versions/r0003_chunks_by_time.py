"""Trends ask which chunks hold a time: an index that answers without reading the chunks."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["last_ns", "first_ns", "agent", "epoch", "seq", "catalogue_version"]
    op.create_index("ix_chunks_" + "_".join(columns), "chunks", columns)
