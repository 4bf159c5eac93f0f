"""The schematic map: ``/map``. Positions are those of the drawing, in its own units."""

from __future__ import annotations

from fastapi import APIRouter

from aggregator.api.signed_in import SignedIn
from aggregator.plant.service import MapView
from aggregator.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["map"])

    @routes.get("/map", summary="Hazard sources, detectors and what else is drawn; `park` is null without a register")
    def schematic_map(caller: SignedIn) -> MapView:
        return services.plant.view(caller)

    return routes
