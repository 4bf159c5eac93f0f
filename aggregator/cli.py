"""``aggregator``: what a person types in the control room.

Exit status: 0 done, 1 it failed (``verify``: a chain is broken), 2 the command line or the configuration is wrong, 3
starting again would not help (for the supervisor).
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aggregator.people import cli as people
from aggregator.plant import cli as plant
from contract.clock import NS_PER_S
from contract.errors import ConfigError, FrameError, LinkError, ParkSentryError

if TYPE_CHECKING:
    from aggregator.agents.allowlist import Admission
    from aggregator.folder import Folder
    from contract.events import Json

MISSING_EXTRA: Final = "aggregator needs more packages ({name} is missing). Install them: pip install '{extra}'"
EXTRA: Final = "parksentry[aggregator]"
EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2

DESCRIPTION: Final = """\
Takes in what edge agents send, commits it into a chained journal before it acknowledges, and shows it. It supplements a
plant's safety systems and the gas alarm system of GB/T 50493, and replaces none of them.
"""

EPILOG: Final = """\
from nothing to a running control room:
  aggregator init /var/lib/parksentry            settings, keys, database; agents need keys/aggregator.pub
  aggregator agents add site-a agent.pub --dir /var/lib/parksentry
                                                 let the owner of these keys in, under this name
  aggregator users add li --role operator --dir /var/lib/parksentry
                                                 let li sign in; asks for the password
  aggregator register set register.toml --dir /var/lib/parksentry
                                                 the hazard sources and the map
  aggregator run /var/lib/parksentry             until Ctrl-C or SIGTERM
  aggregator journal --follow --dir /var/lib/parksentry
                                                 everything that happens, as JSON lines
  aggregator verify /var/lib/parksentry          is every chain whole?
"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of the console script."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"contract", "aggregator"}:
            raise
        print(MISSING_EXTRA.format(name=error.name, extra=EXTRA), file=sys.stderr)
        return EXIT_FAILED
    except ParkSentryError as error:
        print(f"aggregator: {error}", file=sys.stderr)
        return EXIT_CONFIG if isinstance(error, ConfigError | FrameError) else EXIT_FAILED
    except Exception as error:
        cause = getattr(error, "orig", None)  # SQLAlchemy, which may not be installed, wraps what SQLite said
        if not isinstance(cause, sqlite3.DatabaseError):
            raise
        print(
            f"aggregator: the database cannot be used: {cause}. Stop the aggregator, restore a backup", file=sys.stderr
        )
        return EXIT_FAILED
    except BrokenPipeError:
        # Who read our lines has gone, as `head` does; nothing is wrong, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_FAILED


# --- commands ---------------------------------------------------------------------------------------------------------


def _init(arguments: argparse.Namespace) -> int:
    from aggregator import folder, settings

    listen = arguments.listen or settings.LISTEN_DEFAULT
    made = folder.make(arguments.folder, arguments.name, listen, arguments.web or settings.WEB_DEFAULT)
    print(f"made {made.path}: aggregator {arguments.name}, agents connect to {listen}")
    print(f"hand {made.public_file} to the agents; keep {made.secret_file} on this machine")
    print(f"next: let somebody sign in with `aggregator users add NAME --role ROLE --dir {made.path}`")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from aggregator import app

    folder = _existing(arguments.folder)
    app.configure_logs()
    return 0 if app.run(folder, arguments.ledger, _say) else EXIT_FAILED


def _ingest(arguments: argparse.Namespace) -> int:
    from aggregator import app
    from aggregator.supervise import EXIT_HOPELESS

    try:
        folder = _existing(arguments.folder)
        app.configure_logs()
        app.run_ingest(folder, arguments.ledger, _say)
    except (ConfigError, LinkError) as error:
        print(f"aggregator: {error}", file=sys.stderr)
        return EXIT_HOPELESS
    return 0


def _web(arguments: argparse.Namespace) -> int:
    from aggregator import app

    folder = _existing(arguments.folder)
    app.configure_logs()
    app.run_web(folder, _say)
    return 0


def _agents_add(arguments: argparse.Namespace) -> int:
    from aggregator.agents import allowlist
    from contract.ids import is_name
    from contract.keys import parse_public

    if not is_name(arguments.name):
        raise _usage("NAME", "must be a letter or digit, then up to 63 letters, digits, _ . -", "Choose another name")
    try:
        text = arguments.keyfile.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _usage(str(arguments.keyfile), f"cannot be read: {error}", "Give the agent's .pub file") from error
    keys = parse_public(text, str(arguments.keyfile))
    allowlist.add(_existing(arguments.dir).agents_file, arguments.name, keys, time.time_ns())
    print(f"{arguments.name} may connect with key {keys.curve_public.hex()[:16]}…")
    return 0


def _agents_list(arguments: argparse.Namespace) -> int:
    from aggregator.agents import allowlist

    entries = allowlist.read(_existing(arguments.dir).agents_file)
    if arguments.json:
        from dataclasses import asdict

        print(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False))
        return 0
    for entry in entries:
        print(f"{entry.name:24} {entry.curve_public[:16]}…  {_admission(entry)}")
    if not entries:
        print("no agent is admitted; add one with `aggregator agents add NAME KEYFILE`", file=sys.stderr)
    return 0


def _agents_revoke(arguments: argparse.Namespace) -> int:
    from aggregator.agents import allowlist

    allowlist.revoke(_existing(arguments.dir).agents_file, arguments.name, arguments.reason, time.time_ns())
    print(f"{arguments.name} is revoked; a running aggregator has ended its session")
    return 0


def _journal(arguments: argparse.Namespace) -> int:
    from itertools import islice

    from aggregator.journal import followers
    from aggregator.journal.cursor import Cursor
    from aggregator.journal.lines import record_line
    from aggregator.store import db

    after = Cursor.decode(arguments.after) if arguments.after else Cursor()
    engine = db.open_reader(_existing(arguments.dir).database)

    def pause() -> None:
        sys.stdout.flush()
        if not arguments.follow:
            raise _EndOfJournalError
        time.sleep(followers.POLL_S)

    try:
        for followed in islice(followers.follow(engine, after, pause), arguments.limit):
            print(record_line(followed))
    except _EndOfJournalError:
        return 0
    sys.stdout.flush()
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from aggregator.agents.queries import load_algorithms
    from aggregator.journal.verify import verify_events, verify_journal
    from aggregator.store import db

    folder = _existing(arguments.dir)
    breaks = 0
    with db.open_reader(folder.database).begin() as connection:
        walks = [verify_journal(connection, folder.public_keys())]
        walks.append(verify_events(connection, load_algorithms(connection)))
        for walked in (each for walk in walks for each in walk):
            breaks += walked.broken is not None
            print(walked.broken or f"{walked.chain}: {walked.records} whole")
    return EXIT_FAILED if breaks else 0


# --- what they share --------------------------------------------------------------------------------------------------


class _EndOfJournalError(Exception):
    """Everything that was there has been printed."""


def _say(text: str) -> None:
    print(text, flush=True)


def _admission(entry: Admission) -> str:
    if entry.revoked_ns is not None:
        return f"revoked {_date(entry.revoked_ns)} {entry.revoked_reason or ''}".rstrip()
    return f"admitted {_date(entry.added_ns)}"


def _date(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _existing(path: Path) -> Folder:
    """Raises ConfigError where there is no aggregator."""
    from aggregator.folder import Folder

    if not (path / "aggregator.toml").exists():
        raise _usage(str(path), "holds no aggregator", "Make one with `aggregator init DIR`, or give its --dir")
    return Folder(path)


def _ask(folder: Folder, verb: str, args: dict[str, Json]) -> dict[str, Json]:
    from aggregator.app import ask
    from aggregator.commands.messages import Command

    return ask(folder, Command(verb, args, station="console"))


def _usage(what: str, message: str, remedy: str) -> ConfigError:
    from contract.errors import Fault

    return ConfigError([Fault(what, None, None, message, remedy)])


# --- the command line -------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "aggregator", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_init(commands)
    _add_run(commands)
    _add_agents(commands)
    console = people.Console(_folder_command, _existing, _ask)
    people.add_commands(commands, console)
    plant.add_commands(commands, console)
    _add_journal(commands)
    return parser


def _command(commands: Any, name: str, command: Any, about: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=about[:1].upper() + about[1:] + ".", epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=command)
    return parser


def _folder_command(commands: Any, name: str, command: Any, about: str, example: str) -> argparse.ArgumentParser:
    parser = _command(commands, name, command, about, example)
    _add_dir(parser)
    return parser


def _add_init(commands: Any) -> None:
    init = _command(
        commands, "init", _init, "make an aggregator's folder: settings, keys, database",
        "example:\n  aggregator init /var/lib/parksentry --listen tcp://*:7440 --name park-west\n\n"
        "A folder that holds an aggregator already is left as it is.",
    )  # fmt: skip
    init.add_argument("folder", type=Path, metavar="DIR", help="the folder; made where it is missing")
    init.add_argument("--listen", help="where agents connect (default tcp://127.0.0.1:7440)")
    init.add_argument("--web", help="where pages and API are served (default 127.0.0.1:8440)")
    init.add_argument("--name", default="park", metavar="ID", help="its name, for ever (default park)")


def _add_run(commands: Any) -> None:
    run = _command(
        commands, "run", _run, "take in data and serve the page, until Ctrl-C or SIGTERM",
        "example:\n  aggregator run /var/lib/parksentry\n\nTwo processes do the work; one that dies is started again.",
    )  # fmt: skip
    run.add_argument("folder", type=Path, metavar="DIR")
    run.add_argument("--ledger", type=Path, metavar="FILE", help="a witness for tests: one JSON line per committed row")
    # What `run` starts; not for people, so without a line in the list of commands.
    for name, command in (("ingest", _ingest), ("web", _web)):
        hidden = commands.add_parser(name)
        hidden.set_defaults(command=command)
        hidden.add_argument("folder", type=Path)
        hidden.add_argument("--ledger", type=Path)


def _add_agents(commands: Any) -> None:
    agents = commands.add_parser("agents", help="who may connect: add, list, revoke", description="Who may connect.")
    actions = agents.add_subparsers(required=True, metavar="ACTION")
    add = _command(
        actions, "add", _agents_add, "admit the owner of a public key file under a name",
        "example:\n  aggregator agents add site-a /media/usb/agent.pub --dir /var/lib/parksentry\n\n"
        "The name must be the one in the agent's agent.toml. Takes effect at once, also while the aggregator runs.",
    )  # fmt: skip
    add.add_argument("name", metavar="NAME")
    add.add_argument("keyfile", type=Path, metavar="KEYFILE", help="keys/agent.pub, from `edge-agent keygen`")
    listing = _command(
        actions, "list", _agents_list, "show who may connect and who was revoked",
        "example:\n  aggregator agents list --json --dir /var/lib/parksentry",
    )  # fmt: skip
    listing.add_argument("--json", action="store_true", help="for programs")
    revoke = _command(
        actions, "revoke", _agents_revoke, "bar an agent for ever, on a live connection too",
        "example:\n  aggregator agents revoke site-a --reason 'gateway stolen' --dir /var/lib/parksentry",
    )  # fmt: skip
    revoke.add_argument("name", metavar="NAME")
    revoke.add_argument("--reason", default="", metavar="TEXT", help="goes on record")
    for action in (add, listing, revoke):
        _add_dir(action)


def _add_journal(commands: Any) -> None:
    journal = _command(
        commands, "journal", _journal, "print the journal as JSON lines, or `journal verify` it",
        "examples:\n  aggregator journal --dir /var/lib/parksentry                  all of it\n"
        "  aggregator journal --after CURSOR --follow                    go on where a line's cursor says, for ever\n"
        "  aggregator journal verify --dir /var/lib/parksentry           walk every chain",
    )  # fmt: skip
    journal.add_argument("--after", metavar="CURSOR", help="the cursor of the last line that was read")
    journal.add_argument("--follow", action="store_true", help="wait for more, until Ctrl-C")
    journal.add_argument("--limit", type=_count, metavar="N", help="stop after so many lines")
    _add_dir(journal)
    verifying = journal.add_subparsers(metavar="[verify]")
    about = "walk the journal's chains and those of the agents' events; exit status 1 names each first break"
    _add_dir(_command(verifying, "verify", _verify, about, ""), default=argparse.SUPPRESS)
    verify = _command(commands, "verify", _verify, about, "example:\n  aggregator verify /var/lib/parksentry")
    verify.add_argument("dir", type=Path, metavar="DIR")


def _add_dir(parser: argparse.ArgumentParser, default: Any = None) -> None:
    default = default or Path(os.environ.get("PARKSENTRY_DIR", "."))
    parser.add_argument(
        "--dir", type=Path, default=default, help="the aggregator's folder (default $PARKSENTRY_DIR, else here)"
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
