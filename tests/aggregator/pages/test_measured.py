"""Values have the digits that the device can tell, and never look good when they are not confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.live.service import Doubt, LimitsView, PointView
from aggregator.pages import measured
from aggregator.pages.point_rows import Part, PointFilter, PointListing
from aggregator.pages.texts import Language, texts
from aggregator.pages.trend import now

TEXT = texts(Language.EN)
POINT = PointView(
    organisation="acme", tag="AT-1", org="acme/tank", description="Chlorine", unit="mg/m3", device="plc", agent="gate",
    rivals=(), value=0.05, quality=0, doubt=None, time_ns=1, confirmed_ns=1, age_s=0.4,
    limits=LimitsView(None, None, 1.0, 2.0), limit_class="safety", range_low=0, range_high=3, resolution=0.01, poll_s=1,
    report_max_s=60,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "resolution", "shown"),
    [
        (0.05, 0.01, "0.05"), (0.632, 0.001, "0.632"), (56.23, 0.1, "56.2"), (0.0, 0.01, "0.00"), (245.0, 1.0, "245"),
        (840.12, None, "840"), (-12.34, 0.1, "-12.3"), (65535.0, 1.0, "65535"), (None, 0.1, "–"), (1.0, 5.0, "1"),
    ],
)  # fmt: skip
def test_three_digits_and_none_that_the_device_cannot_tell(value, resolution, shown):
    assert measured.value(replace(POINT, value=value, resolution=resolution)) == shown


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([None, 0.001, 0.1, 1.0, 1e-12, 0.0]))
def test_whatever_the_number_it_can_be_shown(value, resolution):
    point = replace(POINT, value=value, resolution=resolution)
    assert measured.value(point)
    assert measured.bar(point).count("<svg") == 1


def test_age_stays_the_same_words_while_it_is_as_it_should_be():
    assert {measured.age(replace(POINT, age_s=age_s)) for age_s in (0, 0.7, 2.9)} == {"≤ 3 s"}
    assert measured.age(replace(POINT, age_s=75)) == "1 min 15 s"
    assert measured.age(replace(POINT, age_s=None)) == "–"


@pytest.mark.parametrize(
    "changed", [{"doubt": doubt} for doubt in Doubt] + [{"quality": 0x40}, {"quality": 0x81, "value": None}]
)
def test_what_is_not_confirmed_is_marked_with_a_reason_everywhere(changed):
    point = replace(POINT, **changed)
    added = PointListing(TEXT, PointFilter()).update([point], []).add[0]
    assert added["old"] is True
    assert added["state"]
    assert "sym bad" in str(added["symbol"])
    assert "old" in measured.bar(point) or point.value is None
    assert "cr-big old" in now(TEXT, point, "")


def test_a_good_value_carries_no_mark():
    added = PointListing(TEXT, PointFilter()).update([POINT], []).add[0]
    assert (added["old"], added["state"], added["symbol"]) == (False, "", "")


@pytest.mark.parametrize(("value", "pointer"), [(0.9, '"p"'), (1.0, '"p beyond"'), (2.5, '"p far"')])
def test_the_pointer_tells_the_zone(value, pointer):
    assert pointer in measured.bar(replace(POINT, value=value))


def test_words_of_a_gateway_cannot_become_markup():
    point = replace(POINT, description="<script>", device="<b>", agent="<i>", rivals=("<u>",))
    assert not any(word in now(TEXT, point, "") for word in ("<script>", "<b></dd>", "<i>", "<u>"))
    assert "&lt;u&gt;" in now(TEXT, point, "")


def test_only_what_changed_is_sent():
    listing = PointListing(TEXT, PointFilter())
    other = replace(POINT, tag="AT-2")
    assert len(listing.update([POINT, other], []).add) == 2
    assert listing.update([replace(POINT, age_s=1.2), other], []).is_empty()
    changed = listing.update([replace(POINT, value=0.06), other], [])
    assert [each["id"] for each in changed.update] == ["acme/AT-1"]
    assert listing.update([other], []).remove == [{"id": "acme/AT-1"}]


@given(
    st.builds(
        PointFilter, st.sampled_from(Part), st.sampled_from(["", "acme", "acme/tank"]), st.text(max_size=50)
    )
)  # fmt: skip
def test_a_filter_can_be_kept_in_the_address(chosen):
    assert PointFilter.parse(chosen.query()) == chosen


def test_a_source_holds_what_is_below_it_and_nothing_beside_it():
    assert PointFilter(source="acme").matches(POINT, None)
    assert not PointFilter(source="acme/tan").matches(POINT, None)
    assert not PointFilter(part=Part.ALARMED).matches(POINT, None)
    assert PointFilter(find="CHLOR").matches(POINT, None)


def test_a_point_is_found_by_what_the_register_calls_its_place():
    text = TEXT.with_places({"acme/tank": {"zh": "液氯储存", "en": "Chlorine store"}})
    listing = PointListing(text, PointFilter(find="chlorine STORE"))
    assert [each["org"] for each in listing.update([POINT], []).add] == ["Chlorine store"]
    assert PointListing(TEXT, PointFilter(find="chlorine store")).update([POINT], []).is_empty()
