"""Events in: numbered, chained, durable, with their conditions; and out again."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest

from contract.chain import genesis
from contract.errors import StoreError
from contract.events import EventType, decode_event
from contract.ids import ActivationId, AgentName
from contract.wire.frames import LaneHead
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import Committed


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


def test_an_event_carries_the_configuration_that_held_when_it_was_appended(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        started, go_on = threading.Event(), threading.Event()

        def hold(_: list[Committed]) -> None:
            started.set()
            assert go_on.wait(10)

        store.on_commit(hold)
        store.append([bench.event(n=0)])
        assert await asyncio.to_thread(started.wait, 10)
        store.append([bench.event(n=1)])  # waits behind a commit, while another configuration comes
        store.set_origin("edge-agent 0.1.0", "beef", 2)
        store.append([bench.event(n=2)])
        go_on.set()
        await store.flush()
        receiver = bench.receiver(store)
        await receiver.drain(store)
        origins = [decode_event(record.open).origin for record in receiver.records.values()]
        assert [(each.config_hash, each.catalogue) for each in origins] == [("c0ffee", 1), ("c0ffee", 1), ("beef", 2)]
        await store.close()

    run(scenario())
