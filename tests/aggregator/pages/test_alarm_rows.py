"""The list as it stands on a page: nothing moves while it is read, and afterwards it shows exactly what stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.alarms.service import AlarmView
from aggregator.pages import symbols
from aggregator.pages.alarm_bar import summarise
from aggregator.pages.alarm_rows import LETTERS, Filter, Listing, Shown, condition, level_now, order, row, row_id, state
from aggregator.pages.texts import Language, texts
from contract.clock import NS_PER_S

NOW_NS = 1_790_000_000 * NS_PER_S
EN = texts(Language.EN)
CALM = AlarmView(
    organisation="acme", tag="AT-1", kind="high", org="acme/tank", instance="i", letter="B", active=True, level=1,
    level_highest=1, level_max=1, acknowledged=False, latched=True, shelved_until_ns=None, suppressed=False,
    out_of_service=False,
    service_until_ns=None, hold={}, priority=2, condition_class="safety", is_gas=True, is_toxic=True, sounding=True,
    value=1.2, unit="mg/m3", setpoint=1.0, quality=0, raised_ns=NOW_NS, received_ns=NOW_NS, changed_ns=NOW_NS,
    revision=1, activations=1, late=False, agent="gate", comment=None, acknowledged_by=None, acknowledged_ns=None,
    allowed=(),
)  # fmt: skip

alarms = st.builds(
    lambda tag, letter, priority, toxic, raised, revision: replace(
        CALM, tag=f"AT-{tag}", instance=f"i{tag}", letter=letter, priority=priority, is_toxic=toxic,
        sounding=letter == "B", raised_ns=NOW_NS - raised, revision=revision,
    ),
    st.integers(0, 8), st.sampled_from("BCDEFG"), st.integers(1, 3), st.booleans(), st.integers(0, 10**12),
    st.integers(0, 5),
)  # fmt: skip
parks = st.lists(alarms, max_size=9, unique_by=lambda alarm: alarm.tag)


class Screen:
    """What the browser makes of the transactions."""

    def __init__(self) -> None:
        self.rows: dict[str, dict] = {}

    def change(self, transaction) -> None:
        for each in transaction.remove:
            del self.rows[each["id"]]
        for each in transaction.add:
            assert each["id"] not in self.rows
            self.rows[each["id"]] = each
        for each in transaction.update:
            assert each["id"] in self.rows
            self.rows[each["id"]] = each

    def order(self) -> list[str]:
        return sorted(self.rows, key=lambda key: (self.rows[key]["order"], key))


@given(st.lists(st.tuples(parks, st.booleans()), min_size=1, max_size=8), st.sampled_from(list(Shown)))
def test_the_screen_follows_the_park_and_stands_still_while_it_is_read(looks, shown):
    listing, screen = Listing(EN, Filter(shown)), Screen()
    for standing, reading in looks:
        before = screen.order()
        screen.change(listing.update(standing, NOW_NS, reading=reading))
        assert screen.rows == listing.rows
        wanted = {row_id(alarm): row(EN, alarm, NOW_NS) for alarm in standing if alarm.letter in LETTERS[shown]}
        if reading:
            assert screen.order() == before
            assert listing.waiting == len(wanted.keys() - screen.rows.keys())
        else:
            assert screen.rows == wanted
            assert listing.waiting == 0
        for key, alarm in wanted.items():
            if key in screen.rows:
                assert screen.rows[key]["state"] == alarm["state"]


def test_what_ended_under_the_readers_eyes_says_so():
    listing = Listing(EN, Filter())
    listing.update([CALM], NOW_NS, reading=False)
    gone = listing.update([], NOW_NS, reading=True).update
    assert [(each["state"], each["gone"]) for each in gone] == [("normal again", True)]
    assert listing.update([], NOW_NS, reading=False).remove == [{"id": "acme/AT-1/high"}]


def test_nothing_new_is_no_transaction():
    listing = Listing(EN, Filter())
    listing.update([CALM], NOW_NS, reading=False)
    assert listing.update([CALM], NOW_NS, reading=False).is_empty()


def test_priority_then_toxic_then_owed_then_newest():
    ranked = [
        replace(CALM, priority=1, is_toxic=True, letter="B"),
        replace(CALM, priority=1, is_toxic=True, letter="B", raised_ns=NOW_NS - 1),
        replace(CALM, priority=1, is_toxic=True, letter="C"),
        replace(CALM, priority=1, is_toxic=False),
        replace(CALM, priority=2),
    ]
    shuffled = [ranked[index] for index in (3, 0, 4, 2, 1)]
    assert sorted(shuffled, key=order) == ranked


@pytest.mark.parametrize(
    "query",
    [{}, {"state": "all"}, {"priority": "1", "find": "AT-1"}, {"state": "set_aside", "priority": "3"}],
)
def test_a_filter_is_kept_in_the_address(query):
    assert Filter.parse(query).query() == query
    assert Filter.parse(Filter.parse(query).query()) == Filter.parse(query)


@given(st.dictionaries(st.sampled_from(["state", "priority", "find", "x"]), st.text(max_size=300)))
def test_any_address_gives_a_filter(query):
    assert Filter.parse(Filter.parse(query).query()) == Filter.parse(query)


@given(alarms, st.sampled_from(list(Shown)), st.none() | st.integers(1, 3))
def test_a_filter_lets_through_what_it_says(alarm, shown, priority):
    found = Filter(shown, priority, "at-").matches(alarm)
    assert found == (alarm.letter in LETTERS[shown] and priority in {None, alarm.priority})


def test_states_are_told_in_words():
    shelved = replace(CALM, letter="E", shelved_until_ns=NOW_NS + 90 * NS_PER_S)
    assert state(EN, shelved, NOW_NS) == "shelved, 2 min left"
    assert state(EN, replace(CALM, letter="C", active=False), NOW_NS) == "returned, to be reset"
    assert condition(EN, CALM) == "gas level 1"
    assert condition(EN, replace(CALM, is_gas=False, kind="low", level=2, level_highest=2)) == "low low"
    fallen = replace(CALM, level=1, level_highest=2)
    assert (condition(EN, fallen), level_now(EN, fallen)) == ("gas level 2", "gas level 1")
    assert level_now(EN, CALM) == ""
    assert level_now(EN, replace(fallen, active=False, level=0)) == ""


@given(parks)
def test_the_bar_counts_what_is_shown_and_names_the_most_urgent_that_is_owed(standing):
    bar = summarise(standing)
    shown = [alarm for alarm in standing if alarm.letter in "BCD"]
    owed = [alarm for alarm in shown if alarm.letter in "BD"]
    assert sum(count.standing for count in bar.counts) == len(shown)
    assert sum(count.unacknowledged for count in bar.counts) == len(owed)
    assert bar.set_aside == len(standing) - len(shown)
    assert len(bar.sounding) == sum(alarm.letter == "B" for alarm in standing)
    assert (bar.first is None) == (not owed)
    if bar.first is not None:
        assert bar.first.priority == min(alarm.priority for alarm in owed)


def test_what_must_be_heard_again_is_another_sound():
    once = summarise([CALM]).sounding[0]
    assert summarise([replace(CALM, level=2, priority=1)]).sounding[0].id != once.id
    assert summarise([replace(CALM, activations=2)]).sounding[0].id != once.id
    assert summarise([replace(CALM, comment="seen", revision=2)]).sounding[0].id == once.id
    assert once.tone == "toxic_2"


def test_every_state_has_a_look_of_its_own():
    looks = {symbols.look(replace(CALM, letter=letter)) for letter in "ABCDEFG"}
    assert len(looks) == 7
    assert symbols.colour(replace(CALM, level=2)) == "red"
    assert symbols.colour(replace(CALM, condition_class="fault")) == "magenta"


def test_an_alarm_is_found_by_what_the_register_calls_its_place():
    named = EN.with_places({"acme/tank": {"zh": "储罐", "en": "Chlorine store"}})
    listing = Listing(named, Filter(find="chlorine STORE"))
    assert [each["org"] for each in listing.update([CALM], NOW_NS, reading=False).add] == ["Chlorine store"]
    assert Listing(EN, Filter(find="chlorine store")).update([CALM], NOW_NS, reading=False).is_empty()
