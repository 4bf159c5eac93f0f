"""The composition root: what each process of an aggregator is made of.

``supervise`` starts this program again as ``ingest`` (socket → journal, the only writer) and as ``web`` (reads and
shows). The real clock is made here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Final

import sqlalchemy as sa
import structlog

from aggregator.agents.allowlist import AllowList
from aggregator.alarms import commands as alarm_commands
from aggregator.alarms.book import Book
from aggregator.alarms.queries import load_alarms
from aggregator.commands.channel import CommandClient
from aggregator.commands.desk import Actor, Desk
from aggregator.commands.messages import Command, decode_answer, encode_command
from aggregator.commands.refusal import RefusedError
from aggregator.folder import Folder, ingest_lock, make_private, migrate, write_private
from aggregator.ingest.link import Link
from aggregator.ingest.receiver import Parts, Receiver
from aggregator.journal import changeset
from aggregator.journal.changeset import Changeset
from aggregator.journal.log import Journal
from aggregator.journal.witness import HeadWitness
from aggregator.ledger import Ledger
from aggregator.live.board import LiveBoard
from aggregator.people import commands as people_commands
from aggregator.people.queries import load_person
from aggregator.settings import Settings
from aggregator.store import db
from aggregator.supervise import READY, Child, Supervisor
from contract.clock import NS_PER_S, Clock
from contract.errors import ConfigError
from contract.events import Json

INGEST_CHAIN: Final = "ingest"
STDIN: Final = 0


class RealClock:
    """The machine's clocks."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - time.monotonic_ns()) / NS_PER_S)


def software() -> str:
    try:
        return f"parksentry {version('parksentry')}"
    except PackageNotFoundError:
        return "parksentry (not installed)"


def configure_logs() -> None:
    """Console in a terminal, JSON lines otherwise; on standard error, since standard output is data."""
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def run(folder: Folder, ledger: Path | None, say: Callable[[str], None]) -> bool:
    """Supervise both processes until SIGTERM or SIGINT; False where they cannot run. Raises ConfigError."""
    _be_private(folder)
    folder.settings()
    folder.secret_keys()
    program = [sys.executable, "-m", "aggregator.cli"]
    witness = [] if ledger is None else ["--ledger", str(ledger)]
    children = [
        Child("ingest", [*program, "ingest", str(folder.path), *witness]),
        Child("web", [*program, "web", str(folder.path)]),
    ]
    return asyncio.run(Supervisor(children, RealClock(), say).run())


def run_ingest(folder: Folder, ledger: Path | None, say: Callable[[str], None]) -> None:
    """The ingest process: until SIGTERM, SIGINT or the supervisor's end. Raises ParkSentryError."""
    _be_private(folder)
    stopping = _on_signals()
    settings, keys, clock = folder.settings(), folder.secret_keys(), RealClock()
    with ExitStack() as stack:
        stack.enter_context(ingest_lock(folder))
        migrate(folder)
        engine = db.open_writer(folder.database)
        stack.callback(engine.dispose)
        connection = stack.enter_context(engine.connect())
        link, board = Link(keys), LiveBoard(folder.live_database)
        stack.callback(link.close)
        stack.callback(board.close)
        witness = None if ledger is None else Ledger(ledger)
        if witness is not None:
            stack.callback(witness.close)
        allow_list = AllowList(folder.agents_file, _log_fault)
        journal, head = Journal(settings.name, INGEST_CHAIN), HeadWitness(folder.head_file)
        stack.callback(head.close)
        book = load_book(connection, settings)
        desk = make_desk(connection, book, clock)
        receiver = Receiver(
            Parts(settings.name, link, allow_list, connection, journal, keys, board, clock, head, desk, book, witness)
        )  # fmt: skip
        link.watch(STDIN)
        endpoint = link.bind(settings.listen)
        write_private(folder.command_file, link.bind_commands())
        receiver.start(software(), endpoint)
        gc.freeze()  # what start-up made stays: searching it for garbage again and again would delay commits
        say(f"{READY} {endpoint}")
        receiver.run(stopping, STDIN)
        receiver.stop()


def load_book(connection: sa.Connection, settings: Settings) -> Book:
    """Every alarm, as it was when the writer before this one ended."""
    with connection.begin():
        return Book(load_alarms(connection), settings.alarms.rules)


def make_desk(connection: sa.Connection, book: Book, clock: Clock) -> Desk:
    """Every verb there is, with the slice that decides about it; ``connection`` is the writer's own."""

    def resolve(session: str, wall_ns: int) -> Actor:
        with connection.begin():
            return load_person(connection, session, wall_ns)

    handlers = {**people_commands.handlers(connection), **alarm_commands.handlers(book)}
    return Desk(handlers, people_commands.CONSOLE_VERBS, resolve, clock.mono_ns)


def ask(folder: Folder, command: Command) -> dict[str, Json]:
    """Have a command carried out: by the aggregator that runs on the folder, or where none runs, here.

    Raises RefusedError, UnavailableError, ConfigError, StoreError.
    """
    _be_private(folder)
    try:
        with ingest_lock(folder, timeout_s=0):
            return _carry_out(folder, command)
    except ConfigError:
        with closing(CommandClient(folder)) as client:
            return client.send(command)


def _carry_out(folder: Folder, command: Command) -> dict[str, Json]:
    """The lock is held."""
    migrate(folder)
    engine = db.open_writer(folder.database)
    journal = Journal(folder.settings().name, INGEST_CHAIN)
    try:
        with engine.connect() as connection:
            desk = make_desk(connection, load_book(connection, folder.settings()), RealClock())
            changes, answer = desk.serve(lambda: Changeset(time.time_ns()), encode_command(1, command))
            if changes.is_to_be_written():
                with db.writing(connection):
                    changeset.write(connection, changes, journal)
    finally:
        engine.dispose()
    _, result = decode_answer(answer)
    if isinstance(result, RefusedError):
        raise result
    return result


def run_web(folder: Folder, say: Callable[[str], None]) -> None:
    """The web process: until SIGTERM, SIGINT or the supervisor's end. Raises ConfigError."""
    from aggregator.web import serve

    _be_private(folder)
    serve(folder, RealClock(), lambda address: say(f"{READY} {address}"))


def _be_private(folder: Folder) -> None:
    """Whatever this process makes is its owner's alone, and so is what was made before that was seen to."""
    os.umask(0o077)
    if folder.settings_file.exists():  # else it is no aggregator's folder, and not ours to change
        changed = make_private(folder)
        if changed:
            structlog.get_logger().warning("folder_was_open_to_others", closed=changed)


def _on_signals() -> Callable[[], bool]:
    """SIGTERM and SIGINT make the returned function true; a turn of the loop notices."""
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return lambda: bool(seen)


def _log_fault(error: ConfigError) -> None:
    structlog.get_logger().error("agents_file_unreadable", error=str(error), pid=os.getpid())
