"""The first schema: journal, events, lanes, catalogues, conditions, activations, telemetry chunks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "journal_chains",
        sa.Column("aggregator", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("journal_epoch", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("aggregator", "chain", "journal_epoch", name="pk_journal_chains"),
    )
    op.create_table(
        "journal",
        sa.Column("aggregator", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("journal_epoch", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("received_ns", sa.BigInteger(), nullable=False),
        sa.Column("org", sa.Text(), nullable=True),
        sa.Column("exercise_id", sa.Text(), nullable=True),
        sa.Column("class_label", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("event_agent", sa.Text(), nullable=True),
        sa.Column("event_epoch", sa.Text(), nullable=True),
        sa.Column("event_seq", sa.BigInteger(), nullable=True),
        sa.Column("open", sa.LargeBinary(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("aggregator", "chain", "journal_epoch", "seq", name="pk_journal"),
        sa.UniqueConstraint("chain", "prev_hash", name="uq_journal_chain_prev_hash"),
    )
    op.create_table(
        "events",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("received_ns", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("org", sa.Text(), nullable=True),
        sa.Column("edge_time_ns", sa.BigInteger(), nullable=True),
        sa.Column("open", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("restricted", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", "seq", name="pk_events"),
    )
    op.create_table(
        "gaps",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("hash_last", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", "lane", "first_seq", name="pk_gaps"),
    )
    op.create_table(
        "agents",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("curve_public", sa.LargeBinary(), nullable=False),
        sa.Column("revoked_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_agents"),
    )
    op.create_table(
        "epochs",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("first_seen_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", name="pk_epochs"),
    )
    op.create_table(
        "lanes",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", "lane", name="pk_lanes"),
    )
    op.create_table(
        "catalogues",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", "version", name="pk_catalogues"),
    )
    op.create_table(
        "conditions",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "organisation", "tag", "kind", name="pk_conditions"),
    )
    op.create_table(
        "activations",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("condition_class", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.Text(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.Column("event_received_ns", sa.BigInteger(), nullable=True),
        sa.Column("closed_ns", sa.BigInteger(), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", "seq", name="pk_activations"),
    )
    op.create_index("ix_activations_standing", "activations", ["standing"])
    op.create_table(
        "chunks",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("received_ns", sa.BigInteger(), nullable=False),
        sa.Column("catalogue_version", sa.BigInteger(), nullable=True),
        sa.Column("samples", sa.BigInteger(), nullable=True),
        sa.Column("first_ns", sa.BigInteger(), nullable=True),
        sa.Column("last_ns", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("chunk", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "epoch", "seq", name="pk_chunks"),
    )
