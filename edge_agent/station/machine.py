"""What runs here, and since which boot of the machine: the agent says so in each of its events. Reads what the system says."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def software() -> str:
    try:
        return f"parksentry {version('parksentry')}"
    except PackageNotFoundError:
        return "parksentry (not installed)"


def kernel_boot_id() -> str:
    """Identity of this boot of the machine: monotonic times are comparable within it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
