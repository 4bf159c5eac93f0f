"""Five thousand alarms in one list: there at once, scrolled without drawing them all, changed without a stop."""

from __future__ import annotations

from playwright.sync_api import expect

ALARMS = 5000
FIRST_ROW_S = 10.0
"""Generous: the machine's cores are shared. What matters is that it is no matter of minutes."""
DRAWN_MAX = 120


def test_a_list_of_five_thousand_stays_usable(visit, control_room):
    control_room.raise_alarms(1, *(f"FT-{number}" for number in range(ALARMS)))
    page = visit("zhang").open("/alarms")
    page.locator(".ag-row").first.wait_for(timeout=FIRST_ROW_S * 1000)
    expect(page.locator(".cr-counts")).to_contain_text(f"{ALARMS}/{ALARMS}")
    assert page.locator(".ag-center-cols-container .ag-row").count() < DRAWN_MAX
    control_room.raise_alarms(2, "FT-5001")
    page.locator(".ag-row[row-id='acme/FT-5001/high']").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("alarmList.selected()?.tag === 'FT-5001'")
    page.keyboard.press("k")
    expect(page.locator(".cr-side")).to_contain_text("Acknowledged by")
    page.keyboard.press("PageDown")
    page.wait_for_function("alarmList.selected() !== null && alarmList.selected().tag !== 'FT-5001'")
    assert page.locator(".ag-center-cols-container .ag-row").count() < DRAWN_MAX
