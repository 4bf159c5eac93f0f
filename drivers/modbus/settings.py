"""Keys of a ``[[device]]`` table whose driver is ``modbus``; from the agent's configuration to ``driver``.

``README.md`` beside this file explains each key to the engineer who sets it. Which keys a transport has no use for, and that
devices of one connection agree on it, is judged in ``connection``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_serializer, field_validator

from drivers.modbus.address import SideWord
from drivers.modbus.instrument import Constant, FloatOrder, StatusWord

_HOST: Final = re.compile(r"[\w.-]+\Z")


class Transport(StrEnum):
    """What carries the requests."""

    TCP = "tcp"
    TLS = "tls"
    """Modbus/TCP Security: the frames of TCP inside TLS."""
    RTU = "rtu"
    """A serial line at this machine."""
    RTU_OVER_TCP = "rtu_over_tcp"
    """The bytes of a serial line, carried by a converter."""

    @property
    def is_rtu(self) -> bool:
        """True where a reply carries a checksum and no number that says which request it answers."""
        return self in (Transport.RTU, Transport.RTU_OVER_TCP)


_Path = Annotated[str, Field(min_length=1, max_length=255)]


class ModbusSettings(BaseModel):
    """One unit: a device of its own, or one of several on a line or behind a gateway."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transport: Transport = Transport.TCP
    host: Annotated[Annotated[str, Field(min_length=1, max_length=253)] | None, Field(validate_default=True)] = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    serial_port: Annotated[_Path | None, Field(validate_default=True)] = None
    baudrate: Annotated[int, Field(ge=300, le=4_000_000)] | None = None
    parity: Literal["even", "odd", "none"] = "even"
    stop_bits: Literal[1, 2] = 1
    ca_file: Annotated[_Path | None, Field(validate_default=True)] = None
    certificate_file: _Path | None = None
    key_file: _Path | None = None
    server_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    connect_pause_ms: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 0.0
    reconnect_max_s: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 5.0
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    timeout_s: Annotated[float, Field(ge=0.01, le=60, allow_inf_nan=False)] = 0.5
    pause_ms: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 0.0
    late_s: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 1.0
    silent_max_s: Annotated[float, Field(ge=0.1, le=600, allow_inf_nan=False)] = 15.0
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    max_gap: Annotated[int, Field(ge=0, le=125)] = 16
    functions: Annotated[tuple[Literal[1, 2, 3, 4], ...], Field(min_length=1, max_length=4)] = (1, 2, 3, 4)

    status: dict[str, StatusWord] = Field(default_factory=dict)
    constant: Constant | None = None
    float_order: FloatOrder | None = None

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str | None) -> str | None:
        """A name or an IP address, so that looking it up can fail but never raise anything unexpected."""
        if host is None:
            return None
        if ":" in host:
            return str(IPv6Address(host))
        if not _HOST.match(host):
            raise ValueError(
                "is neither a host name nor an IP address (write no scheme; the port has a key of its own)"
            )
        host.encode("idna")
        return host

    @field_validator("host", "serial_port", "ca_file")
    @classmethod
    def _is_there(cls, value: str | None, info: ValidationInfo) -> str | None:
        """What a transport cannot do without; unknown transports want nothing."""
        wanted = {Transport.RTU: ("serial_port",), Transport.TLS: ("host", "ca_file")}
        transport = info.data.get("transport")
        if value is None and transport is not None and info.field_name in wanted.get(transport, ("host",)):
            meant = "; host is given, which goes with transport tcp or rtu_over_tcp" if info.data.get("host") else ""
            raise ValueError(f"is missing{meant if info.field_name == 'serial_port' else ''}")
        return value

    @field_serializer("port")
    def _port_meant(self, _: int | None) -> int | None:
        """Written out or left out, it is the same port."""
        return None if self.transport is Transport.RTU else self.tcp_port

    @property
    def sides(self) -> tuple[SideWord, ...]:
        """Registers that say how all values of the device are meant."""
        return tuple(each.side for each in (self.constant, self.float_order) if each is not None)

    @property
    def tcp_port(self) -> int:
        """The port that is meant: 502, for TLS 802, the numbers given to Modbus by IANA."""
        return self.port or (802 if self.transport is Transport.TLS else 502)

    @property
    def endpoint(self) -> str:
        """Where the connection leads, in words; devices with the same endpoint share it."""
        if self.transport is Transport.RTU:
            return self.serial_port or "?"
        host = (self.host or "?").lower()
        return f"[{host}]:{self.tcp_port}" if ":" in host else f"{host}:{self.tcp_port}"
