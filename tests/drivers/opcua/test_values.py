"""What a status code and a variant mean."""

from __future__ import annotations

import math

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from contract.points import PointType
from contract.quality import SEVERITY_BAD, SEVERITY_MASK, Quality, is_bad, is_good
from drivers.opcua.values import (
    ACCEPTED,
    LOCALIZED_TEXT,
    QUALITIES,
    STRING,
    BuiltIn,
    Reading,
    judge,
    overflowed,
    quality_of,
)

NAMES = {
    "Good": Quality.GOOD,
    "GoodClamped": Quality.GOOD,
    "GoodLocalOverride": Quality.UNCERTAIN_MAINTENANCE,
    "UncertainNoCommunicationLastUsableValue": Quality.BAD_COMM_FAILURE,
    "UncertainLastUsableValue": Quality.BAD_STALE,
    "UncertainSubstituteValue": Quality.UNCERTAIN,
    "UncertainSensorNotAccurate": Quality.UNCERTAIN_OUT_OF_RANGE,
    "UncertainEngineeringUnitsExceeded": Quality.UNCERTAIN_OUT_OF_RANGE,
    "UncertainTransducerInManual": Quality.UNCERTAIN_MAINTENANCE,
    "UncertainSensorCalibration": Quality.UNCERTAIN_CALIBRATION,
    "UncertainSimulatedValue": Quality.UNCERTAIN,
    "Bad": Quality.BAD,
    "BadCommunicationError": Quality.BAD_COMM_FAILURE,
    "BadTimeout": Quality.BAD_COMM_FAILURE,
    "BadServerNotConnected": Quality.BAD_COMM_FAILURE,
    "BadUserAccessDenied": Quality.BAD_CONFIG,
    "BadNoCommunication": Quality.BAD_COMM_FAILURE,
    "BadNodeIdInvalid": Quality.BAD_CONFIG,
    "BadNodeIdUnknown": Quality.BAD_CONFIG,
    "BadAttributeIdInvalid": Quality.BAD_CONFIG,
    "BadNotReadable": Quality.BAD_CONFIG,
    "BadNotSupported": Quality.BAD_CONFIG,
    "BadTypeMismatch": Quality.BAD_CONFIG,
    "BadConfigurationError": Quality.BAD_CONFIG,
    "BadNotConnected": Quality.BAD_CONFIG,
    "BadDeviceFailure": Quality.BAD_DEVICE_FAILURE,
    "BadSensorFailure": Quality.BAD_SENSOR_FAILURE,
    "BadOutOfService": Quality.BAD,
    "BadTooManyMonitoredItems": Quality.BAD_CONFIG,
    "BadWaitingForInitialData": Quality.BAD,
}


@pytest.mark.parametrize(("name", "quality"), NAMES.items())
def test_a_status_is_meant_as_the_standard_names_it(name, quality):
    assert quality_of(getattr(ua.StatusCodes, name)) is quality


def test_every_row_of_the_table_is_named_here():
    assert QUALITIES.keys() <= {getattr(ua.StatusCodes, name) >> 16 for name in NAMES}


@given(st.integers(0, 2**32 - 1))
def test_no_status_gets_better(status):
    severity = min(status >> 24 & SEVERITY_MASK, SEVERITY_BAD)
    assert quality_of(status) & SEVERITY_MASK >= severity


def fitting(type_):
    """Variants that a point of this type takes, if their status lets them."""
    numbers = st.floats(allow_nan=False, allow_infinity=False) if not type_.is_integer else st.integers(0, 1)
    return st.tuples(st.just(type_), st.sampled_from(sorted(ACCEPTED[type_])), numbers)


@given(status=st.integers(0, 2**32 - 1), variant=st.sampled_from(PointType).flatmap(fitting))
def test_a_number_that_fits_is_as_good_as_its_status(status, variant):
    type_, built_in, value = variant
    number = judge(Reading(status, built_in, value, None), type_)
    assert number.quality is quality_of(status)
    assert math.isnan(number.value) == is_bad(number.quality)
    assert number.raw == (value if type_.is_integer and not is_bad(number.quality) else 0)


@given(
    status=st.integers(0, 2**32 - 1),
    built_in=st.none() | st.integers(0, 30),
    value=st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text() | st.lists(st.floats()),
    type_=st.sampled_from(PointType),
)
def test_a_bad_quality_has_no_number_and_any_other_has_one(status, built_in, value, type_):
    number = judge(Reading(status, built_in, value, None), type_)
    assert is_bad(number.quality) == math.isnan(number.value)
    assert not is_bad(number.quality) or number.raw == 0
    assert not is_bad(quality_of(status)) or is_bad(number.quality)
    assert math.isfinite(number.value) or is_bad(number.quality)


@pytest.mark.parametrize(
    ("built_in", "value", "type_", "expected"),
    [
        (BuiltIn.DOUBLE, 1.5, PointType.FLOAT64, (0, 1.5)),
        (BuiltIn.FLOAT, 1.5, PointType.FLOAT64, (0, 1.5)),
        (BuiltIn.BOOLEAN, True, PointType.BIT, (1, 0.0)),
        (BuiltIn.INT16, -3, PointType.INT64, (-3, 0.0)),
        (BuiltIn.BYTE, 200, PointType.UINT16, (200, 0.0)),
        (BuiltIn.UINT64, 2**64 - 1, PointType.UINT64, (2**64 - 1, 0.0)),
    ],
)
def test_a_type_that_the_points_holds_without_loss_is_taken(built_in, value, type_, expected):
    number = judge(Reading(0, built_in, value, None), type_)
    assert (number.raw, number.value) == expected
    assert is_good(number.quality)


@pytest.mark.parametrize(
    ("built_in", "value", "type_", "quality"),
    [
        (BuiltIn.DOUBLE, 1.5, PointType.FLOAT32, Quality.BAD_CONFIG),
        (BuiltIn.DOUBLE, 1.0, PointType.INT32, Quality.BAD_CONFIG),
        (BuiltIn.INT32, 1, PointType.FLOAT64, Quality.BAD_CONFIG),
        (BuiltIn.INT32, 1, PointType.INT16, Quality.BAD_CONFIG),
        (BuiltIn.INT16, 1, PointType.UINT32, Quality.BAD_CONFIG),
        (BuiltIn.BOOLEAN, True, PointType.UINT16, Quality.BAD_CONFIG),
        (12, "1.5", PointType.FLOAT64, Quality.BAD_CONFIG),
        (BuiltIn.DOUBLE, [1.5], PointType.FLOAT64, Quality.BAD_CONFIG),
        (None, None, PointType.FLOAT64, Quality.BAD_SENSOR_FAILURE),
        (BuiltIn.DOUBLE, math.nan, PointType.FLOAT64, Quality.BAD_SENSOR_FAILURE),
        (BuiltIn.FLOAT, -math.inf, PointType.FLOAT32, Quality.BAD_SENSOR_FAILURE),
        (BuiltIn.SBYTE, math.inf, PointType.INT16, Quality.BAD_SENSOR_FAILURE),  # a library's slip, not a number
    ],
)
def test_what_is_no_number_of_the_points_type_says_why(built_in, value, type_, quality):
    assert judge(Reading(0, built_in, value, None), type_).quality is quality


@pytest.mark.parametrize(
    ("built_in", "value", "expected"),
    [
        (STRING, "LOT-1", (5.0, Quality.GOOD)),
        (LOCALIZED_TEXT, "氯气", (2.0, Quality.GOOD)),
        (STRING, "", (0.0, Quality.GOOD)),
        (STRING, "a\udcff", (math.nan, Quality.BAD_SENSOR_FAILURE)),
        (STRING, ["LOT-1"], (math.nan, Quality.BAD_CONFIG)),
        (BuiltIn.DOUBLE, 1.0, (math.nan, Quality.BAD_CONFIG)),
    ],
)
def test_of_a_text_the_length_is_the_number(built_in, value, expected):
    number = judge(Reading(0, built_in, value, None), PointType.STRING)
    assert (number.raw, repr(number.value), number.quality) == (0, repr(expected[0]), expected[1])


def test_built_in_types_have_the_ids_of_the_library():
    assert {each.name.lower(): each.value for each in BuiltIn} == {
        each.name.lower(): each.value for each in ua.VariantType if 1 <= each.value <= 11
    }
    assert ACCEPTED.keys() == set(PointType)


@pytest.mark.parametrize(("status", "expected"), [(0x0480, True), (0x0400, False), (0x0080, False), (0x0880, False)])
def test_the_overflow_bit_counts_only_in_a_data_value(status, expected):
    assert overflowed(status) is expected
