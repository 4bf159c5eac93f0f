"""The schematic map as SVG: sources as shapes with their level, detectors with their state, the wind. Pure.

Normal is grey. Colour and fill belong to alarms, as everywhere (``symbols``); the level of a source is a badge with
number and word, apart from them. A source from which nothing confirmed comes lies under a veil, with its age.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final, TypeAlias

from aggregator.alarms.service import AlarmView
from aggregator.live.service import PointView
from aggregator.pages import map_labels, measured, symbols
from aggregator.pages.alarm_rows import condition
from aggregator.pages.map_labels import Box, Label, Point
from aggregator.pages.moments import duration
from aggregator.pages.point_rows import first_alarms
from aggregator.pages.texts import Texts
from aggregator.plant.register import Detector, Feature, FeatureKind, Park, Shape, Source
from aggregator.plant.service import MapView

ROMAN: Final = ("", "Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ")
WIND_COLUMN: Final = 130
"""Width of the column beside the map that the wind has for itself, in pixels."""
_LINE: Final = 1.3
"""Height of a line of text, in ems."""
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
    marks = sorted(
        (_mark(text, each, scene.points, alarms, unit) for each in scene.plan.detectors), key=lambda mark: mark.rank
    )
    features = sorted(scene.plan.features, key=lambda each: each.kind != "water")
    titles = [_title(text, each, unit) for each in scene.plan.sources]
    veils = [_veil(text, each, scene.points, unit) for each in scene.plan.sources]
    alarmed = sum(mark.rank == _ALARMED for mark in marks)
    wanted = [
        *(mark.wanted() for mark in marks[:alarmed]),
        *(_name(text, each, unit) for each in features),
        *(mark.wanted() for mark in marks[alarmed:]),
    ]
    labels = tuple(each.label() for each in wanted)
    taken = [
        *(map_labels.box(mark.at, mark.side, mark.side) for mark in marks),
        *(title.box for title in titles),
        *(veil.box for veil in veils if veil is not None),
        *((x, y, x + wide, y + high) for x, y, wide, high in map(_place_to_go, features) if wide),
    ]
    found = map_labels.place(labels, tuple(taken), (0.0, 0.0, size.width, size.height))
    words = [_written(*each) for each in zip(wanted, labels, found, strict=True)]
    names = slice(alarmed, alarmed + len(features))
    beside = words[:alarmed] + words[names.stop :]
    parts = [
        *(_shape_of(each, unit) for each in features),
        *words[names],
        *(_source(*each, scene, unit) for each in zip(scene.plan.sources, titles, veils, strict=True)),
        *(
            _leader(mark, label, centre, unit)
            for mark, label, centre in zip(marks[:alarmed], labels, found, strict=False)
        ),
        *(mark.markup(word) for mark, word in reversed([*zip(marks, beside, strict=True)])),
        _wind(text, park, scene.points, unit),
    ]
    return (
        f'<svg class="cr-map" viewBox="0 0 {size.width + WIND_COLUMN * unit:g} {size.height:g}" role="group" '
        f'aria-label="{escape(text.name(park.name.model_dump()))}">{"".join(parts)}</svg>'
    )


# -- words -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Words:
    """A label before it has its place; ``beside`` is the symbol that it belongs to."""

    words: str
    size: float
    places: tuple[Point, ...]
    must: bool = False
    classes: str = "m-name"
    beside: Point | None = None
    width: float | None = None

    def label(self) -> Label:
        wide = map_labels.width(self.words, self.size) if self.width is None else self.width
        return Label(wide, self.size * _LINE, self.places if self.words else (), self.must)


def _steady_width(words: str, size: float) -> float:
    """In steps of four letters: a value that changes its digits does not move what is on the map."""
    step = 4 * map_labels.LATIN_EM * size
    return math.ceil(map_labels.width(words, size) / step) * step


def _written(each: _Words, label: Label, centre: Point | None) -> str:
    """At that end of its box which is nearer to its symbol."""
    if centre is None:
        return ""
    (x, y), side = centre, "middle"
    left, right = x - label.width / 2, x + label.width / 2
    if each.beside is not None and each.beside[0] < left:
        x, side = left, "start"
    elif each.beside is not None and each.beside[0] > right:
        x, side = right, "end"
    return _label(each.words, x, y, each.size, f"{each.classes} m-{side}")


def _leader(mark: _Mark, label: Label, centre: Point | None, unit: float) -> str:
    if centre is None or not map_labels.is_far(mark.at, centre, label, mark.side):
        return ""
    (x, y), (to_x, to_y) = mark.at, map_labels.nearest(mark.at, centre, label)
    return f'<line class="m-leader" x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke-width="{unit:g}"/>'


def _label(words: str, x: float, y: float, size: float, classes: str) -> str:
    if not words:
        return ""
    return f'<text class="{classes}" x="{x:g}" y="{y + size / 3:g}" font-size="{size:g}">{escape(words)}</text>'


# -- what lies there ---------------------------------------------------------------------------------------------------


def _shape_of(feature: Feature, unit: float) -> str:
    if feature.at is not None:
        x, y, width, height = feature.at
        return f'<rect class="m-{feature.kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'
    points = " ".join(f"{x:g},{y:g}" for x, y in feature.line or ())
    wide = {FeatureKind.ROAD: 14, FeatureKind.FENCE: 2}.get(feature.kind, 4) * unit
    return f'<polyline class="m-{feature.kind} m-line" points="{points}" stroke-width="{wide:g}"/>'


def _name(text: Texts, feature: Feature, unit: float) -> _Words:
    """In a building or beside it, below a place to go to, along a road."""
    name = "" if feature.name is None else text.name(feature.name.model_dump())
    size = 13 * unit
    if feature.at is None:
        return _Words(name, size, _along(feature.line or ()))
    x, y, width, height = feature.at
    middle = (x + width / 2, y + height / 2)
    goes = feature.kind in _PLACES_TO_GO
    words = name or (text.word("feature", feature.kind) if goes else "")
    wide, high = map_labels.width(words, size), size * _LINE
    beside = map_labels.around(middle, 0, (wide + width, high + height), far=False)
    below_first = (beside[2], beside[3], beside[0], beside[1])
    fits = wide <= width and high <= height and not goes
    return _Words(words, size, (middle, *below_first) if fits else below_first, must=goes)


def _along(line: Sequence[Point]) -> tuple[Point, ...]:
    """Places on a line: the middle of each stretch, the longest first, then its quarters."""
    stretches = sorted(pairwise(line), key=lambda ends: -math.dist(*ends))
    return tuple(
        (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
        for share in (0.5, 0.25, 0.75)
        for a, b in stretches
    )  # fmt: skip


def _place_to_go(feature: Feature) -> tuple[float, float, float, float]:
    """Its box; of any other feature an empty one."""
    return feature.at if feature.at is not None and feature.kind in _PLACES_TO_GO else (0, 0, 0, 0)


_PLACES_TO_GO: Final = frozenset({FeatureKind.SHELTER, FeatureKind.GATE})


# -- hazard sources ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Title:
    """Badge and name above a source, and the box that they fill."""

    said: str
    markup: str
    box: Box


def _title(text: Texts, source: Source, unit: float) -> _Title:
    x, y, _, _ = source.at
    name = text.name(source.name.model_dump())
    substance = source.substance if isinstance(source.substance, str) else text.name(source.substance.model_dump())
    badge, badge_width = _badge(text, source, x, y - 26 * unit, unit)
    left, words = x + badge_width + 8 * unit, f"{name} · {substance}"
    label = (
        f'<text class="m-source" x="{left:g}" y="{y - 11 * unit:g}" font-size="{15 * unit:g}">{escape(words)}</text>'
    )
    said = text("map.source", name=name, substance=substance, level=text.word("hazard", str(source.level)))
    right = left + map_labels.width(words, 15 * unit)
    return _Title(said, badge + label, (x, y - 28 * unit, right, y - 3 * unit))


def _source(source: Source, title: _Title, veil: _Veil | None, scene: Scene, unit: float) -> str:
    x, y, _, _ = source.at
    alarm = next((each for each in _shown(scene.standing) if _is_below(each.org, source.org)), None)
    symbol = "" if alarm is None else _symbol(alarm, x - 34 * unit, y - 30 * unit, 28 * unit)
    said = escape(title.said)
    return (
        f'<a href="/points?source={escape(source.org)}" aria-label="{said}"><g class="m-hazard">'
        f"<title>{said}</title>{_shape(source.shape, source.at)}{title.markup}</g></a>"
        f"{'' if veil is None else veil.markup}{symbol}"
    )


def _shape(shape: Shape, at: tuple[float, float, float, float]) -> str:
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


@dataclass(frozen=True, slots=True)
class _Veil:
    """Over a source whose every point is doubtful, and what it says, with the box of that."""

    markup: str
    box: Box


def _veil(text: Texts, source: Source, points: _Points, unit: float) -> _Veil | None:
    """None while at least one point is as it is now."""
    mine = [point for point in points.values() if _is_below(point.org, source.org)]
    if not mine or any(point.doubt is None for point in mine):
        return None
    x, y, width, height = source.at
    ages = [point.age_s for point in mine if point.age_s is not None]
    said = "? " + (text("map.no_data", age=duration(min(ages))) if ages else text("map.never"))
    size, middle = 15 * unit, (x + width / 2, y + height + 14 * unit)
    veil = _shape(source.shape, source.at).replace("<", '<g class="m-veil"><', 1) + "</g>"
    box = map_labels.box(middle, _steady_width(said, size), size * _LINE)
    return _Veil(veil + _label(said, *middle, size, "m-veil-text"), box)


def _shown(standing: Sequence[AlarmView]) -> list[AlarmView]:
    return [alarm for alarm in standing if alarm.letter in "BCD"]


def _is_below(org: str, path: str) -> bool:
    return org == path or org.startswith(path + "/")


# -- detectors ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mark:
    """A detector: its symbol, what is written beside it, and how urgent it is (the lowest rank is drawn on top)."""

    rank: int
    at: Point
    side: float
    symbol: str
    words: str
    size: float
    said: str
    address: str
    target: float

    def wanted(self) -> _Words:
        alarmed = self.rank == _ALARMED
        wide = (_steady_width if alarmed else map_labels.width)(self.words, self.size)
        places = map_labels.around(self.at, self.side, (wide, self.size * _LINE), far=alarmed)
        classes = "m-tag m-alarmed" if alarmed else "m-tag"
        return _Words(self.words, self.size, places, alarmed, classes, self.at, wide)

    def markup(self, words: str) -> str:
        x, y = self.at
        said = escape(self.said)
        return (
            f'<a href="{self.address}" aria-label="{said}"><g class="m-detector"><title>{said}</title>'
            f'<circle class="m-target" cx="{x:g}" cy="{y:g}" r="{self.target:g}"/>{self.symbol}{words}</g></a>'
        )


_ALARMED, _DOUBTFUL, _NORMAL = range(3)


def _mark(
    text: Texts, detector: Detector, points: _Points, alarms: Mapping[tuple[str, str], AlarmView], unit: float
) -> _Mark:
    key = (detector.organisation, detector.tag)
    point, alarm = points.get(key), alarms.get(key)
    x, y = detector.at
    words, size = detector.tag, 11 * unit
    if alarm is not None:
        rank, side, size = _ALARMED, 22 * unit, 13 * unit
        symbol = _symbol(alarm, x - side / 2, y - side / 2, side)
        if point is not None:
            words = f"{detector.tag} {'' if point.is_believed else '? '}{measured.with_unit(text, point)}"
    elif point is None or not point.is_believed:
        rank, side = _DOUBTFUL, 18 * unit
        symbol = _placed(symbols.bad(), x - side / 2, y - side / 2, side)
    else:
        rank, side = _NORMAL, 12 * unit
        symbol = f'<circle class="m-normal" cx="{x:g}" cy="{y:g}" r="{5 * unit:g}"/>'
    said = _said(text, detector, point, alarm)
    return _Mark(rank, (x, y), side, symbol, words, size, said, measured.point_address(*key), 14 * unit)


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
    """Where it blows to, and how fast, beside the map; north above it."""
    x, y = park.map.width + WIND_COLUMN / 2 * unit, 62 * unit
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
    label = _label(said, x, y + 50 * unit, 14 * unit, "m-wind-text")
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
