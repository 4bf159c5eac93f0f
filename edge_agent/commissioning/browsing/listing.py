"""What was found, as lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from drivers.opcua.values import BAD_NODE_ID_UNKNOWN
from edge_agent.commissioning.browsing.nodes import Variable, address_of, type_name, value_text
from edge_agent.commissioning.browsing.sheet import Sheet
from edge_agent.commissioning.browsing.tree import Bounds, Left, Node, printable, shown_path

EXAMPLES_MAX: Final = 5
_PATH_WIDTH_MAX: Final = 48
_STATUS_NAMES: Final = {
    0x0000_0000: "Good", 0x8000_0000: "Bad", BAD_NODE_ID_UNKNOWN: "BadNodeIdUnknown", 0x803A_0000: "BadNotReadable",
    0x801F_0000: "BadUserAccessDenied", 0x8031_0000: "BadNoCommunication", 0x8032_0000: "BadWaitingForInitialData",
    0x808D_0000: "BadOutOfService", 0x808C_0000: "BadSensorFailure", 0x808B_0000: "BadDeviceFailure",
    0x4000_0000: "Uncertain",
}  # fmt: skip
"""Those of OPC 10000-4, annex B, that an engineer meets while browsing; others are shown by number."""


def matching(nodes: Sequence[Node], patterns: Sequence[str]) -> list[Node]:
    """The variables whose path fits one of the patterns, or all variables where there are none. Case does not matter."""
    wanted = [pattern.casefold() for pattern in patterns]
    return [
        node
        for node in nodes
        if node.is_variable
        and (not wanted or any(fnmatchcase(shown_path(node.path).casefold(), each) for each in wanted))
    ]


def variable_lines(variables: Sequence[Variable], namespaces: Sequence[str]) -> Iterator[str]:
    """One line each: path, value with unit and range, type, status where it is not Good, address."""
    paths = [shown_path(each.node.path) for each in variables]
    width = min(max(map(len, paths), default=0), _PATH_WIDTH_MAX)
    for each, path in zip(variables, paths, strict=True):
        status = status_name(each.reading.status)
        cells = [path.ljust(width), _measured(each).ljust(18), type_name(each).ljust(8)]
        cells += [status] if status != "Good" else []
        cells.append(printable(address_of(each.node.key, namespaces) or f"ns={each.node.key.namespace}, no URI"))
        yield "  ".join(cells)


def _measured(variable: Variable) -> str:
    unit = f" {printable(variable.unit.shown)}" if variable.unit is not None and variable.unit.shown else ""
    low_high = f" [{variable.range[0]:g} to {variable.range[1]:g}]" if variable.range is not None else ""
    return value_text(variable.reading) + unit + low_high


def status_name(status: int) -> str:
    return _STATUS_NAMES.get(status, f"0x{status:08X}")


def left_lines(left: Left, bounds: Bounds) -> Iterator[str]:
    """What is not in the list, and how to get it."""
    if left.too_many:
        yield (
            f"CUT: the server has more than {bounds.nodes_max} nodes; the rest was not looked at. "
            f"Give --nodes-max {bounds.nodes_max * 5}"
        )
    if left.too_deep:
        yield (
            f"CUT: {len(left.too_deep)} nodes lie deeper than {bounds.depth_max} levels, and more perhaps below them. "
            f"Give --depth {bounds.depth_max * 2}"
        )
    if left.elsewhere:
        yield f"{left.elsewhere} references lead to other servers and were not followed"
    yield from _some("could not be browsed", left.refused)


def sheet_lines(sheet: Sheet, *, device: str, source: str) -> Iterator[str]:
    """What an engineer still has to see to in the rows that were made."""
    yield from _some("left out of the list", sheet.left_out)
    if sheet.unit_unknown:
        yield from _some("without a unit in the list, since the server's is not one of ours", sheet.unit_unknown)
    if sheet.unit_missing:
        yield f"{sheet.unit_missing} rows say unit 1, because the server names none: put the right one"
    missing = [name for name, given in (("device", device), ("source", source)) if not given]
    if missing:
        yield f"fill the column {' and '.join(missing)} (or give --{' and --'.join(missing)}); then: edge-agent check DIR"


def _some(what: str, cases: Sequence[tuple[str, str]]) -> Iterator[str]:
    if cases:
        yield f"{len(cases)} {what}:"
        yield from (f"  {path}: {why}" for path, why in cases[:EXAMPLES_MAX])
        if len(cases) > EXAMPLES_MAX:
            yield f"  and {len(cases) - EXAMPLES_MAX} more"
