"""Which rows follow from what a server reported, and with which times."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.points import PointRole, PointSpec, PointType
from contract.quality import Quality, is_bad
from drivers.opcua.memory import SOURCE_AHEAD_NS_MAX, SOURCE_BEHIND_NS_MAX, Memory
from drivers.opcua.values import STRING, BuiltIn, Reading

S = 1_000_000_000
WALL = 1_790_000_000 * S
MONO = 1000 * S
BAD_SENSOR_FAILURE = 0x808C_0000


def double(value, source_ns=None, status=0):
    return Reading(status, BuiltIn.DOUBLE, value, source_ns)


@pytest.fixture
def memory():
    """Points 12 and 13 at places 1 and 2, polled each second and every 10 s; both read once at the start."""
    made = new_memory()
    made.opened([double(1.0, WALL - 9 * S), double(2.0, WALL - 9 * S)], WALL, MONO)
    return made


def new_memory():
    own = PointSpec(id=11, tag="plc", org="p", device="plc", role=PointRole.DEVICE, type=PointType.BIT, poll_s=1.0)
    return Memory(
        own,
        [
            PointSpec(id=12, tag="A", org="p/s", device="plc", type=PointType.FLOAT64, poll_s=1.0),
            PointSpec(id=13, tag="B", org="p/s", device="plc", type=PointType.FLOAT64, poll_s=10.0),
        ],
    )


def rows(*batches):
    return [
        tuple(row)
        for batch in batches
        for row in zip(
            batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), (batch.time_ns - WALL).tolist(),
            (batch.mono_ns - MONO).tolist(), strict=True,
        )
    ]  # fmt: skip


def test_what_was_read_first_carries_the_time_of_receipt_however_old_it_is():
    made = new_memory()
    batch = made.opened([double(1.0, WALL - 86_400 * S), double(2.0, None)], WALL, MONO)
    assert rows(batch) == [(11, 1.0, 0, 0, 0), (12, 1.0, 0, 0, 0), (13, 2.0, 0, 0, 0)]


def test_a_confirmation_repeats_points_that_are_due_with_the_time_of_the_response(memory):
    assert memory.published([], [1, 2], WALL + S // 2, MONO + S // 2) == []
    assert rows(*memory.published([], [1, 2], WALL + S, MONO + S)) == [(11, 1.0, 0, S, S), (12, 1.0, 0, S, S)]
    late = rows(*memory.published([], [1, 2], WALL + 10 * S, MONO + 10 * S))
    assert [row[0] for row in late] == [11, 12, 13]


def test_a_point_of_another_subscription_is_not_confirmed(memory):
    assert [row[0] for row in rows(*memory.published([], [2], WALL + 20 * S, MONO + 20 * S))] == [11, 13]


def test_a_change_carries_the_source_time_and_the_receipt(memory):
    batches = memory.published([(1, double(5.0, WALL + 4 * S // 10))], [], WALL + S // 2, MONO + S // 2)
    assert rows(*batches) == [(12, 5.0, 0, 4 * S // 10, S // 2)]


def test_what_is_known_already_is_no_change(memory):
    assert memory.published([(1, double(1.0, WALL - 9 * S))], [], WALL + S // 10, MONO + S // 10) == []
    assert memory.disbelieved == 0


def test_changes_lie_apart_as_at_the_source_but_not_before_the_former_row(memory):
    changes = [(1, double(float(k), WALL + k * S)) for k in range(1, 5)]
    batches = memory.published(changes, [], WALL + 4 * S, MONO + 4 * S)
    assert [len(batch) for batch in batches] == [1, 1, 1, 1, 1]  # and the device's own
    assert [row[4] for row in rows(*batches)][:4] == [S, 2 * S, 3 * S, 4 * S]
    changes = [(1, double(float(k), WALL + k * S)) for k in (1, 9)]
    assert [row[4] for row in rows(*memory.published(changes, [], WALL + 5 * S, MONO + 5 * S))][:2] == [4 * S, 5 * S]


@pytest.mark.parametrize(
    ("off_ns", "believed"),
    [
        (-SOURCE_BEHIND_NS_MAX, True),
        (-SOURCE_BEHIND_NS_MAX - 1, False),
        (SOURCE_AHEAD_NS_MAX, True),
        (SOURCE_AHEAD_NS_MAX + 1, False),
        (None, False),
    ],
)
def test_a_source_time_counts_within_its_bounds(memory, off_ns, believed):
    change = double(5.0, None if off_ns is None else WALL + off_ns)
    (row,) = rows(*memory.published([(1, change)], [], WALL, MONO))
    assert row[3] == (off_ns if believed else 0)
    assert memory.disbelieved == (not believed)


def test_a_report_that_a_read_has_overtaken_is_no_news(memory):
    memory.published([(1, double(6.0, WALL + 6 * S))], [1], WALL + 6 * S, MONO + 6 * S, read=True)
    queued = [(1, double(5.0, WALL + 5 * S)), (1, double(7.0, WALL + 7 * S))]
    assert [row[1] for row in rows(*memory.published(queued, [], WALL + 7 * S, MONO + 7 * S)) if row[0] == 12] == [7.0]
    (row,) = rows(*memory.published([(1, double(5.0, WALL + 5 * S))], [1], WALL + 8 * S, MONO + 7 * S, read=True))
    assert row[:2] == (12, 5.0)  # a clock that was put back does not silence a point


def test_what_was_read_has_a_row_however_soon_and_the_device_when_it_is_due(memory):
    memory.published([], [1, 2], WALL + S, MONO + S)
    soon = rows(*memory.published([(1, double(1.0, WALL - 9 * S))], [1], WALL + S, MONO + S + S // 10, read=True))
    assert [row[0] for row in soon] == [12]


def test_after_a_loss_there_is_no_value_and_the_device_leads(memory):
    lost = memory.lost(WALL + S, MONO + S)
    assert lost.point.tolist() == [11, 12, 13]
    assert set(lost.quality.tolist()) == {Quality.BAD_COMM_FAILURE}
    assert memory.next_row_mono_ns() == MONO + 2 * S
    assert memory.still_lost(WALL + 2 * S, MONO + 2 * S).point.tolist() == [11, 12]
    again = memory.opened([double(1.0, WALL), double(2.0, WALL)], WALL + 3 * S, MONO + 3 * S)
    assert again.value.tolist() == [1.0, 1.0, 2.0]


def test_a_bad_status_stays_bad_in_every_confirmation(memory):
    memory.published([(1, double(19.0, WALL, BAD_SENSOR_FAILURE))], [], WALL, MONO)
    device, row = rows(*memory.published([], [1], WALL + S, MONO + S))
    assert device[:3] == (11, 1.0, 0)
    assert row[2] == Quality.BAD_SENSOR_FAILURE
    assert math.isnan(row[1])


def test_an_integer_that_its_scale_makes_infinite_is_no_number():
    own = PointSpec(id=1, tag="plc", org="p", device="plc", role=PointRole.DEVICE, type=PointType.BIT)
    made = Memory(own, [PointSpec(id=2, tag="A", org="p/s", device="plc", type=PointType.INT32, scale=1e308)])
    batch = made.opened([Reading(0, BuiltIn.INT32, 1000, WALL)], WALL, MONO)
    assert math.isnan(batch.value[1])
    assert batch.quality[1] == Quality.BAD_SENSOR_FAILURE


REPORTS = st.lists(
    st.tuples(
        st.integers(0, 3 * S),
        st.lists(
            st.tuples(
                st.integers(1, 2),
                st.builds(
                    double,
                    st.floats(allow_nan=True),
                    st.none() | st.integers(-90 * S, 20 * S).map(lambda off_ns: WALL + off_ns),
                    st.sampled_from([0, 0x4080_0000, BAD_SENSOR_FAILURE]),
                ),
            ),
            max_size=6,
        ),
    ),
    max_size=8,
)


@given(REPORTS)
def test_times_of_a_point_never_go_back_or_beyond_the_receipt_and_no_batch_has_it_twice(reports):
    made = new_memory()
    made.opened([double(1.0, WALL), double(2.0, WALL)], WALL, MONO)
    latest = dict.fromkeys((11, 12, 13), MONO)
    now = 0
    for step_ns, changes in reports:
        now += step_ns
        for batch in made.published(changes, [1, 2], WALL + now, MONO + now):
            assert len(set(batch.point.tolist())) == len(batch)
            for point, mono_ns in zip(batch.point.tolist(), batch.mono_ns.tolist(), strict=True):
                assert latest[point] <= mono_ns <= MONO + now
                latest[point] = mono_ns
            bad = [is_bad(quality) for quality in batch.quality.tolist()]
            assert bad == [math.isnan(value) for value in batch.value.tolist()]


def said(*batches):
    return [(each.point, each.what, each.quality, each.time_ns - WALL, each.mono_ns - MONO)
            for batch in batches for each in batch.said]  # fmt: skip


def text(what, status=0):
    return Reading(status, STRING, what, None)


@pytest.fixture
def texts():
    """Points 12, a number, and 13, a text."""
    own = PointSpec(id=11, tag="plc", org="p", device="plc", role=PointRole.DEVICE, type=PointType.BIT)
    return Memory(
        own,
        [
            PointSpec(id=12, tag="A", org="p/s", device="plc", type=PointType.FLOAT64),
            PointSpec(id=13, tag="B", org="p/s", device="plc", type=PointType.STRING),
        ],
    )


def test_a_text_is_said_when_it_is_read_and_when_it_changes(texts):
    first = texts.opened([double(1.0), text("LOT-1")], WALL, MONO)
    assert said(first) == [(13, "LOT-1", 0, 0, 0)]
    changed = texts.published([(1, double(2.0)), (2, text("LOT-22"))], [], WALL + S, MONO + S)
    assert said(*changed) == [(13, "LOT-22", 0, S, S)]
    assert [row[:2] for row in rows(*changed)] == [(12, 2.0), (13, 6.0), (11, 1.0)]


def test_a_status_is_said_when_it_changes_though_the_quality_stays(texts):
    texts.opened([double(1.0), text("x")], WALL, MONO)
    for second, status in enumerate((0x8000_0000, 0x803C_0000, 0x803C_0000), 1):
        (found,) = [
            said(*texts.published([(1, Reading(status, None, None, second))], [], WALL + second * S, MONO + second * S))
        ]
        assert found == ([] if second == 3 else [(12, status, Quality.BAD, second * S, second * S)])


def test_a_status_is_remembered_over_a_loss(texts):
    texts.opened([double(1.0, status=0x4094_0000), text("x")], WALL, MONO)
    assert said(texts.lost(WALL + S, MONO + S)) == []
    assert said(texts.opened([double(1.0, status=0x4094_0000), text("x")], WALL, MONO)) == [(13, "x", 0, 0, 0)]


def test_a_bad_text_is_not_said(texts):
    assert said(texts.opened([double(1.0), text("x", 0x8000_0000)], WALL, MONO)) == [
        (13, 0x8000_0000, Quality.BAD, 0, 0)
    ]
