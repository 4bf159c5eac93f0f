"""Alarms of real programs, seen and handled over HTTP as the demo's operator does it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hil_tests.control_room import ControlRoom, ControlRoomError, Refused
from hil_tests.demo import ACCOUNTS, demo_folder
from hil_tests.operator import ProgramOperator, acted, retire_markers
from hil_tests.rig.site import load_site
from hil_tests.testbed import REGISTER_FILE, Testbed

DEADLINE_S = 30.0


def standing(room: ControlRoom, tag: str) -> dict[str, object]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for alarm in room.standing():
            if alarm["tag"] == tag:
                return alarm
        time.sleep(0.1)
    raise AssertionError(f"no alarm of {tag}")


def test_gas_is_seen_acknowledged_and_remembered_and_markers_are_quiet(tmp_path: Path) -> None:
    folder = demo_folder()
    agents = [folder / "chlorine-store"]
    with Testbed(
        load_site(folder), agents, tmp_path / "bed", accounts=ACCOUNTS, register=folder / REGISTER_FILE
    ) as bed:
        engineer, viewer = bed.sign_in("engineer"), bed.sign_in("viewer")
        retire_markers(engineer, {"XM-101"})
        assert standing(viewer, "XM-101")["out_of_service"] is True
        bed.rig.plant("leak", "cl2-tank-a", 0.0002)
        alarm = standing(viewer, "AT-101")
        assert (alarm["is_toxic"], alarm["acknowledged"]) == (True, False)
        with pytest.raises(Refused) as refused:
            viewer.act("acknowledge", alarm)
        assert refused.value.code == "not_allowed"
        operator = ProgramOperator(bed.sign_in("operator"))
        while not any(each.tag == "AT-101" for each in operator.done):
            operator.look()
        assert standing(viewer, "AT-101")["acknowledged"] is True
        assert standing(viewer, "AT-101")["acknowledged_by"] is not None
        assert not acted(operator.room, "acknowledge", alarm), "it has moved on since it was seen"
        assert {each["name"]["zh"] for each in viewer.get("/map")["sources"]} >= {"液氯储存", "氨制冷"}
        assert "XM-101" not in {each.tag for each in operator.done}
        viewer.sign_out()
        with pytest.raises(Refused) as refused:
            viewer.standing()
        assert refused.value.status == 401


def test_a_control_room_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        ControlRoom("http://127.0.0.1:9") as room,
        pytest.raises(ControlRoomError, match="POST /session: ConnectError"),
    ):
        room.sign_in("operator", "operator-demo")
