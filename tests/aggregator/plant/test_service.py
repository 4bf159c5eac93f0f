"""The map shows each person the sources and detectors of his scope, and says when there is none."""

from __future__ import annotations

import pytest

from aggregator.plant.points import PointBook
from aggregator.plant.service import MapService
from contract.points import PointRole, PointSpec, PointType

REGISTER = """
[park]
name = { zh = "园区", en = "Park" }
map = { width = 100, height = 100 }
[[enterprise]]
org = "acme"
name = { zh = "甲", en = "A" }
[[enterprise]]
org = "bolt"
name = { zh = "乙", en = "B" }
[[source]]
org = "acme/tank"
name = { zh = "储罐", en = "Tank" }
substance = "LPG"
level = 3
at = [0, 0, 10, 10]
[[source]]
org = "bolt/hall"
name = { zh = "厂房", en = "Hall" }
substance = "H2S"
level = 4
at = [50, 0, 10, 10]
[[detector]]
organisation = "acme"
tag = "AT-1"
at = [5, 5]
[[detector]]
organisation = "acme"
tag = "AT-2"
at = [6, 5]
[[detector]]
organisation = "bolt"
tag = "AT-1"
at = [55, 5]
"""


@pytest.fixture
def plant(park, people) -> MapService:
    return MapService(park.folder, people, PointBook())


def shown(view):
    return [each.org for each in view.sources], [(each.organisation, each.tag) for each in view.detectors]


def test_without_a_register_the_map_is_empty_and_says_so(plant, sign_in):
    view = plant.view(sign_in())
    assert (view.park, view.sources, view.is_current) == (None, (), True)


def test_scope_cuts_sources_and_detectors(park, agent, plant, sign_in):
    (park.folder.path / "register.toml").write_text(REGISTER, encoding="utf-8")
    agent.declare(
        PointSpec(1, "plc", "acme", "plc", PointRole.DEVICE, PointType.BIT, unit="state"),
        PointSpec(2, "AT-1", "acme/tank", "plc"), PointSpec(3, "AT-2", "acme/loading", "plc"),
    )  # fmt: skip
    whole = plant.view(sign_in())
    assert shown(whole) == (["acme/tank", "bolt/hall"], [("acme", "AT-1"), ("acme", "AT-2"), ("bolt", "AT-1")])
    tank = plant.view(sign_in("li", scope="acme/tank"))
    assert shown(tank) == (["acme/tank"], [("acme", "AT-1")])
    assert [each.org for each in tank.enterprises] == ["acme"]
    assert shown(plant.view(sign_in("wu", scope="bolt"))) == (["bolt/hall"], [("bolt", "AT-1")])


def test_names_are_those_of_the_scope(park, plant, sign_in):
    assert plant.names(sign_in()) == {}
    (park.folder.path / "register.toml").write_text(REGISTER, encoding="utf-8")
    assert plant.names(sign_in())["acme/tank"] == {"zh": "储罐", "en": "Tank"}
    assert set(plant.names(sign_in("wu", scope="bolt"))) == {"bolt", "bolt/hall"}
