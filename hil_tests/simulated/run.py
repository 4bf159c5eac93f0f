"""Plays a plant scenario for every seed and says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from contract.clock import NS_PER_S, Clock
from contract.errors import ConfigError, Fault
from edge_agent.detect import engine
from edge_agent.settings.load import load
from hil_tests.scenes import make
from hil_tests.simulated.play import Judge
from hil_tests.simulated.scenario import PlantScenario
from hil_tests.simulated.verdicts import Played, Verdict, judge


@dataclass(frozen=True, slots=True)
class PlantOutcome:
    """``simulated_s`` were judged in ``took_s``."""

    scenario: str
    title: str
    verdicts: tuple[Verdict, ...]
    simulated_s: int
    took_s: float

    @property
    def passed(self) -> bool:
        return all(each.passed for each in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def play_plant_scenario(
    scenario: PlantScenario, clock: Clock, say: Callable[[str], None]
) -> tuple[PlantOutcome, list[Played]]:
    """The outcome, and what was played. Raises ConfigError where the folder is wrong, or lacks a device or a point of the scene."""
    points = load(scenario.agent, keys_here=False).points_of(scenario.scene)
    if not points:
        remedy = f"Give its points the device {scenario.scene}"
        raise ConfigError([Fault(str(scenario.agent), None, None, "has no device of the scene's name", remedy)])
    say(f"{scenario.name}: {scenario.title}")
    engine.warm()
    begin_ns = clock.mono_ns()
    played = []
    for seed in scenario.seeds:
        scene = make(scenario.scene, seed, scenario.days)
        if missing := {each.tag for each in scene.traces} - {each.tag for each in points}:
            there = f"The scene {scenario.scene} has these instruments"
            raise ConfigError(
                [Fault(str(scenario.agent), None, "tag", f"lacks {each}", there) for each in sorted(missing)]
            )
        played.append(Played(scene, Judge(points).play(scene)))
        if len(scenario.seeds) > 1 or scenario.days is not None:
            say(f"  seed {seed}: {len(scene) * scene.step_s / 86_400:.3g} days, {len(played[-1].changes)} changes")
    simulated_s = sum(len(each.scene) * each.scene.step_s for each in played)
    took_s = (clock.mono_ns() - begin_ns) / NS_PER_S
    verdicts = tuple(judge(scenario, played))
    return PlantOutcome(scenario.name, scenario.title, verdicts, simulated_s, took_s), played


def plant_table(outcome: PlantOutcome) -> list[str]:
    """The verdicts for the screen."""
    head = (
        f"{'PASS' if outcome.passed else 'FAIL'}  {outcome.scenario}: {outcome.title} "
        f"({outcome.simulated_s / 3600:.3g} h in {outcome.took_s:.1f} s)"
    )
    return [head, *map(_row, outcome.verdicts)]


def _row(verdict: Verdict) -> str:
    latency = "" if verdict.latency_s is None else f"{verdict.latency_s:.1f} s"
    why = f" ({verdict.why})" if verdict.why else ""
    return f"  {'pass' if verdict.passed else 'FAIL'}  {latency:>10}  {verdict.what}{why}"
