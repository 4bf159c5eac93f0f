"""Points with their latest values: ``/points``."""

from __future__ import annotations

from fastapi import APIRouter

from aggregator.api.signed_in import SignedIn
from aggregator.live.service import PointView
from aggregator.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["points"])

    @routes.get("/points", summary="Every measured point of the person's scope; where `doubt` is set the value is old")
    def points(caller: SignedIn) -> list[PointView]:
        return services.points.points(caller)

    @routes.get("/points/{organisation}/{tag}", summary="One point")
    def one(caller: SignedIn, organisation: str, tag: str) -> PointView:
        return services.points.one(caller, organisation, tag)

    return routes
