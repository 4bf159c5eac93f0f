"""The figures of a demo run, out of ledgers and the journal. Pure.

Two figures rest on what the agents say: ``bytes_per_sample`` (counted at their sockets) and the begin of
``software_latency_ms`` (the time on the event). All others come from the ledgers of the rig and of both ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contract.clock import NS_PER_S
from contract.ids import Lane
from hil_tests.arrivals import Acknowledged, Arrival, Leak, order_of_arrival
from hil_tests.compare import Committed, Comparison
from hil_tests.figures import READING
from hil_tests.journal_lines import CONDITION_ON
from hil_tests.latency import Change, percentile
from hil_tests.verdicts import SeenEvent

GAS_WITHIN_S = 15.0
NOT_TIMED = "  the way from device to control room was not timed: the rig's markers stood still (--seconds 60 times it)"
_OF_PROGRAM = frozenset(
    {"alarms_acknowledged", "latency_ms", "software_latency_ms", "marker_changes", "marker_changes_reported"}
)
"""What there is only where markers run and an operator is a program."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One process: memory at the end, processor time as share of one core over its life."""

    rss_mb: float
    cpu_percent: float


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything a run left behind. ``traffic``: each agent's ``uplink`` counters. ``by_program``: markers timed the way,
    and an operator who is a program acknowledged; else a person looked on, and what he did is the control room's."""

    seconds: float
    by_program: bool
    sent: Sequence[Committed]
    received: Sequence[Committed]
    seen: Sequence[SeenEvent]
    comparison: Comparison
    changes: Sequence[Change]
    marker_tags: frozenset[str]
    leak: Leak | None
    arrivals: Sequence[Arrival]
    acknowledged: Sequence[Acknowledged]
    traffic: Sequence[Mapping[str, Any]]
    processes: Mapping[str, Usage]
    functions: Mapping[int, int] = field(default_factory=dict)
    """How often the devices were asked for each Modbus function."""


def build_report(run: Observed) -> dict[str, Any]:
    """The content of ``demo-report.json``. ``alarms_raised`` counts conditions raised, those of markers left out.

    ``gas_latency_ms`` is from the leak to the first gas alarm's commit, the wind's part included;
    ``gas_after_setpoint_ms`` from when the gas in front of a detector passed its set-point to the commit of its alarm.
    """
    gas_ms = gas_latency_ms(run)
    comparison = run.comparison
    return {
        "passed": passed(run),
        "timed": run.by_program,
        "seconds": round(run.seconds, 1),
        "samples": _samples(run.sent, run.received),
        "events": sum(each.key.lane is Lane.EVENTS for each in run.received),
        "alarms_raised": _raised(run),
        "alarms_acknowledged": len(run.acknowledged) if run.by_program else None,
        "lost": len(comparison.lost),
        "duplicated": len(comparison.duplicated),
        "out_of_order": len(comparison.out_of_order),
        "declared_gone": comparison.declared,
        "gas_latency_ms": None if gas_ms is None else round(gas_ms, 1),
        "gas_after_setpoint_ms": {each.tag: _rounded(each.after_setpoint_ms) for each in run.arrivals},
        "order_of_arrival": order_of_arrival(run.arrivals),
        "latency_ms": _percentiles(each.latency_ms for each in run.changes),
        "software_latency_ms": _percentiles(each.software_latency_ms for each in run.changes),
        "marker_changes": len(run.changes),
        "marker_changes_reported": sum(each.committed_ns is not None for each in run.changes),
        "bytes_per_sample": _bytes_per_sample(run.traffic),
        "modbus_functions": {str(each): run.functions[each] for each in sorted(run.functions)},
        "processes": {
            name: {"rss_mb": round(each.rss_mb, 1), "cpu_percent": round(each.cpu_percent, 2)}
            for name, each in run.processes.items()
        },
    }


def passed(run: Observed) -> bool:
    """Nothing was lost, doubled or put out of order, and devices were only read; by a program, also: a gas alarm came in time
    and was acknowledged."""
    return (
        run.comparison.whole
        and run.functions.keys() <= READING
        and (not run.by_program or any(map(_in_time, run.arrivals)))
    )


def _in_time(arrival: Arrival) -> bool:
    after_ms = arrival.after_setpoint_ms
    return after_ms is not None and after_ms <= GAS_WITHIN_S * 1000 and arrival.acknowledged_ns is not None


def gas_latency_ms(run: Observed) -> float | None:
    """From the leak to the aggregator's commit of the first gas alarm that it caused."""
    commits = [each.committed_ns for each in run.arrivals if each.committed_ns is not None]
    return None if run.leak is None or not commits else (min(commits) - run.leak.mono_ns) / NS_PER_S * 1000


def _samples(sent: Iterable[Committed], received: Iterable[Committed]) -> int:
    """Samples in the chunks that the aggregator committed, by the agents' count of each chunk."""
    arrived = {each.key for each in received}
    return sum({each.key: each.samples for each in sent if each.key in arrived}.values())


def _raised(run: Observed) -> int:
    return sum(each.event.type == CONDITION_ON and each.event.tag not in run.marker_tags for each in run.seen)


def _percentiles(numbers: Iterable[float | None]) -> dict[str, float | None]:
    known = [each for each in numbers if each is not None]
    return {f"p{each}": _rounded(percentile(known, each)) for each in (50, 99)}


def _bytes_per_sample(traffic: Iterable[Mapping[str, Any]]) -> float | None:
    traffic = list(traffic)
    samples = sum(int(each["samples_sent"]) for each in traffic)
    return _rounded(sum(int(each["bytes_sent"]) for each in traffic) / samples) if samples else None


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The report for the screen."""
    lines = [] if report["timed"] else [NOT_TIMED]
    for name, value in report.items():
        if name in _OF_PROGRAM and not report["timed"]:
            continue
        if name == "processes":
            lines += [f"  {each:<28} {use['rss_mb']:8.1f} MB {use['cpu_percent']:7.2f} % of a core"
                      for each, use in value.items()]  # fmt: skip
        elif isinstance(value, list):
            lines.append(f"  {name:<28} " + ", ".join(map(str, value)))
        elif isinstance(value, Mapping):
            lines.append(f"  {name:<28} " + ", ".join(f"{key} {number}" for key, number in value.items()))
        else:
            lines.append(f"  {name:<28} {value}")
    return lines
