"""``edge-agent models`` tells an engineer what he can use and what he still has to find out."""

from __future__ import annotations

import tomllib

import pytest

from edge_agent.cli import main
from edge_agent.settings.models.library import model_files


def test_all_models_are_listed_with_what_is_open(capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    for name in model_files(None):
        assert f"{name}: " in out
    assert "OPEN float_order (ABCD | CDAB | BADC | DCBA)" in out


@pytest.mark.parametrize("name", model_files(None))
def test_one_in_full_tells_every_point_its_source_and_a_use_to_copy(capsys, name):
    assert main(["models", name]) == 0
    out = capsys.readouterr().out
    assert "source: " in out
    written = tomllib.loads(model_files(None)[name].read_text("utf-8"))
    for point in written["point"]:
        assert f"\n{point['name']} " in out
    sample = tomllib.loads(out.split("in agent.toml:\n")[1])
    assert sample["device"][0]["model"] == name


def test_a_folders_own_models_are_there_too_and_their_mistakes_told(tmp_path, capsys):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.toml").write_text("title = 3")
    assert main(["models", "--dir", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert "models/own.toml, title" in shown.err
    assert "msa_ultima_x" in shown.out


def test_a_folder_that_is_not_there_is_told(tmp_path, capsys):
    assert main(["models", "--dir", str(tmp_path / "none")]) == 2
    assert f"there is no folder {tmp_path / 'none'}" in capsys.readouterr().err


def test_a_model_of_a_serial_line_tells_how_it_is_used_over_a_network(capsys):
    assert main(["models", "msa_ultima_x"]) == 0
    assert 'host = "10.0.0.9", transport = "tcp"' in capsys.readouterr().out


def test_a_model_that_there_is_not_is_told_with_its_like(capsys):
    assert main(["models", "msa_ultima"]) == 2
    assert "msa_ultima_x" in capsys.readouterr().err
