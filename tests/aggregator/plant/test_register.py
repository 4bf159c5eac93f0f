"""The register is refused whole with every fault, is read anew when it changes, and never empties a running map."""

from __future__ import annotations

import pytest

from aggregator.plant.register import parse
from aggregator.plant.register_file import RegisterFile, load, replace
from contract.errors import ConfigError

GOOD = """
[park]
name = { zh = "乌海园区", en = "Wuhai park" }
map = { width = 1000, height = 600 }
wind = { organisation = "acme", speed = "WS-1", direction = "WD-1" }
[[enterprise]]
org = "acme"
name = { zh = "甲", en = "A" }
[[source]]
org = "acme/tank"
name = { zh = "储罐", en = "Tank" }
substance = { zh = "氯", en = "chlorine" }
level = 2
at = [10, 10, 100, 50]
shape = "tank"
[[detector]]
organisation = "acme"
tag = "AT-1"
at = [20, 20]
[[feature]]
kind = "road"
line = [[0, 0], [1000, 600]]
"""


def faults(text: str) -> dict[str | None, str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "register.toml")
    assert all(fault.remedy for fault in caught.value.faults)
    return {fault.column: fault.message for fault in caught.value.faults}


def test_a_whole_register_is_read():
    register = parse(GOOD, "register.toml")
    assert register.park is not None
    assert register.park.name.zh == "乌海园区"
    assert [(each.org, each.level, each.shape) for each in register.source] == [("acme/tank", 2, "tank")]


def test_all_faults_come_at_once_by_their_keys():
    text = GOOD.replace("level = 2", "level = 5").replace('kind = "road"', 'kind = "raod"').replace("tag = ", "tagg = ")
    found = faults(text)
    assert set(found) == {"source[1].level", "feature[1].kind", "detector[1].tag", "detector[1].tagg"}


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("at = [20, 20]", "at = [2000, 20]", "detector[1].at"),
        ("at = [10, 10, 100, 50]", "at = [950, 10, 100, 50]", "source[1].at"),
        ("[1000, 600]]", "[1000, 601]]", "feature[1].line[2]"),
        ('organisation = "acme"\ntag', 'organisation = "other"\ntag', "detector[1].organisation"),
        ('org = "acme/tank"', 'org = "tank"', "source[1].org"),
        ("line = [[0, 0], [1000, 600]]", "", "feature[1]"),
        ("at = [20, 20]", "at = [nan, 20]", "detector[1].at[1]"),
        ("level = 2", "level = true", "source[1].level"),
    ],
)
def test_what_does_not_fit_is_named(old, new, key):
    assert old in GOOD
    assert key in faults(GOOD.replace(old, new))


def test_nothing_is_there_twice():
    assert (
        "acme/AT-1 is there 2 times"
        in faults(GOOD + '[[detector]]\norganisation="acme"\ntag="AT-1"\nat=[1,1]')["detector"]
    )


def test_a_file_that_is_no_toml_says_where():
    assert "line 2" in faults("\nlevel = high\n")[None]


def test_without_a_file_the_register_is_empty_and_a_new_one_is_seen(tmp_path):
    file = RegisterFile(tmp_path / "register.toml")
    assert not file.read().is_there
    (tmp_path / "mine.toml").write_text(GOOD, encoding="utf-8")
    replace(tmp_path / "register.toml", tmp_path / "mine.toml")
    assert file.read().is_there
    assert file.read().register == load(tmp_path / "register.toml")


def test_a_broken_file_leaves_the_last_good_register_standing(tmp_path):
    path = tmp_path / "register.toml"
    path.write_text(GOOD, encoding="utf-8")
    file = RegisterFile(path)
    before = file.read()
    path.write_text("[park", encoding="utf-8")
    assert file.read().faults
    assert file.read().register == before.register
    path.write_text(GOOD.replace("level = 2", "level = 1"), encoding="utf-8")
    assert file.read().faults == ()
    assert file.read().register.source[0].level == 1


def test_a_wrong_register_replaces_nothing(tmp_path):
    path = tmp_path / "register.toml"
    path.write_text(GOOD, encoding="utf-8")
    (tmp_path / "mine.toml").write_text("[park", encoding="utf-8")
    with pytest.raises(ConfigError):
        replace(path, tmp_path / "mine.toml")
    assert path.read_text(encoding="utf-8") == GOOD
