"""Map, points, trend and agents in a real browser: live, by keyboard, and grey when what they show is old."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect


def cell(page: Page, tag: str, column: str):
    return page.locator(f".ag-row[row-id='acme/{tag}'] [col-id='{column}']")


def test_two_thousand_points_are_listed_and_follow_live(visit, station):
    visitor = visit("zhang")
    with station.talking():
        page = visitor.open("/points")
        page.locator(".ag-row").first.wait_for()
        expect(page.get_by_text(f"{station.points} of {station.points}")).to_be_visible()
        page.get_by_label("Tag, name or source").fill("AT-")
        expect(page.get_by_text(f"2 of {station.points}")).to_be_visible()
        page.wait_for_url(re.compile("find=AT-"))
        expect(cell(page, "AT-1", "value")).to_have_text("0.05")
        expect(cell(page, "AT-2", "state")).to_have_text("device does not answer")
        station.gas = 0.33
        expect(cell(page, "AT-1", "value")).to_have_text("0.33")
        page.reload()
        expect(page.get_by_text(f"2 of {station.points}")).to_be_visible()


def test_a_point_shows_its_value_its_limits_and_its_trend(visit, station):
    station.gas = 0.25
    with station.talking():
        page = visit("zhang").open("/points/acme/AT-1?range=10min")
        expect(page.locator("h1")).to_have_text("AT-1")
        expect(page.locator(".cr-big b")).to_have_text("0.25")
        expect(page.locator(".cr-facts")).to_contain_text("1 mg/m³")
        page.locator(".cr-chart canvas").wait_for()
        page.get_by_role("button", name="1 h").click()
        page.wait_for_url("**/AT-1?range=1h")
        href = page.get_by_text("Download CSV").get_attribute("href")
        answer = page.request.get(f"{page.url.split('/points')[0]}{href}")
        assert answer.text().count("\r\n") == 21


def test_an_unknown_point_is_told_in_words(visit, station):
    page = visit("zhang").open("/points/acme/none")
    expect(page.locator("h1")).to_have_count(1)
    expect(page.get_by_text("There is no such point: acme/none.")).to_be_visible()


def test_the_map_leads_to_its_points_and_a_silent_agent_greys_it(visit, station):
    page = visit("zhang").open("/")
    with station.talking():
        expect(page.locator("a[aria-label='AT-1: normal']")).to_be_visible()
        expect(page.locator("a[aria-label='AT-2: device does not answer']")).to_be_visible()
        expect(page.locator(".m-veil")).to_have_count(0)
        page.locator("a[aria-label='AT-1: normal']").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/points/acme/AT-1")
        page.go_back()
    expect(page.locator(".m-veil")).to_have_count(1)
    expect(page.locator("a[aria-label='AT-1: normal']")).to_have_count(0)


def test_agents_tell_who_is_connected_and_what_answers(visit, station):
    page = visit("zhang").open("/agents")
    with station.talking():
        expect(page.locator("h2")).to_contain_text("gate · connected")
        expect(page.locator("tbody tr")).to_contain_text("plc")
        expect(page.locator("tbody tr")).to_contain_text("yes")
    expect(page.locator("h2")).to_contain_text("NOT CONNECTED")
    expect(page.locator("tbody tr")).to_contain_text("NO")


@pytest.mark.parametrize("path", ["/", "/points", "/points/acme/AT-1", "/agents"])
def test_every_page_has_one_heading_in_both_languages(visit, station, path):
    for language in ("zh", "en"):
        assert visit("zhang", language).open(path).locator("h1").count() == 1
