"""The map: normal is grey, an alarm has its symbol, what is not confirmed has a question mark, nothing breaks out."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from aggregator.alarms.service import AlarmView
from aggregator.live.service import Doubt, LimitsView, PointView
from aggregator.pages.overview import drawing
from aggregator.pages.park_map import Scene, draw
from aggregator.pages.texts import Language, texts
from aggregator.plant.register import EMPTY, Register, parse
from aggregator.plant.service import MapView

TEXT = texts(Language.EN)
REGISTER = """
[park]
name = { zh = "园区", en = "Park" }
map = { width = 1000, height = 600 }
wind = { organisation = "acme", speed = "WS-1", direction = "WD-1" }
[[enterprise]]
org = "acme"
name = { zh = "甲", en = "A" }
[[source]]
org = "acme/tank"
name = { zh = "储罐", en = "<Tank & Co>" }
substance = "Cl2"
level = 1
at = [10, 50, 100, 50]
shape = "sphere"
[[detector]]
organisation = "acme"
tag = "AT-1"
at = [20, 60]
[[feature]]
kind = "road"
line = [[0, 0], [10, 10]]
[[feature]]
kind = "shelter"
at = [0, 0, 10, 10]
"""


def point(tag: str, value: float | None = 1.0, **changed) -> PointView:
    found = PointView(
        organisation="acme", tag=tag, org="acme/tank", description="", unit="mg/m3", device="plc", agent="gate",
        rivals=(), value=value, quality=0, doubt=None, time_ns=1, confirmed_ns=1, age_s=0.4,
        limits=LimitsView(None, None, None, None), limit_class="safety", range_low=None, range_high=None,
        resolution=0.1, poll_s=1, report_max_s=60,
    )  # fmt: skip
    return replace(found, **changed)


def view(register: Register, *, is_current: bool = True) -> MapView:
    return MapView(
        register.park, register.enterprise, register.source, register.detector, register.feature, is_current
    )  # fmt: skip


def scene(*points: PointView) -> Scene:
    return Scene(view(parse(REGISTER, "x")), {(each.organisation, each.tag): each for each in points}, [])


def test_names_are_escaped_and_the_drawing_is_well_formed():
    drawn = draw(TEXT, scene(point("AT-1")))
    root = ET.fromstring(drawn)
    assert "<Tank" not in drawn
    assert any("<Tank & Co>" in (each.text or "") for each in root.iter())


def test_a_normal_detector_has_no_symbol_and_leads_to_its_point():
    drawn = draw(TEXT, scene(point("AT-1")))
    assert 'href="/points/acme/AT-1"' in drawn
    assert 'class="sym' not in drawn
    assert 'm-veil"' not in drawn


CALM = AlarmView(
    organisation="acme", tag="AT-1", kind="high", org="acme/tank", instance="i", letter="B", active=True, level=1,
    level_highest=1, level_max=1, acknowledged=False, latched=True, shelved_until_ns=None, suppressed=False,
    out_of_service=False,
    service_until_ns=None, hold={}, priority=2, condition_class="safety", is_gas=True, is_toxic=True, sounding=True,
    value=1.2, unit="mg/m3", setpoint=1.0, quality=0, raised_ns=1, received_ns=1, changed_ns=1,
    revision=1, activations=1, late=False, agent="gate", comment=None, acknowledged_by=None, acknowledged_ns=None,
    allowed=(),
)  # fmt: skip


def test_a_detector_in_alarm_has_its_value_beside_it_and_others_beside_it_give_way():
    alarmed = replace(CALM, organisation="acme", tag="AT-1", org="acme/tank", letter="B")
    crowded = REGISTER + "".join(
        f'[[detector]]\norganisation = "acme"\ntag = "AT-{n}"\nat = [{20 + n}, 60]\n' for n in range(2, 30)
    )
    points = [point(f"AT-{n}", 2.5) for n in range(1, 30)]
    drawn = draw(
        TEXT, Scene(view(parse(crowded, "x")), {(each.organisation, each.tag): each for each in points}, [alarmed])
    )
    words = [each.text for each in ET.fromstring(drawn).iter() if each.tag == "text"]
    assert any((word or "").startswith("AT-1 2.5 mg") for word in words)
    assert sum((word or "").startswith("AT-") for word in words) < 29
    assert drawn.count("<title>AT-") == 29


def test_what_a_veil_says_is_covered_by_no_label():
    text_y = 100 + 14  # below the source, a pixel being a unit of this map
    near = "".join(
        f'[[detector]]\norganisation = "acme"\ntag = "AT-{n}"\nat = [{10 + 8 * n}, 104]\n' for n in range(2, 12)
    )
    points = [point(f"AT-{n}", doubt=Doubt.AGENT_AWAY, age_s=75) for n in range(1, 12)]
    park = view(parse(REGISTER + near, "x"))
    root = ET.fromstring(draw(TEXT, Scene(park, {(each.organisation, each.tag): each for each in points}, [])))
    said = next(each for each in root.iter("text") if "no data for" in (each.text or ""))
    assert float(said.attrib["y"]) == pytest.approx(text_y + 5)
    for label in root.iter("text"):
        if (label.text or "").startswith("AT-"):
            assert abs(float(label.attrib["y"]) - text_y) > 13 or abs(float(label.attrib["x"]) - 60) > 70


@pytest.mark.parametrize("found", [(), (point("AT-1", doubt=Doubt.AGENT_AWAY),), (point("AT-1", None, quality=0x81),)])
def test_a_detector_that_is_not_believed_is_marked(found):
    assert 'class="sym bad' in draw(TEXT, scene(*found))


def test_a_source_without_confirmed_points_lies_under_a_veil_with_its_age():
    away = point("AT-1", doubt=Doubt.AGENT_AWAY, age_s=75)
    drawn = draw(TEXT, scene(away))
    assert 'class="m-veil"' in drawn
    assert "no data for 1 min 15 s" in drawn
    assert 'class="m-veil"' not in draw(TEXT, scene(away, point("AT-2")))


@pytest.mark.parametrize(
    ("direction", "speed", "said"),
    [(245, 3.4, "3.4 m/s from SW"), (0, 1.0, "1.0 m/s from N"), (359, 1.0, "1.0 m/s from N")],
)
def test_the_wind_is_named_by_where_it_comes_from(direction, speed, said):
    wind = (point("WS-1", speed, unit="m/s"), point("WD-1", direction, unit="deg"))
    drawn = draw(TEXT, scene(*wind))
    assert said in drawn
    towards = (round((direction + 180) % 360 / 5) * 5) % 360
    assert f"rotate({towards} " in drawn or f"rotate({towards + 360} " in drawn


def test_an_old_wind_is_no_wind():
    drawn = draw(TEXT, scene(point("WS-1", 3.0, doubt=Doubt.OVERDUE), point("WD-1", 10)))
    assert "wind unknown" in drawn
    assert "m-head" not in drawn


def test_without_a_register_the_page_says_what_to_do():
    assert "aggregator register set" in drawing(TEXT, Scene(view(EMPTY), {}, []))


def test_a_faulty_register_is_told():
    assert "faults" in drawing(TEXT, Scene(view(parse(REGISTER, "x"), is_current=False), {}, []))
