"""The machine: its clocks, and what runs on it since which boot, which the agent says in each of its events."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from contract.clock import NS_PER_S


class RealClock:
    """The machine's clocks."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - time.monotonic_ns()) / NS_PER_S)


def software() -> str:
    try:
        return f"parksentry {version('parksentry')}"
    except PackageNotFoundError:
        return "parksentry (not installed)"


def kernel_boot_id() -> str:
    """Identity of this boot of the machine: monotonic times are comparable within it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
