"""Which kernels are compiled ahead of time, and for which arguments: every function that ``jit.kernel`` decorates.

Read by ``tools/build_kernels.py``, which compiles them, and by ``library``, which calls them. A test compares this list with
the decorators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edge_agent.detect.advice_layout import ADVICE, ADVICE_PARAMS, ADVICE_STATE
from edge_agent.detect.group_layout import GROUP_PARAMS, GROUP_STATE, MEMBER, SCALE, SMOOTH
from edge_agent.detect.layout import PARAMS, STATE, TRANSITION


@dataclass(frozen=True, slots=True)
class Signature:
    """``arrays``: dtype of each argument, one-dimensional and C-contiguous. ``results``: how many int64 come back."""

    name: str
    """Module within this package, and function."""
    arrays: tuple[np.dtype[Any], ...]
    results: int


_I4, _I8, _F8, _U1 = (np.dtype(name) for name in ("i4", "i8", "f8", "u1"))

KERNELS: Final = (
    Signature("advice.advise", (_I4, _I8, _I8, _F8, _U1, ADVICE_PARAMS, ADVICE_STATE, ADVICE, _F8), results=2),
    Signature("conditions.judge", (_I4, _I8, _I8, _F8, _U1, _I8, PARAMS, STATE, TRANSITION), results=2),
    Signature(
        "groups.judge",
        (_F8, GROUP_PARAMS, GROUP_STATE, MEMBER, SMOOTH, SCALE, _F8, _F8, _F8, _F8, _U1, _I4),
        results=2,
    ),
)  # fmt: skip
