"""Compiles kernels where numba is installed, and leaves them as they are where it is not.

A gateway without numba (a small one, or one whose processor it does not support) runs the same source as plain Python,
with the same results and some hundred times slower; ``COMPILED`` says which it is, ``UNCACHED`` whether a start cannot
reuse the machine code of the last one.

Numba keeps that code in ``NUMBA_CACHE_DIR`` if set, else beside the source, else in the user's cache folder. Where none
of these can be written (read-only system, service without a home) it refuses to cache; then every start compiles anew.
The cache knows only the text of the file a kernel stands in: a kernel and all that it calls must be in one file, and
constants from elsewhere may be used only where they never change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_njit: Callable[..., Any] | None
try:
    from numba import njit as _njit
except ImportError:
    _njit = None

COMPILED: Final = _njit is not None
"""True where kernels run as machine code."""

UNCACHED: Final[list[str]] = []
"""Kernels whose machine code cannot be kept between starts; each start compiles them for some seconds."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator for a function that Python calls. IEEE 754 division, no reordering of floating point (no fastmath)."""
    if _njit is None:
        return function
    compiled: Callable[P, R]
    try:
        compiled = _njit(error_model="numpy", cache=True)(function)
    except RuntimeError:  # numba found no folder for its cache that it can write
        UNCACHED.append(function.__name__)
        compiled = _njit(error_model="numpy")(function)
    return compiled


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator for a function that only kernels call: becomes part of them, with no entry from Python to compile."""
    if _njit is None:
        return function
    options = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: Callable[P, R] = _njit(error_model="numpy", **options)(function)
    return compiled


def seal(function: Callable[P, R]) -> None:
    """After warming: a call with other types raises TypeError instead of compiling for half a second while polling."""
    disable_compile = getattr(function, "disable_compile", None)
    if disable_compile is not None:
        disable_compile()
