"""Samples in: spooled, cut into chunks per source, numbered across crashes; and out again."""

from __future__ import annotations

import asyncio
import sqlite3

import numpy as np
import pytest

from contract.chain import digest
from contract.clock import NS_PER_MS, NS_PER_S
from contract.events import EventType, decode_event
from contract.points import Catalogue
from contract.wire.chunk import decode_chunk
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.telemetry_store import TelemetryStore


def kill(*stores) -> None:
    """What kill -9 leaves: files as they are, nothing said goodbye."""
    for store in stores:
        with store._writer._condition:
            store._writer._stopping = True
            store._writer._work.due = lambda: False
            store._writer._condition.notify()
        store._writer._thread.join()
        store._reader.close()
        if isinstance(store, EventStore):
            store._directory_lock.release()


async def opened(bench, points: int = 4, sources: int = 1) -> tuple[EventStore, TelemetryStore, Catalogue]:
    events = bench.open()
    events.append([bench.event(EventType.AGENT_START)])
    telemetry = bench.open_telemetry(events)
    catalogue = events.catalogue(bench.points(points, sources))
    telemetry.set_catalogue(catalogue)
    await events.flush()
    return events, telemetry, catalogue


async def close(events: EventStore, telemetry: TelemetryStore) -> None:
    await telemetry.close()
    await events.close()


async def settled(telemetry: TelemetryStore) -> None:
    """Everything due is committed."""
    telemetry._writer.wake()
    await until(lambda: not telemetry._work.due())
    await until(lambda: not telemetry._work._unwritten)


async def until(condition) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not happen")


async def scans(bench, telemetry, catalogue, count: int, step_s: float = 1.0) -> None:
    for n in range(count):
        telemetry.append(bench.scan(catalogue, raw=n))
        bench.clock.tick(round(step_s * NS_PER_S))
        await settled(telemetry)


async def chunks(telemetry, after: int = 0):
    rows = await telemetry.read(after, 100, 10**7)
    return [] if rows is None else [decode_chunk(data) for data in rows.chunks]


def test_samples_become_a_chunk_when_its_time_is_full(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        heard = []
        telemetry.on_commit(lambda first, last: heard.append((first, last)))
        await scans(bench, telemetry, catalogue, 59)
        assert await telemetry.read(0, 9, 10**6) is None
        await scans(bench, telemetry, catalogue, 3)
        [chunk] = await chunks(telemetry)
        assert chunk.catalogue_version == catalogue.version
        assert chunk.boot_id == events.boot_id
        assert 60 * 4 <= len(chunk.batch) <= 62 * 4
        assert heard == [(1, 1)]
        assert telemetry.head().seq == 1
        rows = await telemetry.read(0, 9, 10**6)
        assert rows is not None
        assert telemetry.head().hash == digest("sha256", rows.chunks[0]) == await telemetry.digest_at(1)
        assert (telemetry.samples_appended, telemetry.chunks) == (62 * 4, 1)
        assert telemetry.samples_in_chunks == len(chunk.batch)
        await close(events, telemetry)

    run(scenario())


def test_every_sample_comes_out_once_with_stamps_floored_to_the_millisecond(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        bench.clock.tick(1_234_567)
        await scans(bench, telemetry, catalogue, 130)
        await close(events, telemetry)
        events = bench.open()
        telemetry = bench.open_telemetry(events)
        batches = [chunk.batch for chunk in await chunks(telemetry)]
        raw = np.concatenate([batch.raw[batch.point == 1] for batch in batches])
        assert sorted(raw.tolist()) == list(range(130))
        for batch in batches:
            assert not (batch.time_ns % NS_PER_MS).any()
            assert not (batch.mono_ns % NS_PER_MS).any()
        await close(events, telemetry)

    run(scenario())


def test_an_event_sends_off_the_chunk_of_its_source_alone(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench, points=4, sources=2)
        telemetry.append(bench.scan(catalogue))
        telemetry.flush_source("acme/source1")
        await until(lambda: telemetry.head().seq == 1)
        [chunk] = await chunks(telemetry)
        of_source = {point.id for point in catalogue if point.source == "acme/source1"}
        assert set(chunk.batch.point.tolist()) == of_source
        assert telemetry.health().waiting == 2
        await close(events, telemetry)

    run(scenario())


def test_a_new_catalogue_cuts_what_is_open_under_the_old_one(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, first = await opened(bench)
        telemetry.append(bench.scan(first))
        second = events.catalogue(bench.points(6))
        telemetry.set_catalogue(second)
        telemetry.append(bench.scan(second))
        await until(lambda: telemetry.head().seq == 1)
        await telemetry.close()
        assert telemetry.chunks == 2
        await events.close()
        events = bench.open()
        telemetry = bench.open_telemetry(events)
        assert [(chunk.catalogue_version, len(chunk.batch)) for chunk in await chunks(telemetry)] == [(1, 4), (2, 6)]
        await close(events, telemetry)

    run(scenario())


def test_ticks_and_points_that_nobody_knows_are_no_telemetry(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        batch = bench.scan(catalogue)
        batch.point[0], batch.point[1] = -1, 99
        telemetry.append(batch)
        telemetry.flush_source("acme/source0")
        await until(lambda: telemetry.head().seq == 1)
        [chunk] = await chunks(telemetry)
        assert chunk.batch.point.tolist() == [3, 4]
        await close(events, telemetry)

    run(scenario())


# -- crashes ----------------------------------------------------------------------------------------------------------


def test_a_crash_costs_no_more_than_what_was_not_yet_spooled(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        await scans(bench, telemetry, catalogue, 10)
        telemetry.append(bench.scan(catalogue, raw=10))  # not spooled: a second has not passed
        kill(telemetry, events)
        events = bench.open()
        telemetry = bench.open_telemetry(events)
        recovered = await chunks(telemetry, telemetry.head().seq - 1)
        raw = np.concatenate([chunk.batch.raw[chunk.batch.point == 1] for chunk in recovered])
        assert set(range(9)) <= set(raw.tolist()) <= set(range(11))
        assert len(raw) == len(set(raw.tolist()))
        assert {chunk.boot_id for chunk in recovered} == {"boot.1"}
        assert events.boot_id == "boot.2"
        await close(events, telemetry)

    run(scenario())


def test_after_an_unclean_stop_numbers_begin_with_the_next_block(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        for _ in range(3):
            telemetry.append(bench.scan(catalogue))
            telemetry.flush_source("acme/source0")
            await settled(telemetry)
        assert telemetry.head().seq == 3
        kill(telemetry, events)

        events = bench.open()
        assert events.unclean_stop
        telemetry = bench.open_telemetry(events)
        assert telemetry.head().seq == 4096
        assert telemetry.head().hash == b""
        telemetry.set_catalogue(catalogue)
        telemetry.append(bench.scan(catalogue))
        telemetry.flush_source("acme/source0")
        await until(lambda: telemetry.head().seq == 4097)
        rows = await telemetry.read(0, 100, 10**7)
        assert (rows.first_seq, len(rows.chunks)) == (1, 4)
        [gap] = rows.gaps
        assert (gap.first, gap.last, gap.cause) == (4, 4096, "unclean_stop")
        assert (await telemetry.read(100, 9, 10**6)).gaps[0].first == 101
        await telemetry.close()

        # The agent's first event goes before the one that speaks of the gap.
        events.append([bench.event(EventType.AGENT_START)])
        await events.flush()
        await events.flush()
        receiver = bench.receiver(events)
        await receiver.drain(events)
        types = [decode_event(record.open).event.type for record in receiver.records.values()]
        assert types == [EventType.AGENT_START, EventType.AGENT_START, EventType.GAP]
        [data] = receiver.data(EventType.GAP)
        assert (data["lane"], data["cause"], data["count"]) == ("telemetry", "unclean_stop", 4093)
        assert data["runs"][0]["first"] == "4"
        await events.close()

    run(scenario())


def test_a_clean_stop_wastes_no_number_and_declares_no_gap(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        telemetry.append(bench.scan(catalogue))
        await close(events, telemetry)
        events, telemetry, catalogue = await opened(bench)
        telemetry.append(bench.scan(catalogue))
        await close(events, telemetry)
        events, telemetry, catalogue = await opened(bench)
        rows = await telemetry.read(0, 9, 10**6)
        assert rows is not None
        assert (len(rows.chunks), rows.gaps) == (2, ())
        await close(events, telemetry)

    run(scenario())


def test_numbers_never_repeat_though_a_power_cut_takes_the_last_commits(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        for _ in range(5):
            telemetry.append(bench.scan(catalogue))
            telemetry.flush_source("acme/source0")
            await settled(telemetry)
        kill(telemetry, events)
        lost = sqlite3.connect(bench.directory / "telemetry.db")
        lost.execute("DELETE FROM chunks WHERE seq > 2")  # synchronous=NORMAL: they were in no sync
        lost.commit()
        lost.close()
        events, telemetry, catalogue = await opened(bench)
        telemetry.append(bench.scan(catalogue))
        telemetry.flush_source("acme/source0")
        await until(lambda: telemetry.head().seq == 4097)
        assert await telemetry.digest_at(4) is None
        rows = await telemetry.read(5, 9, 10**6)  # the aggregator has up to 5
        assert rows is not None
        assert (rows.gaps[0].first, rows.gaps[0].last, len(rows.chunks)) == (6, 4096, 1)
        await close(events, telemetry)

    run(scenario())


def test_a_clean_stop_says_nothing_of_a_crash_in_the_run_after_it(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        telemetry.append(bench.scan(catalogue))
        await close(events, telemetry)
        events, telemetry, catalogue = await opened(bench)
        for _ in range(3):
            telemetry.append(bench.scan(catalogue))
            telemetry.flush_source("acme/source0")
            await settled(telemetry)
        assert telemetry.head().seq == 4
        kill(telemetry, events)
        lost = sqlite3.connect(bench.directory / "telemetry.db")
        lost.execute("DELETE FROM chunks WHERE seq > 1")
        lost.commit()
        lost.close()
        events, telemetry, catalogue = await opened(bench)
        rows = await telemetry.read(0, 9, 10**6)
        assert rows is not None
        assert [(gap.first, gap.last, gap.cause) for gap in rows.gaps] == [(2, 4096, "unclean_stop")]
        await close(events, telemetry)

    run(scenario())


def test_a_telemetry_page_that_goes_bad_while_running_costs_declared_numbers_only(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        for _ in range(4):
            telemetry.append(bench.scan(catalogue))
            telemetry.flush_source("acme/source0")
            await settled(telemetry)
        telemetry.acknowledge("plant", 3)
        telemetry.append(bench.scan(catalogue, raw=9))
        epoch = events.epoch
        telemetry._writer.replace("malformed", "corrupt").result(10)
        telemetry.flush_source("acme/source0")
        await until(lambda: telemetry.head().seq == 4097)
        assert (events.epoch, telemetry.acknowledged("plant")) == (epoch, 3)
        rows = await telemetry.read(0, 9, 10**6)
        assert rows is not None
        told = [(gap.first, gap.last, gap.cause) for gap in rows.gaps]
        assert told == [(1, 3, "freed"), (4, 4096, "store_replaced")]
        assert decode_chunk(rows.chunks[0]).batch.raw.tolist() == [9, 9, 9, 9]
        await close(events, telemetry)

    run(scenario())


def test_a_corrupt_telemetry_file_costs_its_rows_and_nothing_else(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        telemetry.append(bench.scan(catalogue))
        await close(events, telemetry)
        (bench.directory / "telemetry.db").write_bytes(b"junk" * 5000)
        events = bench.open()
        assert events.replaced is None
        telemetry = bench.open_telemetry(events)
        assert telemetry.replaced is not None
        rows = await telemetry.read(0, 9, 10**6)
        assert [(gap.first, gap.last, gap.cause) for gap in rows.gaps] == [(1, 1, "store_replaced")]
        telemetry.set_catalogue(catalogue)
        telemetry.append(bench.scan(catalogue))
        telemetry.flush_source("acme/source0")
        await until(lambda: telemetry.head().seq == 2)
        await close(events, telemetry)

    run(scenario())


def test_a_fork_takes_telemetry_into_the_new_epoch_with_what_is_open(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        await scans(bench, telemetry, catalogue, 5)
        await events.set_aside("fork")
        await until(lambda: telemetry._work.image.epoch == events.epoch)
        assert telemetry.head().seq == 0
        telemetry.flush_source("acme/source0")
        await until(lambda: telemetry.head().seq == 1)
        [chunk] = await chunks(telemetry)
        assert len(chunk.batch) == 20
        await close(events, telemetry)
        events = bench.open()
        telemetry = bench.open_telemetry(events)
        assert telemetry.replaced is None
        assert telemetry.head().seq == 1
        await close(events, telemetry)

    run(scenario())


def test_telemetry_of_a_former_epoch_is_set_aside(bench, run) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        telemetry.append(bench.scan(catalogue))
        await close(events, telemetry)
        (bench.directory / "events.db").write_bytes(b"junk" * 5000)
        events = bench.open()
        telemetry = bench.open_telemetry(events)
        assert (telemetry.head().seq, await telemetry.read(0, 9, 10**6)) == (0, None)
        assert "former epoch" in telemetry.replaced
        await close(events, telemetry)

    run(scenario())


def test_samples_wait_in_memory_while_the_disk_refuses(bench, run, full_disk) -> None:
    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        await settled(telemetry)
        with full_disk(telemetry):
            for n in range(5):
                telemetry.append(bench.scan(catalogue, raw=n))
                bench.clock.tick(NS_PER_S)
            telemetry._writer.wake()
            await until(lambda: telemetry.health().failing is not None)
            assert telemetry.health().waiting == 20
        telemetry.flush_source("acme/source0")
        await until(lambda: telemetry.head().seq == 1)
        [chunk] = await chunks(telemetry)
        assert len(chunk.batch) == 20
        assert telemetry.health().failing is None
        await close(events, telemetry)

    run(scenario())


def test_samples_beyond_memory_are_counted_and_put_on_record(bench, run, full_disk, monkeypatch) -> None:
    monkeypatch.setattr("edge_agent.outbox.telemetry_work.SAMPLES_IN_MEMORY_MAX", 10)

    async def scenario() -> None:
        events, telemetry, catalogue = await opened(bench)
        await settled(telemetry)
        with full_disk(telemetry):
            for _ in range(4):
                telemetry.append(bench.scan(catalogue))
            assert (telemetry.health().waiting, telemetry.health().dropped) == (8, 8)
        receiver = bench.receiver(events)
        for _ in range(500):
            await receiver.drain(events)
            if sum(data["count"] for data in receiver.data(EventType.GAP)) == 8:
                break
            await asyncio.sleep(0.01)
        assert {(data["lane"], data["cause"]) for data in receiver.data(EventType.GAP)} == {
            ("telemetry", "memory_full")
        }
        assert sum(data["count"] for data in receiver.data(EventType.GAP)) == 8
        await close(events, telemetry)

    run(scenario())
