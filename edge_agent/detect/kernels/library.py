"""Kernels that were compiled ahead of time: finds the library for this processor, refuses a wrong one, calls into it.

``tools/build_kernels.py`` makes the libraries and puts ``seal`` behind each: the hash of the source that it was compiled from,
and of its own bytes. A library of other source, or one that a power cut left half written, is never opened. What is in it
needs no other library and no feature that a processor of its kind may lack. Loading it is the import of machine code: the
only file that detection ever reads.
"""

from __future__ import annotations

import ctypes
import hashlib
import platform
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_agent.detect.kernels.signatures import KERNELS, Signature

FOLDER: Final = Path(__file__).parent / "compiled"
_TOP: Final = Path(__file__).parents[3]
_SEAL: Final = b"parksentry kernels "
_SEAL_BYTES: Final = len(_SEAL) + 2 * 64 + 1
OUTSIDE: Final = (
    "contract/batch.py", "contract/quality.py", "edge_agent/detect/advice_layout.py", "edge_agent/detect/group_layout.py",
    "edge_agent/detect/layout.py",
)  # fmt: skip
"""Files beside this folder that constants and layouts of kernels come from."""


class Refused(Exception):  # noqa: N818 - it is an answer: something else runs instead
    """There is no library that may be used; says why and what to do."""


def fingerprint() -> str:
    """Hash of everything that the kernels' machine code follows from, in hexadecimal digits. OSError without the source."""
    digest = hashlib.sha256()
    here = sorted(path for path in Path(__file__).parent.glob("*.py"))
    for path in (*here, *(_TOP / name for name in OUTSIDE)):
        body = path.read_bytes()
        digest.update(f"{path.name} {len(body)}\n".encode() + body)
    return digest.hexdigest()


def seal(body: bytes) -> bytes:
    """What stands behind the bytes of a library."""
    return _SEAL + f"{fingerprint()} {hashlib.sha256(body).hexdigest()}".encode()


def path_for(machine: str, folder: Path = FOLDER) -> Path:
    """``machine`` as ``uname -m`` says."""
    return folder / f"kernels-{machine}.so"


def usable(machine: str | None = None, folder: Path = FOLDER) -> Path:
    """The library for a processor, this one's if left out. Raises Refused."""
    path = path_for(machine or platform.machine(), folder)
    try:
        whole = path.read_bytes()
        own = fingerprint()
    except OSError as error:
        raise Refused(f"no library {path.name}: {error.strerror or error}") from error
    body, end = whole[:-_SEAL_BYTES], whole[-_SEAL_BYTES:]
    source, _, digest = end.removeprefix(_SEAL).decode("ascii", "replace").partition(" ")
    if not end.startswith(_SEAL) or digest != hashlib.sha256(body).hexdigest():
        raise Refused(f"{path.name} is damaged: install the package again, or make kernels")
    if source != own:
        raise Refused(f"{path.name} was compiled from other source than is installed: make kernels")
    return path


def load(machine: str | None = None, folder: Path = FOLDER) -> dict[str, Kernel]:
    """Every kernel by its name. Raises Refused."""
    path = usable(machine, folder)
    try:
        opened = ctypes.CDLL(str(path))
        return {each.name: Kernel(each, getattr(opened, each.name.replace(".", "_"))) for each in KERNELS}
    except (OSError, AttributeError) as error:
        raise Refused(f"{path.name} cannot be loaded: {error}") from error


class Kernel:
    """One compiled kernel: called with the arrays of its signature, gives its results."""

    def __init__(self, signature: Signature, entry: Any) -> None:
        self._signature = signature
        self._entry = entry
        sizes = [kind for _ in signature.arrays for kind in (ctypes.c_void_p, ctypes.c_ssize_t)]
        entry.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *sizes, ctypes.c_void_p]
        entry.restype = ctypes.c_int32

    def __call__(self, *arrays: np.ndarray[Any, Any]) -> tuple[int, ...]:
        """TypeError for an array of another kind, with nothing done: machine code would read whatever lies there."""
        flat: list[int] = []
        for array, dtype in zip(arrays, self._signature.arrays, strict=True):
            if array.dtype != dtype or array.ndim != 1 or not array.flags.carray:
                raise TypeError(
                    f"{self._signature.name}: wants {dtype}[n], contiguous and writeable, not {array.dtype}"
                )
            flat += (array.ctypes.data, len(array))
        results = (ctypes.c_int64 * self._signature.results)()
        nothing = ctypes.c_void_p()
        status = self._entry(ctypes.byref(nothing), ctypes.byref(nothing), *flat, ctypes.byref(results))
        assert status == 0, f"{self._signature.name}: status {status}"
        return tuple(results)
