"""What the nodes of an OPC UA device show at a moment, and with which status. Pure.

Time is handed in, commands go in, changes come out. ``opcua_device`` puts a server, a clock and a ledger around it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from asyncua import ua

from contract.clock import NS_PER_MS
from hil_tests.rig import commands
from hil_tests.rig.commands import Command
from hil_tests.rig.plant_feed import PlantFeed, curves, order
from hil_tests.rig.playing import Instruments
from hil_tests.rig.registers import resolve
from hil_tests.rig.site import Node, OpcUaSpec
from hil_tests.rig.words import CommandError

GOOD: Final = 0
BAD_SENSOR_FAILURE: Final = int(ua.StatusCodes.BadSensorFailure)
_NAMES: Final = {name: code for name, code in vars(ua.StatusCodes).items() if isinstance(code, int)}


@dataclass(frozen=True, slots=True)
class NodeChange:
    """``value`` is NaN where the status is bad: such a node shows none (OPC 10000-4, 7.7.1)."""

    name: str
    value: float
    status: int


class Nodes:
    """One device. ``start_ns`` is the moment on the monotonic clock at which its signals begin."""

    def __init__(self, device: OpcUaSpec, start_ns: int, plant: PlantFeed | None = None) -> None:
        """Reads recordings. Raises ConfigError for what is wrong in them."""
        self._plant = plant
        quantum_ns = device.sample_ms * NS_PER_MS
        self._instruments = Instruments("node", curves(device.nodes, plant), start_ns, quantum_ns)
        self._nodes = device.nodes
        self._statuses: dict[str, int] = {}
        self._told: dict[str, str] = {}

    def changes(self, now_ns: int) -> list[NodeChange]:
        """What differs from what the last call told; the first call tells every node."""
        shown = self.all(now_ns)
        # By text, since NaN differs from itself.
        changes = [each for each in shown if self._told.get(each.name) != repr(each)]
        self._told |= {each.name: repr(each) for each in changes}
        return changes

    def all(self, now_ns: int) -> list[NodeChange]:
        """What every node shows; the next ``changes`` tell it all the same."""
        return [self._shown(each, now_ns) for each in self._nodes]

    def apply(self, command: Command, now_ns: int) -> None:
        """Obey. Raises CommandError, and then nothing has changed."""
        match command:
            case (
                commands.Step() | commands.Release() | commands.Freeze() | commands.Unfreeze()
                | commands.OpenCircuit() | commands.CloseCircuit()
            ):  # fmt: skip
                self._instruments.apply(command, now_ns)
            case commands.Status(name, code):
                self._instruments.require(name)
                self._statuses[name] = status_code(code)
            case commands.ClearStatus(None):
                self._statuses.clear()
            case commands.ClearStatus(str(name)):
                self._instruments.require(name)
                self._statuses.pop(name, None)
            case commands.PlantOrder():
                order(self._plant, command)
            case commands.RaiseException() | commands.ClearExceptions():
                raise CommandError("an OPC UA device has no Modbus exceptions; `status NAME CODE` makes a node bad")
            case _ if isinstance(command, commands.ModbusCommand):
                raise CommandError("this is for Modbus devices")
            case _:
                pass  # of the network and the process, which the caller owns

    def _shown(self, node: Node, now_ns: int) -> NodeChange:
        number = self._instruments.number(node.name, now_ns)
        status = self._statuses.get(node.name)
        if status is None:
            status = BAD_SENSOR_FAILURE if math.isnan(number) else GOOD
        if is_bad(status) or (math.isnan(number) and node.type.is_integer):
            return NodeChange(node.name, math.nan, status if is_bad(status) else BAD_SENSOR_FAILURE)
        return NodeChange(node.name, float(resolve(node.type, number)), status)


def is_bad(status: int) -> bool:
    """By its two highest bits: 00 good, 01 uncertain, 1x bad."""
    return bool(status >> 31)


def status_code(text: str) -> int:
    """``BadOutOfService`` or ``0x808D0000``. Raises CommandError."""
    if text in _NAMES:
        return _NAMES[text]
    if re.fullmatch(r"0x[0-9A-Fa-f]{8}", text):
        return int(text, 16)
    raise CommandError(f"{text!r} is no status code; write a name such as BadOutOfService, or 0x808D0000")
