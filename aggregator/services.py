"""Everything that the web process can be asked, in one place: API and pages take it, and hold no rules of their own.

Every function of a service takes the ``Caller`` and looks up session and rights at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.alarms.service import AlarmService
from aggregator.commands.channel import CommandClient
from aggregator.folder import Folder
from aggregator.history.service import TrendService
from aggregator.live.agents import AgentService
from aggregator.live.service import PointService
from aggregator.people.reading import JournalService
from aggregator.people.service import PeopleService
from aggregator.plant.points import PointBook
from aggregator.plant.service import MapService
from contract.clock import Clock


@dataclass(frozen=True, slots=True)
class Services:
    """Made once per process by ``make_services``."""

    folder: Folder
    clock: Clock
    people: PeopleService
    alarms: AlarmService
    journal: JournalService
    points: PointService
    trends: TrendService
    agents: AgentService
    plant: MapService


def make_services(folder: Folder, clock: Clock, client: CommandClient) -> Services:
    """``client`` stays the caller's, who closes it."""
    people, book = PeopleService(folder, clock, client), PointBook()
    return Services(
        folder=folder,
        clock=clock,
        people=people,
        alarms=AlarmService(folder, people),
        journal=JournalService(folder, people),
        points=PointService(folder, people, clock, book),
        trends=TrendService(folder, people, clock, book),
        agents=AgentService(folder, people, clock, book),
        plant=MapService(folder, people, book),
    )
