"""What a push would take away is told, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commissioning.pushing.losses import NAMED_MAX, lost_acceptances, lost_points, polled_of
from edge_agent.settings.models.accepted import ACCEPTED_FILE, Acceptance, entry_text

AGENT = b"""
[agent]
name = "gw1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:1"]
[[device]]
name = "plc"
driver = "modbus"
host = "127.0.0.1"
"""
POINTS = b"tag,source,device,register,address,type,unit,h\nAT-1,tank,plc,holding,0,uint16,ppm,25\n"
LI = Acceptance(model="ultima", item="notation", choice="wire", by="Li Wei", at="2026-11-20T08:00:00Z")


def accepted(*entries: Acceptance) -> dict[str, bytes]:
    return {ACCEPTED_FILE: "".join(map(entry_text, entries)).encode()} if entries else {}


def test_devices_and_points_that_are_gone_are_told() -> None:
    old = {"plc": frozenset({"A", "B"}), "ultima-7": frozenset({"C", "D"}), "bare": frozenset[str]()}
    assert lost_points(old, {"plc": frozenset({"A"})}) == [
        "LOOK: device bare is no longer polled",
        "LOOK: 1 point of plc is no longer polled: B",
        "LOOK: device ultima-7 and its 2 points are no longer polled",
    ]


def test_a_point_that_another_device_polls_now_is_not_gone() -> None:
    new = {"plc": frozenset[str](), "other": frozenset({"A"})}
    assert lost_points({"plc": frozenset({"A"})}, new) == []


def test_many_are_counted() -> None:
    tags = frozenset(f"T{number:03}" for number in range(NAMED_MAX + 5))
    assert lost_points({"plc": tags}, {"plc": frozenset()})[0].endswith("and 5 more")


def test_a_configuration_is_read_from_its_files_and_one_that_cannot_be_read_is_told() -> None:
    assert polled_of({"agent.toml": AGENT, "points.csv": POINTS}) == {"plc": frozenset({"AT-1"})}
    assert polled_of({"agent.toml": b"?"}) is None
    assert lost_points(None, {})[0].startswith("LOOK: ")


@pytest.mark.parametrize("name", ["models/../../leak", "models/a/b", "models/\0", "/leak", "models/" + "x" * 999])
def test_a_name_that_another_machine_gives_leads_nowhere_else(name: str) -> None:
    assert polled_of({"agent.toml": AGENT, "points.csv": POINTS, name: b""}) is None


def test_an_entry_is_kept_where_it_is_there_or_a_later_one_of_the_same_matter() -> None:
    later = LI.model_copy(update={"choice": "display", "by": "Wang", "at": "2026-11-21T08:00:00Z"})
    other = LI.model_copy(update={"device": "ultima-7"})
    assert not lost_acceptances(accepted(), accepted(LI))
    assert not lost_acceptances(accepted(LI), accepted(LI, later))
    assert not lost_acceptances(accepted(LI), accepted(later))
    assert not lost_acceptances(accepted(LI, later), accepted(later))
    assert "Wang" in lost_acceptances(accepted(LI, later), accepted(LI))
    assert "Wang" in lost_acceptances(accepted(later), accepted(LI))
    assert "Li Wei" in lost_acceptances(accepted(LI), accepted(other))
    assert "Li Wei" in lost_acceptances(accepted(LI), {})


def test_what_cannot_be_read_is_not_taken_for_nothing() -> None:
    unreadable = {ACCEPTED_FILE: b"\x1b["}
    assert "cannot be read" in lost_acceptances(unreadable, {})
    assert not lost_acceptances(unreadable, unreadable)


NAMES = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"], exclude_characters="\x7f"), min_size=1)
ENTRIES = st.builds(
    lambda device, item, by: LI.model_copy(update={"device": device, "item": item, "by": by[:9]}),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["i", "j"]),
    NAMES,
)


@given(st.lists(ENTRIES))
def test_adding_loses_nothing_and_taking_all_away_is_told_and_no_name_steers_the_terminal(
    entries: list[Acceptance],
) -> None:
    more = LI.model_copy(update={"model": "another"})
    assert not lost_acceptances(accepted(*entries), accepted(*entries, more))
    told = lost_acceptances(accepted(*entries), {})
    assert bool(told) == bool(entries)
    assert told.isprintable()
