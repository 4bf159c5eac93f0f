"""A device model as lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from edge_agent.settings.models.template import Model, Parameter

_COLUMNS: Final = ("register", "address", "type", "unit")


def overview(models: Iterable[Model]) -> Iterator[str]:
    """Three lines for each model at most: what it is, what can be set, what is open."""
    for model in models:
        yield f"{model.name}: {model.title}"
        if model.parameters:
            named = [f"{name}={_default(each)}" for name, each in model.parameters.items()]
            yield f"  parameters: {', '.join(named)}" + (f"; extras: {', '.join(model.extras)}" * bool(model.extras))
        elif model.extras:
            yield f"  extras: {', '.join(model.extras)}"
        for name, item in model.open.items():
            yield f"  OPEN {name} ({' | '.join(item.choices)}): {item.question}"


def in_full(model: Model) -> Iterator[str]:
    """Everything that the model says, with a use to copy at the end."""
    yield from (f"{model.name}: {model.title}", f"source: {model.source}", f"file: {model.file}")
    if model.link:
        yield f"link: {model.link}"
    yield from (f"note: {each}" for each in model.notes)
    yield from (f"never written by an agent: {each.register_}, {each.meaning}" for each in model.written)
    for name, each in model.parameters.items():
        yield f"parameter {name} ({_bounds(each)}), {_default(each)}: {each.description}"
    for name, item in model.open.items():
        yield f"OPEN {name}: {item.question}"
        yield f"  {item.default} is taken of {' | '.join(item.choices)} until somebody accepts one; the values are UNCERTAIN"
        yield f"  find out: {item.find_out}"
        yield f"  concerns: {', '.join(point.name for point in model.points if name in point.names)}"
    yield ""
    yield from _table([
        ("point", "extra", *_COLUMNS, "description"),
        *((point.name, point.extra, *_cells(point.cells), point.cells.get("description", "")) for point in model.points),
    ])  # fmt: skip
    yield from ("", *_sample(model))


def _cells(cells: Mapping[str, str]) -> list[str]:
    bit = f".{cells['bit']}" if "bit" in cells else ""
    return [cells.get(column, "") + (bit if column == "address" else "") for column in _COLUMNS]


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _sample(model: Model) -> Iterator[str]:
    place = 'serial_port = "/dev/ttyS1"' if model.keys.get("transport") == "rtu" else 'host = "10.0.0.9"'
    yield "to use it, in agent.toml:"
    if model.keys.get("transport") == "rtu":
        yield '# over TCP in place of serial_port: host = "10.0.0.9", transport = "tcp" (or "rtu_over_tcp" behind a converter)'
    yield from ("[[device]]", 'name = "unit-7"', f'model = "{model.name}"', place, 'source = "tank-1"')
    if model.parameters:
        yield "[device.parameters]"
        yield from (f"{name} = {_written(each)}" for name, each in model.parameters.items())


def _default(parameter: Parameter) -> str:
    return "no default" if parameter.default is None else str(parameter.default)


def _written(parameter: Parameter) -> str:
    value = parameter.default
    return f'"{value or ""}"' if isinstance(value, str) or value is None else str(value)


def _bounds(parameter: Parameter) -> str:
    if parameter.choices:
        return " | ".join(parameter.choices)
    low = "" if parameter.low is None else f" from {parameter.low}"
    return parameter.type + low + ("" if parameter.high is None else f" to {parameter.high}")
