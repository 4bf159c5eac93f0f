"""SQL of alarms: what the book begins from, and what pages and API read."""

from __future__ import annotations

import sqlalchemy as sa

from aggregator.alarms.alarm import Alarm, Instance, alarm_of, instance_of
from aggregator.alarms.policy import AlarmKey
from aggregator.alarms.tables import ALARM_INSTANCES, ALARMS


def load_alarms(connection: sa.Connection, *, standing_only: bool = False) -> list[Alarm]:
    """Every alarm with the instance that stands; or only those that are not normal, or held."""
    query = sa.select(ALARMS)
    if standing_only:
        query = query.where(ALARMS.c.standing)
    rows = connection.execute(query).all()
    current = sa.select(ALARMS.c.instance).where(ALARMS.c.instance.is_not(None))
    found = connection.execute(sa.select(ALARM_INSTANCES).where(ALARM_INSTANCES.c.id.in_(current)))
    instances = {row.id: instance_of(row) for row in found}
    return [alarm_of(row, None if row.instance is None else instances[row.instance]) for row in rows]


def load_alarm(connection: sa.Connection, key: AlarmKey) -> Alarm | None:
    of_key = (ALARMS.c.organisation == key.organisation, ALARMS.c.tag == key.tag, ALARMS.c.kind == key.kind.value)
    row = connection.execute(sa.select(ALARMS).where(*of_key)).first()
    if row is None:
        return None
    return alarm_of(row, None if row.instance is None else load_instance(connection, row.instance))


def load_instance(connection: sa.Connection, id_: str) -> Instance | None:
    row = connection.execute(sa.select(ALARM_INSTANCES).where(ALARM_INSTANCES.c.id == id_)).first()
    return None if row is None else instance_of(row)


def load_history(connection: sa.Connection, limit: int, scope: str = "", tag: str | None = None) -> list[Instance]:
    """The newest instances of a scope, ended or not."""
    columns = ALARM_INSTANCES.c
    query = sa.select(ALARM_INSTANCES).order_by(columns.opened_ns.desc(), columns.id).limit(limit)
    if scope:  # as ``covers`` has it; LIKE would take a letter for its capital, and "_" for any
        below = sa.func.substr(columns.org, 1, len(scope) + 1) == f"{scope}/"
        query = query.where(sa.or_(columns.org == scope, below))
    if tag is not None:
        query = query.where(columns.tag == tag)
    return [instance_of(row) for row in connection.execute(query)]
