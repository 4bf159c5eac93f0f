"""A control room before a real receiver: people who ask while it turns, and agents that report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aggregator.alarms.commands import Action
from aggregator.alarms.service import AlarmService, AlarmView
from aggregator.commands.channel import CommandClient
from aggregator.commands.refusal import RefusedError
from aggregator.people.rights import Caller
from aggregator.people.service import PeopleService

KEY = "acme/AT-1/high"


class Room:
    """People before a control room whose receiver turns while they ask."""

    def __init__(self, park: Any, sign_in: Callable[..., Caller]) -> None:
        self.park, self._sign_in = park, sign_in
        self.client = CommandClient(park.folder)
        self.people = PeopleService(park.folder, park.clock, self.client)
        self.alarms = AlarmService(park.folder, self.people)

    def during(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(call, *args, **named)
            self.park.turn_until(asked.done, turns=500)
            return asked.result()

    def enter(self, name: str, role: str, scope: str = "") -> Caller:
        return self._sign_in(name, role, scope)

    def act(self, caller: Caller, action: Action, name: str = KEY, seen: int | None = None, **args: Any) -> AlarmView:
        view = self.alarms.one(caller, name)
        done: AlarmView = self.during(
            self.alarms.act, caller, action, view.instance, view.revision if seen is None else seen, **args
        )
        return done

    def refused(self, *args: Any, **named: Any) -> RefusedError:
        with pytest.raises(RefusedError) as caught:
            self.act(*args, **named)
        return caught.value

    def letter(self, caller: Caller, name: str = KEY) -> str:
        return self.alarms.one(caller, name).letter

    def told(self, agent: Any, tag: str, *levels: int) -> int:
        """The agent reports a condition at each level in turn; 0 is gone. One activation, whose number it gives."""
        first: int = len(agent.records) + 1
        for number, level in enumerate(levels):
            agent.turn(tag, level, None if number == 0 else first)
        agent.acked(agent.batch(first))
        return first

    def later(self, agent: Any, tag: str, level: int, activation: int) -> None:
        """The agent reports another level of an activation."""
        agent.turn(tag, level, activation)
        agent.acked(agent.batch(len(agent.records)))

    def story(self) -> list[tuple[str, str]]:
        """What befell alarms, and the letter after it."""
        return [(each["data"]["event"], each["data"]["to"]["letter"]) for each in self.park.journal("alarm")]


@pytest.fixture
def room(park: Any, sign_in: Callable[..., Caller]) -> Iterator[Room]:
    found = Room(park, sign_in)
    yield found
    found.client.close()


@pytest.fixture
def wang(room: Room) -> Caller:
    return room.enter("wang", "operator")
