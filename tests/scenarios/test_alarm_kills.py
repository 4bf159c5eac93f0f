"""Web, ingest and agent are killed at random moments while people handle alarms; nothing that was promised is broken.

What was acknowledged stays acknowledged, a shelf ends when it should, no alarm is lost and none is there twice.
ALARM_KILLS_COUNT and ALARM_KILLS_SEED choose how often and when; the seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil
import pytest

from aggregator.alarms.commands import Action
from aggregator.alarms.service import AlarmService, AlarmView
from aggregator.commands.channel import CommandClient
from aggregator.commands.messages import Command
from aggregator.commands.refusal import RefusedError, UnavailableError
from aggregator.folder import Folder
from aggregator.people.passwords import hash_new
from aggregator.people.rights import Caller
from aggregator.people.service import PeopleService
from contract.clock import NS_PER_S
from contract.events import Json
from hil_tests.field import one_device, wait_for

COUNT = int(os.environ.get("ALARM_KILLS_COUNT") or 6)
SEED = int(os.environ.get("ALARM_KILLS_SEED") or random.SystemRandom().randrange(2**32))
VICTIMS = ("web", "ingest", "agent")
WAVES = 8
GASES = ("GAS-0", "GAS-1", "GAS-2", "GAS-3")
ACKNOWLEDGED, SHELVED = GASES[:3], GASES[3]
PASSWORD = "correct horse battery"
SHELF_S = 8.0
LATE_S_MAX = 6.0
"""A shelf may end late by as long as ingest takes to be started again, and its next turn."""

pytestmark = pytest.mark.timeout(120 + 10 * COUNT)


class WallClock:
    """The machine's, for services that run in this process."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        raise AssertionError("services do not sleep")


@dataclass
class Handled:
    """What people did, and what they were told became of it."""

    acknowledged: dict[str, AlarmView] = field(default_factory=dict)
    confirmed: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(tag, revision seen) of acknowledgements that were answered."""
    shelf_until_ns: int = 0
    kills: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def outcome(open_module_field):
    print(f"\nALARM_KILLS_SEED={SEED} ALARM_KILLS_COUNT={COUNT}")
    rng = random.Random(SEED)
    park = open_module_field(_site(rng))
    agent = park.add_agent("gate", "plant", _points())
    park.start()
    folder = Folder(park.aggregator.folder)
    client = CommandClient(folder)
    people = PeopleService(folder, WallClock(), client)
    alarms = AlarmService(folder, people)
    user: dict[str, Json] = {
        "name": "wang",
        "role": "operator",
        "scope": "",
        "password_hash": hash_new("wang", PASSWORD),
    }
    client.send(Command("user_add", user))
    wang = Caller(people.sign_in("wang", PASSWORD, "test"), "test")
    handled = Handled()
    for tag in GASES:
        park.rig.command("plant", "step", tag, 30)
    wait_for(lambda: _named(alarms, wang, GASES), "gas alarms stand")
    for view in _named(alarms, wang, ACKNOWLEDGED):
        handled.acknowledged[view.tag] = alarms.act(wang, Action.ACKNOWLEDGE, view.instance, view.revision)
    handled.shelf_until_ns = time.time_ns() + round(SHELF_S * NS_PER_S)
    (shelved,) = _named(alarms, wang, [SHELVED])
    alarms.act(
        wang, Action.SHELVE, shelved.instance, shelved.revision, reason="test", until_ns=str(handled.shelf_until_ns)
    )
    victims = [VICTIMS[turn % len(VICTIMS)] for turn in range(COUNT)]
    rng.shuffle(victims)
    for victim in victims:
        _handle_for(rng.uniform(0.2, 1.5), alarms, wang, handled)
        handled.kills[victim] += _kill(park, agent, victim)
    wait_for(lambda: time.time_ns() > handled.shelf_until_ns + LATE_S_MAX * NS_PER_S, "the shelf is over")
    park.wait_until_streaming(agent)
    park.rig.command("plant", "freeze")
    agent.program.stop()
    agent.start()
    park.wait_until_drained(agent)
    agent.program.stop()
    park.wait_until_drained(agent)
    standing = {view.tag: view for view in alarms.standing(wang)}
    park.aggregator.program.stop()
    client.close()
    print(f"{dict(handled.kills)}, {sum(handled.confirmed.values())} waves acknowledged")
    return park, handled, standing


def _site(rng: random.Random):
    gases = [{"name": tag, "type": "float32", "signal": {"kind": "constant", "value": 0}} for tag in GASES]
    waves = [
        {"name": f"WAVE-{i}", "signal": {"kind": "counter", "period_s": rng.uniform(0.4, 1.5), "modulo": 2}}
        for i in range(WAVES)
    ]
    return one_device("plant", gases + waves)


def _points():
    fast = {"register": "holding", "poll_s": 0.2}
    gases = [
        {"tag": tag, "address": 2 * i, "type": "float32", "unit": "ppm", "h": 25, "hh": 50, **fast}
        for i, tag in enumerate(GASES)
    ]
    waves = [
        {"tag": f"WAVE-{i}", "address": 2 * (len(GASES) + i), "type": "uint16", "unit": "1", "h": 0.5, **fast}
        for i in range(WAVES)
    ]  # fmt: skip
    return gases + waves


def _named(alarms: AlarmService, caller: Caller, tags) -> list[AlarmView]:
    """Alarms of these tags; empty while one is missing."""
    found = {view.tag: view for view in alarms.standing(caller)}
    return [found[tag] for tag in tags] if found.keys() >= set(tags) else []


def _handle_for(seconds: float, alarms: AlarmService, caller: Caller, handled: Handled) -> None:
    """Acknowledge whatever comes, as an operator in a hurry does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for view in alarms.standing(caller):
            if view.letter != "B" or not view.tag.startswith("WAVE"):
                continue
            try:
                alarms.act(caller, Action.ACKNOWLEDGE, view.instance, view.revision)
            except (RefusedError, UnavailableError):
                continue
            handled.confirmed[view.tag, view.revision] += 1


def _kill(park, agent, victim: str) -> int:
    """SIGKILL; what nobody else starts again is started again here."""
    if victim == "agent":
        os.kill(agent.program.pid, signal.SIGKILL)
        wait_for(lambda: not agent.program.running, "the agent is gone")
        agent.start()
        return 1
    pid = wait_for(lambda: _pid_of(park, victim), f"{victim} runs")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: _pid_of(park, victim) not in {None, pid}, f"{victim} is started again")
    return 1


def _pid_of(park, name: str) -> int | None:
    try:
        children = psutil.Process(park.aggregator.program.pid).children()
        return next((child.pid for child in children if name in child.cmdline()), None)
    except psutil.Error:
        return None


def _alarm_records(park) -> list[dict]:
    return [record["data"] | {"received_ns": int(record["received_ns"])} for record in park.aggregator.journal("alarm")]


# --- what must be so ----------------------------------------------------------------------------------------------------


def test_every_program_was_killed(outcome):
    _, handled, _ = outcome
    assert handled.kills.total() == COUNT
    assert set(handled.kills) == set(VICTIMS[:COUNT])


def test_what_was_acknowledged_stays_acknowledged(outcome):
    _, handled, standing = outcome
    for tag, view in handled.acknowledged.items():
        assert (standing[tag].letter, standing[tag].instance) == ("C", view.instance)
        assert standing[tag].acknowledged_by == "wang"


def test_each_answered_acknowledgement_is_on_record_once(outcome):
    park, handled, _ = outcome
    done = Counter(
        (record["tag"], int(record["revision"]) - 1)
        for record in _alarm_records(park)
        if record["event"] == "acknowledge"
    )
    assert handled.confirmed.keys() <= done.keys()
    assert set(done.values()) == {1}


def test_the_shelf_ended_when_it_should(outcome):
    park, handled, standing = outcome
    ended = [
        record["received_ns"] for record in _alarm_records(park)
        if record["tag"] == SHELVED and record["event"] == "shelf_expired"
    ]  # fmt: skip
    assert len(ended) == 1
    assert 0 <= (ended[0] - handled.shelf_until_ns) / NS_PER_S <= LATE_S_MAX
    assert standing[SHELVED].letter == "B"


def test_no_activation_is_lost_and_none_belongs_to_two_alarms(outcome):
    park, _, _ = outcome
    turned_on = {
        (event["agent"], event["epoch"], int(event["seq"]))
        for event in park.aggregator.events()
        if event["type"] == "condition_on"
    }
    linked = [tuple(row) for row in park.aggregator.rows("SELECT agent, epoch, seq FROM alarm_activations")]
    assert set(linked) == turned_on
    assert len(linked) == len(turned_on) > COUNT
    counted = park.aggregator.rows(
        "SELECT id FROM alarm_instances WHERE activations <> (SELECT count(*) FROM alarm_activations WHERE instance = id)"
    )
    assert counted == []


def test_the_records_tell_the_same_story_as_the_tables(outcome):
    """Each record of an alarm begins where the one before it ended, and the last one is the state that stands."""
    park, _, _ = outcome
    last: dict[tuple[str, str], dict] = {}
    for record in _alarm_records(park):
        key = record["tag"], record["kind"]
        if key in last:
            assert record["from"] == last[key]["to"]
            assert int(record["revision"]) == int(last[key]["revision"]) + (record["event"] != "comment")
        last[key] = record
    rows = park.aggregator.rows("SELECT tag, kind, level, acknowledged, revision, hold FROM alarms")
    assert {(tag, kind) for tag, kind, *_ in rows} == last.keys()
    for tag, kind, level, acknowledged, revision, hold in rows:
        to = last[tag, kind]["to"]
        assert (to["level"], to["acknowledged"]) == (level, bool(acknowledged))
        assert int(last[tag, kind]["revision"]) == revision
        assert isinstance(json.loads(hold), dict)
