"""The detectors' state for the next start: one small file beside the stores, replaced in one step.

Standing conditions are not its business, they are committed with their events; what it spares a restart is that every
running delay begins anew. It is written each minute and at a stop, and read once. A file that does not fit is told and
left alone: then the detectors start fresh, which loses delays and nothing else.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgpack
import structlog

from contract.clock import NS_PER_S, Clock
from contract.points import Catalogue
from edge_agent.detect.checkpoint import CheckpointError, pack, unpack
from edge_agent.detect.engine import Engine
from edge_agent.outbox.catalogue import fingerprint

STATE_FILE: Final = "detectors.state"
MARK: Final = b"PKSD\x01"
"""Says what the file is, and the number of its form."""
SAVE_PERIOD_NS: Final = 60 * NS_PER_S
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
_CHECK_BYTES: Final = 4

log = structlog.get_logger()


class LastState:
    """``told`` says in words where the detectors of this run began."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / STATE_FILE
        self._clock = clock
        self._fault: str | None = None
        self.told = ""

    def resume(self, engine: Engine, catalogue: Catalogue) -> None:
        """Let an engine, its standing conditions restored, go on from the file; a fresh start where that cannot be."""
        try:
            saved_wall_ns = self._read_into(engine, catalogue)
        except FileNotFoundError:
            self.told = "fresh: none was kept"
        except (OSError, CheckpointError, ValueError) as error:
            self.told = f"fresh: {error}"
            log.warning("detectors_start_fresh", reason=str(error), file=str(self._path))
        else:
            age_s = (self._clock.wall_ns() - saved_wall_ns) / NS_PER_S
            self.told = f"resumed: kept {age_s:.0f} s before the start"
            log.info("detectors_resumed", age_s=round(age_s, 1))

    async def keep(self, engine: Callable[[], tuple[Engine, Catalogue]]) -> None:
        """Save each minute, for ever, what judges then."""
        while True:
            await self._clock.sleep_until(self._clock.mono_ns() + SAVE_PERIOD_NS)
            await self.save(*engine())

    async def save(self, engine: Engine, catalogue: Catalogue) -> None:
        """The copy is made at once; packing and the disk take their time in a thread. A disk that refuses is told once."""
        copied, wall_ns = engine.checkpoint(), self._clock.wall_ns()
        try:
            await asyncio.to_thread(lambda: self._write(_body(fingerprint(catalogue), pack(copied), wall_ns)))
        except OSError as error:
            if self._fault != str(error):
                log.error("detector_state_not_kept", error=str(error))  # noqa: TRY400 - the text says all
            self._fault = str(error)
        else:
            self._fault = None

    def _write(self, body: bytes) -> None:
        # Not synced: a power cut may leave a damaged file, which the check sum tells, and alarms need the disk more.
        draft = self._path.with_name(f".{STATE_FILE}.new")
        draft.write_bytes(MARK + zlib.crc32(body).to_bytes(_CHECK_BYTES) + body)
        draft.replace(self._path)

    def _read_into(self, engine: Engine, catalogue: Catalogue) -> int:
        data = self._path.read_bytes() if self._path.stat().st_size <= FILE_BYTES_MAX else b""
        if not data.startswith(MARK):
            raise CheckpointError("the file was written by another version of this software, or is damaged")
        check, body = data[len(MARK) :][:_CHECK_BYTES], data[len(MARK) + _CHECK_BYTES :]
        if zlib.crc32(body).to_bytes(_CHECK_BYTES) != check:
            raise CheckpointError("the file is damaged, as after a power cut")
        points, state, wall_ns = msgpack.unpackb(body)
        if points != fingerprint(catalogue):
            raise CheckpointError("the points or their settings have changed")
        engine.resume(unpack(state))
        return int(wall_ns)


def _body(points: bytes, state: bytes, wall_ns: int) -> bytes:
    body: bytes = msgpack.packb([points, state, wall_ns])
    return body
