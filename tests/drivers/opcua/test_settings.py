"""Keys of a device, and what a driver objects to before it ever connects."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from contract.errors import ConfigError
from drivers.catalogue import DRIVERS
from drivers.opcua import OpcUa
from drivers.opcua.settings import OpcUaSettings

ENDPOINT = "opc.tcp://plc:4840/park"


@pytest.mark.parametrize(
    "endpoint", [ENDPOINT, "opc.tcp://10.0.0.9:4840", "opc.tcp://[fe80::1]:4840/a/b", "opc.tcp://a-b.c_d:1/"]
)
def test_an_endpoint_is_host_port_and_path(endpoint):
    assert OpcUaSettings(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    "keys",
    [
        {"endpoint": "plc:4840"},
        {"endpoint": "opc.tcp://plc"},
        {"endpoint": "opc.tcp://plc:0"},
        {"endpoint": "opc.tcp://plc:65536"},
        {"endpoint": "opc.tcp://user:secret@plc:4840"},
        {"endpoint": "opc.https://plc:4840"},
        {"endpoint": "opc.tcp://plc:4840/a b"},
        {"security": "Basic256"},
        {"security_mode": "None"},
        {"mode": "both"},
        {"password": "secret"},
        {"publish_ms": 9},
        {"sampling_ms": 0},
        {"timeout_s": float("nan")},
        {"username": ""},
    ],
)
def test_other_keys_and_values_are_refused(keys):
    with pytest.raises(ValidationError):
        OpcUaSettings(**({"endpoint": ENDPOINT} | keys))


class NoServer:
    endpoint = ENDPOINT


def test_check_names_every_fault_without_a_server(new_driver, new_point, tmp_path):
    (tmp_path / "empty").write_text("\n", "utf-8")
    driver = new_driver(
        NoServer, new_point(2, "ns=2;s=a"), new_point(3, "b", scale=2.0), password_file=str(tmp_path / "empty")
    )
    assert [(fault.file, fault.column) for fault in driver.check()] == [
        ("points.csv", "address"),
        ("points.csv", "scale"),
        ("agent.toml", "username"),
    ]
    empty = new_driver(NoServer, new_point(2, "a"), username="edge", password_file=str(tmp_path / "empty"))
    assert [fault.column for fault in empty.check()] == ["password_file"]
    assert [fault.column for fault in new_driver(NoServer).check()] == ["device"]
    absent = new_driver(NoServer, new_point(2, "a"), username="edge", password_file=str(tmp_path / "absent"))
    assert [fault.column for fault in absent.check()] == ["password_file"]


def test_the_plan_says_how_often_the_server_will_speak(new_driver, new_point):
    driver = new_driver(NoServer, new_point(2, "a", poll_s=1.0), new_point(3, "b", poll_s=0.02))
    assert driver.check() == []
    assert driver.plan_report() == [
        (NoServer.endpoint, "plc", f"published every {rate} ms, a sign of life every {life} ms", 1, None, None, None)
        for rate, life in ((20, 20), (50, 500))
    ]


def test_a_gateway_without_the_part_for_opc_ua_says_what_to_install(monkeypatch, new_driver, new_point):
    monkeypatch.delitem(sys.modules, "drivers.opcua.driver", raising=False)
    monkeypatch.delitem(sys.modules, "drivers.opcua.session", raising=False)
    monkeypatch.setitem(sys.modules, "asyncua", None)
    with pytest.raises(ConfigError, match=r"edge-opcua"):
        new_driver(NoServer, new_point(2, "a"))


def test_an_agent_without_opc_ua_loads_nothing_of_it():
    assert isinstance(DRIVERS["opcua"], OpcUa)
    code = (
        "import sys, random; from drivers.catalogue import DRIVERS; from contract.clock import SimulatedClock;"
        "from contract.points import *; import edge_agent.settings.load;"
        "own = PointSpec(id=1, tag='plc', org='p', device='plc', role=PointRole.DEVICE);"
        "factory = DRIVERS['modbus'];"
        "from drivers.base import DeviceSetup;"
        "setup = DeviceSetup('plc', 'device.1', factory.settings_model(host='127.0.0.1'), [own]);"
        "factory.make([setup], SimulatedClock(), random.Random(1));"
        "sys.exit(any(name.split('.')[0] == 'asyncua' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
