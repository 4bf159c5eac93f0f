"""Quality of a value: one byte, a small vocabulary after OPC UA Part 8.

The two highest bits give the severity, as in an OPC UA status code: 00 GOOD, 01 UNCERTAIN, 10 BAD. The rest says why.
A value without good quality never becomes a good one on the way.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Quality(IntEnum):
    """Every quality there is. GOOD raises and clears conditions, UNCERTAIN may raise and never clears, BAD holds."""

    GOOD = 0x00
    GOOD_SIMULATED = 0x01

    UNCERTAIN = 0x40
    UNCERTAIN_OUT_OF_RANGE = 0x41
    """Measured, but outside the range of the instrument."""
    UNCERTAIN_CALIBRATION = 0x42
    UNCERTAIN_MAINTENANCE = 0x43

    BAD = 0x80
    BAD_COMM_FAILURE = 0x81
    """The device did not answer, or the gateway before it cannot reach it (Modbus exception 0A, 0B)."""
    BAD_SENSOR_FAILURE = 0x82
    """The device answered that its sensor is broken, or with no number at all (NaN, infinity)."""
    BAD_STALE = 0x83
    """Nothing confirmed the value for longer than the point allows."""
    BAD_CONFIG = 0x84
    """The device refuses the address (Modbus exception 01, 02 or 03): the configuration is wrong."""
    BAD_DEVICE_FAILURE = 0x85
    """The device answered with a failure of its own (Modbus exception 04, 05, 06)."""
    BAD_NEVER_READ = 0x86
    """Since the agent started nothing has been read yet."""


SEVERITY_MASK: Final = 0xC0
SEVERITY_GOOD: Final = 0x00
SEVERITY_UNCERTAIN: Final = 0x40
SEVERITY_BAD: Final = 0x80


def is_good(quality: int) -> bool:
    return quality & SEVERITY_MASK == SEVERITY_GOOD


def is_uncertain(quality: int) -> bool:
    return quality & SEVERITY_MASK == SEVERITY_UNCERTAIN


def is_bad(quality: int) -> bool:
    return quality & SEVERITY_MASK >= SEVERITY_BAD
