"""The one follower: it notices what is committed, and survives a database that cannot be read."""

from __future__ import annotations

import asyncio

import pytest

from aggregator.journal.changeset import Changeset, write
from aggregator.journal.log import Draft, Journal, JournalKind
from aggregator.pages.feed import Feed
from contract.clock import NS_PER_S


@pytest.fixture
def feed(park) -> Feed:
    found = Feed(park.folder, park.clock)
    found.pulse = found.look()
    return found


def record(park, kind: JournalKind) -> None:
    changes = Changeset(park.clock.wall_ns(), [Draft(kind, park.clock.wall_ns(), {})])
    with park.connection.begin():
        write(park.connection, changes, Journal("park", "ingest"))


def look(feed: Feed) -> Feed:
    feed.pulse = feed.look()
    return feed


def test_it_starts_at_the_end_and_sees_each_record_once(park, feed):
    first = feed.pulse
    assert look(feed).pulse.journal == first.journal
    record(park, JournalKind.GAP)
    assert look(feed).pulse.journal == first.journal + 1
    assert look(feed).pulse.journal == first.journal + 1


@pytest.mark.parametrize("kind", [JournalKind.SESSION_REVOKED, JournalKind.USER_CHANGED, JournalKind.SIGNED_OUT])
def test_what_ends_a_session_is_told_apart(park, feed, kind):
    before = feed.pulse.people
    record(park, JournalKind.GAP)
    assert look(feed).pulse.people == before
    record(park, kind)
    assert look(feed).pulse.people == before + 1


def test_an_ingest_that_falls_silent_is_noticed(park, feed):
    park.receiver.turn()
    park.receiver._parts.board.flush()
    assert look(feed).pulse.ingest_is_alive
    park.clock.tick(6 * NS_PER_S)
    assert not look(feed).pulse.ingest_is_alive
    assert feed.pulse.ingest_age_s == pytest.approx(6, abs=1)


def test_a_database_that_cannot_be_read_is_no_news_and_tried_again(park, feed):
    before = feed.pulse.journal
    moved = park.folder.database.rename(park.folder.path / "away.db")
    assert look(feed).pulse.journal == before
    moved.rename(park.folder.database)
    record(park, JournalKind.GAP)
    assert look(feed).pulse.journal == before + 1


def test_pages_are_woken_by_news_and_once_a_second(park, feed):
    async def wait_twice() -> list[int]:
        seen = []
        running = asyncio.create_task(feed.run())
        with feed.listening() as woken:
            for _ in range(3):
                await asyncio.wait_for(woken.wait(), 5)
                woken.clear()
                seen.append(feed.pulse.journal)
                if len(seen) == 1:
                    await asyncio.to_thread(record, park, JournalKind.GAP)
                for _ in range(10):
                    await park.clock.advance(NS_PER_S // 5)
                    await asyncio.sleep(0.02)
        running.cancel()
        return seen

    seen = asyncio.run(wait_twice())
    assert seen[1] == seen[0] + 1


def test_which_gateways_are_there_is_seen_when_one_goes(park, feed, agent):
    park.receiver._parts.board.flush()
    assert look(feed).pulse.connected == {"gate"}
    park.clock.tick(60 * NS_PER_S)
    park.receiver.turn()
    park.receiver._parts.board.flush()
    assert look(feed).pulse.connected == frozenset()
