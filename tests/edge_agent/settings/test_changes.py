"""What a reload does: exactly the difference of two configurations begins and ends, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from contract.ids import AgentName
from contract.keys import generate
from contract.points import Limits, PointSpec
from drivers.base import DeviceSetup
from edge_agent.settings import model
from edge_agent.settings.changes import Changes, changes, points_told, told, what_needs_a_restart

KEYS = [generate("gate"), generate("other")]
ROOM_KEYS = [generate("park").public, generate("plant").public]


class Settings(BaseModel):
    """Of a driver."""

    place: int
    timeout_s: float


@dataclass(frozen=True)
class Device:
    """One device as a person sees it; ``points`` are (number, set-point)."""

    place: int
    timeout_s: float
    points: tuple[tuple[int, float | None], ...]
    said: str = field(default="", compare=False)


@dataclass(frozen=True)
class Room:
    endpoint: str
    key: int
    mandatory: bool = field(compare=False)


DEVICES = st.dictionaries(
    st.sampled_from(["plc1", "plc2", "plc3", "plc4"]),
    st.builds(
        Device,
        st.integers(1, 2),
        st.sampled_from([0.5, 1.0]),
        st.lists(
            st.tuples(st.integers(1, 2), st.sampled_from([None, 25.0])), min_size=1, max_size=2, unique_by=lambda row: row[0]
        ).map(tuple),
        st.sampled_from(["", "north"]),
    ),
)  # fmt: skip
ROOMS = st.dictionaries(
    st.sampled_from(["park", "plant", "fire brigade"]),
    st.builds(Room, st.sampled_from(["tcp://a:1", "tcp://b:1"]), st.integers(0, 1), st.booleans()),
)


def setups(devices: dict[str, Device]) -> dict[model.Connection, list[DeviceSetup]]:
    """Two devices at one place share a connection, in the order of the file."""
    found: dict[model.Connection, list[DeviceSetup]] = {}
    for position, (name, device) in enumerate(devices.items(), 1):
        points = [
            PointSpec(
                10 * int(name[-1]) + number, f"{name}-{number}", "acme/s", name, unit="ppm", description=device.said,
                limits=Limits() if h is None else Limits(h=h), was=device.said or None,
            )
            for number, h in device.points
        ]  # fmt: skip
        settings = Settings(place=device.place, timeout_s=device.timeout_s)
        setup = DeviceSetup(name, f"device.{position}", settings, points)
        found.setdefault(("modbus_tcp", f"at {device.place}"), []).append(setup)
    return found


def config(rooms: dict[str, Room] | None = None) -> model.AgentConfig:
    destinations = tuple(
        model.Destination(name, (room.endpoint,), ROOM_KEYS[room.key], room.mandatory)
        for name, room in (rooms or {}).items()
    )
    return model.AgentConfig(
        Path("/site"), AgentName("gate"), "acme", KEYS[0], destinations, (), (), {},
        model.Telemetry(1.0, 0.2, "all"), model.Outbox(Path("/site/data"), 2**30, 48.0), "00" * 32,
    )  # fmt: skip


def difference(
    former: dict[str, Device], new: dict[str, Device], rooms: dict[str, Room], new_rooms: dict[str, Room]
) -> Changes:
    return changes(config(rooms), setups(former), config(new_rooms), setups(new))


def by_connection(devices: dict[str, Device]) -> dict[int, list[tuple[str, Device]]]:
    found: dict[int, list[tuple[str, Device]]] = {}
    for name, device in devices.items():
        found.setdefault(device.place, []).append((name, device))
    return found


@given(former=DEVICES, new=DEVICES)
def test_the_difference_applied_to_one_gives_the_other_and_connections_that_are_alike_are_not_touched(former, new):
    found = difference(former, new, {}, {})
    running, wanted = by_connection(former), by_connection(new)
    alike = {place for place in running.keys() & wanted if running[place] == wanted[place]}
    ended, begun = ({int(place.removeprefix("at ")) for _, place in keys} for keys in (found.ended, found.begun))
    assert ended == running.keys() - alike
    assert begun == wanted.keys() - alike
    after = {place: each for place, each in running.items() if place not in ended}
    assert not after.keys() & begun
    assert after | {place: wanted[place] for place in begun} == wanted


@given(former=DEVICES, new=DEVICES)
def test_what_was_read_counts_no_more_exactly_where_the_wiring_is_another(former, new):
    found = difference(former, new, {}, {})
    wiring = {name: (each.place, each.timeout_s) for name, each in former.items()}
    assert found.read_anew == {
        name for name, each in new.items() if name in wiring and wiring[name] != (each.place, each.timeout_s)
    }


@given(former=ROOMS, new=ROOMS)
def test_a_link_begins_anew_exactly_where_endpoint_or_key_differ(former, new):
    found = difference({}, {}, former, new)
    assert {name: room for name, room in former.items() if name not in found.destinations_ended} | {
        name: new[name] for name in found.destinations_begun
    } == new
    assert found.destinations_ended.isdisjoint(name for name in former.keys() & new if former[name] == new[name])
    assert found.destinations_begun.isdisjoint(name for name in former.keys() & new if former[name] == new[name])


@given(devices=DEVICES, rooms=ROOMS)
def test_a_configuration_and_itself_differ_in_nothing(devices, rooms):
    found = difference(devices, devices, rooms, rooms)
    assert not any((found.ended, found.begun, found.read_anew, found.destinations_ended, found.destinations_begun))
    assert told(found) == "changed without touching a connection"


def test_renewed_files_of_a_device_touch_its_connection_and_what_was_read_of_it_still_counts():
    devices = {"plc1": Device(1, 1.0, ((1, None),)), "plc2": Device(2, 1.0, ((1, None),))}
    found = changes(config(), setups(devices), config(), setups(devices), {"plc2"})
    assert found.ended == found.begun == {("modbus_tcp", "at 2")}
    assert not found.read_anew
    assert told(found) == "connections begun anew: at 2"


def test_what_was_done_is_told_by_kind():
    former = {"plc1": Device(1, 1.0, ((1, None),))}
    new = {"plc1": Device(2, 1.0, ((1, None),))}
    rooms = {"park": Room("tcp://a:1", 0, mandatory=True), "plant": Room("tcp://a:1", 0, mandatory=True)}
    new_rooms = {"plant": replace(rooms["plant"], key=1), "fire brigade": Room("tcp://b:1", 0, mandatory=False)}
    assert told(difference(former, new, rooms, new_rooms)).split("; ") == [
        "connections begun: at 2", "connections ended: at 1", "destinations begun anew: plant",
        "destinations begun: fire brigade", "destinations ended: park",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("agent.name", {"name": AgentName("gate-2")}),
        ("agent.organisation", {"organisation": "others"}),
        ("agent.key_file", {"keys": KEYS[1]}),
        ("outbox.directory", {"outbox": model.Outbox(Path("/elsewhere"), 2**30, 48.0)}),
    ],
)
def test_what_an_agent_is_and_where_its_data_lies_needs_a_restart(key, change):
    assert what_needs_a_restart(config(), replace(config(), **change)) == [key]


def test_everything_else_needs_none():
    other = replace(
        config({"park": Room("tcp://a:1", 0, mandatory=True)}), telemetry=model.Telemetry(5.0, 1.0, "exception"),
        outbox=model.Outbox(Path("/site/data"), 2**31, 24.0), config_hash="11" * 32,
    )  # fmt: skip
    assert what_needs_a_restart(config(), other) == []


def test_points_are_told_by_tag_with_what_came_and_went_and_no_id() -> None:
    point = PointSpec(id=1, tag="AT-1", org="acme/tank", device="plc", limits=Limits(h=25.0))
    other = replace(point, tag="AT-2")
    changed = replace(point, id=7, limits=Limits(h=20.0, hh=0.1), description="new")
    assert points_told([point, other], [changed, replace(other, tag="AT-3")]) == [
        "- AT-2", "+ AT-3", "~ AT-1: description none -> new, h 25 -> 20, hh none -> 0.1",
    ]  # fmt: skip
    assert points_told([point], [replace(point, id=9)]) == []
    many = [replace(point, tag=f"AT-{number}") for number in range(50)]
    assert points_told([], many)[-1] == "... and 10 more"
