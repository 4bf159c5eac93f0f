"""What must hold for the numbers of a point, whatever its device speaks. Pure.

Every driver's check of a point asks here; what its address may look like is the driver's own matter.
"""

from __future__ import annotations

import math
from typing import Final

from contract.points import PointSpec
from drivers.base import PointFault

POLL_S_MIN: Final = 0.01
POLL_S_MAX: Final = 86_400.0


def examine_numbers(spec: PointSpec) -> list[PointFault]:
    """Every fault of scale, offset and poll period."""
    faults = []
    if not (math.isfinite(spec.scale) and spec.scale != 0):
        faults.append(PointFault("scale", f"{spec.scale} is no scale", "Give a finite number other than 0"))
    if not math.isfinite(spec.offset):
        faults.append(PointFault("offset", f"{spec.offset} is no offset", "Give a finite number"))
    if not spec.type.is_integer:
        if spec.scale != 1:
            faults.append(PointFault("scale", f"a {spec.type} is not scaled", "Leave the scale empty"))
        if spec.offset != 0:
            faults.append(PointFault("offset", f"a {spec.type} is not shifted", "Leave the offset empty"))
    if not POLL_S_MIN <= spec.poll_s <= POLL_S_MAX:
        remedy = f"Give {POLL_S_MIN} to {POLL_S_MAX:.0f} seconds"
        faults.append(PointFault("poll_s", f"{spec.poll_s} is out of range", remedy))
    return faults
