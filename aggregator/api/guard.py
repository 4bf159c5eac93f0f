"""What stands before every call of the API: limits of time and size, headers that tell browsers to do nothing with the
answer, and a problem with an id where we ourselves fail."""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.api import problems
from aggregator.api.problems import ApiCode

BODY_BYTES_MAX: Final = 64 * 1024
REQUEST_TIMEOUT_S: Final = 20.0
"""Longer than a command may take; a body that trickles in counts as well."""
HEADERS: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)

log = structlog.get_logger()


class Guard:
    """Middleware around the API."""

    def __init__(self, app: ASGIApp, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, size = False, 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_BYTES_MAX:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        try:
            async with asyncio.timeout(self._timeout_s):
                await self._app(scope, bounded, guarded)
        except TimeoutError:
            log.warning("api_request_too_slow", path=scope["path"])
            response = problems.answer(
                HTTPStatus.SERVICE_UNAVAILABLE, ApiCode.TOO_SLOW, f"took longer than {self._timeout_s:g} s"
            )
            if not begun:
                await response(scope, receive, guarded)
        except Exception:
            fault = secrets.token_hex(8)
            log.exception("api_fault", id=fault, path=scope["path"])
            if begun:
                raise
            detail = f"an error of the aggregator itself; look for {fault} in its log"
            response = problems.answer(HTTPStatus.INTERNAL_SERVER_ERROR, ApiCode.INTERNAL, detail, {"id": fault})
            await response(scope, receive, guarded)
