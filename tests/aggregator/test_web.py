"""The page and /health say what is true, to people and to programs, and need nothing from outside."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from aggregator.api.health import AgentHealth, Health
from aggregator.pages.start import render
from aggregator.web import make_app
from contract.clock import NS_PER_S


class Web:
    """Asks the application without a socket."""

    def __init__(self, folder, clock) -> None:
        self.app = make_app(folder, clock)

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://park") as client:
                return await client.get(path)

        return asyncio.run(ask())


@pytest.fixture
def web(park) -> Web:
    return Web(park.folder, park.clock)


def test_health_shows_agents_counts_and_a_living_ingest(park, agent, make_agent, web):
    make_agent("pump")
    agent.turn("AT-1", 1)
    agent.acked(agent.batch(1))
    park.clock.tick(NS_PER_S)
    park.receiver.turn()
    answer = web.get("/health")
    found = answer.json()
    assert answer.status_code == 200
    assert found["ingest_alive"] is True
    assert [(each["name"], each["connected"]) for each in found["agents"]] == [("gate", True), ("pump", False)]
    assert (found["events"], found["chunks"], found["conditions"]) == (1, 0, 1)
    assert found["journal"]["ingest"] == len(park.journal())


def test_an_ingest_that_says_nothing_is_told_as_dead(park, agent, web):
    park.receiver._parts.board.flush()
    assert web.get("/health").status_code == 200
    park.clock.tick(6 * NS_PER_S)
    answer = web.get("/health")
    assert answer.status_code == 503
    assert not any(each["connected"] for each in answer.json()["agents"])


def test_before_ingest_ever_ran_there_is_a_page(folder, clock):
    web = Web(folder, clock)
    assert web.get("/health").status_code == 503
    assert "NOT RUNNING" in web.get("/").text


def test_the_page_says_what_this_system_is_not_and_loads_nothing(web):
    page = web.get("/").text
    assert "neither a safety instrumented system nor the independent gas alarm system of GB/T 50493" in page
    assert not re.search(r"(src|href)=", page)


def test_texts_from_agents_cannot_become_markup():
    health = Health(True, "<b>", (AgentHealth("a", True, 1, "<script>alert(1)</script>"),), {"<i>": 1}, 0, 0, 0)
    page = render(health)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page
