"""Corrupt files, forks, a disk that refuses: the store goes on, and says what that cost."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from contract.errors import StoreError
from contract.events import EventType
from contract.ids import ActivationId, AgentName
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.rows import SetAside


async def until(condition) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")


# -- corrupt files, forks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["header", "junk", "empty table", "broken chain"])
def test_a_corrupt_file_is_set_aside_and_a_new_epoch_begins(bench, run, damage) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=n) for n in range(3)])
        await store.close()
        hurt(bench.directory / "events.db", damage)
        again = bench.open()
        assert again.replaced is not None
        assert again.epoch != store.epoch
        assert again.head().seq == 0
        assert len(list(bench.directory.glob("events.db.corrupt-*"))) >= 1
        again.append([bench.event(n=9)])
        await again.flush()
        receiver = bench.receiver(again)
        await receiver.drain(again)
        assert list(receiver.records) == [1]
        await again.close()

    run(scenario())


def hurt(path: Path, damage: str) -> None:
    if damage == "header":
        path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    elif damage == "junk":
        path.write_bytes(b"no database at all, but longer than the hundred bytes of a header" * 99)
    else:
        db = sqlite3.connect(path)
        statement = (
            "DELETE FROM meta WHERE key = 'epoch'" if damage == "empty table" else "DELETE FROM events WHERE seq = 2"
        )
        db.execute(statement)
        db.commit()
        db.close()


def test_only_a_few_copies_of_corrupt_files_are_kept(bench, run) -> None:
    for _ in range(6):
        run(bench.open().close())
        hurt(bench.directory / "events.db", "junk")
        bench.clock.tick(1)
    run(bench.open().close())
    assert len(list(bench.directory.glob("events.db.corrupt-*"))) == 3


def test_a_page_that_goes_bad_while_running_costs_the_epoch_but_no_new_event(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        replaced: list[SetAside] = []
        store.on_replaced(replaced.append)
        store.append([bench.condition("AT-1", 1)])
        await store.flush()
        former = store.epoch

        def bad(_: sqlite3.Connection) -> None:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            if store.epoch == former:
                raise error

        store._submit(bad)
        store.append([bench.event(n=1)])
        await store.flush()
        assert store.epoch != former
        assert (replaced[0].former_epoch, replaced[0].former_head.seq) == (former, 1)
        assert (bench.directory / replaced[0].kept_as[0]).exists()
        assert store.head().seq == 1
        receiver = bench.receiver(store)
        await receiver.drain(store)
        assert [data["n"] for data in receiver.data(EventType.CHECKPOINT)] == [1]
        await store.close()

    run(scenario())


def test_after_a_fork_conditions_keep_their_activation_and_ids_their_points(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        catalogue = store.catalogue(bench.points())
        store.append([bench.condition("AT-1", 2)])
        await store.flush()
        former, head = store.epoch, store.head()
        replaced = await store.set_aside("fork at 17")
        assert (replaced.former_epoch, replaced.former_head, replaced.reason) == (former, head, "fork at 17")
        assert store.epoch != former
        as_of, [condition] = store.conditions()
        assert (as_of, condition.activation) == (0, ActivationId(AgentName("gw1"), former, 1))
        assert store.catalogue(bench.points()) == catalogue
        assert await store.read(0, 9, 10**6) is None
        store.append([bench.event(EventType.FORK)])
        await store.close()
        again = bench.open()
        assert again.epoch == store.epoch
        assert again.conditions()[1][0].activation.epoch == former
        assert (again.head().seq, again.start_number) == (1, 2)
        await again.close()

    run(scenario())


# -- a disk that refuses -----------------------------------------------------------------------------------------------------


def test_events_wait_in_memory_while_the_disk_refuses_and_keep_their_order(bench, run, full_disk) -> None:
    async def scenario() -> None:
        store = bench.open()
        with full_disk(store):
            store.append([bench.event(n=n) for n in range(10)])
            await until(lambda: store.health().failing is not None)
            assert "disk is full" in store.health().failing
            store.append([bench.event(n=n) for n in range(10, 20)])
            assert (store.head().seq, store.health().waiting) == (0, 20)
        await store.flush()
        assert store.health().failing is None
        receiver = bench.receiver(store)
        await receiver.drain(store)
        assert [data["n"] for data in receiver.data(EventType.CHECKPOINT)] == list(range(20))
        await store.close()

    run(scenario())


def test_a_commit_that_fails_at_its_very_end_leaves_no_trace_and_is_done_again(bench, run, full_disk, tmp_path) -> None:
    bench.ledger = Ledger(tmp_path / "ledger")
    heard: list[int] = []

    async def scenario() -> None:
        store = bench.open()
        store.on_commit(lambda committed: heard.extend(each.seq for each in committed))
        with full_disk(store, "COMMIT"):
            store.append([bench.condition("AT-1", 1)])
            await until(lambda: store.health().failing is not None)
            assert (store.head().seq, store.conditions(), heard) == (0, (0, ()), [])
            assert (tmp_path / "ledger").read_bytes() == b""
            assert await store.read(0, 9, 10**6) is None
        await store.flush()
        assert (store.head().seq, store.conditions()[0], heard) == (1, 1, [1])
        assert len((tmp_path / "ledger").read_bytes().splitlines()) == 1
        await store.close()

    run(scenario())


def test_what_memory_cannot_bridge_is_counted_and_put_on_record(bench, run, full_disk, monkeypatch) -> None:
    monkeypatch.setattr("edge_agent.outbox.event_work.PENDING_MAX", 10)

    async def scenario() -> None:
        store = bench.open()
        with full_disk(store):
            store.append([bench.event(n=n) for n in range(8)])
            store.append([bench.event(n=n) for n in range(8, 13)])
            assert (store.health().waiting, store.health().dropped) == (10, 3)
        await store.flush()
        receiver = bench.receiver(store)
        await receiver.drain(store)
        assert [data["n"] for data in receiver.data(EventType.CHECKPOINT)] == list(range(10))
        [gap] = receiver.data(EventType.GAP)
        assert (gap["lane"], gap["cause"], gap["count"], gap["runs"]) == ("events", "memory_full", 3, [])
        await store.close()

    run(scenario())


def test_closing_on_a_disk_that_refuses_says_so(bench, run, full_disk) -> None:
    async def scenario() -> None:
        store = bench.open()
        with full_disk(store):
            store.append([bench.event(n=0)])
            with pytest.raises(StoreError, match="disk is full"):
                await store.close()

    run(scenario())
    again = bench.open()
    assert again.unclean_stop
    run(again.close())
