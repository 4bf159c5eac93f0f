"""``accepted.toml``: which reading of what a manual leaves open somebody has accepted at the device. Pure.

Written by ``edge-agent accept``, an entry at a time; nothing is ever taken out by it, and of several entries the last holds, so the
file tells who thought what and when. An entry names the model too, so that it ends with the instrument that it was found out at.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.errors import Fault
from edge_agent.settings.models.template import Model
from edge_agent.settings.suggest import did_you_mean, shown

ACCEPTED_FILE: Final = "accepted.toml"
ACCEPTED_FILE_BYTES_MAX: Final = 1024 * 1024
_Text = Annotated[str, Field(min_length=1, max_length=200)]


class Acceptance(BaseModel):
    """``[[accepted]]``. Without ``device`` it holds for every device of the model in this folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    device: str = ""
    model: _Text
    item: _Text
    choice: _Text
    by: _Text
    at: _Text
    """UTC, ISO 8601."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    accepted: list[Acceptance] = Field(default_factory=list)


def read_accepted(data: bytes, faults: list[Fault]) -> Sequence[Acceptance]:
    """Entries in order; none where a fault was added."""
    try:
        return _File.model_validate(tomllib.loads(data.decode("utf-8-sig"))).accepted
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False):
            keys = ".".join(str(part + 1 if isinstance(part, int) else part) for part in each["loc"])
            remedy = "Take the entry out and accept anew: edge-agent accept"
            faults.append(Fault(ACCEPTED_FILE, None, keys, str(each["msg"]), remedy))
    except (ValueError, RecursionError) as error:
        faults.append(Fault(ACCEPTED_FILE, None, None, f"the file is not TOML: {error}", "Mend that line"))
    return ()


def check_accepted(
    acceptances: Sequence[Acceptance], devices: Mapping[str, str], models: Mapping[str, Model], faults: list[Fault]
) -> None:
    """Every entry must speak of something that there is. ``devices`` gives each device's model."""
    for number, each in enumerate(acceptances, 1):
        path = f"accepted.{number}"
        gone = "Take the entry out: it belongs to another instrument"
        if each.device and devices.get(each.device) != each.model:
            message = f"there is no device {shown(each.device)} of the model {shown(each.model)}"
            faults.append(Fault(ACCEPTED_FILE, None, f"{path}.device", message, gone))
        elif each.model not in devices.values():
            message = f"no device is of the model {shown(each.model)}"
            faults.append(Fault(ACCEPTED_FILE, None, f"{path}.model", message, gone))
        elif (model := models.get(each.model)) is None:
            continue  # said where the device is
        elif each.item not in model.open:
            message = f"{each.model} has no open item {shown(each.item)}"
            faults.append(Fault(ACCEPTED_FILE, None, f"{path}.item", message, did_you_mean(each.item, model.open)))
        elif each.choice not in model.open[each.item].choices:
            message = f"{shown(each.choice)} is no choice of {each.item}"
            remedy = did_you_mean(each.choice, model.open[each.item].choices)
            faults.append(Fault(ACCEPTED_FILE, None, f"{path}.choice", message, remedy))


def accepted_choice(acceptances: Sequence[Acceptance], device: str, model: str, item: str) -> str | None:
    """What holds for a device; None where nobody has accepted anything."""
    for each in reversed(acceptances):
        if each.item == item and each.model == model and each.device in {"", device}:
            return each.choice
    return None


def entry_text(acceptance: Acceptance) -> str:
    """An entry as it is added to the file. What JSON calls a text is one in TOML, but for surrogates and DEL."""
    keys = acceptance.model_dump(exclude_defaults=True)
    return "".join(["\n[[accepted]]\n", *(f"{key} = {_quoted(text)}\n" for key, text in keys.items())])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
