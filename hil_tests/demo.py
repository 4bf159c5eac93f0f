"""The main job on one screen: a park's hazard sources, their agents and a control room, with a leak after half a minute.

Plays ``configs/demo``, shows what arrives at the aggregator as it arrives, and measures the whole way from a register to
a commit, and from gas in front of a detector to an alarm that somebody acknowledged.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil

from contract.clock import NS_PER_S
from hil_tests.agent_folder import descriptions, gas_setpoints, markers, without_markers
from hil_tests.arrivals import Acknowledged, Arrival, Leak, arrivals, passings
from hil_tests.field import HOST
from hil_tests.latency import Marker, changes
from hil_tests.operator import ProgramOperator, retire_markers
from hil_tests.processes import run_to_end
from hil_tests.report import Observed, Usage
from hil_tests.rig.ledger import functions_asked
from hil_tests.rig.ports import reserve
from hil_tests.rig.site import load_site
from hil_tests.telling import Welcome, clock, in_words, line, not_shown, of_plant
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
WEB_PORT: Final = 8080
"""Of a run for a person, where it is free."""
ACCOUNTS: Final = tuple(Account(role, role, f"{role}-demo") for role in (
    "operator", "viewer", "engineer", "administrator", "regulator"))  # fmt: skip


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
            mono_ns = self.bed.rig.plant("leak", LEAK_SOURCE, LEAK_KG_S)
            self.say(line("PLANT", f"chlorine leaks at tank A, {LEAK_KG_S * 1000:g} g/s"))
            until_ns = mono_ns + round((LEAK_AGAIN_AFTER_S - LEAK_LASTS_S) * NS_PER_S)
            self.first = self.first or Leak(LEAK_SOURCE, mono_ns, until_ns)
            self.next_stop_s, self.next_leak_s = now_s + LEAK_LASTS_S, now_s + LEAK_AGAIN_AFTER_S
        if now_s >= self.next_stop_s:
            self.bed.rig.plant("stop_leak", LEAK_SOURCE)
            self.say(line("PLANT", "the leak is shut; the wind carries on what is out"))
            self.next_stop_s = math.inf


def run_demo(
    work_dir: Path, seconds: float | None, say: Callable[[str], None], *, port: int | None = None, kept: bool = False
) -> Observed:
    """Runs for ``seconds`` with an operator who is a program and markers that time the way, or until Ctrl-C for a person,
    without either. ``port``: where the control room is served; ``kept``: the caller leaves ``work_dir`` where it is.

    Raises OSError (the port is taken, something did not happen in time), ProgramError, RigError and ControlRoomError
    when a program fails to do its part."""
    folder = demo_folder()
    site = load_site(folder)
    site = site if seconds is not None else without_markers(site)
    agents = sorted(each for each in folder.iterdir() if each.is_dir())
    waves = [marker for each in agents for marker in markers(each, site)]
    begin_ns = time.monotonic_ns()

    def shown(text: str) -> None:
        say(f"{clock(_since_s(begin_ns))}  {text}")

    shown(
        f"starting {len(site.devices)} devices, {len(agents)} agents and a control room; some 20 s, more on a busy machine"
    )
    with Testbed(
        site, agents, work_dir, accounts=ACCOUNTS, register=folder / REGISTER_FILE,
        web_port=choose_port(port, for_person=seconds is None), say=shown,
    ) as bed:  # fmt: skip
        operator = None
        if seconds is not None:
            operator = ProgramOperator(bed.sign_in("operator"))
            retire_markers(bed.sign_in("engineer"), {wave.tag for wave in waves})
        bed.wait_for_pages()
        say("\n".join(_welcome(bed, seconds, kept=kept).lines()))
        names = {tag: name for each in agents for tag, name in descriptions(each).items()}
        start_ns = time.monotonic_ns()
        leak = _watch(bed, seconds, say, operator, names, {wave.tag for wave in waves})
        elapsed_s = _since_s(start_ns)
        say("stopping the agents, reading the journal to its end")
        usage = measure(bed)
        bed.finish()
        setpoints = {tag: limit for each in agents for tag, limit in gas_setpoints(each).items()}
        return _observed(bed, waves, elapsed_s, leak, setpoints, operator, usage)


def choose_port(asked: int | None, *, for_person: bool) -> int:
    """The one asked for; else for a person the usual one where nobody has it; else 0, any free one."""
    if asked is not None or not for_person:
        return asked or 0
    try:
        reserve(HOST, WEB_PORT).close()
    except OSError:  # the person is told which one it is instead
        return 0
    return WEB_PORT


def _welcome(bed: Testbed, seconds: float | None, *, kept: bool) -> Welcome:
    leak = f"chlorine leaks at tank A, {LEAK_KG_S * 1000:g} g/s for {LEAK_LASTS_S:.0f} s; the wind brings it to the detectors"
    coming = [(f"at {clock(LEAK_AT_S).strip()}", leak)]
    if seconds is None:
        coming += [("then", f"again every {LEAK_AGAIN_AFTER_S / 60:.0f} min")]
    else:
        coming += [("operator", "a program: it acknowledges the gas alarms, as you may")]
    return Welcome(
        address=bed.web_url,
        passwords={each.name: each.password for each in bed.accounts.values()},
        coming=coming,
        seconds=seconds,
        files=str(bed.field.folder),
        kept=kept,
        command="aggregator" if shutil.which("aggregator") else str(Path(sys.executable).with_name("aggregator")),
        aggregator_dir=str(bed.aggregator_dir),
    )


def _since_s(start_ns: int) -> float:
    return (time.monotonic_ns() - start_ns) / NS_PER_S


def _watch(
    bed: Testbed, seconds: float | None, say: Callable[[str], None], operator: ProgramOperator | None,
    names: Mapping[str, str], unshown: Collection[str],
) -> Leak | None:  # fmt: skip
    """Show what arrives, play the leak and let the operator look; returns the first leak."""
    start_ns = time.monotonic_ns()

    def shown(text: str) -> None:
        say(f"{clock(_since_s(start_ns))}  {text}")

    script = _Script(bed, shown)
    next_look_s = 0.0
    hidden = 0
    try:
        while (now_s := _since_s(start_ns)) < (seconds or math.inf):
            script.play(now_s)
            if operator is not None and now_s >= next_look_s:
                next_look_s = now_s + LOOK_PERIOD_S
                for each in operator.look():
                    shown(line("operator", f"acknowledged {each.tag} {names.get(each.tag, '')}"))
            news = bed.news(NEWS_PERIOD_S)
            hidden += sum(each.tag in unshown for each in news)
            for event in of_plant(news, unshown):
                shown(in_words(event, names))
            for program in bed.programs.values():
                program.require_running()
    except KeyboardInterrupt:
        shown("ended by hand")
    say("\n".join(["", *not_shown(unshown, hidden)]))
    return script.first


def _observed(
    bed: Testbed, waves: Sequence[Marker], seconds: float, leak: Leak | None, setpoints: Mapping[str, float],
    operator: ProgramOperator | None, usage: dict[str, Usage],
) -> Observed:  # fmt: skip
    commits, seen = bed.commits(), bed.seen()
    acknowledged: Sequence[Acknowledged] = operator.done if operator is not None else []
    found: list[Arrival] = []
    if leak is not None:
        leak = replace(leak, until_ns=min(leak.until_ns, time.monotonic_ns()))
        passed = passings(bed.rig.plant_copy(only=setpoints), setpoints, bed.rig.start_mono_ns, leak)
        found = arrivals(passed, leak, seen, acknowledged)
    return Observed(
        seconds=seconds,
        by_program=operator is not None,
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
        functions=sum(map(functions_asked, bed.rig.ledgers().values()), Counter()),
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
