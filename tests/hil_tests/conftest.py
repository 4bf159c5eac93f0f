"""Sites made in a test, and rigs that are stopped when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from hil_tests.rig.rig import Rig
from hil_tests.rig.site import Site, parse_site

StartRig = Callable[..., Rig]
Connect = Callable[..., ModbusTcpClient]
MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> MakeSite:
    """A site with one device ``plant`` and the given registers; recordings lie in ``tmp_path``."""

    def make(*registers: dict[str, Any], **device: Any) -> Site:
        data = {"device": [{"name": "plant", "register": list(registers), **device}]}
        return parse_site(data, tmp_path / "site.toml")

    return make


@pytest.fixture
def start_rig(make_site: MakeSite, tmp_path: Path) -> Iterator[StartRig]:
    """Starts a rig for one device ``plant`` with the given registers."""
    with ExitStack() as stack:

        def start(*registers: dict[str, Any], **device: Any) -> Rig:
            return stack.enter_context(Rig(make_site(*registers, **device), tmp_path / "work"))

        yield start


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Clients that give up fast and never try twice."""
    clients: list[ModbusTcpClient] = []

    def make(rig: Rig, timeout_s: float = 5.0) -> ModbusTcpClient:
        client = ModbusTcpClient("127.0.0.1", port=rig.ports["plant"], timeout=timeout_s, retries=0)
        assert client.connect()
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
