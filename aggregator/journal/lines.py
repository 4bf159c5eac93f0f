"""A journal record as one JSON object for whoever reads or verifies it, its hashed bytes embedded as they were hashed."""

from __future__ import annotations

import json

from aggregator.journal.followers import Followed


def record_line(followed: Followed) -> str:
    """Salt and restricted part where there are any, or the digest that stands for them."""
    entry = followed.entry
    head = {
        "cursor": followed.cursor.encode(), "chain": entry.chain, "journal_epoch": entry.journal_epoch,
        "seq": entry.seq, "kind": entry.kind.value, "received_ns": entry.received_ns, "hash": entry.hash.hex(),
        "prev_hash": entry.prev_hash.hex(),
    }  # fmt: skip
    exact = f', "open": {entry.open.decode()}'
    if entry.restricted:
        exact += f', "salt": "{entry.salt.hex()}", "restricted": {entry.restricted.decode()}'
    if followed.withheld is not None:
        exact += f', "withheld": "{followed.withheld.hex()}"'
    if followed.event_open is not None:
        exact += f', "event": {followed.event_open.decode()}'
    return json.dumps(head)[:-1] + exact + "}"
