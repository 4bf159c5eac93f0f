"""Folders are copied for a run with its ports in them, and with nothing else changed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from contract.errors import ConfigError
from hil_tests.agent_folder import agent_name, copy_for_run, descriptions, markers, toml_text, without_markers
from hil_tests.demo import demo_folder
from hil_tests.rig.signals import Constant
from hil_tests.rig.site import load_site

FOLDER = demo_folder() / "chlorine-store"


def test_a_copy_names_this_runs_ports_and_is_otherwise_the_same(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in ("agent.toml", "points.csv"):
        (tmp_path / "source" / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "source" / "data").mkdir()
    copy_for_run(tmp_path / "source", tmp_path / "copy", "tcp://127.0.0.1:9", {"chlorine-plc": 99, "other": 98})
    before = tomllib.loads((FOLDER / "agent.toml").read_text())
    after = tomllib.loads((tmp_path / "copy" / "agent.toml").read_text())
    assert after["destination"][0].pop("endpoints") == ["tcp://127.0.0.1:9"]
    assert after["device"][0].pop("port") == 99
    before["destination"][0].pop("endpoints")
    before["device"][0].pop("port")
    assert after == before
    assert (tmp_path / "copy" / "points.csv").read_bytes() == (FOLDER / "points.csv").read_bytes()
    assert not (tmp_path / "copy" / "data").exists()


def test_settings_survive_being_written() -> None:
    settings = {"agent": {"name": '储罐"1"\n', "x": 1.5, "on": True}, "device": [{"ports": [1, 2]}, {"a": "b"}]}
    assert tomllib.loads(toml_text(settings)) == settings


def test_markers_are_the_points_that_read_square_waves() -> None:
    (marker,) = markers(FOLDER, load_site(demo_folder()))
    assert (marker.agent, marker.tag, marker.device, marker.register) == (
        "chlorine-store", "XM-101", "chlorine-plc", "XM-101",
    )  # fmt: skip


def test_without_markers_only_the_square_waves_stand_still() -> None:
    site = load_site(demo_folder())
    still = without_markers(site)
    assert [markers(folder, still) for folder in (FOLDER, demo_folder() / "lpg-sphere")] == [[], []]
    before, after = (
        {each.name: each for device in which.devices for each in device.instruments} for which in (site, still)
    )
    assert before.keys() == after.keys()
    changed = [(name, each.signal) for name, each in after.items() if each != before[name]]
    zero = Constant(kind="constant", value=0)
    assert changed == [("XM-101", zero), ("XM-201", zero)]


def test_a_point_is_described_in_english() -> None:
    assert descriptions(FOLDER)["AT-101"] == "Chlorine, tank A valves"


def test_a_folder_that_is_no_agents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        agent_name(tmp_path)
    (tmp_path / "agent.toml").write_text("[agent]\n")
    with pytest.raises(ConfigError, match="is missing"):
        agent_name(tmp_path)
