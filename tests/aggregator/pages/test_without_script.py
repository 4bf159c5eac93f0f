"""What must be right before, or without, any script: a password never stands in an address, and a wrong address leads back."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect


def test_a_password_sent_before_the_script_is_there_never_stands_in_an_address(chromium, control_room):
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{control_room.base}/login?next=/alarms")
        page.fill("input[name=name]", "zhang")
        page.fill("input[name=password]", "correct horse battery")
        page.keyboard.press("Enter")
        page.wait_for_url("**/login?next=%2Falarms")
        expect(page.locator("input[name=password]")).to_have_value("")
        assert not [url for url in asked if "horse" in url or "password" in url]
    finally:
        context.close()


@pytest.mark.parametrize(("language", "said"), [("zh", "没有这个页面"), ("en", "There is no such page")])
def test_a_wrong_address_is_told_in_the_persons_language_and_leads_back(control_room, language, said):
    for path in ("/nothing", "/alarms/of/nobody"):
        answer = httpx.get(f"{control_room.base}{path}", cookies={"parksentry_language": language})
        assert answer.status_code == 404
        assert said in answer.text
        assert '<a href="/">' in answer.text
        assert "content-security-policy" in answer.headers
    assert httpx.get(f"{control_room.base}/api/v1/nothing").headers["content-type"].endswith("json")
