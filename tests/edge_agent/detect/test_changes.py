"""Which texts and status codes are put on record, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contract.batch import Said
from contract.clock import NS_PER_S
from contract.events import TEXT_LENGTH_MAX
from edge_agent.detect.changes import CHANGES_MAX, WINDOW_NS, Changes


def said(what: str | int, at_s: float = 0.0, point: int = 7, quality: int = 0) -> Said:
    return Said(point, round(at_s * NS_PER_S), round(at_s * NS_PER_S), quality, what)


def test_what_is_repeated_is_no_news_and_what_changes_names_what_was() -> None:
    changes = Changes()
    found = [changes.heard([said(text, second)]) for second, text in enumerate(["a", "a", "b", "b", "a"])]
    assert [[(each.said.what, each.former) for each in part] for part in found] == [
        [("a", None)], [], [("b", "a")], [], [("a", "b")]
    ]  # fmt: skip


def test_a_good_status_is_no_news_of_a_point_that_had_no_other() -> None:
    changes = Changes()
    assert changes.heard([said(0)]) == []
    (bad,) = changes.heard([said(0x8034_0000, 1)])
    assert (bad.said.what, bad.former) == (0x8034_0000, 0)
    (good,) = changes.heard([said(0, 2)])
    assert (good.said.what, good.former) == (0, 0x8034_0000)


def test_the_first_status_is_news_where_it_is_not_good() -> None:
    (change,) = Changes().heard([said(0x4094_0000)])
    assert change.former is None


def test_a_text_and_a_status_of_one_point_and_another_point_are_apart() -> None:
    assert len(Changes().heard([said("a"), said(5), said("a", point=8)])) == 3


def test_a_long_text_is_cut_and_compared_as_it_was_cut() -> None:
    changes = Changes()
    (change,) = changes.heard([said("x" * TEXT_LENGTH_MAX + "1")])
    assert change.said.what == "x" * TEXT_LENGTH_MAX
    assert changes.heard([said("x" * TEXT_LENGTH_MAX + "2")]) == []


def test_a_flapping_text_is_left_out_counted_and_told_in_the_end() -> None:
    changes = Changes()
    found = [each for second in range(11) for each in changes.heard([said("ab"[second % 2], second)])]
    assert [each.left_out for each in found] == [0] * CHANGES_MAX
    before_ns = WINDOW_NS - 1
    assert changes.tick(before_ns, before_ns) == []
    (last,) = changes.tick(WINDOW_NS, WINDOW_NS)
    assert (last.said.what, last.former, last.left_out, last.mono_ns) == ("a", "b", 4, WINDOW_NS)
    assert changes.tick(2 * WINDOW_NS, 2 * WINDOW_NS) == []


STEPS = st.lists(
    st.tuples(st.floats(0, 30), st.sampled_from([5, 6]), st.sampled_from(["a", "b", 0, 1, None])), max_size=80
)


@given(STEPS)
def test_never_too_many_nothing_uncounted_and_the_last_word_comes(
    steps: list[tuple[float, int, str | int | None]],
) -> None:
    """``None`` is a tick."""
    changes, at_s = Changes(), 0.0
    recorded, true, latest = [], dict[tuple[int, type], int](), dict[tuple[int, type], str | int]()
    for pause_s, point, what in steps:
        at_s += pause_s
        if what is None:
            recorded += changes.tick(round(at_s * NS_PER_S), round(at_s * NS_PER_S))
            continue
        key = point, type(what)
        if latest.get(key, 0) != what:
            true[key] = true.get(key, 0) + 1
        latest[key] = what
        recorded += changes.heard([said(what, at_s, point)])
    end_ns = round(at_s * NS_PER_S) + WINDOW_NS
    recorded += changes.tick(end_ns, end_ns)
    for key, count in true.items():
        mine = [each for each in recorded if (each.said.point, type(each.said.what)) == key]
        assert sum(each.left_out + 1 for each in mine) == count
        assert mine[-1].said.what == latest[key]
        assert [each.former for each in mine[1:]] == [each.said.what for each in mine[:-1]]
        times = [each.mono_ns for each in mine]
        assert all(b - a >= WINDOW_NS for a, b in zip(times, times[CHANGES_MAX:], strict=False))
