"""Everything on one machine: a site's devices, its agents, and an aggregator, on free ports of 127.0.0.1.

Demo and scenarios run on it. It makes keys and folders, starts and ends the programs in the right order, keeps their
ledgers and follows the journal; what all that means is judged elsewhere.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from contract.errors import ConfigError, Fault
from contract.ids import Lane
from hil_tests.agent_folder import agent_name, copy_for_run
from hil_tests.compare import Committed, Comparison, compare, parse_ledger
from hil_tests.control_room import ControlRoom
from hil_tests.journal_lines import JournalEvent, parse_journal_line
from hil_tests.processes import Followed, Program, ProgramError, run_to_end
from hil_tests.rig.ports import reserve
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import Site
from hil_tests.verdicts import SeenEvent

HOST: Final = "127.0.0.1"
AGGREGATOR: Final = "aggregator"
REGISTER_FILE: Final = "register.toml"
START_TIMEOUT_S: Final = 60.0
CATCH_UP_TIMEOUT_S: Final = 20.0
PERIOD_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in at this testbed's control room. ``org``: his scope, empty for the whole park."""

    name: str
    role: str
    password: str
    org: str = ""


class Testbed:
    """``with Testbed(site, agent_folders, work_dir) as bed``: on entry all runs and every agent's first event is
    committed; on exit nothing runs any more. ``work_dir`` keeps folders, logs and ledgers."""

    __test__ = False  # no test class, whatever its name begins with

    def __init__(
        self, site: Site, agent_folders: Sequence[Path], work_dir: Path, *, agent_ledgers: bool = True,
        accounts: Sequence[Account] = (), register: Path | None = None,
    ) -> None:  # fmt: skip
        """Raises ConfigError for folders that cannot be used; starts nothing. Without ``agent_ledgers`` the agents do
        not pay for the sync of one, and nothing can be said of what was lost. ``accounts`` may sign in; ``register`` is
        the park's register.toml."""
        self._agent_ledgers = agent_ledgers
        self.accounts = {each.name: each for each in accounts}
        self._register = register
        self.web_url = ""
        self.rig = Rig(site.on_free_ports(), work_dir / "rig")
        self.work_dir = work_dir.resolve()
        self.folders = {agent_name(folder): folder for folder in agent_folders}
        if len(self.folders) < len(agent_folders) or AGGREGATOR in self.folders:
            fault = Fault("agent.toml", None, "agent.name", "two programs have one name", "Give each agent its own.")
            raise ConfigError([fault])
        self.programs: dict[str, Program] = {}
        self.events: list[JournalEvent] = []
        self._stack = ExitStack()
        self._reserved: list[socket.socket] = []
        self._journal: Followed | None = None
        self._web = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what can be asked and told ----------------------------------------------------------------------------------

    @property
    def agents(self) -> list[str]:
        return [*self.folders]

    @property
    def aggregator_dir(self) -> Path:
        return self.work_dir / AGGREGATOR

    def agent_dir(self, name: str) -> Path:
        return self.work_dir / "agents" / name

    def sign_in(self, name: str) -> ControlRoom:
        """A control room's client with one of the accounts signed in; waits for the web. The testbed closes it.

        Raises KeyError, ProgramError, ControlRoomError."""
        _wait(lambda: _accepts(self._web), self.programs[AGGREGATOR], "serves its pages")
        room = self._stack.enter_context(ControlRoom(self.web_url))
        room.sign_in(name, self.accounts[name].password)
        return room

    def received(self) -> list[Committed]:
        """What the aggregator has committed so far, in its order."""
        return parse_ledger(_text(self.work_dir / "aggregator.ledger"))

    def sent(self) -> list[Committed]:
        """What the agents have committed so far."""
        return [each for name in self.agents for each in parse_ledger(_text(self._agent_ledger(name)), name)]

    def comparison(self) -> Comparison:
        return compare(self.sent(), self.received(), [gap for event in self.events for gap in event.gaps])

    def seen(self) -> list[SeenEvent]:
        """The journal's events with the moments of their commits."""
        commits = self.commits()
        return [SeenEvent(each, commits[each.number]) for each in self.events if each.number in commits]

    def commits(self) -> Mapping[tuple[str, str, int], int]:
        """(agent, epoch, seq) of each event to the moment after its (first) commit at the aggregator."""
        events = [each for each in self.received() if each.key.lane is Lane.EVENTS]
        return {(each.key.agent, each.key.epoch, each.key.seq): each.mono_ns for each in reversed(events)}

    def news(self, timeout_s: float) -> list[JournalEvent]:
        """Events that the journal has shown since the last call; waits up to ``timeout_s`` for the first.

        Raises ProgramError when the journal can no longer be followed."""
        assert self._journal is not None
        lines = self._journal.lines(timeout_s)
        if not lines and not self._journal.running:
            raise ProgramError("aggregator journal --follow", "ended", _text(self.work_dir / "journal.log"))
        events = [event for line in lines if (event := parse_journal_line(line)) is not None]
        self.events += events
        return events

    def tell(self, program: str, command: str) -> int:
        """``kill``, ``stop`` or ``start`` a program by name; returns the moment at which that began. KeyError."""
        target = self.programs[program]
        begin_ns = time.monotonic_ns()
        {"kill": target.kill, "stop": target.stop, "start": target.start}[command]()
        return begin_ns

    def finish(self) -> None:
        """Stop the agents, let what they owe arrive, read the journal to its end. Ledgers and events are complete then.

        Raises ProgramError when the journal lacks events that the aggregator committed."""
        for name in self.agents:
            self.programs[name].stop()
        deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
        while missing := self.commits().keys() - {event.number for event in self.events}:
            if time.monotonic() > deadline:
                raise ProgramError("aggregator journal --follow", f"does not show {len(missing)} committed events", "")
            self.news(PERIOD_S)

    def close(self) -> None:
        """End everything. Safe to call twice."""
        for name in self.agents:
            if name in self.programs:
                self.programs[name].stop()
        if AGGREGATOR in self.programs:
            self.programs[AGGREGATOR].stop()
        self._stack.close()
        for each in self._reserved:
            each.close()

    # -- start -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(self.rig)
        listen, self._web = self._port(), self._port()
        endpoint, web = f"tcp://{HOST}:{listen}", f"{HOST}:{self._web}"
        self.web_url = f"http://{web}"
        run_to_end("aggregator.cli", "init", str(self.aggregator_dir), "--listen", endpoint, "--web", web)
        for account in self.accounts.values():
            self._add_account(account)
        if self._register is not None:
            shutil.copyfile(self._register, self.aggregator_dir / REGISTER_FILE)
        for name, folder in self.folders.items():
            self._admit(name, folder, endpoint)
        ledger = str(self.work_dir / "aggregator.ledger")
        aggregator = self._program(AGGREGATOR, "aggregator.cli", "run", str(self.aggregator_dir), "--ledger", ledger)
        aggregator.start()
        _wait(lambda: _accepts(listen), aggregator, "listens")
        self._journal = self._stack.enter_context(
            Followed("aggregator.cli", "journal", "--dir", str(self.aggregator_dir), "--follow",
                     log=self.work_dir / "journal.log")
        )  # fmt: skip
        for name in self.agents:
            witness = ("--ledger", str(self._agent_ledger(name))) if self._agent_ledgers else ()
            self._program(name, "edge_agent.cli", "run", str(self.agent_dir(name)), *witness).start()
        for name in self.agents:
            _wait(partial(self._has_delivered, name), self.programs[name], "delivers its first event")

    def _add_account(self, account: Account) -> None:
        password = self.work_dir / f"{account.name}.password"
        password.touch(mode=0o600)
        password.write_text(account.password + "\n", encoding="utf-8")
        run_to_end(
            "aggregator.cli", "users", "add", account.name, "--role", account.role, "--org", account.org,
            "--password-file", str(password), "--dir", str(self.aggregator_dir),
        )  # fmt: skip

    def _admit(self, name: str, folder: Path, endpoint: str) -> None:
        own = self.agent_dir(name)
        copy_for_run(folder, own, endpoint, self.rig.ports)
        run_to_end("edge_agent.cli", "keygen", str(own))
        shutil.copyfile(self.aggregator_dir / "keys" / "aggregator.pub", own / "keys" / "aggregator.pub")
        public = str(own / "keys" / "agent.pub")
        run_to_end("aggregator.cli", "agents", "add", name, public, "--dir", str(self.aggregator_dir))
        run_to_end("edge_agent.cli", "check", str(own))

    def _program(self, name: str, module: str, *arguments: str) -> Program:
        self.programs[name] = Program(name, module, arguments, self.work_dir / f"{name}.log")
        return self.programs[name]

    def _port(self) -> int:
        self._reserved.append(reserve(HOST))
        return int(self._reserved[-1].getsockname()[1])

    def _agent_ledger(self, name: str) -> Path:
        return self.work_dir / f"{name}.ledger"

    def _has_delivered(self, name: str) -> bool:
        return any(each.key.agent == name and each.key.lane is Lane.EVENTS for each in self.received())


def _wait(ready: Callable[[], bool], program: Program, what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready():
        program.require_running()
        if time.monotonic() > deadline:
            raise ProgramError(program.name, f"does not get so far that it {what}", program.written())
        time.sleep(PERIOD_S)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
