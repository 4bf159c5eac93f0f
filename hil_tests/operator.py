"""What a person at the control room does during a run, done by a program over the HTTP API."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from contract.clock import NS_PER_S
from hil_tests.arrivals import Acknowledged
from hil_tests.control_room import MOVED_ON, AlarmJson, ControlRoom, Refused

RETIRE_TIMEOUT_S: Final = 60.0
RETIRED_FOR_S: Final = 24 * 3600
PERIOD_S: Final = 0.2


@dataclass(slots=True)
class ProgramOperator:
    """Acknowledges every gas alarm that it sees; ``done`` is what the control room took."""

    room: ControlRoom
    done: list[Acknowledged] = field(default_factory=list)

    def look(self) -> list[Acknowledged]:
        """Once over the list. Raises ControlRoomError."""
        owed = [each for each in self.room.standing() if each["is_gas"] and "acknowledge" in each["allowed"]]
        new = [Acknowledged(each["tag"], each["kind"], time.monotonic_ns()) for each in owed if self._took(each)]
        self.done += new
        return new

    def _took(self, alarm: AlarmJson) -> bool:
        """False where the alarm has changed since it was seen: the next look sees it anew."""
        return acted(self.room, "acknowledge", alarm)


def acted(room: ControlRoom, action: str, alarm: AlarmJson, **more: str | int) -> bool:
    """Whether it was done; False where the alarm has moved on since it was seen. Raises ControlRoomError."""
    try:
        room.act(action, alarm, **more)
    except Refused as refused:
        if refused.code != MOVED_ON:
            raise
        return False
    return True


def retire_markers(engineer: ControlRoom, tags: Collection[str]) -> None:
    """Take the alarms of markers out of service: square waves of the rig are nothing that an operator should hear.

    They stay in the journal. Returns when all are out; raises TimeoutError, ControlRoomError.
    """
    left = set(tags)
    deadline = time.monotonic() + RETIRE_TIMEOUT_S
    until_ns = time.time_ns() + RETIRED_FOR_S * NS_PER_S
    while left:
        if time.monotonic() > deadline:
            raise TimeoutError(f"markers {', '.join(sorted(left))} raised no alarm that can be taken out of service")
        for alarm in engineer.standing():
            if alarm["tag"] in left and "remove_from_service" in alarm["allowed"]:
                more: dict[str, str | int] = {"permit": "HIL-1", "until_ns": until_ns, "comment": "marker of the rig"}
                if acted(engineer, "remove_from_service", alarm, **more):
                    left.discard(alarm["tag"])
        time.sleep(PERIOD_S)
