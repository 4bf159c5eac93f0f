"""The journal over HTTP: by cursor, within the scope, names for those who may see them, and the chain still verifies."""

from __future__ import annotations

import pytest

from aggregator.people.rights import Caller
from contract.chain import digest, link, record_digest


def read(api, **params) -> list[dict]:
    """All of it, page by page."""
    found, cursor = [], ""
    while True:
        answer = api("GET", "/journal", params=params | {"after": cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["records"]
        assert len(page["records"]) <= params.get("limit", 100)
        if page["at_end"]:
            return found
        cursor = page["cursor"]


@pytest.fixture
def regulator(api, add_user):
    add_user("zhao", "regulator")
    api.sign_in("zhao")
    return api


@pytest.fixture
def operator(make_api_client, add_user):
    add_user("li", "operator")
    found = make_api_client()
    found.sign_in("li")
    return found


def test_every_record_is_read_once_whatever_the_size_of_a_page(regulator, park, agent):
    agent.turn("AT-1", 1)
    agent.acked(agent.batch(1))
    for limit in (1, 3, 500):
        found = read(regulator, limit=limit)
        assert [each["seq"] for each in found] == list(range(1, len(park.journal()) + 1))


def test_bytes_are_those_that_were_hashed(regulator, park):
    text = regulator("GET", "/journal").text
    for row in park.rows("SELECT open, restricted FROM journal"):
        assert row.open.decode() in text
        assert row.restricted.decode() in text


def test_who_may_not_see_names_gets_a_digest_with_which_the_chain_verifies(operator, regulator, park):
    found = read(operator)
    assert any("withheld" in each for each in found)
    rows = park.rows("SELECT open, salt, restricted FROM journal ORDER BY seq")
    for each, row in zip(found, rows, strict=True):
        assert "restricted" not in each
        assert "salt" not in each
        withheld = bytes.fromhex(each["withheld"]) if row.restricted else digest("sha256")
        linked = link("sha256", bytes.fromhex(each["prev_hash"]), record_digest("sha256", row.open, withheld))
        assert linked.hex() == each["hash"]
    assert "zhao" not in operator("GET", "/journal").text
    assert any(each.get("restricted", {}).get("user") == "zhao" for each in read(regulator))


def test_a_viewer_may_not_read_it(make_api_client, add_user):
    add_user("wang", "viewer")
    viewer = make_api_client()
    viewer.sign_in("wang")
    answer = viewer("GET", "/journal")
    assert (answer.status_code, answer.json()["params"]) == (403, {"right": "journal"})


@pytest.mark.parametrize(("scope", "sees"), [("acme", True), ("acme/tank", True), ("acme/tan", False), ("apex", False)])
def test_records_outside_the_scope_are_left_out_and_the_cursor_leads_past_them(
    make_api_client, add_user, agent, park, scope, sees
):
    add_user("sun", "regulator", scope)
    agent.turn("AT-1", 1)
    agent.acked(agent.batch(1))
    other = make_api_client()
    other.sign_in("sun")
    found = read(other, limit=2)
    assert all((each["open"]["org"] or "").split("/")[0] == scope.split("/")[0] for each in found)
    assert ("event" in {each["kind"] for each in found}) is sees
    assert "ingest_start" not in {each["kind"] for each in found}


@pytest.mark.parametrize(
    "params", [{"after": "nonsense"}, {"after": "x" * 20_000}, {"limit": 0}, {"limit": 501}, {"limit": "many"}]
)
def test_a_wrong_cursor_or_limit_is_told(regulator, params):
    answer = regulator("GET", "/journal", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_the_newest_come_first_and_lead_on_to_what_comes_then(regulator, services, park, add_user):
    [token] = [cookie.value for cookie in regulator.cookies.jar]
    page = services.journal.newest(Caller(token, ""), 3)
    count = len(park.journal())
    assert [each.entry.seq for each in page.records] == [count, count - 1, count - 2]
    add_user("qian", "viewer")
    [after] = services.journal.after(Caller(token, ""), page.cursor, 10).records
    assert after.entry.kind == "user_added"
