"""Alarms: the list that stands, one, its past, and what a person does to it. ``/alarms``."""

from __future__ import annotations

from dataclasses import fields
from types import GenericAlias
from typing import Annotated, Any, Final, get_type_hints

import pydantic
from fastapi import APIRouter, Path, Query

from aggregator.alarms.alarm import Instance
from aggregator.alarms.commands import NAME_LENGTH_MAX, Action
from aggregator.alarms.service import HISTORY_MAX, AlarmView
from aggregator.api.signed_in import SignedIn
from aggregator.services import Services
from contract.events import INT64_MAX, Json

HISTORY_DEFAULT: Final = 100
Name = Annotated[str, Path(max_length=NAME_LENGTH_MAX)]


class Act(pydantic.BaseModel, extra="forbid"):
    """``seen`` is the revision that the person saw. What else is needed depends on the action: ``until_ns`` (UTC) and
    ``reason`` to shelve, ``until_ns`` and ``permit`` to take out of service, ``comment`` to comment. ``once``: a shelf
    that ends when the alarm returns to normal."""

    seen: Annotated[int, pydantic.Field(strict=True, ge=0, le=INT64_MAX)]
    until_ns: Annotated[int, pydantic.Field(ge=0, le=INT64_MAX)] | None = None
    reason: str | None = None
    permit: str | None = None
    comment: str | None = None
    once: bool | None = None

    def args(self) -> dict[str, Json]:
        given = self.model_dump(exclude={"seen", "until_ns"}, exclude_none=True)
        return given if self.until_ns is None else {**given, "until_ns": str(self.until_ns)}


def _schema(name: str, view: type) -> type[pydantic.BaseModel]:
    """OpenAPI's model of a dataclass. Its ``Json`` is a type that names itself, which pydantic cannot follow."""
    hints = get_type_hints(view, localns={"Json": Any})
    given: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(view)}
    return pydantic.create_model(name, __doc__=view.__doc__, **given)


_ALARM: Final = _schema("Alarm", AlarmView)
_ALARMS: Final = GenericAlias(list, _ALARM)
_INSTANCES: Final = GenericAlias(list, _schema("AlarmInstance", Instance))


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["alarms"])

    @routes.get("/alarms", summary="What is not normal, or held; most urgent first", response_model=_ALARMS)
    def standing(caller: SignedIn) -> list[AlarmView]:
        return services.alarms.standing(caller)

    @routes.get(
        "/alarms/history", summary="The newest instances, those that are over as well", response_model=_INSTANCES
    )
    def history(
        caller: SignedIn,
        tag: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=HISTORY_MAX)] = HISTORY_DEFAULT,
    ) -> list[Instance]:
        return services.alarms.history(caller, tag, limit)

    @routes.get(
        "/alarms/{name:path}", summary="One, by its instance or by organisation/tag/kind", response_model=_ALARM
    )
    def one(caller: SignedIn, name: Name) -> AlarmView:
        return services.alarms.one(caller, name)

    @routes.post(
        "/alarms/{name:path}/{action}",
        summary="Do something to it, as the person who is signed in",
        response_model=_ALARM,
    )
    def act(caller: SignedIn, name: Name, action: Action, body: Act) -> AlarmView:
        return services.alarms.act(caller, action, name, body.seen, **body.args())

    return routes
