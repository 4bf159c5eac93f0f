"""The same pages on the smallest and on the largest screen of a control room."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

FITS = """() => { const grid = document.querySelector('.cr-grid .ag-center-cols-viewport').getBoundingClientRect();
  return ['setpoint', 'org', 'count'].every((name) =>
    document.querySelector(`.cr-grid .ag-header-cell[col-id=${name}]`).getBoundingClientRect().right <= grid.right + 1); }"""
FONT = "selector => parseFloat(getComputedStyle(document.querySelector(selector)).fontSize)"


def at(page: Page, width: int, height: int) -> Page:
    page.set_viewport_size({"width": width, "height": height})
    return page


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (3840, 2160)])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_alarm_list_shows_its_columns_without_scrolling_sideways(visit, control_room, language, size):
    control_room.raise_alarms(2, "AT-71")
    page = at(visit("zhang", language).open("/alarms?select=acme/AT-71/high"), *size)
    expect(page.locator(".cr-side h2")).to_contain_text("AT-71")
    page.wait_for_function(FITS)


def test_letters_grow_with_a_large_screen_in_tables_and_navigation_too(visit, control_room):
    control_room.raise_alarms(2, "AT-72")
    page = visit("zhang").open("/alarms")
    page.locator(".ag-row").first.wait_for()
    selectors = (".cr-nav a", ".cr-grid .ag-cell", ".cr-grid .ag-header-cell", ".cr-bar", ".cr-filters .q-btn")
    at(page, 1920, 1080)
    usual = [page.evaluate(FONT, selector) for selector in selectors]
    height = page.locator(".ag-row").first.bounding_box()
    at(page, 3840, 2160)
    large = [page.evaluate(FONT, selector) for selector in selectors]
    assert all(after > 1.4 * before for before, after in zip(usual, large, strict=True)), (usual, large)
    page.wait_for_function(
        "before => document.querySelector('.ag-row').offsetHeight > 1.4 * before", arg=height["height"]
    )
