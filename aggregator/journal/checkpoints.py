"""Signed checkpoints: at start, every hour and at stop the aggregator signs the heads of all chains.

The signature (Ed25519, by the key in the aggregator's key file) is over the RFC 8785 JSON of ``{"aggregator", "heads"}``.
Whoever keeps a checkpoint elsewhere can show later that the journal before it was not rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from aggregator.journal.log import Draft, JournalKind
from aggregator.journal.tables import JOURNAL_CHAINS
from contract.clock import NS_PER_S
from contract.events import Json, canonical
from contract.keys import PublicKeys, SecretKeys

CHECKPOINT_PERIOD_NS: Final = 3600 * NS_PER_S


def checkpoint(connection: sa.Connection, aggregator_id: str, keys: SecretKeys, received_ns: int) -> Draft:
    """The record to append, in the transaction that read the heads."""
    heads: list[Json] = [
        {"chain": row.chain, "journal_epoch": row.journal_epoch, "seq": str(row.seq), "hash": row.hash.hex()}
        for row in connection.execute(_HEADS, {"aggregator": aggregator_id})
    ]
    signature = keys.sign(_signed(aggregator_id, heads)).hex()
    return Draft(JournalKind.CHECKPOINT, received_ns, {"heads": heads, "signature": signature})


def signature_holds(aggregator_id: str, data: Mapping[str, Any], keys: PublicKeys) -> bool:
    """True when ``data`` of a checkpoint was signed by the owner of ``keys``."""
    return keys.verify(bytes.fromhex(data["signature"]), _signed(aggregator_id, data["heads"]))


def _signed(aggregator_id: str, heads: list[Json]) -> bytes:
    return canonical({"aggregator": aggregator_id, "heads": heads})


_HEADS: Final = (
    sa.select(JOURNAL_CHAINS)
    .where(JOURNAL_CHAINS.c.aggregator == sa.bindparam("aggregator"), JOURNAL_CHAINS.c.seq > 0)
    .order_by(JOURNAL_CHAINS.c.chain, JOURNAL_CHAINS.c.journal_epoch)
)
