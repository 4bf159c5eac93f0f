"""Signing in over HTTP: the cookie, the token, and that nothing but our own pages can use the cookie."""

from __future__ import annotations

import functools

import pytest

from contract.clock import NS_PER_S


@pytest.fixture(autouse=True)
def li(add_user):
    add_user("li", "operator", "acme")


def test_who_signs_in_is_told_his_rights_and_gets_a_cookie_that_scripts_cannot_read(api):
    answer = api.sign_in("li")
    assert answer.status_code == 200
    rights = ["acknowledge", "comment", "journal", "reset", "see", "shelve"]
    assert answer.json() == {"name": "li", "role": "operator", "scope": "acme", "rights": rights, "token": None}
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/", "max-age=43200"))
    assert api("GET", "/session").json()["name"] == "li"


def test_a_program_gets_a_token_and_no_cookie(api, make_api_client):
    answer = api("POST", "/session", json={"name": "li", "password": "氯气 smells of bleach", "bearer": True})
    assert "set-cookie" not in answer.headers
    other = make_api_client()
    other.headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert other("GET", "/session").json()["name"] == "li"
    assert other("DELETE", "/session").status_code == 204
    assert other("GET", "/session").status_code == 401


def test_who_signs_out_is_out_and_so_is_a_copy_of_his_cookie(api, make_api_client):
    api.sign_in("li")
    copy = make_api_client()
    copy.cookies = api.cookies
    assert api("DELETE", "/session").status_code == 204
    assert api("GET", "/session").status_code == 401
    assert copy("GET", "/session").json()["params"] == {"reason": "ended"}


@pytest.mark.parametrize(("name", "password"), [("li", "wrong password"), ("nobody", "氯气 smells of bleach")])
def test_a_wrong_name_and_a_wrong_password_get_one_answer(api, name, password):
    answer = api("POST", "/session", json={"name": name, "password": password})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["code"], body["status"], body["params"]) == ("wrong_password", 401, {})
    assert "set-cookie" not in answer.headers


def test_who_guesses_is_told_how_long_to_wait(api, park):
    for _ in range(5):
        api("POST", "/session", json={"name": "li", "password": "wrong password"})
    answer = api.sign_in("li")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["params"] == {"retry_after_s": 1}
    park.clock.tick(NS_PER_S)
    assert api.sign_in("li").status_code == 200


def test_a_session_ends_with_the_shift(api, park):
    api.sign_in("li")
    park.clock.tick(12 * 3600 * NS_PER_S - 1)
    assert api("GET", "/session").status_code == 200
    park.clock.tick(1)
    answer = api("GET", "/session")
    assert answer.status_code == 401
    assert answer.json()["params"] == {"reason": "expired"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Origin": "http://park.evil"}, 403),
        ({"Origin": "http://park"}, 204), ({}, 204),
    ],
)  # fmt: skip
def test_another_sites_page_can_do_nothing_with_our_cookie(api, headers, status):
    api.sign_in("li")
    assert api("DELETE", "/session", headers=headers).status_code == status


def test_who_signs_out_while_ingest_is_silent_is_told_so_and_loses_the_cookie(api, services, monkeypatch):
    api.sign_in("li")
    client = services.people._client
    monkeypatch.setattr(client, "send", functools.partial(client.send, timeout_s=0))
    answer = api("DELETE", "/session")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert 'parksentry_session="";' in answer.headers["set-cookie"]
    assert api("GET", "/session").status_code == 401


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_not_taken(api, media_type):
    body = b'{"name": "li", "password": "x"}'
    answer = api("POST", "/session", content=body, headers={"Content-Type": media_type})
    assert answer.status_code in {415, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_what_a_form_sends_by_cookie_is_refused_before_it_is_looked_at(api, media_type):
    api.sign_in("li")
    answer = api("POST", "/alarms/any/acknowledge", content=b'{"seen": 1}', headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "foreign_origin")
