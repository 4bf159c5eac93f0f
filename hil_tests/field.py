"""A whole small park: played devices, agents and an aggregator, each a process of its own, on real sockets.

Makes the folders that a person would make, starts the programs through their command lines, kills them by pid, and
waits for what must follow. Everything lies in one folder that the caller gives; everything started ends with ``stop``.
``Testbed`` adds what demo and scenarios need: people, the register of the park, the journal as it grows.
What is read back comes from the programs' own files (ledgers, databases opened read-only, status), never from their
memory.
"""

from __future__ import annotations

import csv
import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import numpy as np
import psutil

from aggregator.app import ask
from aggregator.commands.messages import Command
from aggregator.folder import Folder
from aggregator.people.passwords import hash_new
from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.events import Json
from contract.ids import Lane
from contract.keys import format_public, format_secret, generate
from contract.points import Catalogue
from contract.wire.chunk import decode_chunk, fill_values
from contract.wire.codec import decode
from contract.wire.frames import CatalogueFrame
from edge_agent.settings.io_list import COLUMNS
from edge_agent.station.control import ControlError
from edge_agent.station.control import ask as ask_agent
from hil_tests.agent_folder import agent_name, copy_for_run, toml_text
from hil_tests.audit import Audit, audit
from hil_tests.compare import Committed, parse_ledger
from hil_tests.processes import Program, run_to_end, tail
from hil_tests.rig.ports import reserve
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import Site, parse_site

ORGANISATION: Final = "demo-chem"
HOST: Final = "127.0.0.1"
READY_TIMEOUT_S: Final = 60.0
PAUSE_S: Final = 0.01
AGENT_DATA: Final = "data"
T = TypeVar("T")

PointRow = Mapping[str, object]
"""One row of points.csv by column; what is left out stays empty."""


def one_device(name: str, registers: Sequence[Mapping[str, object]], **settings: object) -> Site:
    """A site with one device; ``registers`` as in site.toml, holding uint16 at consecutive addresses unless they say
    otherwise (numbers of two words leave the address after them free)."""
    filled = [
        {"table": "holding", "address": 2 * position, "type": "uint16", **register}
        for position, register in enumerate(registers)
    ]
    return parse_site(
        {"device": [{"name": name, "unmapped": "zero", "register": filled, **settings}]}, Path("site.toml")
    )


class FieldError(TimeoutError):
    """Something that had to happen did not happen in time."""


def wait_for(
    question: Callable[[], T | None], what: str, timeout_s: float = READY_TIMEOUT_S, *, of: Sequence[Program] = ()
) -> T:
    """Ask until the answer is true; returns it. ``of`` are the programs that it depends on.

    Raises FieldError, with what they wrote last, and ProgramError as soon as one of them has ended."""
    until_ns = time.monotonic_ns() + round(timeout_s * NS_PER_S)
    while True:
        for program in of:
            program.require_running()
        if answer := question():
            return answer
        if time.monotonic_ns() > until_ns:
            wrote = "".join(f"\n{each.name} wrote:\n{tail(each.written())}" for each in of)
            raise FieldError(f"{what}: not within {timeout_s:g} s{wrote}")
        time.sleep(PAUSE_S)


class Tail:
    """Follows a growing ledger and knows the last number of each lane; reads only what is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.heads: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self.lines = 0

    def read(self) -> Self:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._offset)
                *lines, unfinished = file.read().split(b"\n")
                # Read again next time: the rest of it may come, or a kill cut it off and it will be taken away.
                self._offset = file.tell() - len(unfinished)
            for line in lines:
                entry = json.loads(line)
                self.heads[Lane(entry["lane"])] = entry["seq"]
            self.lines += len(lines)
        return self


class FieldAgent:
    """One agent's folder and its process. Without ``witness`` it keeps no ledger, and pays for the sync of none."""

    def __init__(self, folder: Path, name: str, *, witness: bool = True) -> None:
        self.name = name
        self.folder = folder
        self.ledger = _beside(folder, "ledger")
        arguments = ("run", str(folder), *(("--ledger", str(self.ledger)) if witness else ()))
        self.program = Program(name, "edge_agent.cli", arguments, _beside(folder, "log"))

    @property
    def store(self) -> Path:
        return self.folder / AGENT_DATA / "events.db"

    def start(self) -> None:
        self.program.start()

    def committed(self) -> list[Committed]:
        """Every message that it committed, in order."""
        return parse_ledger(self.ledger.read_text(encoding="utf-8"), self.name) if self.ledger.exists() else []

    def status(self) -> dict[str, Any]:
        """What it says of itself now, or said last; empty before the first time."""
        path = self.folder / AGENT_DATA / "status.json"
        try:
            return ask_agent(path.parent, {"ask": "status"})
        except ControlError:  # it does not run yet, or not any more
            return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


class FieldAggregator:
    """The aggregator's folder, its supervisor's process, and what its database holds."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.endpoint = endpoint
        self.ledger = _beside(folder, "ledger")
        arguments = ("run", str(folder), "--ledger", str(self.ledger))
        self.program = Program("aggregator", "aggregator.cli", arguments, _beside(folder, "log"))

    @property
    def database(self) -> Path:
        return self.folder / "aggregator.db"

    def init(self, web: str) -> None:
        self.command("init", str(self.folder), "--listen", self.endpoint, "--web", web)

    def command(self, *words: str) -> str:
        """One of its commands, to the end. Raises ProgramError."""
        return run_to_end("aggregator.cli", *words)

    def admit(self, name: str, public_key: Path) -> None:
        self.command("agents", "add", name, str(public_key), "--dir", str(self.folder))

    def revoke(self, name: str) -> None:
        self.command("agents", "revoke", name, "--dir", str(self.folder))

    def add_user(self, name: str, role: str, password: str, scope: str = "") -> None:
        """As ``aggregator users add`` does, without the second that a process takes to start. Raises RefusedError."""
        args: dict[str, Json] = {"name": name, "role": role, "scope": scope, "password_hash": hash_new(name, password)}
        ask(Folder(self.folder), Command("user_add", args, station="console"))

    def start(self) -> None:
        """Returns when it takes connections."""
        self.program.start()
        place = self.endpoint.removeprefix("tcp://")
        wait_for(lambda: accepts(place), "the aggregator takes connections", of=[self.program])

    def ingest_pid(self) -> int | None:
        """Pid of the process that commits; None while there is none."""
        if not self.program.running:
            return None
        try:
            children = psutil.Process(self.program.pid).children()
            return next((child.pid for child in children if "ingest" in " ".join(child.cmdline())), None)
        except psutil.Error:
            return None

    def rows(self, query: str, *values: object) -> list[Any]:
        """A query on the database as it is committed now, on a connection that can only read."""
        return self._query(self.database, query, values)

    def journal(self, *kinds: str) -> list[dict[str, Any]]:
        """The journal's records in order, all or those of some kinds."""
        rows = self.rows("SELECT open FROM journal ORDER BY chain, journal_epoch, seq")
        records = [json.loads(open_part) for (open_part,) in rows]
        return [record for record in records if not kinds or record["kind"] in kinds]

    def events(self, agent: str | None = None) -> list[dict[str, Any]]:
        """The open parts of the events as they were stored, in order per agent, of all agents or one."""
        rows = self.rows("SELECT agent, open FROM events ORDER BY agent, epoch, seq")
        return [json.loads(open_part) for name, open_part in rows if agent in (None, name)]

    def samples(self, agent: str, tag: str) -> SampleBatch:
        """Every stored sample of a point, decoded from the chunks, in order of their numbers."""
        found = []
        for epoch, chunk in self.rows("SELECT epoch, chunk FROM chunks WHERE agent = ? ORDER BY seq", agent):
            decoded = decode_chunk(chunk)
            catalogue = self._catalogue(agent, epoch, decoded.catalogue_version)
            batch = fill_values(decoded.batch, catalogue)
            found.append(batch.select(np.isin(batch.point, [point.id for point in catalogue if point.tag == tag])))
        return SampleBatch.concat(found)

    def live(self) -> list[tuple[str, int]]:
        """(tag, quality) of each point as the pages would show it now; empty while there is no such table."""
        if not (self.folder / "live.db").exists():
            return []
        try:
            return self._query(self.folder / "live.db", "SELECT tag, quality FROM live_values")
        except sqlite3.OperationalError:  # ingest makes the table anew when it starts
            return []

    def committed(self) -> list[Committed]:
        return parse_ledger(self.ledger.read_text(encoding="utf-8")) if self.ledger.exists() else []

    def _query(self, database: Path, query: str, values: Sequence[object] = ()) -> list[Any]:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10.0)) as db:
            return db.execute(query, values).fetchall()

    def _catalogue(self, agent: str, epoch: str, version: int) -> Catalogue:
        query = "SELECT frame FROM catalogues WHERE agent = ? AND epoch = ? AND version = ?"
        frame = decode(self.rows(query, agent, epoch, version)[0][0])
        assert isinstance(frame, CatalogueFrame)
        return frame.catalogue


def accepts(place: str) -> bool:
    """Whether somebody takes connections at ``HOST:PORT``."""
    host, port = place.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _beside(folder: Path, kind: str) -> Path:
    return folder.with_name(f"{folder.name}.{kind}")


class Field:
    """``with Field(folder, site) as field: agent = field.add_agent("gate", "plant", points); field.start()``.

    The rig runs from the beginning, since agents are configured with its ports. The aggregator's ports are reserved
    without listening, so it can be killed and started again on them. ``web_port`` 0 is any free one.
    """

    aggregator: FieldAggregator

    def __init__(self, folder: Path, site: Site, *, web_port: int = 0) -> None:
        """Raises ConfigError for a site that cannot be played; starts nothing."""
        self.folder = folder.resolve()
        self.rig = Rig(site, self.folder / "rig")
        self.agents: dict[str, FieldAgent] = {}
        self.web = ""
        self._web_port = web_port
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.web = self._reserve_port(self._web_port)
            self.aggregator = FieldAggregator(self.folder / "aggregator", f"tcp://{self._reserve_port()}")
            self.rig.start()
            self._stack.callback(self.rig.stop)
            self.aggregator.init(self.web)
        except BaseException:
            self.stop()
            raise
        self._stack.callback(self.aggregator.program.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End everything that was started, agents first."""
        self._stack.close()

    def add_agent(
        self, name: str, device: str, points: Sequence[PointRow], *, admitted: bool = True, timeout_s: float = 0.5,
        **tables: Mapping[str, object],
    ) -> FieldAgent:  # fmt: skip
        """Make an agent's folder with keys, admit it, do not start it. It reads one device of the rig; ``tables`` are
        further tables of its agent.toml, such as ``telemetry={"chunk_s": 1}``."""
        agent = FieldAgent(self._agent_folder(name), name)
        agent.folder.mkdir(parents=True)
        wiring = {"name": device, "driver": "modbus_tcp", "host": HOST, "port": self.rig.ports[device],
                  "timeout_s": timeout_s}  # fmt: skip
        destination = {"name": "park", "endpoints": [self.aggregator.endpoint]}
        write_agent_file(agent.folder / "agent.toml", name, destination, wiring, tables)
        write_points(agent.folder / "points.csv", device, points)
        return self._added(agent, admitted=admitted)

    def add_copy(self, folder: Path, *, witness: bool = True) -> FieldAgent:
        """Copy a person's folder for an agent, set it up for this field, give it keys and admit it; do not start it.

        Raises ConfigError where it is no agent's folder."""
        name = agent_name(folder)
        agent = FieldAgent(self._agent_folder(name), name, witness=witness)
        copy_for_run(folder, agent.folder, self.aggregator.endpoint, self.rig.places)
        return self._added(agent, admitted=True)

    def start(self) -> None:
        """Start the aggregator and every agent; returns when all stream."""
        self.aggregator.start()
        for agent in self.agents.values():
            agent.start()
        for agent in self.agents.values():
            self.wait_until_streaming(agent)

    def wait_until_streaming(self, agent: FieldAgent) -> None:
        """The session of this start stands, and something of it was acknowledged."""

        def streams() -> bool:
            status = agent.status()
            fresh = status.get("pid") == agent.program.pid
            return fresh and all(each["phase"] == "streaming" for each in status["destinations"])

        wait_for(streams, f"{agent.name} streams", of=[agent.program, self.aggregator.program])

    def wait_until_drained(self, agent: FieldAgent, timeout_s: float = READY_TIMEOUT_S) -> None:
        """The aggregator has committed whatever the agent has committed, on both lanes."""
        sent, held = Tail(agent.ledger), Tail(self.aggregator.ledger)
        wait_for(lambda: sent.read().heads == held.read().heads, f"{agent.name} is drained", timeout_s)

    def audit(self, agent: FieldAgent) -> Audit:
        return audit(agent.name, agent.committed(), agent.store, self.aggregator.database)

    def _agent_folder(self, name: str) -> Path:
        return self.folder / "agents" / name

    def _added(self, agent: FieldAgent, *, admitted: bool) -> FieldAgent:
        self._write_keys(agent)
        if admitted:
            self.aggregator.admit(agent.name, agent.folder / "keys" / "agent.pub")
        self.agents[agent.name] = agent
        self._stack.callback(agent.program.stop)
        return agent

    def _reserve_port(self, port: int = 0) -> str:
        """``HOST:PORT``, bound and never listening: refuses connections, and the system gives the number to nobody else,
        while a listener that reuses addresses may take it."""
        reserved = self._stack.enter_context(reserve(HOST, port))
        return f"{HOST}:{reserved.getsockname()[1]}"

    def _write_keys(self, agent: FieldAgent) -> None:
        keys = generate(agent.name)
        folder = agent.folder / "keys"
        folder.mkdir()
        (folder / "agent.key").write_text(format_secret(keys), encoding="ascii")
        (folder / "agent.key").chmod(0o600)
        (folder / "agent.pub").write_text(format_public(keys.public), encoding="ascii")
        server = (self.aggregator.folder / "keys" / "aggregator.pub").read_text(encoding="ascii")
        (folder / "aggregator.pub").write_text(server, encoding="ascii")


def write_agent_file(
    path: Path,
    name: str,
    destination: Mapping[str, object],
    device: Mapping[str, object],
    tables: Mapping[str, Mapping[str, object]],
) -> None:
    """agent.toml of an agent with one destination and one device."""
    agent = {"name": name, "organisation": ORGANISATION}
    settings = {"agent": agent, "destination": [destination], "device": [device], **tables}
    path.write_text(toml_text(settings), encoding="utf-8")


def write_points(path: Path, device: str, points: Iterable[PointRow]) -> None:
    """points.csv; every row is on ``device`` and has a source unless it says otherwise."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({"source": "store", "device": device, **point} for point in points)
