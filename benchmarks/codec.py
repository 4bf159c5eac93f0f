"""What a telemetry sample costs on the wire, against what others send and against what is possible.

The made-up plant: 1000 points read once a second for a minute in one scan, every sample kept. Four kinds of points,
drawn at random: gas heads at rest (4-20 mA in 12 bits, noise under a count), pressures (16 bits, a walk with noise),
temperatures (tenths of a degree, a slow walk with noise), and numbers that stand still. The bound is the entropy rate
of these generators plus the first numbers; nothing lossless stays below it on average.
"""

from __future__ import annotations

import gzip
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.clock import NS_PER_MS, NS_PER_S
from contract.points import PointType
from contract.wire.chunk import decode_chunk, encode_chunk

POINTS: Final = 1_000
SCANS: Final = 60
SEED: Final = 7
START_NS: Final = 1_790_000_000 * NS_PER_S
BOOT_NS: Final = START_NS - 86_400 * NS_PER_S
BOUND_SAMPLES: Final = 100_000
REPETITIONS: Final = 15

GAS_ZERO: Final = 819
GAS_FULL: Final = 4095
GAS_NOISE: Final = 0.4
PRESSURE_STEP, PRESSURE_NOISE = 3.0, 2.0
TEMPERATURE_STEP, TEMPERATURE_NOISE = 0.15, 0.3
SHARES: Final = {"gas": 0.40, "pressure": 0.25, "temperature": 0.25, "constant": 0.10}
FIRST_NUMBER_BYTES: Final = 2
ROUNDING_VARIANCE: Final = 1 / 12
"""Of a number rounded to whole counts."""

VS_BOUND_MAX: Final = 1.30
VS_JSON_MAX: Final = 1 / 14
ENCODE_US_MAX: Final = 0.02
DECODE_US_MAX: Final = 0.02


def run() -> list[dict[str, Any]]:
    """Rows for ``benchmarks.run``; RuntimeError where a chunk does not come back as it went."""
    kinds = np.random.default_rng(SEED).choice(list(SHARES), POINTS, p=list(SHARES.values()))
    batch, scale = plant(kinds)
    types = dict.fromkeys(range(POINTS), PointType.UINT16)
    return list(measure(batch, scale, types, bound_bytes(kinds)))


def measure(
    batch: SampleBatch, scale: NDArray[np.float64], types: dict[int, PointType], bound: float
) -> Iterator[dict[str, Any]]:
    def encode() -> bytes:
        return encode_chunk(batch, 1, "0" * 32, types)

    chunk = encode()
    check(chunk, batch)
    bytes_per_sample = len(chunk) / len(batch)
    peers = len(gzip.compress(json_rows(batch, scale), 6))
    plant_text = f"{POINTS} points, {SCANS} scans a second apart, raw 16-bit numbers"
    yield row("codec.bytes_per_sample_60s", bytes_per_sample, "B", plant_text)
    yield row("codec.vs_json_gzip", len(chunk) / peers, "x", "JSON object per sample, gzip -6; at most", VS_JSON_MAX)
    reference = f"entropy rate of the generators and first numbers, {bound:.3f} B; at most"
    yield row("codec.vs_entropy_bound", bytes_per_sample / bound, "x", reference, VS_BOUND_MAX)
    settle_heap()
    for name, work, limit in (
        ("encode", encode, ENCODE_US_MAX),
        ("decode", lambda: decode_chunk(chunk), DECODE_US_MAX),
    ):
        taken = median_s(work) * 1e6 / len(batch)
        yield row(f"codec.{name}_us_per_sample", taken, "us", f"{plant_text}; at most", limit)


def row(name: str, value: float, unit: str, reference: str, at_most: float | None = None) -> dict[str, Any]:
    met = None if at_most is None else value <= at_most
    return {"name": name, "value": value, "unit": unit, "reference": reference, "goal": at_most, "met": met}


# --- the plant --------------------------------------------------------------------------------------------------------


def plant(kinds: NDArray[np.str_]) -> tuple[SampleBatch, NDArray[np.float64]]:
    """The batch, scan after scan, and the unit of each point per count."""
    rng = np.random.default_rng(SEED)
    raw = np.stack([series(str(kind), SCANS, rng) for kind in kinds], axis=1)
    jitter_ns = np.cumsum(rng.integers(-2, 3, SCANS)) // 2 * NS_PER_MS
    batch = SampleBatch.zeros(raw.size)
    batch.point[:] = np.tile(np.arange(POINTS), SCANS)
    batch.time_ns[:] = np.repeat(START_NS + np.arange(SCANS) * NS_PER_S + jitter_ns, POINTS)
    batch.mono_ns[:] = batch.time_ns - BOOT_NS
    batch.value[:] = np.nan
    batch.raw[:] = raw.ravel()
    per_count = {"gas": 100 / (GAS_FULL - GAS_ZERO), "pressure": 2.5 / 65535, "temperature": 0.1, "constant": 1.0}
    return batch, np.array([per_count[str(kind)] for kind in kinds])


def series(kind: str, length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """int64[length]: what a register of this kind shows."""
    match kind:
        case "gas":
            shown = GAS_ZERO + rng.normal(0, GAS_NOISE, length)
        case "pressure":
            shown = rng.uniform(8e3, 5e4) + walk(PRESSURE_STEP, PRESSURE_NOISE, length, rng)
        case "temperature":
            shown = rng.uniform(100, 800) + walk(TEMPERATURE_STEP, TEMPERATURE_NOISE, length, rng)
        case _:
            shown = np.full(length, float(rng.integers(0, 65535)))
    return np.rint(shown).astype(np.int64)


def walk(step: float, noise: float, length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.cumsum(rng.normal(0, step, length)) + rng.normal(0, noise, length)


def json_rows(batch: SampleBatch, scale: NDArray[np.float64]) -> bytes:
    """An object per sample, as most gateways publish."""
    columns = zip(
        batch.point.tolist(),
        (batch.time_ns // NS_PER_MS).tolist(),
        (batch.raw * scale[batch.point]).tolist(),
        strict=True,
    )
    rows = [{"id": f"site1.unit3.p{point:04d}", "ts": ms, "v": round(value, 4), "q": 0} for point, ms, value in columns]
    return json.dumps(rows).encode()


# --- what is possible -------------------------------------------------------------------------------------------------


def bound_bytes(kinds: NDArray[np.str_]) -> float:
    """Bytes per sample that the plant holds: each kind's entropy rate by its share, and one first number per point."""
    rng = np.random.default_rng(SEED)
    bits = {
        "gas": entropy_bits(series("gas", BOUND_SAMPLES, rng)),
        "pressure": innovation_bits(PRESSURE_STEP, PRESSURE_NOISE, rng),
        "temperature": innovation_bits(TEMPERATURE_STEP, TEMPERATURE_NOISE, rng),
        "constant": 0.0,
    }
    return statistics.fmean(bits[str(kind)] for kind in kinds) / 8 + FIRST_NUMBER_BYTES / SCANS


def innovation_bits(step: float, noise: float, rng: np.random.Generator) -> float:
    """Entropy of what the best linear predictor (the steady Kalman filter of walk and noise) leaves of a long series."""
    shown = np.rint(walk(step, noise, BOUND_SAMPLES, rng))
    walked, seen = step**2, noise**2 + ROUNDING_VARIANCE
    variance = (walked + (walked**2 + 4 * walked * seen) ** 0.5) / 2
    gain = variance / (variance + seen)
    left = np.empty(BOUND_SAMPLES)
    expected = shown[0]
    for at, number in enumerate(shown):
        left[at] = number - round(expected)
        expected += gain * (number - expected)
    return entropy_bits(left)


def entropy_bits(numbers: NDArray[Any]) -> float:
    share = np.unique(numbers, return_counts=True)[1] / len(numbers)
    return float(-(share * np.log2(share)).sum())


# --- timing -----------------------------------------------------------------------------------------------------------


def check(chunk: bytes, batch: SampleBatch) -> None:
    got = decode_chunk(chunk).batch
    order = np.argsort(batch.point, kind="stable")
    for name in ("point", "time_ns", "mono_ns", "quality", "raw"):
        if not np.array_equal(getattr(got, name), getattr(batch, name)[order]):
            raise RuntimeError(f"{name} came back changed")


def settle_heap() -> None:
    """A process that runs for long has freed a large block once, and glibc then keeps freed memory instead of handing
    it back after each call; without this every array would be paid for with fresh pages."""
    np.ones(4_000_000)


def median_s(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
