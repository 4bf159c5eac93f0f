"""A session that ends while its page is open: nothing more is done with it, and the page is left.

A changed role or scope ends sessions too. Each way to act is tried when the session is over but the page not told yet,
since the web process stands still: all that the browser sends meanwhile meets a session that is no more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

OPERATOR = {"role": "operator", "scope": ""}
TAKEN = {
    "revoked": ("sessions_revoke", {}),
    "role": ("user_change", {"role": "viewer"}),
    "scope": ("user_change", {"scope": "elsewhere"}),
}
REFUSED_OR_TOLD = {"session_revoked", "user_changed", "action_refused"}
AGENT_IS_SILENT = {"session_closed"}
"""Of the agent that raised the alarm: it says nothing while the browser works, which ends its session on a busy machine."""


def by_button(page: Page) -> None:
    page.locator(".cr-side").get_by_role("button", name="Acknowledge").click()


def by_key(page: Page) -> None:
    page.keyboard.press("k")


def by_visible(page: Page) -> None:
    page.keyboard.press("V")


def by_dialog(page: Page) -> None:
    page.keyboard.press("Enter")


WAYS: dict[str, Callable[[Page], None]] = {
    "button": by_button, "key": by_key, "visible": by_visible, "shelve": by_dialog, "comment": by_dialog,
}  # fmt: skip


@pytest.fixture
def zhang_again(control_room):
    yield
    control_room.command("user_change", name="zhang", **OPERATOR)


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_more_can_be_done_and_the_page_is_left(visit, control_room, zhang_again, way, taken):
    tag = f"AT-{way}-{taken}"
    control_room.raise_alarms(1, tag)
    page = visit("zhang").open(f"/alarms?find={tag}&select=acme/{tag}/high")
    expect(page.locator(".cr-side h2")).to_contain_text(tag)
    if way in {"shelve", "comment"}:
        page.keyboard.press({"shelve": "h", "comment": "m"}[way])
        field = {"shelve": "Reason", "comment": "Comment"}[way]
        expect(page.get_by_role("textbox", name=field, exact=True)).to_be_focused()
        page.keyboard.type("because")
    before = control_room.alarm(tag)
    seq = control_room.records()[-1][0]
    with control_room.web_stands_still():
        verb, args = TAKEN[taken]
        control_room.command(verb, name="zhang", **args)
        WAYS[way](page)
    page.wait_for_url("**/login?reason=not_signed_in**")
    expect(page.get_by_role("status")).to_contain_text("ended or was revoked")
    assert set(control_room.since(seq)) <= REFUSED_OR_TOLD | AGENT_IS_SILENT
    assert control_room.alarm(tag) == before


@pytest.mark.parametrize("taken", TAKEN)
def test_a_browser_that_will_not_leave_has_a_dead_page(visit, control_room, zhang_again, taken):
    tag = f"AT-stays-{taken}"
    control_room.raise_alarms(1, tag)
    page = visit("zhang").open(f"/alarms?find={tag}&select=acme/{tag}/high")
    expect(page.locator(".cr-side h2")).to_contain_text(tag)
    page.route("**/login**", lambda route: route.fulfill(status=204))  # a browser shows what it showed before
    before = control_room.alarm(tag)
    verb, args = TAKEN[taken]
    seq = control_room.records()[-1][0]
    with page.expect_response("**/login?reason=not_signed_in**"):
        control_room.command(verb, name="zhang", **args)
    for do in (by_button, by_key, by_visible):
        do(page)
    row = [f"acme/{tag}/high", before["revision"]]
    page.evaluate("row => emitEvent('alarm_action', {key: 'k', rows: [row]})", row)
    control_room.raise_alarms(1, f"{tag}-later")
    other = visit("li").open(f"/alarms?find={tag}")
    expect(other.locator(".ag-center-cols-container")).to_contain_text(f"{tag}-later")
    assert set(control_room.since(seq)) <= REFUSED_OR_TOLD | AGENT_IS_SILENT | {
        "event",
        "alarm",
        "session_opened",
        "signed_in",
    }
    assert control_room.alarm(tag) == before
    expect(page.locator(".ag-center-cols-container")).not_to_contain_text(f"{tag}-later")


def test_signed_in_anew_he_has_the_rights_that_are_left(visit, control_room, zhang_again):
    control_room.raise_alarms(1, "AT-left")
    control_room.command("user_change", name="zhang", role="viewer")
    page = visit("zhang").open("/alarms?find=AT-left&select=acme/AT-left/high")
    expect(page.locator(".cr-side h2")).to_contain_text("AT-left")
    expect(page.locator("#cr-who")).to_have_text("zhang · viewer")
    for button in page.locator(".cr-actions button").all():
        expect(button).to_be_disabled()
    control_room.command("user_change", name="zhang", role="operator", scope="elsewhere")
    page = visit("zhang").open("/alarms?find=AT-left")
    expect(page.locator(".cr-counts")).to_contain_text("0/0")
    expect(page.locator(".ag-row")).to_have_count(0)
