"""Registers that a device refuses: found in one turn, remembered, gone around, tried again, forgotten."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.clock import NS_PER_S
from contract.points import PointRole, PointSpec
from contract.quality import Quality
from drivers.base import DeviceSetup
from drivers.modbus.address import Table, examine
from drivers.modbus.holes import EXTRA_REQUESTS_MAX, RETRY_FIRST_NS, RETRY_MAX_NS, Holes
from drivers.modbus.outcome import Answer, Failure, FailureReason
from drivers.modbus.planner import BusCost, Span
from drivers.modbus.registers import RegisterPoint
from drivers.modbus.settings import ModbusSettings
from drivers.modbus.unit import Unit

GOOD, CONFIG = Quality.GOOD, Quality.BAD_CONFIG


def unit_of(offsets, **settings):
    """A unit with a register point for each offset; point ids are 2 and up in their order."""
    specs = [
        PointSpec(id=i, tag=f"T{i}", org="p", device="d", address=f"holding:{offset}")
        for i, offset in enumerate(offsets, 2)
    ]
    own = PointSpec(id=1, tag="d", org="p", device="d", role=PointRole.DEVICE)
    setup = DeviceSetup("d", "device.1", ModbusSettings.model_validate({"host": "h", **settings}), [own, *specs])
    points = [RegisterPoint(spec, address) for spec in specs if (address := examine(spec)[0])]
    return Unit(setup, points, BusCost(2_000_000, 10_000), random.Random(1), shared=False)


def turn(unit, holes=(), length_max=125, now=0, took_ns=0):
    """Run a turn against a device with holes; the last quality of each point, and the number of requests."""
    (group,) = unit.groups
    one, requests = unit.begin(group, now), 0
    seen: dict[int, int] = {}
    while one.pending:
        request = unit.wants(one, now)
        asked = set(range(request.start, request.start + request.count))
        refused = asked & set(holes) or request.count > length_max
        payload = b"" if refused else bytes(request.reply_size)
        rows = unit.take(one, Answer(payload, 2 if refused else None, now, now, took_ns), now, now)
        seen.update(zip(rows.point.tolist(), rows.quality.tolist(), strict=True))
        requests += 1
    unit.end(one, now)
    return seen, requests


def told(unit):
    return unit.health(reconnects=0, missed_turns=0, slowed=None)


def test_one_hole_among_a_hundred_points_costs_the_others_nothing_and_one_request_more():
    unit = unit_of(range(100))
    expected = dict.fromkeys(range(1, 102), GOOD) | {43: CONFIG}
    seen, requests = turn(unit, {41})
    assert seen == expected
    assert requests <= 1 + 2 * 7
    for _ in range(5):
        seen, requests = turn(unit, {41})
        assert (seen, requests) == (expected, 2)
    assert told(unit).refused == ("holding 41..41: refused with exception 02",)


@given(st.sets(st.integers(0, 150), min_size=1, max_size=80), st.sets(st.integers(0, 150), max_size=12))
def test_whatever_the_holes_every_point_beside_them_becomes_good_and_stays_so(offsets, holes):
    places = sorted(offsets)
    unit = unit_of(places)
    expected = {1: GOOD} | {i: CONFIG if offset in holes else GOOD for i, offset in enumerate(places, 2)}
    for _ in range(40):
        seen, _ = turn(unit, holes)
        assert set(seen) == set(expected), "every point has a row in every turn"
        assert all(seen[i] != GOOD or quality == GOOD for i, quality in expected.items())
        if seen == expected and not unit.changed:
            break
        unit.changed = False
    assert seen == expected
    _, former = turn(unit, holes)
    assert turn(unit, holes) == (expected, former), "nothing is left to learn"
    barriers = len(unit.holes.spans)
    assert former <= len(unit_of(places).groups[0].queue) + barriers


@given(st.integers(1, 124), st.integers(2, 125))
def test_a_length_that_the_device_does_not_give_is_found(length_max, count):
    unit = unit_of(range(count))
    for _ in range(12):
        seen, _ = turn(unit, length_max=length_max)
    assert set(seen.values()) == {GOOD}
    _, requests = turn(unit, length_max=length_max)
    assert requests <= max(1, 2 * -(-count // length_max))
    if count > length_max:
        assert unit.holes.lengths[Table.HOLDING] <= length_max


def test_a_length_is_tried_again_when_its_time_has_come():
    unit = unit_of(range(100))
    turn(unit, length_max=60)
    assert turn(unit, length_max=60)[1] == 2
    now = RETRY_FIRST_NS
    assert turn(unit, length_max=60, now=now)[1] > 2
    assert turn(unit, length_max=60, now=now)[1] == 2
    now *= 4
    assert turn(unit, now=now) == (dict.fromkeys(range(1, 102), GOOD), 1)


def test_a_gap_that_must_not_be_read_over_is_found():
    unit = unit_of([0, 1, 10, 11])
    seen, requests = turn(unit, {5})
    assert (set(seen.values()), requests) == ({GOOD}, 3)
    assert turn(unit, {5})[1] == 2
    assert unit.holes.spans == {Span(Table.HOLDING, 1, 10)}


def test_a_gap_that_is_read_around_is_no_trouble_even_when_it_is_tried_again():
    unit = unit_of([0, 1, 10, 11])
    for now in (0, RETRY_FIRST_NS, 2 * RETRY_FIRST_NS):
        assert set(turn(unit, {5}, now=now)[0].values()) == {GOOD}
        assert (told(unit).refused, told(unit).last_failure) == ((), None)


def test_a_device_of_which_everything_is_refused_is_heard_all_the_same():
    unit = unit_of(range(3))
    turn(unit, range(3))
    seen, requests = turn(unit, range(3))
    assert (seen, requests) == ({1: GOOD, 2: CONFIG, 3: CONFIG, 4: CONFIG}, 1)


def test_what_is_refused_in_every_turn_is_news_only_when_its_time_has_come():
    """News are written to disk, synced: a register that is alone in its group must not wear a gateway's flash."""
    unit, news = unit_of([0]), []
    for second in range(60 * 16):
        turn(unit, {0}, now=second * NS_PER_S)
        if unit.changed:
            news.append(second)
        unit.changed = False
    assert news == [0, 60, 180, 420, 900]
    assert turn(unit, now=960 * NS_PER_S) == ({1: GOOD, 2: GOOD}, 1)
    assert not unit.holes.spans


def test_a_turn_spends_no_more_on_searching_than_it_may():
    unit = unit_of(range(100))
    for _ in range(40):
        assert turn(unit, range(100))[1] <= 1 + EXTRA_REQUESTS_MAX


def test_what_was_refused_is_tried_again_after_a_doubling_wait_and_then_forgotten():
    unit = unit_of(range(10))
    turn(unit, {4})
    waits, since = [], 0
    for minute in range(1, 60 * 24 * 4):
        now = minute * 60 * NS_PER_S
        seen, requests = turn(unit, {4}, now=now)
        assert seen[6] == CONFIG
        if requests == 3:
            waits.append(minute - since)
            since = minute
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == RETRY_MAX_NS // (60 * NS_PER_S)
    repaired = now + RETRY_MAX_NS
    assert turn(unit, now=repaired)[0] == dict.fromkeys(range(1, 12), GOOD)
    assert turn(unit, now=repaired)[1] == 1
    assert not unit.holes.spans


def test_a_device_that_refuses_everything_while_it_starts_is_well_a_minute_later():
    unit = unit_of(range(60))
    for second in range(20):
        turn(unit, range(60), now=second * NS_PER_S)
    now = 20 * NS_PER_S + RETRY_FIRST_NS
    turn(unit, now=now)
    seen, requests = turn(unit, now=now)
    assert (set(seen.values()), requests) == ({GOOD}, 1)


@given(st.sets(st.integers(0, 60), min_size=1, max_size=6), st.integers(10, 60))
def test_what_was_learned_outlives_a_restart(holes, length_max):
    unit = unit_of(range(61))
    for _ in range(30):
        turn(unit, holes, length_max)
    learned = json.loads(json.dumps(unit.holes.to_json()))
    again = unit_of(range(61))
    again.recall(learned, 0)
    expected = {1: GOOD} | {i + 2: CONFIG if i in holes else GOOD for i in range(61)}
    former = turn(unit, holes, length_max)
    assert turn(again, holes, length_max) == former
    assert former[0] == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
        lambda each: st.lists(each, max_size=5) | st.dictionaries(st.sampled_from(["refused", "lengths"]), each),
        max_leaves=10,
    )
)
def test_a_spoilt_memory_is_refused_or_harmless(learned):
    try:
        holes = Holes.from_json(learned, 0)
    except ValueError:
        return
    assert all(0 <= span.start < span.end <= 65_536 for span in holes.spans)


def test_what_requests_cost_is_measured_and_planned_with():
    """A register that nobody wants costs 20 us to read over, a second request what was measured."""
    unit = unit_of([0, 61], max_gap=125)
    assert turn(unit)[1] == 1
    for _ in range(200):
        turn(unit, took_ns=1)
    assert unit.cost.request_ns == pytest.approx(500_000, rel=0.05), "no less than a quarter of what was assumed"
    assert turn(unit)[1] == 2
    for _ in range(200):
        turn(unit, took_ns=50_000_000)
    assert unit.slots()[0].busy_ns == pytest.approx(50_000_000, rel=0.1)
    assert turn(unit)[1] == 1


def test_a_refusal_that_may_be_a_late_reply_on_a_line_teaches_nothing():
    unit = unit_of([0, 1, 500], transport="rtu", serial_port="/dev/ttyS1", host=None, late_s=1.5)
    (group,) = unit.groups
    first = unit.begin(group, 0)
    assert unit.wants(first, 0).count == 2
    unit.take(first, Failure(FailureReason.TIMED_OUT, "no answer"), 0, 0)
    unit.end(first, 0)
    refused = Answer(b"", 2, 0, 0)
    second = unit.begin(group, NS_PER_S)
    assert unit.wants(second, NS_PER_S).start == 500
    rows = unit.take(second, refused, NS_PER_S, NS_PER_S)
    assert set(rows.quality.tolist()) == {Quality.BAD_COMM_FAILURE}
    unit.end(second, NS_PER_S)
    assert not unit.holes.spans
    now = 3 * NS_PER_S
    third = unit.begin(group, now)
    assert unit.wants(third, now).start == 0
    unit.take(third, Answer(bytes(4), None, now, now), now, now)
    assert unit.wants(third, now).start == 500
    unit.take(third, refused, now, now)
    unit.end(third, now)
    assert told(unit).refused == ("holding 500..500: refused with exception 02",)


# -- over the wire, on disk ----------------------------------------------------------------------------------------------


def points_of(new_point, count=100):
    return [new_point(i + 2, f"holding:{i}") for i in range(count)]


def test_a_restarted_agent_remembers_and_another_list_forgets(new_device, new_driver, new_point, turns, tmp_path):
    async def scenario():
        async with new_device() as device:
            device.refusals[41] = 2
            points = points_of(new_point)
            (seen, _) = await turns(new_driver(device.port, *points, folder=tmp_path), 2)
            assert Counter(quality for _, quality in seen.values()) == {GOOD: 100, CONFIG: 1}
            assert [path.name for path in tmp_path.iterdir()] == ["modbus-plc.json"]
            device.requests.clear()
            await turns(new_driver(device.port, *points, folder=tmp_path), 1)
            assert device.requests == [(3, 0, 41), (3, 42, 58)]
            device.requests.clear()
            await turns(new_driver(device.port, *points[:-1], folder=tmp_path), 1)
            assert device.requests[0] == (3, 0, 99)

    asyncio.run(scenario())


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"format": 1, "list": "?"}', b"\xff", b"[" * 10_000])
def test_a_spoilt_file_costs_the_memory_and_nothing_else(content, new_device, new_driver, new_point, turns, tmp_path):
    async def scenario():
        async with new_device() as device:
            device.refusals[1] = 3
            (tmp_path / "modbus-plc.json").write_bytes(content)
            (seen, _) = await turns(new_driver(device.port, *points_of(new_point, 3), folder=tmp_path), 2)
            assert [quality for _, (_, quality) in sorted(seen.items())] == [GOOD, GOOD, CONFIG, GOOD]
            assert json.loads((tmp_path / "modbus-plc.json").read_bytes())["learned"]["refused"]

    asyncio.run(scenario())


def test_a_folder_that_takes_no_file_stops_nothing(new_device, new_driver, new_point, turns, tmp_path):
    async def scenario():
        async with new_device() as device:
            device.refusals[1] = 2
            driver = new_driver(device.port, *points_of(new_point, 3), folder=tmp_path / "absent")
            seen = await turns(driver, 3)
            assert [quality for _, (_, quality) in sorted(seen[-1].items())] == [GOOD, GOOD, CONFIG, GOOD]
            assert "not remembered: modbus-plc.json cannot be written" in driver.healths()[0].refused[-1]

    asyncio.run(scenario())
