"""What a judged sample costs, against the same rules in C and in numpy.

``run`` builds the C twin with ``cc`` in a temporary folder, checks that all three give the same transitions and states
over many scans, then times them in turns within one run. Samples are synthetic: mostly quiet points, some that cross
their limits, some out of range, some without an answer.
"""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import detection_quality
from benchmarks.detection_numpy import Twin
from contract.batch import TICK, SampleBatch
from contract.clock import NS_PER_S
from contract.points import Catalogue, Limits, PointRole, PointSpec
from contract.quality import Quality
from edge_agent.detect.compile import plan
from edge_agent.detect.kernels import conditions, jit
from edge_agent.detect.layout import TRANSITION, Records, new_state

SIZES: Final = (1_000, 10_000)
POINTS_PER_DEVICE: Final = 50
CHECKED_SCANS: Final = 240
WARM_SCANS: Final = 8
TIMED_SAMPLES: Final = 320_000
REPETITIONS: Final = 15
VS_C_MAX: Final = 1.15
VS_NUMPY_MIN: Final = 8.0

Judge = Callable[[SampleBatch], Records]
"""Judges one scan whose points are rows; returns its transitions."""


def run() -> list[dict[str, Any]]:
    """Rows for ``benchmarks.run``; RuntimeError where two implementations differ by a bit."""
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder))
        check(library)
        rows = [row for size in SIZES for row in measure(size, library)]
    addresses.cache_clear()
    return rows + list(detection_quality.scored_rows())


def measure(size: int, library: ctypes.CDLL | None) -> Iterator[dict[str, Any]]:
    """Rows for scans of ``size`` points."""
    suffix = "" if size == SIZES[0] else f".n{size}"
    medians = time_in_turns(size, library)
    kernel = "kernel" if jit.COMPILED else "kernel (interpreted: numba is not installed)"
    yield row(f"detection.kernel_ns_per_sample{suffix}", medians["kernel"], "ns", f"{kernel}, scans of {size} points")
    if library is None:
        yield row(f"detection.kernel_vs_c{suffix}", None, "x", "skipped: no C compiler (cc)", VS_C_MAX)
    else:
        ratio = medians["kernel"] / medians["c"]
        reference = f"C -O3 -ffp-contract=off, scans of {size} points, outputs identical (goal: at most)"
        yield row(f"detection.kernel_vs_c{suffix}", ratio, "x", reference, VS_C_MAX, met=ratio <= VS_C_MAX)
    ratio = medians["numpy"] / medians["kernel"]
    reference = f"numpy over whole scans of {size} points, outputs identical (goal: at least)"
    yield row(f"detection.kernel_vs_numpy{suffix}", ratio, "x", reference, VS_NUMPY_MIN, met=ratio >= VS_NUMPY_MIN)


def row(
    name: str, value: float | None, unit: str, reference: str, goal: float | None = None, *, met: bool | None = None
) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "reference": reference, "goal": goal, "met": met}


def time_in_turns(size: int, library: ctypes.CDLL | None) -> dict[str, float]:
    """Median ns per sample of each implementation; every repetition times all of them on the same scans."""
    scans = [scan(size, number) for number in range(WARM_SCANS + TIMED_SAMPLES // size)]
    for batch in scans:
        addresses(batch)
    spent: dict[str, list[float]] = {}
    for _ in range(REPETITIONS):
        for name, judge in implementations(size, library).items():
            for batch in scans[:WARM_SCANS]:  # touches the arrays, loads the kernel the first time
                judge(batch)
            begun_ns = time.perf_counter_ns()
            for batch in scans[WARM_SCANS:]:
                judge(batch)
            spent.setdefault(name, []).append((time.perf_counter_ns() - begun_ns) / TIMED_SAMPLES)
    return {name: statistics.median(times) for name, times in spent.items()}


def implementations(size: int, library: ctypes.CDLL | None) -> dict[str, Judge]:
    """Each with fresh state."""
    params = plan(site(size)).params
    judges: dict[str, Judge] = {"kernel": in_kernel(params), "numpy": Twin(params, new_state(size, 0)).scan}
    return judges if library is None else judges | {"c": in_c(library, params)}


def in_kernel(params: Records, state: Records | None = None) -> Judge:
    state = new_state(len(params), 0) if state is None else state
    out = np.zeros(len(params) * conditions.TRANSITIONS_PER_POINT + 8, TRANSITION)

    def judge(batch: SampleBatch) -> Records:
        _, written = conditions.judge(
            batch.point, batch.time_ns, batch.mono_ns, batch.value, batch.quality, batch.raw, params, state, out
        )
        return out[:written]

    return judge


def in_c(library: ctypes.CDLL, params: Records, state: Records | None = None) -> Judge:
    state = new_state(len(params), 0) if state is None else state
    out = np.zeros(len(params) * conditions.TRANSITIONS_PER_POINT + 8, TRANSITION)
    written = ctypes.c_int64()
    kept = (params, state, out)  # C holds addresses only
    tail = (len(params), params.ctypes.data, state.ctypes.data, len(out), out.ctypes.data, ctypes.addressof(written))

    def judge(batch: SampleBatch) -> Records:
        library.judge(len(batch), *addresses(batch), *tail)
        return kept[2][: written.value]

    return judge


@cache
def addresses(batch: SampleBatch) -> tuple[int, ...]:
    """Of its columns; numpy takes longer to tell them than C to judge a hundred samples, so they are looked up once."""
    columns = (batch.point, batch.time_ns, batch.mono_ns, batch.value, batch.quality, batch.raw)
    return tuple(column.ctypes.data for column in columns)


def build(folder: Path) -> ctypes.CDLL | None:
    """The C twin as a library, None without a compiler. CalledProcessError where it does not compile."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    target = folder / "detection_kernel.so"
    source = Path(__file__).with_suffix("").parent / "detection_kernel.c"
    subprocess.run([compiler, "-O3", "-ffp-contract=off", "-shared", "-fPIC", source, "-o", target], check=True)
    library = ctypes.CDLL(str(target))
    size, pointer = ctypes.c_int64, ctypes.c_void_p
    library.judge.argtypes = [size, *[pointer] * 6, size, pointer, pointer, size, pointer, pointer]
    library.judge.restype = size
    return library


def check(library: ctypes.CDLL | None, size: int = SIZES[0]) -> int:
    """Transitions that all implementations agreed on; RuntimeError with the scan where they did not."""
    params = plan(site(size)).params
    kernel_state, c_state = new_state(size, 0), new_state(size, 0)
    kernel, twin = in_kernel(params, kernel_state), Twin(params, new_state(size, 0))
    c = None if library is None else in_c(library, params, c_state)
    ticked, ticked_c = in_kernel(params), None if library is None else in_c(library, params)
    agreed = 0
    for number in range(CHECKED_SCANS):
        batch = scan(size, number)
        expected = kernel(batch)
        same("numpy", number, expected, twin.scan(batch))
        agreed += len(expected)
        if c is not None and ticked_c is not None:
            same("C", number, expected, c(batch))
            same("C, state", number, kernel_state, c_state)
            with_tick = SampleBatch.concat([batch, SampleBatch.tick(0, (number + 1) * NS_PER_S + NS_PER_S // 2)])
            same("C with TICKs", number, ticked(with_tick), ticked_c(with_tick))
    if agreed == 0:
        raise RuntimeError("no transition in any scan: nothing was compared")
    return agreed


def same(what: str, number: int, expected: Records, found: Records) -> None:
    names = expected.dtype.names or ()
    if len(expected) != len(found) or any(expected[n].tobytes() != found[n].tobytes() for n in names):
        raise RuntimeError(f"{what} differs from the kernel in scan {number}")


def site(size: int) -> Catalogue:
    """Points in groups of one device and its measurements, with limits, delays and ranges of several kinds."""
    devices = size // POINTS_PER_DEVICE
    kinds = (
        Limits(h=25.0, hh=50.0, deadband=2.0, off_delay_s=3.0),
        Limits(ll=-20.0, l=-10.0, h=25.0, hh=40.0, deadband=1.0, on_delay_s=2.0, on_delay_2_s=1.0, off_delay_s=2.0),
        Limits(h=30.0, deadband=0.5),
        Limits(),
    )
    return Catalogue(1, tuple(
        PointSpec(
            i, f"t{i}", "plant/source", f"d{i % devices}", PointRole.DEVICE if i < devices else PointRole.MEASUREMENT,
            limits=kinds[i % len(kinds)] if i >= devices else Limits(), range_low=-50.0, range_high=100.0,
            fault_off_delay_s=float(i % 3),
        )
        for i in range(size)
    ))  # fmt: skip


def scan(size: int, number: int) -> SampleBatch:
    """Scan ``number``, one second after the one before: every row once; 3 % move far, 1 % give no or a broken answer."""
    chance = np.random.default_rng(number)
    episode = np.random.default_rng(number // 8)  # what is bad or far stays so for eight scans, so that delays run out
    batch = SampleBatch.zeros(size)
    batch.point[:] = np.arange(size)
    batch.mono_ns[:] = (number + 1) * NS_PER_S + np.arange(size)
    batch.time_ns[:] = batch.mono_ns + 10**18
    far = np.where(episode.random(size) < 0.03, episode.uniform(-60.0, 130.0, size), 0.0)
    batch.raw[:] = chance.normal(0.0, 30.0, size).astype(np.int64)
    batch.value[:] = 5.0 + batch.raw * 0.01 + far
    batch.value[chance.random(size) < 0.001] = np.nan
    fate = episode.random(size)
    batch.quality[fate < 0.02] = Quality.UNCERTAIN_CALIBRATION
    batch.quality[fate < 0.01] = Quality.BAD_COMM_FAILURE
    batch.quality[fate < 0.002] = Quality.BAD_SENSOR_FAILURE
    assert TICK not in batch.point
    return batch
