"""Everything that the web process can be asked, in one place: API and pages take it, and hold no rules of their own.

Every function of a service takes the ``Caller`` and looks up session and rights at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.alarms.service import AlarmService
from aggregator.alarms.service import AlarmService
from aggregator.commands.channel import CommandClient
from aggregator.folder import Folder
from aggregator.people.reading import JournalService
from aggregator.people.service import PeopleService
from contract.clock import Clock


@dataclass(frozen=True, slots=True)
class Services:
    """Made once per process by ``make_services``."""

    folder: Folder
    clock: Clock
    people: PeopleService
    alarms: AlarmService
    journal: JournalService


def make_services(folder: Folder, clock: Clock, client: CommandClient) -> Services:
    """``client`` stays the caller's, who closes it."""
    people = PeopleService(folder, clock, client)
    return Services(
        folder=folder,
        clock=clock,
        people=people,
        alarms=AlarmService(folder, people),
        journal=JournalService(folder, people),
    )
