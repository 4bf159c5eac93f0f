"""A field made of folders that a person wrote, with people at its control room and a look at what happens there.

Demo and scenarios run on it. It starts and ends the programs in the right order (``Field`` knows each of them), and
follows the journal; what all that means is judged elsewhere.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from contract.errors import ConfigError, Fault
from contract.ids import Lane
from hil_tests.agent_folder import agent_name
from hil_tests.audit import MessageNumber, held
from hil_tests.compare import Committed, Comparison, Gap, MessageKey, compare
from hil_tests.control_room import ControlRoom
from hil_tests.field import Field, accepts, wait_for
from hil_tests.journal_lines import JournalEvent, parse_journal_line
from hil_tests.processes import Followed, Program, ProgramError
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import Site
from hil_tests.verdicts import SeenEvent

AGGREGATOR: Final = "aggregator"
REGISTER_FILE: Final = "register.toml"
START_TIMEOUT_S: Final = 180.0
"""On a new machine, agents compile their detectors first; on a busy one that takes minutes."""
CATCH_UP_TIMEOUT_S: Final = 60.0
PERIOD_S: Final = 0.05


def _silent(_line: str) -> None:
    """For those who do not want to hear how far the start has come."""


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
        accounts: Sequence[Account] = (), register: Path | None = None, web_port: int = 0,
        say: Callable[[str], None] = _silent,
    ) -> None:  # fmt: skip
        """Raises ConfigError for folders that cannot be used; starts nothing. Without ``agent_ledgers`` the agents do
        not pay for the sync of one, and nothing can be said of what was lost. ``accounts`` may sign in; ``register`` is
        the park's register.toml; ``say`` hears how far the start has come."""
        self._agent_ledgers = agent_ledgers
        self.accounts = {each.name: each for each in accounts}
        self._register = register
        self._say = say
        self.field = Field(work_dir, site.on_free_ports(), web_port=web_port)
        self.folders = {agent_name(folder): folder for folder in agent_folders}
        if len(self.folders) < len(agent_folders) or AGGREGATOR in self.folders:
            fault = Fault("agent.toml", None, "agent.name", "two programs have one name", "Give each agent its own.")
            raise ConfigError([fault])
        self.events: list[JournalEvent] = []
        self._stack = ExitStack()
        self._journal: Followed | None = None
        self._owed: list[Committed] | None = None

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
    def rig(self) -> Rig:
        return self.field.rig

    @property
    def programs(self) -> dict[str, Program]:
        agents = {name: agent.program for name, agent in self.field.agents.items()}
        return {AGGREGATOR: self.field.aggregator.program} | agents

    @property
    def web_url(self) -> str:
        return f"http://{self.field.web}"

    @property
    def aggregator_dir(self) -> Path:
        return self.field.aggregator.folder

    def agent_dir(self, name: str) -> Path:
        return self.field.agents[name].folder

    def sign_in(self, name: str) -> ControlRoom:
        """A control room's client with one of the accounts signed in; waits for the web. The testbed closes it.

        Raises KeyError, ProgramError, FieldError, ControlRoomError."""
        self.wait_for_pages()
        room = self._stack.enter_context(ControlRoom(self.web_url))
        room.sign_in(name, self.accounts[name].password)
        return room

    def wait_for_pages(self) -> None:
        """Returns when the control room can be opened. Raises ProgramError, FieldError."""
        aggregator = self.programs[AGGREGATOR]
        wait_for(lambda: accepts(self.field.web), "the control room serves its pages", START_TIMEOUT_S, of=[aggregator])

    def received(self) -> list[Committed]:
        """What the aggregator has committed so far, in its order."""
        return self.field.aggregator.committed()

    def sent(self) -> list[Committed]:
        """What the agents have committed so far."""
        return [each for agent in self.field.agents.values() for each in agent.committed()]

    def comparison(self) -> Comparison:
        """Of what was committed before ``finish``, or by now, with what has arrived."""
        owed = self.sent() if self._owed is None else self._owed
        found = compare(owed, self.received(), self._gaps())
        return replace(found, lost=tuple(each for each in found.lost if not self._holds(each)))

    def _holds(self, key: MessageKey) -> bool:
        """Whether the aggregator's database has it: one killed between a commit and the line in its ledger has."""
        there = held(key.agent, self.field.aggregator.database)
        return there.get(MessageNumber(key.lane, key.epoch, key.seq)) == key.digest

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
            raise ProgramError("aggregator journal --follow", "ended", self._journal_log.read_text(encoding="utf-8"))
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
        """Let arrive what the agents owe, stop them, read the journal to its end. Ledgers and events are complete then.

        What an agent commits while it stops, it brings if it can within its own limit, and else after its next start;
        so that is not asked for. Raises ProgramError when the journal lacks events that the aggregator committed."""
        self._owed = self.sent()
        self._drain()
        for agent in self.field.agents.values():
            agent.program.stop()
        deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
        while missing := self.commits().keys() - {event.number for event in self.events}:
            if time.monotonic() > deadline:
                raise ProgramError("aggregator journal --follow", f"does not show {len(missing)} committed events", "")
            self.news(PERIOD_S)

    def _drain(self) -> None:
        """Wait for what is owed. An agent that is stopped while the aggregator is on its way back keeps what it owes, which is not
        lost and would be counted so; what does not come in time is."""
        deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
        while time.monotonic() < deadline and self.programs[AGGREGATOR].running:
            if not self.comparison().lost:
                return
            self.news(PERIOD_S)

    def _gaps(self) -> list[Gap]:
        return [gap for event in self.events for gap in event.gaps]

    def close(self) -> None:
        """End everything. Safe to call twice."""
        self._stack.close()

    # -- start -------------------------------------------------------------------------------------------------------

    @property
    def _journal_log(self) -> Path:
        return self.field.folder / "journal.log"

    def _start(self) -> None:
        self.field.folder.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(self.field)
        self._say(f"{len(self.rig.ports)} devices listen")
        if self._register is not None:
            shutil.copyfile(self._register, self.aggregator_dir / REGISTER_FILE)
        for folder in self.folders.values():
            self.field.add_copy(folder, witness=self._agent_ledgers)
        for account in self.accounts.values():
            self.field.aggregator.add_user(account.name, account.role, account.password, account.org)
        self.field.aggregator.start()
        self._say("the aggregator takes connections")
        self._journal = self._stack.enter_context(
            Followed("aggregator.cli", "journal", "--dir", str(self.aggregator_dir), "--follow", log=self._journal_log)
        )
        for agent in self.field.agents.values():
            agent.start()
        for name, agent in self.field.agents.items():
            of = [agent.program, self.programs[AGGREGATOR]]
            wait_for(partial(self._has_delivered, name), f"{name} delivers", START_TIMEOUT_S, of=of)
            self._say(f"agent {name} delivers")

    def _has_delivered(self, name: str) -> bool:
        return any(each.key.agent == name and each.key.lane is Lane.EVENTS for each in self.received())
