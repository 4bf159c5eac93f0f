"""Tables of alarms: one row per condition that ever was not normal, its instances, and the activations in each."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aggregator.store.db import METADATA

ALARMS: Final = sa.Table(
    "alarms",
    METADATA,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("acknowledged", sa.Boolean, nullable=False),
    sa.Column("latched", sa.Boolean, nullable=False),
    sa.Column("shelf", sa.Text, nullable=False),
    sa.Column("suppressed", sa.Boolean, nullable=False),
    sa.Column("out_of_service", sa.Boolean, nullable=False),
    sa.Column("sounding", sa.Boolean, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("changed_ns", sa.BigInteger, nullable=False),
    sa.Column("instance", sa.Text),
    sa.Column("shelf_until_ns", sa.BigInteger),
    sa.Column("service_until_ns", sa.BigInteger),
    sa.Column("re_alarm_ns", sa.BigInteger),
    sa.Column("hold", sa.Text, nullable=False),
    sa.Column("condition", sa.Text, nullable=False),
    sa.Column("standing", sa.Boolean, nullable=False, index=True),
    sa.Column("level_owed", sa.Integer, nullable=False, server_default="0"),
)
"""``standing``: not normal, or held. ``level_owed``: the highest level since it was last acknowledged. ``hold``: reason, permit and person of shelf and out of service, JSON.
``condition``: the newest ConditionData, JSON. Times are the wall clock's; ``re_alarm_ns`` is when it sounds again."""

ALARM_INSTANCES: Final = sa.Table(
    "alarm_instances",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("condition_class", sa.Text, nullable=False),
    sa.Column("opened_ns", sa.BigInteger, nullable=False, index=True),
    sa.Column("on_time_ns", sa.BigInteger, nullable=False),
    sa.Column("ended_ns", sa.BigInteger),
    sa.Column("level_max", sa.Integer, nullable=False),
    sa.Column("activations", sa.Integer, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("acknowledged_ns", sa.BigInteger),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("comment", sa.Text),
    sa.Column("raised_ns", sa.BigInteger, nullable=False, server_default="0"),
)
"""From normal back to normal. ``opened_ns`` is the aggregator's time; ``on_time_ns`` and ``raised_ns`` are the edge's, of the
first and of the newest activation. ``acknowledged_*`` are empty while an answer is owed. ``late``: it came and went before
anybody here could know (补传). ``comment`` is the newest; all of them are in the journal."""

ALARM_ACTIVATIONS: Final = sa.Table(
    "alarm_activations",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("instance", sa.Text, nullable=False, index=True),
)
"""An activation belongs to one instance, for ever."""
