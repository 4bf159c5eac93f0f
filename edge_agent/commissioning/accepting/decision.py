"""What was typed becomes an entry of ``accepted.toml``, or a refusal that names what there is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edge_agent.settings.models.accepted import Acceptance
from edge_agent.settings.models.template import Model
from edge_agent.settings.suggest import did_you_mean, shown

BY_LENGTH_MAX: Final = 200


class RefusedError(ValueError):
    """What was typed fits nothing, in words."""


def decide(
    devices: Mapping[str, str], models: Mapping[str, Model], who: str, item: str, choice: str, *, by: str, at: str
) -> Acceptance:
    """``who`` is a device, or a model: then the entry holds for all devices of it. Raises RefusedError."""
    model_name = devices.get(who, who)
    if model_name not in models:
        known = sorted({*devices, *devices.values()})
        raise RefusedError(
            f"{shown(who)} is neither a device of a model nor a model in use. {did_you_mean(who, known)}"
        )
    model = models[model_name]
    if item not in model.open:
        if not model.open:
            raise RefusedError(f"the manual of {model_name} leaves nothing open")
        raise RefusedError(f"{model_name} has no open item {shown(item)}. {did_you_mean(item, tuple(model.open))}")
    if choice not in model.open[item].choices:
        raise RefusedError(
            f"{shown(choice)} is no choice of {item}. {did_you_mean(choice, tuple(model.open[item].choices))}"
        )
    name = " ".join(by.split())
    if not name or not name.isprintable() or len(name) > BY_LENGTH_MAX:
        raise RefusedError("--by needs the name of whoever has found it out at the device")
    return Acceptance(device=who if who in devices else "", model=model_name, item=item, choice=choice, by=name, at=at)
