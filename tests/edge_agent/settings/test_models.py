"""Devices of models: what a use means, and whom each mistake is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Fault
from edge_agent.settings import load as load_module
from edge_agent.settings.agent_file import DEVICES_MAX
from edge_agent.settings.model import AgentConfig
from edge_agent.settings.models.accepted import Acceptance, entry_text, read_accepted
from edge_agent.settings.models.expression import ExpressionError, fill, names_in, written
from edge_agent.settings.models.template import read_model
from edge_agent.settings.preview import check_report

HEAD = """
[agent]
name = "agent-1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:7440"]
"""
MODEL = """
title = "A gas head"
source = "manual, page 1"
[device]
functions = [3]
max_registers = 60
[device.status.head]
bits = { 0 = "fault" }
[parameter.base]
type = "whole"
default = 100
low = 0
high = 60000
description = "Start of the table"
[parameter.channel]
type = "numbers"
default = "1-2"
low = 1
high = 8
description = "Channels"
[parameter.gas_unit]
type = "text"
default = "ppm"
description = "Unit"
[open.order]
question = "Which order?"
choices = { big = "ABCD", little = "DCBA" }
default = "big"
find_out = "edge-agent try"
[[point]]
name = "CH{channel}"
register = "holding"
address = "{base+2*channel}"
type = "float32"
word_order = "{order}"
unit = "{gas_unit}"
[[point]]
name = "STATE"
register = "holding"
address = "{base}"
type = "uint16"
unit = "state"
[[point]]
name = "SERIAL"
extra = "more"
register = "holding"
address = "{base+50}"
type = "uint16"
unit = "1"
"""
DEVICE = '[[device]]\nname = "g1"\nmodel = "head"\nhost = "10.0.0.1"\nsource = "tank-1"\n'
ACCEPTED = '[[accepted]]\nmodel = "head"\nitem = "order"\nchoice = "little"\nby = "li"\nat = "2026-01-02T03:04:05Z"\n'


@pytest.fixture
def site(folder: Any) -> Any:
    """A folder with the model ``head`` and no list of points."""
    (folder.path / "models").mkdir()
    (folder.path / "models/head.toml").write_text(MODEL)
    (folder.path / "points.csv").unlink()
    folder.write_toml(HEAD + DEVICE)
    return folder


def addresses(config: AgentConfig) -> dict[str, str]:
    return {point.tag: point.address for point in config.points if point.address}


# --- expressions --------------------------------------------------------------------------------------------------------


@given(st.integers(-99_999, 99_999), st.integers(-999, 999), st.integers(1, 99))
def test_whole_arithmetic_is_that_of_whole_numbers(a, b, c):
    values = {"a": Decimal(a), "b": Decimal(b), "c": Decimal(c)}
    assert fill("{a+b*c}", values) == str(a + b * c)
    assert fill("{(a-b)*c-1}@{-c}", values) == f"{(a - b) * c - 1}@{-c}"


@given(st.text(st.sampled_from("{}ab+-*/()1.e \"'[]=:,_\\"), max_size=30))
def test_any_text_is_filled_or_refused_in_words(text):
    try:
        names = names_in(text)
        assert isinstance(fill(text, {name: Decimal(2) for name in names}), str)
    except ExpressionError as error:
        assert str(error)


@given(st.decimals(-(10**12), 10**12, places=9))
def test_a_number_is_written_without_exponent_and_back_the_same(value):
    text = written(value)
    assert set(text) <= set("-.0123456789")
    assert Decimal(text) == value


@pytest.mark.parametrize("text", ["{a**9}", "{a()}", "{a.b}", "{'x'}", "{a if b else c}", "{a", "a}", "{}", "{1e999999}", "{a/0}", "{a%2}", "{[a]}", "{True}"])  # fmt: skip
def test_what_is_more_than_arithmetic_is_refused(text):
    with pytest.raises(ExpressionError):
        fill(text, {"a": Decimal(1)})


# --- uses ---------------------------------------------------------------------------------------------------------------


def test_a_use_is_a_device_with_its_points(site):
    config = site.load()
    assert addresses(config) == {
        "g1.CH1": "holding:102;status=?@102", "g1.CH2": "holding:104;status=?@104", "g1.STATE": "holding:100",
    }  # fmt: skip
    assert {point.org for point in config.points} == {"acme", "acme/tank-1"}
    [device] = config.devices
    assert (device.name, device.driver, device.settings.max_registers) == ("g1", "modbus", 60)


def test_parameters_extras_prefix_and_cells_of_points_are_the_uses(site):
    site.write_toml(
        HEAD + DEVICE + 'prefix = "AT-7"\nextras = ["more"]\nmax_registers = 20\n'
        '[device.parameters]\nbase = 200\nchannel = "3, 5"\ngas_unit = "%LEL"\n'
        '[device.points."CH{channel}"]\nh = 25\nhh = 50\n[device.points.CH5]\nhh = 40\ntag = "AT-75"\n'
    )
    config = site.load()
    assert sorted(addresses(config)) == ["AT-7.CH3", "AT-7.SERIAL", "AT-7.STATE", "AT-75"]
    limits = {point.tag: (point.limits.h, point.limits.hh, point.unit) for point in config.points}
    assert (limits["AT-7.CH3"], limits["AT-75"]) == ((25, 50, "%LEL"), (25, 40, "%LEL"))
    assert addresses(config)["AT-7.CH3"].startswith("holding:206;")
    assert config.devices[0].settings.max_registers == 20


def test_a_table_of_devices_means_the_same_as_tables(site):
    site.write_toml(HEAD + DEVICE + "[device.parameters]\nbase = 200\n[device.points.CH1]\nh = 25\n")
    in_toml = site.load()
    site.write_toml(HEAD)
    (site.path / "devices.csv").write_text("name;model;host;source;base;CH1.h\ng1;head;10.0.0.1;tank-1;200;25\n")
    in_csv = site.load()
    assert (in_csv.config_hash, in_csv.points) == (in_toml.config_hash, in_toml.points)


def test_points_of_a_list_and_of_models_stand_side_by_side(site):
    site.write_toml(HEAD + DEVICE + '[[device]]\nname = "plc"\ndriver = "modbus"\nhost = "10.0.0.9"\n')
    site.write_points({})
    assert {"GT-1", "g1.STATE"} < {point.tag for point in site.load().points}


def test_three_hundred_devices_are_one_table(site):
    site.write_toml(HEAD)
    rows = [f"h{i},head,10.0.{i // 200}.{i % 200 + 1},tank,{i % 9 + 20}" for i in range(300)]
    (site.path / "devices.csv").write_text("name,model,host,source,CH1.h\n" + "\n".join(rows))
    config = site.load()
    assert (len(config.devices), len(config.points)) == (300, 1200)
    report = [line for line in check_report(config) if line.startswith("OPEN")]
    assert report == ["OPEN order of head, h0, h1, h2 and 297 more: Which order?"]


@pytest.mark.parametrize("in_table", [DEVICES_MAX, DEVICES_MAX + 1])
def test_there_are_no_more_devices_than_a_frame_with_latest_values_has_room_for(site, in_table):
    site.write_toml(HEAD + (DEVICE if in_table == DEVICES_MAX else ""))
    rows = [f"h{i},head,10.0.{i // 200}.{i % 200 + 1},tank" for i in range(in_table)]
    (site.path / "devices.csv").write_text("name,model,host,source\n" + "\n".join(rows))
    assert "more than 1024" in str(site.faults())


def test_the_points_of_models_and_of_the_list_are_bounded_together(site, monkeypatch):
    site.load()
    monkeypatch.setattr(load_module, "POINTS_FILE_BYTES_MAX", 100)
    assert "the points of all models and this list" in str(site.faults())


# --- open items ---------------------------------------------------------------------------------------------------------


def test_what_is_open_is_told_with_its_points_until_it_is_accepted(site):
    before = site.load()
    [item] = before.open_items
    assert (item.device, item.item, item.choice, item.points) == ("g1", "order", "big", ("g1.CH1", "g1.CH2"))
    report = "\n".join(check_report(before))
    assert "OPEN order of head, g1: Which order?" in report
    assert f"edge-agent accept {site.path} g1 order CHOICE --by NAME" in report
    (site.path / "accepted.toml").write_text(ACCEPTED)
    after = site.load()
    assert after.open_items == ()
    assert addresses(after)["g1.CH1"] == "holding:102/DCBA"
    assert after.config_hash != before.config_hash


def test_who_accepted_when_changes_no_meaning(site):
    (site.path / "accepted.toml").write_text(ACCEPTED)
    before = site.load().config_hash
    (site.path / "accepted.toml").write_text(ACCEPTED.replace("li", "wang").replace("wangttle", "little"))
    assert site.load().config_hash == before


def test_of_several_acceptances_the_last_that_speaks_of_the_device_holds(site):
    own = ACCEPTED.replace("[[accepted]]", '[[accepted]]\ndevice = "g2"').replace("little", "big")
    second = DEVICE.replace("g1", "g2").replace("10.0.0.1", "10.0.0.2")
    site.write_toml(HEAD + DEVICE + second)
    (site.path / "accepted.toml").write_text(ACCEPTED + own)
    found = addresses(site.load())
    assert (found["g1.CH1"], found["g2.CH1"]) == ("holding:102/DCBA", "holding:102")


def test_a_parameter_cannot_settle_what_is_open(site):
    site.write_toml(HEAD + DEVICE + '[device.parameters]\norder = "little"\n')
    [fault] = site.faults()
    assert fault.column == "device.1.parameters.order"
    assert "edge-agent accept" in fault.remedy


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('model = "head"', 'device = "g9"\nmodel = "head"', "accepted.1.device"),
        ('model = "head"', 'model = "msa_ultima_x"', "accepted.1.model"),
        ('"order"', '"odrer"', "accepted.1.item"),
        ('"little"', '"litle"', "accepted.1.choice"),
        ('by = "li"\n', "", "accepted.1.by"),
        ("[[accepted]]", "[[acepted]]", "acepted"),
        ('"li"', "3", "accepted.1.by"),
    ],
)
def test_an_acceptance_that_fits_nothing_is_a_fault(site, old, new, column):
    (site.path / "accepted.toml").write_text(ACCEPTED.replace(old, new))
    [fault] = site.faults()
    assert (fault.file, fault.column) == ("accepted.toml", column)


# --- mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "column"),
    [
        ("[device.parameters]\nbase = 70000\n", "device.1.parameters.base"),
        ("[device.parameters]\nbase = 1.5\n", "device.1.parameters.base"),
        ('[device.parameters]\nchannel = "9"\n', "device.1.parameters.channel"),
        ('[device.parameters]\nchannel = "2-1"\n', "device.1.parameters.channel"),
        ('[device.parameters]\ngas_unit = "mg/m³"\n', "device.1.parameters.gas_unit"),
        ("[device.parameters]\nbsae = 1\n", "device.1.parameters.bsae"),
        ("[device.points.CH9]\nh = 1\n", "device.1.points.CH9"),
        ('[device.points.CH1]\nh = "x"\n', "device.1.points.CH1.h"),
        ("[device.points.CH1]\naddress = 7\n", "device.1.points.CH1.address"),
        ('[device.points.CH1]\ntag = "a b"\n', "device.1.points.CH1.tag"),
        ('[device.points.CH2]\ntag = "g1.CH1"\n', "device.1.points.CH2.tag"),
        ('extras = ["mroe"]\n', "device.1.extras"),
        ('driver = "modbus"\n', "device.1.driver"),
        ("prot = 5\n", "device.1.prot"),
        ("port = 70000\n", "device.1.port"),
        ("parameters = 3\n", "device.1.parameters"),
        ("unit = 300\n", "device.1.unit"),
        ('baudrate = 9600\nparity = "odd"\nserial_port = "/dev/x"\n', "device.1.serial_port"),
    ],
)
def test_a_mistake_of_a_use_is_one_fault_at_its_key(site, more, column):
    site.write_toml(HEAD + DEVICE + more)
    [fault] = site.faults()
    assert (fault.file, fault.row, fault.column) == ("agent.toml", None, column)
    assert fault.remedy


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("g2,hed,h,tank,,,", "model"),
        ("g 2,head,h,tank,,,", "name"),
        ("g1,head,h2,tank,,,", "name"),
        ("g2,head,h,,,,", "source"),
        ("g2,head,h,a b,,,", "source"),
        ("g2,head,,tank,,,", "host"),
        ("g2,head,h,tank,x,,", "base"),
        ("g2,head,h,tank,,x,", "CH1.h"),
        ("g2,head,h,tank,,,x", "port"),
        ("g2,head,h,tank,65499,,", "base"),
    ],
)
def test_a_mistake_in_a_table_of_devices_is_told_by_row_and_column(site, row, column):
    (site.path / "devices.csv").write_text(f"name,model,host,source,base,CH1.h,port\n\n{row}\n")
    [fault] = {each.column: each for each in site.faults()}.values()
    assert (fault.file, fault.row, fault.column) == ("devices.csv", 3, column)


def test_what_a_driver_finds_in_a_row_is_told_at_the_row(site):
    site.write_toml(HEAD)
    text = "name,model,host,source,transport,baudrate,serial_port\nx,head,,tank,rtu,12345,/dev/ttyS1\n"
    (site.path / "devices.csv").write_text(text)
    [fault] = site.faults()
    assert (fault.file, fault.row, fault.column) == ("devices.csv", 2, "baudrate")


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('type = "whole"', 'type = "hole"', "parameter.base.type"),
        ("default = 100", "default = -1", "parameter.base.default"),
        ('default = "big"', 'default = "bog"', "open.order.default"),
        ("{base+2*channel}", "{bsae+2*channel}", "point.1.address"),
        ("{base+2*channel}", "{base+2*channel", "point.1.address"),
        ('name = "STATE"', 'name = "SERIAL"', "point.3.name"),
        ('unit = "state"', 'unit = "state"\ntag = "x"', "point.2.tag"),
        ("[open.order]", "[open.base]", "open.base"),
        ('title = "A gas head"', "", "title"),
        ("functions = [3]", "functions = [6]", "device.functions.1"),
        ('type = "uint16"\nunit = "state"', 'type = "unit16"\nunit = "state"', "point.2.type"),
        ("[parameter.base]", "[parameter.host]", "parameter.host"),
        ("[device]", 'written = [{ register = "holding:100", meaning = "resets it" }]\n[device]', "written"),
    ],
)
def test_a_mistake_of_a_model_is_told_in_the_model(site, old, new, column):
    text = MODEL.replace(old, new, 1)
    text = text.replace("{base", "{host") if "host" in new else text
    assert text != MODEL
    (site.path / "models/head.toml").write_text(text.replace("{order}", "{base}") if column == "open.base" else text)
    faults = site.faults()
    assert (faults[0].file, faults[0].column) == ("models/head.toml", column) or ("models/head.toml", column) in {
        (each.file, each.column) for each in faults
    }


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_a_model_of_any_bytes_is_read_or_refused(data):
    faults: list[Fault] = []
    assert (read_model("x", "x.toml", data, faults) is None) == bool(faults)


def test_a_model_of_the_folder_stands_in_front_of_one_that_comes_along(site):
    (site.path / "models/msa_ultima_x.toml").write_text(MODEL)
    site.write_toml(HEAD + DEVICE.replace('"head"', '"msa_ultima_x"'))
    assert "g1.STATE" in addresses(site.load())


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_whoever_accepted_is_read_back_by_his_name(name):
    given_by = Acceptance(model="head", item="order", choice="little", by=name, at="2026-01-02T03:04:05Z")
    faults: list[Fault] = []
    assert read_accepted(entry_text(given_by).encode(), faults) == [given_by], faults
