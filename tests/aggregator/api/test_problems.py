"""Whatever goes wrong, the answer is a problem, tells nothing it should not, and no request lasts or weighs for ever."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from structlog.testing import capture_logs

from aggregator.api.guard import BODY_BYTES_MAX, Guard
from aggregator.api.v1 import make_api
from aggregator.commands.channel import CommandClient
from aggregator.services import make_services

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "http"), ("PUT", "/session", 405, "http"), ("GET", "/session", 401, "not_signed_in"),
     ("DELETE", "/session", 401, "not_signed_in"), ("GET", "/journal", 401, "not_signed_in")],
)  # fmt: skip
def test_what_is_not_there_or_not_allowed_is_a_problem(api, method, path, status, code):
    answer = api(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert {"title", "detail", "params"} <= body.keys()


HOSTILE = {
    "no body": b"",
    "no json": b"{",
    "no object": b"[]",
    "deep": b"[" * 60_000,
    "not a number": b'{"name": NaN, "password": "x"}',
    "another field": b'{"name": "li", "password": "x", "role": "administrator"}',
    "a number for a name": b'{"name": 1, "password": "x"}',
    "a long name": json.dumps({"name": "x" * 65, "password": "x"}).encode(),
    "no utf-8": b'{"name": "\xff", "password": "x"}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_told_what_is_wrong(api, body):
    answer = api("POST", "/session", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code // 100, answer.headers["content-type"]) == (4, PROBLEM)


def test_half_a_surrogate_pair_is_nobodys_name_nor_password(api, add_user):
    add_user("li", "viewer")
    for body in (rb'{"name": "\ud800", "password": "x"}', rb'{"name": "li", "password": "\ud800"}'):
        answer = api("POST", "/session", content=body, headers={"Content-Type": "application/json"})
        assert answer.json()["code"] in {"wrong_password", "invalid"}


def test_what_was_sent_is_not_repeated(api):
    answer = api("POST", "/session", json={"name": ["li"], "password": "a secret", "more": "another secret"})
    assert answer.json()["code"] == "invalid"
    assert answer.json()["params"]["field"] == "name"
    assert "secret" not in answer.text


def test_a_body_may_be_so_large_and_no_larger(api):
    head = len(json.dumps({"name": "li", "password": ""}))
    for size, status in ((BODY_BYTES_MAX, 422), (BODY_BYTES_MAX + 1, 413)):
        body = json.dumps({"name": "li", "password": "x" * (size - head)}).encode()
        answer = api("POST", "/session", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


def test_every_answer_forbids_browsers_to_do_anything_with_it(api):
    for path in ("/session", "/nothing", "/openapi.json"):
        headers = api("GET", path).headers
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def ask(app, **more) -> httpx.Response:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://park") as client:
            return await client.request(more.pop("method", "GET"), **more)

    return asyncio.run(once())


def test_a_request_that_takes_too_long_is_ended():
    async def never(scope, receive, send):
        await asyncio.Event().wait()

    with capture_logs():
        answer = ask(Guard(never, timeout_s=0.01), url="/")
    assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")


def test_a_fault_of_ours_gives_an_id_and_no_more():
    async def faulty(scope, receive, send):
        raise KeyError("a secret")

    with capture_logs() as logs:
        answer = ask(Guard(faulty), url="/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert logs[0]["id"] == answer.json()["params"]["id"]


def test_without_ingest_it_is_said_that_nobody_answers(folder, clock, monkeypatch):
    client = CommandClient(folder)
    monkeypatch.setattr("aggregator.commands.channel.TIMEOUT_S", 0.1)
    monkeypatch.setattr(client, "send", lambda command: CommandClient.send(client, command, 0.1))
    app = make_api(make_services(folder, clock, client))
    with capture_logs():
        answer = ask(app, method="POST", url="/session", json={"name": "li", "password": "wrong"})
    assert answer.json()["code"] in {"wrong_password", "invalid"}
    client.close()


def test_openapi_names_every_route_with_its_answers_and_problems(api):
    document = api("GET", "/openapi.json").json()
    assert {"/session", "/journal"} <= set(document["paths"])
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert {"4XX", "5XX"} <= operation["responses"].keys()
            assert PROBLEM in operation["responses"]["4XX"]["content"]
