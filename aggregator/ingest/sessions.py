"""Which agent speaks on which link: opens and closes sessions, and puts on record who was turned away and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import structlog

from aggregator.ingest.group import Group
from aggregator.journal.log import Draft, JournalKind
from aggregator.journal.repeats import Repeats
from contract.clock import NS_PER_MS, NS_PER_S
from contract.events import Json
from contract.ids import AgentName
from contract.wire import frames
from contract.wire.frames import RefuseCode
from contract.wire.server import Conflict, Known, ServerSession
from contract.wire.session import HEARTBEAT_MS, SILENT_PERIODS, Forked, Send

REPORT_PERIOD_NS: Final = 60 * NS_PER_S
"""A refusal of one kind of one key is put on record at most this often, with its count."""
SILENCE_NS: Final = SILENT_PERIODS * HEARTBEAT_MS * NS_PER_MS

GAVE_WAY_MAX: Final = 16
"""Starts of one agent that are remembered to have given way to another one."""
HELLOS_AT_ONCE: Final = 10
HELLO_PERIOD_NS: Final = NS_PER_S
"""An agent may say HELLO as many times in a row and then once in a period: a healthy one waits 3 s for its answer."""

log = structlog.get_logger()


class Sessions:
    """One ``ServerSession`` per agent. Times are monotonic, ns."""

    def __init__(self) -> None:
        self._standing: dict[AgentName, ServerSession] = {}
        self._reports = Repeats(REPORT_PERIOD_NS)
        self._gave_way: dict[AgentName, deque[tuple[str, str]]] = {}
        self._hellos_owed: dict[AgentName, int] = {}

    def may_say_hello(self, group: Group, agent: AgentName, now_ns: int) -> bool:
        """Each HELLO costs reads of the store and may cost records: too many of them stay without an answer, and the first
        in a minute is put on record."""
        # When the last of those would be due that were said so far, one a period.
        due_ns = max(self._hellos_owed.get(agent, 0), now_ns) + HELLO_PERIOD_NS
        if due_ns - now_ns > HELLOS_AT_ONCE * HELLO_PERIOD_NS:
            self._report(group, JournalKind.LINK_REFUSED, agent, {"cause": "too_many_hellos"}, now_ns)
            return False
        self._hellos_owed[agent] = due_ns
        return True

    def of(self, agent: AgentName) -> ServerSession | None:
        return self._standing.get(agent)

    def __iter__(self) -> Iterator[ServerSession]:
        return iter([*self._standing.values()])

    def hello(
        self, group: Group, agent: AgentName, routing_id: bytes, hello: frames.Hello, known: Known, now_ns: int
    ) -> ServerSession | None:
        """Judge a HELLO; the new session where it was welcomed."""
        standing = self._standing.get(agent)
        who = (hello.boot_id, hello.epoch)
        # No start comes back after another one has followed it, unless both of them live.
        returns = standing is not None and who != _who(standing) and who in self._gave_way.get(agent, ())
        outputs = ServerSession.judge_hello(agent, hello, known, standing, now_ns, group.wall_ns, returns=returns)
        welcomed = False
        for output in outputs:
            match output:
                case Send(frame):
                    welcomed = isinstance(frame, frames.Welcome)
                    group.reply(routing_id, frame)
                    self._note_refusal(group, agent, frame, now_ns)
                case Forked(lane, seq, ours, theirs):
                    data = {"lane": lane.value, "seq": str(seq), "ours": ours.hex(), "theirs": theirs.hex()}
                    self._report(group, JournalKind.FORK, agent, {"epoch": hello.epoch, **data}, now_ns)
                case Conflict(boot_id, other):
                    self._report(
                        group, JournalKind.BOOT_CONFLICT, agent, {"boot_id": boot_id, "other_boot_id": other}, now_ns
                    )
                case _:
                    raise AssertionError(output)
        return self._open(group, agent, routing_id, hello, now_ns) if welcomed else None

    def close(self, group: Group, session: ServerSession, reason: str) -> None:
        """The session ends; what comes on its link from now on is answered with a request for a HELLO."""
        if self._standing.get(AgentName(session.agent)) is session:
            del self._standing[AgentName(session.agent)]
        data: dict[str, Json] = {"agent": session.agent, "epoch": session.hello.epoch, "reason": reason}
        group.drafts.append(Draft(JournalKind.SESSION_CLOSED, group.wall_ns, data))
        log.info("session_closed", agent=session.agent, reason=reason)

    def silent(self, now_ns: int) -> list[ServerSession]:
        """Sessions whose agent has not been heard for SILENCE_NS."""
        return [session for session in self if now_ns - session.heard_ns > SILENCE_NS]

    def refuse_link(self, group: Group, cause: str, key: str, now_ns: int, agent: str | None = None) -> None:
        """A key was turned away: logged and put on record, the first at once and then once a minute with the count."""
        count = self._reports.due(f"{cause} {key}", now_ns)
        if count is not None:
            data: dict[str, Json] = {"cause": cause, "curve_public": key, "agent": agent, "count": count}
            group.drafts.append(Draft(JournalKind.LINK_REFUSED, group.wall_ns, data))
            log.warning("link_refused", **data)

    def report_leftover(self, now_ns: int) -> None:
        for key, count in self._reports.leftover(now_ns):
            log.warning("repeated", what=key, count=count)

    def _open(
        self, group: Group, agent: AgentName, routing_id: bytes, hello: frames.Hello, now_ns: int
    ) -> ServerSession:
        former = self._standing.get(agent)
        if former is not None and former.routing_id != routing_id:
            self.close(group, former, "replaced")
        if former is not None and _who(former) != (hello.boot_id, hello.epoch):
            self._gave_way.setdefault(agent, deque(maxlen=GAVE_WAY_MAX)).append(_who(former))
        session = self._standing[agent] = ServerSession(agent, hello, routing_id, now_ns)
        if former is None or former.routing_id != routing_id or former.hello.epoch != hello.epoch:
            group.drafts.append(Draft(JournalKind.SESSION_OPENED, group.wall_ns, _opened(agent, hello)))
            log.info("session_opened", agent=agent, epoch=hello.epoch, software=hello.software)
        return session

    def _note_refusal(self, group: Group, agent: AgentName, frame: frames.Frame, now_ns: int) -> None:
        if isinstance(frame, frames.Refuse) and frame.code in {RefuseCode.NAME_MISMATCH, RefuseCode.PROTOCOL_VERSION}:
            data: dict[str, Json] = {"cause": frame.code.value, "message": frame.message}
            self._report(group, JournalKind.LINK_REFUSED, agent, data, now_ns)

    def _report(self, group: Group, kind: JournalKind, agent: AgentName, data: dict[str, Json], now_ns: int) -> None:
        count = self._reports.due(f"{kind} {data.get('cause', '')} {agent}", now_ns)
        if count is not None:
            full: dict[str, Json] = {"agent": agent, "count": count, **data}
            group.drafts.append(Draft(kind, group.wall_ns, full))
            log.warning(kind.value, **full)


def _who(session: ServerSession) -> tuple[str, str]:
    return session.hello.boot_id, session.hello.epoch


def _opened(agent: AgentName, hello: frames.Hello) -> dict[str, Json]:
    return {
        "agent": agent, "epoch": hello.epoch, "boot_id": hello.boot_id, "start_number": str(hello.start_number),
        "software": hello.software, "config_hash": hello.config_hash, "catalogue": str(hello.catalogue_version),
        "algorithm": hello.hash_algorithm, "wall_ns": str(hello.wall_ns),
    }  # fmt: skip
