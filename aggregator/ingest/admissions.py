"""Puts on record who was admitted and who was revoked: what the list says now against what the journal said last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aggregator.agents.allowlist import Admission
from aggregator.ingest.group import Group
from aggregator.journal.log import Draft, JournalKind
from aggregator.store.db import Row

REMOVED: Row = {"revoked_reason": "removed from the list by hand"}


def record_admissions(group: Group, entries: Iterable[Admission], recorded: Mapping[str, Row]) -> dict[str, Row]:
    """Drafts and rows for every difference; the new state of the record, by name."""
    now: dict[str, Row] = {entry.name: _row(entry) for entry in entries}
    removed = {name: {**row, **REMOVED} for name, row in recorded.items() if name not in now}
    for name, row in {**now, **removed}.items():
        before = recorded.get(name)
        if row == before or (before is not None and before["revoked_reason"] is not None):
            continue
        group.agents.append(row)
        if before is None or before["curve_public"] != row["curve_public"]:
            group.drafts.append(_draft(JournalKind.AGENT_ADMITTED, group.wall_ns, row))
        if row["revoked_reason"] is not None:
            group.drafts.append(_draft(JournalKind.AGENT_REVOKED, group.wall_ns, row))
    return {**recorded, **{str(row["name"]): row for row in group.agents}}


def _row(entry: Admission) -> Row:
    reason = None if entry.revoked_ns is None else entry.revoked_reason or ""
    return {"name": entry.name, "curve_public": bytes.fromhex(entry.curve_public), "revoked_reason": reason}


def _draft(kind: JournalKind, wall_ns: int, row: Row) -> Draft:
    data = {"agent": row["name"], "curve_public": row["curve_public"].hex()}
    if kind is JournalKind.AGENT_REVOKED:
        data["reason"] = row["revoked_reason"]
    return Draft(kind, wall_ns, data)
