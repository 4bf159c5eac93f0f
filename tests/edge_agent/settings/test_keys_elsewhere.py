"""The folder of a gateway that is elsewhere is checked without its keys, which stay there."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from contract.errors import ConfigError
from edge_agent.settings.load import load

SECURED = """
[agent]
name = "agent-1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:7440"]
[[device]]
name = "plc"
driver = "modbus"
host = "127.0.0.1"
transport = "tls"
ca_file = "keys/ca.pem"
[[device]]
name = "server"
driver = "opcua"
endpoint = "opc.tcp://127.0.0.1:4840"
username = "reader"
password_file = "keys/password"
"""
POINTS = """tag,source,device,register,address,type,unit
GT-1,tank-1,plc,holding,0,uint16,ppm
GT-2,tank-1,server,,nsu=urn:plant;s=GT-2,float64,ppm
"""


def test_neither_keys_nor_files_that_devices_name_are_missed(folder: Any) -> None:
    folder.write_toml(SECURED)
    folder.write_csv(POINTS)
    shutil.rmtree(folder.path / "keys")
    with pytest.raises(ConfigError):
        load(folder.path)
    config = load(folder.path, keys_here=False)
    assert [device.name for device in config.devices] == ["plc", "server"]
    assert config.destinations[0].endpoints == ("tcp://127.0.0.1:7440",)


def test_keys_that_are_there_are_not_read(folder: Any) -> None:
    (folder.path / "keys" / "agent.key").write_text("what stands here stays here")
    load(folder.path, keys_here=False)


def test_every_other_fault_is_found(folder: Any) -> None:
    folder.write_points({"unit": "furlong"})
    with pytest.raises(ConfigError, match="furlong"):
        load(folder.path, keys_here=False)
