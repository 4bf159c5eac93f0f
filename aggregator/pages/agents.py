"""The edge agents and their devices: who is connected, who was heard when, what answers."""

from __future__ import annotations

from html import escape

from nicegui import ui

from aggregator.live.agents import AgentView, DeviceView, StationsView
from aggregator.pages import symbols
from aggregator.pages.moments import NO_NUMBER, beijing, duration
from aggregator.pages.shell import Shell, heading
from aggregator.pages.texts import Texts
from aggregator.pages.view import View


def add(shell: Shell) -> None:
    """``/agents``."""

    @shell.page("/agents", "agents.title")
    async def agents(view: View) -> None:
        heading(view.text("agents.title"))
        content = ui.html("", sanitize=False).style("width: 100%")

        async def refresh() -> None:
            content.set_content(render(view.text, await view.ask(view.services.agents.stations)))

        await refresh()
        view.every_second(refresh)


def render(text: Texts, stations: StationsView) -> str:
    """The whole content as markup."""
    age = NO_NUMBER if stations.ingest_age_s is None else duration(stations.ingest_age_s)
    ingest = text("agents.ingest_alive") if stations.ingest_alive else text("agents.ingest_silent", age=age)
    head = f"<p>{'' if stations.ingest_alive else symbols.bad()} {escape(ingest)}</p>"
    if not stations.agents:
        return head + f"<p>{escape(text('agents.none'))}</p>"
    return head + "".join(_agent(text, each) for each in stations.agents)


def _agent(text: Texts, agent: AgentView) -> str:
    if not agent.admitted:
        said = text("agents.revoked")
    elif agent.connected:
        said = text("agents.connected")
    else:
        said = text("agents.away")
    heard = NO_NUMBER if agent.heard_age_s is None else text("agents.ago", age=duration(agent.heard_age_s))
    facts = {
        "agents.heard": f"{beijing(agent.heard_ns)} ({heard})" if agent.heard_ns is not None else NO_NUMBER,
        "agents.software": agent.software or NO_NUMBER,
        "agents.reads": text("agents.points", count=agent.points, orgs=", ".join(agent.orgs) or NO_NUMBER),
        "agents.lanes": ", ".join(f"{text.word('lane', lane)} {seq}" for lane, seq in sorted(agent.lanes.items()))
        or NO_NUMBER,
        "agents.last_chunk": beijing(agent.last_chunk_ns),
        "agents.store": f"{(agent.epoch or NO_NUMBER)[:8]} ({text('agents.epochs', count=agent.epochs)})",
        "agents.gaps": str(agent.gaps),
    }
    rows = "".join(f"<dt>{escape(text(key))}</dt><dd>{escape(shown)}</dd>" for key, shown in facts.items())
    mark = "" if agent.connected else symbols.bad()
    devices = "".join(_device(text, each) for each in agent.devices)
    names = ("device", "answers", "last_good", "age", "device_points")
    head = "".join(f"<th>{escape(text(f'agents.{name}'))}</th>" for name in names)
    table = f'<table class="cr-table"><thead><tr>{head}</tr></thead><tbody>{devices}</tbody></table>' if devices else ""
    return (
        f'<section class="cr-panel cr-agent"><h2>{mark} {escape(agent.name)} · {escape(said)}</h2>'
        f'<dl class="cr-facts">{rows}</dl>{table}</section>'
    )


def _device(text: Texts, device: DeviceView) -> str:
    said = text("agents.yes") if device.answers else text("agents.no")
    age = NO_NUMBER if device.age_s is None else duration(device.age_s)
    cells = (escape(device.name), f"{'' if device.answers else symbols.bad()} {escape(said)}",
             beijing(device.last_good_ns), age, str(device.points))  # fmt: skip
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
