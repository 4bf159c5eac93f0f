"""Makes a scenario happen and tells whether what had to follow did.

Time is the real one and the programs are the real ones; the judgement is that of ``verdicts`` and ``compare``, after the
last window has closed and everything owed has arrived.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from contract.clock import NS_PER_S
from contract.errors import ConfigError, Fault
from hil_tests.agent_folder import places
from hil_tests.compare import Comparison
from hil_tests.figures import Evidence, Figure, Received, figure, other_functions
from hil_tests.journal_lines import told
from hil_tests.rig.commands import PLANT
from hil_tests.rig.site import Site, load_site
from hil_tests.scenario import START, At, Scenario
from hil_tests.testbed import AGGREGATOR, Testbed
from hil_tests.verdicts import Verdict, judge

Say = Callable[[str], None]
"""Takes a line for the screen."""
NEWS_PERIOD_S = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    scenario: str
    title: str
    verdicts: tuple[Verdict, ...]
    comparison: Comparison
    figures: tuple[Figure, ...] = ()
    other_functions: Mapping[int, int] = field(default_factory=dict)
    """How often a Modbus device was asked for anything but reading."""

    @property
    def passed(self) -> bool:
        judged = [each.passed for each in self.verdicts] + [each.passed for each in self.figures]
        return self.comparison.whole and not self.other_functions and all(judged)

    def to_json(self) -> dict[str, Any]:
        comparison = self.comparison
        return {
            "scenario": self.scenario, "title": self.title, "passed": self.passed,
            "verdicts": [asdict(each) for each in self.verdicts],
            "figures": [asdict(each) for each in self.figures],
            "other_functions": dict(self.other_functions),
            "lost": len(comparison.lost), "duplicated": len(comparison.duplicated),
            "out_of_order": len(comparison.out_of_order), "declared_gone": comparison.declared,
        }  # fmt: skip


def run_scenario(scenario: Scenario, work_dir: Path, say: Say) -> Outcome:
    """``work_dir`` keeps logs and ledgers. Raises ConfigError (nothing was started), ProgramError, RigError."""
    site = load_site(scenario.site)
    bed = Testbed(site, scenario.agents, work_dir)
    if faults := [*_faults(scenario, site, bed.agents)]:
        raise ConfigError(faults)
    say(f"{scenario.name}: {scenario.title}")
    with bed:
        moments = _play(scenario, bed, say)
        say("stopping the agents, reading the journal to its end")
        bed.finish()
        verdicts = judge(scenario, moments, bed.seen())
        evidence = Evidence(bed.rig.ledgers(), received(bed) if scenario.measures else ())
        figures = [figure(each, moments, evidence) for each in scenario.measures]
        return Outcome(
            scenario.name, scenario.title, tuple(verdicts), bed.comparison(), tuple(figures),
            other_functions(evidence.ledgers),
        )  # fmt: skip


def received(bed: Testbed) -> list[Received]:
    """What the aggregator holds of every point of the agents, and of the devices' own."""
    return [
        Received(place.tag, place.device, bed.field.aggregator.samples(agent, place.tag), place.table, place.address)
        for agent, folder in bed.folders.items()
        for place in places(folder)
    ]


def _play(scenario: Scenario, bed: Testbed, say: Say) -> dict[str, int]:
    """Run the timeline; returns when each named entry took effect. By as much as one took effect late the end is put off, so
    that what follows from it has its time."""
    start_ns, late_s = time.monotonic_ns(), 0.0
    moments = {START: start_ns}
    for entry in sorted(scenario.timeline, key=lambda each: each.t_s):
        _watch(bed, start_ns, entry.t_s, say)
        mono_ns = _carry_out(entry, bed)
        say(f"{_clock(mono_ns, start_ns)}  >> {entry.shown()}")
        if entry.name:
            moments[entry.name] = mono_ns
        late_s = max(late_s, (mono_ns - start_ns) / NS_PER_S - entry.t_s)
    _watch(bed, start_ns, scenario.duration_s + late_s, say)
    return moments


def _watch(bed: Testbed, start_ns: int, until_s: float, say: Say) -> None:
    """Show what arrives until ``until_s`` after the start."""
    until_ns = start_ns + round(until_s * NS_PER_S)
    while (left_ns := until_ns - time.monotonic_ns()) > 0:
        for event in bed.news(min(NEWS_PERIOD_S, left_ns / NS_PER_S)):
            say(f"{_clock(time.monotonic_ns(), start_ns)}  {told(event)}")


def _carry_out(entry: At, bed: Testbed) -> int:
    if entry.device is not None:
        verb, *rest = entry.command.split()
        if entry.device == PLANT and bed.rig.site.plant is not None:
            return bed.rig.plant(verb, *rest)
        return bed.rig.command(entry.device, verb, *rest)
    assert entry.program is not None
    return bed.tell(entry.program, entry.command)


def _faults(scenario: Scenario, site: Site, agents: Sequence[str]) -> Iterator[Fault]:
    devices = [each.name for each in site.devices] + ([PLANT] if site.plant is not None else [])
    programs = [AGGREGATOR, *agents]
    for entry in scenario.timeline:
        if entry.device is not None and entry.device not in devices:
            yield _unknown(scenario, "at.device", entry.device, devices)
        if entry.program is not None and entry.program not in programs:
            yield _unknown(scenario, "at.program", entry.program, programs)
    for each in {name for measure in scenario.measures for name in measure.devices} - {
        each.name for each in site.devices
    }:
        yield _unknown(scenario, "measure.devices", each, devices)
    for pattern in scenario.patterns:
        if pattern.agent is not None and pattern.agent not in agents:
            yield _unknown(scenario, "agent", pattern.agent, agents)


def _unknown(scenario: Scenario, key: str, name: str, known: Sequence[str]) -> Fault:
    return Fault(scenario.name, None, key, f"there is no {name!r}", f"There are: {', '.join(known)}.")


def _clock(now_ns: int, start_ns: int) -> str:
    return f"{(now_ns - start_ns) / NS_PER_S:7.2f} s"


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """The verdicts for the screen."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{'PASS' if outcome.passed else 'FAIL'}  {outcome.scenario}: {outcome.title}")
        lines += [_row(each) for each in outcome.verdicts]
        lines += [
            f"  {'pass' if each.passed else 'FAIL'}  {each.value:>10.4g}  {each.what}" for each in outcome.figures
        ]
        comparison = outcome.comparison
        counts = (
            f"lost {len(comparison.lost)}, duplicated {len(comparison.duplicated)}, "
            f"out of order {len(comparison.out_of_order)}"
        )
        lines.append(f"  {'pass' if comparison.whole else 'FAIL'}  {'':>10}  {counts}")
        for function, count in outcome.other_functions.items():
            lines.append(f"  FAIL  {count:>10}  times function {function}, which does not only read")
    return lines


def _row(verdict: Verdict) -> str:
    latency = "" if verdict.latency_ms is None else f"{verdict.latency_ms:.0f} ms"
    verb = "must not" if verdict.forbidden else "must"
    return f"  {'pass' if verdict.passed else 'FAIL'}  {latency:>10}  {verb}: {verdict.what} (found {verdict.found})"
