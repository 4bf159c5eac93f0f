"""Every answer that is no success, as application/problem+json (RFC 9457).

``code`` is what programs and pages go by: a RefusalCode, or one of ``ApiCode``; ``params`` are its parameters. Texts are
English and for developers; pages say it in their own words.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import fastapi
import pydantic
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from aggregator.commands.refusal import RefusalCode, RefusedError, UnavailableError
from contract.errors import FrameError

MEDIA_TYPE: Final = "application/problem+json"
ERRORS_SHOWN_MAX: Final = 20
TEXT_LENGTH_MAX: Final = 300
STATUS: Final = {
    RefusalCode.NOT_SIGNED_IN: HTTPStatus.UNAUTHORIZED,
    RefusalCode.WRONG_PASSWORD: HTTPStatus.UNAUTHORIZED,
    RefusalCode.TOO_MANY_ATTEMPTS: HTTPStatus.TOO_MANY_REQUESTS,
    RefusalCode.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    RefusalCode.UNKNOWN: HTTPStatus.NOT_FOUND,
    RefusalCode.MOVED_ON: HTTPStatus.CONFLICT,
    RefusalCode.NOT_POSSIBLE: HTTPStatus.CONFLICT,
    RefusalCode.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class ApiCode(StrEnum):
    """Problems of the way here, not of a decision."""

    UNAVAILABLE = "unavailable"
    """Ingest does not answer; ``delivered``: whether it had the command."""
    TOO_SLOW = "too_slow"
    """The request took longer than allowed."""
    FOREIGN_ORIGIN = "foreign_origin"
    """A page of another site sent it, or not as JSON."""
    HTTP = "http"
    """As the status says: no such path or method, a body too large or malformed."""
    INTERNAL = "internal"
    """A fault of ours; ``id`` finds it in the log."""


class Problem(pydantic.BaseModel):
    """The body of every answer that is no success."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    params: dict[str, Any] = {}


class ApiError(Exception):
    """A problem of the way here."""

    def __init__(self, status: HTTPStatus, code: ApiCode, detail: str) -> None:
        self.status = status
        self.code = code
        super().__init__(detail)


def answer(
    status: int, code: str, detail: str, params: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    body = Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, params=params or {})
    return JSONResponse(_printable(body.model_dump()), status, headers=headers, media_type=MEDIA_TYPE)


def add_handlers(app: fastapi.FastAPI) -> None:
    """What services and the framework raise becomes a problem."""
    app.add_exception_handler(RefusedError, _of)
    app.add_exception_handler(UnavailableError, _of)
    app.add_exception_handler(FrameError, _malformed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ApiError, _api)


def of(error: RefusedError | UnavailableError) -> JSONResponse:
    """What a service raised, as a problem."""
    if isinstance(error, UnavailableError):
        params = {"delivered": error.delivered}
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, ApiCode.UNAVAILABLE, str(error), params, {"Retry-After": "5"})
    status, headers = STATUS[error.code], {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.code is RefusalCode.TOO_MANY_ATTEMPTS:
        headers["Retry-After"] = str(error.params["retry_after_s"])
    return answer(status, error.code, str(error), error.params, headers)


async def _of(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError | UnavailableError)
    return of(error)


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FrameError)
    params = {"field": error.field, "message": str(error)}
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, RefusalCode.INVALID, str(error), params)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """What was sent is not repeated: it may be a password."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(part) for part in each["loc"][1:])[:TEXT_LENGTH_MAX], "message": str(each["msg"])}
        for each in error.errors()[:ERRORS_SHOWN_MAX]
    ]
    first = errors[0] if errors else {"field": "", "message": ""}
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, RefusalCode.INVALID, detail, {**first, "errors": errors})


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    return answer(error.status_code, ApiCode.HTTP, HTTPStatus(error.status_code).description, headers=headers)


async def _api(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return answer(error.status, error.code, str(error))


def _printable(value: Any) -> Any:
    """Half surrogate pairs, which JSON can bring in and UTF-8 cannot bring out, become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(each) for key, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list) else value
