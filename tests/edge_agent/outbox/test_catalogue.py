"""Versions and ids: an id means one thing for ever."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.points import Catalogue, ConditionClass, Limits, PointSpec, PointType
from edge_agent.outbox.catalogue import decode_points, encode_points, next_catalogue

POINT = PointSpec(0, "AT-1", "acme/tanks", "plc", type=PointType.INT16, address="holding:1", unit="ppm", scale=0.1)


def ids(catalogue: Catalogue) -> dict[str, int]:
    return {point.tag: point.id for point in catalogue}


def test_ids_begin_at_one_and_the_same_points_are_the_same_version() -> None:
    first = next_catalogue([POINT, replace(POINT, tag="AT-2")], None, 1)
    assert (first.version, ids(first)) == (1, {"AT-1": 1, "AT-2": 2})
    assert next_catalogue([replace(POINT, tag="AT-2", id=77), POINT], first, 3) is first


@pytest.mark.parametrize(
    "change",
    [{"unit": "ppb"}, {"range_high": 100.0}, {"range_low": 0.0}, {"scale": 0.2}, {"offset": 1.0},
     {"type": PointType.UINT16}, {"address": "holding:2"}, {"device": "plc2"}],
)  # fmt: skip
def test_a_number_that_would_be_read_otherwise_gets_a_new_id(change) -> None:
    first = next_catalogue([POINT], None, 1)
    second = next_catalogue([replace(POINT, **change)], first, 2)
    assert (second.version, ids(second)) == (2, {"AT-1": 2})
    third = next_catalogue([POINT], second, 3)  # and back: former ids stay taken
    assert (third.version, ids(third)) == (3, {"AT-1": 3})


@pytest.mark.parametrize("change", [{"limits": Limits(h=5.0)}, {"description": "x"}, {"org": "acme/tanks/unit1"},
                                    {"poll_s": 2.0}, {"limit_class": ConditionClass.ADVISORY}])  # fmt: skip
def test_other_changes_make_a_version_and_keep_the_id(change) -> None:
    first = next_catalogue([POINT], None, 1)
    second = next_catalogue([replace(POINT, **change)], first, 2)
    assert (second.version, ids(second)) == (2, {"AT-1": 1})


def test_a_rename_keeps_the_id() -> None:
    first = next_catalogue([POINT, replace(POINT, tag="AT-2")], None, 1)
    second = next_catalogue([replace(POINT, tag="GT-1", was="AT-1"), replace(POINT, tag="AT-2")], first, 3)
    assert ids(second) == {"GT-1": 1, "AT-2": 2}
    assert next_catalogue([replace(POINT, tag="GT-1", was="AT-1"), replace(POINT, tag="AT-2")], second, 3) is second
    changed = next_catalogue([replace(POINT, tag="GT-1", was="AT-1", unit="ppb")], first, 3)
    assert ids(changed) == {"GT-1": 3}


def test_two_points_never_share_an_id_though_one_took_the_others_former_tag() -> None:
    first = next_catalogue([POINT], None, 1)
    second = next_catalogue([POINT, replace(POINT, tag="GT-1", was="AT-1")], first, 2)
    assert sorted(ids(second).values()) == [1, 2]
    assert ids(second)["AT-1"] == 1


numbers = st.floats(allow_nan=True, allow_infinity=True)
points = st.builds(
    PointSpec, st.integers(1, 9), st.sampled_from(["A", "阀门-1"]), st.just("acme/tanks/u1"), st.just("plc"),
    type=st.sampled_from(list(PointType)), scale=st.floats(0.1, 9), range_low=numbers, range_high=numbers,
    limits=st.builds(Limits, numbers, numbers, numbers, numbers, st.floats(0, 5)),
    report_deadband=st.none() | st.floats(0, 9), was=st.none() | st.just("B"), stale_s=st.integers(1, 3),
)  # fmt: skip


@given(st.lists(points, max_size=4))
def test_a_stored_version_reads_back_as_it_was(items) -> None:
    catalogue = Catalogue(7, tuple(items))
    again = decode_points(7, encode_points(catalogue))
    assert encode_points(again) == encode_points(catalogue)
    assert repr(again).replace("nan", "NaN") == repr(expected(catalogue)).replace("nan", "NaN")


def expected(catalogue: Catalogue) -> Catalogue:
    """-0.0 has no other form than 0 in canonical JSON; whole seconds come back as floats."""

    def plain(value: float) -> float:
        return float(value) + 0.0

    return Catalogue(catalogue.version, tuple(
        replace(
            point, range_low=plain(point.range_low), range_high=plain(point.range_high), stale_s=plain(point.stale_s),
            limits=Limits(*(plain(getattr(point.limits, name)) for name in Limits.__slots__)),
            report_deadband=None if point.report_deadband is None else plain(point.report_deadband),
        )
        for point in catalogue
    ))  # fmt: skip


def test_the_store_keeps_all_versions_over_a_restart(bench, run) -> None:
    async def scenario() -> None:
        store = bench.open()
        first = store.catalogue(bench.points(3))
        assert store.catalogue(bench.points(3)) is first
        second = store.catalogue([replace(point, unit="ppb") for point in bench.points(3)])
        await store.close()
        again = bench.open()
        assert again.catalogues(0) == [first, second] or repr(again.catalogues(0)) == repr([first, second])
        assert [each.version for each in again.catalogues(1)] == [2]
        assert again.catalogue([replace(point, unit="ppb") for point in bench.points(3)]).version == 2
        assert sorted(ids(again.catalogue(bench.points(3))).values()) == [7, 8, 9]
        assert math.isnan(again.catalogues(0)[0].points[0].limits.h)
        await again.close()

    run(scenario())
