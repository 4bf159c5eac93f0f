"""A gateway that dies is seen on every page; what it said last never looks like something that is so now."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

PATHS = ("/", "/alarms", "/points", "/points/acme/AT-1", "/agents", "/journal")
AWAY = "1 gateway of 1 away: gate"


def row(page: Page, tag: str):
    return page.locator(f".ag-center-cols-container .ag-row[row-id='acme/{tag}/high']")


@pytest.fixture(scope="module")
def alarmed(control_room, station):
    control_room.raise_alarms(2, "AT-2")
    return control_room


def test_it_is_said_in_words_in_the_bar_of_every_page_and_so_is_that_it_came_back(visit, alarmed, station):
    visitors = [visit("zhang") for _ in PATHS]
    with station.talking():
        pages = [visitor.open(path) for visitor, path in zip(visitors, PATHS, strict=True)]
        for page in pages:
            expect(page.locator("#cr-link")).to_have_text("Link good")
    for page in pages:
        expect(page.locator("#cr-link")).to_have_text(AWAY)
        expect(page.locator("#cr-link")).to_have_class("cr-cell cr-state wrong")
    with station.talking():
        for page in pages:
            expect(page.locator("#cr-link")).to_have_text("Link good")
            expect(page.locator("#cr-link")).to_have_class("cr-cell cr-state")


def test_its_alarms_carry_a_question_mark_and_the_details_say_since_when(visit, alarmed, station):
    page, overview = visit("zhang").open("/alarms?select=acme/AT-2/high"), visit("zhang").open("/")
    with station.talking():
        expect(row(page, "AT-2").locator(".sym.bad")).to_have_count(0)
        expect(page.locator(".cr-side")).not_to_contain_text("is away")
    expect(row(page, "AT-2").locator(".sym.bad")).to_have_count(1)
    expect(row(page, "AT-2")).to_contain_text("unacknowledged, not confirmed")
    expect(page.locator(".cr-newest .sym.bad")).to_have_count(1)
    expect(page.locator(".cr-side")).to_contain_text(
        "Gateway gate is away: value and state have not been confirmed for"
    )
    expect(overview.locator("tr", has_text="AT-2").locator(".sym.bad")).to_have_count(1)
    with station.talking():
        expect(row(page, "AT-2").locator(".sym.bad")).to_have_count(0)
        expect(page.locator(".cr-newest .sym.bad")).to_have_count(0)
        expect(page.locator(".cr-side")).not_to_contain_text("is away")


def test_a_gateway_outside_the_scope_is_not_named(visit, alarmed, station):
    alarmed.command("user_change", name="wang", role="viewer", scope="other")
    try:
        page = visit("wang").open("/alarms")
        expect(page.locator("#cr-link")).to_have_text("Link good")
        other = visit("zhang").open("/alarms")
        expect(other.locator("#cr-link")).to_have_text(AWAY)
        expect(page.locator("#cr-link")).to_have_text("Link good")
    finally:
        alarmed.command("user_change", name="wang", role="viewer", scope="")


def test_what_the_point_is_stands_in_list_bar_details_and_overview(visit, alarmed, station):
    page = visit("zhang").open("/alarms?select=acme/AT-2/high")
    with station.talking():
        expect(row(page, "AT-2")).to_contain_text("Chlorine at the pump")
        expect(page.locator(".cr-newest")).to_contain_text("Chlorine at the pump")
        expect(page.locator(".cr-side")).to_contain_text("Chlorine at the pump")
        expect(row(page, "AT-2")).to_contain_text("2.4 mg/m³")
        page.get_by_text("Its place on the map").click()
        page.wait_for_url("**/?point=acme/AT-2")
        expect(page.locator("tr", has_text="AT-2")).to_contain_text("Chlorine at the pump")
        expect(page.locator(".cr-map a.m-ringed")).to_have_count(1)
        expect(page.locator(".cr-map a.m-ringed")).to_have_attribute("href", "/points/acme/AT-2")


def test_no_place_is_offered_of_a_point_that_the_map_does_not_draw(visit, alarmed, station):
    alarmed.raise_alarms(1, "TT-0001")
    page = visit("zhang").open("/alarms?select=acme/TT-0001/high")
    expect(page.get_by_text("Point and trend")).to_be_visible()
    expect(page.get_by_text("Its place on the map")).to_have_count(0)
