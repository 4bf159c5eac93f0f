"""Columns and tables that say how a register's number is meant, from the sheet to the driver's address."""

from __future__ import annotations

from typing import Any

import pytest

from contract.points import PointType

HEADER = "tag,source,device,register,address,bit,type,word_order,read,status,decimals,factor,ne43,scale,unit\n"
STATUS = '\n[device.status.regard]\nbits = { 3 = "fault", 7 = "over_range" }\nvalues = { "9-12" = "no_data" }\n'


@pytest.fixture
def sheet(folder: Any) -> Any:
    """Writes rows below HEADER beside a device that knows the status word ``regard``."""
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8") + STATUS)

    def write(*rows: str) -> Any:
        folder.write_csv(HEADER + "\n".join(rows) + "\n")
        return folder

    return write


def test_each_column_finds_its_way_into_the_address(sheet: Any) -> None:
    folder = sheet(
        "L-1,tank,plc,input,1,,uint16,,,regard@5,,2*0.001,,,ppm",
        "L-2,tank,plc,holding,1,,tenths16,,0+2,,,,,0.1,%vol",
        "L-3,tank,plc,holding,7,4-7,uint16,,,,,,,,1",
        "L-4,tank,plc,holding,8,,bcd32,CDAB,alone,,,,,,1",
        "L-5,tank,plc,holding,10,,int16,,,,11,,,,degC",
        "L-6,tank,plc,input,20,,int16,,,,,,0..27648,,mA",
        "L-7,tank,plc,input,21,,float16,,,,,,,,%LEL",
    )
    assert [(point.type, point.address) for point in folder.load().points if point.device != point.tag] == [
        (PointType.FLOAT64, "input:1;code=uint16;status=regard@5;factor=2*0.001"),
        (PointType.UINT16, "holding:1@0+2;code=tenths16"),
        (PointType.UINT16, "holding:7.4-7"),
        (PointType.UINT32, "holding:8/CDAB@alone;code=bcd32"),
        (PointType.FLOAT64, "holding:10;code=int16;decimals=11"),
        (PointType.INT16, "input:20;ne43=0..27648"),
        (PointType.FLOAT32, "input:21;code=float16"),
    ]


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        ("L,tank,plc,input,1,,uint16,,,regard,,,,,1", "status", "no status word"),
        ("L,tank,plc,input,1,,uint16,,,regard@x,,,,,1", "status", "out of range"),
        ("L,tank,plc,input,1,,uint16,,,regard@coils:3,,,,,1", "status", "no Modbus table"),
        ("L,tank,plc,input,1,,uint16,,2,,,,,,1", "read", "no way to read"),
        ("L,tank,plc,input,5,,uint16,,0+2,,,,,,1", "read", "does not hold"),
        ("L,tank,plc,input,1,,uint16,,,,x,,,,1", "decimals", "out of range"),
        ("L,tank,plc,input,1,,uint16,,,,,2*z,,,1", "factor", "no number"),
        ("L,tank,plc,input,1,,uint16,,,,,,5,,1", "ne43", "no number"),
        ("L,tank,plc,input,1,,uint16,,,,,,5..5,,1", "ne43", "no span"),
        ("L,tank,plc,input,1,,uint16,,,,4,,,0.1,1", "scale", "not scaled"),
        ("L,tank,plc,input,1,7-4,uint16,,,,,,,,1", "bit", "out of range"),
        ("L,tank,plc,input,1,4-7,int16,,,,,,,,1", "bit", "no single bit"),
        ("L,tank,plc,input,1,,uint16,,,a;b@5,,,,,1", "status", "cannot be read"),
        ("L,tank,plc,input,1,,bcd8,,,,,,,,1", "type", "not allowed"),
        ("L,tank,plc,input,1,,bcd16,CDAB,,,,,,,1", "word_order", "only one"),
        ("L,tank,plc,coil,1,,bit,,,,,,0..5,,1", "type", "no current"),
    ],
)
def test_a_mistake_is_one_fault_in_its_column(sheet: Any, row: str, column: str, message: str) -> None:
    [fault] = sheet(row).faults()
    assert (fault.row, fault.column) == (2, column)
    assert message in fault.message


TEXTS = "tag,source,device,register,address,bit,type,word_order,length,encoding,factor,scale,unit,range_high,h,deadband,on_delay_s,report_deadband\n"


def test_a_text_is_a_point_with_its_length_and_encoding(folder: Any) -> None:
    folder.write_csv(
        TEXTS + "S-1,tank,plc,holding,10,,string,BADC,16,gb18030,,,1,,,,,\nS-2,tank,plc,input,0,,string,,1,,,,1,,,,,"
    )
    assert [(point.type, point.address) for point in folder.load().points if point.device != point.tag] == [
        (PointType.STRING, "holding:10/BADC;length=16;encoding=gb18030"),
        (PointType.STRING, "input:0;length=1"),
    ]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("S,tank,plc,holding,1,,string,,,,,,1,,,,,", "length"),
        ("S,tank,plc,holding,1,,string,,200,,,,1,,,,,", "length"),
        ("S,tank,plc,holding,1,,string,,4,latin-1,,,1,,,,,", "encoding"),
        ("S,tank,plc,holding,1,,string,CDAB,4,,,,1,,,,,", "word_order"),
        ("S,tank,plc,holding,1,3,string,,4,,,,1,,,,,", "bit"),
        ("S,tank,plc,holding,1,,string,,4,,3,,1,,,,,", "factor"),
        ("S,tank,plc,holding,1,,string,,4,,,2,1,,,,,", "scale"),
        ("S,tank,plc,holding,1,,string,,4,,,,ppm,,,,,", "unit"),
        ("S,tank,plc,holding,1,,string,,4,,,,1,9,,,,", "range_high"),
        ("S,tank,plc,holding,1,,string,,4,,,,1,,5,,,", "h"),
        ("S,tank,plc,holding,1,,string,,4,,,,1,,,1,,", "deadband"),
        ("S,tank,plc,holding,1,,string,,4,,,,1,,,,1,", "on_delay_s"),
        ("S,tank,plc,holding,1,,string,,4,,,,1,,,,,2", "report_deadband"),
        ("S,tank,plc,coil,1,,string,,4,,,,1,,,,,", "type"),
        ("S,tank,plc,holding,1,,uint16,,4,,,,1,,,,,", "length"),
    ],
)
def test_what_a_text_cannot_have_is_one_fault_in_its_column(folder: Any, row: str, column: str) -> None:
    folder.write_csv(TEXTS + row + "\n")
    [fault] = folder.faults()
    assert (fault.row, fault.column) == (2, column)
    assert fault.message
    assert fault.remedy


def test_a_meaning_that_the_device_does_not_give_is_found_offline(sheet: Any) -> None:
    [fault] = sheet("L,tank,plc,input,1,,uint16,,,unknown@5,,,,,1").faults()
    assert (fault.column, "unknown" in fault.message) == ("status", True)


def test_a_meaning_that_makes_no_sense_is_a_fault_of_the_device(folder: Any) -> None:
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8") + STATUS.replace("over_range", "overrange"))
    [fault] = folder.faults()
    assert fault.column == "device.1.status.regard.bits.7"


def test_what_a_status_word_means_belongs_to_the_meaning_of_the_folder(sheet: Any) -> None:
    row = "L,tank,plc,input,1,,uint16,,,regard@5,,,,,1"
    before = sheet(row).load().config_hash
    assert sheet(row).load().config_hash == before
    folder = sheet(row)
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8").replace("9-12", "9-13"))
    assert folder.load().config_hash != before


def test_registers_that_say_how_all_values_are_meant_belong_to_the_folder(folder: Any) -> None:
    folder.write_csv(HEADER + "L,tank,plc,input,1,,float32,,,,,,,,1\n")
    before = folder.load().config_hash
    order = '\nfloat_order = { register = "holding:131", orders = ["ABCD", "CDAB"] }\n'
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8") + order)
    config = folder.load()
    assert config.config_hash != before
    assert [(side.table, side.offset) for side in config.devices[0].settings.sides] == [("holding", 131)]
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8").replace("CDAB", "CDBA"))
    [fault] = folder.faults()
    assert fault.column == "device.1.float_order.orders.2"
