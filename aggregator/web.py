"""The web process: serves ``api`` and ``pages`` over HTTP, from databases that it can only read.

What a person wants changed goes to ingest as a command; see ``commands``.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import closing

import fastapi
import uvicorn

from aggregator.api import health, v1
from aggregator.commands.channel import CommandClient
from aggregator.folder import Folder
from aggregator.pages.feed import Feed
from aggregator.services import Services, make_services
from contract.clock import Clock
from contract.errors import LinkError


def make_app(services: Services) -> fastapi.FastAPI:
    """What programs may ask. ``/health`` is open to everybody, the rest asks who it is."""
    app = fastapi.FastAPI(title="parksentry aggregator", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(health.router(services.folder, services.clock))
    app.mount(v1.PATH, v1.make_api(services))
    return app


def serve(folder: Folder, clock: Clock, ready: Callable[[str], None]) -> None:
    """Until SIGTERM, SIGINT or end-of-file on standard input. Raises LinkError where the address cannot be taken."""
    from aggregator.pages.site import add_pages  # the page library takes a second to load and is needed here only

    settings = folder.settings().web
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise LinkError(f"cannot serve pages on {settings.listen}: {error}") from error
    with listener, closing(CommandClient(folder)) as client:
        services = make_services(folder, clock, client)
        app = make_app(services)
        add_pages(app, services, Feed(folder, clock))
        server = uvicorn.Server(server_config(app))
        threading.Thread(target=_stop_at_end_of_file, args=(server,), daemon=True).start()
        ready(f"http://{settings.host}:{listener.getsockname()[1]}")
        server.run(sockets=[listener])


def server_config(app: fastapi.FastAPI) -> uvicorn.Config:
    """X-Forwarded-For is not believed: it is written by whoever asks, and the address stands in the journal."""
    return uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2, proxy_headers=False)


def _stop_at_end_of_file(server: uvicorn.Server) -> None:
    while os.read(0, 1024):
        pass
    server.should_exit = True
