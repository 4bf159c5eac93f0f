"""From a request to its ``Caller``: the session's token out of a cookie or a header, and where the person sits.

Whether the session stands and what it may, the services find out themselves. A browser sends cookies by itself, whoever
makes it do so; what changes something by cookie therefore has to come as JSON and, where an Origin is named, from
our own pages. The cookie is SameSite=Strict besides.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from aggregator.api.problems import ApiCode, ApiError
from aggregator.people.rights import Caller

COOKIE: Final = "parksentry_session"
TOKEN_LENGTH_MAX: Final = 256
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER: Final = "bearer "


def caller_of(request: Request) -> Caller:
    """Raises ApiError for what another site's page sent."""
    header = request.headers.get("authorization", "")
    if header.lower().startswith(_BEARER):
        return Caller(header[len(_BEARER) :].strip()[:TOKEN_LENGTH_MAX], station_of(request))
    require_own_page(request)
    return Caller(request.cookies.get(COOKIE, "")[:TOKEN_LENGTH_MAX], station_of(request))


SignedIn = Annotated[Caller, Depends(caller_of)]
"""Type of the parameter of every route that needs a person."""


def station_of(request: Request) -> str:
    """The address that the request comes from."""
    return "" if request.client is None else request.client.host


def require_own_page(request: Request) -> None:
    """Raises ApiError. A DELETE cannot come from a form, and a script of another site needs a leave that we never give."""
    if request.method in _SAFE:
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ApiError(HTTPStatus.FORBIDDEN, ApiCode.FOREIGN_ORIGIN, "sent by a page of another site")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "DELETE" and media_type != "application/json":
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, ApiCode.FOREIGN_ORIGIN, "the body must be application/json")


def set_cookie(request: Request, response: Response, token: str, max_age_s: int) -> None:
    """Out of reach of scripts; over TLS only where the request came so. It ends with the browser or the shift."""
    response.set_cookie(
        COOKIE, token, max_age=max_age_s, path="/", httponly=True, samesite="strict", secure=_is_secure(request)
    )


def delete_cookie(request: Request, response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_is_secure(request))


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
