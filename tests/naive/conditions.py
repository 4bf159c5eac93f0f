"""Slow plain twin of the safety kernel: one object per point, one stopwatch per thing that is waited for.

Written from the rules, not from the kernel, and sharing no code with it; the oracle of tests/edge_agent/detect.
"""

import math

GOOD, UNCERTAIN, BAD = "good", "uncertain", "bad"
OUT_OF_RANGE, SENSOR_FAILURE, COMM_FAILURE, STALE, NEVER_READ = 0x41, 0x82, 0x81, 0x83, 0x86


def severity(quality):
    return {0: GOOD, 1: UNCERTAIN}.get(quality // 64, BAD)


def silent(quality):
    return quality in {COMM_FAILURE, STALE, NEVER_READ}


class Stopwatch:
    """Gathers time while it is wanted; forgets it when it is not."""

    def __init__(self):
        self.wanted = False
        self.ns = 0

    def want(self, wanted):
        if not wanted:
            self.ns = 0
        self.wanted = wanted

    def reached(self, delay_ns):
        return self.wanted and self.ns >= delay_ns


class Side:
    """HIGH or LOW of a point: two limits, each on or off."""

    def __init__(self, kind, limits, deadband, on_delays_ns, off_delay_ns):
        self.kind = kind
        self.limits = limits
        self.deadband = deadband
        self.on_delays_ns = on_delays_ns
        self.off_delay_ns = off_delay_ns
        self.on = [False, False]
        self.watches = [Stopwatch(), Stopwatch()]

    @property
    def level(self):
        return 2 if self.on[1] else 1 if self.on[0] else 0

    def restore(self, level):
        self.on = [level >= 1, level >= 2]

    def pass_time(self, ns, former):
        for on, watch in zip(self.on, self.watches, strict=True):
            if watch.wanted and (former == GOOD or (former == UNCERTAIN and not on)):
                watch.ns += ns

    def holds(self, value, limit, on):
        if math.isnan(limit):
            return False
        if self.kind == "high":
            return value >= limit - self.deadband if on else value >= limit
        return value <= limit + self.deadband if on else value <= limit

    def want(self, value):
        for k in (0, 1):
            self.watches[k].want(self.holds(value, self.limits[k], self.on[k]) != self.on[k])

    def judge(self, value, fit):
        """None, or (old level, new level, set-point, time gathered)."""
        self.want(value)
        old, was, gathered = self.level, list(self.on), [watch.ns for watch in self.watches]
        if old < 2 and self.watches[1].reached(self.on_delays_ns[1]):
            self.on = [True, True]
        elif old == 0 and self.watches[0].reached(self.on_delays_ns[0]):
            self.on = [True, False]
        elif fit == GOOD and old > 0:
            lets_go_1 = self.watches[0].reached(self.off_delay_ns)
            lets_go_2 = self.watches[1].reached(self.off_delay_ns)
            if old == 2 and lets_go_2:
                self.on = [not lets_go_1, False]
            elif old == 1 and lets_go_1:
                self.on = [False, False]
        if self.level == old:
            return None
        for k in (0, 1):
            if self.on[k] != was[k]:
                self.watches[k].ns = 0
        self.want(value)
        about = self.level if self.level > old else self.level + 1
        if about == 1 and self.level < old and old == 2 and math.isnan(self.limits[0]):
            about = 2
        return old, self.level, self.limits[about - 1], gathered[about - 1]


class Point:
    def __init__(self, spec, start_ns):
        ns = lambda seconds: round(seconds * 1e9)  # noqa: E731
        limits = spec.limits
        on = (ns(limits.on_delay_s), ns(limits.on_delay_2_s))
        off = ns(limits.off_delay_s)
        self.spec = spec
        self.id = spec.id
        self.device = None
        self.sides = [
            Side("high", (limits.h, limits.hh), limits.deadband, on, off),
            Side("low", (limits.l, limits.ll), limits.deadband, on, off),
        ]
        self.stale_ns = ns(spec.stale_s)
        self.fault_delays_ns = (ns(spec.fault_on_delay_s), ns(spec.fault_off_delay_s))
        self.range_hold_ns = ns(spec.range_hold_s)
        self.below_watch = Stopwatch()
        self.frozen_ns = ns(spec.frozen_s)
        self.over_range = False
        self.frozen = False
        self.frozen_watch = Stopwatch()
        self.fault = False
        self.fault_watch = Stopwatch()
        self.quality = NEVER_READ
        self.value = math.nan
        self.raw = 0
        self.judged_ns = start_ns
        self.confirmed_ns = start_ns

    def restore(self, kind, level):
        if kind == "fault":
            self.fault = level == 1
        elif kind == "over_range":
            self.over_range = level == 1
        elif kind == "frozen":
            self.frozen = level == 1
        else:
            self.sides[("high", "low").index(kind)].restore(level)

    def sample(self, time_ns, mono_ns, value, quality, raw):
        self.pass_time(mono_ns)
        if severity(quality) != BAD and not math.isfinite(value):
            quality = SENSOR_FAILURE
        if severity(quality) == GOOD and (value < self.spec.range_low or value > self.spec.range_high):
            quality = OUT_OF_RANGE
        self.quality = quality
        repeats = value == self.value
        if severity(quality) != BAD:
            self.value, self.raw = value, raw
        if not silent(quality):
            self.confirmed_ns = max(self.confirmed_ns, mono_ns)
        found = self.judge(time_ns, mono_ns)
        if severity(quality) != BAD:
            now = (mono_ns, time_ns, value, raw, quality)
            found += [(self.id, *each[:3], *now, *each[3:], False) for each in self.judge_over_range()]
            found += [(self.id, *each[:3], *now, *each[3:], False) for each in self.judge_frozen(repeats)]
        return found

    def too_young(self):
        """A value below the range: a wire may be breaking just now."""
        return self.below_watch.wanted and self.below_watch.ns < self.range_hold_ns

    def judge_over_range(self):
        """Once beyond, it stands until a person has looked."""
        if self.over_range or not self.value >= self.spec.over_range:
            return []
        self.over_range = True
        return [("over_range", 0, 1, self.spec.over_range, 0)]

    def judge_frozen(self, repeats):
        """A reading that is cut off at an end of the range may repeat; every other is timed while it stays the same."""
        cut_off = self.value <= self.spec.range_low or self.value >= self.spec.range_high
        may_not_repeat = self.frozen_ns > 0 and not cut_off
        if not (repeats and may_not_repeat):
            self.frozen_watch.want(False)
            ended = self.frozen and severity(self.quality) == GOOD
            self.frozen = self.frozen and not ended
            self.frozen_watch.want(may_not_repeat and not self.frozen)
            return [("frozen", 1, 0, math.nan, 0)] if ended else []
        gathered = self.frozen_watch.ns
        if not self.frozen and gathered >= self.frozen_ns:
            self.frozen = True
            self.frozen_watch.want(False)
            return [("frozen", 0, 1, math.nan, gathered)]
        self.frozen_watch.want(not self.frozen)
        return []

    def tick(self, time_ns, mono_ns):
        self.pass_time(mono_ns)
        if not silent(self.quality) and mono_ns - self.confirmed_ns > self.stale_ns:
            self.quality = STALE
        return self.judge(time_ns, mono_ns)

    def pass_time(self, mono_ns):
        ns = max(0, mono_ns - self.judged_ns)
        self.judged_ns += ns
        for side in self.sides:
            if side.kind == "high" or not self.too_young():
                side.pass_time(ns, severity(self.quality))
        if self.below_watch.wanted:
            self.below_watch.ns += ns
        if self.fault_watch.wanted:
            self.fault_watch.ns += ns
        if self.frozen_watch.wanted and severity(self.quality) != BAD:
            self.frozen_watch.ns += ns

    def judge(self, time_ns, mono_ns):
        fit = severity(self.quality)
        found = []
        self.below_watch.want(self.range_hold_ns > 0 and fit != BAD and self.value < self.spec.range_low)
        if fit != BAD:
            for side in self.sides if not self.too_young() else self.sides[:1]:
                change = side.judge(self.value, fit)
                if change:
                    found.append((side.kind, *change))
        change = self.judge_fault(fit == BAD, mono_ns)
        if change:
            found.append(("fault", *change))
        value, raw = (math.nan, 0) if fit == BAD else (self.value, self.raw)
        return [
            (self.id, kind, old, new, mono_ns, time_ns, value, raw, self.quality, limit, ns, False)
            for kind, old, new, limit, ns in found
        ]

    def judge_fault(self, bad, mono_ns):
        if self.fault:
            self.fault_watch.want(not bad)
        else:
            excused = self.device is not None and silent(self.quality) and severity(self.device.quality) == BAD
            early = self.quality == NEVER_READ and mono_ns - self.confirmed_ns <= self.stale_ns
            self.fault_watch.want(bad and not excused and not early)
        if not self.fault_watch.reached(self.fault_delays_ns[self.fault]):
            return None
        gathered = self.fault_watch.ns
        self.fault = not self.fault
        self.fault_watch.want(False)
        return int(not self.fault), int(self.fault), math.nan, gathered


class Site:
    """All points; a device is judged before its points when time passes."""

    def __init__(self, specs, start_ns):
        self.points = {spec.id: Point(spec, start_ns) for spec in specs}
        devices = {p.spec.device: p for p in self.points.values() if p.spec.role == "device"}
        for point in self.points.values():
            if point.spec.role != "device":
                point.device = devices.get(point.spec.device)
        self.order = sorted(self.points.values(), key=lambda p: (p.spec.role != "device", p.id))

    def row(self, point, time_ns, mono_ns, value, quality, raw):
        """Transitions, as tuples in the order of ``Transition``'s fields, that one row causes."""
        if point == -1:
            return [found for p in self.order for found in p.tick(time_ns, mono_ns)]
        return self.points[point].sample(time_ns, mono_ns, value, quality, raw)
