"""``aggregator register set``: all faults at once, nothing changed by a wrong file, no restart after a good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator import cli

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "configs" / "demo" / "register.toml"


@pytest.fixture
def run(capsys, folder):
    def command(file) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.main(["register", "set", str(file), "--dir", str(folder.path)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def test_the_registers_that_come_with_the_product_are_taken(run, folder):
    status, out, _ = run(DEMO)
    assert status == 0
    assert "sources" in out
    assert (folder.path / "register.toml").read_text("utf-8") == DEMO.read_text("utf-8")


def test_faults_are_named_and_nothing_changes(run, folder, tmp_path):
    run(DEMO)
    wrong = tmp_path / "mine.toml"
    wrong.write_text(
        DEMO.read_text("utf-8").replace("level = 1", "level = 9").replace("north_deg = 0", "north_deg = 360")
    )
    status, _, err = run(wrong)
    assert status == 2
    assert "mine.toml, source[1].level" in err
    assert "mine.toml, park.north_deg" in err
    assert (folder.path / "register.toml").read_text("utf-8") == DEMO.read_text("utf-8")


def test_a_file_that_is_not_there_is_told(run, tmp_path):
    status, _, err = run(tmp_path / "none.toml")
    assert status == 2
    assert "cannot be read" in err


def test_it_teaches_itself(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["register", "set", "--help"])
    assert stopped.value.code == 0
    assert "usage: aggregator register set" in capsys.readouterr().out
