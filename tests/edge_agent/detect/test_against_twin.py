"""The kernel against its slow plain twin, and what must not matter: batches, output room, compilation, restarts."""

from __future__ import annotations

import importlib
import struct
import sys
from collections.abc import Iterator
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.batch import TICK, SampleBatch
from contract.points import Catalogue, ConditionKind, Limits, PointRole, PointSpec
from contract.quality import Quality
from edge_agent.detect import engine as engine_module
from edge_agent.detect.checkpoint import pack, unpack
from edge_agent.detect.engine import Engine, Transition
from edge_agent.detect.kernels import conditions, jit
from edge_agent.detect.layout import TRANSITION
from naive.conditions import Site

NAN, INF = float("nan"), float("inf")
START_NS = 5_000
# Nanoseconds and a coarse grid of values, so that limits, delays and deadbands are met exactly and often.
DURATIONS_S = st.sampled_from([0.0, 1e-9, 2e-9, 3e-9, 7e-9])
VALUES = st.sampled_from([-3.0, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 1e300, NAN, INF, -INF])
QUALITIES = st.sampled_from(
    [Quality.GOOD] * 12 + [Quality.UNCERTAIN] * 4 + [Quality.BAD_COMM_FAILURE] * 3 + list(Quality)
)
LIMITS = st.sampled_from([NAN, NAN, -1.0, 0.0, 1.0, 2.0, 3.0])
NO_LIMIT = st.sampled_from([NAN, NAN, -2.0, 0.0, 4.0])


@st.composite
def specs(draw: st.DrawFn, delays_s: st.SearchStrategy[float] = DURATIONS_S) -> tuple[PointSpec, ...]:
    """Up to six points with scattered ids on devices a, b (DEVICE points among them, not first) and c (none)."""

    def spec(point: int, device: str, role: PointRole) -> PointSpec:
        return PointSpec(
            point, f"t{point}", "plant/source", device, role,
            limits=Limits(
                ll=draw(LIMITS), l=draw(LIMITS), h=draw(LIMITS), hh=draw(LIMITS),
                deadband=draw(st.sampled_from([0.0, 0.5, 1.0])),
                on_delay_s=draw(delays_s), on_delay_2_s=draw(delays_s), off_delay_s=draw(delays_s),
            ),
            range_low=draw(NO_LIMIT), range_high=draw(NO_LIMIT),
            stale_s=draw(st.sampled_from([2e-9, 9e-9, 1.0])),
            over_range=draw(NO_LIMIT), frozen_s=draw(delays_s), range_hold_s=draw(delays_s),
            fault_on_delay_s=draw(delays_s), fault_off_delay_s=draw(delays_s),
        )  # fmt: skip

    devices = [("a", PointRole.MEASUREMENT), ("b", PointRole.MEASUREMENT), ("a", PointRole.DEVICE),
               ("a", PointRole.MEASUREMENT), ("b", PointRole.DEVICE), ("c", PointRole.MEASUREMENT)]  # fmt: skip
    ids = (3, 4, 10, 11, 70, 2_000_000_000)
    return tuple(spec(point, *device) for point, device in zip(ids, devices, strict=True))


@st.composite
def rows(draw: st.DrawFn, min_size: int = 1) -> SampleBatch:
    """Samples and TICKs; time mostly goes on, sometimes stands, leaps or goes back."""
    step = st.tuples(
        st.sampled_from([3, 4, 10, 11, 70, 2_000_000_000, TICK, TICK]),
        st.sampled_from([0, 1, 1, 2, 3, 5, 40, -2]), VALUES, QUALITIES,
    )  # fmt: skip
    steps = draw(st.lists(step, min_size=min_size, max_size=60))
    batch = SampleBatch.zeros(len(steps))
    now_ns = START_NS
    for i, (point, by_ns, value, quality) in enumerate(steps):
        now_ns += by_ns
        batch.point[i], batch.mono_ns[i], batch.time_ns[i] = point, now_ns, now_ns + 10**18
        batch.value[i], batch.quality[i], batch.raw[i] = value, quality, i + 1
    return batch


def bits(found: tuple[object, ...]) -> tuple[object, ...]:
    """Floats by their bytes, so that NaN equals NaN and -0.0 is not 0.0."""
    return tuple(struct.pack("<d", x) if isinstance(x, float) else x for x in found)


def seen(transitions: list[Transition]) -> list[tuple[object, ...]]:
    assert all(transition.advice is None for transition in transitions)
    return [bits(astuple(transition)[:-1]) for transition in transitions]


def in_twin(catalogue: tuple[PointSpec, ...], batch: SampleBatch) -> tuple[Site, list[tuple[object, ...]]]:
    site = Site(catalogue, START_NS)
    columns = (batch.point, batch.time_ns, batch.mono_ns, batch.value, batch.quality, batch.raw)
    found = [f for row in zip(*(c.tolist() for c in columns), strict=True) for f in site.row(*row)]
    return site, [bits(f) for f in found]


def state_of(engine: Engine) -> bytes:
    return b"".join(engine._state[name].tobytes() for name in engine._state.dtype.names or ())


@settings(max_examples=300)
@given(specs(), rows())
def test_the_kernel_is_its_twin(catalogue, batch) -> None:
    engine = Engine(Catalogue(1, catalogue), START_NS)
    site, expected = in_twin(catalogue, batch)
    assert seen(engine.judge(batch)) == expected
    points = [site.points[int(point)] for point in engine.points]
    assert engine.quality().tolist() == [point.quality for point in points]
    assert engine.scanned_mono_ns().tolist() == [point.confirmed_ns for point in points]
    assert sorted(engine.conditions()) == sorted(
        [(point.id, side.kind, side.level) for point in points for side in point.sides if side.level]
        + [(point.id, "fault", 1) for point in points if point.fault]
        + [(point.id, "over_range", 1) for point in points if point.over_range]
        + [(point.id, "frozen", 1) for point in points if point.frozen]
    )
    watches = {"high_timer_1_ns": (0, 0), "high_timer_2_ns": (0, 1), "low_timer_1_ns": (1, 0), "low_timer_2_ns": (1, 1)}
    for name, (side, level) in watches.items():
        assert engine._state[name].tolist() == [point.sides[side].watches[level].ns for point in points]
    assert engine._state["below_timer_ns"].tolist() == [point.below_watch.ns for point in points]
    assert engine._state["frozen_timer_ns"].tolist() == [point.frozen_watch.ns for point in points]
    assert engine._state["fault_timer_ns"].tolist() == [point.fault_watch.ns for point in points]


@given(specs(), rows(min_size=2), st.data())
def test_any_split_of_a_batch_gives_the_same(catalogue, batch, data) -> None:
    whole, split = (Engine(Catalogue(1, catalogue), START_NS) for _ in range(2))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(batch)), max_size=5)))
    parts = [slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(batch)], strict=True)]
    found = [transition for part in parts for transition in split.judge(batch.select(part))]
    assert seen(found) == seen(whole.judge(batch))
    assert state_of(split) == state_of(whole)


@given(specs(), rows(min_size=2), st.data())
def test_a_state_put_away_and_loaded_anywhere_in_a_stream_changes_nothing(catalogue, batch, data) -> None:
    whole = Engine(Catalogue(1, catalogue), START_NS)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(batch)), min_size=1, max_size=3)))
    engine, found = Engine(Catalogue(1, catalogue), START_NS), []
    for a, b in zip([0, *cuts], [*cuts, len(batch)], strict=True):
        put_away = pack(engine.checkpoint())
        engine = Engine(Catalogue(1, catalogue), START_NS + 77)
        engine.load(unpack(put_away))
        found += engine.judge(batch.select(slice(a, b)))
    assert seen(found) == seen(whole.judge(batch))
    assert state_of(engine) == state_of(whole)


@given(specs(), rows(), st.integers(conditions.TRANSITIONS_PER_POINT, 8))
def test_room_for_output_changes_nothing(catalogue, batch, room) -> None:
    wide, narrow = (Engine(Catalogue(1, catalogue), START_NS) for _ in range(2))
    narrow._out = np.zeros(room, TRANSITION)
    assert seen(narrow.judge(batch)) == seen(wide.judge(batch))
    assert state_of(narrow) == state_of(wide)


@given(specs(st.just(0.0)), rows(), rows())
def test_levels_go_on_after_a_restart_as_if_there_had_been_none(catalogue, before, after) -> None:
    unbroken, first, second = (Engine(Catalogue(1, catalogue), START_NS) for _ in range(3))
    unbroken.judge(before)
    first.judge(before)
    assert second.restore(first.conditions()) == []
    assert second.conditions() == first.conditions()
    unbroken.judge(after)
    second.judge(after)
    levels = [
        [c for c in e.conditions() if c[1] not in {ConditionKind.FAULT, ConditionKind.FROZEN}]
        for e in (unbroken, second)
    ]
    assert levels[0] == levels[1]


@pytest.fixture
def interpreted(monkeypatch) -> Iterator[object]:
    """``kernels.conditions`` as it is where numba is not installed."""
    names = [jit.__name__, conditions.__name__]
    package = sys.modules["edge_agent.detect.kernels"]
    kept = {name: sys.modules.pop(name) for name in names} | {"numba": sys.modules.get("numba")}
    del package.jit, package.conditions
    sys.modules["numba"] = None  # type: ignore[assignment]
    monkeypatch.setenv("PARKSENTRY_KERNELS", "plain")
    try:
        plain = importlib.import_module(conditions.__name__)
        assert not plain.jit.COMPILED
        yield plain
    finally:
        sys.modules.update({name: module for name, module in kept.items() if module is not None})
        if kept["numba"] is None:
            del sys.modules["numba"]
        package.jit, package.conditions = jit, conditions  # type: ignore[attr-defined]


@pytest.mark.skipif(not jit.COMPILED, reason="numba is not installed: there is nothing to compare with")
def test_interpreted_is_compiled(interpreted, monkeypatch) -> None:
    @settings(max_examples=60)
    @given(specs(), rows())
    def same(catalogue, batch) -> None:
        fast, slow = (Engine(Catalogue(1, catalogue), START_NS) for _ in range(2))
        expected = seen(fast.judge(batch))
        with monkeypatch.context() as patch:
            patch.setattr(engine_module, "conditions", interpreted)
            assert seen(slow.judge(batch)) == expected
        assert state_of(slow) == state_of(fast)

    same()
