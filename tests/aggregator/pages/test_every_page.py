"""Every page and every dialog in both languages: nothing is asked of anybody but the server, no browser complains."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

PATHS = (
    "/", "/alarms", "/alarms?state=unacknowledged", "/alarms?state=set_aside", "/alarms?state=all&priority=1", "/points",
    "/points?part=alarmed", "/points?part=doubtful", "/points/acme/AT-1", "/points/acme/AT-1?range=7d",
    "/points/acme/none", "/agents", "/journal", "/journal?subject=alarms",
)  # fmt: skip
DIALOGS = {"K": 3, "h": 4, "o": 5, "m": 3}
"""Key, and how many things in the dialog have a place of their own for the keyboard."""


@pytest.fixture(scope="module")
def lively(control_room, station):
    """Points with values, and alarms in most of their states."""
    control_room.raise_alarms(2, "AT-1", "AT-held", "AT-out")
    control_room.raise_alarms(1, "AT-acked", "AT-back")
    control_room.raise_alarms(0, "AT-back")
    control_room.act("acknowledge", "AT-acked")
    return control_room


def own_links(page: Page) -> set[str]:
    """Addresses without the query, points as one; the API's files are no pages."""
    hrefs = page.evaluate("[...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))")
    paths = {href.split("?")[0] for href in hrefs if href.startswith("/") and not href.startswith("/api/")}
    return {re.sub(r"^/points/.+", "/points/acme/AT-1", path) for path in paths}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_asks_nobody_else_and_raises_no_complaint(visit, lively, station, language):
    visitor = visit("li", language)
    found: set[str] = set()
    with station.talking():
        for path in PATHS:
            page = visitor.open(path)
            page.wait_for_load_state("networkidle")
            assert page.locator("h1").count() == 1
            found |= own_links(page)
    assert found <= {path.split("?")[0] for path in PATHS}, "a page that nobody has walked"
    page = visit("", language).open("/login?reason=signed_out")
    page.wait_for_load_state("networkidle")
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_dialog_opens_and_closes_by_keyboard_alone(visit, lively, language):
    page = visit("li", language).open("/alarms?select=acme/AT-1/high")
    expect(page.locator(".cr-side h2")).to_contain_text("AT-1")
    page.wait_for_function("document.activeElement.closest('.ag-row') !== null")
    for key, stops in DIALOGS.items():
        page.keyboard.press(key)
        dialog = page.locator(".q-dialog")
        expect(dialog.locator(":focus")).to_have_count(1)
        reached = set()
        for _ in range(3 * stops):
            reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('.q-dialog') !== null"), "the focus stays in the dialog"
        assert len(reached) >= stops
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        page.wait_for_function("document.activeElement.closest('.ag-row') !== null")  # and he goes on where he was
    assert not lively.alarm("AT-1")["acknowledged"]


def test_what_a_browser_complains_of_and_whom_it_asks_is_heard(visit):
    visitor = visit("zhang")
    page = visitor.open("/alarms")
    page.evaluate("console.error('a fault of the page')")
    page.evaluate("setTimeout(() => { throw new Error('thrown') })")
    page.evaluate("new Image().src = 'http://192.0.2.1/outside.png'")
    page.wait_for_function("performance.now() > 0")
    heard = " ".join(visitor.faults)
    assert "a fault of the page" in heard
    assert "thrown" in heard
    assert "192.0.2.1" in heard
    visitor.faults.clear()
