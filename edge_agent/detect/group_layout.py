"""Record arrays of the group model: what ``groups`` keeps for one group of points, and ``kernels.groups`` reads and writes.

A group of m members has one row of GROUP_PARAMS and GROUP_STATE, m of MEMBER, 2 m of SMOOTH (member by member: fast, slow),
two of SCALE (fast, slow) and two matrices float64[m * m]. Values of a member are in its own unit.
"""

from __future__ import annotations

from typing import Final

import numpy as np

SCALES: Final = 2
"""Smoothings of a member: fast for steps, slow for what is small and stays."""

GROUP_PARAMS: Final = np.dtype(
    [
        ("reach", "f8"),  # ln(1 / probability that a block of scans without trouble passes the threshold), >= 3
        ("learning", "u1"),  # 1: the scans are known to be without trouble, nothing is raised
    ],
    align=True,
)
"""Read by the kernel, never written."""

GROUP_STATE: Final = np.dtype(
    [
        ("scans", "f8"),  # scans seen since the start or since the last time that a new normal was accepted
        ("blocks", "f8"),  # blocks that the thresholds were learnt from
        ("block_scans", "f8"),  # scans of the running block
        ("stood", "f8"),  # scans since the condition was raised
        ("under", "f8"),  # scans in succession that wanted it cleared
        ("peak", "f8"),  # largest score since it was raised
        ("factored", "u1"),  # 1: factor holds a Cholesky factor
        ("standing", "u1"),  # 1: the condition stands
    ],
    align=True,
)

MEMBER: Final = np.dtype(
    [
        ("level", "f8"),  # what is expected
        ("seen", "f8"),  # last value that was not missing
        ("step", "f8"),  # smallest change between two values in succession, its resolution; infinity before the first
        ("learnt", "f8"),  # scans that the level was learnt from, 0: none yet
        ("deviation", "f8"),  # seen - level of this scan, 0 if missing
        ("share", "f8"),  # part in T2 when the condition was last raised; all together 1
        ("missing", "u1"),  # 1: no value in this scan
    ],
    align=True,
)

SMOOTH: Final = np.dtype([("value", "f8"), ("variance", "f8")], align=True)
"""Smoothed deviation of a member, and its mean square in quiet times."""

SCALE: Final = np.dtype(
    [
        ("distance", "f8"),  # sqrt(T2 / m) of this scan
        ("block_max", "f8"),  # largest distance of the running block
        ("mean", "f8"),  # of the largest distances of blocks
        ("variance", "f8"),
    ],
    align=True,
)
