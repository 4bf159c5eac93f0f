"""A comparison that finds what was planted, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.ids import Lane
from hil_tests.compare import Committed, Gap, MessageKey, compare, parse_ledger

EPOCH = "0" * 32
streams = st.tuples(st.sampled_from(["a1", "a2"]), st.sampled_from([EPOCH, "1" * 32]), st.sampled_from(Lane))


def message(seq: int, agent: str = "a1", epoch: str = EPOCH, lane: Lane = Lane.EVENTS, digest: str = "") -> Committed:
    return Committed(MessageKey(agent, epoch, lane, seq, digest or f"d{seq}"), 1000 + seq, 0)


@st.composite
def histories(draw: st.DrawFn) -> list[Committed]:
    """Streams with ascending numbers that may have holes, interleaved as commits of different streams are."""
    left = {stream: sorted(draw(st.sets(st.integers(1, 50), max_size=12))) for stream in draw(st.sets(streams))}
    history = []
    while left := {stream: numbers for stream, numbers in left.items() if numbers}:
        stream = draw(st.sampled_from(sorted(left)))
        history.append(message(left[stream].pop(0), *stream))
    return history


@given(history=histories())
def test_a_faithful_history_has_no_findings(history: list[Committed]) -> None:
    assert compare(reversed(history), history).whole


@given(history=histories().filter(bool), data=st.data())
def test_each_message_taken_away_is_lost(history: list[Committed], data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(range(len(history))), min_size=1))
    received = [each for i, each in enumerate(history) if i not in gone]
    found = compare(history, received)
    assert set(found.lost) == {history[i].key for i in gone}
    assert (found.duplicated, found.out_of_order) == ((), ())


@given(history=histories().filter(bool), data=st.data())
def test_each_further_copy_is_a_duplicate(history: list[Committed], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(history), min_size=1, max_size=5))
    found = compare(history, history + again)
    assert sorted(found.duplicated) == sorted(each.key for each in again)
    assert found.lost == ()


@given(history=histories(), data=st.data())
def test_a_message_behind_a_later_one_of_its_stream_is_out_of_order(
    history: list[Committed], data: st.DataObject
) -> None:
    pairs = [
        (i, j) for i, one in enumerate(history) for j in range(i + 1, len(history))
        if history[j].key[:3] == one.key[:3]
    ]  # fmt: skip
    if not pairs:
        return
    i, j = data.draw(st.sampled_from(pairs))
    received = [*history[:i], *history[i + 1 : j + 1], history[i], *history[j + 1 :]]
    found = compare(history, received)
    assert found.out_of_order == (history[i].key,)
    assert (found.lost, found.duplicated) == ((), ())


def test_a_message_that_arrives_with_other_bytes_is_lost() -> None:
    found = compare([message(1, digest="mine")], [message(1, digest="other")])
    assert found.lost == (message(1, digest="mine").key,)
    assert not found.whole


def test_a_number_committed_with_two_contents_is_a_duplicate() -> None:
    found = compare([message(1)], [message(1), message(1, digest="other")])
    assert found.duplicated == (message(1, digest="other").key,)


def test_what_an_agent_never_witnessed_is_no_finding() -> None:
    """It was killed between its commit and its ledger."""
    assert compare([message(1)], [message(1), message(2)]).whole


@pytest.mark.parametrize(
    ("gap", "lost"),
    [
        (Gap("a1", EPOCH, Lane.EVENTS, 2, 3), []),
        (Gap("a1", EPOCH, Lane.EVENTS, 3, 9), [2]),
        (Gap("a2", EPOCH, Lane.EVENTS, 2, 3), [2, 3]),
        (Gap("a1", EPOCH, Lane.TELEMETRY, 2, 3), [2, 3]),
        (Gap("a1", "1" * 32, Lane.EVENTS, 2, 3), [2, 3]),
    ],
)
def test_only_a_gap_that_names_the_message_explains_its_absence(gap: Gap, lost: list[int]) -> None:
    found = compare([message(1), message(2), message(3)], [message(1)], [gap])
    assert [key.seq for key in found.lost] == lost
    assert found.declared == 2 - len(lost)


def test_both_ends_ledgers_are_read_and_an_unfinished_line_is_not() -> None:
    line = {"lane": "telemetry", "epoch": EPOCH, "seq": 7, "digest": "ab", "mono_ns": 5, "samples": 60}
    mine = parse_ledger(json.dumps(line) + "\n" + '{"lane": "ev', "a1")
    theirs = parse_ledger(json.dumps({"agent": "a1", **line}) + "\n")
    assert mine == theirs == [Committed(MessageKey("a1", EPOCH, Lane.TELEMETRY, 7, "ab"), 5, 60)]
    assert compare([replace(mine[0], mono_ns=1)], theirs).whole


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"lane": "events"}'])
def test_a_foreign_line_is_refused(line: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse_ledger(line + "\n", "a1")
