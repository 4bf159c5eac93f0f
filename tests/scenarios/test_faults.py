"""Replies that misbehave by chance, through the driver: none becomes a wrong value that is called good.

Some thousands here; FAULTS_COUNT and FAULTS_SEED ask for more and for others (``make faults``). Figures are printed
(``pytest -s``). That each guard of the driver matters is shown by taking it out.
"""

from __future__ import annotations

import asyncio
import os

import pytest
from pymodbus.framer import FramerRTU

from drivers.modbus.framing import SocketFraming
from drivers.modbus.settings import Transport
from drivers.modbus.unit import Unit
from hil_tests.fault_run import PROBABILITY, Tally, run_faults
from hil_tests.rig.commands import MischiefKind

COUNT = int(os.environ.get("FAULTS_COUNT") or 6000)
SEED = int(os.environ.get("FAULTS_SEED") or 1)
TRANSPORTS = [Transport.TCP, Transport.RTU_OVER_TCP]
WITHOUT_GUARD_COUNT = 4000


def ran(transport: Transport, count: int = WITHOUT_GUARD_COUNT) -> Tally:
    return asyncio.run(run_faults(count, SEED, transport))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_no_good_value_is_wrong_whatever_happens_to_replies(transport: Transport) -> None:
    tally = ran(transport, -(-COUNT // len(TRANSPORTS)))
    print(f"\n{transport}, seed {SEED}: {tally.shown()}")
    assert tally.wrong_count == 0, tally.wrong
    assert tally.good > tally.replies, "the driver reads on beside all that"
    assert tally.mischief.total() > tally.replies / 20


def test_without_the_number_of_the_request_a_crossed_reply_would_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = SocketFraming.feed

    def any_number(self: SocketFraming, data: bytes) -> object:
        return feed(self, self._number.to_bytes(2, "big") + data[2:])

    monkeypatch.setattr(SocketFraming, "feed", any_number)
    assert ran(Transport.TCP).wrong_count > 0


def test_without_the_checksum_damaged_numbers_would_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FramerRTU, "check_CRC", lambda *_: True)
    assert ran(Transport.RTU_OVER_TCP).wrong_count > 0


def test_without_minding_late_replies_one_would_be_taken_on_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is opened anew, and the converter answers the next request with what it held back."""
    monkeypatch.setitem(PROBABILITY, MischiefKind.CROSS, 0.3)
    assert ran(Transport.RTU_OVER_TCP).wrong_count == 0
    monkeypatch.setattr(Unit, "_haunted", lambda *_: False)
    assert ran(Transport.RTU_OVER_TCP).wrong_count > 0
