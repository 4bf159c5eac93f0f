"""Sign in, sign out, who am I: ``/session``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

import pydantic
from fastapi import APIRouter, Request, Response

from aggregator.api import problems
from aggregator.api.problems import Problem
from aggregator.api.signed_in import SignedIn, delete_cookie, require_own_page, set_cookie, station_of
from aggregator.commands.refusal import RefusedError, UnavailableError
from aggregator.people.commands import SESSION_NS
from aggregator.people.rights import RIGHTS, Person
from aggregator.services import Services
from contract.clock import NS_PER_S

NAME_LENGTH_MAX: Final = 64
PASSWORD_LENGTH_MAX: Final = 1024


class SignIn(pydantic.BaseModel, extra="forbid", strict=True):
    """``bearer``: for programs; the token comes in the answer, and no cookie is set."""

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=NAME_LENGTH_MAX)]
    password: Annotated[str, pydantic.StringConstraints(max_length=PASSWORD_LENGTH_MAX)]
    bearer: bool = False


class Me(pydantic.BaseModel):
    """Who is signed in. ``scope`` is an organisation path, empty for the whole park; ``token`` is for a program."""

    name: str
    role: str
    scope: str
    rights: list[str]
    token: str | None = None


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["session"])

    @routes.post("/session", summary="Sign in", responses={401: {"model": Problem}, 429: {"model": Problem}})
    def sign_in(body: SignIn, request: Request, response: Response) -> Me:
        require_own_page(request)
        token = services.people.sign_in(body.name, body.password, station_of(request))
        me = _me(services.people.person(token))
        if body.bearer:
            me.token = token
        else:
            set_cookie(request, response, token, SESSION_NS // NS_PER_S)
        return me

    @routes.get("/session", summary="Who am I", responses={401: {"model": Problem}})
    def who_am_i(caller: SignedIn) -> Me:
        return _me(services.people.person(caller.token))

    @routes.delete(
        "/session", summary="Sign out", status_code=204, responses={401: {"model": Problem}, 503: {"model": Problem}}
    )
    def sign_out(caller: SignedIn, request: Request) -> Response:
        """The cookie goes whatever comes of it: who leaves a console must not stay signed in there."""
        try:
            services.people.sign_out(caller)
            response = Response(status_code=HTTPStatus.NO_CONTENT)
        except (RefusedError, UnavailableError) as error:
            response = problems.of(error)
        delete_cookie(request, response)
        return response

    return routes


def _me(person: Person) -> Me:
    rights = sorted(right.value for right in RIGHTS[person.role])
    return Me(name=person.name, role=person.role.value, scope=person.scope, rights=rights)
