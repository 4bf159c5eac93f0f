"""Value for value: what a device served to an agent is what lies at the aggregator, float32 by float32.

One point keeps every sample, another on the same register keeps changes. The ledger of the rig is the truth. Recordings
made outside this repository are played too where they lie: in PARKSENTRY_RECORDINGS, or in the sibling folder.
"""

from __future__ import annotations

import csv
import math
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from contract.clock import NS_PER_MS, NS_PER_S
from contract.quality import Quality
from hil_tests.field import Field, one_device
from hil_tests.rig.ledger import RowKind
from hil_tests.rig.registers import Table

DEVICE = "plant"
POLL_S = 0.05
PLAYED_S = 6.0
PLUME = "park/cl2_plume_1.csv"
RECORDINGS = Path(
    os.environ.get("PARKSENTRY_RECORDINGS") or Path(__file__).parents[2].parent / "shared" / "data" / "detection"
)

pytestmark = pytest.mark.timeout(120)


def test_a_recording_arrives_value_for_value(open_field, tmp_path):
    columns = ["odd", "steady", "holes"]
    rows = [_row(i) for i in range(900)]
    _play_and_compare(open_field, _write(tmp_path / "made.csv", columns, rows), columns, step_s=0.02)


def test_a_recorded_plume_arrives_value_for_value(open_field):
    file = RECORDINGS / PLUME
    if not file.exists():
        pytest.skip(f"no recordings: {PLUME} is not in PARKSENTRY_RECORDINGS, nor beside the checkout")
    with file.open(encoding="utf-8") as lines:
        _, *columns = next(csv.reader(lines))
    _play_and_compare(open_field, file, columns, step_s=0.001)


def _row(i: int) -> list[str]:
    """Numbers that no float32 holds exactly, a plateau, signed zeros and infinities between holes."""
    odd = f"{math.sin(i) * 10 ** (i % 7 - 3)!r}"
    steady = "7.25" if i % 150 < 75 else "-0.0" if i % 150 < 85 else "0.0"
    holes = "" if i % 20 < 4 else "inf" if i % 50 == 7 else str(i // 30)
    return [odd, steady, holes]


def _write(file: Path, columns: list[str], rows: list[list[str]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return file


def _play_and_compare(open_field, file: Path, columns: list[str], step_s: float) -> None:
    """The whole recording is played over and over, since the device begins before anybody reads it."""
    signals = [
        {"kind": "recording", "file": str(file), "column": each, "step_s": step_s, "after_end": "loop"}
        for each in columns
    ]
    field = open_field(
        one_device(DEVICE, [{"name": f"r{i}", "type": "float32", "signal": each} for i, each in enumerate(signals)])
    )
    agent = field.add_agent("gate", DEVICE, _points(len(columns)), telemetry={"chunk_s": 2.0, "spool_s": 0.2})
    field.start()
    time.sleep(PLAYED_S)
    field.rig.command(DEVICE, "stop_answering")
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    for position in range(len(columns)):
        served = _served(field, 2 * position)
        assert len(served) > PLAYED_S / POLL_S / 2
        assert len({word for _, word in served}) > 1
        _compare(field, f"ALL-{position}", served)
        _compare(field, f"CHANGES-{position}", _changes(served))


def _points(count: int):
    row = {"register": "holding", "type": "float32", "unit": "ppm", "poll_s": POLL_S, "stale_s": 5}
    return [
        {"tag": f"{tag}-{i}", "address": 2 * i, "report_deadband": deadband, **row}
        for i in range(count)
        for tag, deadband in (("ALL", "all"), ("CHANGES", 0))
    ]


def _served(field: Field, address: int) -> list[tuple[int, float]]:
    """(when, what) of each reply that carried the register."""
    replies = [each for each in field.rig.ledger(DEVICE) if each.kind is RowKind.SERVED]
    values = []
    for each in replies:
        high, low = each.word(Table.HOLDING, address), each.word(Table.HOLDING, address + 1)
        assert high is not None
        assert low is not None
        values.append((each.mono_ns, struct.unpack(">f", struct.pack(">HH", high, low))[0]))
    return values


def _changes(served: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """What moved, and what was broken or became whole; the run is too short for a repeat."""
    assert served[-1][0] - served[0][0] < 60 * NS_PER_S
    kept = served[:1]
    for each in served[1:]:
        before, now = (value if math.isfinite(value) else math.nan for value in (kept[-1][1], each[1]))
        if before != now and not (math.isnan(before) and math.isnan(now)):
            kept.append(each)
    return kept


def _compare(field: Field, tag: str, served: list[tuple[int, float]]) -> None:
    """One sample per reply and none besides, each with its number and a moment between this reply and the next."""
    batch = field.aggregator.samples("gate", tag)
    batch = batch.select(~np.isin(batch.quality, (Quality.BAD_COMM_FAILURE, Quality.BAD_STALE)))
    assert len(batch) == len(served), tag
    broken = np.array([not math.isfinite(value) for _, value in served])
    assert np.array_equal(batch.quality == Quality.BAD_SENSOR_FAILURE, broken), tag
    want = np.array([value for _, value in served], np.float32)
    assert np.array_equal(batch.value.astype(np.float32)[~broken].view(np.uint32), want[~broken].view(np.uint32)), tag
    assert np.array_equal(batch.value[~broken], want[~broken].astype(np.float64)), tag
    when = np.array([mono_ns for mono_ns, _ in served])
    assert (batch.mono_ns >= when // NS_PER_MS * NS_PER_MS).all(), tag
    assert (batch.mono_ns[:-1] <= when[1:]).all(), tag
