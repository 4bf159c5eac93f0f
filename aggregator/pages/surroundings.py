"""What a page knows around its alarms: the points that they belong to, which of these the map draws, and the gateways.

It is asked for anew when a gateway comes or goes, and else every few seconds (``View``). It holds nothing that moves all
the time, such as values or the age of a gateway that is there, so two of them differ only where a page has to be drawn anew. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from aggregator.alarms.service import AlarmView
from aggregator.live.agents import AgentView
from aggregator.live.service import PointView
from aggregator.pages.texts import Texts
from aggregator.plant.register import Detector
from contract.clock import NS_PER_S

Key: TypeAlias = "tuple[str, str]"
"""Organisation and tag."""
NAMED_MAX: Final = 3
"""Of gateways that are away so many are named, the rest is counted."""


@dataclass(frozen=True, slots=True)
class PointFacts:
    """What of a point does not move. ``resolution`` as in ``PointView``."""

    description: str
    unit: str
    resolution: float | None


@dataclass(frozen=True, slots=True)
class Gateway:
    """``counts``: it is admitted and reads a point of the person's scope. ``heard_ns`` only of one that is away."""

    connected: bool
    counts: bool
    heard_ns: int | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """As one person may see them."""

    points: Mapping[Key, PointFacts] = field(default_factory=dict)
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    drawn: frozenset[Key] = frozenset()

    def description(self, alarm: AlarmView) -> str:
        facts = self.points.get((alarm.organisation, alarm.tag))
        return "" if facts is None else facts.description

    def resolution(self, alarm: AlarmView) -> float | None:
        facts = self.points.get((alarm.organisation, alarm.tag))
        return None if facts is None else facts.resolution

    def is_drawn(self, alarm: AlarmView) -> bool:
        return (alarm.organisation, alarm.tag) in self.drawn

    def is_confirmed(self, alarm: AlarmView) -> bool:
        """False while the gateway that reported it is away: nobody knows what has become of it."""
        gateway = self.gateways.get(alarm.agent)
        return gateway is None or gateway.connected

    def silent_s(self, alarm: AlarmView, now_ns: int) -> float | None:
        """Since the gateway of an alarm that is not confirmed was heard; None where that is not known."""
        gateway = self.gateways.get(alarm.agent)
        if gateway is None or gateway.heard_ns is None:
            return None
        return max(0, now_ns - gateway.heard_ns) / NS_PER_S

    def gateways_away(self, text: Texts) -> str:
        """In words, such as "1 gateway of 2 away: chlorine-store"; empty while all are there."""
        counted = {name: each for name, each in self.gateways.items() if each.counts}
        away = sorted(name for name, each in counted.items() if not each.connected)
        if not away:
            return ""
        rest = len(away) - NAMED_MAX
        names = ", ".join(away[:NAMED_MAX]) + (f" +{rest}" if rest > 0 else "")
        key = "bar.gateway_away" if len(away) == 1 else "bar.gateways_away"
        return text(key, away=len(away), all=len(counted), names=names)


NOTHING: Final = Surroundings()


def surroundings(points: Iterable[PointView], agents: Iterable[AgentView], drawn: Iterable[Detector]) -> Surroundings:
    """From what the services say."""
    return Surroundings(
        {(each.organisation, each.tag): PointFacts(each.description, each.unit, each.resolution) for each in points},
        {each.name: _gateway(each) for each in agents},
        frozenset((each.organisation, each.tag) for each in drawn),
    )


def _gateway(agent: AgentView) -> Gateway:
    counts = agent.admitted and agent.points > 0
    return Gateway(agent.connected, counts, None if agent.connected else agent.heard_ns)
