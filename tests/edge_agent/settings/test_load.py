"""A folder is taken whole or refused whole, with every fault at once."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import ConfigError
from contract.ids import Epoch, is_tag
from contract.keys import format_public, format_secret, generate
from contract.points import Catalogue, ConditionClass, PointRole, PointType
from contract.wire.codec import decode, encode
from contract.wire.frames import CatalogueFrame
from edge_agent.settings import load as load_module
from edge_agent.settings.io_list import COLUMNS
from edge_agent.settings.load import load, read_identity, read_outbox_directory
from edge_agent.settings.preview import check_report

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
SAMPLES = sorted(path.parent for path in CONFIGS.rglob("agent.toml"))


def test_a_complete_folder_is_understood(folder: Any) -> None:
    folder.write_toml(
        """
        [agent]
        name = "agent-1"
        organisation = "acme"
        [[destination]]
        name = "park"
        endpoints = ["tcp://10.0.0.5:7440", "tcp://[::1]:7440"]
        [[destination]]
        name = "plant"
        endpoints = ["tcp://plant.example:7440"]
        mandatory = false
        [[device]]
        name = "slow"
        driver = "modbus_tcp"
        host = "10.0.0.9"
        port = 1502
        [[device]]
        name = "plc"
        driver = "modbus_tcp"
        host = "10.0.0.8"
        [telemetry]
        chunk_s = 30
        report = "all"
        [outbox]
        directory = "store"
        budget_mb = 64
        keep_acked_h = 12
        """
    )
    folder.write_points(
        {"tag": "毒气-1", "source": "tank-1/sump", "type": "float32", "word_order": "CDAB", "unit": "ppm",
         "range_low": "0", "range_high": "100", "h": "10", "hh": "20", "deadband": "1", "on_delay_s": "3",
         "off_delay_s": "30", "poll_s": "2", "report_deadband": "0.5", "was": "GT-0", "description": "H2S, in the sump"},
        {"tag": "XS-1", "type": "bit", "bit": "3", "h": "0.5", "unit": "state", "class": "advisory"},
        {"tag": "T-1", "device": "slow", "poll_s": "60", "stale_s": "100"},
    )  # fmt: skip
    config = folder.load()
    assert (config.name, config.organisation, config.keys.public.name) == ("agent-1", "acme", "agent-1")
    assert [(each.name, each.mandatory, len(each.endpoints)) for each in config.destinations] == [
        ("park", True, 2),
        ("plant", False, 1),
    ]
    assert [(each.name, each.driver) for each in config.devices] == [("slow", "modbus"), ("plc", "modbus")]
    assert (config.telemetry.chunk_s, config.telemetry.spool_s, config.telemetry.report) == (30, 1, "all")
    assert config.outbox.directory == folder.path / "store"
    assert (config.outbox.budget_bytes, config.outbox.keep_acked_h) == (64 * 1024 * 1024, 12)
    assert [point.tag for point in config.points] == ["plc", "slow", "T-1", "XS-1", "毒气-1"]
    assert {point.id for point in config.points} == {0}
    assert config.rows == {"毒气-1": 2, "XS-1": 3, "T-1": 4}
    gas, switch, slow = (next(p for p in config.points if p.tag == tag) for tag in ("毒气-1", "XS-1", "T-1"))
    assert (gas.org, gas.address, gas.type, gas.unit) == (
        "acme/tank-1/sump",
        "holding:10/CDAB",
        PointType.FLOAT32,
        "ppm",
    )
    assert (gas.limits.h, gas.limits.hh, gas.limits.deadband, gas.limits.on_delay_s) == (10, 20, 1, 3)
    assert math.isnan(gas.limits.l)
    assert (gas.report_deadband, gas.was, gas.description) == (0.5, "GT-0", "H2S, in the sump")
    assert (switch.address, switch.limit_class, switch.report_deadband) == (
        "holding:20.3",
        ConditionClass.ADVISORY,
        None,
    )
    assert (slow.poll_s, slow.stale_s) == (60, 100)


def test_a_value_is_stale_half_a_poll_after_the_second_missed_one(folder: Any) -> None:
    folder.write_points({"poll_s": "4"})
    assert folder.load().points_of("plc")[-1].stale_s == 10


def test_each_device_has_a_point_that_goes_stale_with_its_fastest(folder: Any) -> None:
    folder.write_points({"poll_s": "60"}, {"poll_s": "0.5"}, {"poll_s": "5"})
    device, *others = folder.load().points_of("plc")
    assert (device.tag, device.role, device.org, device.unit) == ("plc", PointRole.DEVICE, "acme", "state")
    assert (device.type, device.poll_s, device.stale_s) == (PointType.BIT, 0.5, 1.25)
    assert {point.role for point in others} == {PointRole.MEASUREMENT}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_samples_load(sample: Path, tmp_path: Path) -> None:
    shutil.copytree(sample, tmp_path / "agent")
    identity = read_identity(tmp_path / "agent")
    identity.key_file.parent.mkdir(exist_ok=True)
    identity.key_file.write_text(format_secret(generate(identity.name)))
    (tmp_path / "agent/keys/aggregator.pub").write_text(format_public(generate("park").public))
    assert len(load(tmp_path / "agent").points) > 1


def test_there_is_a_sample() -> None:
    assert CONFIGS / "starter" in SAMPLES


def test_faults_of_all_files_come_at_once_and_in_order(folder: Any) -> None:
    folder.spoil_toml('host = "127.0.0.1"', 'hots = "127.0.0.1"')
    folder.write_points({"h": "x"}, {"unit": "mg/m³"})
    (folder.path / "keys/aggregator.pub").unlink()
    assert folder.places() == [
        ("agent.toml", None, "device.1.host"),
        ("agent.toml", None, "device.1.hots"),
        ("points.csv", 2, "h"),
        ("points.csv", 3, "unit"),
        ("keys/aggregator.pub", None, None),
    ]


def test_absent_keys_are_made_by_a_command_that_the_fault_names(folder: Any) -> None:
    (folder.path / "keys/agent.key").unlink()
    [fault] = folder.faults()
    assert (fault.file, fault.remedy) == ("keys/agent.key", f"Run: edge-agent keygen {folder.path}")


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"version = 9", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000])
def test_a_spoilt_key_file_is_a_fault(folder: Any, junk: bytes) -> None:
    (folder.path / "keys/agent.key").write_bytes(junk)
    assert {fault.file for fault in folder.faults()} == {"keys/agent.key"}


def test_a_key_files_name_that_no_disk_takes_is_a_fault(folder: Any) -> None:
    folder.spoil_toml('"acme"', '"acme"\nkey_file = "a\\u0000b"')
    [fault] = folder.faults()
    assert "cannot be read" in fault.message


def test_keys_of_another_agent_are_refused(folder: Any) -> None:
    (folder.path / "keys/agent.key").write_text(format_secret(generate("agent-2")))
    [fault] = folder.faults()
    assert "agent-2" in fault.message
    assert "keygen" in fault.remedy


def test_no_secret_is_in_a_fault_or_in_the_configurations_text(folder: Any, key_files: dict[str, str]) -> None:
    secret = key_files["keys/agent.key"].split('curve_secret = "')[1][:64]
    assert secret not in repr(folder.load())
    folder.spoil_toml('name = "park"', 'name = "park"\nserver_key_file = "keys/agent.key"')
    assert secret not in str(folder.faults())


def test_a_missing_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        load(tmp_path / "absent")
    with pytest.raises(ConfigError, match="there is no folder"):
        read_identity(tmp_path / "absent")


def test_a_file_in_place_of_the_folder_is_one_fault_that_names_the_folder(folder: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder.path / "points.csv")
    [fault] = caught.value.faults
    assert "this is a file" in fault.message
    assert fault.remedy.endswith(f": {folder.path}")


def test_where_the_list_is_missing_the_remedy_names_what_makes_one(folder: Any) -> None:
    (folder.path / "points.csv").unlink()
    [fault] = folder.faults()
    assert all(f"edge-agent {command}" in fault.remedy for command in ("import", "try --accept", "browse --out"))


def test_a_device_is_not_said_to_lack_rows_in_a_list_that_is_not_there(folder: Any) -> None:
    (folder.path / "points.csv").unlink()
    (folder.path / "devices.csv").write_text("name,model,host,source\nw-1,wago_750_4fai,127.0.0.2,tank-1\n")
    [fault] = folder.faults()
    assert (fault.file, fault.row, fault.column) == ("points.csv", None, None)
    assert fault.message == "the file is not there, and no point reads 'plc'"


def test_a_host_for_a_model_of_a_serial_line_is_told_with_the_transports_it_goes_with(folder: Any) -> None:
    header, row = "name,model,host,source,gas_unit", "u-1,msa_ultima_x,127.0.0.2,tank-1,ppm"
    (folder.path / "devices.csv").write_text(f"{header}\n{row}\n")
    [fault] = folder.faults()
    assert (fault.file, fault.row, fault.column) == ("devices.csv", 2, "serial_port")
    assert "host is given, which goes with transport tcp" in fault.message
    (folder.path / "devices.csv").write_text(f"{header},transport\n{row},tcp\n")
    folder.load()


def test_the_agents_own_key_stands_in_for_a_control_room_and_check_says_so(folder: Any) -> None:
    assert not [line for line in check_report(folder.load()) if line.startswith("LOOK")]
    own = folder.load().keys.public
    (folder.path / "keys" / "aggregator.pub").unlink()
    [fault] = folder.faults()
    assert "keys/agent.pub stands in" in fault.remedy
    (folder.path / "keys" / "aggregator.pub").write_text(format_public(own))
    assert [line for line in check_report(folder.load()) if line.startswith("LOOK: park has this agent's own key")]


@pytest.mark.parametrize("name", ["agent.toml", "points.csv"])
def test_a_missing_file_is_one_fault_and_the_others_are_still_read(folder: Any, name: str) -> None:
    folder.write_points({"h": "x", "device": "nobody-knows"})
    (folder.path / name).unlink()
    places = folder.places()
    assert places.count((name, None, None)) == 1
    assert (("points.csv", 2, "h") in places) == (name == "agent.toml")
    assert ("points.csv", 2, "device") not in places


@pytest.mark.parametrize("name", ["agent.toml", "points.csv", "keys/agent.key"])
def test_a_folder_in_place_of_a_file_is_a_fault(folder: Any, name: str) -> None:
    (folder.path / name).unlink()
    (folder.path / name).mkdir()
    assert (name, None, None) in folder.places()


def test_a_file_beyond_its_limit_is_a_fault(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "POINTS_FILE_BYTES_MAX", (folder.path / "points.csv").stat().st_size)
    folder.load()
    with (folder.path / "points.csv").open("ab") as file:
        file.write(b"\n")
    [fault] = folder.faults()
    assert "larger than" in fault.message


def test_the_list_of_faults_has_an_end_that_says_so(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "FAULTS_MAX", 3)
    folder.write_points(*[{"h": "x"}] * 3)
    assert len(folder.faults()) == 3
    folder.write_points(*[{"h": "x"}] * 5)
    assert [fault.message for fault in folder.faults()][3:] == ["and 2 faults more"]


def test_points_and_devices_together_stay_below_the_limit(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "POINTS_PER_AGENT_MAX", 3)
    folder.write_points({}, {})
    folder.load()
    folder.write_points({}, {}, {})
    [fault] = folder.faults()
    assert "4 points" in fault.message


def test_a_device_without_points_is_a_fault(folder: Any) -> None:
    folder.write_toml(
        (folder.path / "agent.toml").read_text() + '[[device]]\nname = "idle"\ndriver = "modbus_tcp"\nhost = "h"\n'
    )
    assert folder.places() == [("agent.toml", None, "device.2.name")]


def test_a_timetable_that_cannot_be_kept_is_a_fault(folder: Any) -> None:
    folder.spoil_toml('host = "127.0.0.1"', 'host = "127.0.0.1"\npause_ms = 5000')
    [fault] = folder.faults()
    assert "plc" in str(fault)


def test_the_name_can_be_had_before_there_are_keys(folder: Any) -> None:
    shutil.rmtree(folder.path / "keys")
    folder.write_csv("nonsense")
    assert read_identity(folder.path).name == "agent-1"
    assert read_identity(folder.path).key_file == folder.path / "keys/agent.key"
    folder.spoil_toml('"agent-1"', '"agent 1"')
    with pytest.raises(ConfigError, match=r"agent\.name"):
        read_identity(folder.path)


def test_the_longest_that_is_accepted_can_be_sent(folder: Any) -> None:
    """The wire has bounds of its own; what is inside those of the list must be inside them too."""
    folder.spoil_toml('"acme"', f'"{"企" * 64}"')
    folder.write_points(
        {"tag": "储" * 64, "source": f"{'罐' * 64}/{'区' * 64}", "was": "旧" * 64, "description": "述" * 512,
         "address": "65532", "type": "int64", "word_order": "DCBA", "scale": "1e300", "offset": "-1e300",
         "stale_s": "86400", "poll_s": "3600", "off_delay_s": "86400", "report_deadband": "off"}
    )  # fmt: skip
    points = tuple(replace(point, id=number) for number, point in enumerate(folder.load().points))
    frame = CatalogueFrame(Epoch("0" * 32), Catalogue(1, points))
    received = decode(encode(frame))
    assert isinstance(received, CatalogueFrame)
    assert repr(received.catalogue.points) == repr(points)  # by text: NaN equals NaN there


def test_the_data_is_found_whatever_the_rest_of_the_folder_is_like(folder: Any) -> None:
    shutil.rmtree(folder.path / "keys")
    folder.write_csv("nonsense")
    folder.spoil_toml('"agent-1"', '"agent 1"')
    assert read_outbox_directory(folder.path) == folder.path / "data"
    folder.spoil_toml("[[device]]", '[outbox]\ndirectory = ""\n[[device]]')
    with pytest.raises(ConfigError, match=r"outbox\.directory"):
        read_outbox_directory(folder.path)


# --- the hash -----------------------------------------------------------------------------------------------------------


def test_the_same_meaning_has_the_same_hash(folder: Any) -> None:
    folder.write_points({"h": "25", "scale": "0.5"}, {"address": "7", "word_order": "ABCD"})
    before = folder.load()
    folder.write_toml(
        '# written anew\nagent = {organisation = "acme", name = "agent-1", key_file = "keys/../keys/agent.key"}\n'
        '[outbox]\nbudget_mb = 512\n[telemetry]\nchunk_s = 60.0\n[[device]]\nport = 502\nhost = "127.0.0.1"\n'
        'driver = "modbus_tcp"\nname = "plc"\n[[destination]]\nname = "park"\nmandatory = true\n'
        'endpoints = ["tcp://127.0.0.1:7440"]\n'
    )
    folder.write_csv(
        "\ufeffunit;scale;h;device;register;address;type;source;tag;poll_s\r\n\r\n# two points\r\n"
        "degC;;;plc;holding;7;uint16;tank-1;GT-2;1\r\ndegC;.50;2.5e1;plc;holding;10;uint16;tank-1;GT-1;\r\n"
    )
    after = folder.load()
    assert after.config_hash == before.config_hash
    assert after.points == before.points
    assert len(after.config_hash) == 64


@pytest.mark.parametrize(
    "change",
    [{"h": "26"}, {"address": "11"}, {"description": "x"}, {"on_delay_s": "1"}, {"tag": "GT-2"}, {"class": "advisory"}],
)
def test_another_meaning_has_another_hash(folder: Any, change: dict[str, str]) -> None:
    folder.write_points({"h": "25"})
    before = folder.load().config_hash
    folder.write_points({"h": "25", **change})
    assert folder.load().config_hash != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[device]]", "[telemetry]\nchunk_s = 61\n[[device]]"),
        ("[[device]]", "[outbox]\nbudget_mb = 513\n[[device]]"),
        ('"127.0.0.1"', '"127.0.0.2"'),
        (":7440", ":7441"),
        ('"acme"', '"other"'),
    ],
)
def test_other_settings_have_another_hash(folder: Any, old: str, new: str) -> None:
    before = folder.load().config_hash
    folder.spoil_toml(old, new)
    assert folder.load().config_hash != before


def test_another_control_room_behind_the_same_file_has_another_hash(folder: Any) -> None:
    before = folder.load().config_hash
    (folder.path / "keys/aggregator.pub").write_text(format_public(generate("park").public))
    assert folder.load().config_hash != before


# --- anything at all ----------------------------------------------------------------------------------------------------

cell = st.one_of(
    st.sampled_from(
        ["", "plc", "holding", "coil", "uint16", "bit", "float64", "65535", "-1", "1,5", "nan", "1e999", "#"]
    ),
    st.sampled_from(["%LEL", "ABCD", "CDAB", '"', '"a\nb"', "0.5", "GT-1", "tank-1", "off", "９", "\x00", "safety"]),
    st.text(max_size=8),
)
tables = st.builds(
    lambda columns, rows, delimiter: "\n".join(delimiter.join(row) for row in [columns, *rows]),
    st.permutations(
        ["tag", "source", "device", "register", "address", "type", "unit", "h", "hh", "deadband", "bit", "word_order"]
    ),
    st.lists(st.lists(cell, max_size=14), max_size=6),
    st.sampled_from(",;\t"),
)


@settings(max_examples=150)
@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode), tables.map(str.encode)))
def test_no_points_file_raises_anything_but_faults(make_folder: Callable[[Path], Any], data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        folder = make_folder(Path(directory) / "agent")
        folder.write_csv(data)
        expect_faults_or_points(folder.path)


@settings(max_examples=150)
@given(changes=st.dictionaries(st.sampled_from(COLUMNS), cell, max_size=4))
def test_no_cell_raises_anything_but_faults(make_folder: Callable[[Path], Any], changes: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        folder = make_folder(Path(directory) / "agent")
        folder.write_points({}, changes)
        expect_faults_or_points(folder.path)


@settings(max_examples=100)
@given(
    start=st.sampled_from(["", "[agent]\n", "[[device]]\n", "[[destination]]\n", "[telemetry]\n", "device = "]),
    data=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(str.encode),
        st.dictionaries(
            st.sampled_from(["name", "driver", "host", "port", "endpoints", "chunk_s", "key_file", "organisation"]),
            st.sampled_from(['"x"', "1", "-1e400", "[[1]]", '"modbus_tcp"', "true", "nan", '"\\u0000"', "{a = 1}"]),
        ).map(lambda keys: "\n".join(f"{key} = {value}" for key, value in keys.items()).encode()),
    ),
)
def test_no_agent_file_raises_anything_but_faults(make_folder: Callable[[Path], Any], start: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        folder = make_folder(Path(directory) / "agent")
        folder.write_toml(start.encode() + data)
        expect_faults_or_points(folder.path)


def expect_faults_or_points(path: Path) -> None:
    try:
        config = load(path)
    except ConfigError as error:
        assert error.faults
        assert all(fault.message and fault.remedy for fault in error.faults)
    else:
        assert all(is_tag(point.tag) for point in config.points)
