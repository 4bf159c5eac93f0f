"""All pages of the control room, put on the web application: one call, once per process.

The page library keeps one application per process, so this is apart from the API, of which there may be several.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import fastapi
from fastapi.staticfiles import StaticFiles
from nicegui import app as library
from nicegui import background_tasks, core, ui
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.pages import agents, alarms, journal, login, not_found, overview, points, trend
from aggregator.pages.feed import Feed
from aggregator.pages.shell import Shell
from aggregator.services import Services

STATIC: Final = Path(__file__).parent / "static"
POLICY: Final = (
    # The page library compiles templates in the browser, hence unsafe-eval; nothing may come from, or go, elsewhere.
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src"
    b" 'self' data:; font-src 'self' data:; frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"
)
SECURITY: Final = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
API: Final = "/api/"
LOOK: Final = {
    "brand": {"primary": "#123f6d"},  # of the field that has the keyboard; the library's own is too light to read
    "loadingBar": {"skipHijack": True},  # a bar without a name, for requests that no person made
}


def add_pages(app: fastapi.FastAPI, services: Services, feed: Feed) -> None:
    """Everything below ``/`` that is not API. The feed runs as long as the application does."""
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(login.router())
    app.add_middleware(_PageHeaders)
    shell = Shell(services, feed)
    for module in (overview, alarms, points, trend, agents, journal):
        module.add(shell)
    library.add_exception_handler(404, not_found.answer)
    core.sio.eio.cors_allowed_origins = None  # a page of another origin may not open a link to ours
    library.config.quasar_config |= LOOK
    ui.run_with(app, title="parksentry", favicon="🛡", tailwind=False, reconnect_timeout=10, show_welcome_message=False)
    library.on_startup(lambda: background_tasks.create(feed.run(), name="feed"))


class _PageHeaders:
    """Security headers of pages; those of the API are its own, and stricter."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *SECURITY]
            await send(message)

        await self._app(scope, receive, send_with_headers)
