"""``edge-agent``: what an instrument engineer types on a gateway.

Only ``run`` starts anything; the other commands read. Exit status: 0 done, 1 it failed, 2 the configuration is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import select
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from edge_agent.analysis.replaying import cli as replaying
from edge_agent.commissioning.accepting import cli as accepting
from edge_agent.commissioning.backtesting import cli as backtesting
from edge_agent.commissioning.browsing import cli as browsing
from edge_agent.commissioning.importing import cli as importing
from edge_agent.commissioning.loopcheck import cli as loopcheck
from edge_agent.commissioning.models import cli as models
from edge_agent.commissioning.pushing import cli as pushing
from edge_agent.commissioning.resetting import cli as resetting
from edge_agent.commissioning.scanning import cli as scanning
from edge_agent.commissioning.trying import cli as trying
from edge_agent.commissioning.watching import cli as watching

MISSING_EXTRA: Final = (
    "edge-agent needs more packages ({name} is missing). Install them: pip install 'parksentry[edge]'"
)
EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2
STATUS_TIMEOUT_S: Final = 10.0

DESCRIPTION: Final = """\
Reads devices at hazard sources, judges every sample on the spot, keeps everything through an outage and streams it to
the control room. It only ever reads from devices. It supplements a plant's safety systems and replaces none of them.
"""

EPILOG: Final = """\
from nothing to a running gateway:
  edge-agent keygen /etc/parksentry/site-a     make this gateway's keys; hand keys/agent.pub to the control room
  edge-agent check  /etc/parksentry/site-a     every mistake at once, with file, row, column and what to do
  edge-agent run    /etc/parksentry/site-a     until Ctrl-C or SIGTERM
  edge-agent status /etc/parksentry/site-a     how it is doing

on site, mostly in this order (each has a --help with examples):
  scan, browse      what does this device, or this OPC UA server, give?
  try               what does this register hold, in which order of words and with which scale?
  import            the plant's own I/O list becomes points.csv
  watch, loopcheck  see the running values; prove each point at its instrument

from your own machine, what is new to gateways that run:
  edge-agent push gw1 gw2 ./gateways           shown, checked there, switched, confirmed or taken back

The folder holds agent.toml (who, where to, which devices) and points.csv (the I/O list).
"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of the console script."""
    arguments = _parser().parse_args(argv)
    try:
        status = int(arguments.command(arguments))
        sys.stdout.flush()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("contract", "drivers", "edge_agent"):
            raise
        print(MISSING_EXTRA.format(name=error.name), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_FAILED
    except BrokenPipeError:
        if not _has_lost_its_reader():
            raise
        return EXIT_FAILED
    return status


def _has_lost_its_reader() -> bool:
    """Whoever read what we print, such as head, has seen enough; what is left goes nowhere, without a word."""
    output = select.poll()
    output.register(sys.stdout, 0)  # errors alone
    if not output.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's own flush fails again
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "edge-agent", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = _command(commands, "check", _check, "check the whole folder, offline; touches no device and no network")
    check.epilog = "Exit status 2 when anything is wrong; nothing is changed."

    run = _command(commands, "run", _run, "poll, judge, keep and send, until Ctrl-C or SIGTERM")
    run.add_argument(
        "--ledger", type=Path, metavar="FILE",
        help="witness for tests: append one synced JSON line per committed message",
    )  # fmt: skip

    keygen = _command(commands, "keygen", _keygen, "make this gateway's keys (keys/agent.key and keys/agent.pub)")
    keygen.add_argument(
        "--replace",
        action="store_true",
        help="replace keys that exist, of an agent that has no data yet: the control room never admits a name twice",
    )
    keygen.epilog = "For the certificate of an OPC UA client: edge-agent opcua-certificate."

    certificate = _command(
        commands, "opcua-certificate", _opcua_certificate,
        "make this gateway's certificate for OPC UA servers (keys/opcua.key and keys/opcua.der)",
    )  # fmt: skip
    certificate.add_argument(
        "--host", action="append", metavar="NAME",
        help="name or address of this gateway, also more than once; its host name if left out",
    )  # fmt: skip
    certificate.add_argument(
        "--replace", action="store_true", help="replace files that exist; every server must learn to trust the new ones"
    )

    status = _command(commands, "status", _status, "what the running agent says of itself")
    status.add_argument("--json", action="store_true", help="everything, for programs")

    reload = _command(
        commands, "reload", _reload, "let the running agent take on the folder as it is now; SIGHUP does the same"
    )
    reload.epilog = (
        "Connections that do not differ run on, and nothing is lost. A folder with a mistake is refused whole (status 2), "
        "and the agent goes on as before. Check it first: edge-agent check DIR"
    )
    replaying.add(commands)
    accepting.add(commands)
    resetting.add(commands)
    backtesting.add(commands)
    browsing.add(commands)
    importing.add(commands)
    loopcheck.add(commands)
    watching.add(commands)
    models.add(commands)
    pushing.add(commands)
    scanning.add(commands)
    trying.add(commands)
    return parser


def _command(commands: Any, name: str, function: Any, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("directory", type=Path, metavar="DIR", help="the agent's folder")
    parser.set_defaults(command=function)
    return parser


def _check(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.settings.load import load
    from edge_agent.settings.preview import check_report

    try:
        config = load(arguments.directory)
        from edge_agent.detect.kernels.jit import description as detectors

        for line in check_report(config):
            print(line)
        print(f"detectors: {detectors()}")
    except ConfigError as error:
        return _refuse(error, "nothing was changed")
    print("configuration is good")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    import structlog

    from contract.errors import ConfigError, StoreError
    from edge_agent.settings.load import load

    _configure_logging()
    try:
        config = load(arguments.directory)
        structlog.get_logger().info("agent_starting", agent=config.name, directory=str(arguments.directory))
        from edge_agent.app import Agent  # takes its time, so only after the first word
        from edge_agent.outbox.ledger import Ledger
        from edge_agent.station.machine import RealClock

        ledger = Ledger(arguments.ledger) if arguments.ledger else None

        async def live() -> None:
            await Agent(config, RealClock(), ledger).run()

        asyncio.run(live())
    except ConfigError as error:
        return _refuse(error, "nothing was started")
    except (StoreError, OSError) as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _keygen(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from contract.keys import format_public, format_secret, generate
    from edge_agent.settings.load import read_identity

    try:
        identity = read_identity(arguments.directory)
    except ConfigError as error:
        return _refuse(error)
    secret, public = identity.key_file, identity.key_file.with_suffix(".pub")
    if secret.exists() and not arguments.replace:
        print(f"edge-agent: {secret} exists; --replace makes new keys and the old ones are gone", file=sys.stderr)
        return EXIT_FAILED
    keys = generate(identity.name)
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.unlink(missing_ok=True)
    descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(format_secret(keys))
    public.write_text(format_public(keys.public), encoding="ascii")
    print(f"made {secret} (secret, stays here) and {public}")
    print(f"at the aggregator: aggregator agents add {identity.name} {public.name} --dir AGGREGATOR_DIR")
    return 0


def _opcua_certificate(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from drivers.opcua.certificates import make, thumbprint, write_identity
    from edge_agent.settings.load import read_identity

    try:
        identity = read_identity(arguments.directory)
    except ConfigError as error:
        return _refuse(error)
    key, certificate = (arguments.directory / "keys" / name for name in ("opcua.key", "opcua.der"))
    if key.exists() and not arguments.replace:
        print(f"edge-agent: {key} exists; --replace makes new files, which every server must trust", file=sys.stderr)
        return EXIT_FAILED
    try:
        own = make(identity.name, arguments.host or [socket.gethostname()], datetime.now(UTC))
        write_identity(own, key, certificate)
    except (ValueError, OSError) as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return EXIT_FAILED
    print(f"made {key} (secret, stays here) and {certificate}")
    print(f"let each server trust {certificate.name}: application {own.uri}, thumbprint {thumbprint(own.certificate)}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.settings.load import read_outbox_directory
    from edge_agent.station.control import ControlError, ask
    from edge_agent.station.status import read_status

    try:
        outbox = read_outbox_directory(arguments.directory)
        try:
            status: dict[str, Any] | None = ask(outbox, {"ask": "status"}, STATUS_TIMEOUT_S)
        except ControlError:  # it does not run, or has no socket: its file says what it said last
            status = read_status(outbox)
    except ConfigError as error:
        return _refuse(error)
    except ValueError as error:
        print(f"edge-agent: the status file is damaged: {error}", file=sys.stderr)
        return EXIT_FAILED
    if status is None:
        print("edge-agent: this agent has never run", file=sys.stderr)
        return EXIT_FAILED
    render = _render_start if "starting_pid" in status else _render
    print(json.dumps(status, ensure_ascii=False) if arguments.json else render(status))
    return 0 if status["running"] else EXIT_FAILED


def _reload(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.settings.load import read_outbox_directory
    from edge_agent.station.control import ControlError, ask

    try:
        answer = ask(read_outbox_directory(arguments.directory), {"ask": "reload"}, folder=arguments.directory)
    except ConfigError as error:
        return _refuse(error)
    except ControlError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print(
            "stopped waiting; the agent may take the folder on all the same: its log says, or a second reload",
            file=sys.stderr,
        )
        return EXIT_FAILED
    for fault in (faults := answer.get("faults", [])):
        print(fault, file=sys.stderr)
    if faults:
        print(f"{_errors(len(faults))}; the agent goes on with what it had", file=sys.stderr)
        return EXIT_CONFIG
    print(answer["outcome"])
    for line in answer.get("points", []):
        print(f"  {line}")
    return 0


def _render_start(status: dict[str, Any]) -> str:
    age_s = (time.time_ns() - status["written_wall_ns"]) / 1e9
    if status["starting"]:
        return f"{status['agent']}: starting (pid {status['starting_pid']}, for {age_s:.0f} s)"
    return f"{status['agent']}: not running; its last start did not come to its end"


def _render(status: dict[str, Any]) -> str:
    age_s = (time.time_ns() - status["written_wall_ns"]) / 1e9
    running = f"running (pid {status['pid']}, {age_s:.0f} s ago)" if status["running"] else "not running"
    numbers = f"events up to {status['events_seq']}, telemetry up to {status['telemetry_seq']}"
    lines = [
        f"{status['agent']}: {running}, {status['software']}, detectors {status['kernel']}",
        f"{status['points']} points, {status['samples']} samples, {numbers}",
        f"storage {status['storage_bytes'] / 2**20:.1f} MiB",
    ]
    if (state := status.get("detector_state", "")).startswith("fresh:") and not state.endswith("none was kept"):
        lines.append(f"delays began anew at the start, {state}")
    if status.get("disk_fault"):
        lines.append(f"STORAGE IN MEMORY, lost at a power cut: {status['disk_fault']}. Mend the disk, then restart")
    for lane, health in status["storage"].items():
        if health["failing"] or health["dropped"]:
            lines.append(f"STORAGE of {lane}: {health['failing']}; {health['waiting']} wait, {health['dropped']} lost")
    if not status["clock"]["synchronised"]:
        lines.append("clock is not synchronised")
    for device in status["devices"]:
        trouble = f", last failure: {device['last_failure']}" if device["last_failure"] else ""
        counts = f"{device['requests']} requests, {device['failures']} failures"
        lines.append(f"device {device['device']}: {device['state']}, {counts}{trouble}")
        if device["slowed"]:
            lines.append(f"  SLOWED: {device['slowed']}")
        lines.extend(f"  {each}" for each in device["refused"])
    for each in status["destinations"]:
        queued = status["events_seq"] - each["acked_events"]
        refusal = f"; {each['refusal']}" if each["refusal"] else ""
        lines.append(f"destination {each['name']} ({each['endpoint']}): {each['phase']}, {queued} events owed{refusal}")
    lines += [
        f"condition {each['tag']} {each['kind']} level {each['level']} ({each['class']})"
        for each in status["conditions"]
    ]
    return "\n".join(lines)


def _refuse(error: Any, consequence: str = "nothing was done") -> int:
    for fault in error.faults:
        print(fault, file=sys.stderr)
    print(f"{_errors(len(error.faults))}; {consequence}", file=sys.stderr)
    return EXIT_CONFIG


def _errors(count: int) -> str:
    return f"{count} {'error' if count == 1 else 'errors'}"


def _configure_logging() -> None:
    import structlog

    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
