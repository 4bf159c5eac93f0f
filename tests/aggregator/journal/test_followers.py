"""A follower reads on from its cursor; a cursor is a token that nobody can get wrong in silence."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.journal.cursor import Cursor, Place
from aggregator.journal.followers import follow, read_after, read_newest
from aggregator.journal.log import Draft, Journal, JournalKind
from contract.errors import FrameError


def append(engine, chain: str, count: int) -> None:
    with engine.begin() as connection:
        Journal("park", chain).append(connection, [Draft(JournalKind.INGEST_START, 1, {})] * count)


def places(found) -> list[tuple[str, int]]:
    return [(each.entry.chain, each.entry.seq) for each in found]


def test_every_cursor_leads_on_to_exactly_what_follows_it(engine):
    append(engine, "a", 3)
    append(engine, "b", 2)
    with engine.begin() as connection:
        everything = read_after(connection, Cursor())
        assert places(everything) == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2)]
        for at, each in enumerate(everything):
            rest = read_after(connection, Cursor.decode(each.cursor.encode()))
            assert places(rest) == places(everything)[at + 1 :]


def test_a_page_is_bounded_and_the_next_one_goes_on(engine):
    append(engine, "a", 5)
    with engine.begin() as connection:
        page = read_after(connection, Cursor(), limit=2)
        assert places(page) == [("a", 1), ("a", 2)]
        assert places(read_after(connection, page[-1].cursor, limit=2)) == [("a", 3), ("a", 4)]


def test_the_newest_of_some_kinds_are_found_behind_however_many_of_others(engine):
    with engine.begin() as connection:
        drafts = [Draft(JournalKind.SIGNED_IN, 1, {}), Draft(JournalKind.SIGNED_OUT, 2, {})]
        Journal("park", "a").append(connection, drafts)
    append(engine, "a", 20)
    with engine.begin() as connection:
        kinds = {JournalKind.SIGNED_IN, JournalKind.SIGNED_OUT}
        assert places(read_newest(connection, 5, kinds)) == [("a", 2), ("a", 1)]
        assert places(read_newest(connection, 1, kinds)) == [("a", 2)]
        assert read_newest(connection, 5, set()) == []
        assert len(read_newest(connection, 5)) == 5


def test_a_chain_that_begins_later_is_read_from_its_beginning(engine):
    append(engine, "b", 1)
    with engine.begin() as connection:
        cursor = read_after(connection, Cursor())[-1].cursor
    append(engine, "a", 1)
    with engine.begin() as connection:
        assert places(read_after(connection, cursor)) == [("a", 1)]


def test_a_new_epoch_of_a_chain_comes_after_the_old_one(engine):
    append(engine, "a", 2)
    with engine.begin() as connection:
        cursor = read_after(connection, Cursor())[-1].cursor
        connection.exec_driver_sql(
            "INSERT INTO journal_chains SELECT aggregator, chain, 'ffffffffffffffffffffffffffffffff', algorithm, 0, x'00'"
            " FROM journal_chains"
        )
    append(engine, "a", 1)
    with engine.begin() as connection:
        [found] = read_after(connection, cursor)
    assert (found.entry.journal_epoch[0], found.entry.seq) == ("f", 1)


def test_following_pauses_only_when_there_is_nothing_new(engine):
    append(engine, "a", 2)
    pauses = []

    def pause() -> None:
        pauses.append(1)
        append(engine, "a", 1)

    stream = follow(engine, Cursor(), pause)
    assert [next(stream).entry.seq for _ in range(4)] == [1, 2, 3, 4]
    assert len(pauses) == 2


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1), st.builds(Place, st.text("0123456789abcdef", min_size=32, max_size=32), st.integers(0, 2**63 - 1)), max_size=5
    )
)  # fmt: skip
def test_a_cursor_survives_its_token(heads):
    assert Cursor.decode(Cursor(heads).encode()) == Cursor(heads)


def token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "!", "x", "x" * 20_000, token("[]"), token("{}"), token('{"v":2,"heads":{}}'), token('{"v":1,"heads":[]}'),
        token('{"v":1,"heads":{"a":["x","1"]}}'), token('{"v":1,"heads":{"a":["' + "0" * 32 + '","-1"]}}'),
        token('{"v":1,"heads":{"a":["' + "0" * 32 + '",1]}}'), token('{"v":1,"heads":{"a":["' + "0" * 32 + '","' + "9" * 19 + '"]}}'),
    ],
)  # fmt: skip
def test_anything_else_is_no_cursor(text):
    with pytest.raises(FrameError, match="cursor"):
        Cursor.decode(text)


@given(st.text())
def test_no_text_does_worse_than_be_no_cursor(text):
    with contextlib.suppress(FrameError):
        Cursor.decode(text)
