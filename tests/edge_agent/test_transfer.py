"""From one list to the next while the agent judges: whoever is as he was goes on as if nothing had happened."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, SimulatedClock
from contract.events import ClockState, ConditionData, Stamp
from contract.ids import ActivationId, AgentName, Epoch
from contract.points import Catalogue, ConditionClass, ConditionKind, Limits, PointRole, PointSpec, PointType
from contract.quality import Quality
from edge_agent.detect.engine import Engine, Transition
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import OutboxSettings
from edge_agent.reporting import Reporter
from edge_agent.transfer import Moment, Successors, restore, transfer

LIMITS = Limits(h=25.0, hh=50.0, deadband=1.0, on_delay_s=2.0, off_delay_s=3.0)
PLC = PointSpec(1, "plc1", "acme", "plc1", role=PointRole.DEVICE, type=PointType.BIT, unit="state")
AT = [PointSpec(2 + i, f"AT-{i}", "acme/s", "plc1", unit="ppm", limits=LIMITS) for i in range(4)]
FORMER = Catalogue(1, (PLC, *AT))
QUALITIES = st.sampled_from([Quality.GOOD, Quality.UNCERTAIN, Quality.BAD_COMM_FAILURE, Quality.BAD_SENSOR_FAILURE])
STEPS = st.lists(
    st.tuples(st.sampled_from(AT).map(lambda spec: spec.id), st.floats(0, 60), QUALITIES, st.integers(1, 4)),
    max_size=40,
)


def play(engine: Engine, steps: list, at_s: int, points: set[int]) -> tuple[list[Transition], int]:
    found = []
    for point, value, quality, after_s in steps:
        at_s += after_s
        found += engine.tick(at_s * NS_PER_S, at_s * NS_PER_S)
        if point in points:
            batch = SampleBatch.zeros(1)
            batch.point[:], batch.value[:], batch.quality[:] = point, value, quality
            batch.time_ns[:] = batch.mono_ns[:] = at_s * NS_PER_S
            found += engine.judge(batch)
    return found, at_s


def reporter(catalogue: Catalogue) -> Reporter:
    return Reporter(catalogue, AgentName("gate"), "boot", clock_state, ())


def clock_state() -> ClockState:
    return ClockState(synchronised=True, error_ns=1)


def moved(engine: Engine, new: Catalogue, at_s: int, read_anew: tuple[str, ...] = ()) -> Successors:
    return transfer(FORMER, engine, reporter(FORMER), new, read_anew, Moment(at_s * NS_PER_S, at_s * NS_PER_S))


@given(before=STEPS, behind=STEPS, gone=st.sampled_from(AT), changed=st.sampled_from(AT))
def test_points_that_are_as_they_were_are_judged_as_if_there_had_been_no_change(before, behind, gone, changed):
    new = tuple(
        replace(spec, limits=replace(LIMITS, h=20.0)) if spec == changed else spec for spec in FORMER if spec != gone
    )
    same = {spec.id for spec in AT} - {gone.id, changed.id}
    one, two = Engine(FORMER, 0), Engine(FORMER, 0)
    _, at_s = play(one, before, 0, {spec.id for spec in AT})
    play(two, before, 0, {spec.id for spec in AT})
    two = moved(two, Catalogue(2, (*new, replace(AT[0], id=99, tag="AT-9"))), at_s).engine
    kept = [repr(each) for each in play(one, behind, at_s, same)[0] if each.point in same]
    assert [repr(each) for each in play(two, behind, at_s, same)[0] if each.point in same] == kept
    assert [each for each in one.conditions() if each[0] in same] == [
        each for each in two.conditions() if each[0] in same
    ]


def raised() -> Engine:
    engine = Engine(FORMER, 0)
    play(engine, [(2, 30.0, Quality.GOOD, 1), (2, 30.0, Quality.GOOD, 2)], 0, {2})
    assert (2, "high", 1) in engine.conditions()
    return engine


def level_of(engine: Engine, point: int) -> list[int]:
    return [level for id_, kind, level in engine.conditions() if (id_, kind) == (point, "high")]


def test_of_a_device_that_is_another_one_only_the_levels_stay():
    engine = moved(raised(), Catalogue(2, FORMER.points), 3, ("plc1",)).engine
    assert level_of(engine, 2) == [1]
    assert set(engine.quality().tolist()) == {Quality.BAD_NEVER_READ}


def test_a_condition_stays_with_its_tag_where_its_number_means_something_else():
    new = replace(AT[0], id=77, unit="mg/m3")
    found = moved(raised(), Catalogue(2, (PLC, *AT[1:], new)), 3)
    assert level_of(found.engine, 77) == [1]
    assert not found.events


def test_timers_of_a_point_whose_parameters_are_others_begin_anew_and_its_level_stays():
    engine = Engine(FORMER, 0)
    both = [(2, 30.0, Quality.GOOD, 1), (3, 30.0, Quality.GOOD, 0)]
    below = [(2, 0.0, Quality.GOOD, 1), (3, 0.0, Quality.GOOD, 0)]
    play(engine, [*both * 3, *below], 0, {2, 3})
    new = replace(AT[0], limits=replace(LIMITS, deadband=2.0))
    found = moved(engine, Catalogue(2, (PLC, new, *AT[1:])), 5)
    assert level_of(found.engine, 2) == level_of(found.engine, 3) == [1]
    assert not found.events
    transitions, _ = play(found.engine, below * 7, 5, {2, 3})
    ends = {each.point: each.mono_ns // NS_PER_S for each in transitions if each.kind == "high"}
    # Both are below since second 4, for 3 s; of the changed one these count from what comes behind the change.
    assert ends[3] == 7
    assert ends[2] == 9


def test_a_condition_that_stood_at_the_stop_goes_on_at_the_start_under_the_name_that_its_point_has_now(tmp_path: Path):
    async def stop(store: EventStore) -> None:
        await store.flush()
        await store.close()

    def start(*points: PointSpec) -> tuple[EventStore, Catalogue]:
        store = EventStore.open(tmp_path, AgentName("gate"), OutboxSettings(), SimulatedClock(), "boot", None)
        catalogue = store.catalogue(points)
        store.set_origin("test", "00" * 32, catalogue.version)
        return store, catalogue

    async def scenario() -> None:
        store, catalogue = start(*FORMER)
        first = reporter(catalogue)
        transitions, _ = play(Engine(catalogue, 0), [(2, 30.0, Quality.GOOD, 1), (2, 30.0, Quality.GOOD, 2)], 0, {2})
        store.append([first.pending(each) for each in transitions if each.point == 2])
        await stop(store)
        _, (before,) = store.conditions()
        store, catalogue = start(PLC, replace(AT[0], tag="AT-9", was="AT-0"), *AT[1:])
        engine = Engine(catalogue, 0)
        standing = store.conditions()[1]
        orphans, renamed = restore(catalogue, engine, standing)
        assert not orphans
        assert level_of(engine, 2) == [1]
        second = Reporter(catalogue, AgentName("gate"), "boot", clock_state, standing)
        for condition, point in renamed:
            store.append(second.renamed(condition, point, Stamp(9, 9, "boot", clock_state())))
        await store.flush()
        _, (after,) = store.conditions()
        assert (before.tag, after.tag, after.level) == ("AT-0", "AT-9", before.level)
        assert after.on_time_ns == before.on_time_ns
        assert after.activation != before.activation
        # And it ends as what it is now.
        transitions, _ = play(engine, [(2, 0.0, Quality.GOOD, 4), (2, 0.0, Quality.GOOD, 4)], 0, {2})
        store.append([second.pending(each) for each in transitions if (each.point, each.kind) == (2, "high")])
        await stop(store)
        assert store.conditions()[1] == ()

    asyncio.run(scenario())


def test_a_condition_whose_point_is_gone_or_whose_new_name_stands_already_is_an_orphan():
    def standing(tag: str) -> ConditionData:
        return ConditionData(
            tag, "acme/s", ConditionKind.HIGH, ConditionClass.SAFETY, 1, 0, ActivationId(AgentName("gate"), Epoch("e"), 1), 1,
            30.0, "ppm", 0, 25.0, 1.0, 0, "conditions/1", "at_or_above_setpoint",
        )  # fmt: skip

    new = Catalogue(2, (PLC, replace(AT[0], tag="AT-9", was="AT-0")))
    gone, former, there = standing("AT-3"), standing("AT-0"), standing("AT-9")
    assert restore(new, Engine(new, 0), [gone, former]) == ([gone], [(former, 2)])
    assert restore(new, Engine(new, 0), [former, there]) == ([former], [])
