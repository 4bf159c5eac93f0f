"""A place in the journal, as a token that people and programs keep and hand back.

It holds the head of every chain as far as its holder has read. Nobody needs to look inside, so its form may change.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from contract.errors import FrameError
from contract.events import INT64_MAX, Json, canonical

CURSOR_BYTES_MAX: Final = 16 * 1024
CHAINS_MAX: Final = 64
_VERSION: Final = 1
_JOURNAL_EPOCH: Final = re.compile(r"[0-9a-f]{32}\Z")


class Place(NamedTuple):
    """Last record that was read of a chain."""

    journal_epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a follower has read each chain; a chain that it does not name was not read at all."""

    places: Mapping[str, Place] = field(default_factory=dict)

    def after(self, chain: str, place: Place) -> Cursor:
        return Cursor({**self.places, chain: place})

    def encode(self) -> str:
        heads: dict[str, Json] = {chain: [place.journal_epoch, str(place.seq)] for chain, place in self.places.items()}
        return base64.urlsafe_b64encode(canonical({"v": _VERSION, "heads": heads})).decode().rstrip("=")

    @staticmethod
    def decode(token: str) -> Cursor:
        """Raises FrameError for anything that ``encode`` did not make."""
        if len(token) > CURSOR_BYTES_MAX:
            raise _malformed()
        try:
            table = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        except (ValueError, RecursionError) as error:
            raise _malformed() from error
        heads = table.get("heads") if isinstance(table, dict) and table.get("v") == _VERSION else None
        if not isinstance(heads, dict) or len(heads) > CHAINS_MAX:
            raise _malformed()
        return Cursor({chain: _place(head) for chain, head in heads.items()})


def _place(head: Any) -> Place:
    if not (isinstance(head, list) and len(head) == 2 and all(isinstance(part, str) for part in head)):
        raise _malformed()
    epoch, seq = head
    if not _JOURNAL_EPOCH.match(epoch) or not re.fullmatch(r"[0-9]{1,19}", seq) or int(seq) > INT64_MAX:
        raise _malformed()
    return Place(epoch, int(seq))


def _malformed() -> FrameError:
    return FrameError("cursor", "is none that this journal gave out; leave it away to read from the beginning")
