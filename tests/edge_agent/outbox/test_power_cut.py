"""A power cut at any write: of the WAL only a beginning is on the disk, and maybe rubbish behind it.

Simulated on a copy of the files: the WAL is cut at arbitrary bytes. Every event whose commit was over by then must be there.
"""

from __future__ import annotations

import random
import shutil

from contract.events import EventType
from contract.ids import Epoch
from edge_agent.outbox.event_store import EventStore

CUTS = 40


def test_every_committed_event_is_there_whatever_was_being_written(bench, run, tmp_path):
    files = tmp_path / "files"
    wal = bench.directory / "events.db-wal"
    marks: list[tuple[int, int]] = []

    async def write() -> Epoch:
        store: EventStore = bench.open()
        start = wal.stat().st_size
        marks.append((start, 0))
        store.on_commit(lambda committed: marks.append((wal.stat().st_size, committed[-1].seq)))
        for n in range(30):
            store.append([bench.condition(f"AT-{n}", 2)])
            await store.flush()
        shutil.copytree(bench.directory, files)
        await store.close()
        return store.epoch

    epoch = run(write())
    whole = (files / "events.db-wal").read_bytes()
    # What was checkpointed meanwhile would make the cut harmless: it must not have been.
    assert len(whole) >= marks[-1][0] > marks[0][0]
    heads = set()
    dice = random.Random(20261130)
    for _ in range(CUTS):
        cut = dice.randrange(marks[0][0], len(whole) + 1)
        due = max(seq for size, seq in marks if size <= cut)
        bench.directory = tmp_path / f"cut-{cut}"
        shutil.copytree(files, bench.directory, dirs_exist_ok=True)
        rubbish = dice.randbytes(len(whole) - cut) if dice.random() < 0.5 else b""
        (bench.directory / "events.db-wal").write_bytes(whole[:cut] + rubbish)

        async def judge(due: int = due) -> None:
            store = bench.open()
            assert (store.replaced, store.epoch, store.unclean_stop) == (None, epoch, True)
            head = store.head().seq
            assert head >= due
            heads.add(head)
            assert len(store.conditions()[1]) == head
            store.append([bench.event()])
            await store.flush()
            receiver = bench.receiver(store)
            await receiver.drain(store)
            assert list(receiver.records) == [*range(1, head + 2)]
            assert len(receiver.data(EventType.CONDITION_ON)) == head
            await store.close()

        run(judge())
    assert len(heads) > CUTS // 4, "the cuts hit too little: this shows nothing"
