"""What a scan found, for a person, for a program, and as proposals of points. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any, Final

from drivers.modbus.address import Coding, Table, WordOrder
from edge_agent.commissioning.probing.decodings import Reader, of_registers
from edge_agent.commissioning.probing.ranking import Hints, Reason, rank
from edge_agent.commissioning.scanning.search import Plan, Search, State, TableFound

_SAMPLES_MAX: Final = 6
_FLOATS: Final = tuple(
    way for way in of_registers()
    if way.coding is Coding.FLOAT32 or (way.coding is Coding.UINT16 and way.order is WordOrder.ABCD and way.scale == 1)
)  # fmt: skip
_PREFIX: Final = {Table.HOLDING: "H", Table.INPUT: "I", Table.COIL: "C", Table.DISCRETE: "D"}
PROPOSAL_HEAD: Final = (
    "# PROPOSALS of a scan, no finished points.csv: give each point that is wanted its tag, source and unit,\n"
    "# prove its type with `edge-agent try`, and delete the other rows. Registers that stayed zero are left out.\n"
)


def progress(search: Search, passed_s: float, requests: int) -> str:
    """Where it is and the longest that the rest can take, if it goes on as the last ``requests`` did in ``passed_s``."""
    ask = search.wants()
    if ask is None:
        return f"{search.requests} requests"
    plan = search.plan
    left = min(plan.bound, plan.requests_max) - search.requests
    at_most_s = passed_s / max(requests, 1) * max(left, 0)
    time_left = f"{at_most_s / 60:.0f} min" if at_most_s >= 120 else f"{max(1, math.ceil(at_most_s))} s"
    return (
        f"unit {ask.unit}, {ask.table} {ask.start} of {plan.last}: {search.requests} requests, at most {time_left} more"
    )


def lines(search: Search) -> list[str]:
    out: list[str] = []
    for unit, found in search.found.items():
        out.append(f"unit {unit}: {found.state}")
        for table, tabled in found.tables.items():
            out += _table(search.plan, table, tabled)
    return out


def _table(plan: Plan, table: Table, found: TableFound) -> Iterator[str]:
    if found.state is not State.PRESENT:
        yield f"  {table}: {found.state}"
        return
    wanted = plan.last - plan.first + 1
    yield f"  {table}: {f'{len(found.words)} readable' if found.words else 'none found'} of {wanted}{_lengths(table, found)}"
    if found.asked < wanted:
        text = f"    {found.asked} of {wanted} addresses asked"
        often = f" (where none was given every {_th(plan.stride)}), shorter runs are not seen: --stride 1"
        yield text + (often if plan.stride > 1 else "")
    for first, last in found.runs():
        words = [found.words[address] for address in range(first, last + 1)]
        dead = sum(word == 0 for word in words)
        moved = [address for address in range(first, last + 1) if _moves(found, address)]
        samples = [f"{first + i}={word}" for i, word in enumerate(words) if word][:_SAMPLES_MAX]
        text = f"    {first}..{last}: " + ("all zero" if dead == len(words) else f"{dead} zero, {', '.join(samples)}")
        yield text + (f"; {len(moved)} changed: {', '.join(map(str, moved[:_SAMPLES_MAX]))}" if moved else "")


def _th(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _lengths(table: Table, found: TableFound) -> str:
    """How much the device gives at once, and how sure that is."""
    key = "max_bits" if table.holds_bits else "max_registers"
    walls = sorted(found.walls)[:_SAMPLES_MAX]
    if found.length_max == 1 and walls:
        return f"; one in a request was all that was given, at {len(walls)} places: {key} = 1"
    if found.length_max is not None:
        text = f"; no more than {found.length_max} in a request: {key} = {found.length_max}"
    else:
        text = f"; up to {found.longest} in a request, no limit was seen" if found.longest else ""
    return text + (f"; no request across {', '.join(f'{wall - 1}|{wall}' for wall in walls)}" if walls else "")


def _moves(found: TableFound, address: int) -> bool:
    return found.again.get(address, found.words[address]) != found.words[address]


def as_json(endpoint: str, search: Search) -> dict[str, Any]:
    units = {
        str(unit): {
            "state": found.state.value,
            "tables": {
                table.value: {
                    "state": each.state.value,
                    "asked": each.asked,
                    "ranges": [list(run) for run in each.runs()],
                    "length_max": each.length_max,
                    "longest": each.longest,
                    "walls": sorted(each.walls),
                    "values": {str(address): word for address, word in sorted(each.words.items())},
                    "changed": [address for address in sorted(each.words) if _moves(each, address)],
                }
                for table, each in found.tables.items()
            },
        }
        for unit, found in search.found.items()
    }
    return {"endpoint": endpoint, "complete": search.wants() is None and not search.exhausted,
            "requests": search.requests, "addresses": search.plan.last - search.plan.first + 1,
            "stride": search.plan.stride, "units": units}  # fmt: skip


def proposals(search: Search, devices: dict[int, str]) -> list[dict[str, str]]:
    """Rows by column, source and unit left to the person. ``devices`` are names by unit."""
    many = len(search.found) > 1
    rows = []
    for unit, found in search.found.items():
        for table, tabled in found.tables.items():
            floats = {} if table.holds_bits else _floats(tabled)
            seconds = {address + 1 for address in floats}
            for address in sorted(tabled.words):
                if address in seconds or not (tabled.words[address] or _moves(tabled, address) or address in floats):
                    continue
                order, number = floats.get(address, (None, float(tabled.words[address])))
                rows.append(
                    {
                        "tag": (f"U{unit}-" if many else "") + f"{_PREFIX[table]}{address}",
                        "device": devices.get(unit, f"unit-{unit}"),
                        "register": table.value,
                        "address": str(address),
                        "type": "bit" if table.holds_bits else "float32" if order else "uint16",
                        "word_order": "" if order in (None, WordOrder.ABCD) else order.value,
                        "description": f"proposal of a scan, read {number:.7g}",
                    }
                )
    return rows


def _floats(found: TableFound) -> dict[int, tuple[WordOrder, float]]:
    """Pairs that are floats more likely than two integers, in the order that most of the table's pairs speak for, and their numbers
    as first read."""
    reader = Reader(_FLOATS, Table.HOLDING, 2)
    likely: dict[WordOrder, dict[int, float]] = {}
    for address in sorted(found.words):
        if address + 1 not in found.words:
            continue
        reads = [
            reader.read(struct.pack(">2H", words[address], words[address + 1]))
            for words in (found.words, {**found.words, **found.again})
        ]
        best = rank(reader.decodings, reads, Hints())[0]
        if (
            best.decoding.coding is Coding.FLOAT32
            and Reason.ORDINARY in best.reasons
            and Reason.JUMPS not in best.reasons
        ):
            number = reads[0][reader.decodings.index(best.decoding)]
            assert isinstance(number, float)
            likely.setdefault(best.decoding.order, {})[address] = number
    if not likely:
        return {}
    order = max(likely, key=lambda each: len(likely[each]))
    chosen: dict[int, tuple[WordOrder, float]] = {}
    for address, number in likely[order].items():
        if address - 1 not in chosen:
            chosen[address] = order, number
    return chosen
