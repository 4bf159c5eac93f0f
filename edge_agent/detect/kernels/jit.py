"""How kernels run: compiled ahead of time, compiled by numba at the start, or as plain Python; ``HOW`` and ``WHY`` say which.

The three give the same results. Ahead of time needs a library of exactly this source for this processor (``library``) and
nothing else: no numba, no compiling, no cache. Numba, where it is installed, does for the rest. Plain Python is some
hundred times slower. PARKSENTRY_KERNELS (aot, jit, plain) narrows the choice, for tests and benchmarks.

Numba keeps its code in ``NUMBA_CACHE_DIR`` if set, else beside the source, else in the user's cache folder. Where none
of these can be written (read-only system, service without a home) it refuses to cache; then every start compiles anew.
The cache knows only the text of the file a kernel stands in: a kernel and all that it calls must be in one file, and
constants from elsewhere may be used only where they never change.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final, ParamSpec, TypeVar, cast

from edge_agent.detect.kernels import library

P = ParamSpec("P")
R = TypeVar("R")

_CHOICE: Final = "PARKSENTRY_KERNELS"
AHEAD, JIT, PLAIN = "aot", "jit", "plain"


def _choose() -> tuple[str, str, dict[str, library.Kernel]]:
    """How, why not better, and the kernels of the library. Imports no numba."""
    wanted = os.environ.get(_CHOICE, AHEAD)
    assert wanted in {AHEAD, JIT, PLAIN}, f"{_CHOICE}={wanted}"
    why = f"{_CHOICE}={wanted}"
    if wanted == AHEAD:
        try:
            return AHEAD, "", library.load()
        except library.Refused as refused:
            why = str(refused)
    if wanted != PLAIN and find_spec("numba") is not None:
        return JIT, why, {}
    return PLAIN, why if wanted == PLAIN else f"{why}; numba is not installed", {}


_how, _why, _ahead = _choose()
HOW: Final = _how
WHY: Final = _why
"""Why not compiled ahead of time; empty where it is."""

_njit: Callable[..., Any] | None = None
if HOW == JIT:
    from numba import njit as _njit

COMPILED: Final = HOW != PLAIN
"""True where kernels run as machine code."""

UNCACHED: Final[list[str]] = []
"""Kernels whose machine code cannot be kept between starts; each start compiles them for some seconds."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator for a function that Python calls. IEEE 754 division, no reordering of floating point (no fastmath)."""
    if HOW == AHEAD:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        assert name in _ahead, f"{name} is missing in edge_agent/detect/kernels/signatures.py"
        return cast("Callable[P, R]", _ahead[name])
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


def description() -> str:
    """For people: how kernels run here, and why no better."""
    words = {AHEAD: "compiled ahead of time", JIT: "compiled at the start (numba)", PLAIN: "interpreted: slower"}
    uncached = "; anew at each start, numba finds no folder for its cache" if UNCACHED else ""
    return words[HOW] + (f" ({WHY})" if WHY else "") + uncached
