"""Names of things that two processes talk about.

A message is (agent, epoch, lane, seq) for ever. Its ``event_id`` is derived from that and never random, so that two
copies of one message always carry one id.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

AgentName = NewType("AgentName", str)
Epoch = NewType("Epoch", str)
"""32 lower-case hex digits; a store made anew gets a new one, so numbers never repeat within an epoch."""

_EVENT_ID_NAMESPACE = uuid.UUID("6f1f5a50-8d0e-5f0b-9a63-0d6f0a4f7c11")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_TAG = re.compile(r"[^\s/,\"'\x00-\x1f\x7f]{1,64}\Z")
_EPOCH = re.compile(r"[0-9a-f]{32}\Z")
_ORG_PART = re.compile(r"[^\s/,\"'\x00-\x1f\x7f]{1,64}\Z")


class Lane(StrEnum):
    """Durable streams from an agent. LIVE is no lane: it is neither stored nor numbered."""

    EVENTS = "events"
    TELEMETRY = "telemetry"


@dataclass(frozen=True, slots=True)
class MessageId:
    """Identity of one durable message."""

    agent: AgentName
    epoch: Epoch
    lane: Lane
    seq: int

    @property
    def event_id(self) -> str:
        """The same message gives the same UUID (version 5, RFC 9562 clause 5.5) at both ends."""
        return str(uuid.uuid5(_EVENT_ID_NAMESPACE, f"{self.agent}/{self.epoch}/{self.lane}/{self.seq}"))


@dataclass(frozen=True, slots=True, order=True)
class PointKey:
    """Identity of a point, independent of the gateway that reads it today."""

    organisation: str
    tag: str


@dataclass(frozen=True, slots=True, order=True)
class ActivationId:
    """(agent, epoch, seq) of the event that turned a condition on."""

    agent: AgentName
    epoch: Epoch
    seq: int


def new_epoch() -> Epoch:
    """An epoch for a store that has just been made."""
    return Epoch(uuid.uuid4().hex)


def is_name(text: str) -> bool:
    """Names of agents, devices, destinations: a letter or digit, then up to 63 of letters, digits, ``_ . -``."""
    return _NAME.match(text) is not None


def is_tag(text: str) -> bool:
    """Tags may be in any script, 1 to 64 characters, without blanks, commas, quotes and slashes."""
    return _TAG.match(text) is not None


def is_epoch(text: str) -> bool:
    return _EPOCH.match(text) is not None


def is_org_path(text: str) -> bool:
    """``enterprise``, ``enterprise/source`` or ``enterprise/source/unit``."""
    parts = text.split("/")
    return 1 <= len(parts) <= 3 and all(_ORG_PART.match(part) for part in parts)
