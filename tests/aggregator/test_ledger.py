"""The witness: a line per row, continued over restarts, nothing for nothing."""

from __future__ import annotations

import json

from aggregator.ledger import Ledger, LedgerLine
from contract.ids import Lane


def test_lines_are_appended_over_restarts(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for seq in (1, 2):
        ledger = Ledger(path)
        ledger.append([LedgerLine("gate", Lane.EVENTS, "e", seq, b"\x01")], mono_ns=5)
        ledger.append([], mono_ns=6)
        ledger.close()
    ledger = Ledger(path)
    ledger.append([LedgerLine("gate", Lane.TELEMETRY, "e", 1, b"\x02", 0)], mono_ns=7)
    ledger.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 1]
    assert lines[0] == {"agent": "gate", "lane": "events", "epoch": "e", "seq": 1, "digest": "01", "mono_ns": 5}
    assert lines[2]["samples"] == 0
