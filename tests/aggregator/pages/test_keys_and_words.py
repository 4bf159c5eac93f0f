"""Keys that are held down, wishes that cannot be, events that nobody pressed: answered in words, or not at all."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

REPEATED = """key => { document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, repeat: true })); }"""
SENT = """window.sent = []; const emit = window.emitEvent;
window.emitEvent = (name, args) => { if (name === 'alarm_action') window.sent.push(args); emit(name, args); }; true"""
FORGED: tuple[Any, ...] = (
    {},
    None,
    "k",
    {"key": "k", "rows": "abc"},
    {"key": "x", "rows": []},
    {"key": "k", "rows": [[None, {}]]},
)


def opened(page: Page, tag: str) -> Page:
    expect(page.locator(".cr-side h2")).to_contain_text(tag)
    return page


def test_a_key_that_is_held_down_is_one_press(visit, control_room):
    control_room.raise_alarms(1, "AT-11")
    page = opened(visit("zhang").open("/alarms?find=AT-11&select=acme/AT-11/high"), "AT-11")
    page.evaluate(SENT)
    for key in "kmnV":
        page.evaluate(REPEATED, key)
    assert page.evaluate("window.sent") == []
    page.keyboard.down("k")
    page.keyboard.down("k")
    page.keyboard.up("k")
    expect(page.locator(".cr-side")).to_contain_text("Acknowledged by")
    assert len(page.evaluate("window.sent")) == 1


def test_what_the_state_does_not_allow_is_refused_before_a_form_opens(visit, control_room):
    control_room.raise_alarms(1, "AT-21")
    control_room.act("acknowledge", "AT-21")
    page = opened(visit("zhang").open("/alarms?state=all&find=AT-21&select=acme/AT-21/high"), "AT-21")
    expect(page.locator(".cr-side")).to_contain_text("Acknowledged by")
    page.keyboard.press("K")
    expect(page.locator(".cr-message")).to_contain_text("Ack with note cannot be done while the alarm is: acknowledged")
    expect(page.locator(".q-dialog")).to_have_count(0)


def test_what_a_role_may_not_do_is_refused_before_a_form_opens(visit, control_room):
    control_room.raise_alarms(1, "AT-31")
    page = opened(visit("zhang").open("/alarms?find=AT-31&select=acme/AT-31/high"), "AT-31")
    page.keyboard.press("o")
    expect(page.locator(".cr-message")).to_contain_text("You may not do this: take alarms out of service.")
    expect(page.locator(".q-dialog")).to_have_count(0)


def test_where_nothing_on_the_screen_is_owed_that_is_said(visit, control_room):
    page = visit("zhang").open("/alarms?find=nothing-of-this-name")
    page.wait_for_function("alarmList.selected() === null")
    expect(page.locator(".ag-overlay")).to_contain_text("No alarms")
    page.keyboard.press("V")
    expect(page.locator(".cr-message")).to_contain_text("there is nothing to acknowledge")


def test_forged_events_are_ignored(visit, control_room):
    control_room.raise_alarms(1, "AT-41")
    page = opened(visit("zhang").open("/alarms?find=AT-41&select=acme/AT-41/high"), "AT-41")
    for name in ("alarm_action", "alarm_selected", "alarm_reading"):
        for args in FORGED:
            page.evaluate("([name, args]) => emitEvent(name, args)", [name, args])
    page.keyboard.press("k")  # what comes after them is heard
    expect(page.locator(".cr-side")).to_contain_text("Acknowledged by")
    assert "Traceback" not in control_room.errors.read_text()


def test_messages_leave_the_bar_free_and_escape_closes_the_newest(visit, control_room):
    page = visit("zhang").open("/alarms")
    page.evaluate("['one', 'two', 'one', 'two'].forEach(controlRoom.tell)")
    expect(page.locator(".cr-message span")).to_have_text(["two", "one"])
    bar = page.locator(".cr-bar").bounding_box()
    assert bar is not None
    for box in [each.bounding_box() for each in page.locator(".cr-message").all()]:
        assert box is not None
        assert box["y"] >= bar["y"] + bar["height"]
    page.keyboard.press("Escape")
    expect(page.locator(".cr-message span")).to_have_text(["one"])
    page.get_by_role("button", name="Read").click()
    expect(page.locator(".cr-message")).to_have_count(0)
    page.keyboard.press("Escape")


def test_what_is_told_without_end_does_not_fill_the_page(visit, control_room):
    page = visit("zhang").open("/")
    page.evaluate("for (let n = 0; n < 50; n += 1) controlRoom.tell(`message ${n}`)")
    expect(page.locator(".cr-message")).to_have_count(8)
    expect(page.locator(".cr-message").first).to_contain_text("message 49")


def test_who_is_signed_out_here_alone_is_told_so(visit, control_room):
    visitor = visit("zhang")
    page = visitor.open("/")
    page.route("**/api/v1/session", lambda route: route.fulfill(status=503))
    page.click("#cr-sign-out")
    page.wait_for_url("**/login?reason=unconfirmed")
    expect(page.locator(".reason")).to_contain_text("has not confirmed")
    visitor.faults = [each for each in visitor.faults if "Failed to load resource" not in each]


def test_who_could_not_be_signed_out_is_told_so_and_stays(visit, control_room):
    visitor = visit("zhang")
    page = visitor.open("/")
    page.route("**/api/v1/session", lambda route: route.abort())
    page.click("#cr-sign-out")
    expect(page.locator(".cr-message")).to_contain_text("Signing out did not work")
    assert page.url.endswith("/")
    visitor.faults = [each for each in visitor.faults if "Failed to load resource" not in each]
    page.unroute("**/api/v1/session")
    page.click("#cr-sign-out")
    page.wait_for_url("**/login?reason=signed_out")


def test_the_shelf_ends_at_what_the_settings_allow(visit, control_room):
    control_room.raise_alarms(1, "AT-51")
    page = opened(visit("zhang").open("/alarms?find=AT-51&select=acme/AT-51/high"), "AT-51")
    page.keyboard.press("h")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.get_by_label("For how long").click()
    expect(page.get_by_role("option")).to_have_text(["15 min", "30 min", "45 min"])
    page.keyboard.press("Escape")
