"""People at their browsers: what they see, when they see it, and that the keyboard is enough."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.sync_api import Page, expect

PAGES = {"/": 1, "/alarms": 1, "/alarms?state=all": 1, "/journal": 1}


def row(page: Page, tag: str):
    return page.locator(f".ag-center-cols-container .ag-row[row-id='acme/{tag}/high']")


def select(page: Page, tag: str) -> None:
    """By keyboard alone."""
    page.locator(".ag-row").first.wait_for()
    page.keyboard.press("ArrowDown")
    for _ in range(60):
        page.wait_for_function("alarmList.selected() !== null")
        if page.evaluate("alarmList.selected().tag") == tag:
            break
        page.keyboard.press("ArrowDown")
    expect(page.locator(".cr-side h2")).to_contain_text(tag)


def test_one_signs_in_looks_and_signs_out(visit, control_room):
    page = visit("").open("/login?next=/alarms")
    page.fill("input[name=name]", "zhang")
    page.fill("input[name=password]", "wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page.fill("input[name=password]", "correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alarms")
    expect(page.locator("#cr-who")).to_have_text("zhang · operator")
    page.click("#cr-sign-out")
    page.wait_for_url("**/login?reason=signed_out")
    page.goto(control_room.base + "/alarms")
    page.wait_for_url("**/login**")


def test_who_signs_out_is_told_that_and_not_that_his_session_was_revoked(visit):
    page = visit("zhang").open("/alarms")
    held = []
    page.route("**/api/v1/session", lambda route: held.append((route, route.fetch())))
    page.click("#cr-sign-out")
    page.wait_for_function("document.body.classList.contains('cr-lost')")  # the server knows, and has left the page
    route, response = held[0]
    route.fulfill(response=response)
    page.wait_for_url("**/login?reason=signed_out")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_has_one_heading_the_bar_and_the_sentence(visit, language):
    visitor = visit("zhang", language)
    for path in PAGES:
        page = visitor.open(path)
        assert page.locator("h1").count() == 1
        expect(page.locator("#cr-link")).to_have_text("连接正常" if language == "zh" else "Link good")
        expect(page.locator("footer")).to_contain_text("GB/T 50493")
        assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh" else "en-GB")


def test_the_language_is_changed_with_one_press(visit):
    page = visit("zhang", "zh").open("/alarms")
    page.click("#cr-language")
    expect(page.locator("h1")).to_have_text("Alarms")


def test_rows_stand_still_while_one_reads_and_new_ones_are_counted(visit, control_room):
    control_room.raise_alarms(1, "AT-201", "AT-202")
    page = visit("zhang").open("/alarms")
    select(page, "AT-201")
    before = row(page, "AT-201").bounding_box()
    control_room.raise_alarms(2, "AT-203")
    page.get_by_text("1 new – show").wait_for()
    expect(page.locator(".cr-newest")).to_contain_text("AT-203")
    assert row(page, "AT-203").count() == 0
    assert row(page, "AT-201").bounding_box() == before
    control_room.raise_alarms(0, "AT-202")
    expect(row(page, "AT-202")).to_contain_text("returned")
    assert page.evaluate("alarmList.selected().tag") == "AT-201"
    page.keyboard.press("n")
    row(page, "AT-203").wait_for()
    assert page.evaluate("alarmList.selected().tag") == "AT-201"


def test_the_arrows_go_on_from_the_alarm_that_was_asked_for(visit, control_room):
    control_room.raise_alarms(2, "AT-251", "AT-252", "AT-253")
    page = visit("zhang").open("/alarms?find=AT-25&select=acme/AT-252/high")
    expect(page.locator(".cr-side h2")).to_contain_text("AT-252")
    page.wait_for_function("document.activeElement.closest('.ag-row') !== null")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowUp")  # back to it, wherever the focus went
    assert page.evaluate("alarmList.selected().tag") == "AT-252"
    page.keyboard.press("ArrowDown")
    expect(page.locator(".cr-side h2")).to_contain_text("AT-251")


def test_what_has_changed_meanwhile_is_told_and_not_acknowledged(visit, control_room):
    control_room.raise_alarms(1, "AT-301")
    page = visit("zhang").open("/alarms")
    row(page, "AT-301").wait_for()
    page.evaluate("emitEvent('alarm_action', {key: 'k', rows: [['acme/AT-301/high', 0]]})")
    expect(page.locator(".cr-message")).to_contain_text("AT-301 is now: unacknowledged")
    expect(row(page, "AT-301")).to_contain_text("unacknowledged")


@pytest.mark.parametrize("way", ["button", "key"])
def test_who_acts_before_he_is_told_what_changed_is_told_in_words(visit, control_room, way):
    tag = f"AT-31-{way}"
    control_room.raise_alarms(1, tag)
    page = visit("zhang").open(f"/alarms?select=acme/{tag}/high")
    expect(page.locator(".cr-side h2")).to_contain_text(tag)
    with control_room.web_stands_still():
        control_room.raise_alarms(2, tag)
        if way == "key":
            page.keyboard.press("k")
        else:
            page.locator(".cr-side").get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".cr-message")).to_contain_text(f"{tag} is now: unacknowledged")
    assert not control_room.alarm(tag)["acknowledged"]


def test_an_acknowledgement_can_carry_a_comment(visit, control_room):
    control_room.raise_alarms(1, "AT-351")
    page = visit("zhang").open("/alarms?select=acme/AT-351/high")
    expect(page.locator(".cr-side h2")).to_contain_text("AT-351")
    page.keyboard.press("K")
    expect(page.get_by_label("Comment", exact=True)).to_be_focused()
    page.keyboard.type("valve shut by hand")
    page.keyboard.press("Enter")
    expect(page.locator(".cr-side")).to_contain_text("valve shut by hand")
    said = control_room.alarm("AT-351")
    assert (said["acknowledged"], said["comment"]) == (True, "valve shut by hand")


def test_a_shelf_needs_a_reason_and_shows_what_is_left(visit, control_room):
    control_room.raise_alarms(1, "AT-401")
    page = visit("zhang").open("/alarms?find=AT-401")
    select(page, "AT-401")
    page.keyboard.press("h")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Must be filled in")).to_be_visible()
    page.keyboard.type("calibration")
    page.keyboard.press("Enter")
    expect(page.locator(".q-dialog")).to_have_count(0)
    expect(page.locator(".cr-counts")).to_contain_text("set aside 1")
    page = visit("li").open("/alarms?state=set_aside")
    expect(row(page, "AT-401")).to_contain_text("30 min left")
    select(page, "AT-401")
    expect(page.locator(".cr-side")).to_contain_text("calibration")
    page.keyboard.press("h")
    expect(page.locator(".cr-counts")).to_contain_text("set aside 0")


def test_only_what_is_on_the_screen_is_acknowledged_at_once(visit, control_room):
    tags = [f"BT-{number}" for number in range(40)]
    control_room.settle()
    control_room.raise_alarms(1, *tags)
    page = visit("zhang").open("/alarms?find=BT-")
    page.locator(".ag-row").first.wait_for()
    seen = page.evaluate("alarmList.visible().length")
    assert 5 < seen < len(tags)
    page.keyboard.press("V")
    expect(page.locator(".cr-counts")).to_contain_text(f"{len(tags) - seen}/{len(tags)}")
    assert page.evaluate("alarmList.visible().every((row) => row.look.includes(' acknowledged'))"), "rows stay in place"


def test_who_may_only_look_is_offered_nothing_to_press(visit, control_room):
    control_room.raise_alarms(1, "AT-501")
    page = visit("wang").open("/alarms?find=AT-501")
    select(page, "AT-501")
    expect(page.locator(".cr-actions button").first).to_be_disabled()
    page.keyboard.press("k")
    expect(page.locator(".cr-message")).to_contain_text("You may not do this: acknowledge alarms.")


def test_sound_is_shown_as_off_until_armed_and_silence_is_for_what_sounds_now(visit, control_room):
    control_room.raise_alarms(2, "AT-601")
    page = visit("zhang").open("/alarms")
    expect(page.locator("#cr-sound")).to_contain_text("SOUND IS OFF")
    page.click("#cr-arm")
    expect(page.locator("#cr-sound")).to_contain_text("Sounding")
    page.keyboard.press("s")
    expect(page.locator("#cr-sound")).to_contain_text("Silenced")
    control_room.raise_alarms(2, "AT-602")
    expect(page.locator("#cr-sound")).to_contain_text("Sounding")
    assert len(page.evaluate("controlRoom.sound().audible")) == 1
    page.click(".cr-nav a >> nth=0")
    page.wait_for_function("typeof controlRoom === 'object' && controlRoom.sound().armed")


def test_the_journal_reads_as_sentences(visit, control_room):
    control_room.raise_alarms(2, "AT-801")
    page = visit("zhang").open("/journal?subject=alarms")
    expect(page.locator("table")).to_contain_text("raised (normal → unacknowledged)")
    control_room.raise_alarms(2, "AT-802")
    page.get_by_text("New records – show").click()
    expect(page.locator("table")).to_contain_text("AT-802")


def test_a_page_that_is_not_fresh_says_so(visit, control_room):
    page = visit("zhang").open("/alarms")
    try:
        os.kill(control_room.ingest_pid, signal.SIGSTOP)
        expect(page.locator("#cr-link")).to_contain_text("Ingest silent", timeout=15_000)
        expect(page.locator(".cr-veil")).to_be_visible()
        os.kill(control_room.web_pid, signal.SIGSTOP)
        expect(page.locator("#cr-link")).to_contain_text("No link to the server", timeout=15_000)
    finally:
        os.kill(control_room.web_pid, signal.SIGCONT)
        os.kill(control_room.ingest_pid, signal.SIGCONT)
    expect(page.locator("#cr-link")).to_have_text("Link good", timeout=15_000)
