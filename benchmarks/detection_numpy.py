"""The safety kernel once more, over whole scans with numpy: what ``benchmarks.detection`` measures the kernel against.

A scan holds every row once and in order (devices first). Columns are arrays of their own, as numpy likes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.quality import SEVERITY_BAD, SEVERITY_GOOD, SEVERITY_MASK, Quality
from edge_agent.detect.kernels import conditions
from edge_agent.detect.layout import TRANSITION, Records

Column = NDArray[Any]
_SILENT = (Quality.BAD_COMM_FAILURE, Quality.BAD_STALE, Quality.BAD_NEVER_READ)


class Twin:
    """State of all points as columns; ``scan`` judges one whole scan."""

    def __init__(self, params: Records, state: Records) -> None:
        self.p = {name: np.ascontiguousarray(params[name]) for name in params.dtype.names or ()}
        self.limits = [(self.p["h"], self.p["hh"]), (-self.p["l"], -self.p["ll"])]
        self.has_device = self.p["device_row"] != np.arange(len(params))
        self.s = {name: np.ascontiguousarray(state[name]) for name in state.dtype.names or ()}
        self.level = [self.s["high_level"], self.s["low_level"]]
        self.timer = [[self.s[f"{side}_timer_{k}_ns"] for k in (1, 2)] for side in ("high", "low")]
        self.pending = [[np.zeros(len(params), np.bool_) for _ in range(2)] for _ in range(2)]
        self.fault_pending = np.zeros(len(params), np.bool_)

    def scan(self, batch: SampleBatch) -> Records:
        """TRANSITION[k], by row and kind."""
        self._advance(batch.mono_ns)
        self._take(batch)
        severity = self.s["quality"] & SEVERITY_MASK
        bad, good = severity >= SEVERITY_BAD, severity == SEVERITY_GOOD
        found = [self._settle_side(0, self.s["value"], bad, good, batch)]
        found.append(self._settle_side(1, -self.s["value"], bad, good, batch))
        found.append(self._settle_fault(bad, batch))
        if not any(map(len, found)):
            return found[0]
        every = np.concatenate(found)
        return every[np.lexsort((every["kind"], every["row"]))]

    def _advance(self, mono_ns: Column) -> None:
        elapsed_ns = np.maximum(mono_ns - self.s["last_eval_ns"], 0)
        self.s["last_eval_ns"] += elapsed_ns
        severity = self.s["quality"] & SEVERITY_MASK
        fit, good = severity < SEVERITY_BAD, severity == SEVERITY_GOOD
        for side in (0, 1):
            for k in (0, 1):
                runs = self.pending[side][k] & fit & (good | (self.level[side] <= k))
                self.timer[side][k] += elapsed_ns * runs
        self.s["fault_timer_ns"] += elapsed_ns * self.fault_pending

    def _take(self, batch: SampleBatch) -> None:
        severity = batch.quality & SEVERITY_MASK
        quality = np.where(
            (severity < SEVERITY_BAD) & ~np.isfinite(batch.value), Quality.BAD_SENSOR_FAILURE, batch.quality
        )
        outside = (batch.value < self.p["range_low"]) | (batch.value > self.p["range_high"])
        quality[outside & (quality & SEVERITY_MASK == SEVERITY_GOOD)] = Quality.UNCERTAIN_OUT_OF_RANGE
        fit = quality & SEVERITY_MASK < SEVERITY_BAD
        self.s["quality"][:] = quality
        np.copyto(self.s["value"], batch.value, where=fit)
        np.copyto(self.s["raw"], batch.raw, where=fit)
        np.maximum(self.s["last_mono_ns"], batch.mono_ns, out=self.s["last_mono_ns"], where=~self._silent())

    def _silent(self) -> Column:
        quality = self.s["quality"]
        silent: Column = (quality == _SILENT[0]) | (quality == _SILENT[1]) | (quality == _SILENT[2])
        return silent

    def _wants(self, side: int, value: Column, level: Column) -> tuple[Column, Column]:
        limit_1, limit_2 = self.limits[side]
        deadband = self.p["deadband"]
        on_1, on_2 = level >= 1, level >= 2
        wants_1 = (value >= np.where(on_1, limit_1 - deadband, limit_1)) != on_1
        return wants_1, (value >= np.where(on_2, limit_2 - deadband, limit_2)) != on_2

    def _settle_side(self, side: int, value: Column, bad: Column, good: Column, batch: SampleBatch) -> Records:
        p, (timer_1, timer_2), level = self.p, self.timer[side], self.level[side]
        wants_1, wants_2 = self._wants(side, value, level)
        timer_1[~(wants_1 | bad)] = 0
        timer_2[~(wants_2 | bad)] = 0
        due_1 = wants_1 & (timer_1 >= np.where(level >= 1, p["off_delay_ns"], p["on_delay_ns"]))
        due_2 = wants_2 & (timer_2 >= np.where(level == 2, p["off_delay_ns"], p["on_delay_2_ns"]))
        falls = good & np.where(level == 2, due_2, due_1)
        new = np.where(level == 0, due_1, np.where(falls, (level == 2) & ~due_1, level))
        new = np.where(bad, level, np.where((level < 2) & due_2, 2, new)).astype(np.uint8)
        changed = np.flatnonzero(new != level)
        np.copyto(self.pending[side][0], wants_1, where=~bad)
        np.copyto(self.pending[side][1], wants_2, where=~bad)
        if len(changed) == 0:
            return np.zeros(0, TRANSITION)
        return self._change_side(side, value, changed, new, batch)

    def _change_side(self, side: int, value: Column, changed: Column, new: Column, batch: SampleBatch) -> Records:
        level, (timer_1, timer_2), limits = self.level[side], self.timer[side], self.limits[side]
        was, now = level[changed], new[changed]
        only_2 = (was == 2) & ((now == 1) | np.isnan(limits[0][changed]))
        about_2 = np.where(now > was, now == 2, only_2)
        out = self._records(side, changed, was, now, batch)
        sign = 1.0 if side == 0 else -1.0
        out["setpoint"] = sign * np.where(about_2, limits[1][changed], limits[0][changed])
        out["elapsed_ns"] = np.where(about_2, timer_2[changed], timer_1[changed])
        level[changed] = now
        timer_1[changed[(was == 0) | (now == 0)]] = 0
        timer_2[changed[(was == 2) | (now == 2)]] = 0
        for pending, wants in zip(self.pending[side], self._wants(side, value, level), strict=True):
            pending[changed] = wants[changed]
        return out

    def _settle_fault(self, bad: Column, batch: SampleBatch) -> Records:
        p, s = self.p, self.s
        standing = s["fault_level"] != 0
        excused = self.has_device & self._silent() & bad[p["device_row"]]
        early = (s["quality"] == Quality.BAD_NEVER_READ) & (batch.mono_ns - s["last_mono_ns"] <= p["stale_ns"])
        wants = np.where(standing, ~bad, bad & ~excused & ~early)
        s["fault_timer_ns"][~wants] = 0
        delay_ns = np.where(standing, p["fault_off_delay_ns"], p["fault_on_delay_ns"])
        due = wants & (s["fault_timer_ns"] >= delay_ns)
        np.copyto(self.fault_pending, wants & ~due)
        changed = np.flatnonzero(due)
        if len(changed) == 0:
            return np.zeros(0, TRANSITION)
        was = s["fault_level"][changed]
        out = self._records(conditions.KIND_FAULT, changed, was, 1 - was, batch)
        out["setpoint"] = np.nan
        out["elapsed_ns"] = s["fault_timer_ns"][changed]
        s["fault_level"][changed] = 1 - was
        s["fault_timer_ns"][changed] = 0
        return out

    def _records(self, kind: int, changed: Column, was: Column, now: Column, batch: SampleBatch) -> Records:
        out = np.zeros(len(changed), TRANSITION)
        bad = self.s["quality"][changed] & SEVERITY_MASK >= SEVERITY_BAD
        out["mono_ns"], out["time_ns"] = batch.mono_ns[changed], batch.time_ns[changed]
        out["value"] = np.where(bad, np.nan, self.s["value"][changed])
        out["raw"] = np.where(bad, 0, self.s["raw"][changed])
        out["row"], out["kind"], out["old_level"], out["new_level"] = changed, kind, was, now
        out["quality"] = self.s["quality"][changed]
        return out
