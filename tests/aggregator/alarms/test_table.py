"""Every cell of the alarm table is met, and the table does what a plain reading of the rules does."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aggregator.alarms.states import MODES, Cover, Effect, Event, Letter, Mode, Reason, Shelf, State, Step, Trigger
from aggregator.alarms.table import CORE, step
from naive.alarms import Alarm

PEOPLE = frozenset({Event.ACKNOWLEDGE, Event.UNACKNOWLEDGE, Event.RESET})
TWIN_NAMES = {Event.REALARM: "realarm_due"}


def states():
    for (active, acknowledged, latched), shelf, suppressed, removed in itertools.product(
        MODES, Shelf, (False, True), (False, True)
    ):
        for level in (1, 2) if active else (0,):
            yield State(active, level, acknowledged, latched, shelf, suppressed, removed)


def triggers():
    for event, latching in itertools.product(Event, (False, True)):
        levels = (1, 2) if event is Event.RAISED else (1,)
        shelves = (False, True) if event is Event.SHELVE else (False,)
        for level, once in itertools.product(levels, shelves):
            yield Trigger(event, level, latching, once)


STATES, TRIGGERS = list(states()), list(triggers())
EVERYTHING = [(state, trigger, step(state, trigger)) for state in STATES for trigger in TRIGGERS]
ALLOWED = [(state, trigger, done) for state, trigger, done in EVERYTHING if isinstance(done, Step)]


def twin_of(state: State, latches: bool) -> Alarm:
    twin = Alarm(latches)
    twin.level, twin.owed, twin.latched = state.level, not state.acknowledged, state.latched
    if state.shelf is not Shelf.NONE:
        twin.shelved_to = 2 if state.shelf in {Shelf.TO_2, Shelf.ONCE_TO_2} else 1
        twin.once = state.shelf in {Shelf.ONCE_TO_1, Shelf.ONCE_TO_2}
    twin.suppressed, twin.removed = state.suppressed, state.out_of_service
    twin.standing = state.mode is not Mode.NORMAL
    return twin


def shown(twin: Alarm) -> State:
    shelf = Shelf.NONE
    if twin.shelved_to is not None:
        shelf = Shelf(f"{'once_' if twin.once else ''}to_{twin.shelved_to}")
    return State(bool(twin.level), twin.level, not twin.owed, twin.latched, shelf, twin.suppressed, twin.removed)


def ask_twin(twin: Alarm, trigger: Trigger) -> str | None:
    refusal: str | None = twin.handle(TWIN_NAMES.get(trigger.event, trigger.event.value), trigger.level, trigger.once)
    return refusal


def test_every_state_has_an_answer_to_every_event_and_every_cell_is_met():
    met = set()
    for state, trigger, done in EVERYTHING:
        cover = done.state.cover if isinstance(done, Step) else state.cover
        if trigger.event in CORE[cover]:
            met.add((cover, trigger.event, state.mode))
    assert met == {(cover, event, mode) for cover, block in CORE.items() for event in block for mode in block[event]}
    assert {mode for cover in Cover for event in CORE[cover] for mode in CORE[cover][event]} == set(Mode)


def test_every_answer_is_the_one_that_a_plain_reading_gives():
    for state, trigger, done in EVERYTHING:
        twin = twin_of(state, trigger.latching)
        refusal = ask_twin(twin, trigger)
        if isinstance(done, Reason):
            assert refusal == done.value, (state, trigger)
            continue
        assert refusal is None, (state, trigger, refusal)
        assert done.state == shown(twin), (state, trigger)
        assert done.state.letter == twin.letter(), (state, trigger)
        assert (Effect.SOUND in done.effects) == twin.sounded, (state, trigger)
        assert (Effect.OPENS_INSTANCE in done.effects) == bool(twin.opened), (state, trigger)
        assert (Effect.ENDS_INSTANCE in done.effects) == bool(twin.ended), (state, trigger)
        joined = twin.activations > 0 and not twin.opened
        assert (Effect.JOINS_INSTANCE in done.effects) == joined, (state, trigger)
        assert (Effect.STARTS_REALARM in done.effects) == twin.realarm, (state, trigger)


def test_every_reason_is_given_somewhere():
    assert {done for _, _, done in EVERYTHING if isinstance(done, Reason)} == set(Reason)


def test_every_letter_is_shown_somewhere():
    assert {state.letter for state in STATES} == set(Letter)


def test_no_event_but_the_process_moves_the_process():
    process = {Event.RAISED, Event.RETURNED, Event.LEVEL_UP, Event.LEVEL_DOWN}
    for state, trigger, done in ALLOWED:
        if trigger.event not in process:
            assert (done.state.active, done.state.level) == (state.active, state.level)


def test_nothing_sounds_beneath_a_hold_and_what_sounds_is_unacknowledged():
    for _, _, done in ALLOWED:
        if Effect.SOUND in done.effects:
            assert done.state.letter is Letter.B


def test_people_answer_only_for_what_is_shown():
    for state, trigger, done in EVERYTHING:
        if trigger.event in PEOPLE and state.cover is not Cover.OPEN:
            assert done is Reason.HELD


def test_nobody_but_a_person_takes_away_what_is_owed():
    for state, trigger, done in ALLOWED:
        if done.state.acknowledged and not state.acknowledged:
            assert trigger.event is Event.ACKNOWLEDGE


def test_a_latch_goes_by_a_reset_alone_and_only_where_the_process_is_normal():
    for state, trigger, done in ALLOWED:
        if state.latched and not done.state.latched:
            assert (trigger.event, state.active, state.acknowledged) == (Event.RESET, False, True)


def test_release_of_the_last_hold_never_shows_an_active_alarm_as_acknowledged():
    for state, _, done in ALLOWED:
        if state.cover is not Cover.OPEN and done.state.cover is Cover.OPEN and done.state.active:
            assert done.state.letter is Letter.B
            assert Effect.SOUND in done.effects


def test_an_instance_stands_exactly_while_the_core_is_not_normal():
    for state, _, done in ALLOWED:
        stood = state.mode is not Mode.NORMAL or Effect.OPENS_INSTANCE in done.effects
        stands = stood and Effect.ENDS_INSTANCE not in done.effects
        assert stands == (done.state.mode is not Mode.NORMAL)


class Life(RuleBasedStateMachine):
    """An alarm and its twin through any sequence of events."""

    @initialize(latches=st.booleans())
    def begin(self, latches: bool) -> None:
        self.latches, self.state, self.twin = latches, State(), Alarm(latches)

    @rule(event=st.sampled_from(Event), level=st.sampled_from((1, 2)), once=st.booleans())
    def befall(self, event: Event, level: int, once: bool) -> None:
        trigger = Trigger(event, level, self.latches, once)
        done, refusal = step(self.state, trigger), ask_twin(self.twin, trigger)
        if isinstance(done, Reason):
            assert refusal == done.value
            return
        assert refusal is None
        assert (Effect.SOUND in done.effects) == self.twin.sounded
        self.state = done.state

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "twin"):
            assert self.state == shown(self.twin)
            assert self.twin.opened - self.twin.ended == (self.state.mode is not Mode.NORMAL)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
