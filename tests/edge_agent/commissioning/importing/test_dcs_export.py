"""The English export of a control system, in the encodings and with the separators that such systems write."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

EXPORT = [
    ["Point database export", "2026-03-02 10:11"],
    [],
    ["Tag Name", "Service", "EU", "EU Lo", "EU Hi", "LL", "L", "H", "HH", "Unit ID", "FC", "Reg", "Format", "Byte Order",
     "Scale", "Vendor", "Plant Area"],
    ["PIC_101.PV", "Reactor pressure", "MPa(G)", "0", "2,5", "", "0,1", "1,6", "1,8", "2", "3", "0", "FLOAT32", "word swap",
     "", "Acme", "R 101/Top"],
    ["TI_102.PV", "Jacket, °C", "°C", "-40", "200", "", "", "150", "N/A", "2", "4", "10", "INT16", "", "0,1", "", ""],
    ["AI_103.PV", "Oxygen", "VOL%", "0", "25", "", "", "", "", "1", "4", "11", "UINT16", "", "0,01", "", "R 102"],
]  # fmt: skip


def exported(delimiter: str) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(EXPORT)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_it_is_read_whatever_it_is_written_in(
    encoding: str, delimiter: str, tmp_path: Path, agent_folder: Path, agent: Callable[..., CompletedProcess[str]]
) -> None:
    path = tmp_path / "dcs.csv"
    path.write_bytes(exported(delimiter).encode(encoding))
    done = agent("import", path, "--out", agent_folder)
    assert done.returncode == 0, done.stderr
    with (agent_folder / "points.csv").open(encoding="utf-8-sig", newline="") as file:
        pressure, temperature, oxygen = csv.DictReader(file)
    assert (pressure["register"], pressure["address"], pressure["word_order"]) == ("holding", "0", "CDAB")
    assert [pressure[each] for each in ("unit", "range_high", "l", "h", "hh")] == ["MPa", "2.5", "0.1", "1.6", "1.8"]
    assert (pressure["source"], temperature["source"], oxygen["source"]) == ("R-101/Top", "R-101/Top", "R-102")
    assert (temperature["description"], temperature["unit"], temperature["scale"]) == ("Jacket, °C", "degC", "0.1")
    assert (temperature["device"], oxygen["device"]) == ("PLC-1", "GDS")
    assert "LOOK: gas without a set-point: AI_103.PV in row 6" in done.stdout
    assert agent("check", agent_folder).returncode == 0


def test_two_tags_at_one_address_are_told_before_they_are_believed(
    tmp_path: Path, agent_folder: Path, agent: Callable[..., CompletedProcess[str]]
) -> None:
    path = tmp_path / "dcs.csv"
    path.write_text(exported(";") + EXPORT[3][0].replace("101", "104") + ";" + ";".join(EXPORT[3][1:]) + "\n", "utf-8")
    done = agent("import", path, "--out", agent_folder)
    assert done.returncode == 0, done.stderr
    assert "LOOK: PLC-1: PIC_101.PV and PIC_104.PV read the same place, holding:0..1" in done.stdout


def test_a_range_under_another_heading_is_kept_and_who_signed_below_is_no_point(
    tmp_path: Path, agent_folder: Path, agent: Callable[..., CompletedProcess[str]]
) -> None:
    path = tmp_path / "dcs.csv"
    text = exported(";").replace("EU Lo", "PV Low").replace("EU Hi", "PV High")
    path.write_text(text + "Prepared:;Wang;Checked:;Li\r\n", "utf-8")
    done = agent("import", path, "--out", agent_folder)
    assert done.returncode == 0, done.stderr
    with (agent_folder / "points.csv").open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert [each["tag"] for each in written] == ["PIC_101.PV", "TI_102.PV", "AI_103.PV"]
    assert (written[0]["range_low"], written[0]["range_high"]) == ("0", "2.5")
