"""The web process: serves ``api`` and ``pages`` over HTTP, from databases that it can only read."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

import fastapi
import uvicorn

from aggregator.api import health
from aggregator.folder import Folder
from aggregator.pages import start
from contract.clock import Clock
from contract.errors import LinkError


def make_app(folder: Folder, clock: Clock) -> fastapi.FastAPI:
    """Everything that is served; its OpenAPI documents itself at /openapi.json, without pages that load scripts."""
    app = fastapi.FastAPI(title="parksentry aggregator", docs_url=None, redoc_url=None)
    app.include_router(health.router(folder, clock))
    app.include_router(start.router(folder, clock))
    return app


def serve(folder: Folder, clock: Clock, ready: Callable[[str], None]) -> None:
    """Until SIGTERM, SIGINT or end-of-file on standard input. Raises LinkError where the address cannot be taken."""
    settings = folder.settings().web
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise LinkError(f"cannot serve pages on {settings.listen}: {error}") from error
    config = uvicorn.Config(make_app(folder, clock), log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    threading.Thread(target=_stop_at_end_of_file, args=(server,), daemon=True).start()
    ready(f"http://{settings.host}:{listener.getsockname()[1]}")
    with listener:
        server.run(sockets=[listener])


def _stop_at_end_of_file(server: uvicorn.Server) -> None:
    while os.read(0, 1024):
        pass
    server.should_exit = True
