"""A journal record as a sentence, in the reader's language. Pure.

Records hold codes and numbers only; a code or a field that this version does not know is shown as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final, TypeAlias

from aggregator.alarms.policy import gas_of
from aggregator.journal.log import JournalKind
from aggregator.pages.alarm_rows import condition_word
from aggregator.pages.moments import NO_NUMBER, number
from aggregator.pages.texts import Texts
from contract.events import TEXT_LENGTH_MAX, EventType

Table: TypeAlias = "Mapping[str, Any]"


class Subject(StrEnum):
    """What the reader may limit the journal to."""

    ALL = "all"
    ALARMS = "alarms"
    PEOPLE = "people"
    AGENTS = "agents"
    SYSTEM = "system"


SUBJECTS: Final[Mapping[JournalKind, Subject]] = {
    JournalKind.EVENT: Subject.AGENTS,
    JournalKind.UNDECODABLE: Subject.AGENTS,
    JournalKind.GAP: Subject.AGENTS,
    JournalKind.CONDITION_SEEN: Subject.AGENTS,
    JournalKind.CONDITION_RECONCILED: Subject.AGENTS,
    JournalKind.SESSION_OPENED: Subject.AGENTS,
    JournalKind.SESSION_CLOSED: Subject.AGENTS,
    JournalKind.LINK_REFUSED: Subject.AGENTS,
    JournalKind.FORK: Subject.AGENTS,
    JournalKind.BOOT_CONFLICT: Subject.AGENTS,
    JournalKind.AGENT_ADMITTED: Subject.AGENTS,
    JournalKind.AGENT_REVOKED: Subject.AGENTS,
    JournalKind.INGEST_START: Subject.SYSTEM,
    JournalKind.INGEST_STOP: Subject.SYSTEM,
    JournalKind.CHECKPOINT: Subject.SYSTEM,
    JournalKind.JOURNAL_RESTORED: Subject.SYSTEM,
    JournalKind.ALARM: Subject.ALARMS,
    JournalKind.ACTION_REFUSED: Subject.PEOPLE,
    JournalKind.SIGNED_IN: Subject.PEOPLE,
    JournalKind.SIGN_IN_REFUSED: Subject.PEOPLE,
    JournalKind.SIGNED_OUT: Subject.PEOPLE,
    JournalKind.SESSION_REVOKED: Subject.PEOPLE,
    JournalKind.USER_ADDED: Subject.PEOPLE,
    JournalKind.USER_CHANGED: Subject.PEOPLE,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A record as it is read: its kind in a word, what happened, who did it ("" where nobody or not to be seen)."""

    kind: str
    what: str
    who: str
    late: bool


def line(text: Texts, kind: JournalKind, open_: bytes, restricted: bytes, event_open: bytes | None) -> Line:
    """From the bytes as they are stored; ``event_open`` is the agent's own record behind one of kind EVENT."""
    record: dict[str, Any] = json.loads(open_)
    data: dict[str, Any] = record["data"]
    event: dict[str, Any] = json.loads(event_open) if event_open else {}
    sentence = _SENTENCES.get(kind, _plain)
    who = json.loads(restricted) if restricted else {}
    return Line(
        text.word("journal_kind", kind),
        sentence(text, data, event),
        " @ ".join(str(part) for part in (who.get("person"), who.get("station")) if part),
        bool(record["late"]),
    )


def _alarm(text: Texts, data: Table, _event: Table) -> str:
    before, after = (data.get(side, {}).get("letter", "") for side in ("from", "to"))
    is_gas = gas_of(str(data.get("unit", "")), str(data.get("class", ""))) is not None
    level = data.get("level") or max(int(data.get(side, {}).get("level") or 0) for side in ("from", "to")) or 1
    named = condition_word(text, str(data.get("kind", "")), level, is_gas=is_gas) if "kind" in data else ""
    sentence = text(
        "sentence.alarm",
        tag=f"{data.get('tag')} {named}".rstrip(), event=text.word("alarm_event", str(data.get("event"))),
        before=text.word("letter", before), after=text.word("letter", after),
    )  # fmt: skip
    if isinstance(data.get("value"), int | float):
        sentence += f", {number(data['value'])} {text.word('unit', str(data.get('unit', '')))}".rstrip()
    details = [
        f"{text.word('fact', name)}: {value}" for name, value in data.get("details", {}).items() if name in _SAID
    ]
    return "; ".join([sentence, *details])


def _agents_event(text: Texts, data: Table, event: Table) -> str:
    word = text.word("event", str(event.get("type", data.get("type", ""))))
    about: Table = event.get("data", {})
    if "tag" not in about:
        return f"{event.get('agent', '')}: {word}"
    if event.get("type") in _CHANGES:
        return _change(text, str(event["type"]), word, about)
    level = about.get("level") or about.get("previous_level") or 1
    is_gas = gas_of(str(about.get("unit", "")), str(about.get("class", ""))) is not None
    condition = condition_word(text, str(about.get("kind")), level, is_gas=is_gas)
    return text(
        "sentence.condition", tag=about["tag"], condition=condition, event=word,
        value=_value(about.get("value")), unit=text.word("unit", str(about.get("unit", ""))),
    )  # fmt: skip


def _change(text: Texts, type_: str, word: str, about: Table) -> str:
    """What a device says now, and what was on record before."""
    name = type_.removesuffix("_change")
    now, former = (_quoted(about.get(key)) for key in (name, f"former_{name}"))
    sentence = text("sentence.change", tag=about["tag"], event=word, former=former, now=now)
    left_out = about.get("left_out", 0)
    return f"{sentence}; {text('sentence.changes_left_out', count=left_out)}" if left_out else sentence


def _quoted(said: object) -> str:
    """A text in quotation marks, signs that cannot be seen as JSON escapes them; a status code in hex."""
    if isinstance(said, int):
        return f"0x{said:08X}"
    if not isinstance(said, str):
        return NO_NUMBER
    signs = (sign if sign.isprintable() and sign not in _ESCAPED else json.dumps(sign)[1:-1] for sign in said)
    return f'"{"".join(islice(signs, TEXT_LENGTH_MAX))}"'


def _value(value: object) -> str:
    """Three significant digits of a number; NaN and infinities stand as text, an older record may have none."""
    return number(value) if isinstance(value, int | float) else str(value or NO_NUMBER)


def _refused(text: Texts, data: Table, _event: Table) -> str:
    verb = str(data.get("verb", "")).removeprefix("alarm_")
    params: Table = data.get("params", {})
    reason = text.word("reason", str(params.get("reason", "")))
    tag = data.get("args", {}).get("tag") if isinstance(data.get("args"), dict) else None
    about = f"{tag} " if isinstance(tag, str) else ""
    return text("sentence.refused", verb=about + text.word("action", verb), code=text.word("refused_for", str(data.get("code"))),
                reason=reason).rstrip(" :：")  # fmt: skip


def _agents_link(text: Texts, data: Table, _event: Table) -> str:
    """Which agent, and what there is to say about it."""
    said = [str(data[name]) for name in ("software", "reason", "detail") if data.get(name)]
    return text("sentence.agent", agent=data.get("agent", NO_NUMBER), said=", ".join(said)).rstrip(" :：")


def _persons_role(text: Texts, data: Table, _event: Table) -> str:
    """Names stand in the restricted part; the open part says what role it was."""
    scope = data.get("scope")
    role = text.word("role", str(data.get("role", "")))
    return f"{role} ({scope})" if scope else role


def _plain(_text: Texts, data: Table, _event: Table) -> str:
    """Every plain field as name and value."""
    return ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, str | int | float))


_CHANGES: Final = frozenset((EventType.TEXT_CHANGE, EventType.STATUS_CHANGE))
_ESCAPED: Final = '"\\'
_SAID: Final = frozenset({"comment", "reason", "permit"})
_SENTENCES: Final = {
    JournalKind.ALARM: _alarm,
    JournalKind.EVENT: _agents_event,
    JournalKind.ACTION_REFUSED: _refused,
    JournalKind.SESSION_OPENED: _agents_link,
    JournalKind.SESSION_CLOSED: _agents_link,
    JournalKind.LINK_REFUSED: _agents_link,
    JournalKind.SIGNED_IN: _persons_role,
    JournalKind.USER_ADDED: _persons_role,
}
