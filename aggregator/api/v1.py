"""The API as an application of its own, mounted at /api/v1: its errors, headers and limits are not those of the pages.

A subject is a module with ``router(services)`` and one line here.
"""

from __future__ import annotations

from typing import Final

import fastapi
from starlette.middleware import Middleware

from aggregator.api import agents, alarms, journal, plant, points, problems, session, trends
from aggregator.api.guard import Guard
from aggregator.api.problems import MEDIA_TYPE, Problem
from aggregator.services import Services

PATH: Final = "/api/v1"
DESCRIPTION: Final = """\
What the control room shows and does, for programs. Sign in with POST /session, by cookie or (`bearer`) by token. Times are
UTC nanoseconds. Every answer that is no success is application/problem+json with a `code`. This system supplements a
plant's safety systems and the gas alarm system of GB/T 50493, and replaces none of them.
"""
PROBLEM: Final = {"model": Problem, "description": "Problem (RFC 9457)", "content": {MEDIA_TYPE: {}}}


def make_api(services: Services) -> fastapi.FastAPI:
    """To be mounted at ``PATH``. Its OpenAPI is openapi.json below that; pages that load scripts are off."""
    app = fastapi.FastAPI(
        title="parksentry", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None,
        middleware=[Middleware(Guard)], responses={"4XX": PROBLEM, "5XX": PROBLEM},
    )  # fmt: skip
    problems.add_handlers(app)
    for subject in (session, alarms, points, trends, agents, plant, journal):
        app.include_router(subject.router(services))
    return app
