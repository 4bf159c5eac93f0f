"""What is known of a server's alarms is what stands there, whatever was told, repeated, overtaken or lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import DeviceError
from drivers.opcua import conditions
from drivers.opcua.conditions import (
    CONDITIONS_MAX,
    HIGH,
    HIGH_HIGH,
    LOW,
    LOW_LOW,
    QUEUE_OVERFLOW,
    REFRESH_END,
    REFRESH_REQUIRED,
    REFRESH_START,
    UNKNOWN,
    Conditions,
    Event,
    level_of,
)

SOURCES = ((2, "TT"), (2, "PT"), (3, "TT"))
NAMES = ("Level", "Rate")
POINTS = {1: (SOURCES[0], None), 2: (SOURCES[0], "Level"), 3: (SOURCES[1], None), 4: (SOURCES[1], None)}
NOTHING = Event(None, None, None, None, False, None, None, None, None, None, None, None)
START, END, REQUIRED, OVERFLOW = (
    NOTHING._replace(type=number, source=(0, 2253), time_ns=1)
    for number in (REFRESH_START, REFRESH_END, REFRESH_REQUIRED, QUEUE_OVERFLOW)
)
DISABLED = 0x0096_0000


@dataclass
class Standing:
    """A condition as it is at the server."""

    level: int = 0
    enabled: bool = True
    told_disabled: bool = False
    time_ns: int | None = None


class Server:
    """A twin: it holds what stands and knows nothing of how that is found out."""

    def __init__(self, by_node: bool) -> None:
        self.by_node = by_node
        self.standing = {(source, name): Standing() for source in SOURCES for name in NAMES}
        self.now_ns = 0

    def change(self, source, name, level, enabled):
        self.now_ns += 1
        self.standing[source, name] = Standing(level, enabled, not enabled, self.now_ns)
        return self.event(source, name, self.standing[source, name])

    def event(self, source, name, state):
        node = (5, (source, name)) if self.by_node else None
        limit = {0: None, 1: HIGH, 2: LOW_LOW}[state.level]
        if not state.enabled and state.level:  # as a server may tell it that keeps the rest to itself
            return NOTHING._replace(
                type=9341, source=source, condition=node, name=name, enabled=False, time_ns=state.time_ns
            )
        return Event(
            9341, source, node, name, False, state.level > 0 and state.enabled, state.enabled, state.level > 0, 500,
            limit, None, state.time_ns,
        )  # fmt: skip

    def snapshot(self):
        """Events of what is retained; the disabled is not."""
        for state in self.standing.values():
            state.told_disabled = False
        return [
            self.event(source, name, replace(state))
            for (source, name), state in self.standing.items()
            if state.level and state.enabled
        ]

    def expected(self, source, name):
        own = [state for (of, called), state in self.standing.items() if of == source and name in (None, called)]
        status = DISABLED if any(state.told_disabled for state in own) else 0
        return status, max(state.level if state.enabled else 0 for state in own)


changes = st.tuples(st.sampled_from(SOURCES), st.sampled_from(NAMES), st.integers(0, 2), st.booleans())
steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), changes),
        st.tuples(st.just("refresh"), st.lists(changes, max_size=4), st.lists(changes, max_size=4)),
        st.tuples(st.just("lose"), st.lists(changes, max_size=4), st.sampled_from((REQUIRED, OVERFLOW))),
        st.tuples(st.just("half"), st.lists(changes, max_size=2)),
        st.tuples(st.just("branch"), changes),
        st.tuples(st.just("noise"), st.sampled_from((NOTHING, END, NOTHING._replace(source=SOURCES[0], name="Level")))),
    ),
    max_size=25,
)


@given(by_node=st.booleans(), steps=steps)
def test_what_is_told_is_what_stands_or_that_nothing_is_known(by_node, steps):
    server, ours = Server(by_node), Conditions("plc")
    ours.bind(POINTS)
    told: dict[int, tuple[int, object]] = dict.fromkeys(POINTS, (UNKNOWN, None))

    def hear(*events):
        for place, reading in ours.take(events):
            assert told[place] != (reading.status, reading.value), "nothing is told twice"
            told[place] = reading.status, reading.value

    for kind, *what in steps:
        if kind == "change":
            hear(server.change(*what[0]))
        elif kind == "refresh":  # the server answers with what stood when it was asked, behind newer events
            stale = server.snapshot()
            hear(START, *(server.change(*each) for each in what[0]), *stale)
            hear(*(server.change(*each) for each in what[1]), END)
            assert ours.is_valid
        elif kind == "lose":
            for each in what[0]:
                server.change(*each)
            hear(what[1])
            assert not ours.is_valid
            assert ours.wants_refresh
        elif kind == "half":
            hear(OVERFLOW, *(server.change(*each) for each in what[0]), END)
            assert not ours.is_valid
        elif kind == "branch":
            state = Standing(what[0][2], True, False, server.now_ns)
            hear(server.event(what[0][0], what[0][1], state)._replace(branch=True))
        else:
            hear(what[0])
        for place, (source, name) in POINTS.items():
            assert told[place] == (server.expected(source, name) if ours.is_valid else (UNKNOWN, None))


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"active": False, "severity": 1000, "limit": HIGH_HIGH}, 0),
        ({"active": True}, 1),
        ({"active": True, "severity": 799}, 1),
        ({"active": True, "severity": 800}, 2),
        ({"active": True, "severity": 1000, "limit": HIGH}, 1),
        ({"active": True, "severity": 1000, "limit": LOW}, 1),
        ({"active": True, "severity": 1, "limit": HIGH_HIGH}, 2),
        ({"active": True, "severity": 1, "limit": LOW_LOW}, 2),
        ({"active": True, "severity": 1000, "outer": False}, 1),
        ({"active": True, "severity": 1, "outer": True}, 2),
        ({"active": True, "severity": 900, "limit": 4711}, 2),
        ({"active": None, "retain": True}, 1),
        ({"active": None, "retain": False, "severity": 1000}, 0),
    ],
)
def test_the_level_is_that_of_the_limit_or_else_of_the_severity(fields, level):
    assert level_of(NOTHING._replace(**fields)) == level


def test_a_level_is_stamped_with_the_time_of_its_event():
    ours = Conditions("plc")
    ours.bind(POINTS)
    ours.take([START, END])
    (change,) = ours.take([Server(True).event(SOURCES[1], "Level", Standing(1, time_ns=77))])[:1]
    assert change[1].source_ns == 77


def test_there_is_an_end_to_what_is_kept(monkeypatch):
    assert CONDITIONS_MAX >= 1000
    monkeypatch.setattr(conditions, "CONDITIONS_MAX", 3)
    ours = Conditions("plc")
    ours.bind(POINTS)
    alarms = [Event(1, SOURCES[0], (5, k), "Level", False, True, True, True, 1, None, None, k) for k in range(4)]
    ours.take([START, *alarms[:3], END])
    with pytest.raises(DeviceError, match="more than 3 alarms"):
        ours.take(alarms[3:])
