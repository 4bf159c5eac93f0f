"""The first page: is the aggregator alive, which agents speak, how much is on record. Needs nothing from outside."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from aggregator.api.health import AgentHealth, Health, read_health
from aggregator.folder import Folder
from contract.clock import NS_PER_S, Clock

SUPPLEMENT: Final = (
    "This system supplements. It is neither a safety instrumented system nor the independent gas alarm system of"
    " GB/T 50493, and replaces neither."
)
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>parksentry</title>
<style>
body {{ font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left; }}
.bad {{ background: #b00020; color: #fff; padding: 0 .4rem; }}
.good {{ background: #1b5e20; color: #fff; padding: 0 .4rem; }}
footer {{ color: #444; margin-top: 2rem; }}
</style>
<h1>parksentry aggregator</h1>
<p>Ingest: {ingest} {endpoint}</p>
<table><tr><th>Agent<th>Session<th>Last heard (UTC)<th>Software</tr>{agents}</table>
<p>On record: {events} events, {chunks} telemetry chunks, journal {journal}. Conditions not normal: {conditions}.</p>
<footer>{supplement}</footer>
</html>
"""


def router(folder: Folder, clock: Clock) -> APIRouter:
    """``GET /``."""
    routes = APIRouter()

    @routes.get("/", response_class=HTMLResponse)
    def start() -> str:
        return render(read_health(folder, clock))

    return routes


def render(health: Health) -> str:
    """The page. Every text from outside is escaped."""
    journal = ", ".join(f"{chain} at {seq}" for chain, seq in health.journal.items())
    return _PAGE.format(
        ingest=_mark("alive" if health.ingest_alive else "NOT RUNNING", good=health.ingest_alive),
        endpoint=html.escape(health.endpoint or ""),
        agents="".join(_row(agent) for agent in health.agents),
        events=health.events,
        chunks=health.chunks,
        journal=html.escape(journal or "empty"),
        conditions=health.conditions,
        supplement=html.escape(SUPPLEMENT),
    )


def _row(agent: AgentHealth) -> str:
    heard = "never" if agent.heard_ns is None else str(datetime.fromtimestamp(agent.heard_ns // NS_PER_S, UTC))[:19]
    session = _mark("connected" if agent.connected else "NOT CONNECTED", good=agent.connected)
    cells = (html.escape(agent.name), session, heard, html.escape(agent.software or ""))
    return "<tr>" + "".join(f"<td>{cell}" for cell in cells) + "</tr>"


def _mark(text: str, *, good: bool) -> str:
    return f'<span class="{"good" if good else "bad"}">{text}</span>'
