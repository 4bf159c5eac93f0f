"""The edge agents, their devices, and whether ingest lives: ``/agents``."""

from __future__ import annotations

from fastapi import APIRouter

from aggregator.api.signed_in import SignedIn
from aggregator.live.agents import StationsView
from aggregator.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["agents"])

    @routes.get("/agents", summary="What was heard of each agent and each of its devices, and when")
    def agents(caller: SignedIn) -> StationsView:
        return services.agents.stations(caller)

    return routes
