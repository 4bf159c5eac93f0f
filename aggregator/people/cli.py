"""``aggregator users`` and ``aggregator sessions``: what is typed about people on the machine itself.

A running aggregator is asked to do it; where none runs it is done here, by the same handlers. A password is never on the
command line, where other users of the machine could read it.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from contract.clock import NS_PER_S
from contract.errors import ConfigError, Fault

if TYPE_CHECKING:
    from aggregator.commands.refusal import RefusedError
    from aggregator.folder import Folder
    from contract.events import Json

PASSWORD_LENGTH_READ_MAX: Final = 1024
Ask: TypeAlias = "Callable[[Folder, str, dict[str, Json]], dict[str, Json]]"


@dataclass(frozen=True, slots=True)
class Console:
    """What the command line lends to its parts."""

    add: Callable[[Any, str, Any, str, str], argparse.ArgumentParser]
    """A command: where, name, function, about, example. It has ``--dir``."""
    folder: Callable[[Path], Folder]
    """Raises ConfigError where there is no aggregator."""
    ask: Ask
    """Has a verb carried out. Raises RefusedError, UnavailableError, ConfigError, StoreError."""


def add_commands(commands: Any, console: Console) -> None:
    users = commands.add_parser("users", help="people: add, list, change", description="Who may sign in.")
    _add_users(users.add_subparsers(required=True, metavar="ACTION"), console)
    sessions = commands.add_parser("sessions", help="who is signed in: list, revoke", description="Who is signed in.")
    _add_sessions(sessions.add_subparsers(required=True, metavar="ACTION"), console)


def _add_users(actions: Any, console: Console) -> None:
    add = console.add(
        actions, "add", _with(console, _users_add), "let somebody sign in",
        "example:\n  aggregator users add li --role operator --org acme --dir /var/lib/parksentry\n\n"
        "Asks for the password twice; without a terminal it is read from standard input. At least 10 characters.\n"
        "Roles: viewer (sees), operator (handles alarms), engineer (also takes them out of service), administrator\n"
        "(people and journal, no alarms), regulator (sees, reads the journal with names).",
    )  # fmt: skip
    add.add_argument("name", metavar="NAME")
    add.add_argument(
        "--role", required=True, metavar="ROLE", help="viewer, operator, engineer, administrator, regulator"
    )
    _add_org(add)
    _add_password_file(add)
    listing = console.add(
        actions, "list", _with(console, _users_list), "show who may sign in",
        "example:\n  aggregator users list --json --dir /var/lib/parksentry",
    )  # fmt: skip
    listing.add_argument("--json", action="store_true", help="for programs")
    change = console.add(
        actions, "change", _with(console, _users_change), "change role, scope or password, disable or enable",
        "examples:\n  aggregator users change li --disable --dir /var/lib/parksentry\n"
        "  aggregator users change li --password        asks for a new one\n\nWhoever is changed is signed out at once.",
    )  # fmt: skip
    change.add_argument("name", metavar="NAME")
    change.add_argument("--role", metavar="ROLE")
    _add_org(change)
    state = change.add_mutually_exclusive_group()
    state.add_argument("--disable", dest="disabled", action="store_true", default=None, help="may not sign in any more")
    state.add_argument("--enable", dest="disabled", action="store_false", default=None)
    change.add_argument("--password", action="store_true", help="ask for a new password")
    _add_password_file(change)


def _add_sessions(actions: Any, console: Console) -> None:
    listing = console.add(
        actions, "list", _with(console, _sessions_list), "show who is signed in, where and since when",
        "example:\n  aggregator sessions list --json --dir /var/lib/parksentry",
    )  # fmt: skip
    listing.add_argument("--json", action="store_true", help="for programs")
    revoke = console.add(
        actions, "revoke", _with(console, _sessions_revoke), "sign somebody out everywhere, at once",
        "example:\n  aggregator sessions revoke li --dir /var/lib/parksentry\n\n"
        "He may sign in again; `users change NAME --disable` bars him.",
    )  # fmt: skip
    revoke.add_argument("name", metavar="NAME")


def _add_org(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--org", metavar="PATH", help='what he is concerned with, such as acme/tank ("": the whole park)'
    )


def _add_password_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line is the password")


# --- commands ---------------------------------------------------------------------------------------------------------


def _users_add(arguments: argparse.Namespace, folder: Folder, ask: Ask) -> int:
    password_hash = _hash_new(arguments)
    scope = arguments.org or ""
    args: dict[str, Json] = {
        "name": arguments.name, "role": arguments.role, "scope": scope, "password_hash": password_hash,
    }  # fmt: skip
    ask(folder, "user_add", args)
    print(f"{arguments.name} may sign in as {arguments.role} of {scope or 'the whole park'}")
    return 0


def _users_change(arguments: argparse.Namespace, folder: Folder, ask: Ask) -> int:
    given = {"role": arguments.role, "scope": arguments.org, "disabled": arguments.disabled}
    args: dict[str, Json] = {"name": arguments.name} | {
        name: value for name, value in given.items() if value is not None
    }
    if arguments.password or arguments.password_file is not None:
        args["password_hash"] = _hash_new(arguments)
    if len(args) == 1:
        raise _fault("users change", "nothing to change", "Give --role, --org, --disable, --enable or --password")
    ended = ask(folder, "user_change", args)["sessions"]
    print(f"{arguments.name} is changed; {ended} session(s) ended")
    return 0


def _users_list(arguments: argparse.Namespace, folder: Folder, _ask: Ask) -> int:
    from aggregator.people.queries import load_users
    from aggregator.store import db

    with db.open_reader(folder.database).begin() as connection:
        users = load_users(connection)
    if arguments.json:
        print(json.dumps([
            {"name": user.name, "role": user.role.value, "scope": user.scope, "disabled": user.disabled,
             "added_ns": user.added_ns}
            for user in users
        ], ensure_ascii=False))  # fmt: skip
        return 0
    for user in users:
        state = "disabled" if user.disabled else f"added {_date(user.added_ns)}"
        print(f"{user.name:24} {user.role:14} {user.scope or 'whole park':24} {state}")
    if not users:
        print("nobody may sign in; add somebody with `aggregator users add NAME --role ROLE`", file=sys.stderr)
    return 0


def _sessions_list(arguments: argparse.Namespace, folder: Folder, _ask: Ask) -> int:
    import time

    from aggregator.people.queries import load_sessions
    from aggregator.store import db

    with db.open_reader(folder.database).begin() as connection:
        sessions = load_sessions(connection, None, time.time_ns())
    if arguments.json:
        print(json.dumps([
            {"user": each.user, "station": each.station, "begun_ns": each.begun_ns, "ends_ns": each.ends_ns}
            for each in sessions
        ], ensure_ascii=False))  # fmt: skip
        return 0
    for each in sessions:
        print(f"{each.user:24} {each.station:24} since {_date(each.begun_ns)}, until {_date(each.ends_ns)}")
    if not sessions:
        print("nobody is signed in", file=sys.stderr)
    return 0


def _sessions_revoke(arguments: argparse.Namespace, folder: Folder, ask: Ask) -> int:
    ended = ask(folder, "sessions_revoke", {"name": arguments.name})["sessions"]
    print(f"{ended} session(s) of {arguments.name} ended")
    return 0


# --- what they share --------------------------------------------------------------------------------------------------


def _with(console: Console, command: Callable[[argparse.Namespace, Folder, Ask], int]) -> Any:
    """The command with what it needs. A refusal becomes a ConfigError."""

    def run(arguments: argparse.Namespace) -> int:
        from aggregator.commands.refusal import RefusedError

        try:
            return command(arguments, console.folder(arguments.dir), console.ask)
        except RefusedError as error:
            raise _told(error, arguments.name) from error

    return run


def _told(error: RefusedError, name: str) -> ConfigError:
    from aggregator.commands.refusal import RefusalCode

    if error.code is RefusalCode.UNKNOWN:
        return _fault(name, "there is no such user", "See `aggregator users list`")
    field, message = error.params.get("field", error.code.value), error.params.get("message", str(error))
    return _fault(str(field), str(message), "Mend it and try again; nothing was changed")


def _hash_new(arguments: argparse.Namespace) -> str:
    """Raises RefusedError where the password is not one."""
    from aggregator.people.passwords import hash_new

    return hash_new(arguments.name, _password(arguments.password_file))


def _password(file: Path | None) -> str:
    """From the file, standard input where that is no terminal, else typed twice. Raises ConfigError."""
    if file is not None:
        try:
            with file.open(encoding="utf-8") as opened:
                return opened.read(PASSWORD_LENGTH_READ_MAX).partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise _fault(str(file), f"cannot be read: {error}", "Give a text file with the password") from error
    if not sys.stdin.isatty():
        return sys.stdin.readline(PASSWORD_LENGTH_READ_MAX).rstrip("\r\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise _fault("password", "the two differ", "Try again")
    return password


def _date(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fault(what: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Fault(what, None, None, message, remedy)])
