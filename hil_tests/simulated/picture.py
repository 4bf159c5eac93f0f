"""Draws a played scene: what each instrument showed, its limits, what happened when, and what the agent said.

The same scene gives the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from contract.events import EventType
from contract.points import ConditionClass, PointSpec
from edge_agent.settings.load import load
from hil_tests.simulated.play import Change
from hil_tests.simulated.scenario import PlantScenario
from hil_tests.simulated.verdicts import Played

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hil_tests.scenes.scene import Scene, Trace

PIXELS_MAX: Final = 4000
"""More values than that of one instrument are drawn as the least and the greatest of each stretch."""
_STYLE: Final[Any] = {"svg.hashsalt": "scene", "svg.fonttype": "none", "font.size": 8, "axes.grid": True,
                      "grid.color": "#e4e4e4", "axes.spines.top": False, "axes.spines.right": False}  # fmt: skip
_COLOURS: Final = {
    ConditionClass.SAFETY: "#d55e00", ConditionClass.FAULT: "#666666", ConditionClass.ADVISORY: "#009e73",
    ConditionClass.SYSTEM: "#666666",
}  # fmt: skip
"""Okabe and Ito (2008): told apart by every eye."""


def draw(scenario: PlantScenario, played: Played, folder: Path) -> Path:
    """Write ``<scenario>.svg`` into ``folder``, which is made if need be; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    specs = {each.tag: each for each in load(scenario.agent, keys_here=False).points_of(scenario.scene)}
    path = folder / f"{scenario.name}.svg"
    traces = played.scene.traces
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 1.2 + 1.7 * len(traces)), layout="constrained")
        figure.suptitle(f"{scenario.title} (seed {played.scene.seed})", fontsize=10)
        panels = np.atleast_1d(figure.subplots(len(traces), 1, sharex=True))
        for axes, trace in zip(panels, traces, strict=True):
            _panel(axes, played.scene, trace, specs[trace.tag])
            for change in played.changes:
                if change.condition.tag in (trace.tag, scenario.scene):
                    _mark(axes, change)
        panels[-1].set_xlabel(
            "hours; blue: what happened; broken lines: limits; marks: orange safety, green advisory, grey fault; dotted: its end"
        )
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    lines = path.read_text(encoding="utf-8").splitlines()  # the writer ends some lines with blanks
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    return path


def _panel(axes: Axes, scene: Scene, trace: Trace, spec: PointSpec) -> None:
    for window in scene.windows:
        if trace.tag in window.tags:
            axes.axvspan(
                *(each * scene.step_s / 3600 for each in (window.first, window.last + 1)), color="#cfe3f3", zorder=0
            )
    axes.plot(*_thinned(trace.value, scene.step_s), color="#0072b2", linewidth=0.6)
    bottom, top = axes.get_ylim()
    for limit in (spec.limits.ll, spec.limits.l, spec.limits.h, spec.limits.hh, spec.over_range):
        if bottom - (top - bottom) <= limit <= top + (top - bottom):
            axes.axhline(limit, color="#999999", linewidth=0.8, linestyle="--")
    axes.set_ylabel(f"{trace.tag}, {trace.sheet.unit}")


def _mark(axes: Axes, change: Change) -> None:
    ended = change.type == EventType.CONDITION_OFF
    said, at_h = change.condition, change.at_s / 3600
    axes.axvline(at_h, color=_COLOURS[said.condition_class], linewidth=1.0, linestyle=":" if ended else "-")
    if not ended:
        flag = " inhibited" if said.inhibited else ""
        axes.annotate(f"{said.kind} {said.level}{flag}", (at_h, 0.98), xycoords=("data", "axes fraction"), rotation=90,
                      va="top", ha="right", fontsize=6)  # fmt: skip


def _thinned(value: Any, step_s: int) -> tuple[Any, Any]:
    """Hours and values of at most some thousand points that look like all of them."""
    per = max(1, -(-len(value) // PIXELS_MAX))
    if per == 1:
        return np.arange(len(value)) * step_s / 3600, value
    rows = value[: len(value) // per * per].reshape(-1, per)
    hours = np.repeat(np.arange(len(rows)) * per * step_s / 3600, 2)
    return hours, np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1).reshape(-1)
