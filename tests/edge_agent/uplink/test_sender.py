"""The uplink over a real CURVE link: what is owed arrives once and in order, whoever restarts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np

from contract.batch import SampleBatch
from contract.events import decode_event
from contract.wire.chunk import decode_chunk
from contract.wire.session import AgentPhase


def numbers(records: list[bytes]) -> list[int]:
    return [decode_event(record).message.seq for record in records]


def test_committed_events_arrive_in_order_and_are_acknowledged(edge, until):
    async def scenario():
        async with edge() as (agent, aggregator):
            for _ in range(20):
                agent.append(3)
            await until(lambda: agent.events.acknowledged("park") == 60)
            assert numbers(aggregator.records) == list(range(1, 61))

    asyncio.run(scenario())


def test_a_session_begins_with_catalogue_and_snapshot(edge, until):
    async def scenario():
        async with edge() as (agent, aggregator):
            await until(lambda: bool(aggregator.snapshots and aggregator.live))
            assert [each.version for each in aggregator.catalogues] == [agent.catalogue.version]
            assert aggregator.snapshots[0].epoch == agent.events.epoch
            assert aggregator.live[0].devices == {agent.catalogue.points[0].id: 5}

    asyncio.run(scenario())


def test_a_restarted_aggregator_gets_what_it_lacks_and_nothing_twice(edge, until):
    async def scenario():
        async with edge(uplink=False) as (agent, aggregator):
            uplink = asyncio.create_task(agent.uplink.run())
            agent.append(5)
            await until(lambda: len(aggregator.records) == 5)
            aggregator.standing = None  # as after a restart: nothing is known of the link
            agent.append(5)
            await until(lambda: agent.events.acknowledged("park") == 10)
            assert numbers(aggregator.records) == list(range(1, 11))
            assert len(aggregator.hellos) == 2
            uplink.cancel()
            await asyncio.gather(uplink, return_exceptions=True)

    asyncio.run(scenario())


def test_what_was_never_acknowledged_is_sent_again_after_a_new_welcome(edge, until):
    async def scenario():
        async with edge() as (agent, aggregator):
            aggregator.acknowledging = False
            agent.append(4)
            await until(lambda: len(aggregator.records) == 4)
            assert agent.events.acknowledged("park") == 0
            aggregator.acknowledging, aggregator.standing = True, None
            aggregator.records.clear()  # restored from an older backup
            await until(lambda: agent.events.acknowledged("park") == 4)
            assert numbers(aggregator.records) == [1, 2, 3, 4]

    asyncio.run(scenario())


def test_a_backlog_is_read_from_the_store(edge, until):
    """More than memory keeps: the short way cannot serve it."""

    async def scenario():
        async with edge(uplink=False) as (agent, aggregator):
            agent.append(3000)
            await agent.events.flush()
            uplink = asyncio.create_task(agent.uplink.run())
            await until(lambda: agent.events.acknowledged("park") == 3000)
            assert numbers(aggregator.records) == list(range(1, 3001))
            uplink.cancel()
            await asyncio.gather(uplink, return_exceptions=True)

    asyncio.run(scenario())


def test_telemetry_follows_and_is_counted_at_the_socket(edge, until):
    async def scenario():
        async with edge() as (agent, aggregator):
            batch = SampleBatch.zeros(50)
            batch.point[:] = agent.catalogue.points[1].id
            batch.time_ns[:] = batch.mono_ns[:] = np.arange(50) * 1_000_000
            batch.raw[:] = np.arange(50)
            agent.telemetry.append(batch)
            agent.telemetry.flush_source("E/S")
            await until(lambda: agent.telemetry.acknowledged("park") >= 1)
            assert sum(len(decode_chunk(chunk).batch) for chunk in aggregator.chunks) == 50
            assert agent.uplink.traffic.samples_sent == 50
            assert agent.uplink.traffic.bytes_sent > sum(map(len, aggregator.chunks))

    asyncio.run(scenario())


def test_a_differing_history_is_reported_as_a_fork_and_nothing_is_sent(edge, until):
    async def scenario():
        async with edge(uplink=False) as (agent, aggregator):
            agent.append(3)
            await agent.events.flush()
            aggregator.records.append(b"{}")
            aggregator.hash_override = b"\x07" * 32
            uplink = asyncio.create_task(agent.uplink.run())
            await until(lambda: bool(agent.forks))
            assert agent.uplink.phase is AgentPhase.FORKED
            assert aggregator.records == [b"{}"]
            uplink.cancel()
            await asyncio.gather(uplink, return_exceptions=True)

    asyncio.run(scenario())


def test_it_goes_to_the_next_endpoint_when_one_is_dead(edge, until):
    async def scenario():
        async with edge(uplink=False) as (agent, aggregator):
            agent.uplink.peer = type(agent.uplink.peer)(
                "park", ("tcp://127.0.0.1:1", f"tcp://127.0.0.1:{aggregator.port}"), aggregator.keys.public.curve_public
            )
            agent.uplink.endpoint = "tcp://127.0.0.1:1"
            uplink = asyncio.create_task(agent.uplink.run())
            agent.append(1)
            await until(lambda: len(aggregator.records) == 1, timeout_s=20)
            assert agent.uplink.endpoint.endswith(str(aggregator.port))
            uplink.cancel()
            await asyncio.gather(uplink, return_exceptions=True)

    asyncio.run(scenario())


def test_live_sends_only_what_changed_and_never_a_bad_value(edge, until):
    async def scenario():
        async with edge(uplink=False) as (agent, _):
            point = agent.catalogue.points[1].id
            batch = SampleBatch.zeros(1)
            batch.point[0], batch.value[0], batch.mono_ns[0] = point, 12.5, 10**18
            agent.engine.judge(batch)
            agent.live.note(batch)
            first = agent.live.changed_since_last("park")
            assert len(np.frombuffer(first.point, "<i4")) == 2
            assert len(agent.live.changed_since_last("park").point) == 0
            batch.quality[0] = 0x81
            agent.engine.judge(batch)
            again = agent.live.changed_since_last("park")
            assert np.frombuffer(again.point, "<i4").tolist() == [point]
            assert np.isnan(np.frombuffer(again.value, "<f8")).all()

    asyncio.run(scenario())


def test_garbage_from_the_aggregator_is_counted_and_changes_nothing(edge, until):
    async def scenario():
        async with edge() as (agent, aggregator):
            await until(lambda: agent.uplink.phase is AgentPhase.STREAMING)
            for noise in (b"", b"\x00" * 100, b"\xdd\xff\xff\xff\xff"):
                await aggregator.shout(noise)
            await until(lambda: agent.uplink.traffic.malformed == 3)
            agent.append(1)
            await until(lambda: agent.events.acknowledged("park") == 1)

    asyncio.run(scenario())


def test_a_change_of_condition_overtakes_a_queue(edge, until):
    """The window is full and nothing is acknowledged: the event itself has to wait, its STATE does not."""

    async def scenario():
        async with edge() as (agent, aggregator):
            await until(lambda: agent.uplink.phase is AgentPhase.STREAMING)
            aggregator.acknowledging = False
            for _ in range(12):
                agent.append(1)
                await agent.events.flush()
                await asyncio.sleep(0.01)
            agent.append_condition("AT-101", level=2)
            await until(lambda: bool(aggregator.states))
            assert len(aggregator.records) < 13
            assert (aggregator.states[0].seq, aggregator.states[0].condition.level) == (13, 2)

    asyncio.run(scenario())


def test_an_aggregator_that_does_not_answer_is_told_in_the_status(edge, until):
    async def scenario():
        async with edge() as (agent, aggregator):
            aggregator.answering, aggregator.standing = False, None
            await until(lambda: agent.uplink.refusal is not None and "no answer" in agent.uplink.refusal, timeout_s=20)
            aggregator.answering = True
            await until(
                lambda: agent.uplink.phase is AgentPhase.STREAMING and agent.uplink.refusal is None, timeout_s=20
            )

    asyncio.run(scenario())


def test_another_catalogue_comes_before_whatever_is_said_by_it(edge, until):
    async def scenario():
        async with edge() as (agent, aggregator):
            agent.append(1)
            await until(lambda: len(aggregator.records) == 1 and bool(aggregator.catalogues))
            points = [*agent.catalogue.points, replace(agent.catalogue.points[1], tag="AT-102")]
            await agent.events.take_on(catalogue := agent.events.proposed(points), "other")
            agent.uplink.catalogue_changed(catalogue)
            agent.events.set_origin("test", "other", catalogue.version)
            agent.append(1)
            await until(lambda: len(aggregator.records) == 2)
            assert [each.version for each in aggregator.catalogues] == [1, 2]
            assert decode_event(aggregator.records[1]).origin.catalogue == 2

    asyncio.run(scenario())
