"""/health says what is true to whoever asks; everything else wants to know who that is."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing

import fastapi
import httpx
import pytest

from aggregator.api import signed_in
from aggregator.commands.channel import CommandClient
from aggregator.services import make_services
from aggregator.web import make_app, server_config
from contract.clock import NS_PER_S


class Web:
    """Asks the application without a socket."""

    def __init__(self, folder, clock, client) -> None:
        self.app = make_app(make_services(folder, clock, client))

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://park") as client:
                return await client.get(path)

        return asyncio.run(ask())


@pytest.fixture
def make_web():
    with closing(ExitStack()) as stack:

        def make(folder, clock) -> Web:
            return Web(folder, clock, stack.enter_context(closing(CommandClient(folder))))

        yield make


@pytest.fixture
def web(park, make_web):
    return make_web(park.folder, park.clock)


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


def test_before_ingest_ever_ran_there_is_an_answer(folder, clock, make_web):
    assert make_web(folder, clock).get("/health").status_code == 503


def test_the_api_asks_who_it_is(web):
    answer = web.get("/api/v1/session")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_the_address_is_that_of_the_connection_whatever_a_header_claims():
    app = fastapi.FastAPI()

    @app.get("/")
    def station(request: fastapi.Request) -> str:
        return signed_in.station_of(request)

    config = server_config(app)
    config.load()

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(config.loaded_app, client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://park") as client:
            return await client.get("/", headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"})

    assert asyncio.run(ask()).json() == "127.0.0.1"
