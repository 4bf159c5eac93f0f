"""A site that cannot be played is refused before anything starts, with everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contract.errors import ConfigError
from hil_tests.rig.signals import Recording
from hil_tests.rig.site import ModbusSpec, Site, load_site, parse_site

CONSTANT = {"kind": "constant", "value": 1}


def register(name: str = "gas1", address: int = 0, type: str = "float32", **more: Any) -> dict[str, Any]:  # noqa: A002 - a key of the file
    return {"name": name, "table": "holding", "address": address, "type": type, "signal": CONSTANT, **more}


def faults(*registers: dict[str, Any], folder: Path = Path(), **device: Any) -> list[str]:
    data = {"device": [{"name": "plant", "register": list(registers), **device}]}
    with pytest.raises(ConfigError) as caught:
        parse_site(data, folder / "site.toml")
    return [str(fault) for fault in caught.value.faults]


def test_a_folder_and_its_file_are_the_same_site(tmp_path: Path) -> None:
    (tmp_path / "gas.csv").write_text("ts,a\n0,1.5\n")
    (tmp_path / "site.toml").write_text("""
        [[device]]
        name = "plant"
        [[device.register]]
        name = "gas1"
        table = "input"
        address = 7
        type = "int16"
        order = "CDAB"
        scale = 0.1
        signal = { kind = "recording", file = "gas.csv", column = "a", after_end = "loop" }
        [[device.register]]
        name = "level"
        table = "input"
        address = 8
        type = "float64"
        signal = { kind = "ramp", from = 0, to = 1, seconds = 5 }
    """)
    site = load_site(tmp_path)
    assert site == load_site(tmp_path / "site.toml")
    plant = site["plant"]
    assert isinstance(plant, ModbusSpec)
    assert isinstance(plant.registers[0].signal, Recording)
    assert plant.registers[0].signal.curve()(0) == 1.5
    assert (plant.host, plant.port, plant.unit) == ("127.0.0.1", 0, 1)


def test_a_site_survives_the_way_to_the_process_of_its_device() -> None:
    nan = register(signal={"kind": "constant", "value": float("nan")})
    inf = register("gas2", 2, signal={"kind": "constant", "value": float("-inf")})
    ramp = register("gas3", 4, signal={"kind": "ramp", "from": 1, "to": 2, "seconds": 3})
    site = parse_site({"device": [{"name": "plant", "register": [nan, inf, ramp]}]}, Path("site.toml"))
    again = Site.model_validate_json(site.model_dump_json(by_alias=True))
    assert repr(again) == repr(site)


def test_unknown_keys_and_wrong_values_are_told_together_with_their_places() -> None:
    found = faults(register(colour="red"), register("gas2", 2, type="float16"), register("gas3", 70_000), port=99_999)
    assert len(found) == 4
    assert [next(k for k in ("colour", "type", "address", "port") if k in each) for each in sorted(found)]
    assert any("device.1.register.2.type" in each for each in found)


@pytest.mark.parametrize(
    ("registers", "said"),
    [
        ([register(), register("gas2", 1)], "gas2: lies on gas1"),
        ([register(), register("gas1", 2)], "'gas1' is there 2 times"),
        ([register("two words")], "name with blanks"),
        ([register(type="bit")], "type bit in table holding"),
        ([register(table="coil")], "type float32 in table coil"),
        ([register(address=65535)], "beyond address 65535"),
        ([register(scale=0)], "scale is 0"),
        ([register(type="uint16", signal={"kind": "constant", "value": float("nan")})], "cannot say so"),
        ([register(signal={"kind": "recording", "file": "no.csv", "column": "a"})], "cannot be read"),
        ([register(signal={"kind": "swing"})], "swing"),
    ],
)
def test_registers_that_cannot_be_played_are_refused(registers: list[dict[str, Any]], said: str) -> None:
    (found,) = faults(*registers)
    assert said in found


def test_a_recording_with_gaps_needs_a_float(tmp_path: Path) -> None:
    (tmp_path / "gas.csv").write_text("ts,a\n0,1\n1,\n")
    signal = {"kind": "recording", "file": "gas.csv", "column": "a"}
    (found,) = faults(register(type="int16", signal=signal), folder=tmp_path)
    assert "cannot say so" in found
    parse_site({"device": [{"name": "plant", "register": [register(signal=signal)]}]}, tmp_path / "site.toml")


def test_two_devices_on_one_port_or_with_one_name_are_refused() -> None:
    device = {"name": "plant", "port": 15020, "register": [register()]}
    with pytest.raises(ConfigError) as caught:
        parse_site({"device": [device, device]}, Path("site.toml"))
    assert {fault.column for fault in caught.value.faults} == {"device, name", "device, port"}


def test_a_site_can_be_had_on_free_ports() -> None:
    data = {"device": [{"name": "plant", "port": 15020, "register": [register()]}]}
    site = parse_site(data, Path("site.toml"))
    assert site.on_free_ports() == parse_site({"device": [{**data["device"][0], "port": 0}]}, Path("site.toml"))


@pytest.mark.parametrize("text", ["", "device = 3", "[[device]\n"])
def test_a_file_that_is_no_site_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "site.toml").write_text(text)
    with pytest.raises(ConfigError):
        load_site(tmp_path)


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.toml"):
        load_site(tmp_path)


def gateway(**second: Any) -> dict[str, Any]:
    first = {"name": "one", "transport": "rtu_over_tcp", "register": [register()]}
    return {"device": [first, {"name": "two", "unit": 2, "behind": "one", "register": [register()], **second}]}


def test_units_behind_a_connection_are_kept_together() -> None:
    site = parse_site(gateway(), Path("site.toml"))
    assert [[each.name for each in devices] for devices in site.connections()] == [["one", "two"]]
    assert [[each.name for each in devices] for devices in site.on_free_ports().connections()] == [["one", "two"]]


@pytest.mark.parametrize(
    ("second", "said"),
    [({"unit": 1}, "unit 1 is there more than once"), ({"port": 502}, "a port or a transport of its own"),
     ({"transport": "rtu"}, "a port or a transport of its own"), ({"behind": "three"}, "'three' is no Modbus device"),
     ({"behind": "two"}, "'two' is no Modbus device"), ({"told": ["jump"]}, "no such command 'jump'"),
     ({"told": ["plant 5 leak a 1"]}, "is for the plant")],
)  # fmt: skip
def test_units_that_cannot_share_or_obey_are_refused(second: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_site(gateway(**second), Path("site.toml"))
