"""The console script ``hil-rig``.

Exit status: 0 done and passed, 1 something failed, 2 the command line or a configuration is wrong.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hil_tests.rig.commands import PLANT, USAGES
from hil_tests.rig.words import CommandError

if TYPE_CHECKING:
    from hil_tests.rig.rig import Rig

EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2
EXIT_INTERRUPTED: Final = 130
MISSING_EXTRA: Final = "hil-rig needs more packages ({name} is missing). Install them: pip install 'parksentry[rig]'"
DEMO_SECONDS_MIN: Final = 45.0
SEED_MAX: Final = 1 << 31
SEEDS_MAX: Final = 1000
COMMENT: Final = " # "
"""What comes after it is not read, so that lines can be pasted from a guide."""

_ABOUT: Final = """\
Plays the devices of a site on real sockets, makes them misbehave on command, and checks what must follow at the
control room.
"""

_EXAMPLES: Final = """\
examples:
  hil-rig demo                                 the whole system on this machine, until Ctrl-C
  hil-rig serve configs/demo                   the devices alone; type `chlorine-plc step AT-103 2.5`
  hil-rig run hil_tests/scenarios              every scenario of a folder, pass or fail

`hil-rig ACTION --help` tells more of each.
"""

_SERVE: Final = """\
Start every device of a site as a Modbus TCP or OPC UA server, print where each listens, and obey what is typed.
A line is the device's name and a command:

  {commands}

or `plant` and what happens to the simulated plant behind all of them, about a second later:

  leak SOURCE RATE_KG_S          stop_leak [SOURCE]
  cooling_fails UNIT             cooling_back UNIT
  wind SPEED_M_S FROM_DEG        wind_free
  freeze TAG                     unfreeze TAG
  open_circuit TAG               close_circuit TAG

and `help`, `ports`, `quit`. Each answer gives the moment on the monotonic clock at which the command took effect; the
same moment stands in the device's ledger, with every value that it served.

examples:
  hil-rig serve configs/demo                   a folder with a site.toml in it
  hil-rig serve my-site.toml --dir /tmp/rig    keep the ledgers and logs there

  chlorine-plc step AT-103 2.5       AT-103 shows 2.5 from now on
  chlorine-plc step AT-103 2.5 20    ... and takes 20 s to get there
  chlorine-plc release AT-103        back to its signal
  chlorine-plc stop_answering        connections stay, requests are left unanswered
  chlorine-plc exception 12 2        requests over address 12 get exception 02
  cooler status TT-401 BadOutOfService           a node of an OPC UA device
  plant leak cl2-tank-a 0.0002       chlorine escapes, 0.2 g/s; the wind brings it to the detectors
  plant stop_leak
"""

OTHER_FIGURES: Final = "requests_per_s, misbehaved, good_samples, good_points, wrong_values, bad_after_s, sessions"

_RUN: Final = """\
Run scenarios on the real programs: devices, agents and an aggregator of their own for each. A scenario is a TOML file:

  title = "Gas at a detector reaches the control room"
  site = "../../configs/demo"                          folders beside the scenario, or absolute
  agents = ["../../configs/demo/chlorine-store"]

  [[at]]                        t_s counts from the moment at which all runs
  t_s = 3
  name = "leak"
  device = "chlorine-plc"       or "plant", or program = "aggregator" | an agent's name, command = "kill" | "stop" | "start"
  command = "step AT-103 2.5"

  [[expect]]                    at least one event (or exactly `times`) that fits every key given
  after = "leak"                default: "start"
  within_s = 5                  until the aggregator's commit
  type = "condition_on"
  kind = "high"                 also: tag, level, agent, class
  tag = "AT-103"

  [[forbid]]                    the same keys; no such event
  after = "leak"
  within_s = 5
  type = "condition_off"
  tag = "AT-103"

  [[measure]]                   a figure of a stretch of time, printed, with bounds
  what = "replies_per_s"        or {others}
  devices = ["chlorine-plc"]
  after = "leak"
  from_s = 2                    default: 0
  within_s = 12
  at_least = 0.9                or at_most, or both

A file with `scene = NAME` is a plant scenario: days of a simulated plant in seconds, through the agent's own list of points and its
own judgement, without sockets; hil_tests/scenarios/plant/ has them. Its keys: scene, agent (a folder; its device of the scene's name),
seeds, days; [[expect]] with after = "start", a kind of the scene's windows, or "AT-101 >= 0.35"; tag = "@" is the window's; [[forbid]],
also with outside = KIND; both also with inhibited.

In the others, nothing that an agent committed before the end may be lost, doubled or out of order at the aggregator, and Modbus
devices may have been asked for reading functions (1 to 4) only.
Exit status 1 when anything fails.
"""

_DEMO: Final = """\
A small park with its devices over Modbus and OPC UA, two agents and a control room, all on 127.0.0.1 in a folder of their
own. Prints the address of the page, who may sign in and what is going to happen, then each event of the plant as the
aggregator commits it. After 30 s chlorine leaks at a tank for 30 s; the wind brings it to one detector after the other.
Without --seconds it comes again every 4 min, and nothing but the plant moves: no program acknowledges, nothing is timed.

With --seconds, counted from when all runs, an operator who is a program acknowledges the gas alarms over the HTTP API,
and a marker in each PLC, a register that toggles every 2 to 3 s, times the way; what it makes is not shown, only counted.
At the end a report is printed and written as JSON: gas_after_setpoint_ms is from when the gas in front of a detector
passed its set-point to the commit of its alarm; latency_ms from the change of a marker to the aggregator's commit,
software_latency_ms from when the reply that carried it had reached the agent; lost, duplicated and out_of_order compare
ledgers that both ends sync beside each commit, up to the moment at which the agents are stopped.
modbus_functions counts what the PLCs were asked for. Exit status 1 unless these three are 0, only functions 1 to 4 were asked
for and, with --seconds, a gas alarm came within 15 s of the set-point and was
acknowledged.
"""

_CURVES: Final = """\
Draw the simulated plant as SVG: a chlorine leak (what is in the air, what the detectors show), the reactor's runaway, a day
and a night. The same code draws the same files; docs/pictures/ holds them (`make curves`).
"""

_SCENARIO_DATA: Final = """\
Write recordings of every plant scene, by chance of a seed: CSV files `ts,value...` below DIR/park, labels.json with what
happened when, and manifest.json. For research on detectors, and for `edge-agent backtest`. The same seed gives the same files.

examples:
  hil-rig scenario-data /tmp/scenes --seeds 1-20
  hil-rig scenario-data /tmp/leaks --seeds 7 --only cl2_plume
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    args = _parser().parse_args(argv)
    try:
        with _ended_by_sigterm():
            return int(args.action(args))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"contract", "drivers", "edge_agent", "aggregator", "hil_tests"}:
            raise
        print(MISSING_EXTRA.format(name=error.name), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hil-rig", description=_ABOUT, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    serve = _action(actions, "serve", _serve, "play a site's devices and obey typed commands", _SERVE)
    serve.description = _SERVE.format(commands="\n  ".join(USAGES))
    serve.add_argument("site", type=Path, metavar="SITE", help="a site.toml, or a folder that holds one")

    run = _action(actions, "run", _run, "run scenarios, pass or fail", _RUN.format(others=OTHER_FIGURES))
    run.add_argument("scenario", type=Path, metavar="SCENARIO", help="a scenario.toml, or a folder of them")
    run.add_argument(
        "--days", type=float, metavar="N", help="so long last plant scenes that may last (quiet_week, normal_day)"
    )
    run.add_argument(
        "--seeds", type=_seeds, metavar="A-B", help="one seed or a range, in place of those of plant scenarios"
    )
    run.add_argument(
        "--pictures", type=Path, metavar="DIR", help="draw there what happened in each plant scenario, as SVG"
    )
    run.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts there as well")

    demo = _action(actions, "demo", _demo, "the whole system on this machine, with a gas leak", _DEMO)
    demo.add_argument("--seconds", type=_demo_seconds, help="end after that long (at least 45); default: at Ctrl-C")
    demo.add_argument("--port", type=_port, metavar="N",
                      help="where the control room is served (default: 8080 if free; with --seconds any free one)")  # fmt: skip
    demo.add_argument("--report", type=Path, default=Path("demo-report.json"), metavar="FILE",
                      help="where the report goes (default: %(default)s)")  # fmt: skip
    curves = _action(actions, "curves", _curves, "draw what the simulated plant does", _CURVES)
    curves.add_argument("folder", type=Path, metavar="DIR", help="where the SVG files go; made if need be")
    data = _action(
        actions, "scenario-data", _scenario_data, "write labelled recordings of plant scenes", _SCENARIO_DATA
    )
    data.add_argument("folder", type=Path, metavar="DIR", help="where the files go; made if need be")
    data.add_argument("--seeds", type=_seeds, default=[1], metavar="A-B", help="one seed or a range (default: 1)")
    data.add_argument(
        "--only", action="append", metavar="SCENE", help="this scene; may be given again (default: all but quiet_week)"
    )
    for each in (serve, run, demo):
        each.add_argument("--dir", type=Path, help="keep folders, logs and ledgers there (default: removed at the end)")
    return parser


def _action(
    actions: Any, name: str, function: Callable[[argparse.Namespace], int], help_text: str, description: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=help_text, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(action=lambda args: _guarded(function, args))
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("1 to 65535")
    return port


def _seeds(text: str) -> list[int]:
    low, _, high = text.partition("-")
    seeds = range(int(low), int(high or low) + 1)
    if not 0 <= seeds.start < seeds.stop <= SEED_MAX or len(seeds) > SEEDS_MAX:
        raise argparse.ArgumentTypeError(f"a seed, or a rising range of at most {SEEDS_MAX}, such as 1-20")
    return list(seeds)


def _demo_seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= DEMO_SECONDS_MIN:
        raise argparse.ArgumentTypeError(f"at least {DEMO_SECONDS_MIN:.0f}, for the leak to be seen")
    return seconds


def _guarded(function: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """What went wrong, in words and as an exit status."""
    from contract.errors import ConfigError
    from hil_tests.control_room import ControlRoomError
    from hil_tests.processes import ProgramError
    from hil_tests.rig.rig import RigError

    try:
        return function(args)
    except ConfigError as error:
        print(f"{len(error.faults)} fault(s):\n{error}", file=sys.stderr)
        return EXIT_CONFIG
    except (RigError, ProgramError, ControlRoomError, OSError) as error:
        print(f"hil-rig: {error}", file=sys.stderr)
        return EXIT_FAILED


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """The default action would end this process at once, and leave the programs that it started."""

    def end(_number: int, _frame: object) -> None:
        sys.exit(EXIT_FAILED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _work_dir(asked: Path | None) -> Iterator[Path]:
    import tempfile

    if asked is not None:
        yield asked
        return
    with tempfile.TemporaryDirectory(prefix="hil-rig-") as own:
        yield Path(own)


def _serve(args: argparse.Namespace) -> int:
    from hil_tests.rig.rig import Rig
    from hil_tests.rig.site import load_site

    site = load_site(args.site)
    with _work_dir(args.dir) as work_dir, Rig(site, work_dir) as rig:
        print("\n".join(_where(rig)), flush=True)
        obey_lines(rig, sys.stdin)
    return 0


def _run(args: argparse.Namespace) -> int:
    import json

    from edge_agent.station.machine import RealClock
    from hil_tests.runner import Outcome, run_scenario, table
    from hil_tests.scenario import Scenario, load_each, parse_scenario
    from hil_tests.simulated.run import PlantOutcome, plant_table, play_plant_scenario
    from hil_tests.simulated.scenario import PlantScenario, parse_plant_scenario

    def parse(data: dict[str, Any], file: Path) -> Scenario | PlantScenario:
        return parse_plant_scenario(data, file) if "scene" in data else parse_scenario(data, file)

    outcomes: list[Outcome | PlantOutcome] = []
    with _work_dir(args.dir) as work_dir:
        for scenario in load_each(args.scenario, parse):
            if isinstance(scenario, PlantScenario):
                outcome, played = play_plant_scenario(scenario.lasting(args.days, args.seeds), RealClock(), _say)
                _say("\n".join(plant_table(outcome)))
                if args.pictures is not None:
                    from hil_tests.simulated.picture import draw

                    _say(f"  {draw(scenario, played[0], args.pictures)}")
                outcomes.append(outcome)
            else:
                real = run_scenario(scenario, _fresh(work_dir / scenario.name), _say)
                _say("\n".join(table([real])))
                outcomes.append(real)
    passed = all(each.passed for each in outcomes)
    if args.json is not None:
        content = {"passed": passed, "scenarios": [each.to_json() for each in outcomes]}
        args.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _say(f"{sum(each.passed for each in outcomes)} of {len(outcomes)} scenario(s) passed")
    return 0 if passed else EXIT_FAILED


def _demo(args: argparse.Namespace) -> int:
    import json

    from hil_tests.demo import run_demo
    from hil_tests.report import build_report, passed, report_lines

    with _work_dir(args.dir) as work_dir:
        run = run_demo(_fresh(work_dir / "demo"), args.seconds, _say, port=args.port, kept=args.dir is not None)
    report = build_report(run)
    args.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _say("\n".join(report_lines(report)))
    _say(f"{'PASS' if passed(run) else 'FAIL'}; report written to {args.report}")
    return 0 if passed(run) else EXIT_FAILED


def _curves(args: argparse.Namespace) -> int:
    from hil_tests.rig.plant_curves import draw_curves

    for path in draw_curves(args.folder):
        _say(str(path))
    return 0


def _scenario_data(args: argparse.Namespace) -> int:
    from contract.errors import ConfigError, Fault
    from hil_tests.scenes import SCENES
    from hil_tests.scenes.recording import write

    names = args.only or [each for each in SCENES if each != "quiet_week"]
    if unknown := [each for each in names if each not in SCENES]:
        there = f"There are: {', '.join(SCENES)}."
        raise ConfigError([Fault("--only", None, None, f"there is no scene {each!r}", there) for each in unknown])
    _say(f"{write(args.folder, args.seeds, names)} recordings in {args.folder}")
    return 0


def _fresh(folder: Path) -> Path:
    """Raises FileExistsError: an old run's ledgers would be compared with the new one's."""
    folder.mkdir(parents=True)
    return folder


def _say(line: str) -> None:
    print(line, flush=True)


def obey_lines(rig: Rig, lines: Iterable[str]) -> None:
    """Obey typed lines until ``quit``; where they end without it, wait for a signal and keep serving."""
    for line in lines:
        words = line.split(COMMENT)[0].split()
        if words == ["quit"]:
            return
        for answer in _obey(rig, words):
            print(answer, flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


def _obey(rig: Rig, words: list[str]) -> list[str]:
    match words:
        case []:
            return []
        case ["help"]:
            from hil_tests.rig.plant import PLANT_USAGES

            devices = [f"DEVICE {usage}" for usage in USAGES]
            plant = [f"{PLANT} {usage}" for usage in PLANT_USAGES if rig.site.plant is not None]
            return [*devices, *plant, "ports", "quit"]
        case ["ports"]:
            return _where(rig)
    return [_told(rig, *words)]


def _told(rig: Rig, device: str, verb: str = "", *args: str) -> str:
    from hil_tests.rig.rig import RigError

    is_plant = device == PLANT and rig.site.plant is not None
    if device not in rig.ports and not is_plant:
        return f"no device {device!r}; there are: {', '.join(rig.ports)}"
    if not verb:
        return f"what shall {device} do? `help` lists the commands"
    try:
        return f"ok at {rig.plant(verb, *args) if is_plant else rig.command(device, verb, *args)}"
    except (CommandError, RigError) as error:
        return str(error)


def _place(host: str, place: int | str) -> str:
    return f"{host}:{place}" if isinstance(place, int) else place


def _where(rig: Rig) -> list[str]:
    return [
        f"{device.name:<20} {device.kind:<6} {_place(device.host, rig.places[device.name])} {device.shown()}, "
        f"ledger {rig.ledger_path(device.name)}"
        for device in rig.site.devices
    ]


if __name__ == "__main__":
    sys.exit(main())
