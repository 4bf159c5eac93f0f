"""Events in: numbered, chained, durable, with their conditions; and out again."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from contract.chain import genesis
from contract.errors import StoreError
from contract.events import EventType, decode_event
from contract.ids import ActivationId, AgentName
from contract.wire.frames import LaneHead
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import Committed, SetAside


def test_events_get_consecutive_numbers_in_one_chain(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        assert store.head() == LaneHead(0, b"")
        store.append([bench.event(EventType.AGENT_START)])
        store.append([bench.event(n=n) for n in range(4)])
        await store.flush()
        receiver = bench.receiver(store)
        await receiver.drain(store)
        assert list(receiver.records) == [1, 2, 3, 4, 5]
        assert store.head() == LaneHead(5, receiver.hash)
        assert [data["n"] for data in receiver.data(EventType.CHECKPOINT)] == [0, 1, 2, 3]
        await store.close()

    run(scenario())


def test_reading_ends_at_rows_and_at_bytes_but_always_gives_one(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=n) for n in range(5)])
        await store.flush()
        size = (await store.read(0, 1, 1)).records[0].size
        assert len((await store.read(0, 3, 10**6)).records) == 3
        assert len((await store.read(0, 9, 2 * size + 20)).records) == 2
        assert len((await store.read(0, 9, 1)).records) == 1
        assert await store.read(5, 9, 10**6) is None
        await store.close()

    run(scenario())


def test_hash_at_answers_for_rows_there_are(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        assert await store.hash_at(0) is None
        store.append([bench.event(n=n) for n in range(3)])
        await store.flush()
        receiver = bench.receiver(store)
        receiver.accept(await store.read(0, 2, 10**6))
        assert await store.hash_at(2) == receiver.hash
        assert await store.hash_at(3) == store.head().hash
        assert await store.hash_at(4) is None
        await store.close()

    run(scenario())


def test_numbers_and_chain_go_on_after_a_stop(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=0)])
        await store.close()
        again = bench.open()
        assert (again.epoch, again.start_number, again.boot_id) == (store.epoch, 2, "boot.2")
        assert (again.unclean_stop, again.replaced) == (False, None)
        assert again.head() == store.head()
        again.append([bench.event(n=1)])
        await again.flush()
        receiver = bench.receiver(again)
        await receiver.drain(again)
        assert list(receiver.records) == [1, 2]
        await again.close()

    run(scenario())


def test_listeners_hear_of_a_commit_after_its_ledger_line_and_in_the_commit_thread(bench, run, tmp_path) -> None:
    from edge_agent.outbox.ledger import Ledger

    heard: list[tuple[str, int, int, bytes]] = []

    async def scenario() -> None:
        bench.ledger = Ledger(tmp_path / "ledger")
        store = bench.open()

        def listener(committed: list[Committed]) -> None:
            lines = (tmp_path / "ledger").read_text().splitlines()
            heard.append((threading.current_thread().name, len(committed), len(lines), store.head().hash))
            assert committed[-1].hash == store.head().hash

        store.on_commit(listener)
        store.append([bench.event(n=n) for n in range(3)])
        await store.close()

    run(scenario())
    assert [(name, count, lines) for name, count, lines, _ in heard] == [("outbox-events", 3, 3)]


def test_a_listener_that_fails_costs_no_event(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.on_commit(lambda _: 1 / 0)
        store.append([bench.event(n=0)])
        await store.flush()
        store.append([bench.event(n=1)])
        await store.flush()
        assert store.head().seq == 2
        await store.close()

    run(scenario())


def test_what_is_queued_while_a_commit_runs_goes_into_one(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        hold = threading.Event()
        store._submit(lambda _: hold.wait(5))  # the commit that runs
        await asyncio.sleep(0.05)
        commits = store.commits
        for n in range(500):
            store.append([bench.event(n=n)])
        hold.set()
        await store.flush()
        assert store.head().seq == 500
        assert store.commits - commits <= 3
        await store.close()

    run(scenario())


def test_append_returns_while_the_disk_hangs(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        hold = threading.Event()
        store._submit(lambda _: hold.wait(5))
        store.append([bench.event(n=0)])
        assert store.head().seq == 0
        assert store.health().waiting == 1
        hold.set()
        await store.flush()
        assert store.health().waiting == 0
        await store.close()

    run(scenario())


def test_an_event_that_cannot_be_built_holds_up_nobody_and_is_put_on_record(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=0), bench.event(text="x" * 70_000), bench.event(n=2)])
        await store.flush()
        await store.flush()
        receiver = bench.receiver(store)
        await receiver.drain(store)
        assert [data["n"] for data in receiver.data(EventType.CHECKPOINT)] == [0, 2]
        [gap] = receiver.data(EventType.GAP)
        assert (gap["cause"], gap["count"]) == ("not_built", 1)
        await store.close()

    run(scenario())


# -- conditions ---------------------------------------------------------------------------------------------------------


def test_conditions_are_those_of_the_last_commit_and_survive_a_restart(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.condition("AT-1", 1), bench.condition("AT-2", 2), bench.condition("AT-3", 1)])
        await store.flush()
        store.append([bench.condition("AT-3", 0, activation=ActivationId(AgentName("gw1"), store.epoch, 3))])
        await store.flush()
        as_of, before = store.conditions()
        assert as_of == 4
        assert {(each.tag, each.level, each.activation.seq) for each in before} == {("AT-1", 1, 1), ("AT-2", 2, 2)}
        await store.close()
        again = bench.open()
        as_of_again, restored = again.conditions()
        assert as_of_again == 4
        assert {repr(each) for each in restored} == {repr(each) for each in before}  # NaN differs from itself
        await again.close()

    run(scenario())


def test_a_condition_and_its_event_are_one_transaction(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        seen = []
        reader = sqlite3.connect(f"file:{bench.directory / 'events.db'}?mode=ro", uri=True, check_same_thread=False)
        store.on_commit(
            lambda _: seen.append(
                reader.execute("SELECT (SELECT max(seq) FROM events), (SELECT max(seq) FROM conditions)").fetchone()
            )
        )
        for n in range(5):
            store.append([bench.condition(f"AT-{n}", 1)])
            await store.flush()
        reader.close()
        assert seen == [(n, n) for n in range(1, 6)]
        await store.close()

    run(scenario())


# -- destinations, lock, identity -----------------------------------------------------------------------------------------


def test_cursors_are_kept_per_destination_and_may_go_down(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=n) for n in range(9)])
        store.acknowledge("plant", 9)
        store.acknowledge("park", 4)
        await store.flush()
        store.acknowledge("plant", 2)
        assert (store.acknowledged("plant"), store.acknowledged("park")) == (2, 4)
        await store.close()
        again = bench.open()
        assert (again.acknowledged("plant"), again.acknowledged("park")) == (2, 4)
        assert await again.read(0, 9, 10**6) is not None  # acknowledged, yet not freed
        await again.close()

    run(scenario())


def test_a_cursor_needs_no_event_to_become_durable(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=0)])
        await store.flush()
        store.acknowledge("plant", 1)
        store._writer.wake()  # as its tick does
        reader = sqlite3.connect(f"file:{bench.directory / 'events.db'}?mode=ro", uri=True)
        for _ in range(200):
            if reader.execute("SELECT seq FROM cursors").fetchall() == [(1,)]:
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the cursor was not committed")
        reader.close()
        await store.close()

    run(scenario())


def test_one_process_per_directory(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        with pytest.raises(StoreError, match="in use"):
            bench.open()
        await store.close()
        await bench.open().close()

    run(scenario())


def test_the_store_of_another_agent_is_refused_and_left_alone(bench, run) -> None:
    async def scenario() -> None:
        await bench.open().close()
        with pytest.raises(StoreError, match="gw1"):
            EventStore.open(bench.directory, AgentName("gw2"), bench.settings, bench.clock, "boot", None)
        again = bench.open()
        assert again.replaced is None
        await again.close()

    run(scenario())


def test_a_store_of_newer_software_is_refused_and_left_alone(bench, run) -> None:
    run(bench.open().close())
    db = sqlite3.connect(bench.directory / "events.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer"):
        bench.open()
    assert [path.name for path in bench.directory.glob("*corrupt*")] == []


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


async def until(condition) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")


def test_genesis_binds_the_chain_to_agent_epoch_and_lane(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        store.append([bench.event(n=0)])
        await store.flush()
        [record] = (await store.read(0, 1, 10**6)).records
        assert decode_event(record.open).origin.epoch == store.epoch
        receiver = bench.receiver(store)
        receiver.hash = genesis("sha256", "gw1", store.epoch, "events")
        await receiver.drain(store)
        assert receiver.hash == store.head().hash
        await store.close()

    run(scenario())
