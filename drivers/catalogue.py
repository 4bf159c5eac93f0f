"""The drivers there are, by the name that configuration uses.

Read by the edge agent's settings loader and composition root. Protocol libraries are imported when a driver is made,
not here, so an agent loads only those that it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drivers.base import DriverFactory
from drivers.modbus import Modbus
from drivers.opcua import OpcUa

DRIVERS: Final[Mapping[str, DriverFactory]] = {"modbus": Modbus(), "opcua": OpcUa()}
FORMER_NAMES: Final[Mapping[str, str]] = {"modbus_tcp": "modbus"}
"""Names that configurations may still have, from before Modbus had other transports."""
