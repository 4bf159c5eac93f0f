"""The console script, as a person uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hil_tests import cli
from hil_tests.rig.plant import PLANT_USAGES
from hil_tests.scenario import What

PLANT_SITE = """
[plant]
seed = 7
[[device]]
kind = "opcua"
name = "cooler"
namespace = "urn:test"
node = [{ name = "TT-401", signal = { kind = "constant", value = 1 } }, { name = "A", signal = { kind = "plant", tag = "AT-101" } }]
"""
SITE = """
[[device]]
name = "chlorine"
[[device.register]]
name = "gas1"
table = "holding"
address = 0
type = "float32"
signal = { kind = "constant", value = 0.1 }
"""


def test_serve_prints_where_devices_listen_and_obeys_what_is_typed(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    typed = "chlorine step gas1 3.5\nchlorine\nmethane step gas1 1\nchlorine step gas9 1\nhelp\nquit\n"
    done = subprocess.run(
        [sys.executable, "-m", "hil_tests.cli", "serve", str(tmp_path), "--dir", str(tmp_path / "work")],
        input=typed, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert "chlorine" in lines[0]
    assert "127.0.0.1:" in lines[0]
    assert lines[1].startswith("ok at ")
    assert "what shall chlorine do?" in lines[2]
    assert "no device 'methane'; there are: chlorine" in lines[3]
    assert "no register 'gas9'; there are: gas1" in lines[4]
    assert "DEVICE step NAME VALUE [RAMP_SECONDS]" in lines
    assert (tmp_path / "work" / "chlorine.ledger").read_text().endswith("step gas1 3.5\n")


def test_what_is_typed_happens_to_the_plant_and_to_nodes(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(PLANT_SITE)
    typed = "plant leak cl2-tank-a 0.0002\nplant leak cl2-tank-z 1\nplant\ncooler status TT-401 BadOutOfService\nhelp\nquit\n"
    done = subprocess.run(
        [sys.executable, "-m", "hil_tests.cli", "serve", str(tmp_path), "--dir", str(tmp_path / "work")],
        input=typed, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert "nsu=urn:test, 2 nodes" in lines[0]
    assert lines[1].startswith("ok at ")
    assert "no leak source 'cl2-tank-z'; there are: cl2-tank-a" in lines[2]
    assert "what shall plant do?" in lines[3]
    assert lines[4].startswith("ok at ")
    assert "plant leak SOURCE RATE_KG_S" in lines
    assert "leak cl2-tank-a 0.0002\n" in (tmp_path / "work" / "cooler.ledger").read_text()


def test_help_lists_whatever_can_happen_to_the_plant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    said = capsys.readouterr().out
    assert [usage for usage in PLANT_USAGES if usage not in said] == []


def test_a_wrong_site_is_told_fault_by_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.toml").write_text(SITE.replace("float32", "float16").replace("holding", "lamp"))
    assert cli.main(["serve", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("2 fault(s):")
    assert "device.1.register.1.type" in said


def test_an_old_runs_folder_is_not_used_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo").mkdir()
    assert cli.main(["demo", "--dir", str(tmp_path)]) == 1
    assert "File exists" in capsys.readouterr().err


def test_a_demo_too_short_for_its_leak_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["demo", "--seconds", "44"])
    assert exit_.value.code == 2
    assert "at least 45" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["serve"], ["run"], ["demo"]])
def test_help_teaches(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main([*arguments, "--help"])
    assert exit_.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 10


def test_help_names_every_figure() -> None:
    assert set(cli.OTHER_FIGURES.split(", ")) == {*What} - {What.REPLIES_PER_S}
