"""Who may read which journal record: what lies in his scope, and who it was only where his role may see names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from aggregator.folder import Folder
from aggregator.journal.cursor import Cursor
from aggregator.journal.followers import Followed, read_after, read_newest, without_names
from aggregator.journal.log import JournalKind
from aggregator.people.rights import Caller, Person, Right, covers
from aggregator.people.service import PeopleService
from aggregator.store import db


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Records of one look. ``cursor`` leads on behind everything that was looked at, shown or not; ``at_end`` says that
    nothing more was there. Restricted parts are there only where the reader may see them."""

    records: tuple[Followed, ...]
    cursor: Cursor
    at_end: bool


class JournalService:
    """Reads for one caller at a time; holds nothing."""

    def __init__(self, folder: Folder, people: PeopleService) -> None:
        self._database = folder.database
        self._people = people

    def after(self, caller: Caller, after: Cursor, limit: int) -> JournalPage:
        """Looks at ``limit`` records behind the cursor, oldest first; fewer are shown where some lie outside the scope.

        So a page costs the same whatever the scope. Raises RefusedError.
        """
        person = self._people.require(caller, Right.JOURNAL)
        with self._read() as connection:
            found = read_after(connection, after, limit)
        cursor = found[-1].cursor if found else after
        return _page(person, found, cursor, at_end=len(found) < limit)

    def newest(self, caller: Caller, limit: int, kinds: Collection[JournalKind] | None = None) -> JournalPage:
        """Of the newest ``limit`` records, of some kinds or of all, those that the caller may read, newest first.

        Raises RefusedError."""
        person = self._people.require(caller, Right.JOURNAL)
        with self._read() as connection:
            found = read_newest(connection, limit, kinds)
        return _page(person, found, found[0].cursor if found else Cursor(), at_end=True)

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with db.open_reader(self._database).begin() as connection:
            yield connection


def _page(person: Person, found: list[Followed], cursor: Cursor, *, at_end: bool) -> JournalPage:
    reached = [each for each in found if covers(person.scope, each.org)]
    shown = reached if person.may(Right.NAMES) else [without_names(each) for each in reached]
    return JournalPage(tuple(shown), cursor, at_end)
