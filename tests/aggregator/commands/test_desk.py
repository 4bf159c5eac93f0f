"""The desk finds out who asks, lets the owner of the verb decide, and puts every refusal on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from aggregator.commands.desk import Desk
from aggregator.commands.messages import COMMAND_BYTES_MAX, Command, decode_answer, decode_command, encode_command
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.journal.changeset import Changeset
from aggregator.journal.log import Draft, JournalKind
from aggregator.journal.repeats import KEYS_MAX
from contract.clock import NS_PER_S
from contract.errors import FrameError

SESSION = "5" * 64


@dataclass(frozen=True)
class Wang:
    name: str = "wang"
    role: str = "operator"


def resolve(session, _wall_ns):
    if session != SESSION:
        raise RefusedError(RefusalCode.NOT_SIGNED_IN)
    return Wang()


def note(changes, request):
    if request.args.get("refuse"):
        changes.drafts.append(Draft(JournalKind.ALARM, changes.wall_ns, {"half": "done"}))
        raise RefusedError(RefusalCode.NOT_POSSIBLE, reason="is_normal")
    if request.args.get("broken"):
        raise FrameError("until_ns", "must be an integer")
    changes.drafts.append(Draft(JournalKind.ALARM, changes.wall_ns, dict(request.args), restricted=request.restricted))
    return {"done": True}


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def mono_ns(self) -> int:
        return self.now_ns


def make_desk(clock):
    return Desk({"note": note}, frozenset({"note_from_console"}), resolve, clock.mono_ns)


def ask(verb, session=SESSION, desk=None, **args):
    command = Command(verb, args, session, "console 2")
    changes, answer = (desk or make_desk(Clock())).serve(lambda: Changeset(7), encode_command(3, command))
    number, result = decode_answer(answer)
    assert number == 3
    return changes, result


def refusal(changes):
    (draft,) = changes.drafts
    assert draft.kind is JournalKind.ACTION_REFUSED
    return draft


def test_what_was_decided_names_the_person_in_the_restricted_part_only():
    changes, result = ask("note", text="x")
    assert result == {"done": True}
    (draft,) = changes.drafts
    assert draft.restricted == {"person": "wang", "station": "console 2"}
    assert "wang" not in str(draft.data)


def test_a_refusal_leaves_nothing_but_its_record():
    changes, result = ask("note", refuse=True)
    assert (result.code, result.params) == (RefusalCode.NOT_POSSIBLE, {"reason": "is_normal"})
    draft = refusal(changes)
    assert draft.data["verb"] == "note"
    assert (draft.data["code"], draft.data["role"]) == ("not_possible", "operator")
    assert draft.restricted == {"person": "wang", "station": "console 2"}


def test_an_ended_session_is_refused_on_record():
    changes, result = ask("note", session="6" * 64)
    assert result.code is RefusalCode.NOT_SIGNED_IN
    assert refusal(changes).data["role"] is None


def test_the_console_may_only_what_is_the_consoles():
    _, result = ask("note", session=None)
    assert result.code is RefusalCode.NOT_SIGNED_IN


def test_an_unknown_verb_and_a_broken_argument_are_refused():
    assert ask("fly")[1].code is RefusalCode.UNKNOWN
    _, result = ask("note", broken=True)
    assert (result.code, result.params["field"]) == (RefusalCode.INVALID, "until_ns")


def test_secrets_and_long_texts_stay_off_the_record():
    changes, _ = ask("note", refuse=True, token="s3cret", password_hash="$argon2", text="y" * 5000, deep={"a": [1]})
    recorded = refusal(changes).data["args"]
    assert recorded.keys() == {"refuse", "text", "deep"}
    assert len(recorded["text"]) == 200
    assert recorded["deep"] == "…"


# --- a script that does not give up ------------------------------------------------------------------------------------


def counts(changes):
    return [(draft.data["code"], draft.data["count"]) for draft in changes.drafts]


def test_what_a_session_is_refused_again_and_again_is_on_record_once_a_minute_with_its_count():
    clock = Clock()
    desk = make_desk(clock)
    told = []
    for second in range(0, 125, 5):
        clock.now_ns = second * NS_PER_S
        changes, result = ask("note", desk=desk, refuse=True)
        assert result.code is RefusalCode.NOT_POSSIBLE
        told += [(second, *each) for each in counts(changes)]
    assert told == [(0, "not_possible", 1), (60, "not_possible", 12), (120, "not_possible", 12)]


def test_another_verb_reason_or_session_is_told_at_once():
    desk = make_desk(Clock())
    for args in ({"refuse": True}, {"broken": True}):
        assert counts(ask("note", desk=desk, **args)[0])[0][1] == 1
    assert counts(ask("fly", desk=desk)[0]) == [("unknown", 1)]
    assert counts(ask("note", session="6" * 64, desk=desk)[0]) == [("not_signed_in", 1)]
    assert counts(ask("note", desk=desk, refuse=True)[0]) == []


def test_what_was_held_back_is_told_with_the_next_command_after_the_minute():
    clock = Clock()
    desk = make_desk(clock)
    for text in ("a", "b", "c"):
        ask("note", desk=desk, refuse=True, text=text)
    clock.now_ns = 60 * NS_PER_S
    changes, _ = ask("note", desk=desk, text="done")
    done, refused = changes.drafts
    assert (done.kind, refused.kind) == (JournalKind.ALARM, JournalKind.ACTION_REFUSED)
    assert (refused.data["count"], refused.data["args"]["text"]) == (2, "c")
    assert (refused.received_ns, refused.restricted) == (7, {"person": "wang", "station": "console 2"})
    assert len(ask("note", desk=desk)[0].drafts) == 1


def test_what_the_console_is_refused_is_on_record_each_time():
    desk = make_desk(Clock())
    assert [counts(ask("note", session=None, desk=desk)[0]) for _ in range(3)] == [[("not_signed_in", 1)]] * 3


def test_a_flood_of_different_sessions_is_bounded_and_counted_whole():
    clock = Clock()
    desk = make_desk(clock)
    told = [count for n in range(1000) for _, count in counts(ask("note", session=f"{n:064x}", desk=desk)[0])]
    assert len(told) == KEYS_MAX + 1
    clock.now_ns = 60 * NS_PER_S
    told += [count for _, count in counts(ask("note", desk=desk, refuse=True)[0])]
    assert sum(told) == 1001


def test_a_ping_changes_nothing():
    changes, result = ask("ping", session=None)
    assert not changes.is_to_be_written()
    assert result == {}


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x81\xa1v\x02", encode_command(1, Command("note"))[:-1], b"x" * (COMMAND_BYTES_MAX + 1)],
)
def test_what_is_no_command_is_told_apart(data):
    with pytest.raises(FrameError):
        decode_command(data)


@pytest.mark.parametrize(
    "command",
    [
        Command("Fly!"),
        Command("note", session="short"),
        Command("note", station="s" * 200),
        Command("note", cast("Any", [])),
    ],
)
def test_fields_out_of_bounds_are_refused(command):
    with pytest.raises(FrameError):
        decode_command(encode_command(1, command))


def test_a_command_too_large_is_refused_before_it_is_sent():
    with pytest.raises(RefusedError, match="larger"):
        encode_command(1, Command("note", {"text": "x" * COMMAND_BYTES_MAX}))
