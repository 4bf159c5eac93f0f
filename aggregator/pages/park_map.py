"""The schematic map as SVG: sources as shapes with their level, detectors with their state, the wind. Pure.

Normal is grey. Colour and fill belong to alarms, as everywhere (``symbols``); the level of a source is a badge with
number and word, apart from them. A source from which nothing confirmed comes lies under a veil, with its age.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

from aggregator.alarms.service import AlarmView
from aggregator.live.service import PointView
from aggregator.pages import measured, symbols
from aggregator.pages.alarm_rows import condition
from aggregator.pages.moments import duration
from aggregator.pages.point_rows import first_alarms
from aggregator.pages.texts import Texts
from aggregator.plant.register import Box, Detector, Feature, FeatureKind, Park, Shape, Source
from aggregator.plant.service import MapView

ROMAN: Final = ("", "Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ")
CALM_MS: Final = 0.3
"""Below this the vane says nothing of where the wind comes from."""

_Points: TypeAlias = Mapping[tuple[str, str], PointView]


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn: the map of the person's scope, his points by (organisation, tag), and what stands."""

    plan: MapView
    points: _Points
    standing: Sequence[AlarmView]


def draw(text: Texts, scene: Scene) -> str:
    """The whole drawing. ``plan.park`` must be there."""
    park = scene.plan.park
    assert park is not None, "without a register there is nothing to draw"
    size = park.map
    unit = max(size.width, size.height * 1.6) / 1000
    """So many units of the drawing look like one pixel on a screen of usual size."""
    alarms = first_alarms(scene.standing)
    parts = [
        *(_feature(text, each, unit) for each in sorted(scene.plan.features, key=lambda each: each.kind != "water")),
        *(_source(text, each, scene, unit) for each in scene.plan.sources),
        *(_detector(text, each, scene.points, alarms, unit) for each in scene.plan.detectors),
        _wind(text, park, scene.points, unit),
    ]
    return (
        f'<svg class="cr-map" viewBox="0 0 {size.width:g} {size.height:g}" role="group" '
        f'aria-label="{escape(text.name(park.name.model_dump()))}">{"".join(parts)}</svg>'
    )


# -- what lies there ---------------------------------------------------------------------------------------------------


def _feature(text: Texts, feature: Feature, unit: float) -> str:
    name = "" if feature.name is None else text.name(feature.name.model_dump())
    if feature.at is not None:
        x, y, width, height = feature.at
        shape = f'<rect class="m-{feature.kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'
        middle = (x + width / 2, y + height / 2)
        mark = f"{text.word('feature', feature.kind)} " if feature.kind in _PLACES_TO_GO else ""
        return shape + _label(f"{mark}{name}".strip(), *middle, 13 * unit, "m-name")
    line = feature.line or ()
    points = " ".join(f"{x:g},{y:g}" for x, y in line)
    wide = {FeatureKind.ROAD: 14, FeatureKind.FENCE: 2}.get(feature.kind, 4) * unit
    before, after = line[len(line) // 2 - 1], line[len(line) // 2]
    at = ((before[0] + after[0]) / 2, (before[1] + after[1]) / 2)
    drawn = f'<polyline class="m-{feature.kind} m-line" points="{points}" stroke-width="{wide:g}"/>'
    return drawn + _label(name, *at, 12 * unit, "m-name")


_PLACES_TO_GO: Final = frozenset({FeatureKind.SHELTER, FeatureKind.GATE})


def _label(words: str, x: float, y: float, size: float, classes: str) -> str:
    if not words:
        return ""
    return f'<text class="{classes}" x="{x:g}" y="{y + size / 3:g}" font-size="{size:g}">{escape(words)}</text>'


# -- hazard sources ----------------------------------------------------------------------------------------------------


def _source(text: Texts, source: Source, scene: Scene, unit: float) -> str:
    x, y, width, _ = source.at
    mine = [point for point in scene.points.values() if _is_below(point.org, source.org)]
    alarm = next((each for each in _shown(scene.standing) if _is_below(each.org, source.org)), None)
    name = text.name(source.name.model_dump())
    substance = source.substance if isinstance(source.substance, str) else text.name(source.substance.model_dump())
    badge, badge_width = _badge(text, source, x, y - 26 * unit, unit)
    label = (
        f'<text class="m-source" x="{x + badge_width + 8 * unit:g}" y="{y - 11 * unit:g}" font-size="{15 * unit:g}">'
    )
    symbol = "" if alarm is None else _symbol(alarm, x + width - 15 * unit, y - 2 * unit, 30 * unit)
    said = text("map.source", name=name, substance=substance, level=text.word("hazard", str(source.level)))
    return (
        f'<a href="/points?source={escape(source.org)}" aria-label="{escape(said)}"><g class="m-hazard">'
        f"<title>{escape(said)}</title>{_shape(source.shape, source.at)}{badge}"
        f"{label}{escape(name)} · {escape(substance)}</text></g></a>{_veil(text, source, mine, unit)}{symbol}"
    )


def _shape(shape: Shape, at: Box) -> str:
    x, y, width, height = at
    if shape is Shape.SPHERE:
        return f'<ellipse cx="{x + width / 2:g}" cy="{y + height / 2:g}" rx="{width / 2:g}" ry="{height / 2:g}"/>'
    round_ = min(width, height) / 2 if shape is Shape.TANK else 0
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_:g}"/>'


def _badge(text: Texts, source: Source, x: float, y: float, unit: float) -> tuple[str, float]:
    """Roman number, word, and a strip in the colour of the grade; and how wide it is."""
    words = f"{ROMAN[source.level]} {text.word('hazard', str(source.level))}"
    width = (18 + 13 * sum(2 if ord(letter) > 0x2E7F else 1 for letter in words) * 0.58) * unit
    return (
        f'<g class="m-badge"><rect class="m-paper" x="{x:g}" y="{y:g}" width="{width:g}" height="{21 * unit:g}"/>'
        f'<rect class="m-grade-{source.level}" x="{x:g}" y="{y:g}" width="{7 * unit:g}" height="{21 * unit:g}"/>'
        f'<text x="{x + 12 * unit:g}" y="{y + 15.5 * unit:g}" font-size="{13 * unit:g}">{escape(words)}</text></g>'
    ), width


def _veil(text: Texts, source: Source, mine: Sequence[PointView], unit: float) -> str:
    """Over a source whose every point is doubtful: what is drawn in it is not as it is now."""
    if not mine or any(point.doubt is None for point in mine):
        return ""
    x, y, width, height = source.at
    ages = [point.age_s for point in mine if point.age_s is not None]
    said = text("map.no_data", age=duration(min(ages))) if ages else text("map.never")
    veil = _shape(source.shape, source.at).replace("<", '<g class="m-veil"><', 1) + "</g>"
    return veil + _label("? " + said, x + width / 2, y + height + 14 * unit, 15 * unit, "m-veil-text")


def _shown(standing: Sequence[AlarmView]) -> list[AlarmView]:
    return [alarm for alarm in standing if alarm.letter in "BCD"]


def _is_below(org: str, path: str) -> bool:
    return org == path or org.startswith(path + "/")


# -- detectors ---------------------------------------------------------------------------------------------------------


def _detector(
    text: Texts, detector: Detector, points: _Points, alarms: Mapping[tuple[str, str], AlarmView], unit: float
) -> str:
    key = (detector.organisation, detector.tag)
    point, alarm = points.get(key), alarms.get(key)
    x, y = detector.at
    side = (26 if alarm is not None else 18) * unit
    if alarm is not None:
        symbol = _symbol(alarm, x - side / 2, y - side / 2, side)
    elif point is None or not point.is_believed:
        symbol = _placed(symbols.bad(), x - side / 2, y - side / 2, side)
    else:
        symbol = f'<circle class="m-normal" cx="{x:g}" cy="{y:g}" r="{5 * unit:g}"/>'
    said = _said(text, detector, point, alarm)
    below = y + side / 2 + 8 * unit
    name = _label(detector.tag, x, below, 11 * unit, "m-tag")
    value = ""
    if alarm is not None and point is not None:
        shown = measured.with_unit(text, point) if point.is_believed else f"? {measured.with_unit(text, point)}"
        value = _label(shown, x, below + 14 * unit, 13 * unit, "m-value")
    return (
        f'<a href="{measured.point_address(*key)}" aria-label="{escape(said)}"><g class="m-detector">'
        f'<title>{escape(said)}</title><circle class="m-target" cx="{x:g}" cy="{y:g}" r="{14 * unit:g}"/>'
        f"{symbol}{name}{value}</g></a>"
    )


def _said(text: Texts, detector: Detector, point: PointView | None, alarm: AlarmView | None) -> str:
    if alarm is not None:
        what = f"{condition(text, alarm)}, {text.word('letter', alarm.letter)}"
    elif point is None:
        what = text("map.unknown_point")
    else:
        what = measured.why_not(text, point) or text("map.normal")
    return f"{detector.tag}: {what}"


def _symbol(alarm: AlarmView, x: float, y: float, side: float) -> str:
    return _placed(symbols.svg(symbols.look(alarm), alarm.priority), x, y, side)


def _placed(svg: str, x: float, y: float, side: float) -> str:
    """A symbol of the page within the drawing."""
    return svg.replace("<svg ", f'<svg x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" ', 1)


# -- wind --------------------------------------------------------------------------------------------------------------


def _wind(text: Texts, park: Park, points: _Points, unit: float) -> str:
    """Where it blows to, and how fast, in the upper right corner; north beside it."""
    x, y = park.map.width - 70 * unit, 62 * unit
    north = f'<g transform="rotate({park.north_deg:g} {x:g} {y:g})"><text class="m-north" x="{x:g}" y="{y - 38 * unit:g}" font-size="{14 * unit:g}">N</text></g>'
    ring = f'<circle class="m-ring" cx="{x:g}" cy="{y:g}" r="{34 * unit:g}"/>'
    said = text("map.wind_unknown")
    arrow = _label("?", x, y, 24 * unit, "m-veil-text")
    if park.wind is not None:
        speed = points.get((park.wind.organisation, park.wind.speed))
        from_ = points.get((park.wind.organisation, park.wind.direction))
        if speed is not None and from_ is not None and speed.is_believed and from_.is_believed:
            said = text("map.wind", speed=measured.with_unit(text, speed), **{"from": _compass(text, from_)})
            arrow = _arrow(x, y, (park.north_deg + _degrees(from_) + 180) % 360, unit)
            if (speed.value or 0) < CALM_MS:
                arrow = _label("0", x, y, 20 * unit, "m-veil-text")
    label = _label(said, x - 4 * unit, y + 50 * unit, 14 * unit, "m-wind-text")
    return f'<g class="m-wind" role="img" aria-label="{escape(said)}">{ring}{north}{arrow}{label}</g>'


def _arrow(x: float, y: float, towards_deg: float, unit: float) -> str:
    shaft = f"M{x:g} {y + 26 * unit:g} V{y - 12 * unit:g}"
    head = f"M{x:g} {y - 28 * unit:g} l{-9 * unit:g} {18 * unit:g} h{18 * unit:g} z"
    return (
        f'<g transform="rotate({round(towards_deg / 5) * 5:g} {x:g} {y:g})"><path class="m-shaft" d="{shaft}" '
        f'stroke-width="{5 * unit:g}"/><path class="m-head" d="{head}"/></g>'
    )


def _degrees(point: PointView) -> float:
    return 0.0 if point.value is None or not math.isfinite(point.value) else point.value % 360


def _compass(text: Texts, point: PointView) -> str:
    names = text("map.compass").split()
    return names[round(_degrees(point) / 45) % 8]
