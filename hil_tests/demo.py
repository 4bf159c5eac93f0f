"""The main job on one screen: two hazard sources, their agents and an aggregator, with a gas step after some seconds.

Plays ``configs/demo``, shows what arrives at the aggregator as it arrives, and measures the whole way from a register to
a commit.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from contract.clock import NS_PER_S
from hil_tests.agent_folder import markers
from hil_tests.journal_lines import told
from hil_tests.latency import changes
from hil_tests.processes import run_to_end
from hil_tests.report import GasStep, Observed, Usage
from hil_tests.rig.site import Site, load_site
from hil_tests.testbed import Testbed

GAS_DEVICE: Final = "chlorine-plc"
GAS_TAG: Final = "AT-103"
GAS_LEAK: Final = ("step", GAS_TAG, "2.6", "8")
"""Rises over both levels within 8 s."""
GAS_GONE: Final = ("step", GAS_TAG, "0.05", "5")
GAS_AT_S: Final = 10.0
GAS_GONE_AFTER_S: Final = 18.0
GAS_AGAIN_AFTER_S: Final = 120.0
NEWS_PERIOD_S: Final = 0.2


def demo_folder() -> Path:
    """In a checkout ``configs/demo``; in an installed package the copy that travels with it."""
    here = Path(__file__).parent
    inside = here / "configs" / "demo"
    return inside if inside.is_dir() else here.parent / "configs" / "demo"


@dataclass(slots=True)
class _Script:
    """The gas leak: comes, goes, and comes again as long as anybody watches."""

    bed: Testbed
    say: Callable[[str], None]
    first: GasStep | None = None
    next_leak_s: float = GAS_AT_S
    next_gone_s: float = math.inf

    def play(self, now_s: float) -> None:
        if now_s >= self.next_leak_s:
            mono_ns = self._tell(*GAS_LEAK)
            self.first = self.first or GasStep(GAS_TAG, mono_ns)
            self.next_gone_s, self.next_leak_s = now_s + GAS_GONE_AFTER_S, now_s + GAS_AGAIN_AFTER_S
        if now_s >= self.next_gone_s:
            self._tell(*GAS_GONE)
            self.next_gone_s = math.inf

    def _tell(self, verb: str, *args: str) -> int:
        self.say(f">> {GAS_DEVICE}: {' '.join((verb, *args))}")
        return self.bed.rig.command(GAS_DEVICE, verb, *args)


def run_demo(work_dir: Path, seconds: float | None, say: Callable[[str], None]) -> Observed:
    """Runs for ``seconds``, or until Ctrl-C. Raises ProgramError and RigError when a program fails to do its part."""
    folder = demo_folder()
    site = load_site(folder)
    agents = sorted(each for each in folder.iterdir() if each.is_dir())
    say(f"starting {len(site.devices)} devices, {len(agents)} agents and an aggregator in {work_dir}")
    with Testbed(site, agents, work_dir) as bed:
        start_ns = time.monotonic_ns()
        gas = _watch(bed, seconds, say)
        elapsed_s = (time.monotonic_ns() - start_ns) / NS_PER_S
        say("stopping the agents, reading the journal to its end")
        usage = measure(bed)
        bed.finish()
        return _observed(bed, site, agents, elapsed_s, gas, usage)


def _watch(bed: Testbed, seconds: float | None, say: Callable[[str], None]) -> GasStep | None:
    """Show what arrives and play the leak; returns its first step."""
    start_ns = time.monotonic_ns()

    def shown(line: str) -> None:
        say(f"{(time.monotonic_ns() - start_ns) / NS_PER_S:7.2f} s  {line}")

    script = _Script(bed, shown)
    shown(f"all runs; gas at {GAS_TAG} in {GAS_AT_S:.0f} s" + ("; Ctrl-C ends" if seconds is None else ""))
    try:
        while (now_s := (time.monotonic_ns() - start_ns) / NS_PER_S) < (seconds or math.inf):
            script.play(now_s)
            for event in bed.news(NEWS_PERIOD_S):
                shown(told(event))
            for program in bed.programs.values():
                program.require_running()
    except KeyboardInterrupt:
        shown("stopped by hand")
    return script.first


def _observed(
    bed: Testbed, site: Site, agents: list[Path], seconds: float, gas: GasStep | None, usage: dict[str, Usage]
) -> Observed:
    waves = [marker for folder in agents for marker in markers(folder, site)]
    commits = bed.commits()
    return Observed(
        seconds=seconds,
        sent=bed.sent(),
        received=bed.received(),
        seen=bed.seen(),
        comparison=bed.comparison(),
        changes=[each for wave in waves for each in changes(wave, bed.rig.ledger(wave.device), bed.events, commits)],
        marker_tags=frozenset(wave.tag for wave in waves),
        gas=gas,
        traffic=[_traffic(bed.agent_dir(name)) for name in bed.agents],
        processes=usage,
    )


def _traffic(agent_dir: Path) -> dict[str, Any]:
    """The agent has been stopped, which its status command says by its exit status."""
    status: dict[str, Any] = json.loads(run_to_end("edge_agent.cli", "status", str(agent_dir), "--json", good=(0, 1)))
    uplink: dict[str, Any] = status["uplink"]
    return uplink


def measure(bed: Testbed) -> dict[str, Usage]:
    """Every process of the run, the rig's own included."""
    found = {"hil-rig": psutil.Process(os.getpid())}
    found |= {f"device {name}": psutil.Process(pid) for name, pid in bed.rig.pids.items()}
    for name, program in bed.programs.items():
        own, *descendants = program.usage()
        found |= {name: own} | {f"{name} {_part(each, i)}": each for i, each in enumerate(descendants, 1)}
    return {name: _usage(process) for name, process in found.items()}


def _part(process: psutil.Process, number: int) -> str:
    """What a program calls the part of itself that it started, after ``python -m MODULE``."""
    words = process.cmdline()
    return words[3] if len(words) > 3 and words[1] == "-m" else str(number)


def _usage(process: psutil.Process) -> Usage:
    with process.oneshot():
        times = process.cpu_times()
        age_s = max(0.001, time.time() - process.create_time())
        return Usage(process.memory_info().rss / 1e6, 100 * (times.user + times.system) / age_s)
