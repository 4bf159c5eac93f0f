"""What somebody accepts at a device is in the folder from then on, with his name; what fits nothing changes no file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from contract.keys import format_public, format_secret, generate
from edge_agent.cli import main
from edge_agent.settings.load import load

AGENT = """
[agent]
name = "agent-1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:7440"]
[[device]]
name = "u1"
model = "msa_ultima_x"
transport = "tcp"
host = "10.0.0.1"
source = "tank"
[[device]]
name = "u2"
model = "msa_ultima_x"
transport = "tcp"
host = "10.0.0.2"
source = "tank"
[[device]]
name = "w1"
model = "wago_750_4fai"
host = "10.0.0.3"
source = "tank"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(AGENT)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/agent.key").write_text(format_secret(generate("agent-1")))
    (tmp_path / "keys/aggregator.pub").write_text(format_public(generate("park").public))
    return tmp_path


def accept(folder: Path, *arguments: str) -> int:
    return main(["accept", str(folder), *arguments])


def test_what_is_accepted_at_one_device_is_open_at_the_others(folder, capsys):
    assert {item.device for item in load(folder).open_items} == {"u1", "u2"}
    assert accept(folder, "u1", "notation", "wire", "--by", "Li Wei 李伟") == 0
    assert "accepted by Li Wei 李伟: notation of u1 is wire" in capsys.readouterr().out
    assert [item.device for item in load(folder).open_items] == ["u2"]
    [entry] = tomllib.loads((folder / "accepted.toml").read_text("utf-8"))["accepted"]
    at = entry.pop("at")
    assert at.endswith("Z")
    assert entry == {"device": "u1", "model": "msa_ultima_x", "item": "notation", "choice": "wire", "by": "Li Wei 李伟"}


def test_a_model_stands_for_all_its_devices(folder):
    assert accept(folder, "msa_ultima_x", "notation", "from_40001", "--by", "li") == 0
    config = load(folder)
    assert config.open_items == ()
    assert {point.address.split(";")[0] for point in config.points if point.tag.endswith("S1")} == {"holding:206"}


def test_accepting_anew_keeps_what_was_and_what_people_wrote(folder):
    (folder / "accepted.toml").write_text("# by the commissioning team\n")
    accept(folder, "u1", "notation", "wire", "--by", "li")
    before = (folder / "accepted.toml").read_text()
    assert accept(folder, "u1", "notation", "from_40001", "--by", "wang") == 0
    text = (folder / "accepted.toml").read_text()
    assert text.startswith(before)
    assert before.startswith("# by the commissioning team\n")
    [first] = [point for point in load(folder).points if point.tag == "u1.S1"]
    assert first.address.startswith("holding:206")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("u3", "notation", "wire", "--by", "li"), "u1, u2"),
        (("u1", "notaton", "wire", "--by", "li"), "notation"),
        (("u1", "notation", "wyre", "--by", "li"), "wire"),
        (("w1", "notation", "wire", "--by", "li"), "leaves nothing open"),
        (("u1", "notation", "wire", "--by", " "), "--by"),
        (("u1", "notation", "wire", "--by", "x" * 201), "--by"),
        (("draeger_regard_3900", "notation", "wire", "--by", "li"), "neither"),
    ],
)
def test_what_fits_nothing_is_refused_and_changes_nothing(folder, capsys, arguments, told):
    assert accept(folder, *arguments) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "accepted.toml").exists()


def test_a_file_with_a_mistake_is_not_added_to(folder, capsys):
    (folder / "accepted.toml").write_text("[[accepted]]\nmodel = 3\n")
    assert accept(folder, "u1", "notation", "wire", "--by", "li") == 2
    assert "accepted.toml" in capsys.readouterr().err
    assert (folder / "accepted.toml").read_text() == "[[accepted]]\nmodel = 3\n"
