"""A small budget: what goes, in which order, and that a receiver can verify the chain over what went."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.events import EventType
from contract.points import ConditionClass
from edge_agent.outbox.rows import MIB, Destination

HOUR_NS = 3600 * NS_PER_S
PADDING = "x" * 2000
BUDGET_BYTES = 2 * MIB


@pytest.fixture
def small(bench):
    bench.settings = replace(bench.settings, budget_bytes=BUDGET_BYTES)
    return bench


async def fill(bench, store, rounds: int, *, safety_every: int = 10) -> None:
    """Checkpoints, faults, and a safety condition now and then."""
    for n in range(rounds):
        pending = [bench.event(n=n, padding=PADDING),
                   bench.condition(f"F-{n}", 1, condition_class=ConditionClass.FAULT, reason="y" * 60)]  # fmt: skip
        if n % safety_every == 0:
            pending.append(bench.condition(f"S-{n}", 2))
        store.append(pending)
        await store.flush()


async def until(condition) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")


def tags(receiver, condition_class: str) -> list[str]:
    return [data["tag"] for data in receiver.data(EventType.CONDITION_ON) if data["class"] == condition_class]


def test_acknowledged_rows_are_freed_when_their_time_is_over_without_a_gap_event(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=n) for n in range(10)])
        await store.flush()
        store.acknowledge("plant", 7)
        bench.clock.tick(47 * HOUR_NS)
        store.append([bench.event(n=10)])
        await store.flush()
        assert len((await store.read(0, 99, 10**6)).records) == 11
        bench.clock.tick(2 * HOUR_NS)
        store.append([bench.event(n=11)])
        await store.flush()
        rows = await store.read(0, 99, 10**6)
        assert [(gap.first, gap.last, gap.cause) for gap in rows.gaps] == [(1, 7, "freed")]
        receiver = bench.receiver(store)
        receiver.accept(rows)
        assert (list(receiver.records), receiver.hash) == ([8, 9, 10, 11, 12], store.head().hash)
        assert receiver.data(EventType.GAP) == []
        assert await store.hash_at(7) == rows.gaps[0].hash_last
        assert await store.hash_at(6) is None
        await store.close()
        again = bench.open()
        assert again.head() == store.head()
        await again.close()

    run(scenario())


def test_an_optional_destination_holds_nothing_back_and_a_mandatory_one_does(bench, run) -> None:
    bench.settings = replace(bench.settings, destinations=(Destination("plant"), Destination("city")))

    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=n) for n in range(3)])
        store.acknowledge("plant", 3)
        await store.flush()
        bench.clock.tick(100 * HOUR_NS)
        store.append([bench.event(n=3)])
        await store.flush()
        assert (await store.read(0, 99, 10**6)).gaps == ()
        store.acknowledge("city", 2)
        bench.clock.tick(HOUR_NS)
        store.append([bench.event(n=4)])
        await store.flush()
        assert (await store.read(0, 99, 10**6)).gaps[0].last == 2
        await store.close()

    run(scenario())


def test_everything_may_be_freed_and_the_chain_goes_on_after_a_restart(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=n) for n in range(5)])
        await store.flush()
        store.acknowledge("plant", 5)
        bench.clock.tick(100 * HOUR_NS)
        await store.flush()
        assert (await store.read(0, 9, 10**6)).records == ()
        head = store.head()
        await store.close()
        again = bench.open()
        assert (again.replaced, again.head()) == (None, head)
        again.append([bench.event(n=5)])
        await again.flush()
        receiver = bench.receiver(again)
        await receiver.drain(again)
        assert list(receiver.records) == [6]
        assert receiver.hash == again.head().hash
        await again.close()

    run(scenario())


def test_events_are_given_up_lowest_class_first_safety_never_and_every_run_is_on_record(small, run) -> None:
    async def scenario() -> None:
        store = small.open()
        store.append([small.event(EventType.AGENT_START)])
        rounds = 500
        await fill(small, store, rounds)
        await until(lambda: store.bytes_used() <= BUDGET_BYTES)
        receiver = small.receiver(store)
        await receiver.drain(store)
        assert (receiver.seq, receiver.hash) == (store.head().seq, store.head().hash)
        assert tags(receiver, "safety") == [f"S-{n}" for n in range(0, rounds, 10)]
        checkpoints = len(receiver.data(EventType.CHECKPOINT))
        assert checkpoints < rounds // 2
        assert len(tags(receiver, "fault")) == rounds or checkpoints == 0
        recorded: set[int] = set()
        for data in receiver.data(EventType.GAP):
            assert (data["lane"], data["cause"]) == ("events", "evicted")
            runs = [range(int(each["first"]), int(each["last"]) + 1) for each in data["runs"]]
            assert data["count"] == sum(map(len, runs))
            assert all(len(bytes.fromhex(each["hash_before"])) == 32 for each in data["runs"])
            for numbers in runs:
                assert recorded.isdisjoint(numbers)
                recorded.update(numbers)
        missing = {seq for gap in receiver.gaps for seq in range(gap.first, gap.last + 1)}
        assert missing == recorded
        assert missing
        await store.close()
        again = small.open()
        assert (again.replaced, again.head()) == (None, store.head())
        await again.close()

    run(scenario())


def test_a_budget_that_safety_alone_exceeds_is_said_and_nothing_is_given_up(small, run) -> None:
    async def scenario() -> None:
        store = small.open()
        rounds = 1500
        for n in range(0, rounds, 50):
            store.append([small.condition(f"S-{n + k}", 1) for k in range(50)])
            await store.flush()
        assert store.health().over_budget
        receiver = small.receiver(store)
        await receiver.drain(store)
        assert len(tags(receiver, "safety")) == rounds
        store.acknowledge("plant", store.head().seq)
        for _ in range(3):
            store.append([small.event(n=0, padding=PADDING * 5)])
            await store.flush()
        await until(lambda: store.bytes_used() <= BUDGET_BYTES)
        assert not store.health().over_budget
        await store.close()

    run(scenario())


# -- telemetry ---------------------------------------------------------------------------------------------------------


async def with_telemetry(bench):
    events = bench.open()
    events.append([bench.event(EventType.AGENT_START)])
    telemetry = bench.open_telemetry(events)
    catalogue = events.catalogue(bench.points(100))
    telemetry.set_catalogue(catalogue)
    await events.flush()
    return events, telemetry, catalogue


async def send_noise(bench, telemetry, catalogue, random_numbers, count: int) -> None:
    for _ in range(count):
        before = telemetry.chunks
        batch = SampleBatch.concat([bench.scan(catalogue)] * 60)
        batch.raw[:] = random_numbers.integers(0, 2**16, len(batch))
        telemetry.append(batch)
        bench.clock.tick(NS_PER_S)
        telemetry.flush_source("acme/source0")
        while telemetry.chunks == before:
            await asyncio.sleep(0.001)


def test_telemetry_goes_before_any_event_oldest_first_and_declared(small, run, random_numbers) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await with_telemetry(small)
        await send_noise(small, telemetry, catalogue, random_numbers, 50)
        await fill(small, events, 100)
        await send_noise(small, telemetry, catalogue, random_numbers, 100)
        await until(lambda: events.bytes_used() <= BUDGET_BYTES)
        receiver = small.receiver(events)
        await receiver.drain(events)
        assert receiver.gaps == []
        assert len(receiver.data(EventType.CHECKPOINT)) == 100
        rows = await telemetry.read(0, 1000, 10**8)
        [gap] = rows.gaps
        assert (gap.first, gap.cause) == (1, "evicted")
        assert gap.last + len(rows.chunks) == 150 == telemetry.head().seq
        await events.flush()
        await receiver.drain(events)
        records = receiver.data(EventType.GAP)
        assert {data["lane"] for data in records} == {"telemetry"}
        assert sum(data["count"] for data in records) == gap.last
        await telemetry.close()
        await events.close()
        events, telemetry, _ = await with_telemetry(small)
        assert (await telemetry.read(0, 1000, 10**8)).gaps == rows.gaps
        await telemetry.close()
        await events.close()

    run(scenario())


def test_events_find_room_though_telemetry_filled_the_budget_and_stands_still(small, run, random_numbers) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await with_telemetry(small)
        await send_noise(small, telemetry, catalogue, random_numbers, 115)
        await fill(small, events, 120)
        receiver = small.receiver(events)
        await receiver.drain(events)
        assert receiver.gaps == []
        await until(lambda: events.bytes_used() <= BUDGET_BYTES)
        await telemetry.close()
        await events.close()

    run(scenario())


def test_acknowledged_telemetry_is_freed_for_space_without_an_event(small, run, random_numbers) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await with_telemetry(small)
        for _ in range(6):
            await send_noise(small, telemetry, catalogue, random_numbers, 25)
            telemetry.acknowledge("plant", telemetry.head().seq)
        await until(lambda: events.bytes_used() <= BUDGET_BYTES)
        rows = await telemetry.read(0, 1000, 10**8)
        assert [gap.cause for gap in rows.gaps] == ["freed"]
        receiver = small.receiver(events)
        await receiver.drain(events)
        assert receiver.data(EventType.GAP) == []
        await telemetry.close()
        await events.close()

    run(scenario())
