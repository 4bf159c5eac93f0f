"""Figures of a stretch of time, out of ledgers and samples made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from contract.batch import SampleBatch
from contract.quality import Quality
from hil_tests.figures import Evidence, Received, figure, other_functions
from hil_tests.rig.ledger import LedgerRow, RowKind
from hil_tests.rig.registers import Table
from hil_tests.scenario import Measure, What

S = 1_000_000_000
START = {"start": 100 * S}


def served(t_s: float, *words: int, kind: RowKind = RowKind.SERVED) -> LedgerRow:
    return LedgerRow(100 * S + round(t_s * S), kind, Table.HOLDING, 0, len(words), words)


def samples(*rows: tuple[float, float, Quality]) -> SampleBatch:
    batch = SampleBatch.zeros(len(rows))
    for i, (t_s, value, quality) in enumerate(rows):
        batch.mono_ns[i], batch.value[i], batch.quality[i] = 100 * S + round(t_s * S), value, quality
    return batch


def found(
    what: What, rows: Sequence[LedgerRow] = (), received: Sequence[Received] = (), within_s: float = 10.0, **more: Any
) -> float:
    measure = Measure(what=what, devices=("plc",), within_s=within_s, at_least=-math.inf, **more)
    return figure(measure, START, Evidence({"plc": rows}, received)).value


def point(*rows: tuple[float, float, Quality]) -> Received:
    return Received("P1", "plc", samples(*rows), Table.HOLDING, 1)


def node(*rows: tuple[float, float, Quality]) -> Received:
    return Received("P1", "plc", samples(*rows))


def test_rates_count_what_was_served_and_what_was_asked() -> None:
    rows = [served(-1, 1), *(served(t_s, 1) for t_s in range(10)), served(10, 1), served(5, kind=RowKind.SILENT)]
    assert found(What.REPLIES_PER_S, rows) == 1.0
    assert found(What.REQUESTS_PER_S, rows) == 1.1
    assert found(What.REPLIES_PER_S, rows, from_s=5) == 1.0


def test_a_value_is_wrong_that_its_register_was_not_served_with_shortly_before() -> None:
    rows = [served(1, 5, 7), served(2, 5, 8), served(3, 5, 9)]
    good = Quality.GOOD
    assert found(What.WRONG_VALUES, rows, [point((1.1, 7, good), (2.1, 8, good), (3.0, 9, good))]) == 0
    assert found(What.WRONG_VALUES, rows, [point((1.1, 5, good))]) == 1, "another register's"
    assert found(What.WRONG_VALUES, rows, [point((3.1, 7, good))]) == 1, "an old one"
    assert found(What.WRONG_VALUES, rows, [point((1.9, 8, good))]) == 1, "one to come"
    assert found(What.WRONG_VALUES, rows, [point((3.1, 7, Quality.BAD_COMM_FAILURE))]) == 0
    assert found(What.WRONG_VALUES, rows, [point((11, 7, good))]) == 0, "after the stretch"


def test_a_value_of_a_node_is_wrong_that_the_node_did_not_show() -> None:
    rows = [
        LedgerRow(101 * S, RowKind.VALUE, name="P1", value=2.5),
        LedgerRow(101 * S, RowKind.VALUE, name="P2", value=3.5),
    ]
    assert found(What.WRONG_VALUES, rows, [node((1.1, 2.5, Quality.GOOD), (1.2, 3.5, Quality.GOOD))]) == 1


def test_good_and_bad_are_counted_by_point() -> None:
    own = Received("plc", "plc", samples((3, 1, Quality.GOOD), (5.5, math.nan, Quality.BAD)))
    received = [point((1, 7, Quality.GOOD), (2, 7, Quality.UNCERTAIN), (5, 7, Quality.BAD)), own]
    assert found(What.GOOD_POINTS, received=received) == 1
    assert found(What.GOOD_POINTS, received=received, from_s=1.5) == 0
    assert found(What.GOOD_SAMPLES, received=received) == 2
    assert found(What.BAD_AFTER_S, received=received) == 5.5
    assert found(What.BAD_AFTER_S, received=received, from_s=4) == 1.5
    assert found(What.BAD_AFTER_S, received=received, within_s=5.2) == math.inf


def test_sessions_are_those_of_before_and_those_of_the_stretch() -> None:
    rows = [LedgerRow(90 * S, RowKind.SESSIONS, number=3), LedgerRow(95 * S, RowKind.SESSIONS, number=1),
            LedgerRow(105 * S, RowKind.SESSIONS, number=0), LedgerRow(120 * S, RowKind.SESSIONS, number=4)]  # fmt: skip
    assert found(What.SESSIONS, rows) == 1
    assert found(What.SESSIONS, rows, from_s=6) == 0
    second = LedgerRow(103 * S, RowKind.SESSIONS, number=2)
    assert found(What.SESSIONS, [*rows[:2], second, *rows[2:]]) == 2, "one more for a moment"


def test_mischief_is_counted() -> None:
    assert found(What.MISBEHAVED, [served(1, 5), LedgerRow(101 * S, RowKind.MISCHIEF, text="drop")]) == 1


@pytest.mark.parametrize(("bounds", "passed"), [({"at_least": 1}, True), ({"at_most": 1}, True), ({"at_least": 1.1}, False),
                                                ({"at_least": 0.5, "at_most": 0.9}, False)])  # fmt: skip
def test_a_figure_passes_within_its_bounds_edges_included(bounds: dict[str, Any], passed: bool) -> None:
    measure = Measure(what=What.REPLIES_PER_S, devices=("plc",), within_s=1, **bounds)
    assert figure(measure, START, Evidence({"plc": [served(0.5, 1)]}, [])).passed is passed


def test_a_figure_of_what_never_happened_fails() -> None:
    measure = Measure(what=What.REPLIES_PER_S, devices=("plc",), after="leak", within_s=1, at_least=0)
    assert not figure(measure, START, Evidence({"plc": [served(0.5, 1)]}, [])).passed


def test_whoever_asks_for_more_than_reading_is_seen() -> None:
    reading = [served(1, 5), served(2, kind=RowKind.SILENT)]
    assert other_functions({"plc": reading}) == {}
    assert other_functions({"plc": reading, "b": [LedgerRow(1, RowKind.FUNCTION, number=6, text="06")]}) == {6: 1}
