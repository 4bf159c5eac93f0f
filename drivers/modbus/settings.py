"""Keys of a ``[[device]]`` table whose driver is ``modbus_tcp``; from the agent's configuration to ``driver``.

``README.md`` beside this file explains each key to the engineer who sets it.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

_HOST: Final = re.compile(r"[\w.-]+\Z")


class ModbusTcpSettings(BaseModel):
    """One Modbus TCP device, or one unit behind a gateway."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    timeout_s: Annotated[float, Field(ge=0.01, le=60, allow_inf_nan=False)] = 0.5
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    max_gap: Annotated[int, Field(ge=0, le=125)] = 16
    pause_ms: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 0.0
    reconnect_max_s: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 5.0

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        """A name or an IP address, so that looking it up can fail but never raise anything unexpected."""
        if ":" in host:
            return str(IPv6Address(host))
        if not _HOST.match(host):
            raise ValueError(
                "is neither a host name nor an IP address (write no scheme; the port has a key of its own)"
            )
        host.encode("idna")
        return host
