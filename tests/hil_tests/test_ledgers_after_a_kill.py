"""Both ends' ledgers go on after a kill that cut their last line off, and stay readable."""

from __future__ import annotations

import pytest

from aggregator import ledger as received
from contract.ids import Epoch, Lane
from edge_agent.outbox import ledger as sent
from hil_tests.compare import parse_ledger

EPOCH = Epoch("0" * 32)


def _write_sent(path, seq):
    ledger = sent.Ledger(path)
    ledger.record([sent.LedgerLine(Lane.EVENTS, EPOCH, seq, b"d" * 32, 1)])
    ledger.close()


def _write_received(path, seq):
    ledger = received.Ledger(path)
    ledger.append([received.LedgerLine("gate", Lane.EVENTS, EPOCH, seq, b"d" * 32)], 1)
    ledger.close()


@pytest.mark.parametrize(("write", "agent"), [(_write_sent, "gate"), (_write_received, None)])
@pytest.mark.parametrize("cut", [1, 20])
@pytest.mark.parametrize("lines", [1, 3, 100])
def test_a_line_that_was_cut_off_is_dropped_and_the_next_follows(tmp_path, write, agent, cut, lines):
    path = tmp_path / "ledger"
    for seq in range(1, lines + 1):
        write(path, seq)
    path.write_bytes(path.read_bytes()[:-cut])
    write(path, lines + 1)
    assert [each.key.seq for each in parse_ledger(path.read_text(), agent)] == [*range(1, lines), lines + 1]


@pytest.mark.parametrize(("write", "agent"), [(_write_sent, "gate"), (_write_received, None)])
def test_a_whole_ledger_is_continued_as_it_is(tmp_path, write, agent):
    path = tmp_path / "ledger"
    for seq in (1, 2):
        write(path, seq)
    assert [each.key.seq for each in parse_ledger(path.read_text(), agent)] == [1, 2]
