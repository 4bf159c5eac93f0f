"""The main job on one screen: a park's hazard sources, their agents and a control room, with a leak after half a minute.

Plays ``configs/demo``, shows what arrives at the aggregator as it arrives, and measures the whole way from a register to
a commit, and from gas in front of a detector to an alarm that somebody acknowledged.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil

from contract.clock import NS_PER_S
from hil_tests.agent_folder import gas_setpoints, markers
from hil_tests.arrivals import Acknowledged, Arrival, Leak, arrivals, passings
from hil_tests.journal_lines import told
from hil_tests.latency import Marker, changes
from hil_tests.operator import ProgramOperator, retire_markers
from hil_tests.processes import run_to_end
from hil_tests.report import Observed, Usage
from hil_tests.rig.site import load_site
from hil_tests.testbed import REGISTER_FILE, Account, Testbed

LEAK_SOURCE: Final = "cl2-tank-a"
LEAK_KG_S: Final = 0.0002
"""0.2 g/s: a gland that sweats. Some 60 mg/m3 at the nearest detector, 1 to 3 at those 40 m down the wind."""
LEAK_AT_S: Final = 30.0
LEAK_LASTS_S: Final = 30.0
LEAK_AGAIN_AFTER_S: Final = 240.0
NEWS_PERIOD_S: Final = 0.2
LOOK_PERIOD_S: Final = 1.0
"""How often the operator who is a program looks at the list."""
ACCOUNTS: Final = tuple(Account(role, role, f"{role}-demo") for role in (
    "viewer", "operator", "engineer", "administrator", "regulator"))  # fmt: skip


def demo_folder() -> Path:
    """In a checkout ``configs/demo``; in an installed package the copy that travels with it."""
    here = Path(__file__).parent
    inside = here / "configs" / "demo"
    return inside if inside.is_dir() else here.parent / "configs" / "demo"


@dataclass(slots=True)
class _Script:
    """The leak: comes, goes, and comes again as long as anybody watches."""

    bed: Testbed
    say: Callable[[str], None]
    first: Leak | None = None
    next_leak_s: float = LEAK_AT_S
    next_stop_s: float = math.inf

    def play(self, now_s: float) -> None:
        if now_s >= self.next_leak_s:
            mono_ns = self._tell("leak", LEAK_SOURCE, LEAK_KG_S)
            until_ns = mono_ns + round((LEAK_AGAIN_AFTER_S - LEAK_LASTS_S) * NS_PER_S)
            self.first = self.first or Leak(LEAK_SOURCE, mono_ns, until_ns)
            self.next_stop_s, self.next_leak_s = now_s + LEAK_LASTS_S, now_s + LEAK_AGAIN_AFTER_S
        if now_s >= self.next_stop_s:
            self._tell("stop_leak", LEAK_SOURCE)
            self.next_stop_s = math.inf

    def _tell(self, *words: str | float) -> int:
        self.say(f">> plant: {' '.join(map(str, words))}")
        return self.bed.rig.plant(*words)


def run_demo(work_dir: Path, seconds: float | None, say: Callable[[str], None]) -> Observed:
    """Runs for ``seconds`` with an operator who is a program, or until Ctrl-C without one.

    Raises ProgramError, RigError and ControlRoomError when a program fails to do its part."""
    folder = demo_folder()
    site = load_site(folder)
    agents = sorted(each for each in folder.iterdir() if each.is_dir())
    say(f"starting {len(site.devices)} devices, {len(agents)} agents and an aggregator in {work_dir}")
    with Testbed(site, agents, work_dir, accounts=ACCOUNTS, register=folder / REGISTER_FILE) as bed:
        waves = [marker for each in agents for marker in markers(each, site)]
        operator = None if seconds is None else ProgramOperator(bed.sign_in("operator"))
        retire_markers(bed.sign_in("engineer"), {wave.tag for wave in waves})
        say("\n".join(_how_to_look(bed)))
        start_ns = time.monotonic_ns()
        leak = _watch(bed, seconds, say, operator)
        elapsed_s = (time.monotonic_ns() - start_ns) / NS_PER_S
        say("stopping the agents, reading the journal to its end")
        usage = measure(bed)
        bed.finish()
        setpoints = {tag: limit for each in agents for tag, limit in gas_setpoints(each).items()}
        return _observed(bed, waves, elapsed_s, leak, setpoints, operator.done if operator else [], usage)


def _how_to_look(bed: Testbed) -> list[str]:
    people = [f"  {each.name:<16} {each.password}" for each in bed.accounts.values()]
    return ["", f"the control room: {bed.web_url}", "sign in as, with the password:", *people, ""]


def _watch(
    bed: Testbed, seconds: float | None, say: Callable[[str], None], operator: ProgramOperator | None
) -> Leak | None:
    """Show what arrives, play the leak and let the operator look; returns the first leak."""
    start_ns = time.monotonic_ns()

    def shown(line: str) -> None:
        say(f"{(time.monotonic_ns() - start_ns) / NS_PER_S:7.2f} s  {line}")

    script = _Script(bed, shown)
    next_look_s = 0.0
    shown(f"all runs; chlorine leaks in {LEAK_AT_S:.0f} s" + ("; Ctrl-C ends" if seconds is None else ""))
    try:
        while (now_s := (time.monotonic_ns() - start_ns) / NS_PER_S) < (seconds or math.inf):
            script.play(now_s)
            if operator is not None and now_s >= next_look_s:
                next_look_s = now_s + LOOK_PERIOD_S
                for each in operator.look():
                    shown(f">> operator: acknowledged {each.tag} {each.kind}")
            for event in bed.news(NEWS_PERIOD_S):
                shown(told(event))
            for program in bed.programs.values():
                program.require_running()
    except KeyboardInterrupt:
        shown("stopped by hand")
    return script.first


def _observed(
    bed: Testbed, waves: Sequence[Marker], seconds: float, leak: Leak | None, setpoints: Mapping[str, float],
    acknowledged: Sequence[Acknowledged], usage: dict[str, Usage],
) -> Observed:  # fmt: skip
    commits, seen = bed.commits(), bed.seen()
    found: list[Arrival] = []
    if leak is not None:
        leak = replace(leak, until_ns=min(leak.until_ns, time.monotonic_ns()))
        passed = passings(bed.rig.plant_copy(only=setpoints), setpoints, bed.rig.start_mono_ns, leak)
        found = arrivals(passed, leak, seen, acknowledged)
    return Observed(
        seconds=seconds,
        sent=bed.sent(),
        received=bed.received(),
        seen=seen,
        comparison=bed.comparison(),
        changes=[each for wave in waves for each in changes(wave, bed.rig.ledger(wave.device), bed.events, commits)],
        marker_tags=frozenset(wave.tag for wave in waves),
        leak=leak,
        arrivals=found,
        acknowledged=acknowledged,
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
