"""Status code and variant become quality and number. Pure, and free of the OPC UA library.

``session`` hands over what the server said, ``memory`` makes samples of it. The rule: a value whose status is bad is no value, and
no status gets better on its way. Status codes are those of OPC 10000-4, clause 7.39, and OPC 10000-8, clause 6.3.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final, NamedTuple

from contract.points import PointType
from contract.quality import SEVERITY_BAD, SEVERITY_MASK, Quality, is_bad


class BuiltIn(IntEnum):
    """Built-in types that hold a number, with their ids (OPC 10000-6, clause 5.1.2)."""

    BOOLEAN = 1
    SBYTE = 2
    BYTE = 3
    INT16 = 4
    UINT16 = 5
    INT32 = 6
    UINT32 = 7
    INT64 = 8
    UINT64 = 9
    FLOAT = 10
    DOUBLE = 11


class Reading(NamedTuple):
    """What a server said of one node. ``type`` is the id of a built-in type, None where there is no value.

    ``source_ns`` is the source timestamp, ns UTC, None where the server gives none.
    """

    status: int
    type: int | None
    value: object
    source_ns: int | None


class Number(NamedTuple):
    """Of a text its length. ``raw`` counts where the point's type is an integer, ``value`` (not scaled) where it is a float."""

    raw: int
    value: float
    quality: Quality


STRING: Final = 12
LOCALIZED_TEXT: Final = 21
"""Built-in types that hold a text; of the latter only its text is taken, in the server's language."""

ACCEPTED: Final = {
    PointType.BIT: frozenset({BuiltIn.BOOLEAN}),
    PointType.UINT16: frozenset({BuiltIn.UINT16, BuiltIn.BYTE}),
    PointType.INT16: frozenset({BuiltIn.INT16, BuiltIn.SBYTE, BuiltIn.BYTE}),
    PointType.UINT32: frozenset({BuiltIn.UINT32, BuiltIn.UINT16, BuiltIn.BYTE}),
    PointType.INT32: frozenset({BuiltIn.INT32, BuiltIn.INT16, BuiltIn.UINT16, BuiltIn.SBYTE, BuiltIn.BYTE}),
    PointType.UINT64: frozenset({BuiltIn.UINT64, BuiltIn.UINT32, BuiltIn.UINT16, BuiltIn.BYTE}),
    PointType.INT64: frozenset(
        {BuiltIn.INT64, BuiltIn.INT32, BuiltIn.UINT32, BuiltIn.INT16, BuiltIn.UINT16, BuiltIn.SBYTE, BuiltIn.BYTE}
    ),
    PointType.FLOAT32: frozenset({BuiltIn.FLOAT}),
    PointType.FLOAT64: frozenset({BuiltIn.DOUBLE, BuiltIn.FLOAT}),
    PointType.STRING: frozenset({STRING, LOCALIZED_TEXT}),
}
"""Variants that a point's type holds without loss; any other is a mistake of the I/O list."""

QUALITIES: Final = {
    0x0000: Quality.GOOD,
    0x0096: Quality.UNCERTAIN_MAINTENANCE,  # GoodLocalOverride: forced by hand, so nobody measured it
    0x408F: Quality.BAD_COMM_FAILURE,  # UncertainNoCommunicationLastUsableValue: a last value is no measurement
    0x4090: Quality.BAD_STALE,  # UncertainLastUsableValue: likewise
    0x4093: Quality.UNCERTAIN_OUT_OF_RANGE,  # UncertainSensorNotAccurate: at one of the sensor's limits
    0x4094: Quality.UNCERTAIN_OUT_OF_RANGE,  # UncertainEngineeringUnitsExceeded
    0x4208: Quality.UNCERTAIN_MAINTENANCE,  # UncertainTransducerInManual
    0x420A: Quality.UNCERTAIN_CALIBRATION,  # UncertainSensorCalibration
    0x8005: Quality.BAD_COMM_FAILURE,  # BadCommunicationError
    0x800A: Quality.BAD_COMM_FAILURE,  # BadTimeout
    0x800D: Quality.BAD_COMM_FAILURE,  # BadServerNotConnected
    0x801F: Quality.BAD_CONFIG,  # BadUserAccessDenied
    0x8031: Quality.BAD_COMM_FAILURE,  # BadNoCommunication
    0x8033: Quality.BAD_CONFIG,  # BadNodeIdInvalid
    0x8034: Quality.BAD_CONFIG,  # BadNodeIdUnknown
    0x8035: Quality.BAD_CONFIG,  # BadAttributeIdInvalid
    0x803A: Quality.BAD_CONFIG,  # BadNotReadable
    0x803D: Quality.BAD_CONFIG,  # BadNotSupported
    0x8074: Quality.BAD_CONFIG,  # BadTypeMismatch
    0x8089: Quality.BAD_CONFIG,  # BadConfigurationError
    0x808A: Quality.BAD_CONFIG,  # BadNotConnected: its source was never configured
    0x808B: Quality.BAD_DEVICE_FAILURE,  # BadDeviceFailure
    0x808C: Quality.BAD_SENSOR_FAILURE,  # BadSensorFailure
    0x80DB: Quality.BAD_CONFIG,  # BadTooManyMonitoredItems
}
"""By the upper half of a status code. What is not here keeps its severity: GOOD, UNCERTAIN or BAD."""

BAD_NODE_ID_UNKNOWN: Final = 0x8034_0000
_INFO_TYPE: Final = 0x0C00
_INFO_DATA_VALUE: Final = 0x0400
_OVERFLOW: Final = 0x0080


def quality_of(status: int) -> Quality:
    """The quality that a status code stands for; severity 11, which is reserved, counts as bad."""
    known = QUALITIES.get(status >> 16)
    if known is not None:
        return known
    severity = status >> 24 & SEVERITY_MASK
    return Quality(min(severity, SEVERITY_BAD))


def overflowed(status: int) -> bool:
    """True where the server's queue was full and a value before or after this one is lost."""
    return status & _INFO_TYPE == _INFO_DATA_VALUE and bool(status & _OVERFLOW)


def judge(reading: Reading, type_: PointType) -> Number:
    """The number of a reading, NaN and raw 0 under a bad quality."""
    quality = quality_of(reading.status)
    if is_bad(quality):
        return Number(0, math.nan, quality)
    if reading.type is None or reading.value is None:
        return Number(0, math.nan, Quality.BAD_SENSOR_FAILURE)
    if reading.type not in ACCEPTED[type_] or not isinstance(reading.value, (bool, int, float)):  # an array, too
        return _length(reading, quality, type_)
    if not math.isfinite(reading.value):
        return Number(0, math.nan, Quality.BAD_SENSOR_FAILURE)
    if type_.is_integer:
        return Number(int(reading.value), 0.0, quality)
    return Number(0, float(reading.value), quality)


def _length(reading: Reading, quality: Quality, type_: PointType) -> Number:
    """Of a text; what else comes here has a type that the point cannot hold."""
    text = reading.value
    if type_ is not PointType.STRING or reading.type not in ACCEPTED[type_] or not isinstance(text, str):
        return Number(0, math.nan, Quality.BAD_CONFIG)
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes that were no UTF-8
        return Number(0, math.nan, Quality.BAD_SENSOR_FAILURE)
    return Number(0, float(len(text)), quality)
