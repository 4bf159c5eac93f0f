"""What the record says of agents, for whoever has to read their events and chunks."""

from __future__ import annotations

import sqlalchemy as sa

from aggregator.agents.tables import CATALOGUES, EPOCHS
from contract.errors import StoreError
from contract.points import Catalogue
from contract.wire import codec
from contract.wire.frames import CatalogueFrame


def load_algorithms(connection: sa.Connection) -> dict[tuple[str, str], str]:
    """The hash algorithm of each (agent, epoch)."""
    return {(row.agent, row.epoch): row.algorithm for row in connection.execute(sa.select(EPOCHS))}


def load_catalogue(connection: sa.Connection, agent: str, epoch: str, version: int) -> Catalogue:
    """Raises StoreError where there is none."""
    columns = CATALOGUES.c
    data = connection.scalar(
        sa.select(columns.frame).where(columns.agent == agent, columns.epoch == epoch, columns.version == version)
    )
    if data is None:
        raise StoreError(f"catalogue {version} of {agent}, epoch {epoch}, has not arrived")
    frame = codec.decode(data)
    assert isinstance(frame, CatalogueFrame), "written as one"
    return frame.catalogue
