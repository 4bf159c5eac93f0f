"""Four processes write one chain while a follower reads along: nothing forks, nothing is skipped."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import threading
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

from aggregator.journal.cursor import Cursor
from aggregator.journal.followers import follow
from aggregator.journal.log import Draft, Journal, JournalKind
from aggregator.journal.verify import verify_journal
from aggregator.store.db import open_reader, open_writer
from contract.events import Json
from contract.keys import generate

WRITERS = 4
ROWS_EACH = 30
JOURNAL = Journal("park", "ingest")


def draft(**data: Json) -> Draft:
    return Draft(JournalKind.INGEST_START, 1_790_000_000_000_000_000, data)


def write_rows(database: Path, writer: int, together: Barrier) -> None:
    engine = open_writer(database)
    with engine.connect() as connection:
        together.wait(60)
        for number in range(ROWS_EACH):
            time.sleep(0.001)  # let the lock go round; who has it would keep it otherwise
            with connection.begin():
                JOURNAL.append(connection, [draft(writer=str(writer))] * (1 + number % 3))
    engine.dispose()


def test_four_writers_leave_one_chain_and_a_follower_meanwhile_skips_nothing(database):
    total = WRITERS * sum(1 + number % 3 for number in range(ROWS_EACH))
    followed: list[tuple[int, str]] = []

    def read_along() -> None:
        for each in follow(open_reader(database), Cursor(), lambda: time.sleep(0.01)):
            followed.append((each.entry.seq, json.loads(each.entry.open)["data"]["writer"]))
            if len(followed) == total:
                return

    reader = threading.Thread(target=read_along, daemon=True)
    reader.start()
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(WRITERS)
    writers = [spawn.Process(target=write_rows, args=(database, number, together)) for number in range(WRITERS)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    assert [process.exitcode for process in writers] == [0] * WRITERS
    reader.join(10)
    assert [seq for seq, _ in followed] == list(range(1, total + 1))
    order = [writer for _, writer in followed]
    assert sum(a != b for a, b in itertools.pairwise(order)) > WRITERS, "the writers took turns"
    with open_reader(database).begin() as connection:
        [walked] = verify_journal(connection, generate("park").public)
    assert (walked.records, walked.broken) == (total, None)
