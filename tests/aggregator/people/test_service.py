"""Who signs in, who is let act, and what of it is on record; against a real ingest over its command channel."""

from __future__ import annotations

import json
import threading
from contextlib import closing

import argon2
import pytest
from structlog.testing import capture_logs

from aggregator.commands.channel import CommandClient
from aggregator.commands.messages import Command
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.people import passwords
from aggregator.people.commands import SESSION_NS, SESSIONS_PER_USER_MAX
from aggregator.people.rights import Caller, Right, Role
from aggregator.people.service import CHECKS_WAITING_MAX, digest_of
from contract.clock import NS_PER_S

PASSWORD = "氯气 smells of bleach"
OTHER = "another password"


@pytest.fixture
def tell(park, client):
    """Has the console's command carried out."""
    return lambda verb, **args: park.serve(lambda: client.send(Command(verb, args, station="console")))


@pytest.fixture
def enter(park, services, add_user):
    """Signs somebody in, who is added where he is missing."""
    known: set[str] = set()

    def sign_in(name: str = "li", role: str = "operator", scope: str = "", password: str = PASSWORD) -> Caller:
        if name not in known:
            add_user(name, role, scope)
            known.add(name)
        return Caller(park.serve(lambda: services.people.sign_in(name, password, "console 2")), "console 2")

    return sign_in


def refused(asked) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        asked()
    return caught.value


def restricted(park, kind: str) -> list[dict]:
    rows = park.rows(f"SELECT restricted FROM journal WHERE kind = '{kind}' ORDER BY seq")
    return [json.loads(row.restricted) for row in rows]


# --- signing in -------------------------------------------------------------------------------------------------------


def test_who_signs_in_is_known_by_his_token_and_on_record(enter, services, park):
    caller = enter("li", "operator", "acme")
    person = services.people.person(caller.token)
    assert (person.name, person.role, person.scope) == ("li", Role.OPERATOR, "acme")
    [record] = park.journal("signed_in")
    assert (record["data"], record["org"]) == ({"role": "operator"}, "acme")
    assert restricted(park, "signed_in") == [{"person": "li", "station": "console 2"}]


def test_neither_token_nor_password_is_anywhere_in_the_folder(enter, park):
    caller = enter()
    data = b"".join(path.read_bytes() for path in park.folder.path.rglob("*") if path.is_file())
    assert caller.token.encode() not in data
    assert PASSWORD.encode() not in data
    assert digest_of(caller.token).encode() in data


@pytest.mark.parametrize("name", ["li", "nobody", "", "\ud800", "x" * 1000, "../li"])
def test_whatever_is_wrong_gets_the_same_answer(enter, services, park, name):
    enter("li")
    error = refused(lambda: park.serve(lambda: services.people.sign_in(name, "wrong password", "console 2")))
    assert (error.code, error.params) == (RefusalCode.WRONG_PASSWORD, {})


def test_an_unknown_name_costs_the_same_work(enter, services, park, monkeypatch):
    enter("li")
    checked: list[str | None] = []
    real = passwords._HASHER.verify
    counting = argon2.PasswordHasher()

    def verify(_self, stored, given):
        checked.append(stored)
        return real(stored, given)

    monkeypatch.setattr(counting.__class__, "verify", verify)
    for name in ("li", "nobody"):
        refused(lambda name=name: park.serve(lambda: services.people.sign_in(name, "wrong password", "c")))
    assert [argon2.extract_parameters(str(stored)) for stored in checked] == [
        argon2.extract_parameters(passwords._HASHER.hash("x"))
    ] * 2


def test_a_password_under_older_parameters_is_hashed_anew(tell, services, park):
    older = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    tell("user_add", name="li", role="viewer", scope="", password_hash=older)
    park.serve(lambda: services.people.sign_in("li", PASSWORD, "c"))
    [row] = park.rows("SELECT password_hash FROM users")
    assert not passwords.is_outdated(row.password_hash)
    park.serve(lambda: services.people.sign_in("li", PASSWORD, "c"))


def test_a_password_that_was_changed_while_it_was_checked_opens_nothing(add_user, tell):
    add_user("li", "viewer")
    error = refused(lambda: tell("sign_in", name="li", token="0" * 64, checked_hash=passwords.hash_new("li", OTHER)))
    assert error.code is RefusalCode.WRONG_PASSWORD


def test_one_session_too_many_ends_the_oldest(enter, services, park):
    callers = []
    for _ in range(SESSIONS_PER_USER_MAX + 1):
        callers.append(enter())
        park.clock.tick(NS_PER_S)
    assert refused(lambda: services.people.person(callers[0].token)).params == {"reason": "ended"}
    assert all(services.people.person(caller.token) for caller in callers[1:])


# --- guessing ---------------------------------------------------------------------------------------------------------


def test_five_mistakes_lock_name_and_station_for_a_while_and_each_is_counted_on_record(enter, services, park):
    enter("li")

    def attempt(name: str, station: str, password: str = "wrong password") -> RefusalCode:
        return refused(lambda: park.serve(lambda: services.people.sign_in(name, password, station))).code

    assert [attempt("li", "c1") for _ in range(6)] == [RefusalCode.WRONG_PASSWORD] * 5 + [RefusalCode.TOO_MANY_ATTEMPTS]
    assert attempt("li", "c2", PASSWORD) is RefusalCode.TOO_MANY_ATTEMPTS
    assert attempt("wang", "c1") is RefusalCode.TOO_MANY_ATTEMPTS
    assert attempt("wang", "c2") is RefusalCode.WRONG_PASSWORD
    first = [record["data"] for record in park.journal("sign_in_refused")]
    assert first[0] == {"reason": "wrong_password", "count": 1, "known_name": True}
    park.clock.tick(60 * NS_PER_S)
    enter("li")
    told: dict[tuple[str, bool], int] = {}
    for record in park.journal("sign_in_refused"):
        key = (record["data"]["reason"], record["data"]["known_name"])
        told[key] = told.get(key, 0) + record["data"]["count"]
    assert told == {
        ("wrong_password", True): 5, ("wrong_password", False): 1, ("too_many_attempts", True): 2,
        ("too_many_attempts", False): 1,
    }  # fmt: skip


def test_what_is_typed_as_a_name_that_is_nobodys_is_not_on_record(services, park):
    refused(lambda: park.serve(lambda: services.people.sign_in("my secret password", "", "c")))
    assert restricted(park, "sign_in_refused") == [{"person": None, "station": "c"}]
    data = b"".join(path.read_bytes() for path in park.folder.path.glob("*") if path.is_file())
    assert b"my secret password" not in data


def test_while_ingest_is_away_a_refusal_is_a_refusal_all_the_same(folder, clock, monkeypatch):
    from aggregator.people.service import PeopleService

    with closing(CommandClient(folder)) as client, capture_logs() as logs:
        monkeypatch.setattr(client, "send", lambda command: CommandClient.send(client, command, 0.05))
        error = refused(lambda: PeopleService(folder, clock, client).sign_in("li", "wrong password", "c"))
    assert error.code is RefusalCode.WRONG_PASSWORD
    assert [line["event"] for line in logs] == ["sign_in_refusal_not_on_record"]


def test_few_wait_for_a_check_and_the_rest_is_sent_away(services, park, monkeypatch):
    checking, done, at_once = threading.Semaphore(0), threading.Event(), []

    def slow(_stored: str | None, _password: str) -> bool:
        at_once.append(1)
        checking.release()
        done.wait(30)
        return False

    monkeypatch.setattr(passwords, "is_right", slow)
    codes: list[RefusalCode] = []

    def attempt(number: int) -> None:
        codes.append(refused(lambda: services.people.sign_in(f"name{number}", "x", f"station {number}")).code)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(CHECKS_WAITING_MAX + 3)]
    for thread in threads:
        thread.start()
    assert all(checking.acquire(timeout=30) for _ in range(2))
    park.turn_until(lambda: len(codes) == 3, turns=500)
    assert codes == [RefusalCode.TOO_MANY_ATTEMPTS] * 3
    assert len(at_once) == 2
    done.set()
    park.turn_until(lambda: not any(thread.is_alive() for thread in threads), turns=500)
    assert codes[3:] == [RefusalCode.WRONG_PASSWORD] * CHECKS_WAITING_MAX


# --- the end of a session ---------------------------------------------------------------------------------------------


def test_who_signed_out_is_out(enter, services, park):
    caller = enter()
    park.serve(lambda: services.people.sign_out(caller))
    assert refused(lambda: services.people.person(caller.token)).params == {"reason": "ended"}
    assert restricted(park, "signed_out") == [{"person": "li", "station": "console 2"}]


def test_a_session_ends_with_the_shift_here_and_in_ingest(enter, services, park):
    caller = enter()
    park.clock.tick(SESSION_NS)
    for asked in (
        lambda: services.people.person(caller.token),
        lambda: park.serve(lambda: services.people.sign_out(caller)),
    ):
        error = refused(asked)
        assert (error.code, error.params) == (RefusalCode.NOT_SIGNED_IN, {"reason": "expired"})


@pytest.mark.parametrize(
    "change",
    [{"disabled": True}, {"role": "viewer"}, {"scope": "acme"}, {"password_hash": passwords.hash_new("li", OTHER)}],
    ids=lambda change: next(iter(change)),
)
def test_whoever_is_changed_has_to_sign_in_again(enter, services, tell, park, change):
    caller = enter("li")
    assert tell("user_change", name="li", **change) == {"sessions": 1}
    assert refused(lambda: services.people.require(caller, Right.SEE)).code is RefusalCode.NOT_SIGNED_IN
    assert refused(lambda: park.serve(lambda: services.people.sign_out(caller))).code is RefusalCode.NOT_SIGNED_IN
    [record] = park.journal("user_changed")
    assert record["data"]["sessions_ended"] == 1
    assert record["data"]["password"] is ("password_hash" in change)
    assert restricted(park, "user_changed") == [{"person": None, "station": "console", "user": "li"}]


def test_a_disabled_user_cannot_sign_in_until_he_is_enabled(enter, tell):
    enter("li")
    tell("user_change", name="li", disabled=True)
    assert refused(lambda: enter("li")).code is RefusalCode.WRONG_PASSWORD
    tell("user_change", name="li", disabled=False)
    enter("li")


def test_sessions_survive_a_restart_of_ingest_and_revoked_ones_stay_so(enter, services, tell, park):
    caller, other = enter("li"), enter("wang")
    assert tell("sessions_revoke", name="li") == {"sessions": 1}
    park.restart()
    assert services.people.person(other.token).name == "wang"
    assert refused(lambda: services.people.person(caller.token)).code is RefusalCode.NOT_SIGNED_IN


@pytest.mark.parametrize("token", ["", "made up", "of li"])
def test_who_has_no_session_does_not_reach_ingest_and_is_counted_by_address(enter, services, tell, park, token):
    caller = enter("li")
    tell("sessions_revoke", name="li")
    park.receiver.turn()
    before = len(park.journal())
    stranger = Caller(caller.token if token == "of li" else token, "192.0.2.9")
    with capture_logs() as logs:
        for _ in range(3):  # without a turn of ingest: whatever were sent would wait for ever
            error = refused(lambda: services.people.command(stranger, "alarm_acknowledge", {}))
            assert error.code is RefusalCode.NOT_SIGNED_IN
        park.clock.tick(60 * NS_PER_S)
        refused(lambda: services.people.sign_out(stranger))
    park.receiver.turn()
    assert len(park.journal()) == before
    told = [(each["station"], each["count"]) for each in logs if each["event"] == "command_without_session"]
    assert told == [("192.0.2.9", 1), ("192.0.2.9", 3)]


# --- who manages people -----------------------------------------------------------------------------------------------


def as_person(park, services, caller, verb, **args):
    return park.serve(lambda: services.people.command(caller, verb, args))


def test_only_an_administrator_manages_people_and_only_within_his_scope(enter, services, park):
    hash_ = passwords.hash_new("sun", OTHER)
    new = {"name": "sun", "role": "viewer", "scope": "acme/tank", "password_hash": hash_}
    for role in set(Role) - {Role.ADMINISTRATOR}:
        caller = enter(f"a-{role}", role)
        error = refused(lambda caller=caller: as_person(park, services, caller, "user_add", **new))
        assert (error.code, error.params) == (RefusalCode.NOT_ALLOWED, {"right": "people"})
    caller = enter("wu", "administrator", "acme")
    as_person(park, services, caller, "user_add", **new)
    for scope in ("", "apex", "acmeco"):
        error = refused(
            lambda scope=scope: as_person(park, services, caller, "user_add", **new | {"name": "x", "scope": scope})
        )
        assert error.code is RefusalCode.NOT_ALLOWED
        error = refused(lambda scope=scope: as_person(park, services, caller, "user_change", name="sun", scope=scope))
        assert error.code is RefusalCode.NOT_ALLOWED
    enter("zhou", "viewer")
    for verb in ("user_change", "sessions_revoke"):
        error = refused(lambda verb=verb: as_person(park, services, caller, verb, name="zhou"))
        assert error.code is RefusalCode.NOT_ALLOWED


def test_a_refused_change_names_nobody_in_the_open_part(enter, services, park):
    caller = enter("li", "operator")
    refused(lambda: as_person(park, services, caller, "user_change", name="wang-xiao", password_hash="secret-hash"))
    [row] = park.rows("SELECT open, restricted FROM journal WHERE kind = 'action_refused'")
    assert b"wang-xiao" not in row.open
    assert b"secret-hash" not in row.open + row.restricted
    assert json.loads(row.restricted) == {"person": "li", "station": "console 2", "user": "wang-xiao"}


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"name": "-li"}, "name"), ({"name": 5}, "name"), ({"role": "boss"}, "role"), ({"role": None}, "role"),
        ({"scope": "a//b"}, "scope"), ({"scope": "a/b/c/d"}, "scope"), ({"password_hash": "plain"}, "password_hash"),
        ({"password_hash": None}, "password_hash"),
    ],
)  # fmt: skip
def test_a_user_who_is_none_is_refused(tell, args, field):
    whole = {"name": "li", "role": "viewer", "scope": "", "password_hash": passwords.hash_new("li", OTHER)}
    error = refused(lambda: tell("user_add", **whole | args))
    assert (error.code, error.params["field"]) == (RefusalCode.INVALID, field)
