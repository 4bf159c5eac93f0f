"""Compiles the detection kernels ahead of time to one library per processor: ``make kernels``. Never runs on a gateway.

Libraries need nothing: a symbol that nobody defines (a function of C's mathematics, an allocation) fails the link. The same
source gives the same bytes. What is there already and fits is left alone.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ |= {"PARKSENTRY_KERNELS": "jit", "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}

from edge_agent.detect.kernels import library
from edge_agent.detect.kernels.signatures import KERNELS

MACHINES = ("x86_64", "aarch64")


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile the kernels ahead of time.")
    parser.add_argument("--into", type=Path, default=library.FOLDER, metavar="FOLDER")
    folder = parser.parse_args().into
    missing = [machine for machine in MACHINES if not fits(machine, folder)]
    if missing:
        build(missing, folder)
    return 0


def fits(machine: str, folder: Path) -> bool:
    try:
        return library.usable(machine, folder).exists()
    except library.Refused:
        return False


def build(machines: list[str], folder: Path) -> None:
    from numba_ahead import machine_code, native_ir

    texts = {}
    for each in KERNELS:
        module, _, function = each.name.partition(".")
        decorated = getattr(importlib.import_module(f"edge_agent.detect.kernels.{module}"), function)
        symbol = each.name.replace(".", "_")
        texts[symbol] = native_ir(decorated.py_func, symbol, each.arrays, each.results)
    folder.mkdir(parents=True, exist_ok=True)
    for machine in machines:
        linker = linker_for(machine)
        if linker is None:
            print(
                f"kernels: no linker for {machine} (Debian: binutils-{machine.replace('_', '-')}-linux-gnu): left out"
            )
            continue
        body = linked(machine_code(texts, machine), linker)
        target = library.path_for(machine, folder)
        target.with_suffix(".new").write_bytes(body + library.seal(body))
        target.with_suffix(".new").replace(target)
        print(f"kernels: {target.name}, {len(body)} bytes, {len(texts)} kernels")


def linker_for(machine: str) -> str | None:
    return shutil.which(f"{machine}-linux-gnu-ld") or (shutil.which("ld") if platform.machine() == machine else None)


def linked(code: bytes, linker: str) -> bytes:
    """The bytes of a shared library. CalledProcessError for a symbol that is missing; the linker names it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "kernels.o"), Path(folder, "kernels.so")
        source.write_bytes(code)
        options = ("-shared", "-nostdlib", "-z", "defs", "-z", "noexecstack", "--build-id=none", "--strip-all")
        subprocess.run([linker, *options, "-o", target, source], check=True)
        return target.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
