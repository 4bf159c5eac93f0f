"""The journal as a page: for whoever may read it, and with the columns that say something to him."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


def test_who_may_not_read_it_sees_the_refusal_alone(visit):
    page = visit("wang").open("/journal")
    expect(page.get_by_text("You may not do this: read the journal.")).to_be_visible()
    assert page.locator("h1").all_text_contents() == ["Cannot be shown"]
    expect(page.locator("table")).to_have_count(0)
    expect(page.locator(".cr-filters")).to_have_count(0)


@pytest.mark.parametrize(("role", "columns"), [("operator", 4), ("regulator", 5)])
def test_there_is_a_column_of_names_only_for_who_may_see_names(visit, control_room, role, columns):
    control_room.command("user_change", name="wang", role=role, scope="")
    try:
        page = visit("wang").open("/journal")
        expect(page.locator("thead th")).to_have_count(columns)
        expect(page.locator("tbody tr").first.locator("td")).to_have_count(columns)
    finally:
        control_room.command("user_change", name="wang", role="viewer", scope="")


def test_a_subject_limits_what_is_asked_for_and_not_what_is_left_of_the_newest(visit, control_room):
    control_room.raise_alarms(1, *(f"JT-{number}" for number in range(200)))  # each an event and an alarm: 400 records
    page = visit("zhang").open("/journal")
    expect(page.locator("tbody tr")).to_have_count(300)
    page.get_by_role("button", name="People").click()
    page.wait_for_url("**/journal?subject=people")
    expect(page.locator("tbody")).to_contain_text("user added")
