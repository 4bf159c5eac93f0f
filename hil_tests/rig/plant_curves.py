"""Pictures of what the plant does, drawn by the plant's own code: a leak, a runaway, a day and a night.

`hil-rig curves DIR` writes them; docs/pictures/ holds the ones that the documentation shows. The same code gives the same
file, byte for byte, so that a change of the physics is seen as a change of a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from contract.clock import NS_PER_S
from hil_tests.rig.plant import (
    INSTRUMENTS,
    CoolingBack,
    CoolingFails,
    Leak,
    Plant,
    PlantCommand,
    StopLeak,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED: Final = 7
SMALL_LEAK_KG_S: Final = 0.0002
"""0.7 kg/h: a gland that weeps."""

_STYLE: Final[Any] = {
    "svg.hashsalt": "plant",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "path.simplify_threshold": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.3,
}
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666")
"""Okabe and Ito (2008): told apart by every eye."""
_LIMIT: Final = "#999999"

Timed = Sequence[tuple[float, PlantCommand]]
Rows = dict[str, list[float]]


def draw_curves(folder: Path) -> list[Path]:
    """Write every picture into ``folder``, which is made if need be; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_saved(draw, folder / f"plant-{name}.svg") for name, draw in _PICTURES.items()]


def record(
    tags: Sequence[str], until_s: float, every_s: float, commands: Timed = (), *, truth: bool = False
) -> tuple[list[float], Rows]:
    """Times in seconds, and the numbers of each tag at them: what it shows, or what is in front of it."""
    plant = Plant(SEED, tags)
    for at_s, command in commands:
        plant.apply(command, round(at_s * NS_PER_S))
    read = plant.truth if truth else plant.value
    times: list[float] = []
    rows: Rows = {tag: [] for tag in tags}
    for index in range(int(until_s / every_s) + 1):
        times.append(index * every_s)
        plant.advance(round(index * every_s * NS_PER_S))
        for tag in tags:
            rows[tag].append(read(tag))
    return times, rows


def _leak() -> Figure:
    tags = [f"AT-10{number}" for number in (1, 2, 3, 4, 5, 7, 8)]
    commands: Timed = [(60.0, Leak("cl2-tank-a", SMALL_LEAK_KG_S)), (360.0, StopLeak("cl2-tank-a"))]
    figure, (upper, lower) = _panels(2, "A small chlorine leak at tank A: 0.2 g/s for 5 minutes")
    for axes, truth in ((upper, True), (lower, False)):
        times, rows = record(tags, 600.0, 2.0, commands, truth=truth)
        for colour, tag in zip(_COLOURS, tags, strict=True):
            axes.plot(times, rows[tag], color=colour, label=tag)
        for limit in (1.0, 2.0):
            axes.axhline(limit, color=_LIMIT, linewidth=0.8, linestyle="--")
    upper.set(yscale="log", ylim=(0.05, 100), ylabel="in the air, mg/m³")
    upper.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    lower.set(ylim=(0, 10.5), ylabel="shown, mg/m³", xlabel="seconds; dashed: set-points of level 1 and 2")
    upper.legend(ncols=7, loc="upper center", bbox_to_anchor=(0.5, 1.13), frameon=False, handlelength=1.2, fontsize=8)
    return figure


def _runaway() -> Figure:
    figure, (upper, lower) = _panels(2, "The reactor without cooling from 2 min on")
    cases = [
        ("cooling back after 5 min", 300.0, _COLOURS[0]),
        ("cooling back after 7 min", 420.0, _COLOURS[4]),
        ("cooling stays away", None, _COLOURS[1]),
    ]
    for label, back_s, colour in cases:
        commands: list[tuple[float, PlantCommand]] = [(120.0, CoolingFails("reactor"))]
        if back_s is not None:
            commands.append((120.0 + back_s, CoolingBack("reactor")))
        times, rows = record(["TT-301", "PT-301"], 1200.0, 4.0, commands)
        minutes = [each / 60 for each in times]
        upper.plot(minutes, rows["TT-301"], color=colour, label=label)
        lower.plot(minutes, rows["PT-301"], color=colour)
    lower.axhline(1.6, color=_LIMIT, linewidth=0.8, linestyle="--")
    upper.set(ylabel="TT-301, °C", xticks=range(0, 21, 2))
    lower.set(ylabel="PT-301, MPa", xlabel="minutes; dashed: the relief valve opens")
    upper.legend(loc="upper left", frameon=False)
    return figure


def _day() -> Figure:
    figure, (upper, lower) = _panels(2, "A day and a night without incident")
    tags = ["PT-101", "PT-103", "PT-201", "PT-202", "PT-402", "TT-101", "TT-201", "TT-202", "TT-405"]
    times, rows = record(tags, 86_400.0, 600.0)
    hours = [8 + each / 3600 for each in times]
    for axes, kind in ((upper, "PT"), (lower, "TT")):
        for colour, tag in zip(_COLOURS, (each for each in tags if each.startswith(kind)), strict=False):
            axes.plot(hours, rows[tag], color=colour, label=f"{tag} {INSTRUMENTS[tag].description_en}")
        axes.axvspan(18, 30, color="#f2f2f6", zorder=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7)
    upper.set(ylabel="MPa")
    lower.set(ylabel="°C", xlabel="hour of the day; grey: no sun")
    lower.set_xticks(range(8, 33, 4), [str(hour % 24) for hour in range(8, 33, 4)])
    return figure


def _panels(count: int, title: str) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure, figure.subplots(count, 1, sharex=True)


def _saved(draw: Callable[[], Figure], path: Path) -> Path:
    with mpl.rc_context(_STYLE):
        draw().savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    # The writer ends some lines with blanks.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    return path


_PICTURES: Final[dict[str, Callable[[], Figure]]] = {"leak": _leak, "runaway": _runaway, "day": _day}
