"""Plain twin of the group kernel: lists, one function per rule, R^-1 by elimination. Written from the rules, not from the code."""

from __future__ import annotations

import math

WEIGHTS = (0.7, 0.06)


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination with pivoting."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for i in range(size):
        best = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[best] = rows[best], rows[i]
        for r in range(i + 1, size):
            ratio = rows[r][i] / rows[i][i]
            rows[r] = [a - ratio * b for a, b in zip(rows[r], rows[i], strict=True)]
    out = [0.0] * size
    for i in reversed(range(size)):
        out[i] = (rows[i][-1] - sum(rows[i][j] * out[j] for j in range(i + 1, size))) / rows[i][i]
    return out


class Group:
    """Judges scan by scan: ``judge(values)`` gives (score, standing)."""

    def __init__(self, members: int, reach: float) -> None:
        self.m, self.reach = members, reach
        self.level = [0.0] * members
        self.learnt = [0.0] * members
        self.seen = [math.nan] * members
        self.step = [math.inf] * members
        self.z = [[0.0] * members, [0.0] * members]
        self.spread2 = [[0.0] * members, [0.0] * members]
        self.cov = [[0.0] * members for _ in range(members)]
        self.corr: list[list[float]] | None = None
        self.scans = self.blocks = 0
        self.block: list[list[float]] = []
        self.mean, self.var = [0.0, 0.0], [0.0, 0.0]
        self.standing = False
        self.stood = self.under = 0
        self.peak = 0.0

    def judge(self, values: list[float]) -> tuple[float, bool]:
        here = [j for j, x in enumerate(values) if math.isfinite(x)]
        d = [0.0] * self.m
        for j in here:
            x = values[j]
            if self.learnt[j] == 0:
                self.level[j] = x
            elif x != self.seen[j]:
                self.step[j] = min(self.step[j], abs(x - self.seen[j]))
            self.seen[j], d[j] = x, x - self.level[j]
        slow = [self.cut(e, self.cov[j][j], 20) for j, e in enumerate(d)]
        for k, (weight, kept) in enumerate(zip(WEIGHTS, (d, slow), strict=True)):
            self.z[k] = [z + weight * (e - z) for z, e in zip(self.z[k], kept, strict=True)]
        if not here:
            return 0.0, self.standing
        self.scans += 1
        distances = [self.distance(k, here) for k in (0, 1)] if self.corr else []
        score = max((x / self.threshold(k) for k, x in enumerate(distances)), default=0.0) if self.blocks >= 6 else 0.0
        if self.standing:
            self.stand(score)
        elif score >= 1:
            self.standing, self.stood, self.under, self.peak = True, 0, 0, score
        if not self.standing:
            self.learn(1.0 if score < 0.5 else 0.1, d, here, distances)
        return score, self.standing

    def distance(self, k: int, here: list[int]) -> float:
        assert self.corr is not None
        u = [0.0] * self.m
        for j in here:
            spread = math.sqrt(self.spread2[k][j])
            if self.step[j] < math.inf:
                spread = max(spread, self.step[j])
            u[j] = self.z[k][j] / spread if spread > 0 else 0.0
        t2 = sum(a * b for a, b in zip(u, solve(self.corr, u), strict=True))
        return math.sqrt(max(t2, 0.0) / self.m)

    def threshold(self, k: int) -> float:
        """Gumbel: mode + scale * reach, both from mean and standard deviation."""
        scale = max(0.7797 * math.sqrt(self.var[k]) * (1 + 1 / math.sqrt(min(self.blocks, 100))), 0.05 * self.mean[k])
        return self.mean[k] - 0.5772 * scale + scale * self.reach

    def stand(self, score: float) -> None:
        self.stood += 1
        self.peak = max(self.peak, score)
        self.under = self.under + 1 if score < max(0.7, 0.15 * self.peak) else 0
        if self.under >= 20:
            self.standing = False
            if score >= 0.7:
                self.settle(0)
        elif self.stood >= 700:
            self.standing = False
            self.scans, self.blocks, self.block = 64, min(self.blocks, 4), []
            self.settle(1)

    def settle(self, k: int) -> None:
        for j in range(self.m):
            self.learnt[j] = min(self.learnt[j], 1.0)
            self.level[j] += self.z[k][j]
        self.z = [[0.0] * self.m, [0.0] * self.m]

    def cut(self, value: float, variance: float, spreads: float = 5) -> float:
        if self.scans <= 64 or variance == 0:
            return value
        return math.copysign(min(abs(value), spreads * math.sqrt(variance)), value)

    def learn(self, weight: float, d: list[float], here: list[int], distances: list[float]) -> None:
        rate = weight / min(self.scans, 1000)
        d = [self.cut(e, self.cov[j][j]) for j, e in enumerate(d)]
        for j in here:
            self.learnt[j] += weight
            self.level[j] += weight / min(max(self.learnt[j], 1), 1000) * d[j]
            for k in (0, 1):
                z = self.cut(self.z[k][j], self.spread2[k][j])
                self.spread2[k][j] += rate * (z * z - self.spread2[k][j])
        for a in here:
            for b in here:
                self.cov[a][b] += rate * (d[a] * d[b] - self.cov[a][b])
        if distances:
            self.block.append(distances)
            if len(self.block) == 32:
                self.learn_threshold()
        if self.scans >= 64 and self.scans % 16 == 0:
            shrink = min(self.m / min(self.scans, 1000), 0.5)
            self.corr = [
                [self.correlation(a, b) * (1 - shrink) if a != b else 1.0 for b in range(self.m)] for a in range(self.m)
            ]

    def correlation(self, a: int, b: int) -> float:
        norm = math.sqrt(self.cov[a][a]) * math.sqrt(self.cov[b][b])
        return self.cov[a][b] / norm if norm > 0 else 0.0

    def learn_threshold(self) -> None:
        self.blocks += 1
        rate = min(1.0, 2 / (min(self.blocks, 100) + 1))
        for k in (0, 1):
            largest = max(pair[k] for pair in self.block)
            if self.blocks > 4:
                largest = min(largest, 1.1 * self.mean[k] + 3 * math.sqrt(self.var[k]))
            off = largest - self.mean[k]
            self.mean[k] += rate * off
            self.var[k] = (1 - rate) * (self.var[k] + rate * off * off)
        self.block = []
